"""A generation is stopped, or deleted: its jobs end at the vendors, and what was deleted is gone."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPException
from typing import Any

import pytest

from tests.e2e.stage import Stage, call, hang, refuse, turn, types_of, wait_until
from tests.fake_vendors import FakeVendors
from tests.server import Reply, Server

SLOW_JOBS = {"replicate": 600.0, "runway": 600.0}
CLIP, FLUX, DRAWING = "/runway/v1/text_to_video", "/replicate/v1/predictions", "/images/generations"


def running_jobs(stage: Stage) -> str:
    """A generation whose narration is there and whose picture and clip are being made."""
    stage.fakes.control(latency=SLOW_JOBS)
    generation_id = stage.begin()
    stage.watch(generation_id).until("asset.created")
    wait_until(lambda: min(stage.fakes.ledger()["polls"].values()) >= 1, "a poll at each vendor")
    return generation_id


def settle(stage: Stage) -> None:
    """Let whatever was still under way come to its end: a later generation runs through."""
    stage.fakes.control(latency={"replicate": 0.0, "runway": 0.0, "chat": 0.0}, fail=[])
    stage.made("another one, later")


def files_in(server: Server) -> list[str]:
    """Every file of the asset store and the spool."""
    folders = (server.data_dir / "assets", server.data_dir / "spool")
    return sorted(path.name for folder in folders for path in folder.rglob("*") if path.is_file())


def files_at_rest(server: Server) -> list[str]:
    """The same, once nothing is on its way into the store: of an earlier test something may yet come."""
    wait_until(lambda: not any((server.data_dir / "spool").iterdir()), "an empty spool")
    return files_in(server)


def rows_about(server: Server, word: str) -> list[str]:
    """The tables of every SQLite file in which a row holds the word."""
    found = []
    for path in server.data_dir.glob("*.db"):
        with closing(sqlite3.connect(path)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            found += [f"{path.name}:{table}" for table in tables if holds(database, table, word)]
    return found


def holds(database: sqlite3.Connection, table: str, word: str) -> bool:
    """Whether a row of a table holds the word."""
    return any(word in str(row) for row in database.execute(f'SELECT * FROM "{table}"'))


class Waiting:
    """A client that waits for the answer of `POST /generate` beside the test."""

    def __init__(self, stage: Stage) -> None:
        self._reply: Reply | None = None
        self._thread = threading.Thread(target=self._wait, args=(stage,), daemon=True)
        self._thread.start()

    def _wait(self, stage: Stage) -> None:
        self._reply = stage.generate()

    def reply(self) -> Reply:
        """What it was answered."""
        self._thread.join(20)
        assert self._reply is not None, "no answer came"
        return self._reply


def newest(stage: Stage) -> dict[str, Any]:
    """The generation that was begun last."""
    return stage.server.get("/generations?limit=1").body["data"][0]


# ---- cancel ----------------------------------------------------------------------------------------------------------


def test_cancelling_stops_the_jobs_at_their_vendors_and_keeps_what_was_made(stage: Stage) -> None:
    generation_id = running_jobs(stage)
    cancelled = stage.cancel(generation_id).body
    assert (cancelled["status"], cancelled["stop_reason"], types_of(cancelled)) == (
        "cancelled",
        "cancelled",
        ["speech"],
    )
    assert stage.fakes.ledger()["cancels"] == {"replicate": 1, "runway": 1}
    assert [step["status"] for step in cancelled["steps"]] == ["completed", "cancelled", "cancelled", "completed"]


def test_a_cancelled_generation_does_nothing_more(stage: Stage) -> None:
    generation_id = running_jobs(stage)
    cancelled = stage.cancel(generation_id).body
    settle(stage)
    assert stage.get(generation_id) == cancelled
    assert stage.submits("openai.chat", "replicate", "runway") == [3, 2, 2]


def test_the_events_of_a_cancelled_generation_end_with_that(stage: Stage) -> None:
    generation_id = running_jobs(stage)
    stage.cancel(generation_id)
    events = stage.events(generation_id)
    assert (events[-1].name, events[-1].data["status"]) == ("generation.cancelled", "cancelled")


def test_cancelling_twice_is_cancelling_once(stage: Stage) -> None:
    generation_id = running_jobs(stage)
    first, second = stage.cancel(generation_id), stage.cancel(generation_id)
    assert (first.status, second.status, second.body) == (200, 200, first.body)
    assert stage.fakes.ledger()["cancels"] == {"replicate": 1, "runway": 1}


def test_cancelling_what_has_ended_changes_nothing(stage: Stage) -> None:
    made = stage.made()
    assert stage.cancel(made["id"]).body == made
    assert stage.fakes.ledger()["cancels"] == {"replicate": 0, "runway": 0}


@pytest.mark.parametrize(("path", "kind"), [(CLIP, "runway"), (FLUX, "replicate")])
def test_a_job_that_is_accepted_after_the_cancellation_is_cancelled_once_it_is_known(
    stage: Stage, path: str, kind: str
) -> None:
    stage.fakes.control(latency=SLOW_JOBS, fail=[hang(path) | {"hang_s": 1.0}])
    generation_id = stage.begin()
    stage.until_submitted(kind)
    stage.cancel(generation_id)
    wait_until(lambda: stage.fakes.ledger()["cancels"][kind] == 1, "the cancellation")
    assert stage.get(generation_id)["status"] == "cancelled"


def test_a_generation_cancelled_in_a_model_turn_hires_nobody(stage: Stage) -> None:
    stage.fakes.control(latency={"chat": 0.7})
    generation_id = stage.begin()
    stage.until_submitted("openai.chat")
    stage.cancel(generation_id)
    wait_until(lambda: stage.requests("/chat/completions")[0]["status"] == 200, "the model's answer")
    settle(stage)
    assert stage.submits("openai.chat", "replicate", "runway", "openai.speech") == [3, 1, 1, 1]
    assert stage.get(generation_id)["status"] == "cancelled"


def test_a_picture_that_comes_after_the_cancellation_is_kept_and_nobody_waits_for_more(stage: Stage) -> None:
    stage.fakes.control(latency={"image": 1.0})
    stage.script(turn(call("generate_image", prompt="a cup", provider="gpt-image-2.6-flare")))
    generation_id = stage.begin()
    stage.until_submitted("openai.images")
    stage.cancel(generation_id)
    told = [event.id for event in stage.events(generation_id)]
    wait_until(lambda: types_of(stage.get(generation_id)), "the picture")
    assert [event.id for event in stage.events(generation_id)] == told  # nothing comes behind the end


def test_a_client_that_waits_is_told_of_the_cancellation(stage: Stage) -> None:
    stage.fakes.control(latency=SLOW_JOBS)
    client = Waiting(stage)
    stage.until_submitted("runway")
    stage.cancel(newest(stage)["id"])
    reply = client.reply()
    assert (reply.status, reply.body["status"]) == (200, "cancelled")


def test_cancelling_an_unknown_generation_is_not_found(stage: Stage) -> None:
    assert stage.cancel("gen_01kaj5v3m8f7q2n4d6s8t0w2y4").status == 404


# ---- cancellations and restarts --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mortal_server(vendors: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server to be ended and started again, which does not wait long for a vendor that is in trouble."""
    with Server(tmp_path_factory.mktemp("mortal"), {**vendors.environment(), "VENDOR_MAX_WAIT_S": "1"}) as server:
        yield server


@pytest.fixture
def mortal(mortal_server: Server, fakes: FakeVendors) -> Stage:
    """The mortal server, alive also when an earlier test has left it dead."""
    try:
        mortal_server.get("/health")
    except OSError:
        mortal_server.restart()
    return Stage(mortal_server, fakes)


def test_a_job_that_could_not_be_cancelled_is_cancelled_at_the_next_start(mortal: Stage) -> None:
    generation_id = running_jobs(mortal)
    mortal.fakes.control(fail=[refuse("/runway/v1/tasks/", 500, method="DELETE", times=None)])
    mortal.cancel(generation_id)
    assert mortal.fakes.ledger()["cancels"] == {"replicate": 1, "runway": 0}
    mortal.server.kill()
    mortal.fakes.control(fail=[])
    mortal.server.restart()
    wait_until(lambda: mortal.fakes.ledger()["cancels"] == {"replicate": 1, "runway": 1}, "the second try")
    assert mortal.get(generation_id)["status"] == "cancelled"


def test_a_crash_in_the_middle_of_a_cancellation_is_made_good(mortal: Stage) -> None:
    generation_id = running_jobs(mortal)
    mortal.fakes.control(fail=[hang("/runway/v1/tasks/", "DELETE", accept=False, status=500)])
    in_vain = threading.Thread(target=cancel_in_vain, args=(mortal, generation_id))
    in_vain.start()
    wait_until(lambda: mortal.requests("/runway/v1/tasks/", "DELETE"), "the cancellation")
    mortal.server.kill()
    in_vain.join()
    mortal.server.restart()
    wait_until(lambda: mortal.fakes.ledger()["cancels"]["runway"] == 1, "the second try")
    assert (mortal.get(generation_id)["status"], mortal.submits("openai.chat", "runway")) == ("cancelled", [1, 1])


def test_a_cancellation_that_was_just_written_down_when_the_server_died_holds(mortal: Stage) -> None:
    generation_id = running_jobs(mortal)
    mortal.server.kill()
    with closing(sqlite3.connect(mortal.server.data_dir / "impresario.db")) as database, database:
        database.execute("UPDATE generations SET status = 'cancelled' WHERE id = ?", (generation_id,))
    mortal.server.restart()
    wait_until(lambda: mortal.fakes.ledger()["cancels"] == {"replicate": 1, "runway": 1}, "the ends of both")
    settle(mortal)  # in two turns
    assert (mortal.get(generation_id)["status"], mortal.submits("openai.chat")) == ("cancelled", 1 + 2)


def cancel_in_vain(stage: Stage, generation_id: str) -> None:
    """A cancellation whose server dies before it answers."""
    with pytest.raises((OSError, HTTPException)):
        stage.cancel(generation_id)


# ---- delete ----------------------------------------------------------------------------------------------------------


def test_a_deleted_generation_and_its_assets_are_not_found(stage: Stage) -> None:
    made = stage.made()
    reply = stage.server.delete(f"/generations/{made['id']}")
    gone = [f"/generations/{made['id']}", f"/generations/{made['id']}/events"]
    gone += [f"/assets/{asset['id']}{part}" for asset in made["assets"] for part in ("", "/content", "/thumbnail")]
    assert (reply.status, {stage.server.get(path).status for path in gone}) == (204, {404})


def test_the_bytes_of_a_deleted_generation_are_gone(stage: Stage) -> None:
    before = files_at_rest(stage.server)
    made = stage.made()
    stage.server.get(made["assets"][0]["thumbnail_url"])
    assert len(files_in(stage.server)) == len(before) + 4
    stage.server.delete(f"/generations/{made['id']}")
    assert files_in(stage.server) == before


def test_no_row_holds_what_a_deleted_generation_was_about(stage: Stage) -> None:
    made = stage.made("a secret unicorn in the cellar")
    assert rows_about(stage.server, "secret unicorn")
    stage.server.delete(f"/generations/{made['id']}")
    assert rows_about(stage.server, "secret unicorn") == []


def test_the_receipts_of_a_deleted_generation_keep_their_amounts(stage: Stage) -> None:
    made = stage.made()
    stage.server.delete(f"/generations/{made['id']}")
    with closing(sqlite3.connect(stage.server.data_dir / "impresario.db")) as database:
        query = "SELECT vendor, amount_usd FROM calls WHERE generation_id = ? AND modality = 'video'"
        assert database.execute(query, (made["id"],)).fetchall() == [("runway", "0.60")]


def test_deleting_twice_is_not_found(stage: Stage) -> None:
    made = stage.made()
    replies = [stage.server.delete(f"/generations/{made['id']}").status for _ in range(2)]
    assert replies == [204, 404]


def test_deleting_a_running_generation_stops_its_jobs_at_their_vendors(stage: Stage) -> None:
    before = files_at_rest(stage.server)
    generation_id = running_jobs(stage)
    assert stage.server.delete(f"/generations/{generation_id}").status == 204
    assert stage.fakes.ledger()["cancels"] == {"replicate": 1, "runway": 1}
    assert (stage.server.get(f"/generations/{generation_id}").status, files_in(stage.server)) == (404, before)


@pytest.mark.parametrize(("path", "kind"), [(CLIP, "runway"), (FLUX, "replicate")])
def test_a_job_that_is_accepted_after_the_deletion_is_cancelled_once_it_is_known(
    stage: Stage, path: str, kind: str
) -> None:
    stage.fakes.control(latency=SLOW_JOBS, fail=[hang(path) | {"hang_s": 1.0}])
    generation_id = stage.begin()
    stage.until_submitted(kind)
    stage.server.delete(f"/generations/{generation_id}")
    wait_until(lambda: stage.fakes.ledger()["cancels"][kind] == 1, "the cancellation")


def test_a_picture_that_comes_after_the_deletion_is_not_kept(mortal: Stage) -> None:
    before = files_at_rest(mortal.server)
    mortal.fakes.control(latency={"image": 3.0})
    generation_id = mortal.begin("a secret unicorn", models={"image": "gpt-image-2.6-flare"})
    mortal.until_submitted("openai.images")
    mortal.server.delete(f"/generations/{generation_id}")
    wait_until(lambda: mortal.requests(DRAWING)[0]["status"] == 200, "the picture")
    mortal.server.restart()
    assert files_in(mortal.server) == before
    assert rows_about(mortal.server, "secret unicorn") == []


def test_a_generation_deleted_in_its_downloads_leaves_no_file(stage: Stage) -> None:
    before = files_at_rest(stage.server)
    stage.fakes.control(latency={"files": 300.0})
    generation_id = stage.begin()
    wait_until(lambda: stage.fakes.ledger()["downloads"] == 2, "the downloads")
    stage.server.delete(f"/generations/{generation_id}")
    wait_until(lambda: files_in(stage.server) == before, "the end of the downloads")


def test_a_client_that_waits_for_what_is_deleted_gets_an_answer(stage: Stage) -> None:
    stage.fakes.control(latency=SLOW_JOBS)
    client = Waiting(stage)
    stage.until_submitted("runway")
    stage.server.delete(f"/generations/{newest(stage)['id']}")
    assert client.reply().status in (200, 404)


def test_a_generation_that_continued_a_deleted_one_is_still_there(stage: Stage) -> None:
    first = stage.made("A poster of a red fox")
    second = stage.made("Now at night", previous_id=first["id"])
    stage.server.delete(f"/generations/{first['id']}")
    assert stage.get(second["id"]) == second
    assert stage.made("And in the rain", previous_id=second["id"])["status"] == "completed"


def test_a_request_waiting_out_a_limit_is_not_sent_after_the_cancellation(stage: Stage) -> None:
    stage.script(turn(call("generate_image", prompt="a cup", provider="gpt-image-2.6-flare")))
    stage.fakes.control(fail=[refuse(DRAWING, 429, headers={"retry-after": "2"})])
    generation_id = stage.begin()
    wait_until(lambda: stage.fakes.ledger()["failures"] == 1, "the limit")
    stage.cancel(generation_id)
    wait_until(lambda: stage.get(generation_id)["cost_is_complete"], "the receipt")
    assert stage.submits("openai.images") == 0
