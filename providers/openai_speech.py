"""Speech at OpenAI: what is asked for, the sound in an answer, and sound that is read while it is made."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, AsyncExitStack
from typing import Any

import httpx2
from openai import AsyncOpenAI

from .catalogue import Model
from .chat_errors import error_inside
from .errors import MalformedAnswer, NotOffered
from .openai_drawing import check_limit
from .openai_errors import json_of
from .options import fit_options
from .reading_limits import check_length, fit_speed, instructions_warning
from .types import SpeechRequest


def custom_voice(row: Model, voice: str) -> dict[str, str] | None:
    """A voice of the account's own, by the id the vendor gave it ("voice_..."), as it goes on the wire; None for others
    (openai 3.52.0, types/audio/speech_create_params.py)."""
    return {"id": voice} if voice.startswith("voice_") and "custom_voices" in row.capabilities else None


def speech_of(row: Model, request: SpeechRequest, voice: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The SDK's parameters for a request, and what has to be said about it. Raises NotOffered."""
    if "tts" not in row.capabilities:
        raise NotOffered(f"{row.id} speaks only over the Realtime API, which is not used here.")
    check_length(row, request.text)
    options, warnings = fit_options(row, request.options)
    speed, bent = fit_speed(row, request.speed)
    warnings += bent
    given: dict[str, Any] = {"model": row.wire_id, "input": request.text, "voice": voice, "speed": speed}
    given["response_format"] = request.format
    if request.instructions and "instructions" in row.capabilities:
        check_limit(row, "max_instructions_chars", len(request.instructions), "characters of instructions")
        given["instructions"] = request.instructions
    else:
        warnings += instructions_warning(row, request)
    return given | options, warnings


def sound_of(response: httpx2.Response, vendor: str) -> bytes:
    """The audio of an answer that was read whole. Raises MalformedAnswer, or the error that came in place of audio."""
    content_type = response.headers.get("content-type", "")
    if content_type.startswith(("application/json", "text/")):
        body = json_of(response)
        if isinstance(body, dict) and body.get("error"):
            raise error_inside(vendor, body["error"])
        raise MalformedAnswer(f"{vendor} answered with {content_type} in place of audio.")
    if not response.content:
        raise MalformedAnswer(f"{vendor} answered without audio.")
    return response.content


class LiveSound(AsyncIterator[bytes]):
    """The sound of one answer, read while it is made. It keeps its connection until it is read to the end, breaks off
    or is closed. `limit_s` bounds the time it is waited for altogether; the client bounds its size.

    `translated` turns the SDK's errors into ours: what breaks off later was begun, and so paid for (OutcomeUnknown).
    """

    def __init__(self, limit_s: float, translated: Callable[[], AbstractContextManager[None]]) -> None:
        self._left_s = limit_s
        self._translated = translated
        self._held = AsyncExitStack()
        self._first: bytes | None = None
        self._pieces: AsyncIterator[bytes] | None = None

    async def open(self, sdk: AbstractContextManager[AsyncOpenAI], given: dict[str, Any], vendor: str) -> None:
        """Order the speech and wait for its first bytes. Raises what an order read whole raises."""
        try:
            client = self._held.enter_context(sdk)
            with self._translated():
                await self._order(client, given, vendor)
        except BaseException:
            await self.aclose()
            raise

    async def _order(self, client: AsyncOpenAI, given: dict[str, Any], vendor: str) -> None:
        begun = time.monotonic()
        async with asyncio.timeout(self._left_s):
            order = client.audio.speech.with_streaming_response.create(**given)
            answer = await self._held.enter_async_context(order)
            if answer.headers.get("content-type", "").startswith(("application/json", "text/")):
                await answer.read()
                sound_of(answer.http_response, vendor)
            self._pieces = answer.iter_bytes()
            while not self._first:
                self._first = await anext(self._pieces, None)
                if self._first is None:
                    raise MalformedAnswer(f"{vendor} answered without audio.")
        self._left_s -= time.monotonic() - begun

    async def __anext__(self) -> bytes:
        first, self._first = self._first, None
        if first:
            return first
        begun = time.monotonic()
        try:
            with self._translated():
                async with asyncio.timeout(max(self._left_s, 0.001)):  # only the time it is waited for counts
                    piece = await anext(self._pieces, None) if self._pieces is not None else None
        except BaseException:
            await self.aclose()
            raise
        self._left_s -= time.monotonic() - begun
        if piece is None:
            await self.aclose()
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Let go of the connection. Idempotent."""
        self._first = self._pieces = None
        with contextlib.suppress(Exception):
            await self._held.aclose()
