"""Several processes on one Postgres: servers that only answer, workers that make, and what happens when one is gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.databases import Postgres
from tests.e2e.stage import Stage, call, turn, types_of, wait_until
from tests.fake_vendors import FakeVendors
from tests.server import HOST, Process, Server, Worker, free_port
from tests.test_cli import IMAGE, impresario, listed, refused
from tests.test_stopping import errors

Start = Callable[..., Any]
POSTGRES = "postgresql://user:secret@127.0.0.1:1/name"
EVERYTHING = ["image", "video", "speech"]
"""What the fake planner asks for by itself."""
ASKS_FOR_A_PICTURE = turn(call("generate_image", prompt="a cat", provider="flux"))


@pytest.fixture(scope="module")
def vendors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeVendors]:
    """The vendors' process."""
    with FakeVendors(tmp_path_factory.mktemp("vendors")) as running:
        yield running


@pytest.fixture
def fakes(vendors: FakeVendors) -> FakeVendors:
    """The vendors as new."""
    vendors.reset()
    return vendors


@pytest.fixture
def start(database_url: str, fakes: FakeVendors, tmp_path: Path) -> Iterator[Start]:
    """Starts processes that share a database, a store and the vendors."""
    with ExitStack() as running:

        def start(kind: type[Process], name: str, **settings: str) -> Any:
            shared = {
                **fakes.environment(),
                "DATABASE_URL": database_url,
                "STORAGE_URL": (tmp_path / "store").as_uri(),
                "WORKER_SILENT_S": "2",
            }
            return running.enter_context(kind(tmp_path / name, {**shared, **settings}))

        yield start


# ---- a worker --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "DATABASE_URL"),
        ({"DATABASE_URL": "sqlite:///works.db"}, "DATABASE_URL"),
        ({"DATABASE_URL": POSTGRES, "MAX_RUNNING": "0"}, "MAX_RUNNING: "),
        ({"DATABASE_URL": POSTGRES, "STORAGE_URL": "memory://"}, "STORAGE_URL: "),
        ({"DATABASE_URL": POSTGRES, "LOG_LEVEL": "loud"}, "LOG_LEVEL: "),
    ],
    ids=["no database", "sqlite", "nothing to do", "a store of its own", "log level"],
)
def test_a_worker_that_could_not_work_is_refused(tmp_path, settings, said):
    refused(impresario(tmp_path, "worker", **settings), said)


def test_a_server_that_only_answers_leaves_the_work_to_workers(start):
    server = start(Server, "server", MAX_RUNNING="0")
    generation_id = Stage(server, None).begin()
    time.sleep(3)  # long enough for a server to take up what nobody works on
    waiting = server.get(f"/generations/{generation_id}").body
    start(Worker, "worker")
    made = Stage(server, None).finished(generation_id)
    assert (waiting["status"], made["status"], types_of(made)) == ("queued", "completed", EVERYTHING)
    assert Stage(server, None).content(made["assets"][0])


def test_a_worker_tells_the_numbers_of_what_it_made(start):
    port = free_port()
    server = start(Server, "server", MAX_RUNNING="0")
    start(Worker, "worker", METRICS_PORT=str(port))
    Stage(server, None).made()
    with build_opener(ProxyHandler({})).open(f"http://{HOST}:{port}/metrics") as numbers:
        assert b'impresario_generations_total{status="completed",stop_reason="answered"} 1.0' in numbers.read()


def test_a_server_hears_at_once_what_a_worker_has_done(start, fakes):
    fakes.control(latency={"replicate": 0.0, "runway": 0.0})
    server = start(Server, "server", MAX_RUNNING="0")
    start(Worker, "worker")
    stage = Stage(server, fakes)
    stage.made()  # everything is warm
    begun = time.monotonic()
    stage.made()
    assert time.monotonic() - begun < 4


def test_processes_on_postgres_may_share_a_data_directory(start, tmp_path):
    one = {"DATA_DIR": str(tmp_path / "data")}
    server = start(Server, "server", MAX_RUNNING="0", **one)
    start(Worker, "first", **one)
    start(Worker, "second", **one)
    assert types_of(Stage(server, None).made()) == EVERYTHING


@pytest.mark.parametrize("scheme", ["postgres", "postgresql+psycopg"])
def test_postgres_is_found_however_it_is_spelled(tmp_path, database_url, scheme):
    url = database_url.replace("postgresql", scheme, 1)
    done = impresario(tmp_path, "run", IMAGE, DATABASE_URL=url)
    assert (done.returncode, len(listed(done.stdout)), "not heard" in done.stderr) == (0, 1, False), done.stderr


def test_a_worker_waits_for_a_database_that_is_not_up_yet(tmp_path, postgres_server: Postgres):
    url = postgres_server.new_database()
    postgres_server.stop_now()
    log = tmp_path / "worker.log"

    def restart() -> None:
        wait_until(lambda: log.exists() and "the database does not answer yet, waiting up to 30 s" in log.read_text())
        postgres_server.restart()

    threading.Thread(target=restart).start()
    with Worker(tmp_path, {"DATABASE_URL": url, "OFFLINE": "true"}) as worker:
        assert worker.stop() == 0


# ---- one that goes ---------------------------------------------------------------------------------------------------


def test_what_a_killed_worker_had_begun_another_one_finishes(start, fakes):
    fakes.control(latency={"replicate": 3.0}, chat=[ASKS_FOR_A_PICTURE])
    stage = Stage(start(Server, "server", MAX_RUNNING="0"), fakes)
    first = start(Worker, "first")
    generation_id = stage.begin()
    stage.until_submitted("replicate")
    wait_until(lambda: fakes.ledger()["polls"]["replicate"], "a poll")
    start(Worker, "second")
    first.kill()
    made = stage.finished(generation_id)
    assert (made["status"], types_of(made), stage.submits("replicate")) == ("completed", ["image"], 1)


def test_a_worker_that_stops_lives_until_its_calls_have_ended(start, fakes):
    """The call takes far longer than a process may be silent."""
    fakes.control(latency={"image": 6.0}, chat=[turn(call("generate_image", prompt="a cat", provider="gpt-image-2"))])
    stage = Stage(start(Server, "server", MAX_RUNNING="0"), fakes)
    first = start(Worker, "first")
    generation_id = stage.begin(models={"image": "gpt-image-2.6-flare"})
    stage.until_submitted("openai.images")
    start(Worker, "second")
    assert first.stop() == 0
    made = stage.finished(generation_id)
    assert (made["status"], types_of(made), stage.submits("openai.images")) == ("completed", ["image"], 1)
    assert (made["cost_is_complete"], errors(first)) == (True, [])


def test_a_worker_that_stops_hands_its_works_on(start, fakes):
    fakes.control(latency={"replicate": 4.0}, chat=[ASKS_FOR_A_PICTURE])
    stage = Stage(start(Server, "server", MAX_RUNNING="0"), fakes)
    first, second = start(Worker, "first"), start(Worker, "second")
    generation_id = stage.begin()
    stage.until_submitted("replicate")
    assert (first.stop(), second.stop()) == (0, 0)
    assert stage.get(generation_id)["status"] == "running"
    first.restart()
    made = stage.finished(generation_id)
    assert (made["status"], types_of(made), stage.submits("replicate")) == ("completed", ["image"], 1)
