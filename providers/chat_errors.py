"""The errors of the Chat Completions format and its relatives: an object with `code`, `type` and `message`.

Branching is on `code` and `type`, never on text: openai 3.x made `str(error)` the bare message. Sources of the codes:
openai/openai-openapi (the envelope), apiyi and jeffstric/ZJT #480 (`moderation_blocked`), dfinke/PowerShellAI #127
(`billing_hard_limit_reached`).
"""

from __future__ import annotations

import re
from typing import Any

from .errors import Moderated, OutcomeUnknown, ProviderError, QuotaExhausted
from .refusals import detail_of, error_for

MODERATION_CODES = {"moderation_blocked", "content_policy_violation", "content_filter"}
QUOTA_CODES = {"insufficient_quota", "billing_hard_limit_reached"}  # the second comes with HTTP 400
STATUS_OF = {  # the HTTP status a vendor would have sent, had it not begun with 200
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "model_not_found": 404,
}


def named_error(vendor: str, error: Any) -> ProviderError | None:
    """The error that a vendor's `code` or `type` names, whatever the HTTP status; None where they name none."""
    names = _names(error)
    if MODERATION_CODES.intersection(names):
        return Moderated(f"{vendor} blocked this for its content; the same request will be blocked again.")
    if QUOTA_CODES.intersection(names):
        return QuotaExhausted(f"{vendor} has no credit left for this account{_tail(error)}")
    return None


def error_inside(vendor: str, error: Any) -> ProviderError:
    """The error that a vendor reported inside an HTTP 200. Its work had begun, so money may be owed, and the call is
    never tried again by itself, not even after a rate limit."""
    statuses = [STATUS_OF.get(name) or _http_status(name) for name in _names(error)]
    status = next((found for found in statuses if found), None)
    problem = named_error(vendor, error)
    if problem is None and status is not None:
        problem = error_for(vendor, status, {}, {"error": error}, paid=True)
    if problem is None:
        problem = OutcomeUnknown(f"{vendor} failed in the middle of its answer{_tail(error)}")
    problem.charged = None
    return problem


def _names(error: Any) -> list[str]:
    return [str(error[key]) for key in ("code", "type") if error.get(key)] if isinstance(error, dict) else []


def _http_status(name: str) -> int | None:
    """Gateways put the HTTP status of their upstream where OpenAI has a word."""
    return int(name) if re.fullmatch(r"[45]\d\d", name) else None


def _tail(error: Any) -> str:
    said = detail_of({"error": error})
    return f": {said}" if said else "."
