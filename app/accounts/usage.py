"""What was spent: an owner's receipts added up by day, vendor, model, key and modality.

Amounts are exact text in the database, so they are added here and not by it. What is not known is counted apart from
what is: unknown is not zero.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from app.db import calls

from .budgets import Spending

NAMES = ("day", "vendor", "model", "key", "modality")
"""What receipts can be added up by."""
NOBODY = "anonymous"
"""The key shown for calls that were made without one."""
PAGE = 2000


@dataclass
class Doubt:
    """Calls whose cost is not known, and what they may come to."""

    calls: int = 0
    up_to_usd: Decimal | None = Decimal(0)
    """The sum of the estimates; None when one of them has none."""

    def add(self, estimate: Decimal | None) -> None:
        """One more."""
        self.calls += 1
        self.up_to_usd = None if self.up_to_usd is None or estimate is None else self.up_to_usd + estimate


@dataclass
class Figures:
    """What some receipts add up to."""

    calls: int = 0
    known_usd: Decimal = Decimal(0)
    open: Doubt = field(default_factory=Doubt)
    """Still under way."""
    unknown: Doubt = field(default_factory=Doubt)
    """The outcome was lost."""
    unpriced: Doubt = field(default_factory=Doubt)
    """Done, by a vendor that tells no price."""
    released_calls: int = 0
    reused_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def spending(self) -> Spending:
        """The cost, by the same rule as a generation's."""
        return Spending(self.known_usd, not (self.open.calls or self.unknown.calls or self.unpriced.calls))

    def add(self, row: Any) -> None:
        """One more receipt."""
        self.calls += 1
        self.released_calls += row.state == "released"
        self.reused_calls += row.amount_source == "reused"
        if row.state in ("reserved", "submitted"):
            self.open.add(row.estimate_usd)
        elif row.state == "unknown":
            self.unknown.add(row.estimate_usd)
        elif row.amount_usd is None:
            self.unpriced.add(row.estimate_usd)
        else:
            self.known_usd += row.amount_usd
        if row.usage:
            self.input_tokens += row.usage.get("input_tokens") or 0
            self.output_tokens += row.usage.get("output_tokens") or 0


@dataclass
class Usage:
    """Figures by group, each named by its words in the order asked for; and all of them together."""

    groups: dict[tuple[str, ...], Figures]
    total: Figures


def usage(connection: sa.Connection, owner: str, first: dt.date, last: dt.date, by: Sequence[str]) -> Usage:
    """What an owner's calls of these days (UTC, both included) add up to. A call counts on the day it was begun.

    For `Database.read`: it may look at very many rows, a few at a time.
    """
    found = Usage({}, Figures())
    for row in _receipts(connection, owner, first, last):
        words = {
            "day": row.created_at.astimezone(dt.UTC).date().isoformat(),
            "vendor": row.vendor,
            "model": row.model,
            "key": row.owner or NOBODY,
            "modality": row.modality,
        }
        if by:
            found.groups.setdefault(tuple(words[name] for name in by), Figures()).add(row)
        found.total.add(row)
    return found


def _receipts(connection: sa.Connection, owner: str, first: dt.date, last: dt.date) -> Iterator[Any]:
    names = ("id", "created_at", "vendor", "model", "owner", "modality", "state", "estimate_usd")
    columns = [calls.c[name] for name in (*names, "amount_usd", "amount_source", "usage")]
    end = dt.datetime.combine(last, dt.time.max, dt.UTC)
    query = sa.select(*columns).where(calls.c.owner == owner, calls.c.created_at <= end)
    query = query.order_by(calls.c.created_at, calls.c.id).limit(PAGE)
    begin, seen = dt.datetime.combine(first, dt.time.min, dt.UTC), ""
    while True:
        behind = sa.or_(calls.c.created_at > begin, calls.c.id > seen)
        rows = connection.execute(query.where(calls.c.created_at >= begin, behind)).all()
        yield from rows
        if len(rows) < PAGE:
            return
        begin, seen = rows[-1].created_at, rows[-1].id
