"""Works: one paid media call each, from its receipt to the assets in the store.

Written down before the request leaves. A submit whose outcome was lost is looked for at vendors that list their jobs,
and else is `unknown` and never sent again by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from app.accounts.budgets import Intent, Row, canonical_json
from app.db import assets, calls, generations, now
from app.errors import AppError
from providers.catalogue import Model
from providers.errors import ProviderError
from providers.http import patiently
from providers.prices import media_price, round_up
from providers.types import Done, Media, MediaRequest, input_ids, media_request

from .claims import check
from .endings import Endings
from .jobs import Jobs
from .journal import Frame
from .line import Waiting
from .parts import Parts, problem_of

log = logging.getLogger(__name__)

Json = dict[str, Any]
LOST = {
    "code": "outcome_unknown",
    "message": "The process ended while this request was on its way, so whether the vendor did the work, and billed "
    "it, is not known. It was not sent again.",
}

LOST_CODES = ("outcome_unknown", "malformed_answer")
"""After these a vendor may have taken the work on without our having its id."""
TAKEN = {
    "code": "outcome_unknown",
    "message": "An equal request has the job the vendor answered this one with, and which job is this one's could not "
    "be found out. It was not sent again.",
}


@dataclass(frozen=True)
class Order:
    """A media request with its model chosen, and what has to be said about the choice."""

    request: MediaRequest
    warnings: tuple[str, ...] = ()


class Works:
    """Hires vendors."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._endings = Endings(parts)
        self.jobs = Jobs(parts, self._endings)

    async def ordered(self, call_id: str) -> Order | None:
        """What was asked for under this identity before a crash, whatever would be chosen now."""
        row = await self._parts.db.row(sa.select(calls).where(calls.c.id == call_id))
        if row is None or row["request"] is None:
            return None
        return Order(media_request.validate_python(row["request"]), tuple(row["warnings"] or ()))

    async def ordered_by(self, step_id: str) -> dict[str, Order]:
        """Everything that a tool call has asked for until now, by the identities of the calls."""
        mine = sa.select(calls).where(calls.c.step_id == step_id, calls.c.request.is_not(None))
        return {
            row["id"]: Order(media_request.validate_python(row["request"]), tuple(row["warnings"] or ()))
            for row in await self._parts.db.rows(mine.order_by(calls.c.id))
        }

    # ---- make ----

    async def make(self, frame: Frame, step_id: str, call_id: str, order: Order) -> Json:
        """Hire the vendor and keep what it makes: `{"assets": [...], "warnings": [...]}` or `{"problem": ...}`; and the
        same again, without hiring it again, when asked again after a crash."""
        spans = self._parts.metrics.spans
        with spans.work(call_id, order.request):
            outcome: Json = spans.came_to(await self._make(frame, step_id, call_id, order))
            return outcome

    async def _make(self, frame: Frame, step_id: str, call_id: str, order: Order) -> Json:
        if frame.again and (over := await self._came_to(call_id)) is not None:
            return over  # also when its model is not in the catalogue any more
        try:
            model = self._endings.model(order.request.model)
            intent = await self._intent(frame, step_id, call_id, order, model)
            if admitted := self._parts.lanes.free(intent.lane) and not frame.again:
                self._parts.line.expect(call_id)
            row, new = await self._parts.db.write(lambda connection: self._reserve(connection, frame, intent, admitted))
            if row["amount_source"] == "reused" and row["result"] is None:
                if (outcome := await self._endings.again(row)) is not None:
                    return outcome
                row, new = await self._parts.db.write(lambda connection: self._buy(connection, frame, intent, admitted))
        except (ProviderError, AppError) as error:
            self._parts.line.forget(call_id)
            return {"problem": problem_of(error)}
        if row["result"] is not None:
            return dict(row["result"])
        if row["state"] == "submitted":
            return await self.jobs.collect(row)
        outcome = None
        new = new or not frame.again  # nobody was here before: an earlier try of the same write came through after all
        if not new and row["admitted_at"] is not None:
            outcome = await self._left_before(row, order.request)
        if outcome is None:
            outcome = await self._send(row, order.request, admitted=new and admitted)
        return await self.jobs.collect(outcome["job"]) if "job" in outcome else outcome

    async def _came_to(self, call_id: str) -> Json | None:
        row = await self._parts.db.row(sa.select(calls.c.result).where(calls.c.id == call_id))
        return dict(row["result"]) if row is not None and row["result"] is not None else None

    def _reserve(self, connection: sa.Connection, frame: Frame, intent: Intent, admitted: bool) -> tuple[Row, bool]:
        """The receipt, and whether it is new."""
        check(connection, frame.generation_id, self._parts.executor)
        budgets = self._parts.budgets
        if frame.reuse:
            if (row := budgets.find(connection, intent.id)) is not None:
                return row, False
            if (equal := self._equal(connection, intent)) is not None:
                budgets.reserve(connection, replace(intent, estimate_usd=Decimal(0)), None, admitted=False)
                budgets.settled(connection, intent.id, Decimal(0), "reused", job_id=equal)
                return budgets.found(connection, intent.id), True
        return budgets.reserve(connection, intent, frame.cap_usd, admitted=admitted)

    def _buy(self, connection: sa.Connection, frame: Frame, intent: Intent, admitted: bool) -> tuple[Row, bool]:
        """What was to be answered from an equal call, whose works have been deleted meanwhile, is bought."""
        check(connection, frame.generation_id, self._parts.executor)
        connection.execute(sa.delete(calls).where(calls.c.id == intent.id))
        return self._parts.budgets.reserve(connection, intent, frame.cap_usd, admitted=admitted)

    def _equal(self, connection: sa.Connection, intent: Intent) -> str | None:
        """The id of a call that made the very same thing for the same owner, and whose works are all there. Calls of
        one step are variants of one thing, so each is answered from another one, and none from its neighbour."""
        taken = sa.select(calls.c.job_id).where(
            calls.c.step_id == intent.step_id, calls.c.amount_source == "reused", calls.c.job_id.is_not(None)
        )
        query = (
            sa.select(calls.c.id, calls.c.result)
            .where(
                calls.c.owner == intent.owner,
                calls.c.request_digest == intent.request_digest,
                calls.c.step_id != intent.step_id,
                calls.c.id.not_in(taken),
                calls.c.state == "settled",
                calls.c.amount_source.is_distinct_from("reused"),
                calls.c.result.is_not(None),
                sa.exists().where(generations.c.id == calls.c.generation_id, generations.c.deleted_at.is_(None)),
            )
            .order_by(calls.c.settled_at.desc())
            .limit(5)
        )
        for row in connection.execute(query).mappings().all():
            made = len(row["result"].get("assets", ()))
            count = sa.select(sa.func.count()).select_from(assets).where(assets.c.call_id == row["id"])
            if (made or "transcript" in row["result"]) and connection.execute(count).scalar_one() == made:
                return str(row["id"])
        return None

    async def _intent(self, frame: Frame, step_id: str, call_id: str, order: Order, model: Model) -> Intent:
        frozen = order.request.model_dump(mode="json")
        estimate = media_price(model, order.request)
        inputs = {asset_id: await self._sha256(asset_id) for asset_id in input_ids(order.request)}
        same = canonical_json([model.name, {**frozen, "model": "", "stream": False}, inputs])
        for asset_id, digest in inputs.items():  # the same bytes are the same input, whatever their id
            same = same.replace(asset_id, digest)
        return Intent(
            id=call_id,
            generation_id=frame.generation_id,
            step_id=step_id,
            owner=frame.owner,
            lane=f"{model.vendor}.{order.request.modality}",
            vendor=model.vendor,
            model=model.id,
            modality=order.request.modality,
            request_digest=hashlib.sha256(same.encode()).hexdigest(),
            request=frozen,
            estimate_usd=None if estimate is None else round_up(estimate),
            warnings=order.warnings,
        )

    async def _sha256(self, asset_id: str) -> str:
        row = await self._parts.db.row(sa.select(assets.c.sha256).where(assets.c.id == asset_id))
        return str(row["sha256"]) if row is not None else asset_id

    # ---- submit ----

    async def _send(self, row: Row, request: MediaRequest, *, admitted: bool) -> Json:
        call_id = row["id"]

        async def refused(error: ProviderError) -> Json:
            return await self._refused(row, request, error)

        async def send() -> Json | None:
            return await self._submit(row, request)

        waiting = Waiting(call_id, row["generation_id"], row["step_id"], row["lane"])
        try:
            return await self._parts.line.through(waiting, send, refused, admitted=admitted)
        except AppError as error:  # an input could not be read, or nobody wants it any more: nothing was sent
            return await self._endings.close(call_id, "released", problem_of(error))

    async def _submit(self, row: Row, request: MediaRequest) -> Json | None:
        """One request to the vendor, and what came of it; None when it turned out that it has to be made again."""
        family, model = self._endings.sellers(row)
        sent = request.model_copy(update={"model": model.id})
        answer = await family.submit(sent, await self._media(sent))
        if isinstance(answer, Done):
            return await self._endings.kept(row, sent, answer)
        if (job := await self.jobs.accepted(row, answer)) is not None:
            return {"job": job}
        return await self._reconciled(row, sent, TAKEN)  # an equal call has it, whose own answer was lost

    async def _refused(self, row: Row, request: MediaRequest, error: ProviderError) -> Json:
        """The vendor would not; or its answer was lost, and its list may tell."""
        if error.cost_usd is None and error.charged is not False and error.code in LOST_CODES:
            problem = problem_of(error)
            if (outcome := await self._looked_for(row, request, problem)) is not None:
                return outcome
            never = {**problem, "message": f"{problem['message']} The vendor's list shows that it was not."}
            return await self._endings.close(row["id"], "released", never)
        return await self._endings.refused(row, error)

    async def _media(self, request: MediaRequest) -> dict[str, Media]:
        """The inputs the request names by id, as bytes."""
        found: dict[str, Media] = {}
        for asset_id in input_ids(request):
            row = await self._parts.records.any_owner(asset_id)
            data = b"".join([chunk async for chunk in self._parts.store.stream(asset_id)])
            found[asset_id] = Media(row["media_type"], data)
        return found

    # ---- lost answers ----

    async def _left_before(self, row: Row, request: MediaRequest) -> Json | None:
        """What to do about a request that may have left before a crash; None: it did not, or costs nothing: send it."""
        if self._parts.registry.family(row["vendor"]).resubmittable:
            return None
        return await self._reconciled(row, request, LOST)

    async def _reconciled(self, row: Row, request: MediaRequest, problem: Mapping[str, Any]) -> Json | None:
        """What a lost submit has come to; None when the vendor never got it, so that it is in line again."""
        outcome = await self._looked_for(row, request, problem)
        if outcome is None:
            budgets = self._parts.budgets
            await self._parts.db.write(lambda connection: budgets.back_in_line(connection, row["id"], now()))
        return outcome

    async def _looked_for(self, row: Row, request: MediaRequest, problem: Mapping[str, Any]) -> Json | None:
        """A lost submit, looked for at the vendor: `{"job": ...}`; None when the vendor never got it; else closed as
        unknown."""
        family = self._parts.registry.family(row["vendor"])
        sent = request.model_copy(update={"model": row["model"]})
        left = (await self._parts.budgets.get(row["id"]))["admitted_at"] or row["created_at"]
        try:
            media = await self._media(sent)
            for wait_s in (0.0, family.surely_listed_s):
                await asyncio.sleep(wait_s)
                found = await patiently(lambda: family.find(sent, left, media), max_wait_s=60)
                if found is None:
                    return await self._endings.close(row["id"], "unknown", problem)
                for ticket in found:
                    if (job := await self.jobs.accepted(row, ticket)) is not None:
                        return {"job": job}
        except (ProviderError, AppError) as error:
            log.warning("%s: could not be asked about a lost request: %s", row["vendor"], error)
            return await self._endings.close(row["id"], "unknown", problem)
        return None
