"""Sound on its way to a listener while it is being made.

A listener opens a channel before the run begins; the keeper feeds it what goes into the spool. Nothing waits for a
listener, and one who is gone stops nothing: what he hears is a copy of what is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager


class Live:
    """The channels of this process, by generation."""

    def __init__(self) -> None:
        self._channels: dict[str, asyncio.Queue[bytes | None]] = {}

    @contextmanager
    def opened(self, generation_id: str) -> Iterator[asyncio.Queue[bytes | None]]:
        """A channel for one listener; what it holds, about as much as one narration, is dropped when the block ends."""
        channel = self._channels[generation_id] = asyncio.Queue()
        try:
            yield channel
        finally:
            self._channels.pop(generation_id, None)

    async def heard(self, generation_id: str, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The chunks, which a listener hears as they pass. The channel ends with them only when they are whole."""
        try:
            async for chunk in chunks:
                if (channel := self._channels.get(generation_id)) is not None:  # else he is gone, or was never there
                    channel.put_nowait(chunk)
                yield chunk
        finally:
            if (close := getattr(chunks, "aclose", None)) is not None:
                await close()  # else the connection to the vendor stays until it is collected
        if (channel := self._channels.get(generation_id)) is not None:
            channel.put_nowait(None)
