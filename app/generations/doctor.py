"""The doctor: finds what crashes and hands have left out of order, and mends it, beside whoever works.

It runs nothing itself. What may still be on its way in a living process is left alone: bytes are written before their
rows, and so on; so each kind of finding has an age from which nobody can mean it any more.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient

from app.accounts.budgets import Row
from app.assets.store import Kept
from app.db import assets, calls, generations, now, rows_of, workers
from app.errors import AppError

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
FEW = 20
"""So many losses of one kind are mended. More of them, and most of all there is, are no loss but a wrong setting."""


@dataclass(frozen=True)
class Finding:
    """Something out of order. `left` says that it still is; `done` what was done, or is to be done, about it."""

    what: str
    which: str
    done: str
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
        )
        found = [finding for kind in kinds for finding in await kind(mend)]
        return found if mend else [replace(finding, left=True) for finding in found]

    # ---- generations ----

    async def _deletions(self, mend: bool) -> list[Finding]:
        """Deletions that broke off."""
        begun = generations.c.deleted_at < now() - SETTLING
        found = []
        for row in await self._parts.db.rows(sa.select(generations.c.id).where(begun)):
            finding = Finding("a deletion that broke off", row["id"], "finished")

            async def finishing(generation_id: str = row["id"]) -> None:
                await purge(self._parts, generation_id, self._forget_run)

            found.append(await attempted(finding, finishing) if mend else finding)
        return found

    async def _forget_run(self, generation_id: str) -> None:
        await self._engine.delete_workflow_async(generation_id, delete_children=True)

    async def _forsaken(self, mend: bool) -> list[Finding]:
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
        return [Finding(f"a {row['status']} generation nobody works on", row["id"], done, left=True) for row in rows]

    # ---- receipts ----

    async def _reservations(self, mend: bool) -> list[Finding]:
        """Money set aside for calls that nobody will make any more."""

        def judging(connection: sa.Connection) -> list[Row]:
            rows = leftovers(connection, self._parts.settings)
            for row in rows if mend else ():
                judge(connection, self._parts.budgets, row)
            return rows

        rows = await (self._parts.db.write(judging) if mend else self._parts.db.read(judging))
        verdicts = {True: "released: it never left", False: "unknown: it may have left"}
        return [
            Finding("a reservation without a call", row["id"], verdicts[row["admitted_at"] is None]) for row in rows
        ]

    async def _late(self, mend: bool) -> list[Finding]:
        """Jobs at vendors whose generation is gone."""
        gone = ~sa.select(generations.c.id).where(generations.c.id == calls.c.generation_id).exists()
        query = sa.select(calls).where(calls.c.state == "submitted", gone, calls.c.submitted_at < now() - SETTLING)
        found = []
        for row in await self._parts.db.rows(query.order_by(calls.c.id)):
            finding = Finding("a job nobody waits for", f"{row['vendor']} {row['job_id']}", "cancelled")
            if mend:
                await self._jobs.cancel(row)
                if (await self._parts.budgets.get(row["id"]))["state"] == "submitted":
                    finding = replace(finding, done="could not be cancelled at its vendor", left=True)
            found.append(finding)
        return found

    # ---- assets ----

    async def _rows_without_bytes(self, mend: bool) -> list[Finding]:
        seen, missing = 0, []
        async for page in self._pages(sa.select(assets.c.id, assets.c.filename, assets.c.model)):
            seen += len(page)
            missing += [row for row, there in zip(page, await self._there(page), strict=True) if not there]
        said = "an asset without bytes"
        if suspicious(len(missing), seen):
            which = f"{len(missing)} of {seen} assets"
            return [Finding(said, which, "nothing: is STORAGE_URL where they were stored?", left=True)]
        found = []
        for row in missing:
            finding = Finding(said, f"{row['id']} ({row['model'] or row['filename'] or 'upload'})", "its row deleted")

            async def removing(asset_id: str = row["id"]) -> None:
                await self._parts.records.remove(asset_id)
                await self._parts.store.forget(asset_id)  # its thumbnail

            found.append(await attempted(finding, removing) if mend else finding)
        return found

    async def _there(self, page: Sequence[Row]) -> list[bool]:
        """Whether the bytes of each are in the store."""
        room = asyncio.Semaphore(AT_ONCE)

        async def asked(asset_id: str) -> bool:
            async with room:
                return await self._parts.store.exists(asset_id)

        return await asyncio.gather(*(asked(row["id"]) for row in page))

    async def _bytes_without_rows(self, mend: bool) -> list[Finding]:
        seen, orphans = 0, list[Kept]()
        async for page in self._parts.store.listing():
            seen += len(page)
            settled = [kept for kept in page if kept.since < now() - UNDER_WAY]
            ids = {kept.asset_id for kept in settled}
            known = await self._parts.db.rows(sa.select(assets.c.id).where(assets.c.id.in_(ids)))
            orphans += [kept for kept in settled if kept.asset_id not in {row["id"] for row in known}]
        said = "bytes without an asset"
        if suspicious(len(orphans), seen):
            which = f"{len(orphans)} of {seen} files"
            return [Finding(said, which, "nothing: is DATABASE_URL the one they belong to?", left=True)]
        found = []
        for kept in orphans:
            finding = Finding(said, kept.key, "deleted")

            async def forgetting(asset_id: str = kept.asset_id) -> None:
                await self._parts.store.forget(asset_id)

            found.append(await attempted(finding, forgetting) if mend else finding)
        return found

    async def _spool(self, mend: bool) -> list[Finding]:
        stale = await self._parts.store.off_loop(self._parts.store.stale_spool)
        if mend:
            await self._parts.store.off_loop(self._parts.store.sweep_spool)
        return [Finding("a file left in the spool", path.name, "deleted") for path in stale]

    async def _pages(self, query: sa.Select[Any]) -> AsyncIterator[Sequence[Row]]:
        last = ""
        while page := await self._parts.db.rows(query.where(assets.c.id > last).order_by(assets.c.id).limit(PAGE)):
            yield page
            last = page[-1]["id"]


def suspicious(lost: int, seen: int) -> bool:
    """Whether so much is lost that rather the place looked at is the wrong one."""
    return lost > FEW and lost > seen / 2


async def attempted(finding: Finding, mending: Callable[[], Awaitable[None]]) -> Finding:
    """The finding, mended; or left, with what stood in the way."""
    try:
        await mending()
    except (AppError, sa.exc.SQLAlchemyError) as error:
        return replace(finding, done=f"not mended: {error}", left=True)
    return finding
