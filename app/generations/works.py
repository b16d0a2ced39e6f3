"""Works: one paid media call each, from its receipt to the assets in the store.

Written down before the request leaves, and again before the first poll. After a crash a job is polled, never submitted
again; a submit whose outcome was lost is looked for at vendors that list their jobs, and else is `unknown` and never
sent again by itself.
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
from app.db import assets, calls, generations, now, row_of
from app.errors import AppError, StoreFailed
from providers.base import Family
from providers.catalogue import Model, media_cost, media_price, round_up
from providers.errors import DownloadFailed, JobLost, ProviderError
from providers.http import patiently
from providers.types import (
    Done,
    Media,
    MediaRequest,
    Pending,
    Ticket,
    media_request,
)

from .claims import check
from .journal import Frame
from .keeping import Keeper
from .line import Waiting
from .pace import Pace
from .parts import Parts, problem_of

log = logging.getLogger(__name__)

Json = dict[str, Any]
PROGRESS_STEP = 0.05
MAX_PAUSE_S = 30.0
LOST = {
    "code": "outcome_unknown",
    "message": "The process ended while this request was on its way, so whether the vendor did the work, and billed "
    "it, is not known. It was not sent again.",
}

TAKEN = {
    "code": "outcome_unknown",
    "message": "An equal request has the job the vendor answered this one with, and which job is this one's could not "
    "be found out. It was not sent again.",
}
LOCK_OF_JOBS = 7465304


@dataclass(frozen=True)
class Order:
    """A media request with its model chosen, and what has to be said about the choice."""

    request: MediaRequest
    warnings: tuple[str, ...] = ()


class Works:
    """Submits, collects and keeps media."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._keeper = Keeper(parts)
        self._pace = Pace()

    async def ordered(self, call_id: str) -> Order | None:
        """What was asked for under this identity before a crash, whatever would be chosen now."""
        row = await self._parts.db.row(sa.select(calls).where(calls.c.id == call_id))
        if row is None or row["request"] is None:
            return None
        return Order(media_request.validate_python(row["request"]), tuple(row["warnings"] or ()))

    # ---- make ----

    async def make(self, frame: Frame, step_id: str, call_id: str, order: Order) -> Json:
        """Hire the vendor and keep what it makes: `{"assets": [...], "warnings": [...]}` or `{"problem": ...}`; and the
        same again, without hiring it again, when asked again after a crash."""
        try:
            model = self._model(order.request.model)
            intent = await self._intent(frame, step_id, call_id, order, model)
            admitted = self._parts.lanes.free(intent.lane)
            row, new = await self._parts.db.write(lambda connection: self._reserve(connection, frame, intent, admitted))
        except (ProviderError, AppError) as error:
            return {"problem": problem_of(error)}
        if row["result"] is not None:
            return dict(row["result"])
        if row["amount_source"] == "reused":
            return await self._reused(row)
        if row["state"] == "submitted":
            return await self.collect(row)
        outcome = None
        if not new and row["admitted_at"] is not None:
            outcome = await self._left_before(row, order.request)
        if outcome is None:
            outcome = await self._send(row, order.request, admitted=new and admitted)
        return await self.collect(await self._parts.budgets.get(call_id)) if "job" in outcome else outcome

    def _reserve(self, connection: sa.Connection, frame: Frame, intent: Intent, admitted: bool) -> tuple[Row, bool]:
        """The receipt, and whether it is new."""
        budgets = self._parts.budgets
        if (row := budgets.find(connection, intent.id)) is not None:
            return row, False
        check(connection, frame.generation_id, self._parts.executor)
        equal = self._equal(connection, intent) if frame.reuse else None
        if equal is not None:
            budgets.reserve(connection, replace(intent, estimate_usd=Decimal(0)), None, admitted=False)
            budgets.settled(connection, intent.id, Decimal(0), "reused", job_id=equal)
        else:
            budgets.reserve(connection, intent, frame.cap_usd, admitted=admitted)
        found = budgets.find(connection, intent.id)
        assert found is not None
        return found, True

    def _equal(self, connection: sa.Connection, intent: Intent) -> str | None:
        """The id of a call that made the very same thing for the same owner, and whose works are all there."""
        query = (
            sa.select(calls.c.id, calls.c.result)
            .where(
                calls.c.owner == intent.owner,
                calls.c.request_digest == intent.request_digest,
                calls.c.state == "settled",
                calls.c.amount_source.is_distinct_from("reused"),
                calls.c.result.is_not(None),
            )
            .order_by(calls.c.settled_at.desc())
            .limit(5)
        )
        for row in connection.execute(query).mappings().all():
            made = len(row["result"].get("assets", ()))
            count = sa.select(sa.func.count()).select_from(assets).where(assets.c.call_id == row["id"])
            if made and connection.execute(count).scalar_one() == made:
                return str(row["id"])
        return None

    async def _reused(self, row: Row) -> Json:
        try:
            return await self._keeper.again(row)
        except AppError as error:
            return await self._close(row["id"], "settled", problem_of(error), Decimal(0), "reused")

    async def _intent(self, frame: Frame, step_id: str, call_id: str, order: Order, model: Model) -> Intent:
        frozen = order.request.model_dump(mode="json")
        estimate = media_price(model, order.request)
        inputs = {asset_id: await self._sha256(asset_id) for asset_id in input_ids(order.request)}
        same = canonical_json([model.name, {**frozen, "model": ""}, inputs])
        for asset_id, digest in inputs.items():  # the same bytes are the same input, whatever their id
            same = same.replace(asset_id, digest)
        return Intent(
            id=call_id,
            generation_id=frame.generation_id,
            step_id=step_id,
            owner=frame.owner,
            lane=f"{model.vendor}.{order.request.kind}",
            vendor=model.vendor,
            model=model.id,
            modality=order.request.kind,
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
            return await self._refused(row, error)

        async def send() -> Json | None:
            return await self._submit(row, request)

        waiting = Waiting(call_id, row["generation_id"], row["step_id"], row["lane"])
        try:
            return await self._parts.line.through(waiting, send, refused, admitted=admitted)
        except AppError as error:  # an input could not be read, or nobody wants it any more: nothing was sent
            return await self._close(call_id, "released", problem_of(error))

    async def _submit(self, row: Row, request: MediaRequest) -> Json | None:
        """One request to the vendor, and what came of it; None when it turned out that it has to be made again."""
        family, model = self._parts.registry.family(row["vendor"]), self._model(f"{row['vendor']}/{row['model']}")
        sent = request.model_copy(update={"model": model.id})
        answer = await family.submit(sent, await self._media(sent))
        if isinstance(answer, Done):
            return await self._kept(family, model, row, sent, answer)
        if await self._accepted(row, answer):
            return {"job": row["id"]}
        return await self._reconciled(family, row, sent, TAKEN)  # an equal call has it, whose own answer was lost

    async def _accepted(self, row: Row, ticket: Ticket, *, found: bool = False) -> bool:
        """A vendor has the job: write its id down before anything else. When nobody wants it any more, stop it. False
        when it is another call's: one `found` at the vendor may be, and its own may have been found by an equal call.
        """

        shared = self._parts.registry.family(row["vendor"]).resubmittable  # equal requests have one and the same job

        def accepting(connection: sa.Connection) -> bool | None:
            if found and connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK_OF_JOBS)))
            same = sa.and_(calls.c.vendor == row["vendor"], calls.c.job_id == ticket.job_id, calls.c.id != row["id"])
            if not shared and connection.execute(sa.select(calls.c.id).where(same)).first() is not None:
                return None
            data = ticket.model_dump(mode="json")
            self._parts.budgets.submitted(connection, row["id"], data, ticket.estimated_cost_usd)
            query = sa.select(generations.c.status, generations.c.deleted_at)
            of = row_of(connection, query.where(generations.c.id == row["generation_id"]))
            return of is not None and of["status"] != "cancelled" and of["deleted_at"] is None

        wanted = await self._parts.db.write(accepting)
        if wanted is False:
            await self.cancel(await self._parts.budgets.get(row["id"]))
        return wanted is not None

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
        family = self._parts.registry.family(row["vendor"])
        if family.resubmittable:
            return None
        return await self._reconciled(family, row, request, LOST)

    async def _reconciled(
        self, family: Family, row: Row, request: MediaRequest, problem: Mapping[str, Any]
    ) -> Json | None:
        """A lost submit, looked for at the vendor: `{"job": ...}`; None when the vendor never got it, so that it is in
        line again; else closed as unknown."""
        sent = request.model_copy(update={"model": row["model"]})
        left = (await self._parts.budgets.get(row["id"]))["admitted_at"] or row["created_at"]
        try:
            for wait_s in (0.0, family.surely_listed_s):
                await asyncio.sleep(wait_s)
                found = await patiently(lambda: family.find(sent, left), max_wait_s=60)
                if found is None:
                    return await self._close(row["id"], "unknown", problem)
                for ticket in found:
                    if await self._accepted(row, ticket, found=True):
                        return {"job": row["id"]}
        except ProviderError as error:
            log.warning("%s: could not be asked about a lost request: %s", row["vendor"], error)
            return await self._close(row["id"], "unknown", problem)
        await self._parts.db.write(lambda connection: self._parts.budgets.back_in_line(connection, row["id"], now()))
        return None

    # ---- collect ----

    async def collect(self, row: Row) -> Json:
        """Poll a job until it is over, and keep what it made.

        A poll without an answer is no verdict, and a download that fails is made again after the next poll. Past the
        modality's deadline the job is left to itself: its id and its reservation stay in the receipt, and `Sweep`
        finishes it later.
        """
        if row["result"] is not None:
            return dict(row["result"])
        family, ticket = self._parts.registry.family(row["vendor"]), Ticket.model_validate(row["ticket"])
        begun = row["submitted_at"].timestamp()
        limit_s = self._parts.settings.deadline_s(row["modality"])
        shown, failures = -1.0, 0
        while (elapsed_s := now().timestamp() - begun) < limit_s:
            state = await self.ask(row)  # may be torn: the job can be asked again, and what it made is written at once
            if isinstance(state, dict):
                return state
            if isinstance(state, Pending):
                shown, failures = await self._show(row, state, shown), 0
            else:
                failures += 1
            key = f"{row['vendor']}/{row['model']}"
            pause_s = self._pace.pause_s(key, elapsed_s, family.poll_every_s, family.least_poll_s)
            pause_s = max(pause_s, min(0.25 * 2**failures, MAX_PAUSE_S)) if failures else pause_s
            await asyncio.sleep(min(pause_s, max(limit_s - elapsed_s, 0.0)))
        return {
            "problem": {
                "code": "deadline",
                "timed_out": True,
                "message": f"{row['model']} was still working when the time for it ran out; its job {ticket.job_id} is "
                "kept, may still cost what was reserved, and its work is added when it comes.",
            }
        }

    async def ask(self, row: Row) -> Json | Pending | None:
        """One question about a job, and what follows from its answer: the outcome, how far it is, or None where there
        was no verdict."""
        family, model = self._parts.registry.family(row["vendor"]), self._model(f"{row['vendor']}/{row['model']}")
        request, ticket = media_request.validate_python(row["request"]), Ticket.model_validate(row["ticket"])
        try:
            state = await family.poll(ticket)
            if isinstance(state, Pending):
                return state
            self._pace.learn(model.name, (now() - row["submitted_at"]).total_seconds())
            return await self._kept(family, model, row, request, state, ticket)
        except ProviderError as error:
            if error.permanent:
                return await self._refused(row, error)
            log.warning("%s: no verdict on job %s: %s", row["vendor"], ticket.job_id, error)
        except StoreFailed as error:
            log.warning("%s: job %s is done and cannot be kept yet: %s", row["vendor"], ticket.job_id, error)
        return None

    async def _show(self, row: Row, state: Pending, shown: float) -> float:
        """Tell of progress, in steps worth telling."""
        progress = state.progress if state.progress is not None else 0.0
        if progress - shown < PROGRESS_STEP:
            return shown
        data = {"step_id": row["step_id"], "progress": round(progress, 3), "waiting": state.waiting}
        key = f"{row['id']}:progress:{int(progress / PROGRESS_STEP)}"
        generation_id, events = row["generation_id"], self._parts.events
        await events.record(
            generation_id, lambda connection: events.add(connection, generation_id, "tool.progress", key, data)
        )
        return progress

    # ---- endings ----

    async def _kept(
        self, family: Family, model: Model, row: Row, request: MediaRequest, done: Done, ticket: Ticket | None = None
    ) -> Json:
        """Bring a finished work into the store and settle its receipt."""
        cost = done.cost_usd if done.cost_usd is not None else media_cost(model, request, done.usage)
        source = "vendor" if done.cost_usd is not None else "usage" if cost is not None else None
        share = None if cost is None else round_up(cost / max(len(done.outputs), 1))
        try:
            works = await self._keeper.keep(family, row, request, done, share, ticket)
        except (ProviderError, AppError) as error:
            passing = isinstance(error, StoreFailed) or (isinstance(error, DownloadFailed) and not error.permanent)
            if ticket is not None and passing:
                raise  # it is there, and paid for: the next poll tries again
            return await self._close(row["id"], "settled", problem_of(error), cost, source)
        warnings = [*(ticket.warnings if ticket else ()), *done.warnings]
        return await self._keeper.record(row, works, cost, source, warnings, done.usage)

    async def _refused(self, row: Row, error: ProviderError) -> Json:
        """A vendor's failure, and what it means for the money."""
        problem = problem_of(error)
        if error.cost_usd is not None:
            return await self._close(row["id"], "settled", problem, error.cost_usd, "vendor")
        if error.charged is False:
            return await self._close(row["id"], "released", problem)
        if error.code in ("moderated", "job_failed"):
            return await self._close(row["id"], "settled", problem)
        if row["ticket"] is None and error.code in ("outcome_unknown", "malformed_answer"):
            family, request = self._parts.registry.family(row["vendor"]), media_request.validate_python(row["request"])
            never = {**problem, "message": f"{problem['message']} The vendor's list shows that it was not."}
            return await self._reconciled(family, row, request, problem) or await self._close(
                row["id"], "released", never
            )
        return await self._close(row["id"], "unknown", problem)

    async def _close(
        self,
        call_id: str,
        state: str,
        problem: Mapping[str, Any],
        amount: Decimal | None = None,
        source: str | None = None,
    ) -> Json:
        budgets, result = self._parts.budgets, {"problem": dict(problem)}

        def closing(connection: sa.Connection) -> None:
            if state == "released":
                budgets.released(connection, call_id, problem)
            elif state == "unknown":
                budgets.unknown(connection, call_id, problem)
            else:
                budgets.settled(connection, call_id, amount, source, error=problem)
            budgets.remember(connection, call_id, result)

        await self._parts.db.write(closing)
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


def input_ids(request: MediaRequest) -> list[str]:
    """The assets a request works from."""
    image = getattr(request, "image", None)
    return [*getattr(request, "references", ()), *([image] if image else [])]
