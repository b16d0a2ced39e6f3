"""The OpenAPI document: what FastAPI derives from the routes, and over it what only openapi.toml knows.

Added are names for programs, examples, the headers of requests and answers, the media types of assets, the event
stream, and the problem that stands behind each error.
"""

from __future__ import annotations

import tomllib
import warnings
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from .assets import EXTENSIONS
from .errors import MEDIA_TYPE, Problem
from .schemas import GenerationOut

Json = dict[str, Any]

ANYWHERE = (400, 500)
"""Problems any route may answer with: a wrong Host, a defect."""
ABOUT_ROWS = ("Generations", "Assets", "Usage")
"""The tags of routes that need the database, which may be away (503)."""
BINARY = {"type": "string", "format": "binary"}
SHOWN = ("image", "video", "audio")


def describe(app: FastAPI) -> None:
    """Give the application its OpenAPI document, made when it is first asked for."""

    def document() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = written(app, tomllib.loads((Path(__file__).parent / "openapi.toml").read_text()))
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def written(app: FastAPI, texts: Json) -> Json:
    """The document of an application."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # GET and HEAD of one function share a name, until it is replaced
        schema = get_openapi(
            title="Impresario API",
            version=app.version,
            summary=texts["summary"],
            description=texts["description"],
            license_info={"name": "MIT", "identifier": "MIT"},
            tags=texts["tags"],
            routes=app.routes,
        )
    components = schema.setdefault("components", {})
    models = components.setdefault("schemas", {})
    for model in (Problem, GenerationOut):
        add_model(models, model.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}"))
    for name in ("HTTPValidationError", "ValidationError"):
        models.pop(name, None)
    components["headers"] = {name: header(about) for name, about in texts["headers"].items()}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            own = texts.get(f"{method} {path}", {})
            lay_over(operation, {**texts.get(own.get("same_as", ""), {}), **own}, texts, models)
    schema["paths"] = in_order(schema["paths"], list(texts))
    drop_titles(schema)
    return schema


def in_order(paths: Json, names: list[str]) -> Json:
    """The paths, and the methods of each, in the order in which openapi.toml tells of them."""

    def place(path: str, method: str) -> int:
        name = f"{method} {path}"
        return names.index(name) if name in names else len(names)

    sorted_paths = sorted(paths, key=lambda path: min(place(path, method) for method in paths[path]))
    return {
        path: {method: paths[path][method] for method in sorted(paths[path], key=lambda method: place(path, method))}
        for path in sorted_paths
    }


def add_model(models: Json, model: Json) -> None:
    """Add a model that no route names as its own, and those within it."""
    for name, definition in model.pop("$defs", {}).items():
        models.setdefault(name, definition)
    models.setdefault(model["title"], model)


def header(about: Json) -> Json:
    """A header of answers."""
    shape = {"schema": {"type": "string"}, "example": about["example"]}
    return {"description": about["description"], "required": about.get("required", False), **shape}


# ---- one operation ---------------------------------------------------------------------------------------------------


def lay_over(operation: Json, own: Json, texts: Json, models: Json) -> None:
    """Complete one operation with what openapi.toml says of it."""
    operation["operationId"] = own.get("id", operation["operationId"])
    operation.update({key: own[key] for key in ("summary", "description") if key in own})
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        mend_parameter(parameter, texts["parameters"])
    for name in own.get("request_headers", ()):
        parameters.append(
            {"name": name, "in": "header", "schema": {"type": "string"}, **texts["request_headers"][name]}
        )
    if "requestBody" in operation:
        mend_body(operation["requestBody"], own.get("examples", {}), models)
    for status in (*ANYWHERE, 503) if operation["tags"][0] in ABOUT_ROWS else ANYWHERE:
        operation["responses"].setdefault(str(status), {})
    for status, answer in operation["responses"].items():
        if status.startswith(("4", "5")):
            variant = texts["variants"].get(own.get("problems", {}).get(status), {})
            mend_problem(status, answer, {**texts["problems"].get(status, {}), **variant})
        mend_answer(answer, own.get("answers", {}).get(status, {}), texts["event_stream"], models)
    operation["responses"] = dict(sorted(operation["responses"].items()))


def mend_parameter(parameter: Json, descriptions: Json) -> None:
    """A parameter can be left out but not be null; that is a thing of Python."""
    shape = parameter["schema"]
    kinds = [kind for kind in shape.pop("anyOf", ()) if kind.get("type") != "null"]
    shape.update(kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})
    shape.pop("title", None)
    shape.pop("description", None)
    if parameter["in"] == "header":
        parameter["name"] = parameter["name"].title()
    parameter.setdefault("description", descriptions.get(parameter["name"]))


def mend_body(body: Json, examples: Json, models: Json) -> None:
    """Give a body its examples, and an upload's form its place in the operation instead of a made-up name."""
    for media_type, content in body["content"].items():
        if examples:
            content["examples"] = examples
        if media_type == "multipart/form-data":
            form = models.pop(content["schema"]["$ref"].rsplit("/", 1)[1])
            for field in form["properties"].values():
                if field.pop("contentMediaType", None):
                    field.update(format="binary", minLength=1)
            content["schema"] = {"type": "object", "properties": form["properties"], "required": form["required"]}


def mend_problem(status: str, answer: Json, about: Json) -> None:
    """Every error is a Problem; FastAPI's own shape of a 422 is not what this server sends."""
    answer["description"] = about.pop("description", HTTPStatus(int(status)).phrase)
    example = {"type": "about:blank", "status": int(status), **about}
    answer["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}


def mend_answer(answer: Json, own: Json, stream: Json, models: Json) -> None:
    """Describe one answer: a model, the bytes of an asset, the event stream, or plain text."""
    contents = answer.get("content", {})
    if "application/octet-stream" in contents:
        answer["content"] = {family(media_type): {"schema": BINARY} for media_type in EXTENSIONS}
    if "image/webp" in contents:
        contents["image/webp"] = {"schema": BINARY}
    if "text/event-stream" in contents:
        contents["text/event-stream"] = stream
    if "media_type" in own:
        answer["content"] = {own["media_type"]: {"schema": {"type": "string"}, "example": own["example"].lstrip()}}
    if answer.get("description") in (None, "Successful Response"):
        model = contents.get("application/json", {}).get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
        answer["description"] = models.get(model, {}).get("description", "Done.")
    if "description" in own:
        answer["description"] = own["description"]
    if names := own.get("headers"):
        answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def family(media_type: str) -> str:
    """`image/*` for every kind of picture, and so for films and sound; other media types by themselves."""
    kind = media_type.split("/")[0]
    return f"{kind}/*" if kind in SHOWN else media_type


def drop_titles(node: Any) -> None:
    """Forget the titles Pydantic makes of the fields' names; they say nothing twice."""
    if isinstance(node, list):
        for each in node:
            drop_titles(each)
    elif isinstance(node, dict):
        fields = node.get("properties")
        for field in fields.values() if isinstance(fields, dict) else ():
            field.pop("title", None)
        for each in node.values():
            drop_titles(each)
