"""Turns a wish into a tool call whose arguments fit the tool's own JSON schema, whatever that schema is.

Only arguments the schema names are given. One that is optional is left out unless the wish says something of it; one
that is required gets a default. A tool that requires something unknown here is not called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..shapes import nearest_ratio, parse_ratio
from ..types import ToolCall, ToolSpec
from .conversation import GIVEN
from .narrations import at_a_pace
from .phrases import VIEWS
from .wishes import Wish
from .words import Kind

MAKERS: dict[Kind, str] = {"image": "generate_image", "video": "generate_video", "speech": "generate_speech"}
ENHANCER = "enhance_prompt"
EDITOR = "edit_image"

FACT_OF: dict[str, str] = {
    "prompt": "prompt",
    "text": "text",
    "size": "size",
    "duration": "duration",
    "voice": "voice",
    "speed": "speed",
    "image": "image",
    "images": "images",
    "asset_id": "image",
    "mask": "mask",
    "video": "video",
    "audio": "audio",
    "document": "document",
    "reference_images": "references",
    "provider": "provider",
    "modality": "modality",
    "instruction": "change",
    "instructions": "manner",
    "operation": "operation",
    "options": "options",
    "n": "n",
    "question": "question",
    "timestamps": "timestamps",
    "speakers": "speakers",
    "language": "language",
    "translate": "translate",
    "schema": "schema",
}
"""Argument names -> what of a wish they hold."""
MOTION = "a slow zoom"
"""What a clip shows of a picture of which nothing is known."""
DEFAULTS: dict[str, object] = {"size": "1024x1024", "duration": 5, "voice": "nova"}


def make_call(
    tool: ToolSpec, wish: Wish, asked: str, image: str | None = None, references: Sequence[str] = ()
) -> dict[str, Any] | None:
    """The arguments of the call that makes a wish; None where the schema asks for more than is known.

    `asked` is the user's own text, which may name a provider; `image` the id of a picture to animate, and
    `references` those of pictures whose character is to appear.
    """
    plain = replace(wish, about=MOTION) if image and wish.about == GIVEN else wish
    facts = {
        "prompt": plain.prompt,
        "text": wish.text,
        "size": wish.size,
        "duration": wish.duration_s,
        "voice": wish.voice,
        "manner": wish.manner,
        "n": wish.n if wish.n > 1 else None,
        "image": image,
        "images": [image] if image else None,
        "references": list(references),
        "provider": named_choice(tool, "provider", asked),
    }
    return arguments_for(tool, {name: fact for name, fact in facts.items() if fact})


def edit_call(tool: ToolSpec, wish: Wish, image: str) -> dict[str, Any] | None:
    """The arguments of the call that changes a picture as a wish asks."""
    facts = {"prompt": wish.change, "change": wish.change, "image": image, "images": [image], "size": wish.size}
    return arguments_for(tool, {name: fact for name, fact in facts.items() if fact})


def enhance_call(tool: ToolSpec, wish: Wish) -> dict[str, Any] | None:
    """The arguments of the call that enhances a wish's prompt, or its text."""
    return arguments_for(tool, {"prompt": wish.text or wish.prompt, "modality": wish.kind})


def arguments_for(tool: ToolSpec, facts: Mapping[str, object]) -> dict[str, Any] | None:
    """Arguments that are valid for the tool's schema; None where a required one cannot be given."""
    arguments: dict[str, Any] = {}
    facts = at_a_pace(facts) if takes(tool, "speed") else facts
    required = tool.parameters.get("required", ())
    for name, raw in tool.parameters.get("properties", {}).items():
        schema = resolved(raw, tool.parameters)
        value = facts.get(FACT_OF.get(name, ""))
        if value is None and name in required and "default" not in schema:
            value = DEFAULTS.get(name) or next(iter(schema.get("enum", ())), None)
        fitted = fit(value, schema) if value is not None else None
        if fitted is not None:
            arguments[name] = fitted
        elif name in required and "default" not in schema:
            return None
    return arguments


def takes(tool: ToolSpec, name: str) -> bool:
    """Whether the tool has an argument of this name."""
    return name in tool.parameters.get("properties", {})


def choices_of(tool: ToolSpec, name: str) -> list[str]:
    """The values of a tool's argument, where it is an enumeration."""
    schema = resolved(tool.parameters.get("properties", {}).get(name, {}), tool.parameters)
    return [str(choice) for choice in schema.get("enum", ())]


def naming(choice: str) -> re.Pattern[str]:
    """How a user's text asks for a provider: "with flux"."""
    return re.compile(rf"\b(?:with|using|by|via|on|use)\s+{re.escape(choice)}(?![\w-]|\.\w)", re.IGNORECASE)


def named_choice(tool: ToolSpec, name: str, asked: str) -> str | None:
    """The value of an enumeration that the user's text asks for."""
    return next((choice for choice in choices_of(tool, name) if naming(choice).search(asked)), None)


def resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """A field's schema with its `$ref`, and the `anyOf` that makes it optional, followed."""
    for _ in range(8):  # a schema may refer to itself
        if "$ref" in schema:
            schema = root.get("$defs", {}).get(str(schema["$ref"]).rsplit("/", 1)[-1], {})
        elif choices := [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]:
            schema = {**{key: value for key, value in schema.items() if key != "anyOf"}, **choices[0]}
        else:
            break
    return schema


def fit(value: object, schema: Mapping[str, Any]) -> Any:
    """The value as the schema wants it: of its type, in its bounds, out of its enumeration; None if it cannot be."""
    if choices := list(schema.get("enum", ())):
        return _chosen(str(value), choices)
    match schema.get("type"):
        case "integer":
            return round(_bounded(value, schema)) if isinstance(value, int | float) else None
        case "number":
            return _bounded(value, schema) if isinstance(value, int | float) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "object":
            return value if isinstance(value, dict) else None
        case "array":
            several = value if isinstance(value, list) else [value]
            fitted = [one for one in (fit(each, schema.get("items", {})) for each in several) if one is not None]
            return fitted[: schema.get("maxItems")] or None
        case "string" | None:
            text = str(value)[: schema.get("maxLength")]
            return text if len(text) >= schema.get("minLength", 0) else None
    return None


def _chosen(value: str, choices: list[Any]) -> Any:
    same = next((choice for choice in choices if str(choice).lower() == value.lower()), None)
    if same is not None:
        return same
    size = parse_ratio(value)
    return nearest_ratio([str(choice) for choice in choices], size) if size else None


def _bounded(value: float, schema: Mapping[str, Any]) -> float:
    low, high = float(schema.get("minimum", "-inf")), float(schema.get("maximum", "inf"))
    return max(low, min(high, value))


def most_at_once(tool: ToolSpec | None) -> int:
    """How many of the same a tool makes in one call."""
    schema = tool.parameters.get("properties", {}).get("n") if tool else None
    return int(schema.get("maximum", 1)) if schema else 1


def together(wishes: Sequence[Wish], most: int) -> tuple[Wish, ...]:
    """The wishes, several of the same subject as one for so many of it."""
    done: list[Wish] = []
    for wish in wishes:
        last = done[-1] if done else None
        same = last is not None and wish.view in VIEWS and replace(wish, view=last.view, n=last.n) == last
        if last is not None and same and wish.kind == "image" and most > 1:
            full = last.n >= most
            done[len(done) if full else -1 :] = [replace(last, n=1 if full else last.n + 1)]
        else:
            done.append(wish)
    return tuple(done)


def to_call(number: int, tool: str, arguments: Mapping[str, Any]) -> ToolCall:
    """The call, numbered within the conversation."""
    return ToolCall(id=f"call_{number}", name=tool, arguments=json.dumps(arguments, ensure_ascii=False))
