"""Every error as RFC 9457 `application/problem+json`: type, title, status, detail, code."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from app.errors import AppError, NotReady, TooLarge
from app.writer import first_line, is_passing
from providers.errors import ProviderError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
WHAT_TO_DO = {
    "Not Found": "There is nothing at this address; GET /docs shows what there is.",
    "Method Not Allowed": "This address does not take this method; Allow names those it takes.",
    "There was an error parsing the body": "The body cannot be read; send JSON in UTF-8, or a form with a file.",
}
"""The frameworks' own words for what went wrong, in sentences that help."""


class FieldError(BaseModel):
    """One thing wrong with the input."""

    field: str = Field(description="Where, as a path: `prompt`, `inputs.0`, `query.limit`.", examples=["prompt"])
    detail: str = Field(description="What, in one sentence.", examples=["Field required"])


class Problem(BaseModel):
    """Why a request was not served (RFC 9457)."""

    type: str = Field("about:blank", description="Always `about:blank`; `code` tells problems apart.")
    title: str = Field(description="The kind of problem.", examples=["Invalid input"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="This problem, in a sentence that says what to do.")
    code: str = Field(description="A stable word for programs.", examples=["invalid_input"])
    errors: list[FieldError] | None = Field(None, description="Each field that is wrong, for invalid input.")
    generation_id: str | None = Field(None, description="The generation that failed, to fetch or to cite.")
    reason: str | None = Field(
        None, description="Why the generation failed, as a word for programs.", examples=["outcome_unknown"]
    )


def problem(status: int, title: str, detail: str, code: str, **extra: Any) -> JSONResponse:
    """A problem as a response."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code, **extra}
    return JSONResponse(body, status, media_type=MEDIA_TYPE)


def by_status(status: int, detail: str) -> JSONResponse:
    """A problem for which there is nothing but an HTTP status."""
    title = HTTPStatus(status).phrase
    if status == 413:
        detail = "The body is larger than this server takes (MAX_BODY_BYTES, MAX_UPLOAD_BYTES)."
        return problem(status, TooLarge.title, detail, TooLarge.code)
    return problem(status, title, detail, title.lower().replace(" ", "_").replace("-", "_"))


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems a route may answer with, for the OpenAPI page."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Answer every error, foreseen or not, as a problem."""

    @app.exception_handler(AppError)
    async def application_error(request: Request, error: AppError) -> JSONResponse:
        return problem(error.status, error.title, str(error), error.code, **error.extra)

    @app.exception_handler(ProviderError)
    async def provider_error(request: Request, error: ProviderError) -> JSONResponse:
        return problem(502, "A vendor failed", str(error), error.code)

    @app.exception_handler(sa.exc.SQLAlchemyError)
    async def database_error(request: Request, error: sa.exc.SQLAlchemyError) -> JSONResponse:
        if not is_passing(error):
            return await unforeseen(request, error)
        log.warning("%s %s: the database does not answer: %s", request.method, request.url.path, first_line(error))
        return await application_error(request, NotReady("The database does not answer now; ask again later."))

    @app.exception_handler(RequestValidationError)
    async def validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            {"field": "body" if item["type"] == "json_invalid" else path_of(item["loc"]), "detail": sentence(item)}
            for item in error.errors()
        ]
        fields = ", ".join(dict.fromkeys(item["field"] for item in errors))
        return problem(422, "Invalid input", f"Mend these and send again: {fields}.", "invalid_input", errors=errors)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        answer = by_status(error.status_code, WHAT_TO_DO.get(str(error.detail), str(error.detail)))
        answer.headers.update(error.headers or {})
        if error.status_code == 405 and (methods := methods_of(request)):
            answer.headers["allow"] = methods
        return answer

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed for an unforeseen reason", request.method, request.url.path, exc_info=error)
        return problem(500, "Internal Server Error", "This is a defect; the log has the details.", "internal_error")


def path_of(location: tuple[Any, ...]) -> str:
    """`("body", "inputs", 0)` as `inputs.0`; other places than the body keep their name."""
    parts = location[1:] if location and location[0] == "body" else location
    return ".".join(str(part) for part in parts if part != "[key]") or "body"


def sentence(item: Mapping[str, Any]) -> str:
    """What is wrong with a field. A body that came as bytes was not parsed, because it was not called JSON."""
    if isinstance(item.get("input"), bytes):
        return "The body must be JSON, and be sent with Content-Type: application/json."
    said = str(item["msg"]).removeprefix("Value error, ")
    return f"As a key: {said}" if item["loc"][-1:] == ("[key]",) else said


def methods_of(request: Request) -> str:
    """Every method of an address. Several routes may share it; the framework names those of the first."""
    path = getattr(request.scope.get("route"), "path", None)
    return ", ".join(sorted(method.upper() for method in request.app.openapi()["paths"].get(path, ())))
