"""Progress as typed events with growing ids, written with what they tell of, replayable from any of them."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import sqlalchemy as sa

from app.db import Database, events, generations, now

T = TypeVar("T")
EventName = Literal[
    "generation.created",
    "turn.completed",
    "tool.started",
    "tool.progress",
    "asset.created",
    "tool.completed",
    "tool.failed",
    "generation.completed",
    "generation.failed",
    "generation.cancelled",
]
TERMINAL = ("generation.completed", "generation.failed", "generation.cancelled")
PAGE = 500
AFTER = (
    sa.select(events.c.id, events.c.name, events.c.data, events.c.created_at)
    .where(events.c.generation_id == sa.bindparam("which"), events.c.id > sa.bindparam("last_id"))
    .order_by(events.c.id)
    .limit(PAGE)
)
END = (
    sa.select(sa.func.count(), sa.func.min(sa.case((events.c.name.in_(TERMINAL), events.c.id))))
    .select_from(events)
    .where(events.c.generation_id == sa.bindparam("which"))
)
RUNNING = sa.select(generations.c.id).where(
    generations.c.id == sa.bindparam("which"), generations.c.status == "running"
)
CHANNEL = "impresario_events"
"""Postgres tells the other processes of news here; the payload is what rings, see `Bell`."""


LOCK = sa.select(generations.c.id).where(generations.c.id == sa.bindparam("which")).with_for_update()
NOTIFY = sa.select(sa.func.pg_notify(CHANNEL, sa.bindparam("name")))


@dataclass(frozen=True)
class Event:
    """One thing that happened. `id` grows; `data` is plain JSON."""

    id: int
    name: str
    data: Mapping[str, Any]
    created_at: dt.datetime


class Bell:
    """Wakes whoever waits for news in this process: of a generation (`gen_...`), or of its end (`gen_.../end`)."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self.closed = False
        """Whether this process is leaving, so that nobody is kept waiting any longer."""

    def close(self) -> None:
        """Wake everybody, for the last time."""
        self.closed = True
        for name in list(self._waiting):
            self.ring(name)

    def ring(self, name: str) -> None:
        """There is news."""
        for waiter in self._waiting.get(name, ()):
            waiter.set()

    @asynccontextmanager
    async def listening(self, name: str) -> AsyncIterator[asyncio.Event]:
        """An `asyncio.Event` that is set at each ring; the listener clears it."""
        waiter = asyncio.Event()
        self._waiting.setdefault(name, set()).add(waiter)
        try:
            yield waiter
        finally:
            waiting = self._waiting[name]
            waiting.discard(waiter)
            if not waiting:
                del self._waiting[name]


class Events:
    """Writes and follows the events of generations. `poll_s` is how soon news is seen where no bell rang for it."""

    def __init__(self, db: Database, poll_s: float = 2.0) -> None:
        self._db = db
        self._poll_s = poll_s
        self.bell = Bell()

    async def record(
        self, generation_id: str, work: Callable[[sa.Connection], T], *, ends: bool = False, insist: str = ""
    ) -> T:
        """Write something about one generation, in one transaction; it is announced once it is committed. `insist`
        names what must not be given up, see `Database.insist`."""
        shared = self._db.dialect == "postgresql"

        def recording(connection: sa.Connection) -> T:
            if shared:  # ids are given out before they are committed: one writer at a time keeps them in order
                connection.execute(LOCK, {"which": generation_id})
            result = work(connection)
            if shared:
                for name in names:
                    connection.execute(NOTIFY, {"name": name})
            return result

        names = (generation_id, f"{generation_id}/end") if ends else (generation_id,)
        result = await (self._db.insist(recording, insist) if insist else self._db.write(recording))
        for name in names:
            self.bell.ring(name)
        return result

    def add(
        self, connection: sa.Connection, generation_id: str, name: EventName, key: str, data: Mapping[str, Any]
    ) -> None:
        """Write an event; one with the same key of the same generation is there already after a replay and stays."""
        values = {"generation_id": generation_id, "key": key, "name": name, "data": data, "created_at": now()}
        self._db.insert_once(connection, events, values)

    async def progress(self, generation_id: str, key: str, data: Mapping[str, Any]) -> None:
        """Tell how far a step is, unless the generation has ended meanwhile."""

        def telling(connection: sa.Connection) -> None:
            if connection.execute(RUNNING, {"which": generation_id}).first() is not None:
                self.add(connection, generation_id, "tool.progress", key, data)

        await self.record(generation_id, telling)

    async def after(self, generation_id: str, last_id: int) -> list[Event]:
        """The events behind `last_id`, oldest first, at most a page of them."""

        def reading(connection: sa.Connection) -> list[Event]:
            found = connection.execute(AFTER, {"which": generation_id, "last_id": last_id})
            return [Event(row.id, row.name, row.data, row.created_at) for row in found]

        return await self._db.read(reading)

    async def over(self, generation_id: str, last_id: int = 2**62) -> bool:
        """Whether the event that ends the generation is among those up to `last_id`, or the generation is gone."""
        count, end = await self._db.read(lambda connection: connection.execute(END, {"which": generation_id}).one())
        return not count or (end is not None and end <= last_id)

    async def ended(self, generation_id: str) -> None:
        """Wait until a generation has ended, or this process has to; without reading what happens on the way."""
        async with self.bell.listening(f"{generation_id}/end") as news:
            while not await self.over(generation_id) and not self.bell.closed:
                if await _rung(news, 5 * self._poll_s):  # it rings at the end, and when this process leaves
                    return

    async def follow(
        self, generation_id: str, last_id: int = 0, *, heartbeat_s: float | None = None
    ) -> AsyncIterator[Event | None]:
        """Every event behind `last_id`, as it comes, up to the one that ends the generation, or to the end of this
        process; None is a heartbeat."""
        async with self.bell.listening(generation_id) as news:
            silent_s = 0.0
            while True:
                news.clear()
                page = await self.after(generation_id, last_id)
                for event in page:
                    last_id, silent_s = event.id, 0.0
                    yield event
                    if event.name in TERMINAL:
                        return
                if page:
                    continue
                if self.bell.closed:
                    return
                pause_s = self._poll_s if heartbeat_s is None else min(self._poll_s, heartbeat_s - silent_s)
                if await _rung(news, pause_s):
                    continue
                if await self.over(generation_id, last_id):
                    return
                silent_s += pause_s
                if heartbeat_s is not None and silent_s >= heartbeat_s:
                    silent_s = 0.0
                    yield None


async def _rung(news: asyncio.Event, timeout_s: float) -> bool:
    """Wait for the bell; False when it stayed silent so long."""
    try:
        await asyncio.wait_for(news.wait(), timeout_s)
    except TimeoutError:
        return False
    news.clear()
    return True
