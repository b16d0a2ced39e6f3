"""What the openai SDK raises (openai 3.52.0, _exceptions.py) as this project's errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx2
import openai

from .chat_errors import error_inside, named_error
from .errors import MalformedAnswer, NotSent, OutcomeUnknown, ProviderError, Unanswered
from .http import NOTHING_LEFT
from .refusals import error_for

# Of both stacks: the SDK runs on httpx2 and still passes on what httpx raises (openai 3.52.0, _httpx2.py).
NEVER_LEFT = (
    *NOTHING_LEFT,
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)


@contextlib.contextmanager
def translated(vendor: str, host: str, *, paid: bool = True) -> Iterator[None]:
    """Turns the SDK's errors into ours: NotSent, OutcomeUnknown (paid) or Unanswered (not paid), MalformedAnswer, and
    what a refusal stands for."""
    try:
        yield
    except openai.APIStatusError as error:
        raise _refusal(vendor, error, paid) from error
    except (openai.APIConnectionError, httpx2.HTTPError, OSError) as error:  # APITimeoutError is one of the first
        cause = (isinstance(error, openai.APIConnectionError) and error.__cause__) or error
        if isinstance(cause, NEVER_LEFT):
            raise NotSent(f"{vendor} could not be reached at {host}.") from error
        why = type(cause).__name__
        if not paid:
            raise Unanswered(f"{vendor} gave no answer ({why}).") from error
        raise OutcomeUnknown(f"{vendor} gave no answer ({why}); whether the work was done is not known.") from error
    except openai.OpenAIError as error:
        raise MalformedAnswer(f"{vendor}'s answer was not understood ({type(error).__name__}).") from error


def _refusal(vendor: str, error: openai.APIStatusError, paid: bool) -> ProviderError:
    body = json_of(error.response)
    inner = body.get("error", body) if isinstance(body, dict) else body
    problem = named_error(vendor, inner)
    return problem or error_for(vendor, error.status_code, error.response.headers, body, paid=paid)


def json_of(response: httpx2.Response) -> Any:
    """The body as JSON, or None when it is not JSON."""
    try:
        return response.json()
    except ValueError:
        return None


def object_of(response: httpx2.Response, vendor: str) -> dict[str, Any]:
    """The JSON object of an answer. Raises MalformedAnswer, or what an error inside it stands for."""
    body = json_of(response)
    if not isinstance(body, dict):
        raise MalformedAnswer(f"{vendor} answered something that is not a JSON object.")
    if body.get("error"):
        raise error_inside(vendor, body["error"])
    return body
