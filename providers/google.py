"""Google's Gemini API: chat and understanding, pictures, speech and transcription by generateContent, clips by
Interactions.

Facts: google-genai 3.4.0 and Google's documentation of November 2026. Imagen and Veo have ended here; their names are
kept to be recognised. No idempotency key exists, so a submit is sent once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from .addresses import same_origin
from .base import Family
from .catalogue import Correction, Model, load_models, load_voices
from .chat_completions import call_ids
from .chat_prices import chat_cost
from .chat_streams import dicts
from .errors import InvalidRequest
from .google_answers import LABEL, Json, named, text
from .google_chat import chat_body, chat_reply, check_media
from .google_files import Inputs
from .google_images import drawing_of, image_body, picture_of
from .google_speech import speech_body, speech_of
from .google_transcripts import check_sound, transcript_of, transcription_body
from .google_video import check_inputs, inputs_of, outcome, video_body
from .http import Http, before_payment
from .jobs import job_id_in
from .media import attached
from .refusals import told_apart
from .types import (
    ChatReply,
    ChatRequest,
    Done,
    EditRequest,
    ImageRequest,
    Media,
    MediaRequest,
    Output,
    Pending,
    SpeechRequest,
    Ticket,
    TranscriptionRequest,
    Usage,
    VideoRequest,
)

VERSION = "v1"
MAX_PAGES = 20


class Google(Family):
    name = "google"
    key_names = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
    base_url_name = "GOOGLE_BASE_URL"
    default_base_url = "https://generativelanguage.googleapis.com"
    poll_interval_s = 10.0
    """As often as the README of the SDK asks."""
    inputs_ready_within_s = 300.0
    """How long Google may take to prepare an uploaded input."""

    def __init__(self, environment: Mapping[str, str], http: Http) -> None:
        super().__init__(environment, http)
        self.models = load_models("providers", "google.toml")
        self.voices = load_voices("providers", "google.toml")
        found = re.fullmatch(r"(.*?)(?:/(v\d\w*))?", self.base_url)
        self.base_url, self.version = (found[1], found[2] or VERSION) if found else (self.base_url, VERSION)

    async def warm_up(self) -> None:
        """Load the price table of chat turns: half a second."""
        await asyncio.to_thread(
            chat_cost, "gemini-3.8-flash", Usage(input_tokens=1, output_tokens=1), provider=self.name
        )

    # ---- chat --------------------------------------------------------------------------------------------------------

    async def complete(self, request: ChatRequest) -> ChatReply:
        """One chat turn with any model: a name that has no row is sent as it is."""
        row = next((m for m in self.models if m.modality == "chat" and request.model in (m.id, *m.aliases)), None)
        name = row.wire_id if row is not None else request.model
        check_media(request, row)
        inputs = self._inputs()
        with before_payment():
            shown = dict.fromkeys(media_id for message in request.messages for media_id in message.media_ids)
            placed = {media_id: await inputs.place(media_id, request.media) for media_id in shown}
        signed = row is None or not row.limits.get("unsigned_calls")
        answer = await self._paid(_generate(name), chat_body(request, placed, signed=signed))
        reply = await asyncio.to_thread(chat_reply, answer, call_ids(request))
        cost = await asyncio.to_thread(chat_cost, name, reply.usage, row, provider=self.name)
        return reply.model_copy(update={"cost_usd": cost})

    # ---- media -------------------------------------------------------------------------------------------------------

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done | Ticket:
        """Draw, speak or write down, which is answered at once; film, which is a job."""
        model = self.row_for(request)
        match request:
            case ImageRequest() | EditRequest():
                return await self._draw(model, request, media)
            case SpeechRequest():
                return await self._speak(model, request)
            case TranscriptionRequest():
                return await self._write_down(model, request, media)
            case VideoRequest():
                return await self._film(model, request, media)

    async def _draw(self, model: Model, request: ImageRequest | EditRequest, media: Mapping[str, Media]) -> Done:
        drawing = drawing_of(model, request, media)
        inputs = self._inputs()
        with before_payment():
            placed = [await inputs.place(name, media) for name in drawing.references]
            body, warnings = image_body(model, drawing, placed)
        answer = await self._paid(_generate(model.wire_id), body)
        return await asyncio.to_thread(picture_of, answer, model, warnings)

    async def _speak(self, model: Model, request: SpeechRequest) -> Done:
        body, warnings = speech_body(model, request, self.voice_for(model, request.voice))
        answer = await self._paid(_generate(model.wire_id), body)
        return await asyncio.to_thread(speech_of, answer, model, request, warnings)

    async def _write_down(self, model: Model, request: TranscriptionRequest, media: Mapping[str, Media]) -> Done:
        check_sound(model, request, attached(request.audio, media).media_type)
        with before_payment():
            placed = await self._inputs().place(request.audio, media)
        body, warnings = transcription_body(model, request, placed)
        answer = await self._paid(_generate(model.wire_id), body)
        return transcript_of(answer, model, request, warnings)

    async def _film(self, model: Model, request: VideoRequest, media: Mapping[str, Media]) -> Ticket:
        check_inputs(model, request, media)
        inputs = self._inputs()
        with before_payment():
            placed = [await inputs.place(name, media) for name in inputs_of(model, request)]
            body, warnings = await video_body(model, request, placed, media)
        answer = await self._paid("interactions", body)
        return Ticket(job_id=job_id_in(answer, LABEL), warnings=warnings)

    async def poll(self, ticket: Ticket) -> Done | Pending:
        answer = await self.http.ask(LABEL, "GET", self._url(_job(ticket)), headers=self._headers)
        row = next((model for model in self.models if model.wire_id == answer.get("model")), None)
        return await asyncio.to_thread(outcome, answer, row, self._url(""))

    async def cancel(self, ticket: Ticket) -> None:
        try:
            await self.http.send(LABEL, "POST", self._url(f"{_job(ticket)}/cancel"), headers=self._headers)
        except InvalidRequest:
            return  # 4xx: the job is over or unknown, so nothing is left to cancel

    def download_headers(self, output: Output, url: str) -> dict[str, str]:
        """Files are kept by Google's own API, which wants the key."""
        return self._headers if same_origin(url, self.base_url) else {}

    async def refresh(self) -> Correction:
        """Which of the models Google lists; a list without any of them says nothing."""
        listed: set[str] = set()
        page = ""
        for _ in range(MAX_PAGES):
            params = {"pageSize": "1000"} | ({"pageToken": page} if page else {})
            answer = await self.http.send_json(LABEL, "GET", self._url("models"), params=params, headers=self._headers)
            listed |= {text(model.get("name")).removeprefix("models/") for model in dicts(answer.get("models"))}
            if not (page := text(answer.get("nextPageToken"))):
                break
        gone = tuple(m.id for m in self.models if m.status != "retired" and m.wire_id not in listed)
        living = sum(model.status != "retired" for model in self.models)
        return Correction(gone=gone if len(gone) < living else ())

    # ---- the wire ----------------------------------------------------------------------------------------------------

    @property
    def _headers(self) -> dict[str, str]:
        return {"x-goog-api-key": self.key or ""}

    def _url(self, path: str) -> str:
        return f"{self.base_url}/{self.version}/{path}".rstrip("/")

    def _inputs(self) -> Inputs:
        pause_s = min(1.0, self.least_poll_s)
        return Inputs(
            self.http,
            self.base_url,
            self.version,
            self._headers,
            pause_s=pause_s,
            ready_within_s=self.inputs_ready_within_s,
        )

    async def _paid(self, path: str, body: Mapping[str, Any]) -> Json:
        """A paid POST, sent once, with Google's own refusals told apart."""
        with told_apart(named):
            url = self._url(path)
            return await self.http.send_json(LABEL, "POST", url, paid=True, json=body, headers=self._headers)


def _generate(model: str) -> str:
    return f"models/{quote(model, safe='')}:generateContent"


def _job(ticket: Ticket) -> str:
    return f"interactions/{quote(ticket.job_id, safe='')}"
