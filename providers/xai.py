"""xAI: Grok draws and films, chats, looks at pictures, and writes down what is said.

Facts: https://docs.x.ai, the OpenAPI document mirrored by tryAGI/Xai (2026-08-03), and vercel/ai's packages/xai, which
is tested code. The official SDK speaks gRPC. No idempotency key, no list of jobs and no way to cancel one were found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx

from .base import Family
from .catalogue import Correction, load_models, load_voices
from .chat_completions import call_ids, from_answer, to_wire
from .chat_prices import chat_cost
from .edits import as_drawing, check_edit
from .errors import JobFailed, MalformedAnswer, Moderated, ProviderError, Unanswered
from .http import Http, before_payment, json_body
from .jobs import fraction, job_id_in
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
from .xai_answers import BLOCKED, BLOCKED_SENTENCE, named, pictures_of, ticks_usd, whole_usage
from .xai_bodies import LABEL, check_shown, image_body, video_body
from .xai_lists import LISTS, gone_of, voices_of
from .xai_voice import speech_body, stt_form, transcript_of

PRICED_AS = "x-ai"
"""The vendor's name in genai-prices."""


class XAI(Family):
    name = "xai"
    key_names = ("XAI_API_KEY", "GROK_API_KEY")
    base_url_name = "XAI_BASE_URL"
    default_base_url = "https://api.x.ai/v1"
    poll_interval_s = 1.0
    """As the official SDK (xai-sdk 1.21.0) asks."""

    def __init__(self, environment: Mapping[str, str], http: Http) -> None:
        super().__init__(environment, http)
        self.models = load_models("providers", "xai.toml")
        self.voices = load_voices("providers", "xai.toml")
        if not self.base_url.endswith("/v1"):
            self.base_url += "/v1"

    async def warm_up(self) -> None:
        """Load the price table."""
        tokens = Usage(input_tokens=1, output_tokens=1)
        await asyncio.to_thread(chat_cost, "grok-4.6", tokens, provider=PRICED_AS)

    async def refresh(self) -> Correction:
        """Which models of chat, pictures and clips live, by their names and aliases, and which voices there are. Those
        of speech and transcription are not listed."""
        gone: list[str] = []
        for modality, path in LISTS.items():
            answer = await self.http.send_json(LABEL, "GET", f"{self.base_url}/{path}", headers=self._headers)
            gone += gone_of([row for row in self.models if row.modality == modality], answer)
        answer = await self.http.send_json(LABEL, "GET", f"{self.base_url}/tts/voices", headers=self._headers)
        return Correction(gone=tuple(gone), voices=voices_of(answer))

    # ---- chat --------------------------------------------------------------------------------------------------------

    async def complete(self, request: ChatRequest) -> ChatReply:
        """One chat turn with any model; a name that has no row, such as a dated one, is sent as it is."""
        row = next((m for m in self.models if m.modality == "chat" and request.model in (m.id, *m.aliases)), None)
        name = row.wire_id if row is not None and request.model == row.id else request.model
        check_shown(request)
        write = partial(to_wire, request, model=name)
        body = await asyncio.to_thread(write) if request.media else write()
        answer = await self._paid("chat/completions", json=body)
        content_type = answer.headers.get("content-type", "")
        reply = from_answer(answer.content, content_type, vendor=LABEL, taken=call_ids(request))
        wire = json_body(answer)  # None where a gateway streamed unasked
        usage = whole_usage(reply.usage, wire)
        cost = ticks_usd(wire)
        if cost is None:
            cost = chat_cost(name, usage, row, provider=PRICED_AS)  # the price table is loaded by `warm_up`
        return reply.model_copy(update={"usage": usage, "cost_usd": cost})

    # ---- media -------------------------------------------------------------------------------------------------------

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done | Ticket:
        """Pictures, speech and transcripts are answered at once; a clip is a job."""
        match request:
            case ImageRequest() | EditRequest():
                return await self._draw(request, media)
            case VideoRequest():
                return await self._film(request, media)
            case SpeechRequest():
                return await self._speak(request)
            case TranscriptionRequest():
                return await self._transcribe(request, media)

    async def poll(self, ticket: Ticket) -> Done | Pending:
        """HTTP 202, possibly without a body, while it is under way; then 200. The clip's URL is good for 24 hours."""
        url = f"{self.base_url}/videos/{quote(ticket.job_id, safe='')}"
        answer = await self.http.asked(LABEL, "GET", url, headers=self._headers)
        body = json_body(answer)
        if answer.status_code == 202 and not isinstance(body, dict):
            return Pending()
        if not isinstance(body, dict):
            raise Unanswered(f"{LABEL} answered something that is not a JSON object.")
        video = body.get("video")
        video = video if isinstance(video, dict) else {}
        match body.get("status"):
            case "done" | "completed":  # the second is in the official SDK alone
                return done(video, body)
            case "failed":
                raise failure(body)
            case "expired":
                raise JobFailed(f"{LABEL} let the job expire before it was done.", cost_usd=ticks_usd(body))
            case None if video.get("url"):  # vercel/ai met answers without a status
                return done(video, body)
            case _:  # also a status that is not known yet: only the three above are an end
                return Pending(progress=fraction(body.get("progress"), 100))

    async def cancel(self, ticket: Ticket) -> None:
        """Nothing: xAI has no call for it. The clip is made, and billed, whether it is fetched or not."""

    async def _draw(self, request: ImageRequest | EditRequest, media: Mapping[str, Media]) -> Done:
        model = self.row_for(request)
        if isinstance(request, EditRequest):
            check_edit(model, request)
            request = as_drawing(request)
        with before_payment():
            path, body, warnings = await image_body(model, request, media)
        answer = await self._paid(path, json=body)
        return await asyncio.to_thread(pictures_of, answer.content, model.id, request.n, warnings)

    async def _film(self, request: VideoRequest, media: Mapping[str, Media]) -> Ticket:
        model = self.row_for(request)
        with before_payment():
            path, body, warnings = await video_body(model, request, media)
        answer = json_body(await self._paid(path, json=body))
        return Ticket(job_id=job_id_in(answer, LABEL, "request_id"), warnings=warnings)

    async def _speak(self, request: SpeechRequest) -> Done:
        model = self.row_for(request)
        body, warnings = speech_body(model, request, self.voice_for(model, request.voice))
        answer = await self._paid("tts", json=body)
        if answer.headers.get("content-type", "").startswith(("application/json", "text/")) or not answer.content:
            raise MalformedAnswer(f"{LABEL} answered without sound.")
        return Done((Output(data=answer.content),), warnings=warnings)

    async def _transcribe(self, request: TranscriptionRequest, media: Mapping[str, Media]) -> Done:
        model = self.row_for(request)
        with before_payment():
            form, file, warnings = await stt_form(model, request, media)
        answer = await self._paid("stt", data=form, files={"file": file})  # httpx writes the file last, as xAI wants it
        return transcript_of(json_body(answer), request, warnings)

    # ---- the wire ----------------------------------------------------------------------------------------------------

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    async def _paid(self, path: str, **content: Any) -> httpx.Response:
        """The paid POST, with xAI's own refusals told apart."""
        with told_apart(named):
            url = f"{self.base_url}/{path}"
            return await self.http.send(LABEL, "POST", url, paid=True, headers=self._headers, **content)


# ---- the job ---------------------------------------------------------------------------------------------------------


def done(video: Mapping[str, Any], body: Mapping[str, Any]) -> Done:
    """A finished clip. Raises Moderated when its content was blocked, which xAI reports as done, too."""
    cost = ticks_usd(body)
    if video.get("respect_moderation") is False:
        raise Moderated(BLOCKED_SENTENCE, cost_usd=cost)
    url = video.get("url")
    if not isinstance(url, str) or not url:
        raise MalformedAnswer(f"{LABEL} says that the clip is done but gave no file.")
    return Done((Output(url=url),), cost_usd=cost)


def failure(body: Mapping[str, Any]) -> ProviderError:
    """What a job with the status `failed` means."""
    error = body.get("error")
    said = str(error.get("message") or "") if isinstance(error, dict) else str(error or "")
    code = str(error.get("code") or "") if isinstance(error, dict) else ""
    cost = ticks_usd(body)
    if BLOCKED.search(f"{code} {said}"):
        return Moderated(BLOCKED_SENTENCE, cost_usd=cost)
    return JobFailed(f"{LABEL} failed to make it: {said[:300].rstrip('.') or 'it gave no reason'}.", cost_usd=cost)
