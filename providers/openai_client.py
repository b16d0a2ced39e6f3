"""The openai SDK as it is used here: it never retries, and its answers are bounded in size."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from functools import partial

import httpx2
import openai
from openai import AsyncOpenAI

from .clients import EACH, IDLE_S
from .errors import MalformedAnswer, Unavailable

MAX_ANSWER_BYTES = 384 * 1024**2
"""Ten pictures of 3840x2160, the most there can be in one answer, are 332 MB in base64."""


def build_client(
    *,
    key: str | None,
    base_url: str,
    organization: str | None,
    project: str | None,
    timeout: httpx2.Timeout,
    verify: ssl.SSLContext,
    max_answer_bytes: int,
) -> AsyncOpenAI:
    """A client of the SDK. Raises Unavailable for settings that contradict each other."""
    try:
        return AsyncOpenAI(
            api_key=key,
            base_url=base_url,
            organization=organization,
            project=project,
            max_retries=0,  # the SDK would send a paid POST three times
            timeout=timeout,
            http_client=openai.DefaultAsyncHttpxClient(
                timeout=timeout,
                verify=verify,
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=EACH, keepalive_expiry=IDLE_S),
                event_hooks={"response": [partial(bound, most=max_answer_bytes)]},
            ),
        )
    except openai.OpenAIError as error:
        raise Unavailable(f"The OpenAI client cannot be set up: {error}") from error


async def bound(response: httpx2.Response, most: int) -> None:
    """Let an answer, which is read whole, be read no further than so many bytes."""
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = Bounded(response.stream, most)


class Bounded(httpx2.AsyncByteStream):
    """The bytes of an answer. Raises MalformedAnswer when there are too many: the work was done all the same."""

    def __init__(self, stream: httpx2.AsyncByteStream, most: int) -> None:
        self._stream = stream
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        async for piece in self._stream:
            received += len(piece)
            if received > self._most:
                raise MalformedAnswer(f"The answer of the vendor is longer than {self._most} bytes.")
            yield piece

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()
