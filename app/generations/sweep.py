"""What is put in order behind the runs: late works, reservations without a call, deletions that broke off, old age."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Awaitable, Callable
from functools import partial

import sqlalchemy as sa
from dbos import DBOS

from app.accounts.budgets import NEVER_MADE, Budgets, Row
from app.db import assets, calls, events, generations, now, rows_of, steps, workers
from app.errors import AppError
from app.settings import Settings

from .claims import UNFINISHED, living
from .files import MOST_WRITTEN, written_id
from .jobs import Jobs
from .keeping import asset_id_of
from .parts import Parts
from .works import LOST

log = logging.getLogger(__name__)

LATE_S = 24 * 3600.0
"""How long a job is asked about behind its deadline; then what it came to is unknown."""


NO_WORDS = dict.fromkeys(("request", "result", "error", "warnings"))
"""A receipt without anything that was said."""


class Sweep:
    """Puts things in order, every `SWEEP_EVERY_S` seconds; of several processes one does."""

    def __init__(self, parts: Parts, jobs: Jobs) -> None:
        self._parts = parts
        self._jobs = jobs

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                if await self._parts.db.read(self._is_mine):
                    await self.once()
            except Exception as error:  # whatever it is, the next time may go better
                log.warning("what was left could not be put in order: %s", error)
            await asyncio.sleep(self._parts.settings.sweep_every_s)

    def _is_mine(self, connection: sa.Connection) -> bool:
        if connection.dialect.name != "postgresql":
            return True
        alive = living(connection, self._parts.settings.worker_silent_s)
        first = sa.select(sa.func.min(workers.c.id)).where(workers.c.id.in_(alive))
        return bool(connection.execute(first).scalar() == self._parts.executor)

    async def once(self) -> None:
        """Everything there is to do now."""
        await self._parts.db.write(self._leftovers)
        await self._late()
        for row in await self._parts.db.rows(sa.select(generations.c.id).where(generations.c.deleted_at.is_not(None))):
            try:
                await purge(self._parts, row["id"])
            except AppError as error:  # the store refused one of its assets; the others still go
                log.warning("generation %s could not be deleted yet: %s", row["id"], error)
        await self._parts.db.write(self._scrub)

    # ---- jobs ----

    async def _late(self) -> None:
        """Jobs of generations that have ended: cancelled with theirs, or finished late."""
        query = (
            sa.select(calls, generations.c.status.label("of"), generations.c.deleted_at.label("deleted"))
            .outerjoin(generations, calls.c.generation_id == generations.c.id)
            .where(calls.c.state == "submitted")
            .where(sa.or_(generations.c.id.is_(None), generations.c.status.not_in(UNFINISHED)))
        )
        for row in await self._parts.db.rows(query):
            try:
                if (now() - row["submitted_at"]).total_seconds() > LATE_S:
                    await self._parts.db.write(partial(self._give_up, row=row))
                elif row["of"] in (None, "cancelled") or row["deleted"] is not None:
                    await self._jobs.cancel(row)
                else:
                    await self._jobs.ask(row)  # what it has made meanwhile goes where it belongs
            except Exception as error:  # its model or vendor is gone, or its row is no good; the others go on
                log.warning("job %s could not be looked after: %s", row["job_id"], error)

    def _give_up(self, connection: sa.Connection, row: Row) -> None:
        problem = {"code": "deadline", "message": "What became of this job could not be found out within a day."}
        self._parts.budgets.unknown(connection, row["id"], problem)

    # ---- rows ----

    def _leftovers(self, connection: sa.Connection) -> None:
        for row in leftovers(connection, self._parts.settings):
            judge(connection, self._parts.budgets, row)
        long_ago = now() - dt.timedelta(seconds=LATE_S)
        connection.execute(sa.delete(workers).where(workers.c.seen_at < long_ago))

    def _scrub(self, connection: sa.Connection) -> None:
        """No words are left of a generation that is gone: an answer may have come after its deletion."""
        gone = ~sa.select(generations.c.id).where(generations.c.id == calls.c.generation_id).exists()
        worded = sa.or_(*(calls.c[name].is_not(None) for name in NO_WORDS))
        connection.execute(sa.update(calls).where(gone, worded, calls.c.state != "submitted").values(**NO_WORDS))
        for table in (steps, events):
            left = ~sa.select(generations.c.id).where(generations.c.id == table.c.generation_id).exists()
            connection.execute(sa.delete(table).where(left))


def leftovers(connection: sa.Connection, settings: Settings) -> list[Row]:
    """Reservations of generations that have ended: those in line never left; of those that may have left a process
    that lives knows the outcome, so they are judged when it must have come."""
    certain = now() - dt.timedelta(seconds=settings.vendor_timeout_s + settings.vendor_max_wait_s + 60)
    ended = sa.select(generations.c.id).where(generations.c.id == calls.c.generation_id)
    query = sa.select(calls).where(
        calls.c.state == "reserved",
        sa.or_(calls.c.admitted_at.is_(None), calls.c.admitted_at < certain),
        ~ended.where(generations.c.status.in_(UNFINISHED)).exists(),
    )
    return rows_of(connection, query.order_by(calls.c.id))


def judge(connection: sa.Connection, budgets: Budgets, row: Row) -> None:
    """What becomes of such a reservation."""
    if row["admitted_at"] is None:
        budgets.released(connection, row["id"], NEVER_MADE)
    else:
        budgets.unknown(connection, row["id"], LOST)


async def forget_run(generation_id: str) -> None:
    """Delete what the engine noted of a run."""
    await DBOS.delete_workflow_async(generation_id, delete_children=True)


async def purge(parts: Parts, generation_id: str, forget: Callable[[str], Awaitable[None]] = forget_run) -> None:
    """Delete what a generation made and was; of its receipts the amounts stay. Safe to repeat where it broke off."""
    await forget(generation_id)
    made = {asset["id"] for asset in (await parts.records.of_generations([generation_id]))[generation_id]}
    works = sa.select(calls).where(calls.c.generation_id == generation_id, calls.c.modality != "chat")
    for row in await parts.db.rows(works):  # bytes may have been kept for which no row was written any more
        made |= {asset_id_of(row, position) for position in range((row["request"] or {}).get("n", 1))}
    torn = sa.select(steps.c.id).where(
        steps.c.generation_id == generation_id, steps.c.kind == "tool", steps.c.status != "completed"
    )
    for row in await parts.db.rows(torn):
        made |= {written_id(generation_id, row["id"], position) for position in range(MOST_WRITTEN)}
    for asset_id in made:
        await parts.store.forget(asset_id)

    def purging(connection: sa.Connection) -> None:
        for table in (assets, steps, events):
            connection.execute(sa.delete(table).where(table.c.generation_id == generation_id))
        connection.execute(sa.update(calls).where(calls.c.generation_id == generation_id).values(**NO_WORDS))
        connection.execute(sa.delete(generations).where(generations.c.id == generation_id))

    await parts.db.write(purging)
