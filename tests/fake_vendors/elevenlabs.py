"""ElevenLabs at `/elevenlabs`: speech, whole and streamed, its history, transcription, models and voices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from .control import Control
from .ledger import Ledger
from .media import MEDIA_TYPES, Media, Work, speech_seconds
from .openai_rules import form_digest
from .wire import Refused, json_object, now, token

KEY = "sk_fakeElevenLabsKey0005"
LIMITS = {
    "eleven_v4": 10_000,
    "eleven_v4_turbo": 10_000,
    "eleven_v3": 5_000,
    "eleven_v3_conversational": 5_000,
    "eleven_multilingual_v2": 10_000,
    "eleven_flash_v2_5": 40_000,
    "eleven_flash_v2": 30_000,
    "eleven_turbo_v2_5": 40_000,
    "eleven_turbo_v2": 30_000,
}
"""Characters of text by model."""
VOICES = {
    "SAz9YHcvj6GT2YYXdXww": "River - Relaxed, Neutral, Informative",
    "cjVigY5qzO86Huf0OWal": "Eric - Smooth, Trustworthy",
    "JBFqnCBsd6RMkjVDRZzb": "George - Warm, Captivating Storyteller",
    "nPczCjzI2devNBz1zQrb": "Brian - Deep, Resonant and Comforting",
    "EXAVITQu4vr4xnSDxMaL": "Sarah - Mature, Reassuring, Confident",
    "cgSgspJ2msm6clMCkdW9": "Jessica - Playful, Bright, Warm",
    "fakeOwnVoice00000001": "My Own Voice",
}
FORMATS = {"mp3_44100_128": "mp3", "mp3_22050_32": "mp3", "wav_24000": "wav", "pcm_24000": "pcm"}
FIELDS = {
    "text": str,
    "model_id": str,
    "language_code": str,
    "voice_settings": dict,
    "seed": int,
    "previous_text": str,
    "next_text": str,
    "apply_text_normalization": str,
}
SETTINGS = {"stability", "similarity_boost", "style", "use_speaker_boost", "speed", "clone_strength"}
STREAM_PIECES = 8
SAID = "The quick brown fox jumps over the lazy dog."
Json = dict[str, Any]


@dataclass
class Item:
    """A piece of speech in the history."""

    voice: str
    body: Json
    output_format: str
    work: Work
    made: float = field(default_factory=now)
    id: str = field(default_factory=lambda: token(20))

    def view(self) -> Json:
        """The object of the API."""
        characters = len(self.body["text"])
        return {
            "history_item_id": self.id,
            "request_id": token(20),
            "voice_id": self.voice,
            "voice_name": VOICES[self.voice].split(" - ")[0],
            "voice_category": "premade",
            "model_id": self.body["model_id"],
            "text": self.body["text"],
            "date_unix": int(self.made),
            "character_count_change_from": 1000,
            "character_count_change_to": 1000 + characters,
            "content_type": MEDIA_TYPES[self.work.format],
            "state": "created",
            "settings": {"stability": 0.5, "similarity_boost": 0.75, **self.body.get("voice_settings", {})},
            "source": "TTS",
            "output_format": self.output_format,
        }


class ElevenLabs:
    """The endpoints."""

    def __init__(self, control: Control, ledger: Ledger, media: Media) -> None:
        self._control, self._ledger, self._media = control, ledger, media
        self.reset()

    def reset(self) -> None:
        """Forget the history."""
        self._history: dict[str, Item] = {}

    def routes(self) -> list[Route]:
        """Relative to the base URL, which is without `/v1`."""
        return [
            Route("/v1/text-to-speech/{voice}", self.speak, methods=["POST"]),
            Route("/v1/text-to-speech/{voice}/stream", self.stream, methods=["POST"]),
            Route("/v1/speech-to-text", self.transcribe, methods=["POST"]),
            Route("/v1/history", self.history),
            Route("/v1/history/{id}", self.item),
            Route("/v1/history/{id}/audio", self.audio),
            Route("/v1/models", self.models),
            Route("/v2/voices", self.voices),
        ]

    # ---- speech ------------------------------------------------------------------------------------------------------

    async def speak(self, request: Request) -> Response:
        """The whole sound."""
        item = await self._accepted(request)
        await asyncio.sleep(self._control.latency["speech"])
        sound = await self._media.speech(item.work)
        return Response(sound, media_type=MEDIA_TYPES[item.work.format], headers=_headers(item))

    async def stream(self, request: Request) -> Response:
        """The sound while it is made: the first piece at once, the last one after the latency."""
        item = await self._accepted(request)
        sound = await self._media.speech(item.work)
        pause_s = self._control.latency["speech"] / STREAM_PIECES

        async def pieces() -> AsyncIterator[bytes]:
            size = -(-len(sound) // STREAM_PIECES)
            for start in range(0, len(sound), size):
                yield sound[start : start + size]
                await asyncio.sleep(pause_s)

        return StreamingResponse(pieces(), media_type=MEDIA_TYPES[item.work.format], headers=_headers(item))

    async def _accepted(self, request: Request) -> Item:
        """Check a request for speech and write it into the history."""
        authorise(request)
        body = await json_object(request)
        if body is None:
            raise invalid("body", "JSON decode error")
        for name, value in body.items():
            if name not in FIELDS:
                raise invalid(name, "Extra inputs are not permitted")
            if not isinstance(value, FIELDS[name]) or isinstance(value, bool):
                raise invalid(name, f"Input should be a valid {FIELDS[name].__name__}")
        if not isinstance(body.get("text"), str):
            raise invalid("text", "Field required")
        if unknown := set(body.get("voice_settings", {})) - SETTINGS:
            raise refused(400, "validation_error", "invalid_voice_settings", f"Unknown settings: {sorted(unknown)}")
        model, voice = body.setdefault("model_id", "eleven_multilingual_v2"), request.path_params["voice"]
        if model not in LIMITS:
            raise refused(400, "validation_error", "unsupported_model", f"The model {model} cannot speak.")
        if len(body["text"]) > LIMITS[model]:
            raise refused(400, "validation_error", "text_too_long", f"At most {LIMITS[model]} characters.")
        if voice not in VOICES:
            raise refused(404, "not_found", "voice_not_found", f"A voice with the voice_id {voice} was not found.")
        output_format = request.query_params.get("output_format", "mp3_44100_128")
        if output_format not in FORMATS:
            raise refused(400, "validation_error", "invalid_output_format", f"{output_format} is not supported.")
        speed = body.get("voice_settings", {}).get("speed", 1.0)
        item = Item(
            voice, body, output_format, Work(FORMATS[output_format], seconds=speech_seconds(body["text"], speed))
        )
        self._history[item.id] = item
        self._ledger.accept(request, "elevenlabs.speech").append(item.work.salt)
        return item

    # ---- history -----------------------------------------------------------------------------------------------------

    async def history(self, request: Request) -> Response:
        """A page, newest first."""
        authorise(request)
        self._ledger.lists["elevenlabs"] += 1
        items = list(reversed(self._history.values()))
        after, size = request.query_params.get("start_after_history_item_id"), int(request.query_params["page_size"])
        begin = next((number for number, item in enumerate(items, 1) if item.id == after), 0)
        page = items[begin : begin + size]
        answer = {"history": [item.view() for item in page], "has_more": len(items) > begin + size}
        return JSONResponse(answer | {"last_history_item_id": page[-1].id if page else None})

    async def item(self, request: Request) -> Response:
        """One item."""
        return JSONResponse(self._find(request).view())

    async def audio(self, request: Request) -> Response:
        """The sound of an item, again."""
        item = self._find(request)
        self._ledger.downloads += 1
        return Response(await self._media.speech(item.work), media_type=MEDIA_TYPES[item.work.format])

    def _find(self, request: Request) -> Item:
        authorise(request)
        item = self._history.get(request.path_params["id"])
        if item is None:
            raise refused(404, "not_found", "history_item_not_found", "The history item was not found.")
        return item

    # ---- transcription -----------------------------------------------------------------------------------------------

    async def transcribe(self, request: Request) -> Response:
        """The same words whatever was said, each of which takes half a second."""
        authorise(request)
        form = await request.form()
        if not isinstance(form.get("file"), UploadFile):
            raise refused(400, "invalid_request", "missing_required_field", "A file is needed.")
        if form.get("model_id") != "scribe_v2":
            raise refused(400, "validation_error", "unsupported_model", f"{form.get('model_id')} is not supported.")
        request.state.entry.body_digest = await form_digest(form.multi_items())
        self._ledger.accept(request, "elevenlabs.transcriptions")
        await asyncio.sleep(self._control.latency["speech"])
        timed = form.get("timestamps_granularity") != "none"
        return JSONResponse(transcript(timed, form.get("diarize") == "true"), headers={"request-id": token(20)})

    # ---- the account -------------------------------------------------------------------------------------------------

    async def models(self, request: Request) -> Response:
        """The models that speak."""
        authorise(request)
        row = {"can_do_text_to_speech": True, "token_cost_factor": 1.0, "concurrency_group": "standard"}
        found = [{"model_id": name, "maximum_text_length_per_request": most, **row} for name, most in LIMITS.items()]
        return JSONResponse(found)

    async def voices(self, request: Request) -> Response:
        """A page of voices; the token is the number of the first."""
        authorise(request)
        begin, size = (
            int(request.query_params.get("next_page_token", 0)),
            int(request.query_params.get("page_size", 10)),
        )
        found = [{"voice_id": voice, "name": name, "category": "premade"} for voice, name in VOICES.items()]
        further = begin + size if len(found) > begin + size else None
        answer = {"voices": found[begin : begin + size], "has_more": further is not None, "total_count": len(found)}
        return JSONResponse(answer | {"next_page_token": None if further is None else str(further)})


def transcript(timed: bool, speakers: bool) -> Json:
    """The answer of a transcription. The times carry the noise of real ones."""
    words: list[Json] = []
    for number, word in enumerate(SAID.split()):
        if words:
            words.append(
                {"text": " ", "type": "spacing", "start": number * 0.5 - 0.1, "end": number * 0.5, "logprob": 0}
            )
        end = number * 0.5 + 0.4000000059604645
        words.append({"text": word, "type": "word", "start": number * 0.5, "end": end, "logprob": -0.1})
    for word in words:
        word |= {"speaker_id": "speaker_0" if speakers else None} | ({} if timed else {"start": None, "end": None})
    seconds = len(SAID.split()) * 0.5
    answer = {"language_code": "eng", "language_probability": 0.99, "text": SAID, "words": words}
    return answer | {"audio_duration_secs": seconds, "transcription_id": token(20)}


def authorise(request: Request) -> None:
    """The key comes in a header of its own."""
    key = request.headers.get("xi-api-key")
    if key != KEY:
        code = "invalid_api_key" if key else "missing_api_key"
        raise refused(401, "authentication_error", code, "Invalid API key" if key else "No API key")


def refused(status: int, kind: str, code: str, message: str) -> Refused:
    """A refusal in ElevenLabs' envelope."""
    detail = {"type": kind, "code": code, "message": message, "status": code, "request_id": token(32)}
    return Refused(status, {"detail": detail})


def invalid(field_name: str, message: str) -> Refused:
    """A 422 as FastAPI makes it."""
    return Refused(422, {"detail": [{"type": "value_error", "loc": ["body", field_name], "msg": message}]})


def _headers(item: Item) -> dict[str, str]:
    credits = len(item.body["text"]) // (1 if item.body["model_id"] in ("eleven_v4", "eleven_multilingual_v2") else 2)
    return {"request-id": token(20), "history-item-id": item.id, "character-cost": str(credits)}
