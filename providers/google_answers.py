"""What Google's answers have in common: candidates and their parts, blocks inside an HTTP 200, tokens, refusals.

Facts: google-genai 3.4.0, types.py, and recorded traffic. An answer may hold a `thoughtSignature` larger than the
picture beside it, so a raw answer is never kept.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_UP
from typing import Any

from .catalogue import Model
from .chat_streams import dicts
from .errors import MalformedAnswer, Moderated, ProviderError, QuotaExhausted, Unauthorized
from .http import answer_of, status_of
from .types import Usage

LABEL = "Google"
OF_PICTURES = {"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "NO_IMAGE"}
BLOCKED = {"SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII", "BLOCKLIST", "MODEL_ARMOR", *OF_PICTURES}
"""Values of `finishReason` that mean the content was held back (google-genai 3.4.0, types.py, FinishReason)."""

Json = dict[str, Any]


# ---- candidates ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """The first candidate: its parts but for thoughts, its reason to stop, and why it was blocked, if it was."""

    parts: tuple[Json, ...]
    finish: str
    block: str
    said: str

    def texts(self) -> str:
        """The text of all parts, in order."""
        return "".join(part["text"] for part in self.parts if isinstance(part.get("text"), str))

    def nothing(self, what: str) -> ProviderError:
        """The error for an answer that lacks what was asked for, with the model's own sentence where it gave one."""
        words = " ".join((self.texts() or self.said).split())[:300]
        if self.block:
            return Moderated(f"{LABEL} blocked this for its content" + (f": {words}" if words else "."))
        return MalformedAnswer(f"{LABEL} answered without {what}" + (f": {words}" if words else "."))


def candidate_of(answer: Json) -> Candidate:
    """Read an answer of generateContent. Blocked ones lack `candidates`, or a candidate lacks `content`, or that its
    `parts`. Raises MalformedAnswer when there is neither a candidate nor a word on the prompt."""
    feedback = mapping(answer.get("promptFeedback"))
    candidates = dicts(answer.get("candidates"))
    if not candidates and not feedback:
        raise MalformedAnswer(f"{LABEL} answered without a candidate.")
    first = candidates[0] if candidates else {}
    finish = text(first.get("finishReason"))
    block = text(feedback.get("blockReason")) or (finish if finish in BLOCKED else "")
    if not candidates and not block:
        block = "OTHER"  # of a prompt that passed there would be a candidate
    parts = tuple(part for part in dicts(mapping(first.get("content")).get("parts")) if part.get("thought") is not True)
    said = text(feedback.get("blockReasonMessage")) or text(first.get("finishMessage"))
    return Candidate(parts, finish, block, said)


def inline(part: Json) -> tuple[str, str]:
    """Media type and base64 of a part with data; empty ones for any other part."""
    data = mapping(part.get("inlineData"))
    return text(data.get("mimeType")), text(data.get("data"))


def decoded(data: str) -> bytes:
    """The bytes in base64, of either alphabet. Raises MalformedAnswer."""
    try:
        return base64.b64decode(data.translate({45: 43, 95: 47}), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedAnswer(f"{LABEL} sent a file that cannot be decoded.") from error


# ---- tokens ----------------------------------------------------------------------------------------------------------


def usage_of(answer: Json, row: Model) -> Usage | None:
    """The tokens of a work by generateContent; None where Google counted none."""
    meta = mapping(answer.get("usageMetadata"))
    if not meta:
        return None
    made, thought = count(meta.get("candidatesTokenCount")), count(meta.get("thoughtsTokenCount"))
    details = by_modality(meta.get("candidatesTokensDetails"), "tokenCount")
    words = (details.get("TEXT", 0) or 0) + (thought or 0)
    given = by_modality(meta.get("promptTokensDetails"), "tokenCount")
    return Usage(
        input_tokens=count(meta.get("promptTokenCount")),
        cached_input_tokens=count(meta.get("cachedContentTokenCount")),
        image_input_tokens=given.get("IMAGE"),
        audio_input_tokens=given.get("AUDIO"),
        output_tokens=None if made is None else priced_tokens(made + (thought or 0), words, row),
    )


def priced_tokens(total: int, words: int, row: Model) -> int:
    """Tokens of output, with those of words and thoughts counted as the part of a picture's (or a film's) that costs
    the same: they are billed at the price of text, a tenth or so, and a usage holds one number of output tokens."""
    prices = {price.unit: price.usd for price in row.price}
    cheap = prices.get("1M_text_output_tokens")
    dear = prices.get("1M_image_output_tokens") or prices.get("1M_video_output_tokens")
    if cheap is None or dear is None:
        return total
    return total - words + int((words * cheap / dear).to_integral_value(rounding=ROUND_UP))


def by_modality(details: Any, name: str) -> dict[str, int]:
    """The tokens of each modality, its name in capitals; `name` is the member that holds the number."""
    found: dict[str, int] = {}
    for detail in dicts(details):
        modality, tokens = text(detail.get("modality")).upper(), count(detail.get(name))
        if modality and tokens is not None:
            found[modality] = found.get(modality, 0) + tokens
    return found


def count(value: Any) -> int | None:
    """A whole number that is not negative; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


# ---- refusals --------------------------------------------------------------------------------------------------------


def named(error: ProviderError) -> ProviderError | None:
    """What Google's own words say of a refusal where its HTTP status says something else; None where they do not.

    A wrong key is answered with 400, and a limit of requests a day with the 429 of one a minute, told apart by
    `details[]` (google.rpc.ErrorInfo and QuotaFailure).
    """
    details = dicts(mapping(mapping(answer_of(error)).get("error")).get("details"))
    status = status_of(error)
    if status == 400 and any(text(detail.get("reason")).startswith("API_KEY") for detail in details):
        return Unauthorized(f"{LABEL} refused the key (HTTP 400); check that it is right and may use this model.")
    quotas = [text(one.get("quotaId")) for detail in details for one in dicts(detail.get("violations"))]
    if status == 429 and any("PerDay" in quota for quota in quotas):
        return QuotaExhausted(f"{LABEL}'s limit of requests per day is reached for this account.")
    return None


# ---- JSON ------------------------------------------------------------------------------------------------------------


def mapping(value: Any) -> Mapping[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """A JSON string; an empty one for anything else."""
    return value if isinstance(value, str) else ""
