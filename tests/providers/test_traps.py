"""Shapes seen in recorded traffic that any vendor of a kind may send, asked of every family of that kind.

The numbers are those of docs/traps.md, which says where the shapes of a single vendor are tested.
"""

import base64
import struct
import zlib
from typing import Any

import httpx
import pytest

from providers.anthropic import Anthropic
from providers.elevenlabs import ElevenLabs
from providers.errors import RateLimited
from providers.google import Google
from providers.http import Http
from providers.openai import OpenAI
from providers.stability import Stability
from providers.types import ChatRequest, ImageRequest, Message, Output, SpeechRequest, ToolCall
from providers.xai import XAI

pytestmark = pytest.mark.anyio

GEMINI = "https://generativelanguage.googleapis.com/v1/models"
FAMILIES = {
    "anthropic": (Anthropic, "ANTHROPIC_API_KEY"),
    "elevenlabs": (ElevenLabs, "ELEVENLABS_API_KEY"),
    "google": (Google, "GOOGLE_API_KEY"),
    "openai": (OpenAI, "OPENAI_API_KEY"),
    "stability": (Stability, "STABILITY_API_KEY"),
    "xai": (XAI, "XAI_API_KEY"),
}
CHATS = {
    "anthropic": ("claude-haiku-5-5", "https://api.anthropic.com/v1/messages"),
    "google": ("gemini-3.8-flash", f"{GEMINI}/gemini-3.8-flash:generateContent"),
    "openai": ("gpt-4o", "https://api.openai.com/v1/chat/completions"),
    "xai": ("grok-4.6", "https://api.x.ai/v1/chat/completions"),
}


@pytest.fixture
async def answered(vendor, openai_api):
    """Lets a vendor answer with this, and gives the family that asks it."""
    opened = []

    def let(name: str, url: str, answer: httpx.Response):
        kind, key = FAMILIES[name]
        (openai_api if kind is OpenAI else vendor).post(url).mock(return_value=answer)
        opened.append(kind({key: "secret-1"}, Http()))
        return opened[-1]

    yield let
    for family in opened:
        await family.aclose()
        await family.http.aclose()


# ---- chat ------------------------------------------------------------------------------------------------------------


def turn_of(vendor: str, calls: int = 0, *, fault: dict[str, str] | None = None) -> Any:
    """An answer without text that calls `draw` so many times, without arguments or ids, in the words of a vendor."""
    if vendor == "anthropic":
        called = [{"type": "tool_use", "name": "draw"}] * calls
        body = {"type": "message", "content": called, "stop_reason": "end_turn"}
        return {"type": "error", "error": fault} if fault else body
    if vendor == "google":
        parts = [{"functionCall": {"name": "draw"}}] * calls
        candidate = {"content": {"parts": parts} if parts else {}, "finishReason": "STOP"}
        return {"error": fault} if fault else {"candidates": [candidate]}
    wire = [{"type": "function", "function": {"name": "draw"}}] * calls
    choice = {"message": {"content": None, "tool_calls": wire}, "finish_reason": "stop"}
    return {"error": fault} if fault else {"choices": [choice]}


async def replied(answered, vendor: str, body: Any):
    model, url = CHATS[vendor]
    family = answered(vendor, url, httpx.Response(200, json=body))
    return await family.complete(ChatRequest(model, (Message(role="user", content="Hi"),)))


@pytest.mark.parametrize("vendor_name", CHATS)
async def test_calls_count_although_the_reason_is_to_stop(answered, vendor_name):
    """Traps 1 and 2: the reason is "stop", and there are no arguments."""
    reply = await replied(answered, vendor_name, turn_of(vendor_name, 1))
    assert reply.tool_calls == (ToolCall(id="call_1", name="draw", arguments="{}"),)
    assert reply.finish_reason == "stop"


@pytest.mark.parametrize("vendor_name", CHATS)
async def test_same_tool_five_times_is_five_calls(answered, vendor_name):
    """Traps 7 and 8."""
    reply = await replied(answered, vendor_name, turn_of(vendor_name, 5))
    assert [call.id for call in reply.tool_calls] == ["call_1", "call_2", "call_3", "call_4", "call_5"]


@pytest.mark.parametrize("vendor_name", CHATS)
async def test_empty_answer_is_a_reply(answered, vendor_name):
    """Trap 6."""
    reply = await replied(answered, vendor_name, turn_of(vendor_name))
    assert (reply.content, reply.refusal, reply.tool_calls) == ("", None, ())


@pytest.mark.parametrize("vendor_name", CHATS)
async def test_failure_inside_a_200_may_have_been_billed(answered, vendor_name):
    """Trap 5."""
    fault = {"type": "rate_limit_error", "message": "Later."}
    with pytest.raises(RateLimited) as caught:
        await replied(answered, vendor_name, turn_of(vendor_name, fault=fault))
    assert caught.value.charged is None


# ---- pictures --------------------------------------------------------------------------------------------------------


def sealed() -> bytes:
    """A PNG that begins with a seal of its origin (C2PA), as vendors' pictures do."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"caBX", b"jumb")
        + chunk(b"IDAT", zlib.compress(b"\0\0"))
        + chunk(b"IEND", b"")
    )


ENCODED = base64.b64encode(sealed()).decode()
PICTURES = {
    "google": (
        "gemini-nano-banana-2.1",
        f"{GEMINI}/gemini-nano-banana-2.1:generateContent",
        {"candidates": [{"content": {"parts": [{"inlineData": {"mimeType": "image/jpeg", "data": ENCODED}}]}}]},
    ),
    "openai": (
        "gpt-image-2.6-flare",
        "https://api.openai.com/v1/images/generations",
        {"created": 1, "output_format": "jpeg", "data": [{"b64_json": ENCODED}]},
    ),
    "xai": (
        "grok-imagine-image-2.0",
        "https://api.x.ai/v1/images/generations",
        {"data": [{"b64_json": ENCODED, "mime_type": "image/jpeg"}]},
    ),
    "stability": ("stable-image-core", "https://api.stability.ai/v2beta/stable-image/generate/core", None),
}


@pytest.mark.parametrize("vendor_name", PICTURES)
async def test_picture_keeps_its_bytes_whatever_it_is_called(answered, vendor_name):
    """Traps 11, 12 and 16: in base64 alone, sealed, and named a JPEG."""
    model, url, body = PICTURES[vendor_name]
    headers = {"content-type": "image/jpeg", "finish-reason": "SUCCESS"}
    answer = httpx.Response(200, json=body) if body else httpx.Response(200, content=sealed(), headers=headers)
    done = await answered(vendor_name, url, answer).submit(ImageRequest(model=model, prompt="a cat"), {})
    assert done.outputs == (Output(data=sealed()),)
    assert done.revised_prompt is None


# ---- sound -----------------------------------------------------------------------------------------------------------


SPEECH = {
    "elevenlabs": ("eleven_multilingual_v2", "https://api.elevenlabs.io/v1/text-to-speech/EXAVITQu4vr4xnSDxMaL"),
    "openai": ("tts-1", "https://api.openai.com/v1/audio/speech"),
    "xai": ("grok-voice-tts-1.0", "https://api.x.ai/v1/tts"),
}


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFF0024])
@pytest.mark.parametrize("vendor_name", SPEECH)
async def test_sound_made_while_it_is_sent_is_kept_as_it_came(answered, vendor_name, length):
    """Trap 21: the sizes in its head are not true; the length is reckoned from the bytes where it is stored."""
    model, url = SPEECH[vendor_name]
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 24_000, 48_000, 2, 16)
    sound = struct.pack("<4sI4s", b"RIFF", length, b"WAVE") + form + struct.pack("<4sI", b"data", length) + bytes(480)
    answer = httpx.Response(200, content=sound, headers={"content-type": "audio/wav"})
    family = answered(vendor_name, url, answer)
    done = await family.submit(SpeechRequest(model=model, text="Hello.", format="wav"), {})
    assert done.outputs == (Output(data=sound),)


# ---- downloads -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"content-type": "application/octet-stream"}])
async def test_download_needs_no_type_and_tells_who_asks(vendor, headers):
    """Trap 25: hosts that name no type, and hosts that answer 403 to a client without a name."""

    def host(request: httpx.Request) -> httpx.Response:
        known = request.headers.get("user-agent", "").startswith("impresario/")
        return httpx.Response(200, content=b"\0\0\0\x18ftypmp42", headers=headers) if known else httpx.Response(403)

    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.216.34"]

    vendor.get("https://93.184.216.34/work").mock(side_effect=host)
    http = Http(resolve=resolve)
    pieces = http.download("https://cdn.test/work", vendor_url="https://api.acme.test")
    assert b"".join([piece async for piece in pieces]) == b"\0\0\0\x18ftypmp42"
    await http.aclose()
