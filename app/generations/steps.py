"""The effects of a run, each one a durable step: what the loop and the tools may do to the world.

Ids and facts cross a step, bytes never do. A step that a crash interrupted runs again; the receipts make sure that
nothing is bought twice by that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from dbos import DBOS

from app.tools.base import Made
from providers.catalogue import Catalogue
from providers.errors import ProviderError
from providers.types import MediaRequest, Message, Modality

from .parts import Parts, StepFailed, opened
from .turns import Turn, Turns
from .works import Works


@dataclass(frozen=True)
class Frame:
    """What every step of one generation needs to know; fixed when the generation begins."""

    generation_id: str
    owner: str
    agent: tuple[str, str]
    """Vendor and model of the planner."""
    pins: Mapping[str, str]
    cap_usd: Decimal | None


def step_id(generation_id: str, turn: int, position: int = 0) -> str:
    """The id of a model turn (position 0) or of its n-th tool call; the same at every replay."""
    return f"step_{generation_id.removeprefix('gen_')}_{turn:02d}_{position:02d}"


class ToolContext:
    """The `Context` of one tool call."""

    def __init__(self, parts: Parts, frame: Frame, step: str) -> None:
        self._parts = parts
        self._frame = frame
        self._step = step
        self._calls = 0

    @property
    def catalogue(self) -> Catalogue:
        return self._parts.registry.catalogue

    def pinned(self, modality: Modality) -> str | None:
        return self._frame.pins.get(modality)

    def _next_call(self) -> str:
        """The identity of the next paid call of this tool call: the same one at every replay."""
        self._calls += 1
        return f"{self._step}.{self._calls}"

    async def write(self, instructions: str, text: str) -> str:
        vendor, model = self._enhancer()
        turn = Turn(
            generation_id=self._frame.generation_id,
            owner=self._frame.owner,
            step_id=self._next_call(),
            vendor=vendor,
            model=model,
            messages=(Message(role="system", content=instructions), Message(role="user", content=text)),
            cap_usd=self._frame.cap_usd,
        )
        outcome = await DBOS.run_step_async({"name": "write"}, Turns(self._parts).complete, turn)
        written = str(opened(outcome)["reply"]["content"])
        if not written.strip():
            raise StepFailed({"code": "empty", "message": "The enhancer wrote nothing; use the prompt as it is."})
        return written

    def _enhancer(self) -> tuple[str, str]:
        """The cheaper model, or the planner where the cheaper one is not available."""
        if self._frame.agent[0] == "offline":
            return self._frame.agent
        try:
            vendor, model, _ = self._parts.planner(self._parts.settings.enhancer_model, ())
        except ProviderError:
            return self._frame.agent
        return vendor, model

    async def make(self, request: MediaRequest, warnings: tuple[str, ...] = ()) -> Made:
        works, call = Works(self._parts), self._next_call()
        frame = self._frame
        outcome = await DBOS.run_step_async(
            {"name": "submit"}, works.submit, frame.generation_id, self._step, call, request, frame.cap_usd
        )
        if "job" in opened(outcome):
            outcome = await DBOS.run_step_async(
                {"name": "collect", "preemptible": True}, works.collect, frame.generation_id, self._step, call
            )
        done = opened(outcome)
        return Made(tuple(done["assets"]), (*warnings, *done["warnings"]))

    async def asset_type(self, asset_id: str) -> str:
        return str((await self._parts.records.get(self._frame.owner, asset_id))["type"])
