"""ElevenLabs: speech, whole or while it is made, and transcription (Scribe).

Facts: the official SDK elevenlabs 2.78.0. There are no jobs and no idempotency key, so a request is sent once; but what
was spoken is kept in a history, where lost speech is found again and fetched without being paid for twice. A lost
transcript is not: only webhooks would bring it.

The answer says what it cost in credits (`character-cost`), whose price depends on the account's plan: the cost in USD
is reckoned from the characters.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx

from .addresses import same_origin
from .base import NOTHING, Family
from .catalogue import Correction, Model, load_models, load_voices
from .elevenlabs_errors import LABEL, named
from .elevenlabs_history import History
from .elevenlabs_transcripts import file_of, form_of, transcript_of
from .errors import JobLost, MalformedAnswer, NotOffered
from .http import Http, before_payment, json_body
from .media import attached
from .media_types import media_type_of
from .options import fit_options
from .reading_limits import check_length, fit_speed, instructions_warning
from .refusals import told_apart
from .types import (
    Done,
    Media,
    MediaRequest,
    Output,
    Pending,
    SpeechRequest,
    Ticket,
    TranscriptionRequest,
    Usage,
)

OUTPUT_FORMATS = {"mp3": "mp3_44100_128", "wav": "wav_24000"}
"""MP3 of the vendor's default quality. WAV of 44.1 kHz is for the dear plans alone; speech loses little at 24 kHz."""
SLOWEST_CHARACTERS_PER_S = 10
VOICE_SETTINGS = ("stability", "similarity_boost", "style", "use_speaker_boost", "clone_strength")
VOICES_PAGE, MAX_VOICE_PAGES = 100, 20

Body = dict[str, Any]
Warnings = tuple[str, ...]


class ElevenLabs(Family):
    name = "elevenlabs"
    key_names = ("ELEVENLABS_API_KEY",)
    base_url_name = "ELEVENLABS_BASE_URL"
    default_base_url = "https://api.elevenlabs.io"

    def __init__(self, environment: Mapping[str, str], http: Http) -> None:
        super().__init__(environment, http)
        self.models = load_models("providers", "elevenlabs.toml")
        self.voices = load_voices("providers", "elevenlabs.toml")
        self.base_url = self.base_url.removesuffix("/v1")

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done:
        """Speak or write down; both are answered at once."""
        if not isinstance(request, SpeechRequest | TranscriptionRequest):
            raise NotOffered(f"{LABEL} does no {request.kind} here.")
        row = self.row_for(request)
        if isinstance(request, SpeechRequest):
            return await self._speak(row, request)
        return await self._transcribe(row, request, media)

    async def poll(self, ticket: Ticket) -> Done | Pending:
        """A piece of speech that `find` found in the history."""
        item = await self.http.ask(LABEL, "GET", self._item(ticket), headers=self._headers)
        if item.get("state") == "processing":
            return Pending()
        if item.get("state") == "deleted":
            raise JobLost(f"{LABEL} has deleted the finished speech.")
        return Done((Output(url=f"{self._item(ticket)}/audio", authorised=True),))

    async def find(
        self, request: MediaRequest, since: dt.datetime, media: Mapping[str, Media] = NOTHING
    ) -> list[Ticket] | None:
        """None also where the account's history is empty: it may be that none is kept."""
        if not isinstance(request, SpeechRequest):
            return None
        row = self.row(request.model)
        body, warnings = speech_of(row, request)
        history = History(LABEL, self.http, self.base_url, self._headers)
        form = body.pop("output_format")
        found = await history.that(body, self.voice_for(row, request.voice), form, since)
        return None if found is None else [Ticket(job_id=item, warnings=warnings) for item in found]

    async def cancel(self, ticket: Ticket) -> None:
        """What stands in the history is spoken: there is nothing left to stop."""

    def download_headers(self, output: Output, url: str) -> dict[str, str]:
        return self._headers if output.authorised and same_origin(url, self.base_url) else {}

    # ---- speech ------------------------------------------------------------------------------------------------------

    async def _speak(self, row: Model, request: SpeechRequest) -> Done:
        body, warnings = speech_of(row, request)
        form = body.pop("output_format")
        if form.startswith("wav_") and len(request.text) * wav_bytes_a_character(form) > self.http.max_answer_bytes:
            raise NotOffered("So long a text does not fit into a WAV file here: ask for mp3, or for less at a time.")
        voice = quote(self.voice_for(row, request.voice), safe="")
        url = f"{self.base_url}/v1/text-to-speech/{voice}" + ("/stream" if request.stream else "")
        content = {"params": {"output_format": form}, "json": body, "headers": self._headers}
        with told_apart(named):
            if request.stream:
                answer = await self.http.stream(LABEL, "POST", url, paid=True, **content)
                if is_json(answer.headers):
                    await answer.pieces.aclose()
                    raise MalformedAnswer(f"{LABEL} answered with something that is not sound.")
                return Done(
                    (Output(chunks=answer.pieces),), warnings=warnings + other_format(request, answer.pieces.head)
                )
            whole = await self.http.send(LABEL, "POST", url, paid=True, **content)
        if is_json(whole.headers) or not whole.content:
            raise MalformedAnswer(f"{LABEL} answered without sound.")
        return Done((Output(data=whole.content),), warnings=warnings + other_format(request, whole.content))

    # ---- transcription -----------------------------------------------------------------------------------------------

    async def _transcribe(self, row: Model, request: TranscriptionRequest, media: Mapping[str, Media]) -> Done:
        with before_payment():
            form, warnings = form_of(row, request)
            name, sound, media_type = await asyncio.to_thread(file_of, row, attached(request.audio, media))
        # Nothing is heard of it until it is done, which takes longer the longer the sound is.
        patience = httpx.Timeout(self.http.limit_s(len(sound)), connect=self.http.timeout.connect)
        with told_apart(named):
            answer = await self.http.send_json(
                LABEL,
                "POST",
                f"{self.base_url}/v1/speech-to-text",
                paid=True,
                data=form,
                files={"file": (name, sound, media_type)},
                headers=self._headers,
                timeout=patience,
            )
        transcript = transcript_of(answer, request)
        seconds = None if transcript.duration_s is None else Decimal(str(transcript.duration_s))
        usage = None if seconds is None else Usage(seconds=seconds)
        return Done(usage=usage, warnings=warnings, transcript=transcript)

    # ---- what the account has ----------------------------------------------------------------------------------------

    async def refresh(self) -> Correction:
        """The models of speech and their limits, and the account's voices by name. Transcription is not listed."""
        answer = await self.http.send(LABEL, "GET", f"{self.base_url}/v1/models", headers=self._headers)
        listed = json_body(answer)
        if not isinstance(listed, list) or not listed:
            raise MalformedAnswer(f"{LABEL}'s list of models cannot be understood.")
        told = {str(one.get("model_id")): one for one in listed if isinstance(one, dict)}
        speaks = {name for name, one in told.items() if one.get("can_do_text_to_speech") is not False}
        rows = [row for row in self.models if row.modality == "speech" and row.status != "retired"]
        limits = {
            row.id: told[row.wire_id].get("maximum_text_length_per_request") for row in rows if row.wire_id in told
        }
        return Correction(
            gone=tuple(row.id for row in rows if row.wire_id not in speaks),
            limits={name: {"max_prompt_chars": most} for name, most in limits.items() if isinstance(most, int)},
            voices=await self._own_voices(),
        )

    async def _own_voices(self) -> dict[str, str]:
        """Name -> id. "Roger - Laid-Back, Casual" is called Roger, unless another voice is."""
        found: dict[str, str] = {}
        token: Any = None
        for _ in range(MAX_VOICE_PAGES):
            params = {"page_size": VOICES_PAGE} | ({"next_page_token": token} if token else {})
            url = f"{self.base_url}/v2/voices"
            answer = await self.http.send_json(LABEL, "GET", url, params=params, headers=self._headers)
            voices, token = answer.get("voices"), answer.get("next_page_token")
            if not isinstance(voices, list):
                raise MalformedAnswer(f"{LABEL}'s list of voices cannot be understood.")
            for voice in voices:
                name, voice_id = (str(voice.get(key) or "").strip() for key in ("name", "voice_id"))
                short = name.split(" - ")[0].strip()
                if voice_id:
                    free = short and short not in found and short.lower() not in self.voices
                    found.setdefault(short if free else name or voice_id, voice_id)
            if not answer.get("has_more") or not token:
                break
        return found

    # ---- the wire ----------------------------------------------------------------------------------------------------

    @property
    def _headers(self) -> dict[str, str]:
        return {"xi-api-key": self.key or ""}

    def _item(self, ticket: Ticket) -> str:
        return f"{self.base_url}/v1/history/{quote(ticket.job_id, safe='')}"


def speech_of(row: Model, request: SpeechRequest) -> tuple[Body, Warnings]:
    """The body a request for speech becomes, and in it the format, which belongs into the query. Raises NotOffered."""
    check_length(row, request.text)
    options, warnings = fit_options(row, request.options)
    settings = {name: options.pop(name) for name in VOICE_SETTINGS if name in options}
    speed, bent = fit_speed(row, request.speed)
    if speed != 1.0:
        settings["speed"] = speed
    body: Body = {"text": request.text, "model_id": row.wire_id, "output_format": OUTPUT_FORMATS[request.format]}
    body |= {"voice_settings": settings} if settings else {}
    return body | options, warnings + bent + instructions_warning(row, request)


def wav_bytes_a_character(output_format: str) -> float:
    """How long a WAV of this format, of 16 bits, may become: what is longer than an answer may be is refused."""
    return 2 * int(output_format.partition("_")[2]) / SLOWEST_CHARACTERS_PER_S


def is_json(headers: Mapping[str, str]) -> bool:
    """Whether an answer holds JSON, where sound is expected."""
    return headers.get("content-type", "").startswith("application/json")


def other_format(request: SpeechRequest, sound: bytes) -> Warnings:
    """A sentence where the bytes are not what was asked for: asked for WAV, a recorded answer held MP3."""
    asked = str(request.options.get("output_format", request.format)).partition("_")[0]
    wanted = {"mp3": "audio/mpeg", "wav": "audio/wav", "opus": "audio/ogg"}[asked]
    given = media_type_of(sound)
    if given is None or given == wanted or not given.startswith("audio/"):
        return ()
    return (f"{LABEL} was asked for {asked} and sent {given.removeprefix('audio/')}.",)
