"""Anthropic: chat over Messages, with tools, pictures, PDFs and plain text. It makes no media.

Facts: the official SDK anthropic 2.12.0. A turn is stateless, so one whose answer is lost cannot be found again.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from .anthropic_messages import LABEL, check_size, from_answer, to_wire
from .base import Family
from .catalogue import Correction, Model, load_models
from .chat_completions import call_ids
from .chat_prices import chat_cost
from .errors import (
    InvalidRequest,
    MalformedAnswer,
    Moderated,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)
from .http import Http, answer_of, json_body, status_of
from .refusals import detail_of, retry_after, told_apart
from .types import ChatReply, ChatRequest, Usage

VERSION = "2026-10-21"
"""What the SDK sends and the migration guide shows for plain HTTP too. It refuses `temperature` and its kin, documents
in the model's own messages and citations in the user's, none of which are sent; so nothing keeps 2023-06-01 here."""
MAX_TOKENS = 16_000
"""Of an answer where the caller sets no bound: the API wants one. Thinking counts against it. The SDK calls an answer
of more than 21,333 tokens too long to wait for without a stream (_base_client.py)."""
OVERLOADED = 529
WAIT_S = 2.0
"""After an overload that does not say how long it will last."""
NO_CREDIT = re.compile(r"credit balance|usage limit|spend limit|billing", re.IGNORECASE)
"""Of a 400: an empty account, and a limit that the organisation has set for itself, are no `billing_error`."""
BLOCKED = re.compile(r"content filtering policy", re.IGNORECASE)
"""Of a 400, "Output blocked by content filtering policy". A refusal by the model itself is an answer (HTTP 200)."""
SCHEMA_REFUSED = re.compile(r"output_config|grammar is too large|schema is too complex", re.IGNORECASE)
"""Of a 400: "output_config.format.schema: Invalid schema: The compiled grammar is too large" (TanStack/ai #682)."""
DATED = re.compile(r"-\d{8}$")
PAGE, MAX_PAGES = 1000, 10


class Anthropic(Family):
    name = "anthropic"
    key_names = ("ANTHROPIC_API_KEY",)
    base_url_name = "ANTHROPIC_BASE_URL"
    default_base_url = "https://api.anthropic.com"

    def __init__(self, environment: Mapping[str, str], http: Http) -> None:
        super().__init__(environment, http)
        self.models = load_models("providers", "anthropic.toml")
        self.base_url = self.base_url.removesuffix("/v1")

    async def warm_up(self) -> None:
        """Load the price table, which takes a moment."""
        usage = Usage(input_tokens=1, output_tokens=1)
        await asyncio.to_thread(chat_cost, "claude-haiku-5-5", usage, provider=self.name)

    async def complete(self, request: ChatRequest) -> ChatReply:
        """One chat turn with any model: a name that has no row is sent as it is."""
        if reason := self.unavailable():
            raise Unavailable(reason)
        row = next((row for row in self.models if request.model in (row.id, row.wire_id, *row.aliases)), None)
        if row is not None and row.status == "retired":
            raise Unavailable(f"{row.id} was retired by {LABEL} on {row.shutdown}; use {row.successor}.")
        name = row.wire_id if row is not None and request.model == row.id else request.model
        check_size(request)
        write = partial(to_wire, request, model=name, max_tokens=max_tokens(request, row))
        body = await asyncio.to_thread(write) if request.media else write()
        try:
            answer = await self._ask(body)
        except InvalidRequest as error:
            # A schema may be too large to be enforced, which no rule tells before. Nothing was done or is owed.
            if "output_config" not in body or not SCHEMA_REFUSED.search(str(error)):
                raise
            body = await asyncio.to_thread(write, enforce=False)
            answer = await self._ask(body)
        in_words = request.answer_schema is not None and "output_config" not in body
        reply = from_answer(answer, taken=call_ids(request), in_words=in_words)
        cost = chat_cost(name, reply.usage, row, provider=self.name)
        return reply.model_copy(update={"cost_usd": cost})

    async def _ask(self, body: dict[str, Any]) -> Any:
        """The paid POST, and the JSON of its answer."""
        with told_apart(named):
            url = f"{self.base_url}/v1/messages"
            return json_body(await self.http.send(LABEL, "POST", url, paid=True, json=body, headers=self._headers))

    async def refresh(self) -> Correction:
        """Which models live, until when, and how long their answers may be."""
        told = {str(model.get("id")): model for model in await self._listed()}
        told |= {DATED.sub("", name): model for name, model in told.items() if DATED.sub("", name) not in told}
        rows = [row for row in self.models if row.status != "retired"]
        found = {row.id: next((told[n] for n in (row.wire_id, *row.aliases) if n in told), None) for row in rows}
        living = {name: model for name, model in found.items() if model and model.get("lifecycle") != "retired"}
        return Correction(
            gone=tuple(name for name in found if name not in living),
            shutdowns={name: end for name, model in living.items() if (end := last_day(model)) is not None},
            limits={name: limits for name, model in living.items() if (limits := limits_of(model))},
        )

    async def _listed(self) -> list[dict[str, Any]]:
        """Every model of the list. Raises MalformedAnswer where there is none: then nothing is known to be gone."""
        found: list[dict[str, Any]] = []
        after: Any = None
        for _ in range(MAX_PAGES):
            params = {"limit": PAGE} | ({"after_id": after} if after else {})
            url = f"{self.base_url}/v1/models"
            answer = await self.http.send_json(LABEL, "GET", url, params=params, headers=self._headers)
            models, after = answer.get("data"), answer.get("last_id")
            if not isinstance(models, list):
                raise MalformedAnswer(f"{LABEL}'s list of models cannot be understood.")
            found += [model for model in models if isinstance(model, dict)]
            if not answer.get("has_more") or not after:
                break
        if not found:
            raise MalformedAnswer(f"{LABEL}'s list of models is empty.")
        return found

    @property
    def _headers(self) -> dict[str, str]:
        return {"x-api-key": self.key or "", "anthropic-version": VERSION}


def max_tokens(request: ChatRequest, row: Model | None) -> int:
    """How long the answer may be: what the caller allows, as far as the model can."""
    most = row.limits.get("max_output_tokens") if row is not None else None
    wanted = request.max_output_tokens or MAX_TOKENS
    return wanted if most is None else min(wanted, int(most))


def last_day(model: Mapping[str, Any]) -> dt.date | None:
    """When a model ends. A date that has passed is overdue, and no end while the model is listed: tomorrow, then."""
    try:
        end = dt.datetime.fromisoformat(str(model.get("retires_at"))).date()
    except ValueError:
        return None
    return max(end, dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1))


def limits_of(model: Mapping[str, Any]) -> dict[str, int]:
    """The limits a model's entry tells, by our names."""
    names = {"max_tokens": "max_output_tokens", "max_input_tokens": "context_tokens"}
    return {ours: model[theirs] for theirs, ours in names.items() if isinstance(model.get(theirs), int)}


# ---- refusals --------------------------------------------------------------------------------------------------------


def named(error: ProviderError) -> ProviderError | None:
    """The error that the answer behind an error names; None where its status said it all."""
    body = answer_of(error)
    inner = body.get("error") if isinstance(body, dict) else None
    inner = inner if isinstance(inner, dict) else {}
    kind, said = str(inner.get("type") or ""), detail_of(body)
    details = inner.get("details")
    code = str(details.get("error_code") or "") if isinstance(details, dict) else ""
    if kind == "overloaded_error" or status_of(error) == OVERLOADED:
        # Turned down because there was too much to do: nothing was processed (the documentation on errors).
        asked = retry_after(error.response.headers, body) if error.response is not None else None
        return Overloaded(f"{LABEL} is overloaded.", retry_after=WAIT_S if asked is None else asked)
    if kind == "billing_error" or (isinstance(error, InvalidRequest) and NO_CREDIT.search(said)):
        return QuotaExhausted(f"{LABEL} has no credit left for this account: {said}")
    if isinstance(error, RateLimited) and "spend_limit" in code:  # until the next month, says the documentation
        return QuotaExhausted(f"{LABEL}'s monthly limit of spending is reached for this account: {said}")
    if isinstance(error, InvalidRequest) and BLOCKED.search(said):
        return Moderated(f"{LABEL} blocked this for its content; the same request will be blocked again.")
    return None
