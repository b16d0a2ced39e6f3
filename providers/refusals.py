"""What a vendor's refusal means: one table from an HTTP status to an error, and the delay it asked for."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from .errors import (
    InvalidRequest,
    ModelGone,
    OutcomeUnknown,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Unanswered,
    Unauthorized,
    without_keys,
)


def detail_of(body: Any) -> str:
    """The vendor's own sentence inside an error body of any of the usual shapes, shortened; may be empty."""
    text: Any = body
    if isinstance(body, dict):
        error = body.get("error")
        text = (error.get("message") if isinstance(error, dict) else error) or body.get("detail") or body.get("message")
        text = text or body.get("title")
    if text is not None and not isinstance(text, str):
        text = json.dumps(text)
    return without_keys((text or "").strip())[:400]  # masked first: half a key is still a secret


def error_for(vendor: str, status: int, headers: Mapping[str, str], body: Any, *, paid: bool) -> ProviderError:
    """The error an HTTP status of 400 or more stands for. A vendor whose codes mean something else maps them first."""
    said = detail_of(body)
    tail = f": {said}" if said else "."
    wait = retry_after(headers, body)
    if status == 429:
        return RateLimited(f"{vendor} limits the rate of requests{tail}", retry_after=wait)
    if status == 503 and wait is not None:
        return Overloaded(f"{vendor} is overloaded{tail}", retry_after=wait)
    if status in (401, 403):  # the vendor's sentence may quote the key, so it is left out
        return Unauthorized(f"{vendor} refused the key (HTTP {status}); check that it is right and may use this model.")
    if status == 402:
        return QuotaExhausted(f"{vendor} has no credit left for this account{tail}")
    if paid and status in (404, 410):
        return ModelGone(f"{vendor} does not know this model, or no longer (HTTP {status}){tail}")
    if status < 500 and status != 408:
        return InvalidRequest(f"{vendor} did not accept the request (HTTP {status}){tail}")
    if paid:
        return OutcomeUnknown(f"{vendor} answered HTTP {status}{tail} Whether the work was started is not known.")
    return Unanswered(f"{vendor} answered HTTP {status}{tail}", retry_after=wait)


@contextlib.contextmanager
def told_apart(named: Callable[[ProviderError], ProviderError | None]) -> Iterator[None]:
    """Around a request: raises what `named` makes of its errors, where the vendor's own words say more than the HTTP
    status, or something else; where it makes None, the error as it is."""
    try:
        yield
    except ProviderError as error:
        if (problem := named(error)) is not None:
            raise problem from error
        raise


def retry_after(headers: Mapping[str, str], body: Any = None) -> float | None:
    """The delay in seconds a vendor asked for, wherever it put it; None when it did not say.

    Azure sends `retry-after: 1` beside `retry-after-ms: 0`, so the longest of all answers counts. Replicate puts it
    in a `retry_after` field or in the sentence, Google in `error.details[].retryDelay`, OpenRouter in epoch ms.
    """
    found: list[float] = []
    if (text := headers.get("retry-after-ms")) and _number(text) is not None:
        found.append(float(text) / 1000)
    if text := headers.get("retry-after"):
        if _number(text) is not None:
            found.append(float(text))
        else:
            with contextlib.suppress(ValueError, TypeError):  # not a date either: nothing usable was said
                found.append((parsedate_to_datetime(text) - dt.datetime.now(dt.UTC)).total_seconds())
    reset = _number(headers.get("x-ratelimit-reset", ""))
    if reset is not None and reset > 1e12 and not found:
        found.append(reset / 1000 - dt.datetime.now(dt.UTC).timestamp())
    if isinstance(body, dict):
        if isinstance(body.get("retry_after"), int | float):
            found.append(float(body["retry_after"]))
        if isinstance(body.get("detail"), str) and (match := re.search(r"in ~?(\d+(?:\.\d+)?) ?s", body["detail"])):
            found.append(float(match[1]))
        error = body.get("error")
        details = error.get("details") if isinstance(error, dict) else None
        for detail in details if isinstance(details, list) else ():
            delay = str(detail.get("retryDelay", "")) if isinstance(detail, dict) else ""
            if delay.endswith("s") and _number(delay[:-1]) is not None:
                found.append(float(delay[:-1]))
    return max(0.0, *found) if found else None


def place_of(path: Any) -> str:
    """What a complaint is about, `["body", "seed"]`, with dots between; empty where the vendor does not say."""
    return ".".join(map(str, path)) if isinstance(path, list) else ""


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text.strip()) else None
