"""Files that are no vendor's work: inputs fetched from an address, and small ones that tools write themselves.

Their ids follow from the run and what they are, so a replay after a crash writes the same asset again, not a second.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa

from app.assets.records import uploaded
from app.db import now
from app.errors import Conflict, NotFound
from app.ids import born, derived_id
from app.tools.base import InvalidArguments
from app.tools.context import Given, Written

from .claims import check
from .keeping import facts_of
from .parts import Parts

TRIES = 3
MOST_WRITTEN = 8
"""Files one tool call may keep."""
ADDRESS = "https://"


class Files:
    """Brings them into the store and the gallery."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    # ---- inputs ----

    async def given(self, owner: str, generation_id: str, ref: str, *types: str) -> Given:
        """An input by asset id or address. Raises NotFound, InvalidArguments (the wrong type, or no such thing at all),
        DownloadRefused, DownloadFailed, TooLarge, UnsupportedMedia."""
        row = await self.row(owner, generation_id, ref)
        if types and row["type"] not in types:
            wanted = " or ".join(dict.fromkeys("sound" if one in ("speech", "audio") else one for one in types))
            raise InvalidArguments(f"{ref} is of type {row['type']}; here it must be {wanted}.")
        return Given(row["id"], row["type"], row["media_type"], row["duration_s"])

    async def row(self, owner: str, generation_id: str, ref: str) -> Mapping[str, Any]:
        """The asset of an input; one named by an address is fetched first. Raises as `given`."""
        if not ref.startswith(ADDRESS):
            if "://" in ref:
                raise InvalidArguments(f"{ref[:100]} cannot be fetched: only https addresses can.")
            return await self._parts.records.get(owner, ref)
        asset_id = address_id(generation_id, ref)
        # One at a time: a second download may bring other bytes, under the id and the facts of the first.
        async with self._parts.fetching.setdefault(asset_id, asyncio.Lock()):
            try:
                return await self._parts.records.get(owner, asset_id)
            except NotFound:
                return await self._fetched(owner, asset_id, ref)

    async def _fetched(self, owner: str, asset_id: str, address: str) -> Mapping[str, Any]:
        """What lies behind an address, kept as an upload of its owner's: the address may lead elsewhere tomorrow."""
        most = self._parts.settings.max_upload_bytes
        chunks = self._parts.http.fetch(address, max_bytes=most)
        async with self._parts.store.spooled(chunks, max_bytes=most) as file:
            await self._parts.store.keep(asset_id, file.path)
            values = uploaded(asset_id, owner, file, unquote(urlsplit(address).path))

        def adding(connection: sa.Connection) -> None:
            self._parts.records.add(connection, values)

        await self._parts.db.write(adding)
        return await self._parts.records.get(owner, asset_id)

    # ---- what tools write ----

    async def keep(
        self, owner: str, generation_id: str, step_id: str, files: Sequence[Written]
    ) -> list[dict[str, Any]]:
        """Small files into the store and onto the generation; the facts of each. Raises StoreFailed, and Conflict when
        nobody wants them any more."""
        if len(files) > MOST_WRITTEN:
            raise ValueError(f"a tool keeps {MOST_WRITTEN} files at most")  # what is deleted must be known
        kept = []
        for position, file in enumerate(files):
            asset_id = written_id(generation_id, step_id, position)
            await self._parts.store.keep(asset_id, file.data, tries=TRIES)
            kept.append(written_values(asset_id, owner, generation_id, file))

        def adding(connection: sa.Connection) -> None:
            check(connection, generation_id, self._parts.executor)
            for values in kept:
                self._parts.records.add(connection, values)
                data = {"step_id": step_id, **facts_of(values)}
                self._parts.events.add(connection, generation_id, "asset.created", values["id"], data)

        try:
            await self._parts.events.record(generation_id, adding)
        except Conflict:
            await self._drop(owner, [values["id"] for values in kept])
            raise
        return [facts_of(values) for values in kept]

    async def _drop(self, owner: str, asset_ids: Sequence[str]) -> None:
        """Take files out of the store again, but for those an earlier attempt has written down."""
        known = {row["id"] for row in await self._parts.records.left(owner, asset_ids)}
        for asset_id in asset_ids:
            if asset_id not in known:
                await self._parts.store.forget(asset_id)


def address_id(generation_id: str, address: str) -> str:
    """The id of the asset an address becomes in this generation, the same one at every replay."""
    return derived_id("asset", birth(generation_id), generation_id, "address", address)


def written_id(generation_id: str, step_id: str, position: int) -> str:
    """The id of the n-th file that a tool call writes, the same one at every replay."""
    at = birth(generation_id) + dt.timedelta(milliseconds=position)  # so that their ids keep their order
    return derived_id("asset", at, step_id, "written", position)


def birth(generation_id: str) -> dt.datetime:
    """When a generation was asked for, by its id: the same at every replay."""
    return born(generation_id) or dt.datetime.fromtimestamp(0, dt.UTC)


def kept_as(generation_id: str, ref: str) -> str:
    """The asset an input of this generation is: the one it names, or the one its address became."""
    return address_id(generation_id, ref) if ref.startswith(ADDRESS) else ref


def written_values(asset_id: str, owner: str, generation_id: str, file: Written) -> dict[str, Any]:
    """The row of a file a tool wrote."""
    return {
        "id": asset_id,
        "owner": owner,
        "generation_id": generation_id,
        "type": "document",
        "media_type": file.media_type,
        "bytes": len(file.data),
        "sha256": hashlib.sha256(file.data).hexdigest(),
        "parameters": {},
        "parent_ids": list(file.parent_ids),
        "filename": file.filename,
        "cost_usd": Decimal(0),
        "created_at": now(),
    }
