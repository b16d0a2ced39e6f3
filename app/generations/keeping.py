"""Keeping: a finished work's bytes into the store, its facts into a row, at once and exactly once.

The address a vendor gives lives minutes to hours, so a work is fetched on the completion path. The asset's id follows
from the call's, so a replay after a crash writes the same asset again and not a second one.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from app.accounts.budgets import Row
from app.assets.store import Spooled
from app.db import generations, now
from app.errors import StoreFailed
from app.ids import derived_id
from providers.base import Family
from providers.errors import DownloadFailed, DownloadRefused, JobLost, MalformedAnswer
from providers.types import Done, MediaRequest, Output, SpeechRequest, Ticket

from .parts import Parts

DOWNLOAD_TRIES = 3


class Keeper:
    """Fetches, probes, stores and records outputs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def keep(
        self,
        family: Family,
        call_id: str,
        request: MediaRequest,
        done: Done,
        position: int,
        share: Decimal | None,
        ticket: Ticket | None,
    ) -> dict[str, Any]:
        """One output into the store. A download that fails is tried again; that of a job by its poll, which knows a
        fresh address, and not here."""
        for attempt in range(1, DOWNLOAD_TRIES + 1):
            try:
                chunks = self._chunks(family, done.outputs[position])
                limit = self._parts.settings.max_download_bytes
                async with self._parts.store.spooled(chunks, max_bytes=limit) as file:
                    return await self._record(call_id, request, done, position, share, file)
            except (DownloadFailed, StoreFailed) as error:
                if isinstance(error, DownloadRefused) or ticket is not None or attempt == DOWNLOAD_TRIES:
                    raise
                await asyncio.sleep(0.5 * attempt)
        raise JobLost("The finished work could not be fetched.")

    async def _chunks(self, family: Family, output: Output) -> AsyncIterator[bytes]:
        if output.data is not None:
            yield output.data
            return

        def headers_for(host: str) -> Mapping[str, str]:
            return family.download_headers(output, host)

        async for chunk in self._parts.http.download(
            output.url or "", vendor_url=family.base_url, headers_for=headers_for
        ):
            yield chunk

    async def _record(
        self, call_id: str, request: MediaRequest, done: Done, position: int, share: Decimal | None, file: Spooled
    ) -> dict[str, Any]:
        expected = "audio" if request.kind == "speech" else request.kind
        if file.facts.kind != expected:
            raise MalformedAnswer(f"The vendor gave a file of type {file.facts.kind} where {expected} was asked for.")
        receipt = await self._parts.budgets.get(call_id)
        asset_id = derived_id("asset", receipt["created_at"] + dt.timedelta(milliseconds=position), call_id, position)
        values = self._asset_values(asset_id, receipt, request, done, share, file)
        await self._parts.store.keep(asset_id, file.path)
        generation_id = receipt["generation_id"]
        async with self._parts.events.recording(generation_id) as connection:
            query = sa.select(generations.c.owner).where(generations.c.id == generation_id).with_for_update()
            owner = (await connection.execute(query)).scalar()
            if owner is not None:
                await self._parts.records.add(connection, {**values, "owner": owner})
                facts = facts_of(values)
                await self._parts.events.add(
                    connection, generation_id, "asset.created", asset_id, {"step_id": receipt["step_id"], **facts}
                )
        if owner is None:  # the generation was deleted meanwhile, and its assets with it
            await self._parts.store.forget(asset_id)
        return facts_of(values)

    def _asset_values(
        self, asset_id: str, receipt: Row, request: MediaRequest, done: Done, share: Decimal | None, file: Spooled
    ) -> dict[str, Any]:
        frozen = request.model_dump(mode="json", exclude_none=True)
        parents = [*frozen.get("references", ()), *([frozen["image"]] if "image" in frozen else [])]
        said = {"prompt", "text", "kind", "model", "voice", "references", "image"}
        return {
            "id": asset_id,
            "generation_id": receipt["generation_id"],
            "call_id": receipt["id"],
            "type": request.kind,
            "media_type": file.facts.media_type,
            "bytes": file.bytes,
            "sha256": file.sha256,
            "width": file.facts.width,
            "height": file.facts.height,
            "duration_s": file.facts.duration_s,
            "provider": receipt["vendor"],
            "model": receipt["model"],
            "prompt": request.text if isinstance(request, SpeechRequest) else request.prompt,
            "revised_prompt": done.revised_prompt,
            "voice": request.voice if isinstance(request, SpeechRequest) else None,
            "parameters": {name: value for name, value in frozen.items() if name not in said},
            "cost_usd": share,
            "parent_ids": parents,
            "created_at": now(),
        }


def facts_of(asset: Mapping[str, Any]) -> dict[str, Any]:
    """What the planner and the events are told of an asset: its id and facts, no address."""
    names = ("id", "type", "media_type", "width", "height", "duration_s", "bytes", "model")
    facts = {name: asset[name] for name in names if asset.get(name) is not None}
    if asset.get("cost_usd") is not None:
        facts["cost_usd"] = format(asset["cost_usd"], "f")
    return facts
