"""The parts of a chat request that are not text: pictures, sound and PDFs, and the schema its answer is to follow.

Facts: openai 3.52.0, types/chat/chat_completion_content_part_*.py, types/shared_params/response_format_json_schema.py.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from .errors import NotOffered
from .types import ChatRequest, Media, Message

Json = dict[str, Any]
Detail = Literal["auto", "low", "high"]

SOUNDS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}
PDF = "application/pdf"
IN_WORDS = "Answer with one JSON object and nothing else. It must follow this JSON Schema:\n"
FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
ENFORCEABLE = {
    *("type", "title", "description", "properties", "required", "additionalProperties", "items", "anyOf", "enum"),
    *("const", "$ref", "$defs", "definitions", "pattern", "format", "multipleOf", "minimum", "maximum"),
    *("exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems"),
}
"""The words of JSON Schema that strict mode takes; another one makes it refuse the request (the guide on structured
outputs: `default`, `oneOf`, `allOf` and their like are not supported)."""


# ---- media -----------------------------------------------------------------------------------------------------------


def needs_of_media(media_type: str) -> str | None:
    """The capability a model must have to be shown a file of this type; None where the format has no part for it."""
    if media_type.startswith("image/"):
        return "vision"
    return "audio_input" if media_type in SOUNDS else "documents" if media_type == PDF else None


def media_part(name: str, media: Media, detail: Detail = "auto") -> Json:
    """The content part that shows a file (blocking: it is read). Raises NotOffered for a kind the format has no part
    for: clips, sound other than WAV and MP3, documents other than PDF."""
    if media.media_type.startswith("image/"):
        closely = {} if detail == "auto" else {"detail": detail}  # "auto" is the vendor's default
        return {"type": "image_url", "image_url": {"url": media.data_uri(), **closely}}
    if media.media_type in SOUNDS:
        sound = base64.b64encode(media.read()).decode()
        return {"type": "input_audio", "input_audio": {"data": sound, "format": SOUNDS[media.media_type]}}
    if media.media_type == PDF:
        return {"type": "file", "file": {"filename": f"{name}.pdf", "file_data": media.data_uri()}}
    raise NotOffered(f"{name} is {media.media_type}: such a model takes pictures, WAV or MP3 sound, and PDFs.")


# ---- the answer's schema ---------------------------------------------------------------------------------------------


def answer_format(schema: Mapping[str, Any]) -> Json:
    """The `response_format` of a schema, named by its title. It is enforced to the letter (`strict`) only where it
    qualifies: elsewhere the vendor would refuse the whole request."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", str(schema.get("title") or ""))[:64] or "answer"
    strict = schema.get("type") == "object" and "anyOf" not in schema and is_strict(schema)
    return {"type": "json_schema", "json_schema": {"name": name, "schema": dict(schema), "strict": strict}}


def in_words(request: ChatRequest) -> ChatRequest:
    """The request with its schema in an instruction, for models that know no `response_format`."""
    if request.answer_schema is None:
        return request
    text = IN_WORDS + json.dumps(dict(request.answer_schema), ensure_ascii=False)
    return replace(request, answer_schema=None, messages=(Message(role="system", content=text), *request.messages))


def is_strict(schema: Any) -> bool:
    """Whether every object in a schema is closed and demands all its properties, in words that strict mode knows."""
    if not isinstance(schema, Mapping) or not set(schema) <= ENFORCEABLE:
        return False
    if ("$ref" in schema and len(schema) > 1) or schema.get("format", "date") not in FORMATS:
        return False  # "$ref cannot have keywords {'description'}"
    kind, properties = schema.get("type"), schema.get("properties", {})
    if kind == "object" or (isinstance(kind, list) and "object" in kind) or properties:
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties):
            return False
    elif not {"type", "anyOf", "$ref", "enum", "const"} & set(schema):
        return False  # a value of any kind
    if kind == "array" and "items" not in schema:
        return False
    inner = [*properties.values(), *schema.get("anyOf", ())]
    inner += [one for name in ("$defs", "definitions") for one in schema.get(name, {}).values()]
    inner += [schema["items"]] if "items" in schema else []
    return all(is_strict(one) for one in inner)
