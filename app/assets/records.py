"""The rows about assets: what each one is, where it came from, what it cost."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from app.db import Database, assets, now
from app.errors import NotFound

from .store import Spooled

Row = Mapping[str, Any]


def uploaded(asset_id: str, owner: str, file: Spooled, name: str | None) -> dict[str, Any]:
    """The row of a file that came from outside. `name` is what its sender calls it, a path or none."""
    return {
        "id": asset_id,
        "owner": owner,
        "type": file.facts.kind,
        "media_type": file.facts.media_type,
        "bytes": file.bytes,
        "sha256": file.sha256,
        "width": file.facts.width,
        "height": file.facts.height,
        "duration_s": file.facts.duration_s,
        "parameters": {},
        "parent_ids": [],
        "filename": plain_name(name),
        "created_at": now(),
    }


def plain_name(name: str | None) -> str | None:
    """The last part of a client's file name, for display only: it never becomes a path."""
    last = re.split(r"[/\\]", name or "")[-1]
    shown = "".join(char for char in last if char.isprintable())[:255]
    return shown or None


class Records:
    """Reads and writes asset rows; every read names the owner, so that one owner's are not there for another."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, connection: sa.Connection, values: Row) -> None:
        """Insert a row, in the caller's transaction; a row that is there already stays as it is."""
        self._db.insert_once(connection, assets, values)

    async def get(self, owner: str, asset_id: str) -> Row:
        """One asset. Raises NotFound."""
        row = await self._db.row(sa.select(assets).where(assets.c.id == asset_id, assets.c.owner == owner))
        if row is None:
            raise NotFound(f"There is no asset {asset_id!r}.")
        return row

    async def any_owner(self, asset_id: str) -> Row:
        """One asset, whoever owns it: for work whose inputs were checked when it was accepted. Raises NotFound."""
        row = await self._db.row(sa.select(assets).where(assets.c.id == asset_id))
        if row is None:
            raise NotFound(f"There is no asset {asset_id!r}.")
        return row

    async def some(self, owner: str, asset_ids: Sequence[str]) -> list[Row]:
        """Several assets, in the order asked for. Raises NotFound naming the first that is missing."""
        found = await self.left(owner, asset_ids)
        for asset_id in asset_ids:
            if asset_id not in {row["id"] for row in found}:
                raise NotFound(f"There is no asset {asset_id!r}.")
        return found

    async def left(self, owner: str, asset_ids: Sequence[str]) -> list[Row]:
        """Those of several assets that are still there, in the order asked for."""
        rows = await self._db.rows(sa.select(assets).where(assets.c.id.in_(asset_ids), assets.c.owner == owner))
        found = {row["id"]: row for row in rows}
        return [found[asset_id] for asset_id in asset_ids if asset_id in found]

    async def of_generations(self, generation_ids: Sequence[str]) -> dict[str, list[Row]]:
        """The assets of several generations, each list in the order in which they were asked for."""
        if not generation_ids:
            return {}
        query = sa.select(assets).where(assets.c.generation_id.in_(generation_ids))
        query = query.order_by(assets.c.call_id, assets.c.id)
        grouped: dict[str, list[Row]] = {generation_id: [] for generation_id in generation_ids}
        for row in await self._db.rows(query):
            grouped[row["generation_id"]].append(row)
        return grouped

    async def page(self, owner: str, *, limit: int, before: str | None = None, type: str | None = None) -> list[Row]:
        """The newest assets, at most `limit`, older than the id `before`."""
        query = sa.select(assets).where(assets.c.owner == owner).order_by(assets.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(assets.c.id < before)
        if type is not None:
            query = query.where(assets.c.type == type)
        return await self._db.rows(query)

    async def remove(self, asset_id: str) -> None:
        """Delete a row."""
        await self._db.write(lambda connection: connection.execute(sa.delete(assets).where(assets.c.id == asset_id)))
