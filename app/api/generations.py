"""The routes about generations."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response, status
from fastapi.responses import StreamingResponse

from .answers import ANSWERS, EVENT_STREAM, SSE_HEADERS, IdempotencyKey, Prefer, answered, event_stream
from .bodies import GenerateBody, GenerationId
from .deps import BaseUrlDep, Cursor, Limit, OwnerDep, PartsDep, ServiceDep
from .errors import responses
from .schemas import GenerationOut, GenerationPage

router = APIRouter(tags=["Generations"])


@router.post(
    "/generate",
    response_model=GenerationOut,
    summary="Make media from a prompt",
    responses={**ANSWERS, **responses(409)},
)
async def generate(
    request: Request,
    body: GenerateBody,
    service: ServiceDep,
    owner: OwnerDep,
    base_url: BaseUrlDep,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Runs the agent: it plans, calls its tools, and returns its answer with the assets it made.

    Three ways to get the result: wait for it (the default), `Prefer: respond-async` and fetch it later, or
    `Accept: text/event-stream` and watch. A client that hangs up stops nothing; the work goes on and can be fetched.

    A generation whose tools partly failed is a `200` that says so; one that failed as a whole is `502` or `504`.
    """
    order = body.order()
    return await answered(request, service, owner, base_url, order, prefer=prefer, idempotency_key=idempotency_key)


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
