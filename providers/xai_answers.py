"""What xAI answers: pictures, what a call cost, and refusals.

Three shapes of an error exist: `{"error": {"message", "type", "code"}}`, `{"code", "error": "..."}` and
`{"error": "..."}`; a code is a sentence such as "The caller does not have permission to execute the operation".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .errors import (
    MalformedAnswer,
    ModelGone,
    Moderated,
    ProviderError,
    QuotaExhausted,
    Refused,
    Unauthorized,
)
from .http import answer_of, status_of
from .openai_images import read_pictures
from .refusals import detail_of
from .types import Done, Usage

LABEL = "xAI"
TICKS_PER_USD = Decimal(10**10)
BLOCKED = re.compile(r"moderation|content.policy|usage guidelines|safety_check", re.IGNORECASE)
"""Seen: 403 "Content violates usage guidelines. Team: ..., Failed check: SAFETY_CHECK_TYPE_BIO"
(UKGovernmentBEIS/inspect_ai #2267), 400 "Generated image rejected by content moderation."."""
NO_CREDIT = re.compile(r"\bcredits?\b|spending limit|insufficient balance", re.IGNORECASE)
"""Seen as 429 (continuedev/continue #10373) and as 403 (warpdotdev/warp #14867): "Your team ... has either used all
available credits or reached its monthly spending limit."."""
WRONG_KEY = re.compile(r"incorrect api key", re.IGNORECASE)
"""Seen as 400: "Incorrect API key provided: sk***YA. ..." (continuedev/continue #11412)."""
NO_MODEL = re.compile(r"model not found|model \S+ does not exist", re.IGNORECASE)
BLOCKED_SENTENCE = "xAI blocked this for its content; the same request will be blocked again."


# ---- refusals --------------------------------------------------------------------------------------------------------


def named(error: ProviderError) -> ProviderError | None:
    """What an error of a paid call means at xAI, whose statuses say less than its sentences; None when no more.

    The sentences name the team and its key, so none is passed on.
    """
    if not isinstance(error, Refused) or status_of(error) not in (400, 403, 404, 422, 429):
        return None
    said = detail_of(answer_of(error))
    if BLOCKED.search(said):
        return Moderated(BLOCKED_SENTENCE)
    if NO_CREDIT.search(said):
        return QuotaExhausted(f"{LABEL} has no credit left for this account, or its spending limit is reached.")
    if WRONG_KEY.search(said):
        return Unauthorized(f"{LABEL} refused the key; check that XAI_API_KEY is right.")
    if NO_MODEL.search(said):
        return ModelGone(f"{LABEL} does not know this model, or no longer.")
    return None


# ---- money -----------------------------------------------------------------------------------------------------------


def ticks_usd(body: Any) -> Decimal | None:
    """`usage.cost_in_usd_ticks` in USD: one tick is 1e-10 USD. None when xAI did not say."""
    usage = body.get("usage") if isinstance(body, Mapping) else None
    ticks = usage.get("cost_in_usd_ticks") if isinstance(usage, Mapping) else None
    if not isinstance(ticks, int) or isinstance(ticks, bool) or ticks < 0:
        return None
    return ticks / TICKS_PER_USD


def whole_usage(usage: Usage | None, body: Any) -> Usage | None:
    """The tokens of a chat turn with those of its reasoning, which xAI bills but leaves out of `completion_tokens`;
    only `total_tokens` holds them all (Wei-Shaw/sub2api #5771: 10120 + 1499 + 2809 = 14428)."""
    wire = body.get("usage") if isinstance(body, Mapping) else None
    total = wire.get("total_tokens") if isinstance(wire, Mapping) else None
    if usage is None or not isinstance(total, int) or usage.input_tokens is None or usage.output_tokens is None:
        return usage
    return usage.model_copy(update={"output_tokens": max(usage.output_tokens, total - usage.input_tokens)})


# ---- pictures --------------------------------------------------------------------------------------------------------


def pictures_of(content: bytes, model_id: str, wanted: int, warnings: tuple[str, ...]) -> Done:
    """The pictures of an answer, decoded (tens of megabytes: call it off the event loop).

    Blocked ones come inside an HTTP 200: as an empty list, or as items without respect for moderation or without a
    picture. Raises Moderated when none is left, MalformedAnswer.
    """
    try:
        body = json.loads(content)
    except ValueError as error:
        raise MalformedAnswer(f"{LABEL} answered something that is not JSON.") from error
    items = body.get("data") if isinstance(body, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise MalformedAnswer(f"{LABEL} answered without a picture.")
    cost = ticks_usd(body)
    shown = [item for item in items if item.get("respect_moderation") is not False and _holds_a_picture(item)]
    if not shown:
        if items and not any("respect_moderation" in item for item in items):
            raise MalformedAnswer(f"{LABEL} answered without a picture.")
        raise Moderated(BLOCKED_SENTENCE, cost_usd=cost)
    if len(shown) < wanted:
        warnings += (f"{model_id} was asked for {wanted} pictures and made {len(shown)}; some may be blocked.",)
    if len(shown) < len(items):
        content = json.dumps({"data": shown}).encode()
    pictures = read_pictures(content, LABEL)
    return Done(pictures.outputs, cost, revised_prompt=pictures.revised_prompt, warnings=warnings)


def _holds_a_picture(item: Mapping[str, Any]) -> bool:
    return bool(item.get("b64_json") or item.get("url"))
