"""Whatever a vendor answers, a family raises nothing but errors of the tree: a crash would hide what may be owed."""

import contextlib
from typing import Any

import httpx
import pytest
from contract import wires

from providers.errors import ProviderError
from providers.http import Http
from providers.types import ChatRequest, ImageRequest, Media, Message, TranscriptionRequest

pytestmark = pytest.mark.anyio

WIRES = wires()
CHATS = {
    "anthropic": "claude-haiku-5-5",
    "google": "gemini-3.8-flash",
    "openai": "gpt-4o",
    "xai": "grok-4.6",
}
DRAWS = {"google": "gemini-nano-banana-2.1", "openai": "gpt-image-2.6-flare", "xai": "grok-imagine-image-2.0"}
HEARS = {
    "elevenlabs": "scribe_v2",
    "google": "gemini-3.5-transcribe",
    "openai": "gpt-4o-transcribe-diarize",
    "xai": "grok-voice-transcribe-2.0",
}
ENDS = ("succeeded", "failed", "SUCCEEDED", "FAILED", "completed", "Ready", "COMPLETED", "done", "pending")


def odd(value: Any) -> list[Any]:
    """Answers of every vendor's shape that hold this in place of what belongs there."""
    error = {"message": value, "code": value, "type": value, "status": value, "details": value}
    usage = {"input_tokens": value, "output_tokens": value, "input_tokens_details": value, "cost_in_usd_ticks": value}
    part = {"text": value, "inlineData": value, "functionCall": value, "audioTranscription": value}
    inner = {
        "inlineData": {"mimeType": value, "data": value},
        "functionCall": {"name": value, "args": value},
        "audioTranscription": {"text": value, "words": [{"word": value, "startOffset": value}], "languageCode": value},
    }
    meta = {"promptTokenCount": value, "candidatesTokenCount": value, "candidatesTokensDetails": [value]}
    block = {"type": "tool_use", "id": value, "name": value, "input": value}
    call = {"id": value, "type": value, "function": value, "custom": value}
    message = {"content": value, "tool_calls": [call], "refusal": value}
    word = {"text": value, "word": value, "type": value, "start": value, "end": value, "speaker": value}
    film = {"type": "model_output", "content": [{"type": "video", "uri": value, "data": value}], "error": value}
    job = {
        "id": "j",
        "request_id": "j",
        "cost": value,
        "estimatedCost": value,
        "polling_url": value,
        "status_url": value,
    }
    over = {
        "output": [value],
        "result": {"sample": value},
        "video": {"url": value, "respect_moderation": value},
        "steps": [film],
        "usage": usage,
        "errors": [error],
        "progress": value,
        "logs": value,
        "failure": value,
        "failureCode": value,
        "images": [{"url": value}],
        "has_nsfw_concepts": value,
    }
    return [
        value,
        {"error": value, "errors": value, "detail": value, "name": value, "message": value, "retry_after": value},
        {"error": error, "detail": error, "name": value, "errors": [value], "issues": [{"path": value}]},
        {"detail": [{"loc": value, "msg": value, "type": value}], "error": {"details": [{"violations": value}]}},
        {
            "candidates": value,
            "choices": value,
            "content": value,
            "data": value,
            "text": value,
            "promptFeedback": value,
        },
        {"candidates": [{"content": {"parts": [part]}, "finishReason": value}], "usageMetadata": value},
        {"candidates": [{"content": {"parts": [inner]}}], "usageMetadata": meta},
        {"content": [block, {"type": "text", "text": value}], "stop_reason": value, "usage": usage},
        {"choices": [{"message": message, "finish_reason": value}], "usage": {"prompt_tokens": value}},
        {"data": [{"b64_json": value, "url": value, "revised_prompt": value}], "usage": usage},
        {"text": "hi", "words": [word], "segments": [word], "language": value, "duration": value, "usage": value},
        {"models": [value], "voices": [value], "history": [value], "results": [value], "data": [value]},
        job,
        *({"status": end, "error": error, **over} for end in ENDS),
    ]


BODIES = [body for value in (None, "x", -1.5, {}, [{}], [[1]]) for body in odd(value)]


def calls_of(wire, family) -> dict[str, Any]:
    """What can be asked of a family, by a name."""
    name = family.name
    media = {**wire.media, "a": Media("audio/mpeg", data=b"ID3")}
    hello = (Message(role="user", content="Hi"),)
    asked: dict[str, Any] = {}
    if not isinstance(wire.request, ChatRequest):
        asked["submit"] = lambda: family.submit(wire.request, wire.media)
    if name in CHATS:
        asked["chat"] = lambda: family.complete(ChatRequest(CHATS[name], hello))
    if name in DRAWS:
        asked["draw"] = lambda: family.submit(ImageRequest(model=DRAWS[name], prompt="x"), {})
    if name in HEARS:
        request = TranscriptionRequest(model=HEARS[name], audio="a", speakers=True)
        asked["hear"] = lambda: family.submit(request, media)
    if wire.jobs:
        asked["poll"] = lambda: family.poll(wire.jobs.ticket)
    return asked


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("name", WIRES)
async def test_odd_answer_raises_nothing_but_an_error_of_the_tree(vendor, openai_api, name, status):
    wire, http = WIRES[name], Http()
    family = wire.family(wire.environment, http)
    router = openai_api if wire.stack == "httpcore2" else vendor
    for what, ask in calls_of(wire, family).items():
        for body in BODIES:
            router.route().mock(return_value=httpx.Response(status, json=body))
            try:
                with contextlib.suppress(ProviderError):
                    await ask()
            except Exception as error:
                pytest.fail(f"{what} of {body}: {error!r}")
    await family.aclose()
    await http.aclose()
