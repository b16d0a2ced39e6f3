"""The Messages wire format: a chat turn written, and its answer read by the rules of Chat Completions.

Facts: anthropic 2.12.0, types/message_create_params.py and types/message.py.

The model's thoughts are not kept: other vendors' models may have written the history, which has no place for them. From
the models on that think as they see fit, turns need not begin with thoughts (the documentation on adaptive thinking,
"Validation changes"); no other kind of thinking is asked for here.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from .anthropic_schemas import enforceable
from .chat_completions import from_wire
from .chat_streams import dicts, is_object
from .errors import MalformedAnswer, NotOffered
from .media import attached
from .types import ChatReply, ChatRequest, Media, Message, ToolCall

LABEL = "Anthropic"
PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
PDF, PLAIN = "application/pdf", "text/plain"
MAX_MEDIA_BYTES = 32 * 1024**2
"""A request may have 32 MB (the documentation on vision), in which media are base64 and so a third longer."""
FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
DECLINED = "The model declined to answer this."
IN_WORDS = "Answer with one JSON object that follows this JSON Schema, and with nothing else:\n"
FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL)

Json = dict[str, Any]


# ---- the request -----------------------------------------------------------------------------------------------------


def to_wire(request: ChatRequest, *, model: str, max_tokens: int, enforce: bool = True) -> Json:
    """The JSON body of a turn (blocking where there are media: they are read). Raises NotOffered.

    An answer's schema is enforced where that is wanted and can be; else it is asked for in words. A forced tool, the
    older way, is refused by the models that always think (platform.claude.com, What's new in Claude Opus 5.5).
    """
    system = [message.content for message in request.messages if message.role == "system" and message.content.strip()]
    body: Json = {"model": model, "max_tokens": max_tokens, "messages": _turns(request)}
    if request.answer_schema is not None:
        if enforce and (schema := enforceable(request.answer_schema)) is not None:
            body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        else:
            system.append(IN_WORDS + json.dumps(dict(request.answer_schema)))
    if system:
        body["system"] = "\n\n".join(system)
    if request.tools:
        body["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
            for tool in request.tools
        ]
        if not request.tools_allowed:
            body["tool_choice"] = {"type": "none"}
    return body


def _turns(request: ChatRequest) -> list[Json]:
    """The conversation but for its instructions: turns of user and model, by turns. The results of all the calls of a
    turn stand in the one user turn that follows it, before anything else that is said there."""
    turns: list[Json] = []
    for message in request.messages:
        if message.media_ids and message.role != "user":
            raise NotOffered(f"A model can be shown media in user messages only, not in {message.role} messages.")
        if message.role == "system" or not (blocks := _blocks(message, request.media)):
            continue  # an empty message is refused, and says nothing
        role = "assistant" if message.role == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Message, media: Mapping[str, Media]) -> list[Json]:
    """Media stand before the text that speaks of them, as the documentation on vision advises."""
    if message.role == "tool":
        result: Json = {"type": "tool_result", "tool_use_id": call_id(message.tool_call_id or "")}
        return [result | ({"content": message.content} if message.content.strip() else {})]
    shown = [_shown(name, media) for name in message.media_ids]
    said = [{"type": "text", "text": message.content}] if message.content.strip() else []  # a blank text is refused
    return shown + said + [_call(call) for call in message.tool_calls]


def _shown(name: str, media: Mapping[str, Media]) -> Json:
    file = attached(name, media)
    kind = file.media_type
    if kind in PICTURES:
        return {"type": "image", "source": _base64(kind, file)}
    if kind == PDF:
        return {"type": "document", "source": _base64(kind, file)}
    if kind == PLAIN:
        text = file.read().decode("utf-8", "replace")
        return {"type": "document", "source": {"type": "text", "media_type": PLAIN, "data": text}}
    raise NotOffered(
        f"{name} is {kind}: {LABEL}'s models are shown JPEG, PNG, GIF and WebP pictures, PDFs and plain text."
    )


def _base64(kind: str, file: Media) -> Json:
    return {"type": "base64", "media_type": kind, "data": base64.b64encode(file.read()).decode()}


def check_size(request: ChatRequest) -> None:
    """Raises NotOffered for media that do not fit into one request."""
    names = [name for message in request.messages for name in message.media_ids if name in request.media]
    length = sum(request.media[name].size for name in names) * 4 / 3
    if length > MAX_MEDIA_BYTES:
        raise NotOffered(f"{LABEL} takes 24 MB of media in one request; show fewer, or smaller ones.")


def _call(call: ToolCall) -> Json:
    """An earlier call as history, whatever the model got wrong in it: a name and an id of letters the API takes, and an
    object for its input."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", call.name)[:64] or "unknown"
    given = json.loads(call.arguments) if is_object(call.arguments) else {"invalid_arguments": call.arguments}
    return {"type": "tool_use", "id": call_id(call.id), "name": name, "input": given}


def call_id(given: str) -> str:
    """An id as the API takes it, for calls that another vendor's model made."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", given) or "unknown"


# ---- the answer ------------------------------------------------------------------------------------------------------


def from_answer(body: Any, *, taken: Collection[str] = (), in_words: bool = False) -> ChatReply:
    """Read an answer. `taken` are call ids of earlier turns; `in_words`: JSON was asked for, and may stand in a fence.

    Thoughts and what a vendor may add later are passed over. Raises MalformedAnswer, and what `from_wire` raises.
    """
    if not isinstance(body, dict):
        raise MalformedAnswer(f"{LABEL} answered something that is not a JSON object.")
    if body.get("type") == "error" or not isinstance(body.get("content"), list):
        return from_wire({"error": body.get("error")}, vendor=LABEL)  # raises
    parts, reason = dicts(body["content"]), body.get("stop_reason")
    text = "".join(str(part.get("text") or "") for part in parts if part.get("type") == "text")
    if in_words and (match := FENCED.fullmatch(text)):
        text = match[1]
    calls = [
        {"id": part.get("id"), "function": {"name": part.get("name"), "arguments": part.get("input")}}
        for part in parts
        if part.get("type") == "tool_use"
    ]
    refused = reason == "refusal"
    message = {"content": "" if refused else text, "tool_calls": calls, "refusal": _refusal(body) if refused else None}
    choice = {"message": message, "finish_reason": FINISHES.get(str(reason), reason)}
    return from_wire({"choices": [choice], "usage": _usage(body.get("usage"))}, vendor=LABEL, taken=taken)


def _refusal(body: Json) -> str:
    details = body.get("stop_details")
    said = details.get("explanation") if isinstance(details, dict) else None
    return said if isinstance(said, str) and said else DECLINED


def _usage(usage: Any) -> Json | None:
    """As Chat Completions counts: what was read from the cache, and what was written to it, is among the input. Writing
    costs a quarter more, which is left out: no cache is asked for here."""
    if not isinstance(usage, dict):
        return None
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    fresh, cached, stored = (count if isinstance(count := usage.get(name), int) else 0 for name in names)
    details = {"cached_tokens": cached}
    whole = fresh + cached + stored if isinstance(usage.get("input_tokens"), int) else None
    return {"prompt_tokens": whole, "completion_tokens": usage.get("output_tokens"), "prompt_tokens_details": details}
