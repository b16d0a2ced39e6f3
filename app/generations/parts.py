"""The parts a generation is worked with, opened by the assembly and passed in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from app.accounts.budgets import Budgets
from app.accounts.lanes import Lanes
from app.assets.records import Records
from app.assets.store import Store
from app.db import Database
from app.errors import AppError
from app.settings import Settings
from app.telemetry import Metrics
from app.tools.base import Toolbox, ToolFailed
from providers.errors import ProviderError
from providers.http import Http
from providers.registry import Registry

from .events import Events
from .gate import Gate
from .line import Line
from .live import Live

T = TypeVar("T", str, str | None)


@dataclass(frozen=True)
class Parts:
    """Everything a run touches. `executor` names this process among those that share the database."""

    settings: Settings
    db: Database
    events: Events
    budgets: Budgets
    lanes: Lanes
    records: Records
    store: Store
    http: Http
    registry: Registry
    toolbox: Toolbox
    metrics: Metrics
    gate: Gate
    executor: str
    live: Live = field(default_factory=Live)
    fetching: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """Held while a linked file is fetched, by the id it gets."""
    line: Line = field(init=False)

    def __post_init__(self) -> None:
        line = Line(
            self.db,
            self.budgets,
            self.lanes,
            self.events,
            self.gate,
            self.executor,
            self.settings.vendor_max_wait_s,
        )
        object.__setattr__(self, "line", line)
        self.metrics.waiting = line.waiting

    def agent_model(self) -> str:
        """The planner: `AGENT_MODEL`; where none is set and the default has no key, the best there is."""
        catalogue = self.registry.catalogue
        if "agent_model" in self.settings.model_fields_set or "openai" not in catalogue.unavailable:
            return self.settings.agent_model
        able = catalogue.offered("chat", ("tools",))
        return catalogue.shown_name(able[0]) if able else self.settings.agent_model

    def planner(self, name: str, needs: Iterable[str] = ("tools",)) -> tuple[str, str, tuple[str, ...]]:
        """Vendor, model and warnings for a chat model's name.

        A name that no family lists is taken to be served at OPENAI_BASE_URL (Ollama, vLLM, a gateway). Raises
        Unavailable or NotOffered.
        """
        catalogue = self.registry.catalogue
        if catalogue.get(name) is None and "openai" in self.registry.families and "openai" not in catalogue.unavailable:
            return "openai", name, ()
        chosen = catalogue.choose("chat", name, needs)
        return chosen.model.vendor, chosen.model.id, chosen.warnings


def problem_of(error: Exception) -> dict[str, Any]:
    """An error as plain JSON, to be written down and told to the planner."""
    if isinstance(error, ProviderError | AppError):
        late = {"timed_out": True} if is_timeout(error) else {}
        refused = isinstance(error, ProviderError) and error.elsewhere and error.charged is False
        elsewhere = {"elsewhere": True} if refused else {}
        return {"code": error.code, "message": plain(str(error)), **late, **elsewhere}
    if isinstance(error, ToolFailed):
        return {"code": error.code, "message": plain(str(error))}
    return {"code": "internal_error", "message": f"An internal error happened ({type(error).__name__})."}


def plain(text: T) -> T:
    """A vendor's words without the one character Postgres does not take."""
    return text.replace("\x00", "") if isinstance(text, str) else text


def is_timeout(error: BaseException) -> bool:
    """Whether an error came of waiting too long: at the bottom of every HTTP stack's own error lies a TimeoutError."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, TimeoutError):
        found = found.__cause__ or found.__context__
    return found is not None


class StepFailed(ToolFailed):
    """An effect that failed: `problem` is what `problem_of` made of the error. A tool may go on without it."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(problem["message"])
        self.problem = dict(problem)
        self.code = str(problem["code"])


def opened(outcome: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an effect came to, or StepFailed where that is a problem."""
    if "problem" in outcome:
        raise StepFailed(outcome["problem"])
    return outcome
