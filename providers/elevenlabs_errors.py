"""What ElevenLabs says when it will not: `{"detail": {type, code, message, status, param}}`, a list, or a sentence.

`code` is what to branch on; `status` is its older form, which recordings and older servers hold alone. A list is a
FastAPI validation error (elevenlabs 2.78.0, errors/unprocessable_entity_error.py). The codes: the errors page of the
documentation as api-evangelist/elevenlabs read it on 2026-09-17, and help.elevenlabs.io 19572237925521 (400 and 401).
"""

from __future__ import annotations

import re
from typing import Any

from .errors import InvalidRequest, ModelGone, Moderated, ProviderError, QuotaExhausted, Unauthorized
from .http import answer_of
from .refusals import detail_of, place_of

LABEL = "ElevenLabs"
NO_CREDIT = {"quota_exceeded", "insufficient_credits", "payment_required", "paid_plan_required"}
"""`quota_exceeded` comes as 401, which would read as a wrong key; or the plan is too small, as for library voices."""
CLOSED = {"detected_unusual_activity"}
"""A 401 of the free tier, seen behind proxies: the key is right, and this account will not be served."""
NO_VOICE = {"voice_not_found", "invalid_voice_id", "voice_does_not_exist"}
NO_MODEL = {"model_not_found", "unsupported_model", "model_access_denied"}
BLOCKED = re.compile(r"moderat|against_policy|content_policy|prohibited|safety")
"""In a code. No code for blocked content is documented and none was recorded: this is what one would be called."""


def named(error: ProviderError) -> ProviderError | None:
    """The error that the answer behind an error names; None where its status said it all."""
    code, said = _read(answer_of(error))
    if error.charged is not False:
        return Moderated(f"{LABEL} blocked this for its content.") if BLOCKED.search(code) else None
    if code in NO_CREDIT:
        return QuotaExhausted(f"{LABEL} has no credit left for this account, or its plan is too small: {said}")
    if code in CLOSED:
        return QuotaExhausted(f"{LABEL} does not serve this account: {said}")
    if BLOCKED.search(code):
        return Moderated(f"{LABEL} blocked this for its content; the same request will be blocked again.")
    if code in NO_VOICE:
        return InvalidRequest(f"{LABEL} has no such voice for this account; choose another: {said}")
    if code in NO_MODEL and isinstance(error, InvalidRequest | Unauthorized):
        return ModelGone(f"{LABEL} does not serve this model to this account, or no longer: {said}")
    if isinstance(error, InvalidRequest) and said:
        return type(error)(f"{LABEL} did not accept the request: {said}")
    return None


def _read(body: Any) -> tuple[str, str]:
    """The code and the sentence of a refusal; both may be empty."""
    detail = body.get("detail") if isinstance(body, dict) else None
    if isinstance(detail, dict):
        code = str(detail.get("code") or detail.get("status") or "")
        param = f" ({detail['param']})" if detail.get("param") else ""
        return code, detail_of({"message": f"{detail.get('message') or code}{param}"})
    if isinstance(detail, list):
        issues = [issue for issue in detail if isinstance(issue, dict)][:3]
        found = "; ".join(f"{place_of(issue.get('loc'))}: {issue.get('msg')}" for issue in issues)
        return "", detail_of({"message": found})
    return "", detail_of(body)
