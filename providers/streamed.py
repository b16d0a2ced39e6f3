"""An answer that is read while it is made: one that breaks off is told from one that ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import httpx

from .downloads import SLOWEST_BYTES_PER_S
from .errors import MalformedAnswer, OutcomeUnknown, ProviderError, Unanswered


@dataclass(frozen=True)
class Streamed:
    """The head of an answer whose bytes are still coming. `pieces` must be read to their end or closed."""

    headers: Mapping[str, str]
    pieces: Pieces


class Pieces(AsyncIterator[bytes]):
    """The bytes of an answer, piece by piece, read once. Closing it, as does its end, closes the connection.

    Raises OutcomeUnknown (paid) or Unanswered when it breaks off or falls silent, and MalformedAnswer when there is
    more than `max_bytes`. Only the time in which the vendor is waited for counts: `timeout_s`, and more by its length.
    """

    def __init__(self, vendor: str, response: httpx.Response, *, paid: bool, timeout_s: float, max_bytes: int) -> None:
        self._vendor = vendor
        self._response = response
        self._paid = paid
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._bytes = response.aiter_bytes()
        self._first: bytes | None = None
        self._received = 0
        self._waited_s = 0.0

    async def begin(self) -> None:
        """Wait for the first piece, so that whoever gets the answer knows that it has begun. Raises as reading does,
        and MalformedAnswer when there is none."""
        self._first = await self._next()
        if self._first is None:
            raise MalformedAnswer(f"{self._vendor} sent an empty answer.")

    @property
    def head(self) -> bytes:
        """The first piece, until it is read."""
        return self._first or b""

    async def __anext__(self) -> bytes:
        piece, self._first = self._first, None
        if piece is None:
            piece = await self._next()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Close the connection. Idempotent; what was not read is lost."""
        self._first = None
        await self._response.aclose()

    async def _next(self) -> bytes | None:
        """The next piece; None at the end."""
        if self._response.is_closed:
            return None
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s + self._received / SLOWEST_BYTES_PER_S - self._waited_s):
                piece = await anext(self._bytes, None)
        except (httpx.HTTPError, TimeoutError) as error:
            await self.aclose()
            raise self._broken(error) from error
        except BaseException:  # a cancelled reader leaves no connection behind
            await self.aclose()
            raise
        self._waited_s += time.monotonic() - begun
        if piece is None:
            await self.aclose()
            return None
        self._received += len(piece)
        if self._received > self._max_bytes:
            await self.aclose()
            raise MalformedAnswer(f"{self._vendor} sent an answer of more than {self._max_bytes} bytes.")
        return piece

    def _broken(self, error: Exception) -> ProviderError:
        said = f"{self._vendor}'s answer broke off ({type(error).__name__})"
        if self._paid:
            return OutcomeUnknown(f"{said}; whether the work was finished is not known.")
        return Unanswered(f"{said}.")
