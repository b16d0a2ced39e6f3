"""OpenAI, and every server that speaks like it (Ollama, vLLM, gateways) at `OPENAI_BASE_URL`: chat, pictures and edits,
speech, transcription, moderation.

Its video service ended on 2026-09-24 without a replacement; those models are here only to be recognised by name.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import httpx2
from openai import AsyncOpenAI

from .base import Family
from .catalogue import Correction, Model, load_models, load_voices
from .chat_completions import call_ids, from_answer, to_wire
from .chat_parts import in_words, needs_of_media
from .chat_prices import chat_cost
from .clients import Clients
from .errors import NotOffered, Unavailable
from .http import Http
from .media import attached
from .openai_client import MAX_ANSWER_BYTES, build_client
from .openai_drawing import drawing_of
from .openai_errors import object_of, translated
from .openai_images import read_pictures
from .openai_models import correction_of
from .openai_moderation import flagged_in, questions
from .openai_speech import LiveSound, custom_voice, sound_of, speech_of
from .openai_transcripts import transcript_from, transcription_of, transcription_usage
from .types import (
    ChatReply,
    ChatRequest,
    Done,
    EditRequest,
    ImageRequest,
    Media,
    MediaRequest,
    Output,
    SpeechRequest,
    Ticket,
    TranscriptionRequest,
    Usage,
)


class OpenAI(Family):
    """Chat Completions, Images and Speech through the openai SDK, which never retries here: each POST is paid for."""

    name: ClassVar[str] = "openai"
    key_names = ("OPENAI_API_KEY",)
    base_url_name = "OPENAI_BASE_URL"
    default_base_url = "https://api.openai.com/v1"
    max_answer_bytes = MAX_ANSWER_BYTES

    def __init__(self, environment: Mapping[str, str], http: Http) -> None:
        super().__init__(environment, http)
        self.models = load_models("providers", "openai.toml")
        self.voices = load_voices("providers", "openai.toml")
        self._streams = environment.get("OPENAI_STREAM", "").strip().lower() in ("1", "true", "yes", "on")
        self._organization = environment.get("OPENAI_ORG_ID") or None
        self._project = environment.get("OPENAI_PROJECT_ID") or None
        self._verify: ssl.SSLContext | None = None
        self._clients = Clients(self._build)

    def unavailable(self) -> str | None:
        """See `Family`. Settings the SDK would stumble over in the middle of a call are found here."""
        if self.key and not (self.key.isascii() and self.key.isprintable()):
            return "OPENAI_API_KEY holds a character that no key has; copy it again."
        if not self.base_url.startswith(("http://", "https://")):
            return "OPENAI_BASE_URL must begin with http:// or https://."
        return super().unavailable()

    async def warm_up(self) -> None:
        """Build the client and load the price table: together they take half a second."""
        with self._sdk():
            pass
        await asyncio.to_thread(chat_cost, "gpt-4o", Usage(input_tokens=1, output_tokens=1))

    async def aclose(self) -> None:
        """Close the SDK's clients, as far as they were built."""
        for client in self._clients.all():
            await client.close()
        self._clients = Clients(self._build)

    # ---- chat --------------------------------------------------------------------------------------------------------

    async def complete(self, request: ChatRequest) -> ChatReply:
        """One chat turn with any model: a name that has no row is sent as it is (Ollama, vLLM, gateways).

        `OPENAI_STREAM=true` asks for a stream, which keeps proxies with short idle timeouts from cutting a long answer.
        """
        row = next((m for m in self.models if m.modality == "chat" and request.model in (m.id, *m.aliases)), None)
        name = row.wire_id if row is not None and request.model == row.id else request.model
        if row is not None:
            _check_media(row, request)
            request = in_words(request) if row.limits.get("answer_schema") == "in_words" else request
        extra = _tool_parameters(row) if row is not None and request.tools else {}
        write = partial(to_wire, request, model=name, stream=self._streams, extra=extra)
        body = await asyncio.to_thread(write) if request.media else write()
        async with self._asked() as sdk:
            # Posted as it is, and read whole even when streamed: a gateway may stream unasked, or not when asked.
            answer = await sdk.post("/chat/completions", body=body, cast_to=httpx2.Response)
        content_type = answer.headers.get("content-type", "")
        reply = from_answer(answer.content, content_type, vendor=self.name, taken=call_ids(request))
        cost = chat_cost(name, reply.usage, row)  # the price table is loaded by `warm_up`
        return reply.model_copy(update={"cost_usd": cost})

    # ---- media -------------------------------------------------------------------------------------------------------

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done | Ticket:
        """Draw, edit, speak or write down; all are answered at once, a live speech while it is made."""
        row = self.row_for(request)
        if isinstance(request, ImageRequest | EditRequest):
            return await self._draw(row, request, media)
        if isinstance(request, SpeechRequest):
            return await self._speak(row, request)
        if isinstance(request, TranscriptionRequest):
            return await self._transcribe(row, request, media)
        raise NotOffered("OpenAI makes no video since 2026-09-24; choose another vendor.")

    async def _draw(self, row: Model, request: ImageRequest | EditRequest, media: Mapping[str, Media]) -> Done:
        drawing = await asyncio.to_thread(drawing_of, row, request, media)
        async with self._asked(drawing.bytes) as sdk:
            images = sdk.images.with_raw_response
            call = images.edit if "image" in drawing.given else images.generate
            answer = await call(**drawing.given)
        pictures = await asyncio.to_thread(read_pictures, answer.http_response.content, self.name)
        warnings = drawing.warnings
        if len(pictures.outputs) < request.n:
            warnings += (f"{row.id} was asked for {request.n} pictures and made {len(pictures.outputs)}.",)
        return Done(pictures.outputs, None, pictures.usage, pictures.revised_prompt, warnings)

    async def _speak(self, row: Model, request: SpeechRequest) -> Done:
        voice: Any = custom_voice(row, request.voice)
        if voice is None:  # a gateway has voices of its own, which no list here can know
            known = self.voices.get(request.voice, request.voice)
            voice = self.voice_for(row, request.voice) if self.is_vendor else known
        given, warnings = speech_of(row, request, voice)
        if request.stream:
            sound = LiveSound(self.http.limit_s(0), partial(translated, self.name, self.host))
            await sound.open(self._sdk(), given, self.name)
            return Done((Output(chunks=sound),), warnings=warnings)
        async with self._asked() as sdk:
            answer = await sdk.audio.speech.with_raw_response.create(**given)
        return Done((Output(data=sound_of(answer.http_response, self.name)),), warnings=warnings)

    async def _transcribe(self, row: Model, request: TranscriptionRequest, media: Mapping[str, Media]) -> Done:
        if "transcribe" not in row.capabilities:
            raise NotOffered(f"{row.id} listens only over the Realtime API, which is not used here.")
        sound = attached(request.audio, media)
        given, warnings = await asyncio.to_thread(transcription_of, row, request, sound)
        async with self._asked(sound.size) as sdk:
            answer = await sdk.audio.transcriptions.with_raw_response.create(**given)
        body = object_of(answer.http_response, self.name)
        transcript = transcript_from(body, request, self.name)
        return Done(usage=transcription_usage(body), warnings=warnings, transcript=transcript)

    # ---- questions that cost nothing ---------------------------------------------------------------------------------

    async def moderate(self, text: str, images: Sequence[Media] = ()) -> tuple[str, ...]:
        """The categories of OpenAI's moderation, such as `violence` or `self-harm/intent`, that a text or pictures
        fall under; none when all is well. Free. Raises NotOffered (other media, pictures above 20 MB), and whatever a
        question can fail with."""
        found: list[str] = []
        for question in await asyncio.to_thread(questions, text, images):
            async with self._asked(sum(image.size for image in images), paid=False) as sdk:
                answer = await sdk.moderations.with_raw_response.create(**question)
            found += flagged_in(object_of(answer.http_response, self.name), self.name)
        return tuple(dict.fromkeys(found))

    async def refresh(self) -> Correction:
        """See `Family`: the list of models, and the days on which they end. A gateway is not asked: its list is not
        about these models."""
        if not self.is_vendor or self.unavailable():
            return Correction()
        async with self._asked(paid=False) as sdk:
            answer = await sdk.models.with_raw_response.list()
        return correction_of(object_of(answer.http_response, self.name), self.models, self.name)

    # ---- the wire ----------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _asked(self, sent_bytes: int = 0, *, paid: bool = True) -> AsyncIterator[AsyncOpenAI]:
        """A client of the SDK for one request, whose time is limited and whose errors are translated."""
        with self._sdk() as sdk, translated(self.name, self.host, paid=paid):
            async with asyncio.timeout(self.http.limit_s(sent_bytes)):
                yield sdk

    @contextlib.contextmanager
    def _sdk(self) -> Iterator[AsyncOpenAI]:
        """A client of the SDK for one request. Raises Unavailable."""
        if reason := self.unavailable():
            raise Unavailable(reason)
        with self._clients.one() as client:
            yield client

    def _build(self) -> AsyncOpenAI:
        self._verify = self._verify or httpx2.create_ssl_context()  # takes 20 ms, so it is made once
        return build_client(
            key=self.key,
            base_url=self.base_url,
            organization=self._organization,
            project=self._project,
            timeout=httpx2.Timeout(**self.http.timeout.as_dict()),
            verify=self._verify,
            max_answer_bytes=self.max_answer_bytes,
        )


# ---- what a request may hold -----------------------------------------------------------------------------------------


def _tool_parameters(row: Model) -> dict[str, Any]:
    """What function tools need on Chat Completions: from gpt-5.4 on they work only without reasoning, and the models
    that cannot go without take them only on the Responses API.

    Sources: OpenAI's model page of gpt-6-luna; community.openai.com 1386454, where omitting the parameter gave a 400.
    """
    if row.limits.get("tools_api") == "responses":
        raise NotOffered(f"{row.id} cannot call tools on Chat Completions; choose another model, such as gpt-6-luna.")
    effort = row.limits.get("tools_need_reasoning_effort")
    return {"reasoning_effort": effort} if effort else {}


def _check_media(row: Model, request: ChatRequest) -> None:
    """Raises NotOffered for media the model cannot see, hear or read."""
    for name in {name for message in request.messages for name in message.media_ids} & set(request.media):
        media_type = request.media[name].media_type
        need = needs_of_media(media_type)
        if need is not None and need not in row.capabilities:
            raise NotOffered(f"{row.id} takes no {media_type}; choose a model that can ({need}).")
