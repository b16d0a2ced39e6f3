"""The parts a generation is worked with, opened by the assembly and passed in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts.budgets import Budgets
from app.assets.records import Records
from app.assets.store import Store
from app.db import Database, generations
from app.errors import AppError, Conflict
from app.settings import Settings
from app.telemetry import Metrics
from app.tools.base import Toolbox
from providers.errors import ProviderError
from providers.http import Http, patiently
from providers.registry import Registry

from .events import Events
from .gate import Gate

T = TypeVar("T")


@dataclass(frozen=True)
class Parts:
    """Everything a workflow touches."""

    settings: Settings
    db: Database
    events: Events
    budgets: Budgets
    records: Records
    store: Store
    http: Http
    registry: Registry
    toolbox: Toolbox
    metrics: Metrics
    gate: Gate

    def agent_model(self) -> str:
        """The planner: `AGENT_MODEL`, or the offline one while the keyless stand-in is all there is."""
        catalogue = self.registry.catalogue
        chosen = "agent_model" in self.settings.model_fields_set
        alone = "openai" in catalogue.unavailable and "offline" not in catalogue.unavailable
        return "offline-planner" if alone and not chosen else self.settings.agent_model

    def planner(self, name: str, needs: Sequence[str] = ("tools",)) -> tuple[str, str, tuple[str, ...]]:
        """Vendor, model and warnings for a chat model's name.

        A name that no family lists is taken to be served at OPENAI_BASE_URL (Ollama, vLLM, a gateway). Raises
        Unavailable or NotOffered.
        """
        catalogue = self.registry.catalogue
        if catalogue.get(name) is None and "openai" in self.registry.families and "openai" not in catalogue.unavailable:
            return "openai", name, ()
        chosen = catalogue.choose("chat", name, needs)
        return chosen.model.vendor, chosen.model.id, chosen.warnings


async def check_wanted(connection: AsyncConnection, generation_id: str) -> None:
    """Raise Conflict when a generation was cancelled or deleted: nothing more is bought for it."""
    query = sa.select(generations.c.status).where(generations.c.id == generation_id)
    if (await connection.execute(query)).scalar() in (None, "cancelled"):
        raise Conflict("The generation was cancelled.")


async def while_wanted(parts: Parts, generation_id: str, call: Callable[[], Awaitable[T]]) -> T:
    """Make a paid call with patience, and give up as soon as nobody wants it: a wait of minutes may lie before a try.

    Raises Conflict when the generation was cancelled or deleted, and what the call raises.
    """

    async def attempt() -> T:
        async with parts.db.reading() as connection:
            await check_wanted(connection, generation_id)
        return await call()

    return await patiently(attempt, max_wait_s=parts.settings.vendor_max_wait_s)


def problem_of(error: Exception) -> dict[str, Any]:
    """An error as plain JSON, to cross a step and to be written down."""
    if isinstance(error, ProviderError | AppError):
        late = {"timed_out": True} if is_timeout(error) else {}
        return {"code": error.code, "message": str(error), **late}
    return {"code": "internal_error", "message": f"An internal error happened ({type(error).__name__})."}


def is_timeout(error: BaseException) -> bool:
    """Whether an error came of waiting too long: at the bottom of every HTTP stack's own error lies a TimeoutError."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, TimeoutError):
        found = found.__cause__ or found.__context__
    return found is not None


class StepFailed(Exception):
    """An effect that failed, on the workflow's side of its step: `problem` is what `problem_of` made of the error."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(problem["message"])
        self.problem = dict(problem)


def opened(outcome: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a step returned, or StepFailed where it returned a problem."""
    if "problem" in outcome:
        raise StepFailed(outcome["problem"])
    return outcome
