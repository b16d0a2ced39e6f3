"""Model turns: one paid chat call each, with its receipt.

A turn that was under way when the process died is lost: its receipt becomes `unknown`, with its possible cost, and the
turn is taken anew under an identity of its own, because nothing can be decided without it (docs/decisions/0002).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

import sqlalchemy as sa

from app.accounts.budgets import Intent, canonical_json
from app.assets.probe import fitted
from app.db import calls
from app.errors import AppError, BudgetExceeded, Conflict
from providers.catalogue import Model
from providers.errors import ProviderError
from providers.image_tokens import image_tokens, sent_size
from providers.prices import round_up
from providers.types import ChatRequest, Media, Message, ToolSpec

from .claims import check
from .line import Waiting
from .parts import Parts, problem_of

MAX_ATTEMPTS = 20
SEEN_SIDE = {"low": 512, "auto": 1024, "high": 2048}
"""Pixels: what a model needs to recognise a picture, and few tokens; more where small print has to be read."""
RESERVED_OUTPUT_TOKENS = 2000
TOKENS_OF_A_PICTURE = 1500
TOKENS_OF_A_DOCUMENT = 10_000
TOKENS_PER_S = {"video": 300, "audio": 32, "speech": 32}
"""Of film and sound, about what Gemini counts: for a reserve, not for a bill."""

Json = dict[str, Any]
Detail = Literal["auto", "low", "high"]
LOST = {"code": "lost_in_crash", "message": "The process ended while this model turn was under way."}


def nothing_more(connection: sa.Connection, *said: Any) -> None:
    """For turns that are no steps of their own."""


@dataclass(frozen=True)
class Turn:
    """One chat call to make. `step_id` names it; its attempts get numbers behind it.

    `opening` and `closing` are written together with the receipt: the step it is shown as.
    """

    generation_id: str
    owner: str
    step_id: str
    vendor: str
    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tools_allowed: bool = True
    answer_schema: Mapping[str, Any] | None = None
    detail: Detail = "auto"
    cap_usd: Decimal | None = None
    again: bool = False
    """Whether an earlier attempt at the generation may have taken it."""
    opening: Callable[[sa.Connection], None] = nothing_more
    closing: Callable[[sa.Connection, Mapping[str, Any]], None] = nothing_more


class Turns:
    """Makes chat calls."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def complete(self, turn: Turn) -> Json:
        """`{"reply": ...}` or `{"problem": ...}`, as plain JSON; the same again when asked again after a crash."""
        intent = await self._intent(turn)
        if admitted := self._parts.lanes.free(intent.lane) and not turn.again:
            self._parts.line.expect(f"{turn.step_id}.1")

        def reserving(connection: sa.Connection) -> tuple[str, bool, Json | None]:
            try:
                check(connection, turn.generation_id, self._parts.executor)
            except Conflict as error:  # nobody wants it any more, so no step is shown of it either
                return f"{turn.step_id}.1", False, {"problem": problem_of(error)}
            turn.opening(connection)
            call_id, leaves, outcome = self._reserve(connection, turn, intent, admitted)
            if outcome is not None:
                turn.closing(connection, outcome)
            return call_id, leaves, outcome

        call_id, leaves, outcome = await self._parts.db.write(reserving)
        if outcome is not None:
            self._parts.line.forget(call_id)
            return outcome
        return await self._call(turn, intent.lane, call_id, leaves)

    def _reserve(
        self, connection: sa.Connection, turn: Turn, intent: Intent, admitted: bool
    ) -> tuple[str, bool, Json | None]:
        """The attempt to make and whether it may leave at once; or the outcome of one that was finished."""
        budgets = self._parts.budgets
        for attempt in range(1, MAX_ATTEMPTS + 1):
            call_id = f"{turn.step_id}.{attempt}"
            try:
                row, new = budgets.reserve(connection, replace(intent, id=call_id), turn.cap_usd, admitted=admitted)
            except BudgetExceeded as error:
                return call_id, False, {"problem": problem_of(error)}
            if new:
                return call_id, admitted, None
            if row["result"] is not None:
                return call_id, False, dict(row["result"])
            if row["state"] == "reserved" and row["admitted_at"] is None:
                return call_id, False, None  # it stood in line when the process died, so it never left
            if row["state"] == "reserved":
                budgets.unknown(connection, call_id, LOST)
        too_often = {**LOST, "message": "This model turn was lost in a crash too often."}
        return turn.step_id, False, {"problem": too_often}

    async def _intent(self, turn: Turn) -> Intent:
        text = canonical_json([message.model_dump() for message in turn.messages])
        ids = media_ids(turn)
        shown = await self._parts.records.left(turn.owner, ids) if ids else []
        return Intent(
            id="",
            generation_id=turn.generation_id,
            step_id=turn.step_id,
            owner=turn.owner,
            lane=f"{turn.vendor}.chat",
            vendor=turn.vendor,
            model=turn.model,
            modality="chat",
            request_digest=hashlib.sha256(text.encode()).hexdigest(),
            request=None,
            estimate_usd=estimate(self._row(turn.vendor, turn.model), turn, shown),
        )

    def _row(self, vendor: str, model: str) -> Model | None:
        """The catalogue's row of a model; None for a name only the server at OPENAI_BASE_URL knows."""
        return self._parts.registry.catalogue.get(f"{vendor}/{model}") or self._parts.registry.catalogue.get(model)

    async def image_tokens(self, owner: str, ids: Sequence[str], vendor: str, model: str, detail: Detail) -> int | None:
        """What the pictures among these assets will cost in tokens; None where there is none, or the rule is not
        known."""
        row = self._row(vendor, model)
        pictures = [asset for asset in await self._parts.records.left(owner, ids) if asset["type"] == "image"]
        counts = [tokens_of(row, asset, detail) for asset in pictures] if row is not None else []
        return sum(filter(None, counts)) if counts and None not in counts else None

    async def asked_before(self, step_id: str) -> tuple[str, str] | None:
        """Vendor and model of a turn that was begun before a crash, whoever would be asked now: its answer is paid."""
        query = sa.select(calls.c.vendor, calls.c.model).where(calls.c.id == f"{step_id}.1")
        row = await self._parts.db.row(query)
        return None if row is None else (row["vendor"], row["model"])

    async def _call(self, turn: Turn, lane: str, call_id: str, admitted: bool) -> Json:
        async def refused(error: ProviderError) -> Json:
            return await self._failed(turn, call_id, error)

        async def send() -> Json:
            return await self._send(turn, call_id)

        waiting = Waiting(call_id, turn.generation_id, turn.step_id, lane)
        try:
            return await self._parts.line.through(waiting, send, refused, admitted=admitted)
        except AppError as error:  # nobody wants it any more, or a picture is gone: nothing was sent
            return await self._failed(turn, call_id, error)

    async def _send(self, turn: Turn, call_id: str) -> Json:
        parts = self._parts
        row = self._row(turn.vendor, turn.model)
        async with AsyncExitStack() as files:
            messages, media = await self._shown(turn, row, files)
            request = ChatRequest(
                model=row.wire_id if row else turn.model,
                messages=messages,
                tools=turn.tools,
                tools_allowed=turn.tools_allowed,
                media=media,
                answer_schema=turn.answer_schema,
                detail=turn.detail,
            )
            reply = await parts.registry.family(turn.vendor).complete(request)
        result = {"reply": reply.model_dump(mode="json")}
        usage = reply.usage.model_dump(mode="json") if reply.usage else None
        source = "usage" if reply.cost_usd is not None else None

        def settling(connection: sa.Connection) -> None:
            if parts.budgets.answered(connection, call_id, reply.cost_usd, source, usage=usage, result=result):
                turn.closing(connection, result)

        await parts.events.record(turn.generation_id, settling, insist=f"the answer to the call {call_id}")
        return result

    async def _failed(self, turn: Turn, call_id: str, error: ProviderError | AppError) -> Json:
        """Nothing is owed after a definite refusal; anything else may be owed (DESIGN 6.8)."""
        outcome = {"problem": problem_of(error)}
        released = isinstance(error, AppError) or error.charged is False

        def closing(connection: sa.Connection) -> None:
            budgets = self._parts.budgets
            end = budgets.released if released else budgets.unknown
            if end(connection, call_id, outcome["problem"], result=outcome):
                turn.closing(connection, outcome)

        await self._parts.events.record(turn.generation_id, closing, insist=f"the end of the call {call_id}")
        return outcome

    async def _shown(
        self, turn: Turn, row: Model | None, files: AsyncExitStack
    ) -> tuple[tuple[Message, ...], dict[str, Media]]:
        """The messages and what they show: pictures scaled down to what the question needs, films and PDFs as files on
        the disk until the turn is over, and texts as a part of the message."""
        ids = sorted(set(media_ids(turn)))
        rows = await self._parts.records.some(turn.owner, ids) if ids else []
        media: dict[str, Media] = {}
        texts: dict[str, str] = {}
        for asset in rows:
            path = await files.enter_async_context(self._parts.store.local(asset["id"]))
            if asset["type"] == "image":
                side = max(seen_size(row, asset, turn.detail))
                media[asset["id"]] = Media("image/jpeg", await self._parts.store.off_loop(fitted, path, side))
            elif is_text(asset):
                texts[asset["id"]] = await self._parts.store.off_loop(path.read_text, "utf-8")
            else:
                media[asset["id"]] = Media(asset["media_type"], path=path)
        return tuple(worded(message, texts) for message in turn.messages), media


def media_ids(turn: Turn) -> list[str]:
    """Everything the messages show."""
    return [media_id for message in turn.messages for media_id in message.media_ids]


def worded(message: Message, texts: Mapping[str, str]) -> Message:
    """A message with the texts among what it shows written out."""
    if not texts or not set(message.media_ids) & set(texts):
        return message
    written = [texts[media_id] for media_id in message.media_ids if media_id in texts]
    shown = tuple(media_id for media_id in message.media_ids if media_id not in texts)
    return message.model_copy(update={"content": "\n\n".join((message.content, *written)), "media_ids": shown})


def seen_size(row: Model | None, asset: Mapping[str, Any], detail: Detail) -> tuple[int, int]:
    """The pixels a picture is sent with: no more than the question needs, or than the model would look at."""
    width, height = int(asset["width"] or 1024), int(asset["height"] or 1024)
    if row is not None:
        width, height = sent_size(row, width, height, detail)
    scale = min(1.0, SEEN_SIDE[detail] / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def is_text(asset: Mapping[str, Any]) -> bool:
    """Whether it is words to be written out in a message: plain text, subtitles."""
    media_type = str(asset["media_type"])
    return media_type.startswith("text/") or media_type == "application/x-subrip"


def tokens_of(row: Model | None, asset: Mapping[str, Any], detail: Detail) -> int | None:
    """The tokens of one asset in a question, as it is sent; None where the model's rule is not known."""
    if asset["type"] != "image" or row is None:
        return None
    return image_tokens(row, *seen_size(row, asset, detail), detail)


def estimate(model: Model | None, turn: Turn, shown: Sequence[Mapping[str, Any]] = ()) -> Decimal | None:
    """USD to reserve for a turn: a token for three characters in, what is shown by the model's own rule where that is
    known, 2,000 tokens out; None without a price."""
    prices = {price.unit: price.usd for price in model.price} if model else {}
    if model is not None and "free" in model.capabilities:
        return Decimal(0)
    if "1M_input_tokens" not in prices or "1M_output_tokens" not in prices:
        return None
    characters = sum(len(message.content) for message in turn.messages)
    characters += sum(len(canonical_json(tool.parameters)) + len(tool.description) for tool in turn.tools)
    tokens_in = Decimal(characters // 3)
    for asset in shown:
        tokens_in += tokens_of(model, asset, turn.detail) or usual_tokens(asset)
    total = tokens_in * prices["1M_input_tokens"] + RESERVED_OUTPUT_TOKENS * prices["1M_output_tokens"]
    return round_up(total / 1_000_000)


def usual_tokens(asset: Mapping[str, Any]) -> Decimal:
    """A guess on the safe side where no rule is known."""
    if asset["type"] in TOKENS_PER_S:
        return Decimal(str(asset["duration_s"] or 60)) * TOKENS_PER_S[asset["type"]]
    if is_text(asset):
        return Decimal(asset["bytes"]) / 3
    return Decimal(TOKENS_OF_A_PICTURE if asset["type"] == "image" else TOKENS_OF_A_DOCUMENT)
