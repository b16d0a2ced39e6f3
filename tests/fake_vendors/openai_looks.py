"""What the fake chat model answers when it is asked to look, listen or read: JSON of the schema it is given.

It sees nothing, but says what it was shown: how many pictures, sounds and files, and how closely it was to look.
"""

from __future__ import annotations

import copy
import json
import re
from typing import Any

from .planner_values import example

Json = dict[str, Any]

KINDS = {"image_url": "picture", "input_audio": "sound", "file": "file"}
PROPOSED = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "total": {"type": "number"}},
    "required": ["title", "total"],
}
SURE = 0.9


def answer(request: Json, schema: Json, prompt: str) -> str:
    """An instance of the schema, with recognisable facts where its title is known."""
    made = example(demanding(schema), demanding(schema), "", "")
    title = schema.get("title", "")
    if title == "Extraction":
        made["confidence"] = dict.fromkeys(leaves(made.get("data") or {}), SURE)
        made["missing"] = []
    facts = facts_for(title, request, prompt)
    known = schema.get("properties", {})
    made |= {name: value for name, value in facts.items() if name in known}
    return json.dumps(made)


def facts_for(title: str, request: Json, prompt: str) -> Json:
    """What a shape of answer says of the request."""
    shown = shown_in(request)
    counts = {name: sum(part["type"] == kind for part in shown) for kind, name in KINDS.items()}
    seen = ", ".join(f"{count} {name}{'s' if count > 1 else ''}" for name, count in counts.items() if count)
    question, text = under("Question", prompt), under("Text", prompt)
    replied = f"The answer to: {question}" if question else None
    look: Json = {"description": f"The fake vendor was shown {seen or 'nothing'}.", "answer": replied}
    match title:
        case "ImageAnalysis":
            details = sorted({part["image_url"].get("detail", "auto") for part in shown if part["type"] == "image_url"})
            objects = [f"picture {number}" for number in range(1, counts["picture"] + 1)]
            look |= {"objects": objects, "scene": "a test", "style": f"detail {', '.join(details)}"}
            look |= {"colors": ["blue", "white"], "text_in_image": None}
            return look | {
                "summary": f"In short: {text[:80]}" if text else None,
                "key_themes": ["test"] if text else [],
            }
        case "VideoAnalysis":
            moments = [{"at_s": float(number), "what": f"picture {number + 1}"} for number in range(counts["picture"])]
            return look | {"moments": moments, "objects": [], "scene": "a test", "style": "plain", "sound": None}
        case "AudioAnalysis":
            speakers = [{"name": "A", "description": "a calm voice"}]
            return look | {"tone": "calm", "speakers": speakers, "language": "en", "sounds": ["speech"]}
        case "DocumentType":
            told = [message["content"] for message in request["messages"] if isinstance(message.get("content"), str)]
            proposal = None if any("`schema_json` is null" in each for each in told) else json.dumps(PROPOSED)
            return {"type": "invoice", "language": "en", "confidence": SURE, "schema_json": proposal}
    return {}


def shown_in(request: Json) -> list[Json]:
    """The parts of all the users' messages that are not text."""
    contents = [message.get("content") for message in request["messages"] if message.get("role") == "user"]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return [part for part in parts if part.get("type") in KINDS]


def under(heading: str, prompt: str) -> str:
    """What stands under a heading, up to the next one."""
    match = re.search(rf"^{heading}:\s*(.*?)\s*(?=^\w+:\s*$|\Z)", prompt, re.DOTALL | re.MULTILINE)
    return match[1] if match else ""


def demanding(schema: Any) -> Any:
    """The schema, wanting every property."""
    schema = copy.deepcopy(schema)
    if isinstance(schema, list):
        return [demanding(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: demanding(value) for name, value in schema.items()}
    if isinstance(made.get("properties"), dict):
        made["required"] = list(made["properties"])
    return made


def leaves(value: Any, path: str = "") -> list[str]:
    """The paths of all single values, such as `items[0].amount`."""
    if isinstance(value, dict):
        return [leaf for name, one in value.items() for leaf in leaves(one, f"{path}.{name}" if path else name)]
    if isinstance(value, list):
        return [leaf for number, one in enumerate(value) for leaf in leaves(one, f"{path}[{number}]")]
    return [path]
