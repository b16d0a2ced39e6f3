"""The writer: what comes together is committed together, and a database that refuses for a moment is tried again."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from app.db import create_engine, driver_url
from app.writer import MOST_AT_ONCE, Writer, is_passing

pytestmark = pytest.mark.anyio

Work = Callable[[sa.Connection], Any]

notes = sa.Table(
    "notes", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text, unique=True)
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.db"


@pytest.fixture
def engine(path: Path) -> Iterator[sa.Engine]:
    """The engine the application writes with, but that SQLite itself does not wait for a lock."""
    engine = create_engine(driver_url(f"sqlite:///{path}"), read_only=False)
    sa.event.listen(engine, "connect", lambda connection, record: connection.execute("PRAGMA busy_timeout=0"))
    notes.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def commits(engine: sa.Engine) -> list[sa.Connection]:
    """The connection of each transaction that was committed."""
    commits: list[sa.Connection] = []
    sa.event.listen(engine, "commit", commits.append)
    return commits


@pytest.fixture
def writer(engine: sa.Engine) -> Iterator[Writer]:
    writer = Writer(engine, patience_s=30)
    yield writer
    writer.close()


def note(text: str) -> Work:
    """Write this down, and give it back."""

    def noting(connection: sa.Connection) -> str:
        connection.execute(sa.insert(notes), {"text": text})
        return text

    return noting


def stumble(connection: sa.Connection) -> None:
    """Write something down, and fail."""
    note("stumbled")(connection)
    raise RuntimeError("stop")


def noted(path: Path) -> list[str]:
    """What is committed, in the order it was written."""
    with sqlite3.connect(path) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY id")]


async def put(writer: Writer, *works: Work) -> list[asyncio.Task[Any]]:
    """Hand these units to the thread, in this order."""
    tasks = [asyncio.create_task(writer.write(work)) for work in works]
    await asyncio.sleep(0)
    return tasks


async def together(writer: Writer, *works: Work) -> list[Any]:
    """Hand these units over while the thread is busy, so that they come together; the result or error of each."""
    begun, free = threading.Event(), threading.Event()

    def busy(connection: sa.Connection) -> None:
        begun.set()
        free.wait(30)

    await put(writer, busy)
    await asyncio.to_thread(begun.wait, 30)
    tasks = await put(writer, *works)
    free.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Another process has the database for itself until the block ends."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.rollback()
        other.close()


# ---- together --------------------------------------------------------------------------------------------------------


async def test_what_is_written_is_committed_when_its_caller_goes_on(writer, path):
    assert await writer.write(note("a")) == "a"
    assert noted(path) == ["a"]


async def test_units_that_come_together_are_one_transaction(writer, commits):
    await together(writer, *(note(str(number)) for number in range(10)))
    assert len(commits) == 2  # the one that kept the thread busy, and one for all of these


async def test_transaction_does_not_grow_without_end(writer, commits):
    await together(writer, *(note(str(number)) for number in range(2 * MOST_AT_ONCE + 1)))
    assert len(commits) == 1 + 3


async def test_results_come_to_their_callers_in_order(writer, path):
    ended: list[str] = []

    async def write(text: str) -> str:
        ended.append(await writer.write(note(text)))
        return ended[-1]

    texts = [f"{number:03d}" for number in range(200)]
    assert await asyncio.gather(*(write(text) for text in texts)) == texts
    assert (ended, noted(path)) == (texts, texts)


async def test_later_unit_sees_what_an_earlier_one_wrote(writer):
    def count(connection: sa.Connection) -> int:
        return connection.execute(sa.select(sa.func.count()).select_from(notes)).scalar_one()

    assert await together(writer, count, note("a"), count) == [0, "a", 1]


async def test_caller_that_hangs_up_takes_nothing_back(writer, path):
    begun, free = threading.Event(), threading.Event()
    (busy,) = await put(writer, lambda connection: (begun.set(), free.wait(30)))
    gone, stayed = await put(writer, note("a"), note("b"))
    gone.cancel()
    free.set()
    await asyncio.gather(busy, stayed)
    assert noted(path) == ["a", "b"]


# ---- failing ---------------------------------------------------------------------------------------------------------


async def test_unit_that_raises_does_not_take_the_others_with_it(writer, path):
    first, failed, last = await together(writer, note("a"), stumble, note("b"))
    assert (first, type(failed), last) == ("a", RuntimeError, "b")
    assert noted(path) == ["a", "b"]


async def test_after_a_failure_each_unit_has_a_transaction_of_its_own(writer, commits):
    await together(writer, note("a"), stumble, note("b"))
    assert len(commits) == 1 + 2


async def test_unit_the_database_will_never_take_is_told_so_at_once(writer, path):
    first, again, last = await together(writer, note("a"), note("a"), note("b"))
    assert (first, type(again), last) == ("a", sa.exc.IntegrityError, "b")
    assert noted(path) == ["a", "b"]


async def test_thread_goes_on_after_a_failure(writer, path):
    with pytest.raises(RuntimeError, match="stop"):
        await writer.write(stumble)
    await writer.write(note("a"))
    assert noted(path) == ["a"]


# ---- refused ---------------------------------------------------------------------------------------------------------


async def test_database_that_refuses_for_a_moment_is_tried_again(writer, path):
    with refusing(path):
        (writing,) = await put(writer, note("a"))
        await asyncio.sleep(1)
        assert not writing.done()
    assert await writing == "a"
    assert noted(path) == ["a"]


async def test_what_comes_while_the_database_refuses_waits_its_turn(writer, path):
    with refusing(path):
        writing = await put(writer, *(note(str(number)) for number in range(5)))
        await asyncio.sleep(0.3)
    assert await asyncio.gather(*writing) == noted(path) == ["0", "1", "2", "3", "4"]


async def test_past_the_patience_the_callers_are_told(engine, path):
    hasty = Writer(engine, patience_s=0.3)
    with refusing(path):
        failed = await asyncio.gather(*await put(hasty, note("a"), note("b")), return_exceptions=True)
    await asyncio.to_thread(hasty.close)
    assert [type(error) for error in failed] == [sa.exc.OperationalError] * 2
    assert noted(path) == []


async def test_patience_is_bounded(engine, path):
    hasty, begun = Writer(engine, patience_s=0.3), time.monotonic()
    with refusing(path), pytest.raises(sa.exc.OperationalError, match="locked"):
        await hasty.write(note("a"))
    await asyncio.to_thread(hasty.close)
    assert time.monotonic() - begun < 5


async def test_thread_goes_on_once_the_database_is_back(engine, path):
    hasty = Writer(engine, patience_s=0.1)
    with refusing(path), pytest.raises(sa.exc.OperationalError):
        await hasty.write(note("a"))
    assert await hasty.write(note("b")) == "b"
    await asyncio.to_thread(hasty.close)


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("refused")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("reason", "passes"),
    [
        (sqlite_error(sqlite3.SQLITE_BUSY), True),
        (sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT), True),
        (sqlite_error(sqlite3.SQLITE_FULL), True),
        (sqlite_error(sqlite3.SQLITE_IOERR_FSYNC), True),
        (sqlite_error(sqlite3.SQLITE_ERROR), False),
        (sqlite_error(sqlite3.SQLITE_CONSTRAINT_UNIQUE), False),
        (sqlite_error(sqlite3.SQLITE_CORRUPT), False),
        (psycopg.OperationalError("no connection"), True),
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.errors.DeadlockDetected(), True),
        (psycopg.errors.TooManyConnections(), True),
        (psycopg.errors.UniqueViolation(), False),
        (psycopg.errors.UndefinedTable(), False),
        (psycopg.errors.InFailedSqlTransaction(), False),
    ],
)
def test_refusal_that_may_pass_is_told_from_one_that_will_not(reason, passes):
    assert is_passing(sa.exc.DBAPIError.instance("", {}, reason, Exception)) is passes


def test_failure_of_the_work_itself_does_not_pass():
    assert not is_passing(RuntimeError("stop"))


# ---- closed ----------------------------------------------------------------------------------------------------------


async def test_closing_writes_what_is_left(writer, path):
    texts = [f"{number:03d}" for number in range(3 * MOST_AT_ONCE)]
    writing = await put(writer, *map(note, texts))
    await asyncio.to_thread(writer.close)
    assert noted(path) == texts
    assert await asyncio.gather(*writing) == texts


async def test_writer_nobody_used_is_closed_as_well(engine):
    Writer(engine).close()


async def test_closing_twice_is_closing_once(writer, path):
    await writer.write(note("a"))
    await asyncio.to_thread(writer.close)
    await asyncio.to_thread(writer.close)
    assert noted(path) == ["a"]
