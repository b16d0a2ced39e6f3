"""What of JSON Schema can be enforced on an answer, and what becomes of the rest."""

import pytest
from anthropic import transform_schema

from providers.anthropic_schemas import enforceable


def closed(**properties: object) -> dict:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "schema",
    [
        closed(a={"type": "string"}, b={"type": "array", "items": {"type": "integer"}, "minItems": 1}),
        closed(a={"type": "string", "format": "date", "description": "When."}, b=closed(c={"type": "null"})),
        closed(a={"enum": ["x", "y"]}, b={"anyOf": [{"type": "number"}, {"type": "null"}], "title": "B"}),
        {**closed(a={"$ref": "#/$defs/A"}), "$defs": {"A": closed(b={"type": "boolean"})}, "title": "Answer"},
        closed(a={"allOf": [{"type": "string"}]}, b={"oneOf": [{"const": 1}, {"type": "string"}]}),
    ],
)
def test_plain_schemas_become_what_the_official_client_makes_of_them(schema):
    assert enforceable(schema) == transform_schema(schema)


def test_what_cannot_be_enforced_goes_into_the_description():
    part = enforceable(closed(a={"type": "number", "minimum": 0, "maximum": 1, "description": "A share."}))
    assert part["properties"]["a"] == {"type": "number", "description": "A share.\n\n{minimum: 0, maximum: 1}"}


def test_open_objects_are_closed_and_defaults_are_dropped():
    schema = {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}}
    assert enforceable(schema) == {**closed(a={"type": "string"}), "required": []}


def test_several_types_become_alternatives():
    part = enforceable(closed(a={"type": ["string", "null"], "title": "A"}))
    assert part["properties"]["a"] == {"title": "A", "anyOf": [{"type": "string"}, {"type": "null"}]}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "object"},
        closed(a={"type": "object", "additionalProperties": {"type": "number"}}),
        {**closed(a={"type": "string"}), "additionalProperties": {"type": "number"}},
        closed(a={}),
        closed(a={"type": "array"}),
        closed(a=True),
        {**closed(a={"$ref": "#/$defs/A"}), "$defs": {"A": closed(b={"$ref": "#/$defs/A"})}},
        {
            **closed(a={"$ref": "#/$defs/A"}),
            "$defs": {"A": closed(b={"$ref": "#/$defs/B"}), "B": {"items": {"$ref": "#/$defs/A"}, "type": "array"}},
        },
    ],
    ids=["text", "any", "map", "open", "value", "list", "true", "circle", "long circle"],
)
def test_schemas_with_free_parts_or_circles_cannot_be_enforced(schema):
    assert enforceable(schema) is None
