"""Progress as typed events with growing ids, written with what they tell of, replayable from any of them."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import Database, events, now

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


@dataclass(frozen=True)
class Event:
    """One thing that happened. `id` grows; `data` is plain JSON."""

    id: int
    name: str
    data: Mapping[str, Any]
    created_at: dt.datetime


class Bell:
    """Wakes whoever waits for news of a generation in this process."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def ring(self, generation_id: str) -> None:
        """There is news."""
        for waiter in self._waiting.get(generation_id, ()):
            waiter.set()

    @asynccontextmanager
    async def listening(self, generation_id: str) -> AsyncIterator[asyncio.Event]:
        """An `asyncio.Event` that is set at each ring; the listener clears it."""
        waiter = asyncio.Event()
        self._waiting.setdefault(generation_id, set()).add(waiter)
        try:
            yield waiter
        finally:
            waiting = self._waiting[generation_id]
            waiting.discard(waiter)
            if not waiting:
                del self._waiting[generation_id]


class Events:
    """Writes and follows the events of generations. `poll_s` is how soon news from another process is seen."""

    def __init__(self, db: Database, poll_s: float) -> None:
        self._db = db
        self._poll_s = poll_s
        self.bell = Bell()

    @asynccontextmanager
    async def recording(self, generation_id: str) -> AsyncIterator[AsyncConnection]:
        """A transaction about one generation: what it writes is announced once it is committed."""
        async with self._db.transaction() as connection:
            yield connection
        self.bell.ring(generation_id)

    async def add(
        self, connection: AsyncConnection, generation_id: str, name: EventName, key: str, data: Mapping[str, Any]
    ) -> None:
        """Write an event; one with the same key of the same generation is there already after a replay and stays."""
        values = {"generation_id": generation_id, "key": key, "name": name, "data": data, "created_at": now()}
        await connection.execute(self._db.insert_once(events, **values))

    async def after(self, generation_id: str, last_id: int) -> list[Event]:
        """The events behind `last_id`, oldest first, at most a page of them."""
        query = (
            sa.select(events)
            .where(events.c.generation_id == generation_id, events.c.id > last_id)
            .order_by(events.c.id)
            .limit(PAGE)
        )
        return [Event(row["id"], row["name"], row["data"], row["created_at"]) for row in await self._db.rows(query)]

    async def _over(self, generation_id: str, last_id: int) -> bool:
        """Whether the event that ends the generation was seen already."""
        query = sa.select(events.c.id).where(events.c.generation_id == generation_id, events.c.name.in_(TERMINAL))
        end = await self._db.row(query)
        return end is not None and end["id"] <= last_id

    async def follow(
        self, generation_id: str, last_id: int = 0, *, heartbeat_s: float | None = None
    ) -> AsyncIterator[Event | None]:
        """Every event behind `last_id`, as it comes, up to the one that ends the generation; None is a heartbeat.

        A work that was on its way when a generation was cancelled may come behind that end, and then ends the stream.
        """
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
                if await self._over(generation_id, last_id):
                    return
                pause_s = self._poll_s if heartbeat_s is None else min(self._poll_s, heartbeat_s - silent_s)
                try:
                    await asyncio.wait_for(news.wait(), pause_s)
                except TimeoutError:
                    silent_s += pause_s
                    if heartbeat_s is not None and silent_s >= heartbeat_s:
                        silent_s = 0.0
                        yield None
