"""A vendor that definitely does not start a work: an equal model of another vendor makes it, and the user is told so.
Never after an answer that leaves it open, never for blocked content, never against a pin.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.stage import (
    Json,
    Stage,
    answers,
    call,
    pictures,
    receipts_of,
    refuse,
    step_of,
    turn,
    types_of,
)
from tests.fake_vendors import FakeVendors
from tests.server import Server, free_port

FLUX, CLIP = "/replicate/v1/predictions", "/runway/v1/text_to_video"
DRAWING, VOICE = "/openai/v1/images/generations", "/openai/v1/audio/speech"
QUOTA = {"error": {"message": "You exceeded your quota.", "code": "insufficient_quota"}}
PICTURE = pictures("a cup")
FILM = turn(call("generate_video", prompt="steam over a cup", duration=5))
SPEECH = turn(call("generate_speech", text="Good mornings start here."))


@pytest.fixture(scope="module")
def hasty_server(vendors: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits for a vendor for one second in all."""
    with Server(tmp_path_factory.mktemp("hasty"), {**vendors.environment(), "VENDOR_MAX_WAIT_S": "1"}) as server:
        yield server


@pytest.fixture
def hasty(hasty_server: Server, fakes: FakeVendors) -> Stage:
    return Stage(hasty_server, fakes)


def always(path: str, status: int, **rule: Any) -> Json:
    """The vendor refuses every request there."""
    return refuse(path, status, times=None, **rule)


def states(made: Json, modality: str) -> list[tuple[str, str, str | None]]:
    """Vendor, state and amount of each receipt."""
    return [(each["vendor"], each["state"], each["amount_usd"]) for each in receipts_of(made, modality)]


def told_code(stage: Stage) -> str | None:
    """What the planner was told of its one call."""
    [answer] = answers(stage.chats()[-1])
    code: str | None = json.loads(answer).get("code")
    return code


# ---- another vendor --------------------------------------------------------------------------------------------------


LATER = {"retry-after": "30"}
REFUSALS = {
    "no-credit": {"status": 402},
    "rate-that-will-not-pass": {"status": 429, "headers": LATER},
    "overloaded-for-long": {"status": 503, "headers": LATER},
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS.keys())
def test_a_picture_that_is_refused_is_made_by_another_vendor(hasty: Stage, refusal: Json) -> None:
    hasty.fakes.control(fail=[always(FLUX, **refusal)])
    hasty.script(PICTURE)
    made = hasty.made()
    [asset], [warning] = made["assets"], made["warnings"]
    assert (asset["type"], asset["provider"]) == ("image", "openai")
    assert "flux-1.1-pro could not start" in warning
    assert f"{asset['model']} was asked instead" in warning
    assert states(made, "image")[0] == ("replicate", "released", "0.000000")
    assert states(made, "image")[1][:2] == ("openai", "settled")
    assert (hasty.submits("replicate", "openai.images"), told_code(hasty)) == ([0, 1], None)


@pytest.mark.parametrize(
    "refusal",
    [{"status": 402}, {"status": 400, "body": {"error": "You do not have enough credits to run this task."}}],
)
def test_a_clip_that_is_refused_is_made_by_another_vendor(hasty: Stage, refusal: Json) -> None:
    hasty.fakes.control(fail=[always(CLIP, **refusal)])
    hasty.script(FILM)
    made = hasty.made()
    assert [(asset["type"], asset["provider"]) for asset in made["assets"]] == [("video", "replicate")]
    assert states(made, "video") == [("runway", "released", "0.000000"), ("replicate", "settled", None)]
    assert "gen4.5 could not start" in made["warnings"][0]


def test_a_model_that_is_gone_is_replaced_by_an_equal_one(hasty: Stage) -> None:
    hasty.fakes.control(fail=[always("/replicate/v1/", 404, match="flux-1.1-pro"), always("/flux-1.1-pro/", 404)])
    hasty.script(PICTURE)
    made = hasty.made()
    assert types_of(made) == ["image"]
    assert states(made, "image")[0] == ("replicate", "released", "0.000000")
    assert "flux-1.1-pro could not start" in made["warnings"][0]


def test_a_vendor_that_cannot_be_reached_is_replaced(stage_with: Callable[..., Stage]) -> None:
    stage = stage_with(REPLICATE_BASE_URL=f"http://127.0.0.1:{free_port()}/v1", VENDOR_MAX_WAIT_S="1")
    stage.script(PICTURE)
    made = stage.made()
    assert made["assets"][0]["provider"] == "openai"
    assert states(made, "image")[0] == ("replicate", "released", "0.000000")
    assert "could not be reached" in made["warnings"][0]


def test_a_vendor_that_has_refused_is_not_asked_again_for_the_same_work(hasty: Stage) -> None:
    hasty.fakes.control(fail=[always(FLUX, 402), always(DRAWING, 429, body=QUOTA)])
    hasty.script(PICTURE)
    made = hasty.made()
    assert [vendor for vendor, *_ in states(made, "image")] == ["replicate", "openai", "runway"]
    assert (made["assets"][0]["provider"], len(made["warnings"])) == ("runway", 2)
    assert (len(hasty.requests(FLUX)), len(hasty.requests(DRAWING))) == (1, 1)


def test_with_every_vendor_refusing_the_model_is_told(hasty: Stage) -> None:
    hasty.fakes.control(fail=[always(path, 402) for path in (FLUX, DRAWING, "/runway/v1/text_to_image")])
    hasty.script(PICTURE)
    made = hasty.made()
    assert [state for _, state, _ in states(made, "image")] == ["released"] * 3
    assert (types_of(made), told_code(hasty), made["status"]) == ([], "quota_exhausted", "completed")


# ---- no other vendor -------------------------------------------------------------------------------------------------


def test_a_work_that_no_other_vendor_can_make_is_told_and_not_left_to_the_stand_in(hasty: Stage) -> None:
    hasty.fakes.control(fail=[always(VOICE, 429, body=QUOTA)])
    hasty.script(SPEECH)
    made = hasty.made()
    assert (types_of(made), told_code(hasty)) == ([], "quota_exhausted")
    assert states(made, "speech") == [("openai", "released", "0.000000")]


def test_a_pinned_model_is_not_replaced(hasty: Stage) -> None:
    hasty.fakes.control(fail=[always(FLUX, 402)])
    hasty.script(PICTURE)
    made = hasty.made(models={"image": "flux-1.1-pro"})
    assert (types_of(made), told_code(hasty), made["warnings"]) == ([], "quota_exhausted", [])
    assert hasty.submits("openai.images") == 0


BLOCKED = {"error": {"message": "Blocked.", "code": "moderation_blocked"}}


@pytest.mark.parametrize(
    ("vendors_do", "script", "others"),
    [
        ({"outcomes": [{"path": FLUX, "fields": {"status": "failed", "error": "NSFW"}}]}, PICTURE, [DRAWING]),
        ({"outcomes": [{"path": CLIP, "fields": {"failureCode": "SAFETY.INPUT.TEXT"}}]}, FILM, [FLUX]),
        ({"fail": [always(DRAWING, 400, body=BLOCKED)]}, pictures("a", provider="gpt-image-2.6-flare"), [FLUX]),
    ],
    ids=["replicate", "runway", "openai"],
)
def test_blocked_content_is_shown_to_no_other_vendor(hasty: Stage, vendors_do: Json, script: Json, others: Any) -> None:
    hasty.fakes.control(**vendors_do)
    hasty.script(script)
    made = hasty.made()
    assert (types_of(made), told_code(hasty)) == ([], "moderated")
    assert [hasty.requests(path) for path in (*others, "/runway/v1/text_to_image")] == [[], []]
    assert len([each for each in made["receipts"] if each["modality"] != "chat"]) == 1


@pytest.mark.parametrize("lost", [{"drop": True}, {"status": 500, "accept": True}, {"status": 503, "accept": True}])
def test_a_work_that_may_have_been_started_is_not_started_elsewhere(hasty: Stage, lost: Json) -> None:
    hasty.fakes.control(fail=[{"path": CLIP, **lost}])
    hasty.script(FILM)
    made = hasty.made()
    assert (told_code(hasty), hasty.requests(FLUX)) == ("outcome_unknown", [])
    assert [state for _, state, _ in states(made, "video")] == ["unknown"]


def test_a_request_the_vendor_finds_fault_with_is_mended_by_the_model(hasty: Stage) -> None:
    hasty.fakes.control(fail=[refuse(FLUX, 422, body={"title": "Invalid", "detail": "- prompt: too long"})])
    hasty.script(PICTURE)
    made = hasty.made()
    assert (told_code(hasty), hasty.submits("openai.images")) == ("invalid_request", 0)
    assert "too long" in step_of(made, "generate_image")["error"]
