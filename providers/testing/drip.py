"""Bodies that come piece by piece, for both HTTP stacks (respx answers with httpx's classes on either)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx


class Drip(httpx.AsyncByteStream):
    """The same piece again and again, with a pause before each."""

    def __init__(self, piece: bytes = b" ", pause_s: float = 0.02, count: int = 1_000_000) -> None:
        self._piece, self._pause_s, self._count = piece, pause_s, count

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self._count):
            await asyncio.sleep(self._pause_s)
            yield self._piece
