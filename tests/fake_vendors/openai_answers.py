"""The shapes of OpenAI's answers."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import JSONResponse, Response

from .control import Reply
from .openai_rules import MODELS
from .planner import text_of
from .wire import now, token

CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip
IMAGE_TOKENS = {"low": 272, "medium": 1056, "high": 4160, "xhigh": 6240, "max": 8320}


def model_row(name: str) -> dict[str, Any]:
    """A row of the list of models."""
    made = {"id": name, "object": "model", "created": 1_715_367_049, "owned_by": "system"}
    return {**made, "shutdown_date": MODELS[name]} if MODELS[name] else made


def raw_answer(reply: Reply, headers: dict[str, str]) -> Response:
    """A scripted body, or an error without one."""
    body = reply.body
    if body is None:
        body = {"error": {"message": "The server had an error.", "type": "server_error", "param": None, "code": None}}
    if not isinstance(body, str):
        return JSONResponse(body, reply.status, headers=headers)
    return Response(body, reply.status, {"content-type": "application/json", **headers})


def completion_of(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """The chat completion a reply stands for."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.content, "refusal": reply.refusal}
    calls = [_call(call) for call in reply.tool_calls]
    message |= {"tool_calls": calls} if calls else {}
    message["annotations"] = []
    finish = reply.finish_reason or ("tool_calls" if calls else "stop")
    return {
        "id": f"chatcmpl-{token(29)}",
        "object": "chat.completion",
        "created": int(now()),
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": reply.usage or _usage(body, message),
        "service_tier": "default",
        "system_fingerprint": "fp_fa4efa4efa",
    }


def _call(call: dict[str, Any]) -> dict[str, Any]:
    arguments = call.get("arguments", {})
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    function = {"name": call["name"], "arguments": text}
    return {"id": call.get("id") or f"call_{token(24)}", "type": "function", "function": function}


def _usage(body: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    """About four characters to a token."""
    asked = sum(len(text_of(each)) for each in body["messages"]) + len(json.dumps(body.get("tools") or ""))
    told = len(message["content"] or "") + len(json.dumps(message.get("tool_calls") or ""))
    prompt, completion = asked // 4 + 8, told // 4 + 1
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


async def chunks(completion: dict[str, Any], with_usage: bool) -> AsyncIterator[bytes]:
    """The same turn in pieces."""
    choice = completion["choices"][0]
    message = choice["message"]
    base = {key: completion[key] for key in ("id", "created", "model", "service_tier", "system_fingerprint")}
    base |= {"object": "chat.completion.chunk"} | ({"usage": None} if with_usage else {})

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        return _sse({**base, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]})

    yield chunk({"role": "assistant", "content": None if message.get("tool_calls") else "", "refusal": None})
    for piece in _cut(message["content"] or ""):
        yield chunk({"content": piece})
    if message["refusal"]:
        yield chunk({"refusal": message["refusal"]})
    for index, call in enumerate(message.get("tool_calls") or ()):
        named = {"name": call["function"]["name"], "arguments": ""}
        yield chunk({"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": named}]})
        for piece in _cut(call["function"]["arguments"]):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, choice["finish_reason"])
    if with_usage:
        yield _sse({**base, "choices": [], "usage": completion["usage"]})
    yield b"data: [DONE]\n\n"


def _cut(text: str, size: int = 16) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def _sse(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


async def named_events(events: list[dict[str, Any]]) -> AsyncIterator[bytes]:
    """Server-sent events with their names."""
    for event in events:
        yield f"event: {event['type']}\n".encode() + _sse(event)


def image_usage(body: dict[str, Any], quality: str, pixels: int, count: int, given: int) -> dict[str, Any]:
    """The tokens of some pictures; a picture of twice the pixels costs twice as many."""
    text = len(body["prompt"]) // 4 + 1
    made = round(IMAGE_TOKENS[quality] * pixels / 1024**2) * count + 100 * (body.get("partial_images") or 0)
    shown = 323 * given
    return {
        "input_tokens": text + shown,
        "input_tokens_details": {"text_tokens": text, "image_tokens": shown},
        "output_tokens": made,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": made},
        "total_tokens": text + shown + made,
    }


def picture_events(
    event: str, encoded: str, partial: int, settings: dict[str, Any], usage: dict[str, Any]
) -> list[dict[str, Any]]:
    """The events of a streamed picture."""
    base = {"created_at": int(now()), "b64_json": encoded, **settings}
    early = [{"type": f"{event}.partial_image", "partial_image_index": index, **base} for index in range(partial)]
    return [*early, {"type": f"{event}.completed", **base, "usage": usage}]


async def speech_events(sound: bytes) -> AsyncIterator[bytes]:
    """A voice as server-sent events."""
    size = 48 * 1024
    for start in range(0, len(sound), size):
        audio = base64.b64encode(sound[start : start + size]).decode()
        yield _sse({"type": "speech.audio.delta", "audio": audio})
    usage = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
    yield _sse({"type": "speech.audio.done", "usage": usage})


def verdict(texts: list[str]) -> dict[str, Any]:
    """A moderation: what a text names is what it is flagged for."""
    said = " ".join(texts)
    categories = {name: name in said for name in CATEGORIES}
    scores = {name: 0.99 if flag else 0.01 for name, flag in categories.items()}
    types = {name: ["text"] for name in CATEGORIES}
    result = {"flagged": any(categories.values()), "categories": categories, "category_scores": scores}
    result |= {"category_applied_input_types": types}
    return {"id": f"modr-{token(29)}", "model": "omni-moderation-latest", "results": [result]}
