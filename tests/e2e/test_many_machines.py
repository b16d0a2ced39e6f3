"""Servers and workers that share one Postgres and one S3: what one has begun another one goes on with, none twice.

Two servers answer and leave the making to workers (`MAX_RUNNING=0`); each test hires its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.databases import Postgres
from tests.e2e.ground import Ground, postgres_ground
from tests.e2e.stage import (
    TERMINAL,
    Json,
    Stage,
    call,
    hang,
    receipts_of,
    step_of,
    steps_of,
    turn,
    types_of,
    wait_until,
)
from tests.fake_vendors import FakeVendors
from tests.object_store import ObjectStore
from tests.server import Event, Process, Server, Worker

EVERYTHING = ["image", "video", "speech"]
"""What the fake planner asks for by itself."""
BOUGHT = ("replicate", "runway", "openai.speech")
UNDER_WAY = {"replicate": 4.0, "runway": 4.0}
"""Longer than it takes to find that a worker is gone."""
LONG = {"replicate": 6.0, "runway": 6.0}
FOR_EVER, AT_ONCE = {"replicate": 60.0, "runway": 60.0}, {"replicate": 0.0, "runway": 0.0}
Hire = Callable[..., list[Worker]]


def started(running: ExitStack, kind: type[Process], folders: list[Path], environment: dict[str, str]) -> list[Any]:
    """Processes of a kind, started side by side."""
    with ThreadPoolExecutor(4) as starting:
        processes = list(starting.map(lambda folder: kind(folder, environment), folders))
    for process in processes:
        running.callback(process.kill)
    return processes


@pytest.fixture(scope="module")
def ground(postgres_server: Postgres, s3: ObjectStore) -> Iterator[Ground]:
    """The database and the store they share."""
    with postgres_ground(postgres_server, s3) as shared:
        yield shared


@pytest.fixture(scope="module")
def servers(ground: Ground, vendors: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two that only answer."""
    folder = tmp_path_factory.mktemp("servers")
    environment = {**vendors.environment(), **ground.environment, "MAX_RUNNING": "0", "SWEEP_EVERY_S": "1"}
    with ExitStack() as running:
        yield started(running, Server, [folder / "a", folder / "b"], environment)


@pytest.fixture
def stage(servers: list[Server], fakes: FakeVendors) -> Stage:
    """The first server and the vendors as new."""
    return Stage(servers[0], fakes)


@pytest.fixture
def hire(ground: Ground, fakes: FakeVendors, tmp_path: Path) -> Iterator[Hire]:
    """Starts so many workers with some settings."""
    with ExitStack() as running:
        names = iter(range(100))

        def hire(count: int = 1, **settings: str) -> list[Worker]:
            folders = [tmp_path / f"worker {next(names)}" for _ in range(count)]
            return started(running, Worker, folders, {**fakes.environment(), **ground.environment, **settings})

        yield hire


def clip(words: str, **match: str) -> Json:
    """A scripted turn that asks for a clip."""
    return turn(call("generate_video", prompt=words, duration=5), **match)


def worker_of(ground: Ground, generation_id: str) -> str | None:
    """Who works on a generation, or did so last."""
    [row] = ground.rows("SELECT executor FROM generations WHERE id = :id", id=generation_id)
    return row["executor"]  # type: ignore[no-any-return]


def until_under_way(stage: Stage, generation_id: str, jobs: int = 2) -> None:
    """Wait until all of a generation's works but its jobs have been made, and its jobs are written down."""

    def at_its_jobs() -> bool:
        works = [each for each in stage.get(generation_id)["receipts"] if each["modality"] != "chat"]
        states = Counter(each["state"] for each in works)
        return states["submitted"] == jobs and states["settled"] == len(works) - jobs

    wait_until(at_its_jobs, "the jobs")


def busy_one(ground: Ground, workers: list[Worker], generation_id: str) -> tuple[str, Worker]:
    """The worker that has a generation, by its name among the processes and itself."""
    name = worker_of(ground, generation_id)
    assert name
    return name, next(worker for worker in workers if name in worker.log())


def until_taken_over(ground: Ground, generation_id: str, gone: str) -> None:
    """Wait until another worker than that one works on a generation."""
    wait_until(lambda: worker_of(ground, generation_id) not in (gone, None), "the takeover")


def until_it_took_part_again(ground: Ground, name: str) -> None:
    """Wait until a worker that was resumed has looked at everything it had begun, as it does at each beat."""
    for _ in range(3):
        [seen] = ground.rows("SELECT seen_at FROM workers WHERE id = :id", id=name)
        wait_until(lambda seen=seen: ground.rows("SELECT seen_at FROM workers WHERE id = :id", id=name) != [seen])


def kept(ground: Ground, generation_id: str) -> list[tuple[int, str]]:
    """What has happened, as the database has it."""
    query = "SELECT id, name FROM events WHERE generation_id = :id ORDER BY id"
    return [(row["id"], row["name"]) for row in ground.rows(query, id=generation_id)]


def told_all(ground: Ground, generation_id: str, events: list[Event]) -> bool:
    """Whether these are all events of a generation, each once and in order, and the last one is its only end."""
    told = [(event.id, event.name) for event in events]
    return told == kept(ground, generation_id) and [name in TERMINAL for _, name in told].index(True) == len(told) - 1


def all_once(stage: Stage, made: Json, times: int = 1) -> bool:
    """Whether a generation has everything, and each kind of it was bought so often over all generations."""
    states = {receipt["state"] for receipt in made["receipts"]}
    whole = (made["status"], types_of(made), states) == ("completed", EVERYTHING, {"settled"})
    return whole and stage.submits(*BOUGHT) == [times] * len(BOUGHT)


# ---- one that is gone, or seems so -----------------------------------------------------------------------------------


def test_what_a_worker_began_that_is_killed_for_good_another_one_finishes(
    stage: Stage, hire: Hire, ground: Ground
) -> None:
    stage.fakes.control(latency=UNDER_WAY)
    workers = hire(2)
    watch = stage.watch(generation_id := stage.begin())
    until_under_way(stage, generation_id)
    gone, worker = busy_one(ground, workers, generation_id)
    worker.kill()
    assert all_once(stage, stage.finished(generation_id))
    watch.until("generation.completed")
    assert told_all(ground, generation_id, watch.close())
    assert worker_of(ground, generation_id) != gone


def test_a_worker_that_slept_leaves_what_another_one_works_on(stage: Stage, hire: Hire, ground: Ground) -> None:
    stage.fakes.control(latency=LONG)
    workers = hire(2)
    until_under_way(stage, generation_id := stage.begin())
    name, worker = busy_one(ground, workers, generation_id)
    worker.suspend()
    until_taken_over(ground, generation_id, name)
    worker.resume()
    assert all_once(stage, stage.finished(generation_id))
    assert worker_of(ground, generation_id) != name
    assert told_all(ground, generation_id, stage.events(generation_id))


def test_a_worker_that_slept_through_the_end_changes_nothing_any_more(stage: Stage, hire: Hire, ground: Ground) -> None:
    stage.fakes.control(latency=UNDER_WAY)
    workers = hire(2)
    until_under_way(stage, generation_id := stage.begin())
    name, worker = busy_one(ground, workers, generation_id)
    worker.suspend()
    made = stage.finished(generation_id)
    worker.resume()
    until_it_took_part_again(ground, name)
    assert stage.get(generation_id) == made
    assert all_once(stage, made)
    assert told_all(ground, generation_id, stage.events(generation_id))


def test_an_answer_that_comes_to_a_worker_that_slept_is_not_lost(stage: Stage, hire: Hire, ground: Ground) -> None:
    stage.fakes.control(fail=[{**hang("/audio/speech"), "hang_s": 3.0}])
    stage.script(turn(call("generate_speech", text="Good morning.")))
    workers = hire(2)
    generation_id = stage.begin()
    stage.until_submitted("openai.speech")
    _, worker = busy_one(ground, workers, generation_id)
    worker.suspend()
    unheard = stage.finished(generation_id)
    worker.resume()
    wait_until(lambda: stage.get(generation_id)["assets"], "the answer")
    made = stage.get(generation_id)
    assert [receipts_of(each, "speech")[0]["state"] for each in (unheard, made)] == ["unknown", "settled"]
    assert (step_of(made, "generate_speech")["status"], types_of(made)) == ("completed", ["speech"])
    assert stage.submits("openai.speech") == 1
    assert told_all(ground, generation_id, stage.events(generation_id))


# ---- asked for elsewhere ---------------------------------------------------------------------------------------------


def test_a_server_stops_what_a_worker_runs(stage: Stage, hire: Hire, ground: Ground) -> None:
    stage.fakes.control(latency=FOR_EVER)
    hire(MAX_RUNNING="1")
    until_under_way(stage, generation_id := stage.begin())
    assert stage.cancel(generation_id).body["status"] == "cancelled"
    stage.fakes.control(latency=AT_ONCE)
    assert types_of(stage.made("The worker has room again")) == EVERYTHING
    assert all(stage.fakes.ledger()["cancels"].values())
    assert {receipt["state"] for receipt in stage.get(generation_id)["receipts"]} == {"settled"}
    assert told_all(ground, generation_id, stage.events(generation_id))


def test_a_server_deletes_what_a_worker_runs(stage: Stage, hire: Hire, ground: Ground) -> None:
    stage.fakes.control(latency=FOR_EVER)
    hire(MAX_RUNNING="1")
    until_under_way(stage, generation_id := stage.begin())
    assert stage.server.delete(f"/generations/{generation_id}").status == 204
    stage.fakes.control(latency=AT_ONCE)
    assert types_of(stage.made("The worker has room again")) == EVERYTHING
    assert stage.server.get(f"/generations/{generation_id}").status == 404
    wait_until(lambda: not any(rows_of(ground, generation_id)), "the deletion of what came late")
    [kept_bytes] = ground.rows("SELECT count(*) AS count FROM assets")
    assert ground.stored() == kept_bytes["count"]


def rows_of(ground: Ground, generation_id: str) -> list[int]:
    """How many events, steps and assets a generation has."""
    query = "SELECT count(*) AS count FROM {} WHERE generation_id = :id"
    return [ground.rows(query.format(table), id=generation_id)[0]["count"] for table in ("events", "steps", "assets")]


def test_a_server_tells_all_of_what_a_worker_does(stage: Stage, hire: Hire, ground: Ground) -> None:
    stage.fakes.control(latency={"replicate": 0.5, "runway": 1.5})
    hire()
    body = {"prompt": "A post told as it is made"}
    events = list(stage.server.events("/generate", method="POST", body=body))
    generation_id = events[-1].data["id"]
    assert told_all(ground, generation_id, events)
    assert {"turn.completed", "tool.started", "tool.progress", "asset.created"} <= {event.name for event in events}


def test_one_key_sent_to_two_servers_at_once_is_one_generation(
    stage: Stage, servers: list[Server], hire: Hire, ground: Ground
) -> None:
    hire()
    stages = [Stage(server, stage.fakes) for server in servers]
    with ThreadPoolExecutor(16) as clients:
        [generation_id] = set(clients.map(lambda number: stages[number % 2].begin(key="once"), range(48)))
    assert all_once(stage, stage.finished(generation_id))
    assert len(ground.rows("SELECT id FROM generations WHERE idempotency_key = 'once'")) == 1


# ---- limits ----------------------------------------------------------------------------------------------------------


def begin_clips(stage: Stage, count: int) -> list[str]:
    """Generations of one clip each."""
    wishes = [f"A clip, number {number}" for number in range(count)]
    stage.script(*(clip(wish, match=wish) for wish in wishes))
    return [stage.begin(wish) for wish in wishes]


def test_workers_with_room_for_one_take_what_waits_one_by_one(stage: Stage, hire: Hire, ground: Ground) -> None:
    stage.fakes.control(latency={"runway": 0.7})
    hire(2, MAX_RUNNING="1")
    ids = begin_clips(stage, 5)
    assert [types_of(stage.finished(name)) for name in ids] == [["video"]] * 5
    assert (stage.submits("runway"), stage.fakes.ledger()["peaks"]["runway"]) == (5, 2)
    assert len({worker_of(ground, name) for name in ids}) == 2


def test_workers_share_what_a_vendor_allows(stage: Stage, hire: Hire, ground: Ground) -> None:
    stage.fakes.control(latency={"runway": 0.7})
    hire(2, MAX_RUNNING="3", VENDOR_CONCURRENCY="runway.video=2")
    ids = begin_clips(stage, 6)
    assert [types_of(stage.finished(name)) for name in ids] == [["video"]] * 6
    assert (stage.submits("runway"), stage.fakes.ledger()["peaks"]["runway"]) == (6, 2)
    assert len({worker_of(ground, name) for name in ids}) == 2


def test_a_cap_holds_for_the_worker_that_takes_over(stage: Stage, hire: Hire, ground: Ground) -> None:
    """A clip costs 0.60: the second one would pass the cap, and the first one was bought by another worker."""
    stage.fakes.control(latency=UNDER_WAY)
    stage.script(clip("the first"), clip("the second"))
    workers = hire(2)
    until_under_way(stage, generation_id := stage.begin(max_cost_usd="1.00"), jobs=1)
    busy_one(ground, workers, generation_id)[1].kill()
    made = stage.finished(generation_id)
    assert (stage.submits("runway"), types_of(made)) == (1, ["video"])
    assert [step["status"] for step in steps_of(made, "generate_video")] == ["completed", "failed"]
    assert "of the cap of $1.00 is already spent or reserved" in steps_of(made, "generate_video")[1]["error"]


# ---- another version -------------------------------------------------------------------------------------------------


def age(ground: Ground, generation_id: str, status: str) -> None:
    """Let the engine's note of a run be an older version's."""
    query = "SELECT status FROM dbos.workflow_status WHERE workflow_uuid = :id"
    assert [row["status"] for row in ground.rows(query, id=generation_id)] == [status]
    update = "UPDATE dbos.workflow_status SET application_version = '1' WHERE workflow_uuid = :id"
    ground.run(update, id=generation_id)


def test_what_an_older_version_began_a_newer_one_finishes(stage: Stage, hire: Hire, ground: Ground) -> None:
    stage.fakes.control(latency=UNDER_WAY)
    [old] = hire()
    until_under_way(stage, generation_id := stage.begin())
    old.kill()
    age(ground, generation_id, "PENDING")
    hire()
    assert all_once(stage, stage.finished(generation_id))


def test_what_waits_since_an_older_version_a_newer_one_begins(stage: Stage, hire: Hire, ground: Ground) -> None:
    age(ground, generation_id := stage.begin(), "ENQUEUED")
    hire()
    assert all_once(stage, stage.finished(generation_id))


def test_a_server_that_stops_hands_on_while_the_other_one_carries_on(
    ground: Ground, fakes: FakeVendors, tmp_path: Path
) -> None:
    fakes.control(latency=UNDER_WAY)
    with ExitStack() as running:
        environment = {**fakes.environment(), **ground.environment}
        first, second = started(running, Server, [tmp_path / "first", tmp_path / "second"], environment)
        ids = [Stage(server, fakes).begin() for server in (first, second) * 2]
        stage = Stage(second, fakes)
        for name in ids:
            until_under_way(stage, name)
        assert first.stop() == 0
        assert all(all_once(stage, stage.finished(name), len(ids)) for name in ids)
        assert all(told_all(ground, name, stage.events(name)) for name in ids)
        assert len({worker_of(ground, name) for name in ids}) == 1
