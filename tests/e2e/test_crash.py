"""A process ends in the middle of generations, and they go on: nothing is lost that was paid for, nothing is paid for
twice. On SQLite the same server is started again; on Postgres another one takes over.

Each crash happens once, to many runs that are each at another place (`crashes.py`); every test then looks at one run.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.e2e import crash_table
from tests.e2e.conftest import QUICK
from tests.e2e.crashes import (
    ANY,
    BATCHES,
    DATABASES,
    FINISHED,
    FOUND,
    GRACE_S,
    STOP,
    TAKEN_AGAIN,
    UNKNOWN,
    Run,
    Scenario,
)
from tests.e2e.ground import Ground, postgres_ground, sqlite_ground
from tests.e2e.stage import DEADLINE_S, TERMINAL, Json, Stage, wait_until
from tests.fake_vendors import FakeVendors
from tests.server import Event, Server

AT_ONCE = {"chat": 0.0, "image": 0.0, "speech": 0.0, "files": 0.0, **QUICK}
TOOLS = {"image": "generate_image", "video": "generate_video", "speech": "generate_speech"}
SCENARIOS = {scenario.id: scenario for batch in BATCHES for scenario in batch}


@dataclass(frozen=True)
class Aftermath:
    """What a crash led to for one run."""

    run: Run
    made: Json
    seen: list[Event]
    """What a client saw before it."""
    behind: list[Event]
    """What the same client is told after it."""
    events: list[Event]
    keys: list[str]
    """Where its idempotency key led right after the crash, and at the end."""
    accepted: Counter[tuple[str, str]]
    submits: int
    answered: int
    """How many of its submits were."""
    digests: dict[str, str]
    """Of the bytes behind each asset's address."""

    def steps(self, kind: str) -> list[Json]:
        return [step for step in self.made["steps"] if step["kind"] == kind]

    def receipts(self, state: str, *, chat: bool) -> list[Json]:
        found = [receipt for receipt in self.made["receipts"] if receipt["state"] == state]
        return [receipt for receipt in found if (receipt["modality"] == "chat") == chat]

    def works(self) -> Counter[tuple[str, str]]:
        """The media the vendors have accepted."""
        return Counter({key: count for key, count in self.accepted.items() if key[0] != "openai.chat"})

    def turns(self) -> int:
        """The model turns the vendor has accepted."""
        return (self.accepted - self.works()).total()

    def outcome(self) -> str:
        """In the table's words."""
        if self.receipts("unknown", chat=False):
            return UNKNOWN
        if self.receipts("unknown", chat=True):
            return TAKEN_AGAIN
        return FOUND if self.submits > self.answered and self.run.kind.poll else FINISHED

    def duplicates(self) -> int:
        """Works made more than once, and turns taken again that were not lost."""
        twice = sum(count - 1 for count in self.works().values())
        return twice + max(0, self.turns() - len(self.steps("turn")) - len(self.receipts("unknown", chat=True)))

    def lost(self) -> int:
        """What a vendor has accepted and no receipt answers for."""
        media = len(self.made["assets"]) + len(self.receipts("unknown", chat=False))
        turns = len(self.receipts("settled", chat=True)) + len(self.receipts("unknown", chat=True))
        return max(0, self.works().total() - media) + max(0, self.turns() - turns)


class Stand:
    """The servers on one ground: the first one is ended, another one goes on."""

    def __init__(self, ground: Ground, folder: Path, fakes: FakeVendors, running: ExitStack) -> None:
        self.ground = ground
        environment = {**fakes.environment(), **ground.environment, "SHUTDOWN_GRACE_S": str(GRACE_S)}
        names = ("first", "second") if ground.is_postgres else ("first",)
        self.servers = [running.enter_context(Server(folder / name, environment)) for name in names]
        self._fakes = fakes
        self._ended = False

    def end(self, softly: bool) -> Stage:
        """End the first one; where the runs go on."""
        self.servers[0].stop() if softly else self.servers[0].kill()
        self._ended = True
        self.ground.allow()
        self._fakes.control(fail=[], latency=AT_ONCE)
        if len(self.servers) == 1:
            self.servers[0].restart()
        return Stage(self.servers[-1], self._fakes)

    def crash(self, batch: list[Scenario]) -> list[Aftermath]:
        """One crash, from the first run's beginning to the last one's end."""
        self._fakes.reset()
        if self._ended and len(self.servers) > 1:
            self.servers[0].restart()
        runs = self._at_their_places(batch)
        with ThreadPoolExecutor(16) as clients:
            seen = list(clients.map(lambda run: events_so_far(self.ground, self.servers[0], run.id), runs))
        stage = self.end(softly=batch[0].ending == STOP)
        during = [run.begin_again(stage) for run in runs]
        return [self._aftermath(run, stage, events, key) for run, events, key in zip(runs, seen, during, strict=True)]

    def _at_their_places(self, batch: list[Scenario]) -> list[Run]:
        """Bring one run after the other where it is to be; the next one finds the vendors as it needs them."""
        runs: list[Run] = []
        for scenario in batch:
            run, place = Run(scenario, Stage(self.servers[0], self._fakes), self.ground), scenario.place
            runs.append(run)
            if place.refusal:
                self.ground.refuse(*place.refusal, run.words)
            rules = [each.place.rule(each) for each in runs if each.place.rule and (each is run or each.place.lasts)]
            self._fakes.control(fail=rules, chat=run.script(), latency={**AT_ONCE, **place.latency})
            run.begin()
            wait_until(lambda run=run: run.place.reached(run), run.words)
        return runs

    def _aftermath(self, run: Run, stage: Stage, seen: list[Event], key: str) -> Aftermath:
        over = seen[-1].name in TERMINAL
        behind = [] if over else list(stage.server.events(f"/generations/{run.id}/events", seen[-1].id))
        made = stage.get(run.id)
        digests = {asset["id"]: hashlib.sha256(stage.content(asset)).hexdigest() for asset in made["assets"]}
        keys = [key, run.begin_again(stage)]
        counts = (run.accepted(), run.submits(), run.posts(200) + run.posts(201))
        return Aftermath(run, made, seen, behind, stage.events(run.id), keys, *counts, digests)


def events_so_far(ground: Ground, server: Server, generation_id: str) -> list[Event]:
    """What a client is told who listens now, up to the last thing that has happened by then."""
    count = "SELECT count(*) AS happened FROM events WHERE generation_id = :id"
    [row] = ground.rows(count, id=generation_id)
    told = server.events(f"/generations/{generation_id}/events", timeout_s=DEADLINE_S)
    with contextlib.closing(told):
        return list(itertools.islice(told, row["happened"]))


def told_of(event: Event) -> tuple[int | None, str]:
    """An event by its id and name: the addresses in its data are those of the server that was asked."""
    return event.id, event.name


@pytest.fixture(scope="module")
def crashes(
    vendors: FakeVendors, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Callable[[str, Scenario], Aftermath]]:
    """Every crash there has been, each made when it is first asked about."""
    with ExitStack() as running:

        @cache
        def stand(database: str) -> Stand:
            folder = tmp_path_factory.mktemp(database)
            if database == "sqlite":
                ground = sqlite_ground(folder / "first")
            else:
                ground = postgres_ground(*map(request.getfixturevalue, ("postgres_server", "s3")))
            return Stand(running.enter_context(ground), folder, vendors, running)

        @cache
        def crash(database: str, number: int) -> dict[str, Aftermath] | Exception:
            try:
                found = stand(database).crash(BATCHES[number])
            except Exception as error:  # for each of its tests, without a second try
                return error
            crash_table.write_down(database, found, tmp_path_factory.getbasetemp())
            return {aftermath.run.scenario.id: aftermath for aftermath in found}

        def aftermath(database: str, scenario: Scenario) -> Aftermath:
            found = crash(database, where(scenario))
            if isinstance(found, Exception):
                raise RuntimeError("The crash could not be made.") from found
            return found[scenario.id]

        yield aftermath


def where(scenario: Scenario) -> int:
    """The batch it is in."""
    return next(number for number, batch in enumerate(BATCHES) if scenario in batch)


@pytest.fixture(params=[(database, name) for database in DATABASES for name in SCENARIOS], ids=" ".join)
def aftermath(request: pytest.FixtureRequest, crashes: Callable[[str, Scenario], Aftermath]) -> Aftermath:
    """One run through one crash on one database."""
    database, name = request.param
    return crashes(database, SCENARIOS[name])


def test_the_generation_finishes(aftermath: Aftermath) -> None:
    made = aftermath.made
    assert (made["status"], made["stop_reason"], made["response"]) == ("completed", "answered", "Here is your post.")
    assert [step["status"] for step in aftermath.steps("turn")] == ["completed"] * 2


def test_it_comes_to_what_is_expected(aftermath: Aftermath) -> None:
    expected, came_to = aftermath.run.scenario, (aftermath.submits, aftermath.outcome())
    assert expected.outcome == ANY or came_to == (expected.submits, expected.outcome)


def test_nothing_is_bought_twice(aftermath: Aftermath) -> None:
    assert aftermath.duplicates() == 0
    assert set(aftermath.works().values()) <= {1}


def test_nothing_is_lost(aftermath: Aftermath) -> None:
    assert aftermath.lost() == 0


def test_no_reservation_is_left(aftermath: Aftermath) -> None:
    assert {receipt["state"] for receipt in aftermath.made["receipts"]} <= {"settled", "unknown"}


def test_what_is_unknown_says_that_it_was_not_sent_again(aftermath: Aftermath) -> None:
    failed = [step for step in aftermath.steps("tool") if step["status"] != "completed"]
    assert len(failed) == len(aftermath.receipts("unknown", chat=False))
    for step in failed:
        assert "is not known. It was not sent again." in step["error"]
        assert (step["cost_usd"], step["asset_ids"], aftermath.made["cost_is_complete"]) == (None, [], False)


def test_the_right_asset_is_at_the_right_step(aftermath: Aftermath) -> None:
    assets, run = {asset["id"]: asset for asset in aftermath.made["assets"]}, aftermath.run
    steps = aftermath.steps("tool")
    assert [step["name"] for step in steps] == [TOOLS[kind] for kind in run.kind.works]
    for step, kind, words in zip(steps, run.kind.works, run.asked(), strict=True):
        found = [(assets[name]["type"], assets[name]["prompt"]) for name in step["asset_ids"]]
        assert found == ([(kind, words)] if step["status"] == "completed" else [])
    assert len(assets) == sum(len(step["asset_ids"]) for step in steps)


def test_the_bytes_are_there(aftermath: Aftermath) -> None:
    assert aftermath.digests == {asset["id"]: asset["sha256"] for asset in aftermath.made["assets"]}
    assert len(set(aftermath.digests.values())) == len(aftermath.digests)


def test_the_events_go_on_where_they_were(aftermath: Aftermath) -> None:
    ids = [event.id for event in aftermath.events]
    told = [(event.name, *map(event.data.get, ("step_id", "progress", "place", "id"))) for event in aftermath.events]
    assert [*map(told_of, aftermath.seen + aftermath.behind)] == [*map(told_of, aftermath.events)]
    assert ids == sorted(set(ids))
    assert len(told) == len(set(told))


def test_every_step_is_told_of_and_the_end_once(aftermath: Aftermath) -> None:
    names = [event.name for event in aftermath.events]
    asked, lost = len(aftermath.run.kind.works), len(aftermath.receipts("unknown", chat=False))
    assert (names[0], names[-1]) == ("generation.created", "generation.completed")
    assert sum(name in TERMINAL for name in names) == 1
    assert [names.count(f"tool.{word}") for word in ("started", "completed", "failed")] == [asked, asked - lost, lost]
    assert [names.count(name) for name in ("asset.created", "turn.completed")] == [asked - lost, 2]


def test_the_idempotency_key_leads_to_it_all_the_time(aftermath: Aftermath) -> None:
    assert aftermath.keys == [aftermath.made["id"]] * 2


# ---- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_the_table_says_what_is_expected(scenario: Scenario) -> None:
    row = crash_table.rows()[crash_table.place_of(scenario)]
    assert list(row) == list(DATABASES)
    if scenario.submits is not None:
        assert set(row.values()) == {f"{scenario.submits}: {scenario.outcome}"}
