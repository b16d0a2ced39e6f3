"""Values that are valid for a JSON Schema: everything required, and what is `LIKED` wherever the schema takes it."""

from __future__ import annotations

from typing import Any

LIKED = {"provider": "flux-1.1-pro", "duration": 5}
PROMPT_CHARACTERS = 200
FORMATS = {"date": "2026-11-20", "date-time": "2026-11-20T12:00:00Z", "time": "12:00:00", "email": "ada@example.com"}
FORMATS |= {"uri": "https://example.com/"}

Json = dict[str, Any]


def arguments_for(function: Json, prompt: str) -> Json:
    """Valid arguments of a tool."""
    schema = function.get("parameters") or {}
    made = example(schema, schema, "", prompt[:PROMPT_CHARACTERS])
    return made if isinstance(made, dict) else {}


def example(schema: Json, root: Json, name: str, prompt: str) -> Any:
    """A value of a schema within `root`; `name` is its property's, `prompt` what goes where words are wanted."""
    schema = _resolved(schema, root)
    branches = [_resolved(branch, root) for branch in schema.get("anyOf") or schema.get("oneOf") or ()]
    liked = LIKED.get(name, prompt if name in ("prompt", "text", "input") else None)
    if branches:
        taking = [branch for branch in branches if liked is not None and _takes(branch, liked)]
        void = [branch for branch in branches if branch.get("type") == "null"]
        return example((taking or void or branches)[0], root, name, prompt)
    if liked is not None and _takes(schema, liked):
        return liked
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if schema.get("default") is not None:
        return schema["default"]
    return _of_type(schema, root, liked, prompt)


def _of_type(schema: Json, root: Json, liked: Any, prompt: str) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = "null" if "null" in kind else kind[0]
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        return {
            key: example(each, root, key, prompt)
            for key, each in properties.items()
            if key in schema.get("required", ()) or (key in LIKED and _could_take(_resolved(each, root), root, key))
        }
    if kind == "array":
        return [example(schema.get("items", {}), root, "", prompt) for _ in range(schema.get("minItems", 0))]
    if kind in ("integer", "number"):
        wanted = liked if isinstance(liked, int | float) else schema.get("minimum", 1)
        return min(max(wanted, schema.get("minimum", wanted)), schema.get("maximum", wanted))
    if kind == "string" and schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    return {"boolean": False, "null": None}.get(str(kind), prompt or "something")


def _could_take(schema: Json, root: Json, name: str) -> bool:
    branches = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return any(_takes(_resolved(branch, root), LIKED[name]) for branch in branches)


def _takes(schema: Json, value: Any) -> bool:
    """Whether a schema without branches takes the value."""
    kinds = schema.get("type", [])
    names = {"string": str, "integer": int, "number": (int, float)}
    if kinds and not any(
        isinstance(value, names.get(kind, ())) for kind in ([kinds] if isinstance(kinds, str) else kinds)
    ):
        return False
    if "enum" in schema or "const" in schema:
        return value in schema.get("enum", [schema.get("const")])
    if isinstance(value, str):
        return schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
    return schema.get("minimum", value) <= value <= schema.get("maximum", value)


def _resolved(schema: Json, root: Json) -> Json:
    """The schema behind `$ref` and a single `allOf`."""
    while "$ref" in schema or "allOf" in schema:
        if "$ref" in schema:
            found: Any = root
            for step in schema["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
        else:
            rest = {key: value for key, value in schema.items() if key != "allOf"}
            schema = {key: value for part in schema["allOf"] for key, value in part.items()} | rest
    return schema
