"""The effects of a tool call: what the tools may do to the world.

Each is written down as it happens, under an identity that follows from its place in the run; asked for again after a
crash, it gives what it came to, and nothing is bought twice. Ids and facts are kept, bytes never.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from app.errors import AppError
from app.tools.base import ToolFailed
from app.tools.context import Asked, Given, Made, Prepare, Question, Written
from providers.catalogue import Catalogue
from providers.errors import ProviderError
from providers.types import MediaRequest, Message

from .files import Files
from .journal import Frame
from .parts import Parts, StepFailed, opened, problem_of
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
        self._files = Files(parts)
        self._calls: Counter[int] = Counter()

    @property
    def catalogue(self) -> Catalogue:
        return self._parts.registry.catalogue

    @property
    def streaming(self) -> bool:
        return self._frame.stream

    def pinned(self, modality: str) -> str | None:
        return self._frame.pins.get(modality)

    def _next_call(self, part: int = 0) -> str:
        """The identity of the next paid call of this tool call: the same one at every replay. Calls that are made side
        by side are counted apart, because which of them comes to its second try first is chance."""
        self._calls[part] += 1
        return self._call_id(part, self._calls[part])

    def _call_id(self, part: int, number: int) -> str:
        return f"{self._step}.{part}.{number}" if part else f"{self._step}.{number}"

    def _part_of(self, call_id: str) -> int:
        part = call_id.removeprefix(f"{self._step}.").rpartition(".")[0]
        return int(part) if part else 0

    # ---- models that write and look ----

    async def write(self, instructions: str, text: str) -> str:
        vendor, model = await self._asked_before() or self._enhancer()
        written = await self._turn(vendor, model, instructions, text)
        if not written.strip():
            raise StepFailed({"code": "empty", "message": "The enhancer wrote nothing; use the text as it is."})
        return written

    async def ask(self, question: Question) -> Asked:
        before = await self._asked_before()
        vendor, model, warnings = (*before, ()) if before else self._looker(question)
        tokens = await Turns(self._parts).image_tokens(
            self._frame.owner, question.media_ids, vendor, model, question.detail
        )
        said = await self._turn(
            vendor,
            model,
            question.instructions,
            question.text,
            media_ids=question.media_ids,
            answer_schema=question.answer_schema,
            detail=question.detail,
        )
        return Asked(said, f"{vendor}/{model}", warnings, tokens)

    async def _asked_before(self) -> tuple[str, str] | None:
        """Who was asked the next question before a crash, if it was asked."""
        if not self._frame.again:
            return None
        return await Turns(self._parts).asked_before(self._call_id(0, self._calls[0] + 1))

    async def _turn(self, vendor: str, model: str, instructions: str, text: str, **more: Any) -> str:
        messages = (
            Message(role="system", content=instructions),
            Message(role="user", content=text, media_ids=more.pop("media_ids", ())),
        )
        turn = Turn(
            generation_id=self._frame.generation_id,
            owner=self._frame.owner,
            step_id=self._next_call(),
            vendor=vendor,
            model=model,
            messages=messages,
            cap_usd=self._frame.cap_usd,
            again=self._frame.again,
            **more,
        )
        reply = opened(await Turns(self._parts).complete(turn))["reply"]
        if reply["refusal"] and not reply["content"]:
            raise StepFailed({"code": "refused", "message": f"{model} would not do this: {reply['refusal'][:300]}"})
        return str(reply["content"])

    def _enhancer(self) -> tuple[str, str]:
        """The cheaper model, or the planner where the cheaper one is not available."""
        if self._frame.agent[0] == "offline":
            return self._frame.agent
        try:
            vendor, model, _ = self._parts.planner(self._parts.settings.enhancer_model, ())
        except ProviderError as error:
            if self._frame.agent[0]:
                return self._frame.agent
            raise StepFailed({"code": error.code, "message": str(error)}) from error
        return vendor, model

    def _looker(self, question: Question) -> tuple[str, str, tuple[str, ...]]:
        """Who looks: the one insisted on, else the planner if it can, else the best there is. Raises ProviderError."""
        wanted = self.pinned("vision") or question.wanted
        if wanted is not None and self.catalogue.get(wanted) is None:
            return self._parts.planner(wanted, question.needs)
        planner = self.catalogue.get("/".join(self._frame.agent))
        able = self.catalogue.offered("chat", question.needs)
        if wanted is None and planner in able:
            wanted = planner.name if planner is not None else None
        chosen = self.catalogue.choose("chat", wanted, question.needs)
        return chosen.model.vendor, chosen.model.id, chosen.warnings

    # ---- vendors ----

    async def begun(self) -> Mapping[int, MediaRequest]:
        orders = await self._works.ordered_by(self._step)
        return {self._part_of(call_id): order.request for call_id, order in orders.items()}

    async def make(self, *prepares: Prepare) -> Made:
        tasks = [asyncio.create_task(self._make(part, prepare)) for part, prepare in enumerate(prepares)]
        try:
            outcomes = await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # one that broke off ends the others; what they have sent is finished behind the gate
                task.cancel()
        failed = [outcome for outcome in outcomes if isinstance(outcome, StepFailed)]
        made = [outcome for outcome in outcomes if isinstance(outcome, Made)]
        if not made:
            raise failed[0]
        warnings = [warning for one in made for warning in one.warnings]
        if failed:
            warnings.append(f"{len(failed)} of {len(outcomes)} calls failed: {failed[0]}")
        assets = tuple(asset for one in made for asset in one.assets)
        return Made(assets, tuple(dict.fromkeys(warnings)), made[0].transcript)

    async def _make(self, part: int, prepare: Prepare) -> Made | StepFailed:
        """One request and what came of it; a failure that says nothing about the others is given back, not raised."""
        order: Order | None = None
        asked: list[str] = []
        while True:
            call = self._next_call(part)
            earlier = await self._works.ordered(call) if self._frame.again else None
            try:
                order = earlier or order or Order(*await prepare())
            except (ProviderError, AppError, ToolFailed) as error:
                return StepFailed(problem_of(error))
            outcome = await self._works.make(self._frame, self._step, call, order)
            asked.append(order.request.model)
            said = order.warnings
            order = self._elsewhere(order, outcome.get("problem"), asked)
            if order is None and not await self._moved_before(part, outcome.get("problem")):
                break
        try:
            done = opened(outcome)
        except StepFailed as failure:
            return failure
        return Made(tuple(done["assets"]), (*said, *done["warnings"]), done.get("transcript"))

    async def _moved_before(self, part: int, problem: Any) -> bool:
        """Whether another model was asked before a crash, which may not be on offer any more: what it made is paid."""
        if not self._frame.again or not problem or not problem.get("elsewhere"):
            return False
        return await self._works.ordered(self._call_id(part, self._calls[part] + 1)) is not None

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
                self._parts.metrics.fallback(refused.name, model.name, problem["code"])
                return Order(moved, (*order.warnings, said))
        return None

    # ---- files ----

    async def input(self, ref: str, *types: str) -> Given:
        return await self._files.given(self._frame.owner, self._frame.generation_id, ref, *types)

    async def keep(self, *files: Written) -> list[Mapping[str, Any]]:
        return [*await self._files.keep(self._frame.owner, self._frame.generation_id, self._step, files)]
