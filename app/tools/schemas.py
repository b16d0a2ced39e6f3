"""The JSON schema of an argument model as planners read it best."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel


@cache
def plain_schema(arguments: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of an argument model, without the titles, references and `anyOf null` that small models stumble
    on. Made once for each model (it takes milliseconds), so callers copy what they change."""
    schema = arguments.model_json_schema()
    return _object(schema, schema.get("$defs", {}))


def _object(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: _plain(value, defs) for name, value in schema.get("properties", {}).items()},
        "required": schema.get("required", []),
        "additionalProperties": False,
    }


def _plain(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    plain = {key: item for key, item in schema.items() if key != "title"}
    if reference := plain.pop("$ref", None):
        plain = {**defs[reference.rpartition("/")[2]], **plain}
    kinds = [kind for kind in plain.get("anyOf", ()) if kind.get("type") != "null"]
    if len(kinds) == 1:
        del plain["anyOf"]
        plain = {**_plain(kinds[0], defs), **plain}
    if plain.get("default", ...) is None:
        del plain["default"]
    if "properties" in plain:
        described = {"description": plain["description"]} if "description" in plain else {}
        return {**_object(plain, defs), **described}
    if isinstance(plain.get("items"), Mapping):
        plain["items"] = _plain(plain["items"], defs)
    return plain
