"""What stands under the service refuses for a while: the asset store, the database, the disk. Everything that was begun
finishes behind it, and nothing is bought twice.
"""

from __future__ import annotations

import contextlib
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.databases import Postgres, postgres
from tests.e2e.stage import Stage, types_of, wait_until
from tests.fake_vendors import FakeVendors
from tests.server import Server

ALL = ["image", "video", "speech"]
BOUGHT = ("replicate", "runway", "openai.speech")
SLOW = {"chat": 0.3, "speech": 0.3, "replicate": 0.5, "runway": 0.8}
MIB = 1024**2


def all_made(stage: Stage, generations: list[str]) -> None:
    """Each generation has everything, and each work was bought once."""
    made = [stage.finished(generation_id) for generation_id in generations]
    assert [types_of(each) for each in made] == [ALL] * len(generations)
    assert {each["stop_reason"] for each in made} == {"answered"}
    assert stage.submits(*BOUGHT) == [len(generations)] * 3


def still_running(stage: Stage, generations: list[str]) -> bool:
    """Whether none of them has come to its end."""
    return {stage.get(generation_id)["status"] for generation_id in generations} == {"running"}


@contextlib.contextmanager
def no_store(server: Server) -> Iterator[None]:
    """There is a file where the folder of the assets should be."""
    assets = server.data_dir / "assets"
    hidden = assets.rename(assets.with_name("away"))
    assets.write_text("not a folder")
    try:
        yield
    finally:
        assets.unlink()
        hidden.rename(assets)


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another process has the database for itself."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield


@contextlib.contextmanager
def no_file_larger_than(size: int, server: Server) -> Iterator[None]:
    """Every write past that length fails, of whatever file: as on a full disk, and really, by the kernel."""
    earlier = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, earlier[1]))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, earlier)


# ---- the store -------------------------------------------------------------------------------------------------------


def test_a_store_that_refuses_for_a_while_loses_nothing_that_was_bought(stage: Stage) -> None:
    stage.fakes.control(latency={"replicate": 0.3, "runway": 0.3})
    with no_store(stage.server):
        generation_id = stage.begin()
        wait_until(lambda: stage.fakes.ledger()["downloads"] >= 2, "the first tries to keep the jobs' works")
        time.sleep(2.5)
    all_made(stage, [generation_id])


# ---- the database ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [["impresario.db"], ["impresario.db", "workflows.db"]], ids=["ours", "all"])
def test_a_locked_database_is_waited_for(stage: Stage, names: list[str]) -> None:
    stage.fakes.control(latency=SLOW)
    generations = [stage.begin() for _ in range(3)]
    stage.until_submitted("replicate")
    with contextlib.ExitStack() as locks:
        for name in names:
            locks.enter_context(locked(stage.server.data_dir / name))
        time.sleep(3)
        assert still_running(stage, generations)
    all_made(stage, generations)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Postgres]:
    with postgres(tmp_path / "postgres") as running:
        yield running


def test_a_postgres_that_dies_and_comes_back_is_waited_for(
    shared: Postgres, stage_with: Callable[..., Stage], fakes: FakeVendors
) -> None:
    stage = stage_with(DATABASE_URL=shared.new_database())
    fakes.control(latency=SLOW)
    generations = [stage.begin() for _ in range(3)]
    for moment in ("openai.chat", "replicate"):
        stage.until_submitted(moment)
        shared.stop_now()
        time.sleep(1)
        shared.restart()
    all_made(stage, generations)


# ---- the disk --------------------------------------------------------------------------------------------------------


def test_a_disk_without_room_for_the_works_is_waited_for(stage: Stage) -> None:
    stage.fakes.control(image_bytes=12 * MIB, video_bytes=12 * MIB)
    with no_file_larger_than(8 * MIB, stage.server):
        generation_id = stage.begin()
        wait_until(lambda: stage.fakes.ledger()["downloads"] >= 4, "two tries to keep each")
    all_made(stage, [generation_id])
    assert "The local disk refused the file (File too large)" in stage.server.log()


def test_a_disk_without_room_for_anything_is_waited_for(stage: Stage) -> None:
    stage.fakes.control(latency=SLOW)
    generations = [stage.begin() for _ in range(3)]
    stage.until_submitted("replicate")
    with no_file_larger_than(4096, stage.server):
        time.sleep(3)
        assert still_running(stage, generations)
    all_made(stage, generations)
    with contextlib.closing(sqlite3.connect(stage.server.data_dir / "impresario.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
