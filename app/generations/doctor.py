"""The doctor: finds what crashes and hands have left out of order, and mends it, beside whoever works.

It runs nothing itself. What may still be on its way in a living process is left alone: bytes are written before their
rows, and so on; so each kind of finding has an age from which nobody can mean it any more.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient

from app.accounts.budgets import Row
from app.assets.store import Kept
from app.db import assets, calls, generations, now, rows_of, workers
from app.errors import AppError, Conflict

from .claims import UNFINISHED, living
from .jobs import Jobs
from .parts import Parts
from .sweep import judge, leftovers, purge

PAGE = 500
AT_ONCE = 16
"""Questions to the store side by side."""
SETTLING = dt.timedelta(minutes=1)
UNDER_WAY = dt.timedelta(hours=1)
"""How long bytes may wait for their row."""
FEW = 5
"""How much may be lost while less is left."""


@dataclass(frozen=True)
class Finding:
    """Something out of order. `done` is what was done, or is to be done, about it; `left` says that it still is so."""

    what: str
    which: str
    done: str
    mending: Callable[[], Awaitable[object]] | None = None
    left: bool = False


class Doctor:
    """Examines everything once. `taken` says that a process works on this SQLite database now."""

    def __init__(self, parts: Parts, jobs: Jobs, engine: DBOSClient, *, taken: bool) -> None:
        self._parts = parts
        self._jobs = jobs
        self._engine = engine
        self._taken = taken

    async def examine(self, *, mend: bool) -> list[Finding]:
        """What was found, in the order in which one thing may follow from another. Raises StoreFailed."""
        kinds = (
            self._deletions,
            self._reservations,
            self._late,
            self._forsaken,
            self._rows_without_bytes,
            self._bytes_without_rows,
            self._spool,
            self._providers,
        )
        return [
            await attempted(finding) if mend else replace(finding, left=True)
            for kind in kinds
            for finding in await kind()
        ]

    # ---- generations ----

    async def _deletions(self) -> list[Finding]:
        """Deletions that broke off."""
        begun = sa.select(generations.c.id).where(generations.c.deleted_at < now() - SETTLING)
        forget = partial(self._engine.delete_workflow_async, delete_children=True)
        return [
            Finding("a deletion that broke off", row["id"], "finished", partial(purge, self._parts, row["id"], forget))
            for row in await self._parts.db.rows(begun)
        ]

    async def _forsaken(self) -> list[Finding]:
        """Generations that are not over and that nobody works on. A living process takes them up by itself; those in
        line behind others are no finding."""

        def looking(connection: sa.Connection) -> list[Row]:
            shared = connection.dialect.name == "postgresql"
            there = living(connection, self._parts.settings.worker_silent_s) if shared else sa.select(workers.c.id)
            alive = set(connection.execute(there).scalars()) if shared or self._taken else set()
            unfinished = sa.select(generations).where(
                generations.c.status.in_(UNFINISHED),
                generations.c.deleted_at.is_(None),
                generations.c.created_at < now() - SETTLING,
            )
            rows = rows_of(connection, unfinished.order_by(generations.c.id))
            moving = any(row["executor"] in alive for row in rows)
            return [row for row in rows if row["executor"] not in alive and not (moving and row["executor"] is None)]

        done = "nothing: it goes on when a server or worker is started"
        rows = await self._parts.db.read(looking)
        return [Finding(f"a {row['status']} generation nobody works on", row["id"], done) for row in rows]

    # ---- receipts ----

    async def _reservations(self) -> list[Finding]:
        """Money set aside for calls that nobody will make any more."""

        def judging(connection: sa.Connection, row: Row) -> None:
            state = sa.select(calls.c.state).where(calls.c.id == row["id"]).with_for_update()
            if connection.execute(state).scalar() == "reserved":  # a sweep may have been faster
                judge(connection, self._parts.budgets, row)

        rows = await self._parts.db.read(lambda connection: leftovers(connection, self._parts.settings))
        verdicts = {True: "released: it never left", False: "unknown: it may have left"}
        return [
            Finding(
                "a reservation without a call",
                row["id"],
                verdicts[row["admitted_at"] is None],
                partial(self._parts.db.write, partial(judging, row=row)),
            )
            for row in rows
        ]

    async def _late(self) -> list[Finding]:
        """Jobs at vendors whose generation is gone."""

        async def cancelling(row: Row) -> None:
            await self._jobs.cancel(row)
            if (await self._parts.budgets.get(row["id"]))["state"] == "submitted":
                raise Conflict("its vendor did not cancel it.")

        gone = ~sa.select(generations.c.id).where(generations.c.id == calls.c.generation_id).exists()
        query = sa.select(calls).where(calls.c.state == "submitted", gone, calls.c.submitted_at < now() - SETTLING)
        return [
            Finding("a job nobody waits for", f"{row['vendor']} {row['job_id']}", "cancelled", partial(cancelling, row))
            for row in await self._parts.db.rows(query.order_by(calls.c.id))
        ]

    # ---- assets ----

    async def _rows_without_bytes(self) -> list[Finding]:
        async def removing(asset_id: str) -> None:
            await self._parts.records.remove(asset_id)
            await self._parts.store.forget(asset_id)  # its thumbnail

        what, seen, missing = "an asset without bytes", 0, list[Row]()
        async for page in self._pages(sa.select(assets.c.id, assets.c.filename, assets.c.model)):
            seen += len(page)
            missing += [row for row, there in zip(page, await self._there(page), strict=True) if not there]
        if suspicious(len(missing), seen):
            which = f"{len(missing)} of {seen} assets"
            return [Finding(what, which, "nothing: is STORAGE_URL where they were stored?")]
        named = {row["id"]: f"{row['id']} ({row['model'] or row['filename'] or 'upload'})" for row in missing}
        return [Finding(what, named[each], "its row deleted", partial(removing, each)) for each in named]

    async def _there(self, page: Sequence[Row]) -> list[bool]:
        """Whether the bytes of each are in the store."""
        room = asyncio.Semaphore(AT_ONCE)

        async def asked(asset_id: str) -> bool:
            async with room:
                return await self._parts.store.exists(asset_id)

        return await asyncio.gather(*(asked(row["id"]) for row in page))

    async def _bytes_without_rows(self) -> list[Finding]:
        what, seen, orphans = "bytes without an asset", 0, list[Kept]()
        async for page in self._parts.store.listing():
            seen += len(page)
            settled = [kept for kept in page if kept.since < now() - UNDER_WAY]
            ids = {kept.asset_id for kept in settled}
            known = await self._parts.db.rows(sa.select(assets.c.id).where(assets.c.id.in_(ids)))
            orphans += [kept for kept in settled if kept.asset_id not in {row["id"] for row in known}]
        if suspicious(len(orphans), seen):
            which = f"{len(orphans)} of {seen} files"
            return [Finding(what, which, "nothing: is DATABASE_URL the one they belong to?")]
        forget = self._parts.store.forget
        return [Finding(what, kept.key, "deleted", partial(forget, kept.asset_id)) for kept in orphans]

    async def _pages(self, query: sa.Select[Any]) -> AsyncIterator[Sequence[Row]]:
        last = ""
        while page := await self._parts.db.rows(query.where(assets.c.id > last).order_by(assets.c.id).limit(PAGE)):
            yield page
            last = page[-1]["id"]

    # ---- files ----

    async def _spool(self) -> list[Finding]:
        off_loop, stale = self._parts.store.off_loop, self._parts.store.stale_spool
        return [
            Finding("a file left in the spool", path.name, "deleted", partial(off_loop, path.unlink, True))
            for path in await off_loop(stale)
        ]

    # ---- providers ----

    async def _providers(self) -> list[Finding]:
        """Those that were left out for a fault of their own."""
        problems = self._parts.registry.problems
        return [Finding("a provider left out", name, f"nothing: {problem}") for name, problem in problems.items()]


def suspicious(lost: int, seen: int) -> bool:
    """Whether so much is lost that rather the place looked at is the wrong one: all of several, or most of many."""
    return lost > 1 and (lost == seen or (lost > FEW and lost > seen / 2))


async def attempted(finding: Finding) -> Finding:
    """The finding, mended; or left, with what stood in the way."""
    if finding.mending is None:
        return replace(finding, left=True)
    try:
        await finding.mending()
    except (AppError, OSError, sa.exc.SQLAlchemyError) as error:
        return replace(finding, done=f"not mended: {error}", left=True)
    return finding
