"""The OpenAPI document: what FastAPI derives, and what it cannot know."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from .errors import MEDIA_TYPE, Problem
from .schemas import GenerationOut

DESCRIPTION = """
One prompt in, finished media out. `POST /generate` runs an agent that plans with a language model, hires image, video
and speech vendors side by side, and returns its answer with assets that last.

**Try it here**: without any key the server works with its offline stand-in, so every example on this page runs.

- **Errors** are `application/problem+json` (RFC 9457): `code` is for programs, `detail` says what to do, and
  `errors[]` names each field that is wrong.
- **Ids** are prefixed and sort by time. **Times** are RFC 3339 in UTC. **Money** is a decimal string in USD; `null`
  means that a cost is not known, never that it is zero.
- **Repeating a request** with the same `Idempotency-Key` and body returns the same generation; nothing is bought twice.
"""
TAGS = [
    {"name": "Generations", "description": "Ask for media, follow the work, continue, cancel and delete it."},
    {"name": "Assets", "description": "Finished works and uploads: facts, bytes and thumbnails."},
    {"name": "Server", "description": "The catalogue of models, health and numbers."},
]


def describe(app: FastAPI) -> None:
    """Give the application its OpenAPI document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title="Impresario API", version=app.version, description=DESCRIPTION, routes=app.routes, tags=TAGS
            )
            components = schema.setdefault("components", {}).setdefault("schemas", {})
            for model in (Problem, GenerationOut):
                _add(components, model.model_json_schema(ref_template="#/components/schemas/{model}"))
            components.pop("HTTPValidationError", None)
            components.pop("ValidationError", None)
            for path in schema["paths"].values():
                for operation in path.values():
                    _mend(operation)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _add(components: dict[str, Any], model: dict[str, Any]) -> None:
    for name, definition in model.pop("$defs", {}).items():
        components.setdefault(name, definition)
    components.setdefault(model["title"], model)


def _mend(operation: dict[str, Any]) -> None:
    """Every problem is a Problem: FastAPI's own shape of a 422 is not what this server sends."""
    for code, response in operation.get("responses", {}).items():
        if code.startswith(("4", "5")):
            schema = {"$ref": "#/components/schemas/Problem"}
            response["content"] = {MEDIA_TYPE: {"schema": schema}}
