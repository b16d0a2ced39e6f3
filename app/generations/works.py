"""Works: one paid media call each, from its receipt to the assets in the store.

Written down before the request leaves, and again before the first poll. After a crash a job is polled, never submitted
again; a submit whose outcome was lost is `unknown`, and never sent again by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from app.accounts.budgets import Intent, Row, canonical_json
from app.db import calls, generations, now
from app.errors import AppError, StoreFailed
from providers.base import Family
from providers.catalogue import Model, media_cost, media_price, round_up
from providers.errors import DownloadFailed, JobLost, MalformedAnswer, ProviderError
from providers.http import patiently
from providers.types import (
    Done,
    ImageRequest,
    Media,
    MediaRequest,
    Pending,
    Ticket,
    media_request,
)

from .keeping import Keeper, facts_of
from .parts import Parts, check_wanted, problem_of, while_wanted

log = logging.getLogger(__name__)

PROGRESS_STEP = 0.05
MAX_PAUSE_S = 30.0
LOST = {
    "code": "outcome_unknown",
    "message": "The process ended while this request was on its way, so whether the vendor did the work, and billed "
    "it, is not known. It was not sent again.",
}


class Works:
    """Submits, collects and keeps media."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._keeper = Keeper(parts)

    # ---- submit ----

    async def submit(
        self, generation_id: str, step_id: str, call_id: str, request: MediaRequest, cap_usd: Decimal | None
    ) -> dict[str, Any]:
        """Hire the vendor. Returns `{"assets": [...]}` when it was quick, `{"job": call id}` when there is a job to
        collect, or `{"problem": ...}`; and the same again when asked again after a crash."""
        async with self._parts.gate.passing():
            return await self._submit(generation_id, step_id, call_id, request, cap_usd)

    async def _submit(
        self, generation_id: str, step_id: str, call_id: str, request: MediaRequest, cap_usd: Decimal | None
    ) -> dict[str, Any]:
        try:
            model = self._model(request.model)
            intent = self._intent(generation_id, step_id, call_id, request, model)
            async with self._parts.db.transaction() as connection:
                row = await self._parts.budgets.reserve(connection, intent, cap_usd)
                if row is None:
                    await check_wanted(connection, generation_id)
        except (ProviderError, AppError) as error:
            return {"problem": problem_of(error)}
        family = self._parts.registry.family(model.vendor)
        if row is not None:
            if row["state"] == "submitted":
                return {"job": call_id}
            if row["result"] is not None:
                return dict(row["result"])
            if kept := await self._kept_before(row, request):
                return kept
            if not family.resubmittable:
                return await self._close(call_id, "unknown", LOST)
        return await self._send(family, model, generation_id, call_id, request)

    def _intent(self, generation_id: str, step_id: str, call_id: str, request: MediaRequest, model: Model) -> Intent:
        frozen = request.model_dump(mode="json")
        estimate = media_price(model, request)
        return Intent(
            id=call_id,
            generation_id=generation_id,
            step_id=step_id,
            vendor=model.vendor,
            model=model.id,
            modality=request.kind,
            request_digest=hashlib.sha256(canonical_json(frozen).encode()).hexdigest(),
            request=frozen,
            estimate_usd=None if estimate is None else round_up(estimate),
        )

    async def _send(
        self, family: Family, model: Model, generation_id: str, call_id: str, request: MediaRequest
    ) -> dict[str, Any]:
        sent = request.model_copy(update={"model": model.id})
        try:
            media = await self._media(sent)
            answer = await while_wanted(self._parts, generation_id, lambda: family.submit(sent, media))
        except ProviderError as error:
            return await self._refused(call_id, error)
        except AppError as error:  # an input could not be read, or nobody wants it any more: nothing was sent
            return await self._close(call_id, "released", problem_of(error))
        if isinstance(answer, Done):
            return await self._kept(family, model, call_id, sent, answer)
        async with self._parts.db.transaction() as connection:
            await self._parts.budgets.submitted(
                connection, call_id, answer.model_dump(mode="json"), answer.estimated_cost_usd
            )
            cancelled = await self._is_cancelled(connection, call_id)
        if cancelled:  # the cancellation came while the request was on its way
            await self.cancel(await self._parts.budgets.get(call_id))
        return {"job": call_id}

    async def _is_cancelled(self, connection: Any, call_id: str) -> bool:
        query = (
            sa.select(generations.c.status)
            .join(calls, calls.c.generation_id == generations.c.id)
            .where(calls.c.id == call_id)
        )
        status: str | None = (await connection.execute(query)).scalar()
        return status in (None, "cancelled")  # None: deleted

    async def _media(self, request: MediaRequest) -> dict[str, Media]:
        """The inputs the request names by id, as bytes."""
        ids = [*getattr(request, "references", ()), *([image] if (image := getattr(request, "image", None)) else [])]
        found: dict[str, Media] = {}
        for asset_id in ids:
            row = await self._parts.records.any_owner(asset_id)
            data = b"".join([chunk async for chunk in self._parts.store.stream(asset_id)])
            found[asset_id] = Media(row["media_type"], data)
        return found

    # ---- collect ----

    async def collect(self, generation_id: str, step_id: str, call_id: str) -> dict[str, Any]:
        """Poll a job until it is over, and keep what it made: `{"assets": [...]}` or `{"problem": ...}`.

        A poll without an answer is no verdict, and a download that fails is made again after the next poll. Past the
        modality's deadline the job is left to itself: its id and its reservation stay in the receipt.
        """
        row = await self._parts.budgets.get(call_id)
        if row["result"] is not None:
            return dict(row["result"])
        model = self._model(f"{row['vendor']}/{row['model']}")
        family = self._parts.registry.family(row["vendor"])
        request = media_request.validate_python(row["request"])
        if kept := await self._kept_before(row, request):
            return kept
        ticket = Ticket.model_validate(row["ticket"])
        deadline = row["submitted_at"].timestamp() + self._parts.settings.deadline_s(row["modality"])
        shown, failures = -1.0, 0
        while now().timestamp() < deadline:
            try:
                state = await family.poll(ticket)
                if isinstance(state, Done):
                    return await self._kept(family, model, call_id, request, state, ticket)
                shown = await self._show(generation_id, step_id, call_id, state, shown)
            except ProviderError as error:
                if error.permanent:
                    return await self._refused(call_id, error)
                log.warning("%s: no verdict on job %s: %s", row["vendor"], ticket.job_id, error)
                failures += isinstance(error, DownloadFailed)
            except StoreFailed as error:
                log.warning("%s: job %s is done and cannot be kept yet: %s", row["vendor"], ticket.job_id, error)
                failures += 1
            await asyncio.sleep(max(family.poll_every_s, min(0.25 * 2**failures, MAX_PAUSE_S) if failures else 0))
        return {
            "problem": {
                "code": "deadline",
                "timed_out": True,
                "message": f"{model.id} was still working when the time for it ran out; its job {ticket.job_id} is "
                "kept, and may still cost what was reserved.",
            }
        }

    async def _show(self, generation_id: str, step_id: str, call_id: str, state: Pending, shown: float) -> float:
        """Tell of progress, in steps worth telling."""
        progress = state.progress if state.progress is not None else 0.0
        if progress - shown < PROGRESS_STEP:
            return shown
        data = {"step_id": step_id, "progress": round(progress, 3), "waiting": state.waiting}
        async with self._parts.events.recording(generation_id) as connection:
            key = f"{call_id}:progress:{int(progress / PROGRESS_STEP)}"
            await self._parts.events.add(connection, generation_id, "tool.progress", key, data)
        return progress

    # ---- keep ----

    async def _kept(
        self,
        family: Family,
        model: Model,
        call_id: str,
        request: MediaRequest,
        done: Done,
        ticket: Ticket | None = None,
    ) -> dict[str, Any]:
        """Bring a finished work into the store and settle its receipt."""
        cost = done.cost_usd if done.cost_usd is not None else media_cost(model, request, done.usage)
        source = "vendor" if done.cost_usd is not None else "usage" if cost is not None else None
        share = None if cost is None else round_up(cost / max(len(done.outputs), 1))
        usage = done.usage.model_dump() if done.usage else None
        try:
            if not done.outputs:
                raise MalformedAnswer(f"{model.vendor} finished the work but gave nothing.")
            assets = []
            for position in range(len(done.outputs)):
                assets.append(await self._keeper.keep(family, call_id, request, done, position, share, ticket))
        except (ProviderError, AppError) as error:
            passing = isinstance(error, StoreFailed) or (isinstance(error, DownloadFailed) and not error.permanent)
            if ticket is not None and passing:
                raise  # it is there, and paid for: the next poll tries again
            return await self._close(call_id, "settled", problem_of(error), cost, source)
        warnings = [*(ticket.warnings if ticket else ()), *done.warnings]
        result = {"assets": assets, "warnings": warnings}
        async with self._parts.db.transaction() as connection:
            await self._parts.budgets.settled(connection, call_id, cost, source, usage=usage, result=result)
        return result

    async def _kept_before(self, receipt: Row, request: MediaRequest) -> dict[str, Any] | None:
        """The result of a call whose works were all in the store when the process died, before it was settled."""
        made = (await self._parts.records.of_generations([receipt["generation_id"]]))[receipt["generation_id"]]
        kept = [asset for asset in made if asset["call_id"] == receipt["id"]]
        if len(kept) < (request.n if isinstance(request, ImageRequest) else 1):
            return None
        shares = [asset["cost_usd"] for asset in kept]
        cost = None if None in shares else sum(shares, Decimal(0))
        result = {"assets": [facts_of(asset) for asset in kept], "warnings": []}
        async with self._parts.db.transaction() as connection:
            source = None if cost is None else "usage"
            await self._parts.budgets.settled(connection, receipt["id"], cost, source, result=result)
        return result

    # ---- endings ----

    async def _refused(self, call_id: str, error: ProviderError) -> dict[str, Any]:
        """A vendor's failure, and what it means for the money."""
        problem = problem_of(error)
        if error.cost_usd is not None:
            return await self._close(call_id, "settled", problem, error.cost_usd, "vendor")
        if error.charged is False:
            return await self._close(call_id, "released", problem)
        return await self._close(
            call_id, "settled" if error.code in ("moderated", "job_failed") else "unknown", problem
        )

    async def _close(
        self,
        call_id: str,
        state: str,
        problem: Mapping[str, Any],
        amount: Decimal | None = None,
        source: str | None = None,
    ) -> dict[str, Any]:
        budgets, result = self._parts.budgets, {"problem": dict(problem)}
        async with self._parts.db.transaction() as connection:
            if state == "released":
                await budgets.released(connection, call_id, problem)
            elif state == "unknown":
                await budgets.unknown(connection, call_id, problem)
            else:
                await budgets.settled(connection, call_id, amount, source, error=problem)
            await budgets.remember(connection, call_id, result)
        return result

    async def cancel(self, receipt: Row) -> None:
        """Stop a job at its vendor. What it has cost until then is not known, unless the vendor refunds it silently."""
        ticket = Ticket.model_validate(receipt["ticket"])
        try:
            family = self._parts.registry.family(receipt["vendor"])
            model = self._model(f"{receipt['vendor']}/{receipt['model']}")
            await patiently(lambda: family.cancel(ticket), max_wait_s=self._parts.settings.vendor_max_wait_s)
        except ProviderError as error:
            log.warning("%s: job %s could not be cancelled: %s", receipt["vendor"], ticket.job_id, error)
            return
        if (await self._parts.budgets.get(receipt["id"]))["state"] != "submitted":
            return  # it ended meanwhile, and what it cost is known
        amount = Decimal(0) if "free" in model.capabilities else None
        problem = {"code": "cancelled", "message": "The work was cancelled."}
        await self._close(receipt["id"], "settled", problem, amount, "vendor" if amount is not None else None)

    def _model(self, name: str) -> Model:
        model = self._parts.registry.catalogue.get(name)
        if model is None:
            raise JobLost(f"The model {name} is no longer in the catalogue.")
        return model
