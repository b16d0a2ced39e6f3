"""How a paid call ends: kept and settled, or refused, and what either means for the money."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from app.accounts.budgets import Row
from app.errors import AppError, NotFound, StoreFailed
from providers.base import Family
from providers.catalogue import Model
from providers.errors import DownloadFailed, JobLost, OutcomeUnknown, ProviderError
from providers.prices import media_cost, round_up
from providers.types import Done, MediaRequest, Ticket

from .keeping import Keeper
from .parts import Parts, problem_of

Json = dict[str, Any]


class Endings:
    """Writes down what calls have come to."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._keeper = Keeper(parts)

    def model(self, name: str) -> Model:
        """A model by `vendor/model`. Raises JobLost when it is no longer offered here."""
        model = self._parts.registry.catalogue.get(name)
        if model is None:
            raise JobLost(f"The model {name} is no longer in the catalogue.")
        return model

    def sellers(self, row: Row) -> tuple[Family, Model]:
        """Who was hired for a call. Raises JobLost."""
        return self._parts.registry.family(row["vendor"]), self.model(f"{row['vendor']}/{row['model']}")

    async def kept(self, row: Row, request: MediaRequest, done: Done, ticket: Ticket | None = None) -> Json:
        """Bring a finished work into the store and settle its receipt.

        Raises DownloadFailed and StoreFailed for a job that can be asked about again.
        """
        family, model = self.sellers(row)
        cost = done.cost_usd if done.cost_usd is not None else media_cost(model, request, done.usage)
        source = "vendor" if done.cost_usd is not None else "usage" if cost is not None else None
        share = None if cost is None else round_up(cost / max(len(done.outputs), 1))
        try:
            works = [] if done.transcript else await self._keeper.keep(family, row, request, done, share, ticket)
        except OutcomeUnknown as error:  # a stream broke off
            return await self.refused(row, error)
        except (ProviderError, AppError) as error:
            passing = isinstance(error, StoreFailed) or (isinstance(error, DownloadFailed) and not error.permanent)
            if ticket is not None and passing:
                raise  # it is there, and paid for: the next poll tries again
            return await self.close(row["id"], "settled", problem_of(error), cost, source)
        warnings = [*(ticket.warnings if ticket else ()), *done.warnings]
        heard = done.transcript.model_dump(mode="json", exclude_none=True) if done.transcript else None
        return await self._keeper.record(row, works, cost, source, warnings, done.usage, heard)

    async def again(self, row: Row) -> Json | None:
        """Answer a call from the works of an equal one (`reuse`); None when those are gone meanwhile."""
        try:
            return await self._keeper.again(row)
        except NotFound:
            return None
        except AppError as error:
            return await self.close(row["id"], "settled", problem_of(error), Decimal(0), "reused")

    async def refused(self, row: Row, error: ProviderError) -> Json:
        """A vendor's failure, and what it means for the money."""
        problem = problem_of(error)
        if error.cost_usd is not None:
            return await self.close(row["id"], "settled", problem, error.cost_usd, "vendor")
        if error.charged is False:
            return await self.close(row["id"], "released", problem)
        if error.code in ("moderated", "job_failed"):
            return await self.close(row["id"], "settled", problem)
        return await self.close(row["id"], "unknown", problem)

    async def close(
        self,
        call_id: str,
        state: str,
        problem: Mapping[str, Any],
        amount: Decimal | None = None,
        source: str | None = None,
    ) -> Json:
        """Write down that a call came to nothing: `released`, `unknown`, or `settled` with what it cost."""
        budgets, result = self._parts.budgets, {"problem": dict(problem)}

        def closing(connection: sa.Connection) -> Json:
            if state == "released":
                changed = budgets.released(connection, call_id, problem, result=result)
            elif state == "unknown":
                changed = budgets.unknown(connection, call_id, problem, result=result)
            else:
                changed = budgets.settled(connection, call_id, amount, source, error=problem, result=result)
            return result if changed else budgets.found(connection, call_id)["result"] or result

        return await self._parts.db.insist(closing, f"the end of the call {call_id}")
