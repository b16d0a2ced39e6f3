"""Model turns: one paid chat call each, with its receipt.

A turn that was under way when the process died is lost: its receipt becomes `unknown`, with its possible cost, and the
turn is taken anew under an identity of its own, because nothing can be decided without it (docs/decisions/0002).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.accounts.budgets import Intent, canonical_json
from app.assets.probe import fitted
from app.errors import AppError, BudgetExceeded, Conflict
from providers.catalogue import Model, round_up
from providers.errors import ProviderError
from providers.types import ChatReply, ChatRequest, Media, Message, ToolSpec

from .parts import Parts, check_wanted, problem_of, while_wanted

MAX_ATTEMPTS = 5
SEEN_SIDE = 1024  # pixels: what a model needs to recognise a picture, and few tokens
RESERVED_OUTPUT_TOKENS = 2000
TOKENS_OF_A_PICTURE = 1500


@dataclass(frozen=True)
class Turn:
    """One chat call to make. `step_id` names it; its attempts get numbers behind it."""

    generation_id: str
    owner: str
    step_id: str
    vendor: str
    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tools_allowed: bool = True
    cap_usd: Decimal | None = None


class Turns:
    """Makes chat calls."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def complete(self, turn: Turn) -> dict[str, Any]:
        """`{"reply": ...}` or `{"problem": ...}`, as plain JSON; the same again when asked again after a crash."""
        async with self._parts.gate.passing():
            try:
                call_id, earlier = await self._reserve(turn)
            except (BudgetExceeded, Conflict) as error:
                return {"problem": problem_of(error)}
            return earlier if earlier is not None else await self._call(turn, call_id)

    async def _reserve(self, turn: Turn) -> tuple[str, dict[str, Any] | None]:
        """The first attempt not yet made, its receipt written; or the outcome of one that was finished."""
        problem = {"code": "lost_in_crash", "message": "The process ended while this model turn was under way."}
        for attempt in range(1, MAX_ATTEMPTS + 1):
            intent = self._intent(turn, f"{turn.step_id}.{attempt}")
            async with self._parts.db.transaction() as connection:
                row = await self._parts.budgets.reserve(connection, intent, turn.cap_usd)
                if row is None:
                    await check_wanted(connection, turn.generation_id)
                    return intent.id, None
                if row["state"] == "settled":
                    return intent.id, row["result"]
                if row["state"] == "reserved":
                    await self._parts.budgets.unknown(connection, intent.id, problem)
                elif row["result"] is not None:  # it failed while the process lived
                    return intent.id, row["result"]
        return turn.step_id, {"problem": {**problem, "message": "This model turn was lost in a crash too often."}}

    def _intent(self, turn: Turn, call_id: str) -> Intent:
        text = canonical_json([message.model_dump() for message in turn.messages])
        return Intent(
            id=call_id,
            generation_id=turn.generation_id,
            step_id=turn.step_id,
            vendor=turn.vendor,
            model=turn.model,
            modality="chat",
            request_digest=hashlib.sha256(text.encode()).hexdigest(),
            request=None,
            estimate_usd=estimate(self._parts.registry.catalogue.get(turn.model), turn),
        )

    async def _call(self, turn: Turn, call_id: str) -> dict[str, Any]:
        parts = self._parts
        family = parts.registry.family(turn.vendor)
        row = parts.registry.catalogue.get(turn.model)
        try:
            images = await self._images(turn)
            request = ChatRequest(
                model=row.wire_id if row else turn.model,
                messages=turn.messages,
                tools=turn.tools,
                tools_allowed=turn.tools_allowed,
                images=images,
            )
            reply = await while_wanted(parts, turn.generation_id, lambda: family.complete(request))
        except (ProviderError, AppError) as error:
            return await self._failed(call_id, error)
        return await self._settle(call_id, reply)

    async def _settle(self, call_id: str, reply: ChatReply) -> dict[str, Any]:
        result = {"reply": reply.model_dump(mode="json")}
        usage = reply.usage.model_dump() if reply.usage else None
        source = "usage" if reply.cost_usd is not None else None
        async with self._parts.db.transaction() as connection:
            await self._parts.budgets.settled(connection, call_id, reply.cost_usd, source, usage=usage, result=result)
        return result

    async def _failed(self, call_id: str, error: ProviderError | AppError) -> dict[str, Any]:
        """Nothing is owed after a definite refusal; anything else may be owed (DESIGN 6.8)."""
        problem = problem_of(error)
        async with self._parts.db.transaction() as connection:
            if isinstance(error, AppError) or error.charged is False:
                await self._parts.budgets.released(connection, call_id, problem)
            else:
                await self._parts.budgets.unknown(connection, call_id, problem)
            await self._parts.budgets.remember(connection, call_id, {"problem": problem})
        return {"problem": problem}

    async def _images(self, turn: Turn) -> dict[str, Media]:
        """The pictures the model is to see, scaled down."""
        ids = [image_id for message in turn.messages for image_id in message.image_ids]
        rows = await self._parts.records.some(turn.owner, sorted(set(ids)))
        seen: dict[str, Media] = {}
        for row in rows:
            async with self._parts.store.local(row["id"]) as path:
                seen[row["id"]] = Media("image/jpeg", await self._parts.store.off_loop(fitted, path, SEEN_SIDE))
        return seen


def estimate(model: Model | None, turn: Turn) -> Decimal | None:
    """USD to reserve for a turn: a token for three characters in, 2,000 tokens out; None without a price."""
    prices = {price.unit: price.usd for price in model.price} if model else {}
    if model is not None and "free" in model.capabilities:
        return Decimal(0)
    if "1M_input_tokens" not in prices or "1M_output_tokens" not in prices:
        return None
    characters = sum(len(message.content) for message in turn.messages)
    characters += sum(len(canonical_json(tool.parameters)) + len(tool.description) for tool in turn.tools)
    pictures = sum(len(message.image_ids) for message in turn.messages)
    tokens_in = characters // 3 + pictures * TOKENS_OF_A_PICTURE
    total = tokens_in * prices["1M_input_tokens"] + RESERVED_OUTPUT_TOKENS * prices["1M_output_tokens"]
    return round_up(total / 1_000_000)
