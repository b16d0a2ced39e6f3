"""Jobs: works a vendor has accepted. Written down before the first poll, and asked about until they are over.

After a crash a job is polled, never submitted again. The Runway page calls it a task, Replicate a prediction.
"""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from app.accounts.budgets import Row
from app.db import calls, now
from app.errors import StoreFailed
from providers.catalogue import Model
from providers.errors import ProviderError
from providers.hooks import about
from providers.http import patiently
from providers.types import Pending, Ticket, media_request

from .claims import STANDING
from .endings import Endings
from .pace import Pace
from .parts import Parts

log = logging.getLogger(__name__)

Json = dict[str, Any]
PROGRESS_STEP = 0.05
MAX_PAUSE_S = 30.0
LOCK_OF_JOBS = 7465304
LOCKED = STANDING.with_for_update()  # so that a cancellation sees the job
OTHERS = sa.select(calls.c.id).where(
    calls.c.vendor == sa.bindparam("seller"), calls.c.job_id == sa.bindparam("job"), calls.c.id != sa.bindparam("which")
)


class Jobs:
    """Follows jobs to their end, or stops them."""

    def __init__(self, parts: Parts, endings: Endings) -> None:
        self._parts = parts
        self._endings = endings
        self._pace = Pace()

    async def accepted(self, row: Row, ticket: Ticket) -> Row | None:
        """A vendor has the job: write its id down before anything else, and give the receipt. When nobody wants it any
        more, stop it. None when it is another call's: one found in the vendor's list may be, and its own may have been
        found by an equal call.
        """
        shared = self._parts.registry.family(row["vendor"]).resubmittable  # equal requests have one and the same job

        def accepting(connection: sa.Connection) -> tuple[Row, bool] | None:
            of = connection.execute(LOCKED, {"which": row["generation_id"]}).first()
            if not shared and connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK_OF_JOBS)))
            same = {"seller": row["vendor"], "job": ticket.job_id, "which": row["id"]}
            if not shared and connection.execute(OTHERS, same).first() is not None:
                return None
            data = ticket.model_dump(mode="json")
            changed = self._parts.budgets.submitted(connection, row["id"], data, ticket.estimated_cost_usd)
            receipt = self._parts.budgets.found(connection, row["id"]) if changed is None else {**row, **changed}
            return receipt, of is not None and of.status != "cancelled" and of.deleted_at is None

        said = f"{row['vendor']}'s job {ticket.job_id} of the call {row['id']}"
        written = await self._parts.db.insist(accepting, said)
        if written is None:
            return None
        receipt, wanted = written
        if receipt["job_id"] != ticket.job_id[:255]:
            log.error("%s, but that has %s by now; it is stopped", said, receipt["job_id"])
            await self._stop(row, ticket)
        elif wanted:
            return receipt
        else:
            await self.cancel(receipt)
        return await self._parts.budgets.get(row["id"])

    async def collect(self, row: Row) -> Json:
        """Poll a job until it is over, and keep what it made.

        A poll without an answer is no verdict, and a download that fails is made again after the next poll. Past the
        modality's deadline the job is left to itself: its id and its reservation stay in the receipt, and `Sweep`
        finishes it later.
        """
        if row["result"] is not None:
            return dict(row["result"])
        self._parts.metrics.spans.note({"impresario.vendor_job_id": row["job_id"]})
        with self._parts.metrics.job(row["lane"]):
            return await self._collect(row)

    async def _collect(self, row: Row) -> Json:
        family, ticket = self._parts.registry.family(row["vendor"]), Ticket.model_validate(row["ticket"])
        begun = row["submitted_at"].timestamp()
        limit_s = self._parts.settings.deadline_s(row["modality"])
        shown, failures, met_s = -1.0, 0, now().timestamp() - begun
        key = f"{row['vendor']}/{row['model']}"
        usual = (family.poll_every_s, family.least_poll_s)
        await asyncio.sleep(min(self._pace.first_s(key, met_s, *usual), limit_s))
        while True:  # asked at least once, because it may be done since before a crash
            # May be torn: the job can be asked about again, and what it made is written at once.
            state = await self.ask(row, met_s if not failures else None)
            if isinstance(state, dict):
                return state
            if isinstance(state, Pending):
                shown, failures = await self._show(row, state, shown), 0
            else:
                failures += 1
            if (elapsed_s := now().timestamp() - begun) >= limit_s:
                break
            pause_s = self._pace.pause_s(key, elapsed_s, *usual)
            pause_s = max(pause_s, min(0.25 * 2**failures, MAX_PAUSE_S)) if failures else pause_s
            await asyncio.sleep(min(pause_s, limit_s - elapsed_s))
        return {
            "problem": {
                "code": "deadline",
                "timed_out": True,
                "message": f"{row['model']} was still working when the time for it ran out; its job {ticket.job_id} is "
                "kept, may still cost what was reserved, and its work is added when it comes.",
            }
        }

    async def ask(self, row: Row, met_s: float | None = None) -> Json | Pending | None:
        """One question about a job, and what follows from its answer: the outcome, how far it is, or None where there
        was no verdict. `met_s` is how old it was when it was first asked about, None where its end was not watched for.
        Raises JobLost when its model is no longer offered here."""
        family, model = self._endings.sellers(row)
        request, ticket = media_request.validate_python(row["request"]), Ticket.model_validate(row["ticket"])
        try:
            with about(model.id, model.modality):
                state = await family.poll(ticket)
            if isinstance(state, Pending):
                return state
            took_s = (now() - row["submitted_at"]).total_seconds()
            self._parts.metrics.job_done(model.vendor, model.id, took_s)
            if met_s is not None:
                self._pace.learn(model.name, took_s, met_s)
            return await self._endings.kept(row, request, state, ticket)
        except ProviderError as error:
            if error.permanent:
                return await self._endings.refused(row, error)
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
        await self._parts.events.progress(row["generation_id"], key, data)
        return progress

    async def cancel(self, receipt: Row) -> None:
        """Stop a job at its vendor. What it has cost until then is not known, unless the vendor refunds it silently."""
        model = await self._stop(receipt, Ticket.model_validate(receipt["ticket"]))
        if model is not None:
            amount = Decimal(0) if "free" in model.capabilities else None
            problem = {"code": "cancelled", "message": "The work was cancelled."}
            source = "vendor" if amount is not None else None
            await self._endings.close(receipt["id"], "settled", problem, amount, source)

    async def _stop(self, row: Row, ticket: Ticket) -> Model | None:
        """Tell the vendor; the model that was stopped, None when it could not be."""
        try:
            family, model = self._endings.sellers(row)
            with about(model.id, model.modality):
                await patiently(lambda: family.cancel(ticket), max_wait_s=self._parts.settings.vendor_max_wait_s)
        except ProviderError as error:
            log.warning("%s: job %s could not be cancelled: %s", row["vendor"], ticket.job_id, error)
            return None
        return model
