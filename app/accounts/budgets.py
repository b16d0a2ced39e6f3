"""The receipts: one row for each paid call, committed before the request leaves (DESIGN 6).

reserved    the intent is written down. Not admitted yet (`admitted_at` is null): it waits in line, and nothing has
            left; admitted: the request may have left
submitted   the vendor accepted a job, whose ticket is in the row
settled     the outcome is known, and paid for (amount None: what it cost is not known)
released    definitely not accepted, so nothing is owed
unknown     the request left and its outcome was lost; never sent again by itself
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from app.db import Database, calls, generations, now, rows_of
from app.errors import BudgetExceeded
from app.telemetry import Metrics

Row = Mapping[str, Any]
UNSETTLED = ("reserved", "submitted", "unknown")
# Built once: to build a statement takes longer than to run it.
FIND = sa.select(calls).where(calls.c.id == sa.bindparam("which"))
SELLER = sa.select(calls.c.vendor, calls.c.model).where(calls.c.id == sa.bindparam("which"))
AMOUNTS = sa.select(calls.c.state, calls.c.amount_usd, calls.c.estimate_usd)
CHANGE = sa.update(calls).where(calls.c.id == sa.bindparam("which"))
FROM_RESERVED = CHANGE.where(calls.c.state == "reserved")
WITHOUT_JOB = CHANGE.where(calls.c.state.in_(("reserved", "unknown")), calls.c.ticket.is_(None))
FROM_OPEN = CHANGE.where(calls.c.state.in_(("reserved", "submitted")))
FROM_UNSETTLED = CHANGE.where(calls.c.state != "settled")
UNLESS_KNOWN = CHANGE.where(
    sa.or_(
        calls.c.state != "settled",
        calls.c.result.is_(None),
        calls.c.error.is_not(None) & calls.c.amount_usd.is_(None),  # cancelled, and what it cost was not known
    )
)
IN_LINE = sa.select(calls.c.id).where(
    calls.c.generation_id == sa.bindparam("which"), calls.c.state == "reserved", calls.c.admitted_at.is_(None)
)
NEVER_MADE = {"code": "cancelled", "message": "The generation ended before this call was made."}
AT_ONCE = 500
"""Ids in one statement."""
BLANK: Row = dict.fromkeys(calls.c.keys())


@dataclass(frozen=True)
class Intent:
    """A call about to be made. `request` is the frozen request as plain JSON, without bytes."""

    id: str
    generation_id: str
    step_id: str
    owner: str
    lane: str
    """Whose line it stands in: `vendor.modality`."""
    vendor: str
    model: str
    modality: str
    request_digest: str
    request: Mapping[str, Any] | None
    estimate_usd: Decimal | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Spending:
    """What a generation, or a part of it, has cost so far."""

    known_usd: Decimal
    complete: bool

    @property
    def cost_usd(self) -> Decimal | None:
        """The cost, None when nothing of it is known: unknown is not zero."""
        return self.known_usd if self.complete or self.known_usd else None


class Budgets:
    """Reserves before a call, settles or releases after it. What takes a connection runs inside `Database.write`.

    What ends a call says whether it did. `facts` are further columns: `result` is what the call came to, so that a
    replay gets the same without calling again.
    """

    def __init__(self, db: Database, metrics: Metrics) -> None:
        self._db = db
        self._metrics = metrics

    def find(self, connection: sa.Connection, call_id: str) -> Row | None:
        """The receipt of a call that was begun before."""
        found = connection.execute(FIND, {"which": call_id}).mappings().first()
        return None if found is None else dict(found)

    def found(self, connection: sa.Connection, call_id: str) -> Row:
        """The receipt of a call. Raises LookupError."""
        if (row := self.find(connection, call_id)) is None:
            raise LookupError(f"no call {call_id}")
        return row

    def reserve(
        self, connection: sa.Connection, intent: Intent, cap_usd: Decimal | None, *, admitted: bool
    ) -> tuple[Row, bool]:
        """Write the intent down, unless it is already; the receipt, and whether it is new. `admitted` says that nothing
        keeps the request from leaving at once.

        Raises BudgetExceeded when the generation's cap would be passed: settled amounts, what is reserved for calls
        under way, and this estimate are added up inside the one write transaction, so calls side by side cannot both
        fit.
        """
        if cap_usd is not None:
            if (row := self.find(connection, intent.id)) is not None:
                return row, False
            self._check_cap(connection, intent, cap_usd)
        at = now()
        values = {**intent.__dict__, "warnings": list(intent.warnings) or None, "state": "reserved"}
        receipt = {**BLANK, **values, "created_at": at, "admitted_at": at if admitted else None}
        if self._db.insert_once(connection, calls, receipt):
            return receipt, True
        return self.found(connection, intent.id), False

    def _check_cap(self, connection: sa.Connection, intent: Intent, cap_usd: Decimal) -> None:
        if intent.estimate_usd is None:
            if intent.modality == "chat":
                return  # a model without a price is somebody's own; see docs/decisions
            raise BudgetExceeded(
                f"The price of {intent.model} is not known, so it cannot be held under max_cost_usd; "
                "choose a model with a price."
            )
        # On Postgres two processes would not see each other's intent; SQLite lets in one writer at a time anyway.
        connection.execute(
            sa.select(generations.c.id).where(generations.c.id == intent.generation_id).with_for_update()
        )
        committed = Decimal(0)
        for row in rows_of(connection, AMOUNTS.where(calls.c.generation_id == intent.generation_id)):
            amount = (
                row["estimate_usd"] if row["state"] in UNSETTLED or row["amount_usd"] is None else row["amount_usd"]
            )
            committed += Decimal(0) if row["state"] == "released" else amount or Decimal(0)
        if committed + intent.estimate_usd > cap_usd:
            raise BudgetExceeded(
                f"{intent.model} would cost about ${intent.estimate_usd:.4f}, and ${committed:.4f} of the cap of "
                f"${cap_usd} is already spent or reserved; the call was not made."
            )

    async def get(self, call_id: str) -> Row:
        """One receipt. Raises LookupError."""
        return await self._db.read(lambda connection: self.found(connection, call_id))

    async def under_way(self, generation_id: str) -> list[Row]:
        """The jobs of a generation that a vendor has accepted and not finished."""
        return await self._db.rows(
            sa.select(calls).where(calls.c.generation_id == generation_id, calls.c.state == "submitted")
        )

    def submitted(
        self, connection: sa.Connection, call_id: str, ticket: Mapping[str, Any], estimate_usd: Decimal | None
    ) -> Row | None:
        """The vendor accepted a job: what that changes, None when the receipt has another job by now. `estimate_usd`
        replaces the reserve where the vendor said what it will cost."""
        job_id = str(ticket["job_id"])[:255]
        values: dict[str, Any] = {"state": "submitted", "ticket": ticket, "job_id": job_id, "submitted_at": now()}
        if estimate_usd is not None:
            values["estimate_usd"] = estimate_usd
        return values if self._set(connection, WITHOUT_JOB, call_id, values) else None

    def settled(
        self, connection: sa.Connection, call_id: str, amount_usd: Decimal | None, source: str | None, **facts: Any
    ) -> bool:
        """The outcome is known. `source` says where the amount comes from: vendor, usage, estimate or reused."""
        values = {"state": "settled", "amount_usd": amount_usd, "amount_source": source, "settled_at": now()}
        change = FROM_UNSETTLED if facts.get("error") else UNLESS_KNOWN
        return self._set(connection, change, call_id, {"error": None, **values, **facts})

    def answered(
        self, connection: sa.Connection, call_id: str, amount_usd: Decimal | None, source: str | None, **facts: Any
    ) -> bool:
        """A model turn was answered; False when another process, which took this one for dead, has taken it again: then
        only what it cost is written down."""
        values = {"state": "settled", "amount_usd": amount_usd, "amount_source": source, "settled_at": now()}
        if self._set(connection, FROM_RESERVED, call_id, {**values, **facts}):
            return True
        self.settled(connection, call_id, amount_usd, source, usage=facts.get("usage"))
        return False

    def released(self, connection: sa.Connection, call_id: str, error: Mapping[str, Any], **facts: Any) -> bool:
        """Definitely not accepted: nothing is owed."""
        values = {"state": "released", "amount_usd": Decimal(0), "error": error, "settled_at": now()}
        return self._set(connection, FROM_OPEN, call_id, {**values, **facts})

    def unknown(self, connection: sa.Connection, call_id: str, error: Mapping[str, Any], **facts: Any) -> bool:
        """The request left and its outcome is lost: it may be owed."""
        return self._set(connection, FROM_OPEN, call_id, {"state": "unknown", "error": error, **facts})

    def release_waiting(self, connection: sa.Connection, generation_id: str) -> None:
        """The generation ended: its calls that stand in line will not be made."""
        for call_id in connection.execute(IN_LINE, {"which": generation_id}).scalars().all():
            self.released(connection, call_id, NEVER_MADE)

    def back_in_line(self, connection: sa.Connection, call_id: str, not_before: dt.datetime) -> None:
        """The vendor refused for now: nothing was accepted, and it may be sent again from that time on."""
        self._set(connection, FROM_RESERVED, call_id, {"admitted_at": None, "not_before": not_before})

    def recall(self, connection: sa.Connection, call_ids: Sequence[str], executor: str) -> None:
        """Put those of these calls back in line that are admitted, for generations that are still this process's."""
        mine = sa.select(generations.c.id).where(generations.c.executor == executor)
        admitted = sa.and_(calls.c.state == "reserved", calls.c.admitted_at.is_not(None))
        for start in range(0, len(call_ids), AT_ONCE):
            these = calls.c.id.in_(call_ids[start : start + AT_ONCE])
            back = sa.update(calls).where(these, admitted, calls.c.generation_id.in_(mine))
            connection.execute(back, {"admitted_at": None})

    def _set(self, connection: sa.Connection, change: sa.Update, call_id: str, values: Mapping[str, Any]) -> bool:
        """Whether it was for this process to say: another one, which took this one for dead, may have been faster, and
        what it wrote stays."""
        changed = bool(connection.execute(change, {**values, "which": call_id}).rowcount)
        if changed and "state" in values:  # counted with the commit, because until then the work may be run again
            counter = self._metrics.calls.labels(values["state"])
            sa.event.listen(connection, "commit", lambda _: counter.inc())
        if changed and values.get("state") == "settled" and (amount := values["amount_usd"]) != 0:
            vendor, model = connection.execute(SELLER, {"which": call_id}).one()
            sa.event.listen(connection, "commit", lambda _: self._metrics.settled(vendor, model, amount))
        return changed

    def spent(self, connection: sa.Connection, generation_id: str) -> Decimal | None:
        """What a generation has cost so far, None when nothing of it is known."""
        return spending(rows_of(connection, AMOUNTS.where(calls.c.generation_id == generation_id))).cost_usd

    async def of_generations(self, generation_ids: Iterable[str]) -> list[Row]:
        """Every receipt of these generations, oldest first."""
        query = sa.select(calls).where(calls.c.generation_id.in_(list(generation_ids)))
        return await self._db.rows(query.order_by(calls.c.created_at, calls.c.id))


def spending(rows: Iterable[Row]) -> Spending:
    """What these receipts add up to; incomplete while a call is under way, unknown, or settled without an amount."""
    known, complete = Decimal(0), True
    for row in rows:
        if row["state"] in UNSETTLED or row["amount_usd"] is None:
            complete = False
        else:
            known += row["amount_usd"]
    return Spending(known, complete)


def canonical_json(value: Any) -> str:
    """JSON in one spelling, for digests."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
