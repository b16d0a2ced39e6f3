"""A JSON Schema as Anthropic can enforce it on an answer.

Structured outputs know a part of JSON Schema: objects are closed, and bounds, lengths and patterns are not understood
(anthropic 2.12.0, lib/_parse/_transform.py, which puts into the description what cannot be enforced, as is done here).
An object with free keys, a value of any kind and a schema that holds itself cannot be said at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
KEPT = ("title", "description", "enum", "const")
READ = {"$defs", "$ref", "type", "properties", "required", "additionalProperties", "items", "anyOf", "oneOf", "allOf"}
MAX_DEPTH = 20

Json = dict[str, Any]


class Unenforceable(Exception):
    """A schema that structured outputs cannot express."""


def enforceable(schema: Mapping[str, Any]) -> Json | None:
    """The schema to send; None where it cannot be enforced, so that it has to be asked for in words."""
    try:
        return _part(schema, 0) if schema.get("type") == "object" else None
    except Unenforceable:
        return None


def _part(schema: Any, depth: int) -> Json:
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        raise Unenforceable
    out: Json = {}
    if "$defs" in schema:
        _refuse_circles(schema["$defs"])
        out["$defs"] = {name: _part(one, depth + 1) for name, one in schema["$defs"].items()}
    if "$ref" in schema:
        return out | {"$ref": schema["$ref"]}
    out |= {name: schema[name] for name in KEPT if name in schema}
    kind, choices = schema.get("type"), schema.get("anyOf") or schema.get("oneOf")
    if isinstance(kind, list):
        return out | {"anyOf": [_bare(_part({**schema, "type": one}, depth + 1)) for one in kind]}
    if choices:
        out["anyOf"] = [_part(one, depth + 1) for one in choices]
    elif schema.get("allOf"):
        out["allOf"] = [_part(one, depth + 1) for one in schema["allOf"]]
    elif "enum" in schema or "const" in schema:
        pass
    elif isinstance(kind, str):
        out |= {"type": kind} | _of_kind(kind, schema, depth)
    else:
        raise Unenforceable  # a value of any kind
    known = READ | set(KEPT) | ({"format"} & set(out)) | ({"minItems"} & set(out)) | {"default", "examples"}
    return _described(out, {name: value for name, value in schema.items() if name not in known})


def _of_kind(kind: str, schema: Mapping[str, Any], depth: int) -> Json:
    if kind == "object":
        properties = schema.get("properties")
        if not properties or isinstance(schema.get("additionalProperties"), Mapping):
            raise Unenforceable  # free keys
        parts = {name: _part(one, depth + 1) for name, one in properties.items()}
        return {"properties": parts, "required": list(schema.get("required", ())), "additionalProperties": False}
    if kind == "array":
        if "items" not in schema:
            raise Unenforceable
        least = {"minItems": schema["minItems"]} if schema.get("minItems") in (0, 1) else {}
        return {"items": _part(schema["items"], depth + 1)} | least
    if kind == "string" and schema.get("format") in FORMATS:
        return {"format": schema["format"]}
    return {}


def _described(out: Json, rest: Mapping[str, Any]) -> Json:
    """With what cannot be enforced in the description, where the model may heed it."""
    if not rest:
        return out
    said = ", ".join(f"{name}: {json.dumps(value, default=str)}" for name, value in rest.items())
    before = f"{out['description']}\n\n" if out.get("description") else ""
    return out | {"description": f"{before}{{{said}}}"}


def _bare(part: Json) -> Json:
    """One of several kinds, whose title and description stand above it."""
    return {name: value for name, value in part.items() if name not in ("title", "description")}


def _refuse_circles(definitions: Any) -> None:
    """Raises Unenforceable for definitions that lead back to themselves."""
    if not isinstance(definitions, Mapping):
        raise Unenforceable
    leads = {name: _references(one) for name, one in definitions.items()}
    for name in definitions:
        seen: set[str] = set()
        ahead = set(leads[name])
        while ahead:
            one = ahead.pop()
            if one == name:
                raise Unenforceable
            if one not in seen:
                seen.add(one)
                ahead |= leads.get(one, set())


def _references(part: Any) -> set[str]:
    if isinstance(part, Mapping):
        here = {str(part["$ref"]).rpartition("/")[2]} if "$ref" in part else set()
        return here.union(*(_references(one) for one in part.values()))
    return set().union(*(_references(one) for one in part)) if isinstance(part, list) else set()
