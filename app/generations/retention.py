"""Old age: what ended more than `RETENTION_DAYS` ago goes, with its assets; so do uploads nothing names any more.

The engine's schedule says when, every hour and to one process only; the work itself is done beside the engine, which
need not remember it: what one pass leaves, the next one finds.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import sqlalchemy as sa
from dbos import DBOS

from app.accounts.budgets import Row
from app.db import assets, generations, now

from .claims import UNFINISHED
from .files import kept_as
from .parts import Parts
from .service import Service

log = logging.getLogger(__name__)

NAME = "retention"
HOURLY = "0 * * * *"
PAGE = 100
MOST_CONTINUED = 10
"""How far back a run may reach; see `briefing.MAX_EARLIER`."""


class Retention:
    """Deletes what is old."""

    def __init__(self, parts: Parts, service: Service) -> None:
        self._parts = parts
        self._service = service
        self._days: asyncio.Queue[int] = asyncio.Queue()

        @DBOS.workflow(name=NAME)
        async def due(at: dt.datetime, days: int) -> None:
            self._days.put_nowait(days)

        self._due = due

    async def schedule(self) -> None:
        """Have the engine call every hour, or no more; the hour that began while nobody was there is made up for.

        Of several processes the last one to start decides for all, so they should be told the same.
        """
        days = self._parts.settings.retention_days
        if days is None:
            await DBOS.delete_schedule_async(NAME)
            await self._forget_passes(but=0)
            return
        schedule: Any = {"schedule_name": NAME, "workflow_fn": self._due, "schedule": HOURLY, "context": days}
        await DBOS.apply_schedules_async([schedule])
        await asyncio.to_thread(DBOS.backfill_schedule, NAME, now() - dt.timedelta(hours=1), now())

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            days = await self._days.get()
            try:
                await self.once(days)
                await self._forget_passes(but=1)
            except Exception as error:  # whatever it is, the next hour may go better
                log.warning("what is old could not be deleted: %s", error)

    async def once(self, days: int) -> tuple[int, int]:
        """Delete what is older than so many days: how many generations, and how many uploads."""
        before = now() - dt.timedelta(days=days)
        gone = await self._generations(before), await self._uploads(before)
        if any(gone):
            log.info("after %d days: %d generations and %d uploads deleted", days, *gone)
        return gone

    async def _generations(self, before: dt.datetime) -> int:
        old = generations.c.completed_at < before
        ended = sa.and_(generations.c.status.not_in(UNFINISHED), generations.c.deleted_at.is_(None))
        needed, deleted = await self._needed(), 0
        async for page in self._pages(sa.select(generations.c.id, generations.c.owner).where(old, ended)):
            for row in page:
                if row["id"] in needed:
                    continue
                try:
                    await self._service.delete(row["owner"], row["id"])
                    deleted += 1
                except Exception as error:  # one that cannot be deleted now keeps no other from it
                    log.warning("generation %s could not be deleted: %s", row["id"], error)
        return deleted

    async def _needed(self) -> set[str]:
        """What generations that have not ended continue, or take inputs from; it stays until they have."""
        inputs_of = generations.c.request["inputs"].label("inputs")
        columns = sa.select(generations.c.id, generations.c.previous_id, inputs_of)
        rows = await self._parts.db.rows(columns.where(generations.c.status.in_(UNFINISHED)))
        inputs = {kept_as(row["id"], ref) for row in rows for ref in row["inputs"] or ()}
        makers = sa.select(assets.c.generation_id).where(assets.c.id.in_(inputs))
        needed = {row["generation_id"] for row in await self._parts.db.rows(makers)}
        for _ in range(MOST_CONTINUED):
            earlier = {row["previous_id"] for row in rows} - {None}
            needed |= earlier
            rows = await self._parts.db.rows(columns.where(generations.c.id.in_(earlier))) if earlier else []
        return needed

    async def _uploads(self, before: dt.datetime) -> int:
        old = sa.select(assets.c.id).where(assets.c.generation_id.is_(None), assets.c.created_at < before)
        named: set[str] | None = None
        deleted = 0
        async for page in self._pages(old):
            if named is None:
                named = await self._named()
            for row in page:
                if row["id"] in named:
                    continue
                try:
                    await self._parts.records.remove(row["id"])
                    await self._parts.store.forget(row["id"])
                    deleted += 1
                except Exception as error:
                    log.warning("upload %s could not be deleted: %s", row["id"], error)
        return deleted

    async def _named(self) -> set[str]:
        """Every asset that a generation that is still there was given, or that another asset was made from."""
        given = sa.select(generations.c.id, generations.c.request["inputs"].label("inputs"))
        inputs = {kept_as(row["id"], ref) async for page in self._pages(given) for row in page for ref in row["inputs"]}
        parents = sa.select(assets.c.id, assets.c.parent_ids)
        return inputs | {parent async for page in self._pages(parents) for row in page for parent in row["parent_ids"]}

    async def _pages(self, query: sa.Select[Any]) -> AsyncIterator[Sequence[Row]]:
        """The rows of a query, a page at a time, whatever is deleted meanwhile."""
        key, last = query.selected_columns["id"], ""
        while page := await self._parts.db.rows(query.where(key > last).order_by(key).limit(PAGE)):
            yield page
            last = page[-1]["id"]

    async def _forget_passes(self, *, but: int) -> None:
        """Delete what the engine noted of passes; the last one's note keeps it from being made twice."""
        noted = await DBOS.list_workflows_async(name=NAME, sort_desc=True, load_input=False, load_output=False)
        if old := [workflow.workflow_id for workflow in noted[but:]]:
            await DBOS.delete_workflows_async(old)
