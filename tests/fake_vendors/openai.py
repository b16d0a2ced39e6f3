"""OpenAI at `/openai/v1`: chat completions, images, speech, transcriptions and the list of models."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from .control import Control
from .ledger import Ledger
from .media import MEDIA_TYPES, Media, Work, speech_seconds
from .openai_answers import (
    chunks,
    completion_of,
    image_usage,
    model_row,
    named_events,
    picture_events,
    raw_answer,
    speech_events,
    verdict,
)
from .openai_forms import check_mask, check_recording
from .openai_heard import transcript
from .openai_rules import (
    CHAT_FIELDS,
    IMAGE_FIELDS,
    MODELS,
    SPEECH_FIELDS,
    authorise,
    check_chat,
    check_image,
    check_speech,
    form_digest,
    no_model,
    read_json,
    refused,
    vendor_headers,
)
from .planner import reply_to
from .wire import now

PIECE_BYTES = 8 * 1024


class OpenAI:
    """The endpoints."""

    def __init__(self, control: Control, ledger: Ledger, media: Media) -> None:
        self._control, self._ledger, self._media = control, ledger, media

    def routes(self) -> list[Route]:
        """Relative to the base URL."""
        return [
            Route("/models", self.models),
            Route("/models/{model}", self.model),
            Route("/chat/completions", self.chat, methods=["POST"]),
            Route("/images/generations", self.generate, methods=["POST"]),
            Route("/images/edits", self.edit, methods=["POST"]),
            Route("/audio/speech", self.speech, methods=["POST"]),
            Route("/audio/transcriptions", self.transcribe, methods=["POST"]),
            Route("/moderations", self.moderate, methods=["POST"]),
        ]

    # ---- models ------------------------------------------------------------------------------------------------------

    async def models(self, request: Request) -> Response:
        """The list, with the announced ends."""
        authorise(request)
        return JSONResponse({"object": "list", "data": [model_row(name) for name in MODELS]}, headers=vendor_headers())

    async def model(self, request: Request) -> Response:
        """One model."""
        authorise(request)
        name = request.path_params["model"]
        if name not in MODELS:
            raise no_model(name)
        return JSONResponse(model_row(name), headers=vendor_headers())

    # ---- chat --------------------------------------------------------------------------------------------------------

    async def chat(self, request: Request) -> Response:
        """A turn, whole or streamed."""
        body = await read_json(request, CHAT_FIELDS)
        check_chat(body)
        reply = reply_to(body, self._control.chat)
        if reply.status < 400:
            self._ledger.accept(request, "openai.chat")
        await asyncio.sleep(self._control.latency["chat"] + reply.delay_s)
        headers = {**vendor_headers(), **reply.headers}
        if reply.body is not None or reply.status >= 400:
            return raw_answer(reply, headers)
        completion = completion_of(body, reply)
        if body.get("stream"):
            usage = bool((body.get("stream_options") or {}).get("include_usage"))
            return StreamingResponse(chunks(completion, usage), media_type="text/event-stream", headers=headers)
        return JSONResponse(completion, reply.status, headers=headers)

    # ---- images ------------------------------------------------------------------------------------------------------

    async def generate(self, request: Request) -> Response:
        """Pictures from words."""
        body = await read_json(request, IMAGE_FIELDS)
        check_image(body)
        salts = self._ledger.accept(request, "openai.images")
        return await self._pictures(body, "image_generation", salts, given=0)

    async def edit(self, request: Request) -> Response:
        """Pictures from pictures and words (multipart)."""
        authorise(request)
        form = await request.form()
        pictures = [each for name in ("image", "image[]") for each in form.getlist(name)]
        if not pictures or not all(isinstance(each, UploadFile) for each in pictures):
            raise refused(400, "Missing required parameter: 'image'.", param="image", code="missing_required_parameter")
        if len(pictures) > 16:
            raise refused(400, "Too many images; at most 16 are supported.", param="image")
        files = {"image", "image[]", "mask", "markup"}
        body: dict[str, Any] = {name: value for name, value in form.items() if name not in files}
        body |= {name: int(body[name]) for name in ("n", "output_compression", "partial_images") if name in body}
        body |= {"stream": body["stream"] == "true"} if "stream" in body else {}
        check_image(body, extra="input_fidelity")
        if "mask" in form:
            await check_mask(form["mask"], pictures[0])
        request.state.entry.body_digest = await form_digest(form.multi_items())
        salts = self._ledger.accept(request, "openai.edits")
        return await self._pictures(body, "image_edit", salts, given=len(pictures))

    async def _pictures(self, body: dict[str, Any], event: str, salts: list[str], *, given: int) -> Response:
        await asyncio.sleep(self._control.latency["image"])
        size = body.get("size") or "auto"
        size = "1024x1024" if size == "auto" else size
        quality = body.get("quality") or "auto"
        quality = "medium" if quality == "auto" else quality
        width, height = map(int, size.split("x"))
        form = body.get("output_format") or "png"
        count = body.get("n") or 1
        drawn = [Work(form, width, height) for _ in range(count)]
        salts += [work.salt for work in drawn]
        works = [await self._media.image(work) for work in drawn]
        settings = {
            "background": "transparent" if body.get("background") == "transparent" else "opaque",
            "output_format": form,
            "quality": quality,
            "size": size,
        }
        usage = image_usage(body, quality, width * height, count, given)
        encoded = [base64.b64encode(work).decode() for work in works]
        if body.get("stream"):
            events = picture_events(event, encoded[0], body.get("partial_images") or 0, settings, usage)
            return StreamingResponse(named_events(events), media_type="text/event-stream", headers=vendor_headers())
        data = [{"b64_json": each} for each in encoded]
        return JSONResponse({"created": int(now()), **settings, "data": data, "usage": usage}, headers=vendor_headers())

    # ---- sound -------------------------------------------------------------------------------------------------------

    async def speech(self, request: Request) -> Response:
        """The bytes of a voice."""
        body = await read_json(request, SPEECH_FIELDS)
        check_speech(body)
        form = body.get("response_format") or "mp3"
        voice = Work(form, seconds=speech_seconds(body["input"], body.get("speed") or 1.0))
        self._ledger.accept(request, "openai.speech").append(voice.salt)
        await asyncio.sleep(self._control.latency["speech"])
        sound = await self._media.speech(voice)
        if body.get("stream_format") == "sse":
            return StreamingResponse(speech_events(sound), media_type="text/event-stream", headers=vendor_headers())
        return StreamingResponse(pieces(sound), media_type=MEDIA_TYPES[form], headers=vendor_headers())

    async def transcribe(self, request: Request) -> Response:
        """The same words whatever was said."""
        authorise(request)
        form = await request.form()
        model = await check_recording(form)
        request.state.entry.body_digest = await form_digest(form.multi_items())
        self._ledger.accept(request, "openai.transcriptions")
        await asyncio.sleep(self._control.latency["speech"])
        wanted = [str(each) for each in form.getlist("timestamp_granularities[]")]
        told = transcript(model, str(form.get("response_format", "json")), wanted)
        if isinstance(told, str):
            return Response(told, media_type="text/plain", headers=vendor_headers())
        return JSONResponse(told, headers=vendor_headers())

    # ---- moderation --------------------------------------------------------------------------------------------------

    async def moderate(self, request: Request) -> Response:
        """Flags the categories that a text names; free, so nothing is counted."""
        body = await read_json(request, "input model")
        given = body.get("input") or []
        parts = [given] if isinstance(given, str) else given
        texts = [each if isinstance(each, str) else each.get("text", "") for each in parts]
        return JSONResponse(verdict(texts), headers=vendor_headers())


async def pieces(sound: bytes) -> AsyncIterator[bytes]:
    """A voice as it comes: piece by piece."""
    for start in range(0, len(sound), PIECE_BYTES):
        yield sound[start : start + PIECE_BYTES]
        await asyncio.sleep(0)
