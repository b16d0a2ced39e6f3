"""The server dies in the middle of a generation and is started again: nothing is lost that was paid for, nothing is
paid for twice.

Each crash happens once; every test then looks at what came of it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e.conftest import QUICK
from tests.e2e.stage import PROMPT, TERMINAL, Json, Stage, Watch, hang, wait_until
from tests.fake_vendors import FakeVendors
from tests.server import Event, Server

CHAT, DRAWING, VOICE = "/chat/completions", "/images/generations", "/audio/speech"
FLUX, CLIP = "/replicate/v1/predictions", "/runway/v1/text_to_video"
DRAWN_AT_ONCE = {"image": "gpt-image-2.6-flare"}
KIND_OF = {"generate_image": "image", "generate_video": "video", "generate_speech": "speech"}
SLOW_ENOUGH_TO_HIT = {"chat": 0.15, "speech": 0.2, "replicate": 0.4, "runway": 0.8, "files": 0.1}

Moment = Callable[[Stage, Watch], Any]


def submitted(kind: str, count: int = 1, others_made: int = 0) -> Moment:
    """When a vendor has accepted the n-th work of a kind, and so many assets are there."""

    def moment(stage: Stage, watch: Watch) -> None:
        stage.until_submitted(kind, count)
        watch.until("asset.created", others_made)

    return moment


def counted(what: str, count: int, others_made: int = 0) -> Moment:
    """When the ledger's count has come so far (of a count by vendor, every vendor's), and so many assets are there."""

    def moment(stage: Stage, watch: Watch) -> None:
        def enough() -> bool:
            found = stage.fakes.ledger()[what]
            return min(found.values() if isinstance(found, dict) else [found]) >= count

        wait_until(enough, f"{count} {what}")
        watch.until("asset.created", others_made)

    return moment


@dataclass(frozen=True)
class Crash:
    """When the server ends and how; what the vendors were told before; what cannot be known afterwards."""

    at: Moment
    vendors: Json = field(default_factory=dict)
    models: Json = field(default_factory=dict)
    lost: tuple[str, ...] | None = ()
    """The tools whose request was on its way; None where that depends on the moment."""
    lost_turns: int | None = 0
    softly: bool = False
    """By SIGTERM, not SIGKILL."""


def at_random(seed: int) -> Crash:
    """A moment of a run, the same one for the same seed as far as the machine allows."""
    delay_s = random.Random(seed).uniform(0.0, 2.0)
    return Crash(lambda stage, watch: time.sleep(delay_s), {"latency": SLOW_ENOUGH_TO_HIT}, lost=None, lost_turns=None)


KILLS = {
    "kill-in-the-first-turn": Crash(submitted("openai.chat"), {"fail": [hang(CHAT)]}, lost_turns=1),
    "kill-after-the-first-turn": Crash(lambda stage, watch: watch.until("turn.completed"), lost=None),
    "kill-while-openai-draws": Crash(
        submitted("openai.images", others_made=2), {"fail": [hang(DRAWING)]}, DRAWN_AT_ONCE, lost=("generate_image",)
    ),
    "kill-in-every-submit-at-once": Crash(
        lambda stage, watch: [stage.until_submitted(kind) for kind in ("replicate", "runway", "openai.speech")],
        {"fail": [hang(FLUX), hang(CLIP), hang(VOICE)]},
        lost=("generate_image", "generate_video", "generate_speech"),
    ),
    "kill-as-a-work-arrives": Crash(
        counted("polls", 1, others_made=1),
        {"latency": {"speech": 1.5, "replicate": 3.0, "runway": 3.0}},
    ),
    "kill-in-the-first-poll": Crash(
        counted("polls", 1, others_made=1),
        {"fail": [hang(f"{FLUX}/", "GET"), hang("/runway/v1/tasks/", "GET")]},
    ),
    "kill-between-polls": Crash(
        counted("polls", 3, others_made=1),
        {"latency": {"replicate": 2.0, "runway": 2.0}},
    ),
    "kill-in-the-downloads": Crash(
        counted("downloads", 2, others_made=1),
        {"latency": {"files": 300.0}},
    ),
    "kill-in-the-last-turn": Crash(submitted("openai.chat", 2), {"fail": [hang(CHAT, skip=1)]}, lost_turns=1),
}
STOPS = {
    "stop-in-a-model-turn": Crash(submitted("openai.chat"), {"latency": {"chat": 1.0}}, softly=True),
    "stop-while-openai-draws-and-speaks": Crash(
        lambda stage, watch: [stage.until_submitted(kind) for kind in ("openai.images", "openai.speech")],
        {"latency": {"image": 1.0, "speech": 1.0}},
        DRAWN_AT_ONCE,
        softly=True,
    ),
    "stop-in-the-submits-of-jobs": Crash(
        lambda stage, watch: [stage.until_submitted(kind) for kind in ("replicate", "runway")],
        {"fail": [hang(path) | {"hang_s": 1.0} for path in (FLUX, CLIP)]},
        softly=True,
    ),
    "stop-between-polls": Crash(counted("polls", 2), {"latency": {"replicate": 2.0, "runway": 2.0}}, softly=True),
    "stop-in-the-downloads": Crash(counted("downloads", 2), {"latency": {"files": 300.0}}, softly=True),
}
CRASHES = {**KILLS, **STOPS, **{f"kill-at-random-{seed}": at_random(seed) for seed in range(10)}}


@dataclass(frozen=True)
class Aftermath:
    """What a crash led to."""

    crash: Crash
    made: Json
    seen: list[Event]
    """What a client saw before it."""
    events: list[Event]
    """What the same client is told after it."""
    ledger: Json
    key_leads_to: str

    def tools(self) -> list[Json]:
        """The steps of its tools."""
        return [step for step in self.made["steps"] if step["kind"] == "tool"]

    def lost(self) -> list[Json]:
        """Those of them that failed."""
        return [step for step in self.tools() if step["status"] == "failed"]


@pytest.fixture(scope="module")
def mortal(vendors: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that is ended and started again in every scenario."""
    with Server(tmp_path_factory.mktemp("mortal"), vendors.environment()) as server:
        yield server


@pytest.fixture(scope="module", params=CRASHES.values(), ids=CRASHES.keys())
def aftermath(request: pytest.FixtureRequest, mortal: Server, vendors: FakeVendors) -> Aftermath:
    """One generation through one crash."""
    crash: Crash = request.param
    vendors.reset()
    vendors.control(latency=QUICK)
    vendors.control(**crash.vendors)
    stage = Stage(mortal, vendors)
    generation_id = stage.begin(key=f"key-{request.param_index}", models=crash.models)
    watch = stage.watch(generation_id)
    try:
        crash.at(stage, watch)
    finally:
        if crash.softly:
            watch.close()  # an open connection would keep the server from ending
        mortal.stop() if crash.softly else mortal.kill()
        vendors.control(latency={**QUICK, "chat": 0.0, "image": 0.0, "speech": 0.0, "files": 0.0})
        mortal.restart()
    made = stage.finished(generation_id)
    again = stage.begin(key=f"key-{request.param_index}", models=crash.models)
    return Aftermath(crash, made, watch.close(), stage.events(generation_id), vendors.ledger(), again)


def test_the_generation_finishes(aftermath: Aftermath) -> None:
    made = aftermath.made
    assert (made["status"], made["stop_reason"], made["response"]) == ("completed", "answered", "Here is your post.")
    assert {step["status"] for step in made["steps"] if step["kind"] == "turn"} == {"completed"}


def test_nothing_is_bought_twice(aftermath: Aftermath) -> None:
    submits = aftermath.ledger["submits"]
    media = [kind for kind in submits if kind != "openai.chat"]
    assert max(submits[kind] for kind in media) <= 1
    assert [row for row in aftermath.ledger["duplicates"] if row["kind"] != "openai.chat"] == []


def test_no_more_model_turns_are_paid_for_than_were_lost(aftermath: Aftermath) -> None:
    lost = aftermath.ledger["submits"]["openai.chat"] - 2
    assert lost == aftermath.crash.lost_turns if aftermath.crash.lost_turns is not None else lost in (0, 1)
    assert aftermath.made["usage"]["model_turns"] == 2


def test_only_what_was_on_its_way_is_lost(aftermath: Aftermath) -> None:
    lost = tuple(step["name"] for step in aftermath.lost())
    assert lost == aftermath.crash.lost if aftermath.crash.lost is not None else set(lost) <= set(KIND_OF)


def test_what_is_lost_is_unknown_and_says_that_it_was_not_sent_again(aftermath: Aftermath) -> None:
    for step in aftermath.lost():
        assert "is not known. It was not sent again." in step["error"]
        assert (step["cost_usd"], step["asset_ids"], aftermath.made["cost_is_complete"]) == (None, [], False)


def test_the_right_asset_is_at_the_right_step(aftermath: Aftermath) -> None:
    assets = {asset["id"]: asset for asset in aftermath.made["assets"]}
    kept = [step for step in aftermath.tools() if step["status"] == "completed"]
    assert [assets[asset_id]["type"] for step in kept for asset_id in step["asset_ids"]] == [
        KIND_OF[step["name"]] for step in kept
    ]
    assert len(assets) == len(kept)
    assert {asset["prompt"] for asset in assets.values()} <= {PROMPT}


def test_the_events_go_on_where_they_were(aftermath: Aftermath) -> None:
    ids = [event.id for event in aftermath.events]
    told = [(event.name, event.data.get("step_id"), event.data.get("progress")) for event in aftermath.events]
    assert aftermath.seen == aftermath.events[: len(aftermath.seen)]
    assert ids == sorted(set(ids))
    assert len(told) == len(set(told))


def test_every_step_is_told_of_and_the_end_once(aftermath: Aftermath) -> None:
    names = [event.name for event in aftermath.events]
    lost = len(aftermath.lost())
    assert (names[0], names[-1], sum(name in TERMINAL for name in names)) == (
        "generation.created",
        "generation.completed",
        1,
    )
    assert [names.count(f"tool.{word}") for word in ("started", "completed", "failed")] == [3, 3 - lost, lost]
    assert [names.count(name) for name in ("asset.created", "turn.completed")] == [3 - lost, 2]


def test_the_idempotency_key_still_leads_to_it(aftermath: Aftermath) -> None:
    assert aftermath.key_leads_to == aftermath.made["id"]


# ---- several works of one kind ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("calls_at_once", [5])
def test_works_of_one_kind_are_not_mixed_up_by_a_crash(mortal: Server, fakes: FakeVendors, calls_at_once: int) -> None:
    stage = Stage(mortal, fakes)
    wishes = [f"picture number {number}" for number in range(calls_at_once)]
    calls = [{"name": "generate_image", "arguments": {"prompt": wish, "provider": "flux"}} for wish in wishes]
    fakes.control(chat=[{"tool_calls": calls}], latency={"replicate": 2.0})
    generation_id = stage.begin()
    wait_until(lambda: fakes.ledger()["polls"]["replicate"] >= 2 * calls_at_once)
    mortal.kill()
    mortal.restart()
    made = stage.finished(generation_id)
    assert [asset["prompt"] for asset in made["assets"]] == wishes
    assert [step["asset_ids"] for step in made["steps"][1:-1]] == [[asset["id"]] for asset in made["assets"]]
    assert stage.submits("replicate") == calls_at_once
