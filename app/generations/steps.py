"""The effects of a tool call: what the tools may do to the world.

Each is written down as it happens, under an identity that follows from its place in the run; asked for again after a
crash, it gives what it came to, and nothing is bought twice. Ids and facts are kept, bytes never.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from app.tools.base import Made, Prepared
from providers.catalogue import Catalogue
from providers.errors import ProviderError
from providers.types import Message, Modality

from .journal import Frame
from .parts import Parts, StepFailed, opened
from .turns import Turn, Turns
from .works import Order, Works

MOST_VENDORS = 3
"""How many vendors are asked for one work before it has failed."""


class ToolContext:
    """The `Context` of one tool call."""

    def __init__(self, parts: Parts, works: Works, frame: Frame, step: str) -> None:
        self._parts = parts
        self._works = works
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
            again=self._frame.again,
        )
        written = str(opened(await Turns(self._parts).complete(turn))["reply"]["content"])
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

    async def make(self, prepare: Callable[[], Awaitable[Prepared]]) -> Made:
        order: Order | None = None
        asked: list[str] = []
        while True:
            call = self._next_call()
            earlier = await self._works.ordered(call) if self._frame.again else None
            order = earlier or order or Order(*await prepare())
            outcome = await self._works.make(self._frame, self._step, call, order)
            asked.append(order.request.model)
            said = order.warnings
            order = self._elsewhere(order, outcome.get("problem"), asked)
            if order is None:
                break
        done = opened(outcome)
        return Made(tuple(done["assets"]), (*said, *done["warnings"]))

    def _elsewhere(self, order: Order, problem: Any, asked: list[str]) -> Order | None:
        """The same request for another model, after a definite refusal to start: one that can do the same, and only
        where the request did not insist on a model."""
        request = order.request
        if not problem or not problem.get("elsewhere") or self.pinned(request.modality) or len(asked) >= MOST_VENDORS:
            return None
        refused = self.catalogue.get(request.model)
        if refused is None:
            return None
        tried = {name.partition("/")[0] for name in asked}
        for model in self.catalogue.equals(refused, request):
            sibling = problem["code"] == "model_gone" and model.vendor == refused.vendor
            if model.name not in asked and (sibling or model.vendor not in tried):
                said = f"{refused.id} could not start ({problem['message']}) {model.id} was asked instead."
                moved = request.model_copy(update={"model": model.name})
                return Order(moved, (*order.warnings, said))
        return None

    async def asset_type(self, asset_id: str) -> str:
        return str((await self._parts.records.get(self._frame.owner, asset_id))["type"])
