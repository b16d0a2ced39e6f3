"""Keeping: a finished work's bytes into the store, its facts into rows, at once and exactly once.

The address a vendor gives lives minutes to hours, so a work is fetched on the completion path. The asset's id follows
from the call's, so a replay after a crash writes the same asset again and not a second one. The rows of all works of a
call, their events and the settled receipt are one transaction: there is either everything or nothing.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from app.accounts.budgets import Row
from app.assets.store import Spooled
from app.db import assets, calls, now, rows_of, steps
from app.errors import NotFound, StoreFailed
from app.ids import derived_id
from providers.base import Family
from providers.errors import DownloadFailed, DownloadRefused, JobLost, MalformedAnswer
from providers.types import Done, MediaRequest, Output, SpeechRequest, Ticket, Usage, input_ids

from .claims import STANDING
from .journal import add_warnings
from .parts import Parts, plain

log = logging.getLogger(__name__)

DOWNLOAD_TRIES = 3
STORE_TRIES = 20
"""How often a work that came with the answer, and is nowhere else, is put into a store that refuses: for 80 seconds."""

Json = dict[str, Any]


class Keeper:
    """Fetches, probes, stores and records outputs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def keep(
        self, family: Family, receipt: Row, request: MediaRequest, done: Done, share: Decimal | None, job: Ticket | None
    ) -> list[Json]:
        """Every output into the store; the rows to record them by. A download that fails is tried again; that of a job
        by its poll, which knows a fresh address, and not here."""
        if not done.outputs:
            raise MalformedAnswer(f"{receipt['vendor']} finished the work but gave nothing.")
        return [
            await self._one(family, receipt, request, done, position, share, job)
            for position in range(len(done.outputs))
        ]

    async def _one(
        self,
        family: Family,
        receipt: Row,
        request: MediaRequest,
        done: Done,
        position: int,
        share: Decimal | None,
        job: Ticket | None,
    ) -> Json:
        limit, output = self._parts.settings.max_download_bytes, done.outputs[position]
        once = output.chunks is not None
        for attempt in range(1, STORE_TRIES + 1):
            try:
                chunks = self._chunks(family, output, receipt["generation_id"])
                async with self._parts.store.spooled(chunks, max_bytes=limit) as file:
                    expected = "audio" if request.modality == "speech" else request.modality
                    if file.facts.kind != expected:
                        raise MalformedAnswer(
                            f"The vendor gave a file of type {file.facts.kind} where {expected} was asked for."
                        )
                    values = asset_values(asset_id_of(receipt, position), receipt, request, done, share, file)
                    await self._parts.store.keep(values["id"], file.path, tries=STORE_TRIES if once else 1)
                    return values
            except (DownloadFailed, StoreFailed) as error:
                most = STORE_TRIES if isinstance(error, StoreFailed) else DOWNLOAD_TRIES
                if isinstance(error, DownloadRefused) or job is not None or once or attempt >= most:
                    raise
                await asyncio.sleep(min(0.5 * attempt, 5.0))
        raise JobLost("The finished work could not be fetched.")

    async def _chunks(self, family: Family, output: Output, generation_id: str) -> AsyncIterator[bytes]:
        if output.chunks is not None:
            async for chunk in self._parts.live.heard(generation_id, output.chunks):
                yield chunk
            return
        if output.data is not None:
            yield output.data
            return

        def headers_for(url: str) -> Mapping[str, str]:
            return family.download_headers(output, url)

        async for chunk in self._parts.http.download(
            output.url or "", vendor_url=family.base_url, headers_for=headers_for
        ):
            yield chunk

    async def record(
        self,
        receipt: Row,
        works: Sequence[Json],
        amount: Decimal | None,
        source: str | None,
        warnings: Sequence[str],
        usage: Usage | None = None,
        transcript: Mapping[str, Any] | None = None,
    ) -> Json:
        """Settle the receipt and show what was made. The works of a generation that is gone go, too."""
        generation_id, call_id = receipt["generation_id"], receipt["id"]
        result: Json = {"assets": [facts_of(values) for values in works], "warnings": list(warnings)}
        if transcript is not None:
            result["transcript"] = transcript
        facts: Json = {"usage": usage.model_dump(mode="json") if usage else None, "result": result}

        def recording(connection: sa.Connection) -> bool:
            found = connection.execute(STANDING, {"which": generation_id}).first()
            wanted = found is not None and found.deleted_at is None
            kept = facts if wanted else {"usage": facts["usage"], "request": None}
            if not self._parts.budgets.settled(connection, call_id, amount, source, **kept):
                # Another process was faster, with the same works under the same ids; or it was cancelled meanwhile.
                return bool((self._parts.budgets.found(connection, call_id)["result"] or {}).get("assets"))
            if found is not None and wanted:
                for values in works:
                    self._parts.records.add(connection, {**values, "owner": found.owner})
                    if found.status == "running":
                        data = {"step_id": receipt["step_id"], **facts_of(values)}
                        self._parts.events.add(connection, generation_id, "asset.created", values["id"], data)
                if found.status in ("completed", "failed"):
                    add_late(connection, receipt, [values["id"] for values in works])
            return wanted

        said = f"{receipt['model']}'s work for the call {call_id}"
        if not await self._parts.events.record(generation_id, recording, insist=said):
            for values in works:
                try:
                    await self._parts.store.forget(values["id"])
                except StoreFailed as error:
                    log.warning("%s, which nobody wants any more, is left in the store: %s", values["id"], error)
        return result

    async def again(self, receipt: Row) -> Json:
        """Answer a call from the works of an equal one (`reuse`): their bytes under ids of this call's own.

        Raises NotFound when the works are gone, StoreFailed.
        """
        query = sa.select(assets).where(assets.c.call_id == receipt["job_id"]).order_by(assets.c.id)
        told = sa.select(calls.c.result).where(calls.c.id == receipt["job_id"])

        def looking(connection: sa.Connection) -> tuple[list[Row], Json]:
            return rows_of(connection, query), connection.execute(told).scalar() or {}

        earlier, result = await self._parts.db.read(looking)
        if not earlier and "transcript" not in result:
            raise NotFound("The works to be used again are gone.")
        works = []
        for position, row in enumerate(earlier):
            asset_id = asset_id_of(receipt, position)
            await self._parts.store.copy(row["id"], asset_id)
            own = {"id": asset_id, "generation_id": receipt["generation_id"], "call_id": receipt["id"]}
            works.append({**row, **own, "cost_usd": Decimal(0), "reused_from": row["id"], "created_at": now()})
        said = f"{receipt['model']} was not asked again: the same request was answered from what it made before."
        heard = result.get("transcript")
        return await self.record(receipt, works, Decimal(0), "reused", [said], transcript=heard)


def add_late(connection: sa.Connection, receipt: Row, ids: Sequence[str]) -> None:
    """Put works at their step whose run has ended without them, beside those it has, and say so."""
    mine = steps.c.id == receipt["step_id"]
    there = connection.execute(sa.select(steps.c.asset_ids).where(mine).with_for_update()).scalar() or []
    values = {"status": "completed", "error": None, "asset_ids": [*there, *ids], "completed_at": now()}
    connection.execute(sa.update(steps).where(mine), values)
    said = f"{receipt['model']} finished {', '.join(ids)} when the run had ended without it; it was added later."
    add_warnings(connection, receipt["generation_id"], [said])


def asset_id_of(receipt: Row, position: int) -> str:
    """The id of the n-th work of a call, the same one at every replay."""
    born = receipt["created_at"] + dt.timedelta(milliseconds=position)
    return derived_id("asset", born, receipt["id"], position)


def asset_values(
    asset_id: str, receipt: Row, request: MediaRequest, done: Done, share: Decimal | None, file: Spooled
) -> Json:
    """The row of an asset, but for its owner."""
    frozen = request.model_dump(mode="json", exclude_none=True)
    said = {"prompt", "text", "kind", "model", "voice", "references", "image", "mask", "video", "stream"}
    return {
        "id": asset_id,
        "generation_id": receipt["generation_id"],
        "call_id": receipt["id"],
        "type": request.modality,
        "media_type": file.facts.media_type,
        "bytes": file.bytes,
        "sha256": file.sha256,
        "width": file.facts.width,
        "height": file.facts.height,
        "duration_s": file.facts.duration_s,
        "provider": receipt["vendor"],
        "model": receipt["model"],
        "prompt": request.text if isinstance(request, SpeechRequest) else getattr(request, "prompt", None),
        "revised_prompt": plain(done.revised_prompt),
        "voice": request.voice if isinstance(request, SpeechRequest) else None,
        "parameters": {name: value for name, value in frozen.items() if name not in said and value != {}},
        "cost_usd": share,
        "parent_ids": input_ids(request),
        "filename": None,
        "reused_from": None,
        "created_at": now(),
    }


def facts_of(asset: Mapping[str, Any]) -> Json:
    """What the planner and the events are told of an asset: its id and facts, no address."""
    names = ("id", "type", "media_type", "width", "height", "duration_s", "bytes", "model", "reused_from")
    facts = {name: asset[name] for name in names if asset.get(name) is not None}
    if asset.get("cost_usd") is not None:
        facts["cost_usd"] = format(asset["cost_usd"], "f")
    return facts
