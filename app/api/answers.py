"""How a request that starts a generation is answered: waiting, at once, or as events."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Header, Request, Response, status
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.sse import format_sse_event

from app.errors import AppError, Conflict, GenerationFailed, GenerationTimedOut, InvalidInput, NotReady
from app.generations.events import TERMINAL, Event
from app.generations.orders import Order
from app.generations.service import Generation, Service
from app.writer import first_line

from .errors import responses
from .schemas import GenerationOut

log = logging.getLogger(__name__)

HEARTBEAT_S = 15.0
SSE_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
EVENT_STREAM: dict[str, Any] = {
    "text/event-stream": {
        "schema": {"type": "string"},
        "example": 'event: tool.started\nid: 12\ndata: {"generation_id": "gen_...", "step_id": "step_...", '
        '"name": "generate_image"}\n\n',
    }
}
GENERATION_JSON = {"application/json": {"schema": {"$ref": "#/components/schemas/GenerationOut"}}}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The finished generation, or its events as they happen.", "content": EVENT_STREAM},
    202: {"description": "Accepted; follow `Location`.", "content": GENERATION_JSON},
    **responses(403, 413, 422, 502, 504),
}
CALLERS_FAULT = (
    "invalid_arguments",
    "invalid_request",
    "not_offered",
    "not_found",
    "unsupported_media",
    "too_large",
    "download_refused",
    "budget_exceeded",
)
"""Why a tool that was called alone did not even begin: its arguments, or the cap on its cost."""
Prefer = Annotated[
    str | None, Header(description="`respond-async` answers at once, `wait=30` after 30 seconds at the latest.")
]
IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=255, description="Repeat a request with the same key and it runs only once."),
]


async def answered(
    request: Request,
    service: Service,
    owner: str,
    base_url: str,
    order: Order,
    *,
    prefer: str | None,
    idempotency_key: str | None,
) -> Response:
    """Start the generation and answer as the headers ask: wait for its end, for some seconds, not at all, or stream."""
    generation_id, new = await service.start(owner, order, idempotency_key)
    headers = {} if new else {"idempotent-replayed": "true"}
    if "text/event-stream" in request.headers.get("accept", ""):
        stream = event_stream(service, owner, generation_id, 0, base_url)
        return StreamingResponse(stream, media_type="text/event-stream", headers={**SSE_HEADERS, **headers})
    wait_s, applied = preference(prefer)
    try:
        generation = await service.wait(owner, generation_id, wait_s)
    except sa.exc.SQLAlchemyError as error:
        said = "The database does not answer now. The generation goes on when it does; fetch it then."
        raise NotReady(said, generation_id=generation_id) from error
    if applied:
        headers["preference-applied"] = applied
    if not generation.over:
        headers["location"] = f"/generations/{generation_id}"
        return shaped(generation, base_url, status.HTTP_202_ACCEPTED, headers)
    if generation.row["status"] == "failed":
        raise failure(generation)
    return shaped(generation, base_url, status.HTTP_200_OK, headers)


def preference(prefer: str | None) -> tuple[float | None, str | None]:
    """Seconds to wait (None: until the end) and the preference applied, out of a `Prefer` header (RFC 7240)."""
    asked = [part.split(";")[0].strip().lower() for part in (prefer or "").split(",")]
    waits = [match for part in asked if (match := re.fullmatch(r'wait\s*=\s*"?(\d{1,6})"?', part))]
    if waits:
        return float(waits[0][1]), f"wait={waits[0][1]}"
    return (0.0, "respond-async") if "respond-async" in asked else (None, None)


def shaped(generation: Generation, base_url: str, code: int, headers: dict[str, str]) -> Response:
    """A generation as a JSON response."""
    return JSONResponse(GenerationOut.of(generation, base_url).model_dump(mode="json"), code, headers)


def failure(generation: Generation) -> AppError:
    """The problem a generation answers with that failed as a whole, or has nothing to show yet or any more."""
    if not generation.over:
        said = "This server is leaving. The generation goes on when it, or another one, is there; fetch it then."
        return NotReady(said, generation_id=generation.row["id"])
    if generation.row["status"] == "cancelled":
        return Conflict("The generation was cancelled.", generation_id=generation.row["id"])
    error = generation.row["error"] or {"code": "internal_error", "message": "The generation failed."}
    if generation.row["request"].get("tool") and error["code"] in CALLERS_FAULT:
        return InvalidInput(error["message"], generation_id=generation.row["id"], reason=error["code"])
    kind = GenerationTimedOut if error.get("timed_out") else GenerationFailed
    return kind(error["message"], generation_id=generation.row["id"], reason=error["code"])


async def event_stream(
    service: Service, owner: str, generation_id: str, last_id: int, base_url: str
) -> AsyncIterator[bytes]:
    """The events as server-sent events; the one that ends the generation carries it whole."""
    following = await service.follow(owner, generation_id, last_id, HEARTBEAT_S)
    try:
        async for event in following:
            if event is None:
                yield b": still working\n\n"
                continue
            yield await encoded(service, owner, generation_id, event, base_url)
    except sa.exc.SQLAlchemyError as error:  # who listens connects again, and is sent what is behind the last event
        log.warning("a stream of %s ends, for the database does not answer: %s", generation_id, first_line(error))


async def encoded(service: Service, owner: str, generation_id: str, event: Event, base_url: str) -> bytes:
    """One event on the wire."""
    if event.name in TERMINAL:
        generation = await service.get(owner, generation_id)
        data = GenerationOut.of(generation, base_url).model_dump(mode="json")
    else:
        at = event.created_at.isoformat().replace("+00:00", "Z")
        data = {"generation_id": generation_id, "created_at": at, **event.data}
    return format_sse_event(data_str=json.dumps(data), event=event.name, id=str(event.id))
