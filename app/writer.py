"""The one thread that writes: what has come together is committed together.

A commit costs a wait for the disk, whatever is in it. So the thread takes everything that came while it was busy and
puts it into one transaction; each caller goes on when its own part is committed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

log = logging.getLogger(__name__)

T = TypeVar("T")
MOST_AT_ONCE = 64
PATIENCE_S = 60.0
"""How long a database that refuses (gone, full, locked) is tried again before its callers are told."""
SQLITE_PASSING = {5, 6, 8, 10, 13, 14}  # BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN
POSTGRES_PASSING = ("08", "25006", "25P03", "40", "53", "55P03", "57", "58")
"""Connection, a standby in place of the primary, idle in a transaction for too long, rollback (deadlock), resources, a
lock not given, operator intervention, the system's own errors."""


@dataclass
class Unit:
    """One caller's part: what to run, and where its result goes."""

    work: Callable[[sa.Connection], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs units of work in order, in transactions of as many as have come."""

    def __init__(self, engine: sa.Engine, patience_s: float = PATIENCE_S) -> None:
        self._engine = engine
        self._patience_s = patience_s
        self._units: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="db-write", daemon=True)
        self._started = self._closed = False

    async def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Run one unit; returns when it is committed. Raises what the unit raised, or the database's own refusal."""
        if not self._started:
            self._started = True
            self._thread.start()
        if self._closed:
            raise RuntimeError("The database was closed.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._units.put(Unit(work, loop, future))
        return await future

    def close(self) -> None:
        """Write what is left, and end the thread (blocking)."""
        self._closed = True
        if self._started:
            self._units.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (first := self._units.get()) is not None:
            batch = [first]
            while len(batch) < MOST_AT_ONCE and not self._units.empty():
                unit = self._units.get()
                if unit is None:
                    self._units.put(None)
                    break
                batch.append(unit)
            self._commit(batch)
            deliver(batch)

    def _commit(self, batch: list[Unit]) -> None:
        """All in one transaction. When one of them raises, each gets a transaction of its own."""
        deadline = time.monotonic() + self._patience_s
        pause_s = 0.05
        while True:
            try:
                with self._engine.begin() as connection:
                    for unit in batch:
                        unit.result = unit.work(connection)
                return
            except Exception as error:
                if is_passing(error) and self._engine.dialect.name == "postgresql":
                    self._engine.dispose()  # the next try may find another server at the same address
                if is_passing(error) and time.monotonic() + pause_s < deadline:
                    log.warning("the database refuses, trying again in %.2g s: %s", pause_s, first_line(error))
                    time.sleep(pause_s)
                    pause_s = min(pause_s * 2, 2.0)
                    continue
                if len(batch) > 1 and not is_passing(error):
                    for unit in batch:
                        self._commit([unit])
                else:
                    for unit in batch:
                        unit.error = error
                return


def deliver(batch: list[Unit]) -> None:
    """Wake the callers, each event loop once."""
    for loop in {unit.loop for unit in batch}:
        mine = [unit for unit in batch if unit.loop is loop]
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, mine)


def _settle(units: list[Unit]) -> None:
    for unit in units:
        if unit.future.done():  # the caller was cancelled meanwhile; what it wrote stays
            continue
        if unit.error is not None:
            unit.future.set_exception(unit.error)
        else:
            unit.future.set_result(unit.result)


def is_passing(error: BaseException) -> bool:
    """Whether a database error may pass by itself, so that the same work is worth trying again."""
    if isinstance(error, sa.exc.TimeoutError):
        return True
    if not isinstance(error, sa.exc.DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(POSTGRES_PASSING)
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in SQLITE_PASSING
    return isinstance(error, sa.exc.OperationalError)  # psycopg has no state when no connection came about


def first_line(error: BaseException) -> str:
    """The beginning of an error's text."""
    return str(error).split("\n", 1)[0][:200]
