"""The routes about generations."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Header, Query, Request, Response, status
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.sse import format_sse_event

from app.errors import GenerationFailed, GenerationTimedOut, NotReady
from app.generations.events import TERMINAL, Event
from app.generations.service import Generation, Service
from app.writer import first_line

from .bodies import GenerateBody, GenerationId
from .deps import BaseUrlDep, Cursor, Limit, OwnerDep, PartsDep, ServiceDep
from .errors import responses
from .schemas import GenerationOut, GenerationPage

log = logging.getLogger(__name__)
router = APIRouter(tags=["Generations"])

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


@router.post(
    "/generate",
    response_model=GenerationOut,
    summary="Make media from a prompt",
    responses={
        200: {"description": "The finished generation, or its events as they happen.", "content": EVENT_STREAM},
        202: {"description": "Accepted; follow `Location`.", "content": GENERATION_JSON},
        **responses(403, 409, 413, 422, 502, 504),
    },
)
async def generate(
    request: Request,
    body: GenerateBody,
    service: ServiceDep,
    owner: OwnerDep,
    base_url: BaseUrlDep,
    prefer: Annotated[
        str | None, Header(description="`respond-async` answers at once, `wait=30` after 30 seconds at the latest.")
    ] = None,
    idempotency_key: Annotated[
        str | None,
        Header(min_length=1, max_length=255, description="Repeat a request with the same key and it runs only once."),
    ] = None,
) -> Response:
    """Runs the agent: it plans, calls its tools, and returns its answer with the assets it made.

    Three ways to get the result: wait for it (the default), `Prefer: respond-async` and fetch it later, or
    `Accept: text/event-stream` and watch. A client that hangs up stops nothing; the work goes on and can be fetched.

    A generation whose tools partly failed is a `200` that says so; one that failed as a whole is `502` or `504`.
    """
    generation_id, new = await service.start(owner, body.order(), idempotency_key)
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


@router.get("/generations", summary="List generations", responses=responses(422))
async def list_generations(
    service: ServiceDep,
    owner: OwnerDep,
    base_url: BaseUrlDep,
    limit: Limit = 20,
    cursor: Cursor = None,
    status: Annotated[
        Literal["queued", "running", "completed", "failed", "cancelled"] | None, Query(description="Only these.")
    ] = None,
) -> GenerationPage:
    """Newest first."""
    found = await service.page(owner, limit=limit + 1, before=cursor, status=status)
    data = [GenerationOut.of(generation, base_url) for generation in found[:limit]]
    return GenerationPage(data=data, next_cursor=data[-1].id if len(found) > limit else None)


@router.get("/generations/{generation_id}", summary="Fetch a generation", responses=responses(404, 422))
async def get_generation(
    generation_id: GenerationId, service: ServiceDep, owner: OwnerDep, base_url: BaseUrlDep
) -> GenerationOut:
    """As it stands now."""
    return GenerationOut.of(await service.get(owner, generation_id), base_url)


@router.get(
    "/generations/{generation_id}/events",
    summary="Follow a generation",
    response_class=StreamingResponse,
    responses={
        200: {"description": "Server-sent events.", "content": EVENT_STREAM},
        204: {"description": "It has ended, and its last event was seen: no need to connect again."},
        **responses(404, 422),
    },
)
async def follow_generation(
    generation_id: GenerationId,
    service: ServiceDep,
    parts: PartsDep,
    owner: OwnerDep,
    base_url: BaseUrlDep,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=2**62, description="The last event seen; those behind it are sent.")
    ] = None,
) -> Response:
    """Server-sent events from the first, or from behind `Last-Event-ID`, up to the one that ends the generation.

    | Event | Its data, beside `generation_id` and `created_at` |
    |---|---|
    | `generation.created` | `status`, `prompt` |
    | `turn.completed` | `step_id`, `turn`, `text`, `tool_calls` (`id` and `name` of each) |
    | `tool.started` | `step_id`, `name`, `arguments` |
    | `tool.progress` | `step_id`, `progress` (0 to 1), `waiting` (not begun yet), `place` (in line, see below) |
    | `asset.created` | `step_id` and the asset's `id`, `type`, `media_type`, size and cost, as far as known |
    | `tool.completed` | `step_id`, `name`, `asset_ids`, `warnings` |
    | `tool.failed` | `step_id`, `name`, `error` (`code` and `message`) |
    | `generation.completed`, `generation.failed`, `generation.cancelled` | instead: the whole generation |

    More calls than a vendor takes at once wait here, in a line before it. `place` is told of those only: 1 is the next
    to leave, and far from it only each halving of the way is told. A job that waits without one waits at the vendor.

    A comment is sent every 15 seconds of silence. A browser follows with
    `new EventSource("/generations/gen_.../events")` and `addEventListener` for each name; it sends `Last-Event-ID`
    by itself when it reconnects.
    """
    seen = last_event_id or 0
    generation = await service.get(owner, generation_id)
    if generation.over and not await parts.events.after(generation_id, seen):
        return Response(status_code=status.HTTP_204_NO_CONTENT)  # a browser then stops connecting again
    stream = event_stream(service, owner, generation_id, seen, base_url)
    return StreamingResponse(stream, media_type="text/event-stream", headers=SSE_HEADERS)


@router.post("/generations/{generation_id}/cancel", summary="Cancel a generation", responses=responses(403, 404, 422))
async def cancel_generation(
    generation_id: GenerationId, service: ServiceDep, owner: OwnerDep, base_url: BaseUrlDep
) -> GenerationOut:
    """Stops it, and its jobs at the vendors. What was made is kept. Cancelling what has ended changes nothing."""
    return GenerationOut.of(await service.cancel(owner, generation_id), base_url)


@router.delete(
    "/generations/{generation_id}",
    status_code=204,
    summary="Delete a generation",
    response_class=Response,
    responses=responses(403, 404, 422),
)
async def delete_generation(generation_id: GenerationId, service: ServiceDep, owner: OwnerDep) -> None:
    """Deletes it with its assets; a running one is cancelled first."""
    await service.delete(owner, generation_id)


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


def failure(generation: Generation) -> GenerationFailed:
    """The problem a generation that failed as a whole answers with."""
    error = generation.row["error"] or {"code": "internal_error", "message": "The generation failed."}
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
