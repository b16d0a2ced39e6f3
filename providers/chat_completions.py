"""The Chat Completions wire format, shared by every family that speaks it.

Pure functions: `to_wire` writes a request; `from_answer` reads an answer, which is a JSON body (`from_wire`) or a
stream of server-sent events (`from_stream`), whatever was asked for, because some gateways stream unasked.

Vendors bend the format in many small ways. A rule here that is not in OpenAI's own description (openai 3.52.0,
types/chat/*) answers a shape seen in recorded traffic.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .chat_errors import error_inside
from .chat_parts import Detail, answer_format, media_part
from .chat_streams import dicts, fold, function_of, is_object, text_of
from .errors import MalformedAnswer, NotOffered
from .media import attached
from .types import ChatReply, ChatRequest, Media, Message, ToolCall, ToolSpec, Usage

# ---- the request -----------------------------------------------------------------------------------------------------


def to_wire(
    request: ChatRequest, *, model: str | None = None, stream: bool = False, extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The JSON body of a request. `model` is the name on the wire where it differs; `extra` goes in as it is.

    Reads the media (blocking: call it off the event loop where there are any). Raises NotOffered for media of a kind
    the format has no part for, not attached, or not in a user message: only there the format lets a model see them.
    """
    body: dict[str, Any] = {
        "model": model or request.model,
        "messages": [_message(message, request.media, request.detail) for message in request.messages],
    }
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        if not request.tools_allowed:
            body["tool_choice"] = "none"
    if request.answer_schema is not None:
        body["response_format"] = answer_format(request.answer_schema)
    if request.max_output_tokens is not None:
        body["max_completion_tokens"] = request.max_output_tokens  # reasoning models reject the older max_tokens
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body | dict(extra or {})


def call_ids(request: ChatRequest) -> set[str]:
    """The ids of all tool calls so far, which no new call may bear."""
    return {call.id for message in request.messages for call in message.tool_calls}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _message(message: Message, media: Mapping[str, Media], detail: Detail) -> dict[str, Any]:
    if message.media_ids and message.role != "user":
        # openai 3.52.0 types/chat/chat_completion_tool_message_param.py: a string or text parts only
        raise NotOffered(f"A model can be shown media in user messages only, not in {message.role} messages.")
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.media_ids:
        text = [{"type": "text", "text": message.content}] if message.content else []
        wire["content"] = text + [_shown(media_id, media, detail) for media_id in message.media_ids]
    if message.tool_calls:
        wire["content"] = message.content or None
        wire["tool_calls"] = [_echo(call) for call in message.tool_calls]
    if message.role == "tool":
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _shown(media_id: str, media: Mapping[str, Media], detail: Detail) -> dict[str, Any]:
    return media_part(media_id, attached(media_id, media), detail)


def _echo(call: ToolCall) -> dict[str, Any]:
    """An earlier call as history. What a model got wrong once must not spoil every later turn: OpenAI rejects a name
    outside [A-Za-z0-9_-]{1,64}; vLLM and llama.cpp parse old arguments and answer 400 (vllm-project/vllm #43995)."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", call.name)[:64] or "unknown"
    arguments = call.arguments if is_object(call.arguments) else json.dumps({"invalid_arguments": call.arguments})
    return {"id": call.id, "type": "function", "function": {"name": name, "arguments": arguments}}


# ---- the answer ------------------------------------------------------------------------------------------------------


def from_answer(content: bytes, content_type: str, *, vendor: str, taken: Collection[str] = ()) -> ChatReply:
    """Read the answer of an HTTP 200, be it JSON or a stream. Raises what `from_wire` and `from_stream` raise."""
    text = content.decode("utf-8-sig", "replace")
    if "text/event-stream" in content_type or re.match(r"\s*(data|event|id|retry)?:", text):
        return from_stream(text, vendor=vendor, taken=taken)
    try:
        body = json.loads(text)
    except ValueError as error:
        raise MalformedAnswer(f"{vendor} answered something that is not JSON.") from error
    return from_wire(body, vendor=vendor, taken=taken)


def from_stream(stream: str | Iterable[str], *, vendor: str = "The vendor", taken: Collection[str] = ()) -> ChatReply:
    """Read a stream of server-sent events, given as text or as lines. Raises what `fold` and `from_wire` raise."""
    return from_wire(fold(stream, vendor), vendor=vendor, taken=taken)


def from_wire(body: Any, *, vendor: str = "The vendor", taken: Collection[str] = ()) -> ChatReply:
    """Read a JSON body. `taken` are call ids of earlier turns, which no new call may bear.

    Calls count by their presence: beside them some vendors say `finish_reason` "stop" or "", so it is only passed on.
    Raises MalformedAnswer, or what `error_inside` makes of an error that came in place of a choice.
    """
    if not isinstance(body, dict):
        raise MalformedAnswer(f"{vendor} answered something that is not a JSON object.")
    choice = next(iter(dicts(body.get("choices"))), None)
    if failure := (choice or body).get("error"):
        raise error_inside(vendor, failure)
    message = choice.get("message") if choice else None
    if choice is None or not isinstance(message, dict):
        raise MalformedAnswer(f"{vendor} answered without a message.")
    parts = dicts(message.get("content"))
    refusal = message.get("refusal") or "".join(str(part.get("refusal") or "") for part in parts)
    return ChatReply(
        content=_clean(text_of(message.get("content"))),
        refusal=_clean(refusal) or None,
        tool_calls=_calls(message.get("tool_calls"), taken),
        finish_reason=_clean(choice.get("finish_reason")),
        usage=_usage(body.get("usage")),
    )


def _clean(value: Any) -> str:
    """Text that can be encoded and kept: JSON may hold half a surrogate pair (streams split an emoji over two deltas)
    and NUL, which Postgres refuses."""
    if not isinstance(value, str):
        return ""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "")


def _calls(value: Any, taken: Collection[str]) -> tuple[ToolCall, ...]:
    """The calls, each with an id of its own. Ids are opaque; a missing one, or one met before, is replaced by the next
    free `call_<n>`, the same one every time the same answer is read."""
    wire = dicts(value)
    ids = _unique([_clean(str(call.get("id") or "")) for call in wire], taken)
    found = []
    for call_id, call in zip(ids, wire, strict=True):
        name, arguments = function_of(call)
        if not arguments.strip():
            arguments = "{}"  # missing and empty both mean: no arguments
        found.append(ToolCall(id=call_id, name=_clean(name), arguments=_clean(arguments)))
    return tuple(found)


def _unique(ids: list[str], taken: Collection[str]) -> list[str]:
    used = set(taken)
    fresh = (name for name in (f"call_{number}" for number in itertools.count(1)) if name not in used | set(ids))
    unique = []
    for given in ids:
        unique.append(next(fresh) if not given or given in used else given)
        used.add(unique[-1])
    return unique


def _usage(value: Any) -> Usage | None:
    """The token counts; any of them may be missing or null."""
    if not isinstance(value, dict):
        return None
    details = value.get("prompt_tokens_details")
    details = details if isinstance(details, dict) else {}
    return Usage(
        input_tokens=_count(value.get("prompt_tokens")),
        cached_input_tokens=_count(details.get("cached_tokens")),
        image_input_tokens=_count(details.get("image_tokens")),
        audio_input_tokens=_count(details.get("audio_tokens")) or None,  # most turns hold no sound and say 0
        output_tokens=_count(value.get("completion_tokens")),
    )


def _count(value: Any) -> int | None:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return int(value) if whole and value >= 0 else None
