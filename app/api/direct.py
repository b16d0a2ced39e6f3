"""The routes to single tools, without a planner: for callers who know what they want.

Each is a generation like any other, with the same ids, receipts, events and durability; its one step is the tool.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from app.generations.orders import Order
from app.generations.parts import Parts
from app.generations.service import Generation, Service
from app.ids import new_id
from app.tools.edit_image import OPERATIONS
from providers.media_types import media_type_of

from .answers import ANSWERS, IdempotencyKey, Prefer, answered, failure
from .deps import BaseUrlDep, OwnerDep, PartsDep, ServiceDep
from .schemas import GenerationOut
from .tool_bodies import (
    AnalysisBody,
    EditBody,
    ExtractionBody,
    ImageBody,
    SpeechBody,
    ToolBody,
    TranscriptionBody,
    VideoBody,
)

router = APIRouter(tags=["Tools"])

AS_GENERATE = (
    "\n\nAnswers as `POST /generate` does: waits for the end, or answers at once with `Prefer: respond-async`, or "
    "streams the events with `Accept: text/event-stream`. What cannot work is refused with `422`, also when that shows "
    "only while it is made: then with `generation_id`."
)
SOUND: dict[str, Any] = {
    kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("audio/mpeg", "audio/wav")
}


def route(path: str, model: type[ToolBody], summary: str, description: str) -> None:
    """Add the route to one tool."""

    async def call(
        request: Request,
        body: ToolBody,
        service: ServiceDep,
        owner: OwnerDep,
        base_url: BaseUrlDep,
        prefer: Prefer = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        order = body.order()
        return await answered(request, service, owner, base_url, order, prefer=prefer, idempotency_key=idempotency_key)

    call.__annotations__["body"] = model  # what FastAPI reads and describes: the body of this very tool
    call.__name__ = path.strip("/").replace("/", "_")
    more: dict[str, Any] = {"response_model": GenerationOut, "responses": ANSWERS}
    router.add_api_route(path, call, methods=["POST"], summary=summary, description=description + AS_GENERATE, **more)


route(
    "/images",
    ImageBody,
    "Make an image",
    "Makes a picture, or `n` variants of it. With `reference_images` a character, product or style stays the same.",
)
route(
    "/images/edits",
    EditBody,
    "Change an image",
    "Changes an upload or an earlier result, as `instruction` or `operation` say; what it was stays as it is.\n\n"
    + "".join(f"- `{name}`: {what}\n" for name, what in OPERATIONS.items())
    + "\nWhich of them a model can do, and which `options` it knows, `GET /models` tells.",
)
route(
    "/videos",
    VideoBody,
    "Make a video",
    "Films a clip from words, animates a picture (`image`), keeps a character or product (`reference_images`), or "
    "changes a clip (`video`). A length or size that the model cannot make becomes the nearest it can, with a warning.",
)
route(
    "/transcriptions",
    TranscriptionBody,
    "Transcribe a recording",
    "What is said in a recording or a clip: text, segments, words and speakers in `result`, SRT and VTT subtitles in "
    "`assets`. With `translate` all of it in another language, too.",
)
route(
    "/analyses",
    AnalysisBody,
    "Look or listen",
    "Describes pictures, a clip or a recording, or answers a question about them. `response` is the answer in words; "
    "`result` has everything: objects, scene, style and colours; moments of a clip; tone and speakers of a recording.",
)
route(
    "/extractions",
    ExtractionBody,
    "Read a document",
    "An invoice, receipt, form or contract (PDF, picture of a page, or text) becomes JSON in `result.data`, by your "
    "`schema` or by one that fits. Beside it stand what is missing, how sure each field is, whether your `rules` hold, "
    "and whether a person should look.\n\n"
    "`schema` is a JSON Schema (2020-12) of an object; its `$ref` may lead to its own `$defs` only. A rule names "
    "numbers by JMESPath; without rules the usual sums of invoices and receipts are checked.",
)


@router.post(
    "/speech",
    response_model=GenerationOut,
    summary="Read a text aloud",
    responses={**ANSWERS, 200: {**ANSWERS[200], "content": {**ANSWERS[200]["content"], **SOUND}}},
)
async def speech(
    request: Request,
    body: SpeechBody,
    service: ServiceDep,
    parts: PartsDep,
    owner: OwnerDep,
    base_url: BaseUrlDep,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Reads a text aloud, word for word.

    With `stream` the answer is the sound itself, while it is made: `Prefer` and `Accept` change nothing then. A
    listener who hangs up stops nothing: the sound is kept whole, and `X-Generation-Id` tells where. A stream that
    breaks off was not finished by the vendor; the generation says why. A repeated `Idempotency-Key` gets the sound
    that is kept.

    Without it, answers as `POST /generate` does: waits for the end, or answers at once with `Prefer: respond-async`, or
    streams the events with `Accept: text/event-stream`. What cannot work is refused with `422`, also when that shows
    only while it is made: then with `generation_id`.
    """
    if body.stream:
        return await listened(service, parts, owner, body.order(), idempotency_key)
    order = body.order()
    return await answered(request, service, owner, base_url, order, prefer=prefer, idempotency_key=idempotency_key)


async def listened(service: Service, parts: Parts, owner: str, order: Order, idempotency_key: str | None) -> Response:
    """The sound as it is made; where another process makes it, or the vendor gives it whole, when it is there."""
    with ExitStack() as stack:
        wanted = new_id("gen")
        channel = stack.enter_context(parts.live.opened(wanted))
        generation_id, new = await service.start(owner, order, idempotency_key, generation_id=wanted)
        headers = {"x-generation-id": generation_id, **({} if new else {"idempotent-replayed": "true"})}
        first = asyncio.ensure_future(channel.get())
        ended = asyncio.ensure_future(service.wait(owner, generation_id, None))
        stack.callback(first.cancel)
        stack.callback(ended.cancel)
        either: list[asyncio.Future[Any]] = [first, ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            return await whole(parts, ended.result(), headers)
        chunk = first.result() or b""
        open_until_told = stack.pop_all()

    async def sound() -> AsyncIterator[bytes]:
        with open_until_told:
            yield chunk
            async for more in passing(channel, ended):
                yield more

    return StreamingResponse(sound(), media_type=media_type_of(chunk) or "audio/mpeg", headers=headers)


async def passing(channel: asyncio.Queue[bytes | None], ended: asyncio.Future[Generation]) -> AsyncIterator[bytes]:
    """What still comes. Raises what `failure` makes of a run that ended before the sound did: the connection is cut."""
    while True:
        getting = asyncio.ensure_future(channel.get())
        either: list[asyncio.Future[Any]] = [getting, ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not getting.done():
            getting.cancel()
            raise failure(ended.result())
        chunk = getting.result()
        if chunk is None:
            return
        yield chunk


async def whole(parts: Parts, generation: Generation, headers: dict[str, str]) -> Response:
    """The finished sound of a generation. Raises what `failure` makes of one without."""
    spoken = next((asset for asset in generation.assets if asset["type"] == "speech"), None)
    if spoken is None:
        raise failure(generation)
    size = {"content-length": str(spoken["bytes"])}
    stream = parts.store.stream(spoken["id"])
    return StreamingResponse(stream, media_type=spoken["media_type"], headers={**headers, **size})
