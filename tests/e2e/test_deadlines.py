"""Jobs that take longer than they may are left to themselves, but not forgotten: what they make later is added."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.stage import Json, Stage, answers, call, receipts_of, refuse, step_of, turn, types_of, wait_until
from tests.fake_vendors import FakeVendors
from tests.server import Server

CLIP = "/runway/v1/text_to_video"
FILM = turn(call("generate_video", prompt="steam over a cup", duration=5))
SETTINGS = {"VIDEO_DEADLINE_S": "1", "SWEEP_EVERY_S": "0.5"}


@pytest.fixture(scope="module")
def strict_server(vendors: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that gives a clip one second, and looks after late ones twice a second."""
    with Server(tmp_path_factory.mktemp("strict"), {**vendors.environment(), **SETTINGS}) as server:
        yield server


@pytest.fixture
def strict(strict_server: Server, fakes: FakeVendors) -> Stage:
    """The vendor takes 2.5 seconds for a clip."""
    fakes.control(latency={"runway": 2.5})
    stage = Stage(strict_server, fakes)
    stage.script(FILM)
    return stage


def clip_of(stage: Stage, made: Json) -> Json:
    """The receipt of the clip, now."""
    [receipt] = receipts_of(stage.get(made["id"]), "video")
    return receipt


def over(stage: Stage, made: Json) -> Json:
    """The receipt of the clip, once it is over."""
    return wait_until(lambda: (receipt := clip_of(stage, made))["state"] != "submitted" and receipt)


# ---- at the deadline -------------------------------------------------------------------------------------------------


def test_a_job_past_its_deadline_is_told_of_and_keeps_its_receipt(strict: Stage) -> None:
    strict.fakes.control(latency={"runway": 600.0})
    made = strict.made()
    step, receipt = step_of(made, "generate_video"), clip_of(strict, made)
    assert '"deadline"' in answers(strict.chats()[-1])[0]
    assert (step["status"], receipt["state"], receipt["estimate_usd"]) == ("failed", "submitted", "0.600000")
    assert receipt["job_id"] in step["error"]
    assert (types_of(made), made["stop_reason"], made["cost_is_complete"]) == ([], "answered", False)


def test_a_job_past_its_deadline_is_asked_about_and_not_made_again(strict: Stage) -> None:
    strict.fakes.control(latency={"runway": 600.0})
    made = strict.made()
    asked = strict.fakes.ledger()["polls"]["runway"]
    wait_until(lambda: strict.fakes.ledger()["polls"]["runway"] >= asked + 2)
    assert (clip_of(strict, made)["state"], len(strict.requests(CLIP))) == ("submitted", 1)


# ---- later -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("killed", [False, True], ids=["in-the-same-process", "after-a-crash"])
def test_what_comes_late_is_added_where_it_belongs(strict: Stage, killed: bool) -> None:
    made = strict.made()
    if killed:
        strict.server.kill()
        strict.server.restart()
    receipt, later = over(strict, made), strict.get(made["id"])
    [asset], step = later["assets"], step_of(later, "generate_video")
    assert (receipt["state"], receipt["amount_usd"], receipt["amount_source"]) == ("settled", "0.600000", "vendor")
    assert (step["status"], step["asset_ids"], step["error"]) == ("completed", [asset["id"]], None)
    assert any(asset["id"] in warning and "added later" in warning for warning in later["warnings"])
    assert (later["cost_is_complete"], strict.submits("runway")) == (True, 1)
    assert len(strict.content(asset)) == asset["bytes"]


def test_what_comes_late_is_fetched_again_from_a_fresh_address(strict: Stage) -> None:
    strict.fakes.control(fail=[refuse("/files/runway/", 403, method="GET", times=2)])
    made = strict.made()
    over(strict, made)
    addresses = [row["query"] for row in strict.requests("/files/runway/", "GET")]
    assert (types_of(strict.get(made["id"])), len(addresses), len(set(addresses))) == (["video"], 3, 3)


@pytest.mark.parametrize(
    ("fields", "amount"),
    [
        ({"failure": "Bad output.", "failureCode": "INTERNAL.BAD_OUTPUT.CODE01"}, "0.000000"),
        ({"failure": "No.", "failureCode": "SAFETY.OUTPUT.VIDEO", "cost": {"credits": 60}}, "0.600000"),
    ],
)
def test_what_fails_late_is_settled_and_adds_nothing(strict: Stage, fields: Json, amount: str) -> None:
    strict.fakes.control(outcomes=[{"path": CLIP, "fields": fields}])
    made = strict.made()
    receipt, later = over(strict, made), strict.get(made["id"])
    assert (receipt["state"], receipt["amount_usd"]) == ("settled", amount)
    assert (types_of(later), step_of(later, "generate_video")["status"], later["warnings"]) == ([], "failed", [])


def test_nothing_comes_late_of_a_generation_that_was_deleted(strict: Stage) -> None:
    made = strict.made()
    strict.server.delete(f"/generations/{made['id']}")
    wait_until(lambda: strict.fakes.ledger()["cancels"]["runway"])
    assert strict.server.get(f"/generations/{made['id']}").status == 404
    assert made["id"] not in {asset["generation_id"] for asset in strict.server.get("/assets").body["data"]}
    assert strict.fakes.ledger()["downloads"] == 0


def test_nothing_comes_late_of_a_generation_that_was_cancelled(strict: Stage) -> None:
    generation_id = strict.begin()
    strict.until_submitted("runway")
    strict.cancel(generation_id)
    wait_until(lambda: strict.fakes.ledger()["cancels"]["runway"])
    cancelled = strict.get(generation_id)
    assert (cancelled["status"], types_of(cancelled), strict.fakes.ledger()["downloads"]) == ("cancelled", [], 0)
