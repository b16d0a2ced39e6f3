"""A chat turn on Google's wire (generateContent), written, and its answer read by the rules of Chat Completions.

Facts: google-genai 3.4.0, types.py and models.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from .catalogue import Model
from .chat_completions import from_wire
from .chat_streams import is_object
from .errors import NotOffered
from .google_answers import LABEL, Json, by_modality, candidate_of, count, mapping, text
from .google_files import Placed, wire_type
from .media import attached
from .types import ChatReply, ChatRequest, Media, Message, ToolCall

UNSIGNED = "skip_thought_signature_validator"
"""The value Google documents for calls that come without their signature
(https://ai.google.dev/gemini-api/docs/thought-signatures, questions and answers).

From Gemini 3 on the first call of each model turn must bring back the `thoughtSignature` it came with, else the request
is refused (400). A signature can have a megabyte, and other models may have written our history, so it is not kept: the
model plans from the calls and their answers, without its earlier thoughts.
"""
NEEDS = {"image": "vision", "audio": "audio_input", "video": "video_input", "application": "documents"}
"""The first half of a media type -> the capability a model must have to be shown it."""
FINISHES = {"STOP": "stop", "MAX_TOKENS": "length"}


# ---- the request -----------------------------------------------------------------------------------------------------


def check_media(request: ChatRequest, row: Model | None) -> None:
    """Raises NotOffered for media a model cannot be shown, before any of it is uploaded. A model without a row may see
    what the wire has a place for."""
    for message in request.messages:
        if message.media_ids and message.role != "user":
            raise NotOffered(f"A model can be shown media in user messages only, not in {message.role} messages.")
        for name in message.media_ids:
            file = attached(name, request.media)
            kind = wire_type(name, file).partition("/")[0]
            if row is not None and kind in NEEDS and NEEDS[kind] not in row.capabilities:
                raise NotOffered(f"{row.id} cannot be shown {_kind(file)} ({name}).")


def _kind(media: Media) -> str:
    return {"application": "documents"}.get(kind := media.media_type.partition("/")[0], kind)


def chat_body(request: ChatRequest, placed: Mapping[str, Placed], *, signed: bool = True) -> Json:
    """The JSON body of a turn. `placed` are its media by id; `signed`: calls in the history need a signature."""
    body: Json = {"contents": _contents(request.messages, placed, signed)}
    if system := [message.content for message in request.messages if message.role == "system" and message.content]:
        body["systemInstruction"] = {"role": "user", "parts": [{"text": "\n\n".join(system)}]}
    if request.tools:
        declared = [
            {"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters}
            for tool in request.tools
        ]
        body["tools"] = [{"functionDeclarations": declared}]
        if not request.tools_allowed:
            body["toolConfig"] = {"functionCallingConfig": {"mode": "NONE"}}
    config: Json = {}
    if request.max_output_tokens is not None:
        config["maxOutputTokens"] = request.max_output_tokens
    if request.answer_schema is not None:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": dict(request.answer_schema)}
    if request.detail != "auto" and placed:
        config["mediaResolution"] = f"MEDIA_RESOLUTION_{request.detail.upper()}"
    return body | ({"generationConfig": config} if config else {}) | {"store": False}


def _contents(messages: tuple[Message, ...], placed: Mapping[str, Placed], signed: bool) -> list[Json]:
    """The conversation but for its instructions. The answers to the calls of one turn make one content: Google counts
    them against the calls."""
    contents: list[Json] = []
    names: dict[str, str] = {}
    answering = False
    for message in messages:
        if message.role == "system":
            continue
        if message.role == "tool":
            part = _answer(message, names)
            if answering:
                contents[-1]["parts"].append(part)
            else:
                contents.append({"role": "user", "parts": [part]})
            answering = True
            continue
        answering = False
        parts: list[Json] = [{"text": message.content}] if message.content else []
        parts += [placed[name].part() for name in message.media_ids]
        parts += [_call(call, signed and number == 0) for number, call in enumerate(message.tool_calls)]
        names |= {call.id: _name(call) for call in message.tool_calls}
        if parts:  # a content without parts is refused
            contents.append({"role": "model" if message.role == "assistant" else "user", "parts": parts})
    return contents


def _call(call: ToolCall, signed: bool) -> Json:
    """An earlier call. What a model got wrong once must not spoil every later turn, so a call that is not valid is told
    in a valid form."""
    given = call.arguments if is_object(call.arguments) else json.dumps({"invalid_arguments": call.arguments})
    part: Json = {"functionCall": {"id": call.id, "name": _name(call), "args": json.loads(given)}}
    return part | ({"thoughtSignature": UNSIGNED} if signed else {})


def _name(call: ToolCall) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", call.name)[:64] or "unknown"


def _answer(message: Message, names: Mapping[str, str]) -> Json:
    """The answer to a call; `response` has to be an object."""
    given = json.loads(message.content) if is_object(message.content) else {"output": message.content}
    call_id = message.tool_call_id or ""
    return {"functionResponse": {"id": call_id, "name": names.get(call_id, "unknown"), "response": given}}


# ---- the answer ------------------------------------------------------------------------------------------------------


def chat_reply(answer: Json, taken: Collection[str] = ()) -> ChatReply:
    """Read an answer: it is put into the shape of a Chat Completions body, whose rules then hold for calls without an
    id, broken characters and odd numbers. A blocked one is a refusal. Raises MalformedAnswer, and what an error inside
    the answer stands for."""
    if answer.get("error"):
        return from_wire({"error": answer["error"]}, vendor=LABEL)
    found = candidate_of(answer)
    calls = [mapping(part.get("functionCall")) for part in found.parts if part.get("functionCall")]
    message: Json = {"content": found.texts(), "tool_calls": [_wire_call(call) for call in calls]}
    finish = FINISHES.get(found.finish, found.finish.lower())
    if found.block:
        message["refusal"] = str(found.nothing("an answer"))
        finish = "content_filter"
    choice = {"message": message, "finish_reason": finish}
    return from_wire({"choices": [choice], "usage": _tokens(answer)}, vendor=LABEL, taken=taken)


def _wire_call(call: Mapping[str, Any]) -> Json:
    return {"id": call.get("id"), "function": {"name": text(call.get("name")), "arguments": call.get("args") or {}}}


def _tokens(answer: Json) -> Json | None:
    """Google leaves thoughts out of the candidate's tokens and bills them like these."""
    meta = mapping(answer.get("usageMetadata"))
    if not meta:
        return None
    made, thought = count(meta.get("candidatesTokenCount")), count(meta.get("thoughtsTokenCount"))
    given = by_modality(meta.get("promptTokensDetails"), "tokenCount")
    return {
        "prompt_tokens": count(meta.get("promptTokenCount")),
        "completion_tokens": None if made is None and thought is None else (made or 0) + (thought or 0),
        "prompt_tokens_details": {
            "cached_tokens": count(meta.get("cachedContentTokenCount")),
            "image_tokens": given.get("IMAGE"),
            "audio_tokens": given.get("AUDIO"),
        },
    }
