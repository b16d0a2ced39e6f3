"""Google at `/google/v1`: generateContent, interactions that are computed from the clock, the Files API."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .control import Control
from .google_rules import (
    MODELS,
    RESOLUTIONS,
    answer_of,
    authorise,
    camel,
    check_content,
    check_interaction,
    check_model,
    conversation,
    given_of,
    picture_size,
    read_json,
    refused,
    text_in,
    usage_of,
)
from .ledger import Ledger
from .media import Files, Media, Work, speech_seconds
from .openai_looks import answer
from .planner import last_prompt, reply_to
from .wire import now, origin, rfc3339, token

TOKENS_PER_S = 5792
"""Of film at 720p: $17.50 a million is about $0.10 a second."""
SPOKEN = "Hello from the fake vendor."
SIGNATURE = "c2lnbmVk" * 500
Json = dict[str, Any]


@dataclass
class Interaction:
    """A job; what it looks like follows from the time."""

    model: str
    work: str
    seconds: float
    latency: float
    given: list[Json]
    outcome: Json = field(default_factory=dict)
    id: str = field(default_factory=lambda: f"v1_{token(24)}")
    created: float = field(default_factory=now)
    cancelled: bool = False

    def view(self, base: str, moment: float) -> Json:
        """The object of the API. What was given is told only to who asks for it."""
        made: Json = {"id": self.id, "object": "interaction", "model": self.model, "created": rfc3339(self.created)}
        if self.cancelled:
            return made | {"status": "cancelled", "steps": []}
        if moment < self.created + self.latency:
            return made | {"status": "in_progress", "steps": []}
        film = {"type": "video", "uri": f"{base}{self.work}", "mime_type": "video/mp4"}
        tokens = round(self.seconds * TOKENS_PER_S)
        usage = {
            "total_input_tokens": 20,
            "total_output_tokens": tokens,
            "total_thought_tokens": 0,
            "output_tokens_by_modality": [{"modality": "video", "tokens": tokens}],
        }
        step = {"type": "model_output", "content": [film]}
        return made | {"status": "completed", "steps": [step], "usage": usage} | self.outcome


class Google:
    """The endpoints."""

    def __init__(self, control: Control, ledger: Ledger, files: Files, media: Media) -> None:
        self._control, self._ledger, self._files, self._media = control, ledger, files, media
        self.reset()

    def reset(self) -> None:
        """Forget every job and upload."""
        self._interactions: dict[str, Interaction] = {}
        self._places: dict[str, Json] = {}
        self._uploads: dict[str, Json] = {}

    def routes(self) -> list[Route]:
        """Relative to the base URL, which is without a version."""
        return [
            Route("/{version}/models", self.models),
            Route("/{version}/models/{call}", self.generate, methods=["POST"]),
            Route("/{version}/interactions", self.submit, methods=["POST"]),
            Route("/{version}/interactions/{id}", self.get),
            Route("/{version}/interactions/{id}/cancel", self.cancel, methods=["POST"]),
            Route("/upload/{version}/files", self.offer_upload, methods=["POST"]),
            Route("/uploads/{id}", self.upload, methods=["POST"]),
            Route("/{version}/files/{id}", self.file),
        ]

    async def models(self, request: Request) -> Response:
        """The list, in pages of ten."""
        authorise(request)
        first = int(request.query_params.get("pageToken") or 0)
        page = [{"name": f"models/{name}", "displayName": name} for name in MODELS[first : first + 10]]
        more = {"nextPageToken": str(first + 10)} if first + 10 < len(MODELS) else {}
        return JSONResponse({"models": page, **more})

    # ---- generateContent ---------------------------------------------------------------------------------------------

    async def generate(self, request: Request) -> Response:
        """Answer at once: a picture, a voice, a transcript or a turn."""
        body = camel(await read_json(request))
        name, _, method = request.path_params["call"].partition(":")
        model = check_model(name)
        if method != "generateContent" or "omni" in model:
            raise refused(404, f"models/{name} is not supported for {method}.", "NOT_FOUND")
        check_content(body, model)
        modalities = body.get("generationConfig", {}).get("responseModalities", ["TEXT"])
        if model.endswith(("-image", "banana-2.1")) and "IMAGE" in modalities:
            return await self._picture(request, model, body)
        if model.endswith("-tts") and modalities == ["AUDIO"]:
            return await self._voice(request, model, body)
        if "transcribe" in model:
            return await self._transcript(request, model)
        if modalities != ["TEXT"]:
            raise refused(400, f"This model does not support the response modalities {modalities}.")
        return await self._turn(request, model, body)

    async def _picture(self, request: Request, model: str, body: Json) -> Response:
        width, height = picture_size(body.get("generationConfig", {}))
        work = Work("jpeg", width, height)
        self._ledger.accept(request, "google.images").append(work.salt)
        await asyncio.sleep(self._control.latency["image"])
        data = base64.b64encode(await self._media.image(work)).decode()
        part = {"inlineData": {"mimeType": "image/jpeg", "data": data}, "thoughtSignature": SIGNATURE}
        return JSONResponse(answer_of(model, [{"text": "Here:"}, part], usage_of(10, 1120, "IMAGE", 200)))

    async def _voice(self, request: Request, model: str, body: Json) -> Response:
        words = text_in(body["contents"][0]["parts"])
        seconds = speech_seconds(words)
        self._ledger.accept(request, "google.speech")
        await asyncio.sleep(self._control.latency["speech"])
        data = base64.b64encode(await self._media.speech(Work("pcm", seconds=seconds))).decode()
        part = {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": data}}
        return JSONResponse(answer_of(model, [part], usage_of(len(words) // 4 + 1, round(25 * seconds), "AUDIO")))

    async def _transcript(self, request: Request, model: str) -> Response:
        self._ledger.accept(request, "google.transcriptions")
        await asyncio.sleep(self._control.latency["speech"])
        words = [
            {"word": word, "startOffset": f"{place * 0.4:.3f}s", "endOffset": f"{place * 0.4 + 0.3:.3f}s"}
            for place, word in enumerate(SPOKEN.split())
        ]
        turn = {"text": SPOKEN, "languageCode": "en-US", "speakerLabel": "spk_1", "words": words}
        return JSONResponse(answer_of(model, [{"audioTranscription": turn}], usage_of(64, 20, "TEXT")))

    async def _turn(self, request: Request, model: str, body: Json) -> Response:
        reply = reply_to(conversation(body), self._control.chat)
        await asyncio.sleep(max(reply.delay_s, self._control.latency["chat"]))
        if reply.status != 200 or reply.body is not None:
            return JSONResponse(reply.body or {}, reply.status, headers=reply.headers)
        self._ledger.accept(request, "google.chat")
        schema = body.get("generationConfig", {}).get("responseJsonSchema")
        said = (
            answer({"messages": []}, schema, last_prompt(conversation(body)["messages"])) if schema else reply.content
        )
        parts: list[Json] = [{"text": said}] if said else []
        for number, call in enumerate(reply.tool_calls):
            given = call.get("arguments", {})
            called = {"name": call["name"], "args": json.loads(given) if isinstance(given, str) else given}
            part: Json = {"functionCall": called | ({"id": call["id"]} if call.get("id") else {})}
            parts.append(part | ({"thoughtSignature": SIGNATURE} if number == 0 else {}))
        return JSONResponse(answer_of(model, parts, reply.usage or usage_of(200, 40, "TEXT", 30)))

    # ---- interactions ------------------------------------------------------------------------------------------------

    async def submit(self, request: Request) -> Response:
        """Accept a clip."""
        body = await read_json(request)
        made = check_interaction(body)
        for block in given_of(body):
            if "uri" in block and block["uri"].rpartition("/")[2] not in self._uploads:
                raise refused(403, "You do not have permission to access the File or it may not exist.")
        tall = made.get("aspect_ratio") == "9:16"
        side = RESOLUTIONS[made.get("resolution", "720p")]
        long = round(side * 16 / 9)
        seconds = float(made.get("duration", "5s")[:-1])
        work = Work("mp4", *((side, long) if tall else (long, side)), seconds=seconds)
        path = f"/google/v1/files/{token(12)}"
        self._files.publish(path, work)
        job = Interaction(body["model"], path, seconds, self._control.latency["google"], given_of(body))
        job.outcome = self._control.outcome(request.url.path, await request.body())
        self._interactions[job.id] = job
        self._ledger.accept(request, "google.video").append(work.salt)
        self._ledger.begin("google", lambda: job.cancelled or now() >= job.created + job.latency)
        return JSONResponse(job.view(origin(request), min(now(), job.created)))

    async def get(self, request: Request) -> Response:
        """A job now."""
        job = self._find(request)
        self._ledger.polls["google"] += 1
        return JSONResponse(job.view(origin(request), now()))

    async def cancel(self, request: Request) -> Response:
        """Stop a job; one that is over stays as it is, which is said with 400."""
        job = self._find(request)
        if now() >= job.created + job.latency:
            raise refused(400, "The interaction is not in progress.", "FAILED_PRECONDITION")
        self._ledger.cancels["google"] += not job.cancelled
        job.cancelled = True
        return JSONResponse(job.view(origin(request), now()))

    def _find(self, request: Request) -> Interaction:
        authorise(request)
        job = self._interactions.get(request.path_params["id"])
        if job is None:
            raise refused(404, "Requested entity was not found.", "NOT_FOUND")
        return job

    # ---- files -------------------------------------------------------------------------------------------------------

    async def offer_upload(self, request: Request) -> Response:
        """Name a place for an input file."""
        authorise(request)
        headers = request.headers
        wanted = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
        if any(headers.get(name) != value for name, value in wanted.items()):
            raise refused(400, "Upload protocol or command is missing.")
        place = token(20)
        self._places[place] = {
            "mimeType": headers.get("x-goog-upload-header-content-type", ""),
            "sizeBytes": headers.get("x-goog-upload-header-content-length", ""),
        }
        url = f"{origin(request)}/google/uploads/{place}"
        return JSONResponse({}, headers={"x-goog-upload-url": url, "x-goog-upload-status": "active"})

    async def upload(self, request: Request) -> Response:
        """Take the file where it was told to go; it has to be prepared once it is a clip."""
        about = self._places.pop(request.path_params["id"], None)
        size = len(await request.body())
        if about is None or str(size) != about["sizeBytes"]:
            raise refused(400, "Size of the upload does not match.")
        if request.headers.get("x-goog-upload-command") != "upload, finalize":
            raise refused(400, "Upload command is missing.")
        id = token(12)
        state = "PROCESSING" if about["mimeType"].startswith("video/") else "ACTIVE"
        uri = f"{origin(request)}/google/v1/files/{id}"
        self._uploads[id] = {"name": f"files/{id}", "uri": uri, "state": state, **about}
        self._ledger.uploads["google"] += 1
        return JSONResponse({"file": self._uploads[id]}, headers={"x-goog-upload-status": "final"})

    async def file(self, request: Request) -> Response:
        """An upload's description, or the bytes of a work: those only to who asks for them."""
        authorise(request)
        if (stored := self._uploads.get(request.path_params["id"])) is not None:
            told = JSONResponse(stored)
            stored["state"] = "ACTIVE"
            return told
        if request.query_params.get("alt") != "media":
            return JSONResponse({"name": f"files/{request.path_params['id']}", "state": "ACTIVE"})
        return await self._files.serve(request)
