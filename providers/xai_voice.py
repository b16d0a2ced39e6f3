"""Speech at xAI: text read aloud (POST /tts) and sound written down (POST /stt).

Sources: https://docs.x.ai/developers/model-capabilities/audio/speech-to-text; xai-sdk, src/xai_sdk/tts.py, whose speech
goes over REST; vercel/ai's packages/xai (xai-speech-model.ts, xai-transcription-model.ts).
"""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .catalogue import Model
from .chat_streams import dicts
from .errors import MalformedAnswer, NotOffered
from .media import attached
from .options import fit_options
from .reading_limits import check_length, fit_speed, instructions_warning
from .transcripts import clean_s, clean_span, expected_words, segments_of
from .types import Done, Media, SpeechRequest, Transcript, TranscriptionRequest, Usage, Word
from .xai_answers import LABEL, ticks_usd

File = tuple[str, bytes, str]


def speech_body(model: Model, request: SpeechRequest, voice: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The JSON body. The endpoint has no `model`. Raises NotOffered for a text that is too long."""
    check_length(model, request.text)
    options, warnings = fit_options(model, request.options)
    speed, bent = fit_speed(model, request.speed)
    body: dict[str, Any] = {"text": request.text, "voice_id": voice, "language": "auto"}
    body["output_format"] = {"codec": request.format}
    if speed != 1.0:
        body["speed"] = speed
    return body | options, warnings + bent + instructions_warning(model, request)


async def stt_form(
    model: Model, request: TranscriptionRequest, media: Mapping[str, Media]
) -> tuple[dict[str, Any], File, tuple[str, ...]]:
    """The form's fields and its file, which must come last. Raises NotOffered for a file that is too large."""
    sound, limits = attached(request.audio, media), model.limits
    if sound.size > limits["max_file_mb"] * 1024**2:
        raise NotOffered(f"{model.id} takes files of at most {limits['max_file_mb']} MB.")
    options, warnings = fit_options(model, request.options)
    form: dict[str, Any] = {"model": model.wire_id}
    if request.language:
        form |= {"language": request.language, "format": "true"}  # numbers and units as they are written
    if request.speakers:
        form["diarize"] = "true"
    terms = expected_words(request.hint)
    fit = [term for term in terms if len(term) <= limits["max_keyterm_chars"]][: limits["max_keyterms"]]
    if fit:
        form["keyterm"] = fit
    if len(fit) < len(terms):
        warnings += (f"{model.id} takes short words as hints; {len(terms) - len(fit)} of {len(terms)} were left out.",)
    form |= {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in options.items()}
    name = "audio" + (mimetypes.guess_extension(sound.media_type) or "")
    return form, (name, await asyncio.to_thread(sound.read), sound.media_type), warnings


def transcript_of(body: Any, request: TranscriptionRequest, warnings: tuple[str, ...]) -> Done:
    """What an answer says: `text`, `language`, `duration` and timed `words`, each with its speaker where they were told
    apart. Raises MalformedAnswer."""
    if not isinstance(body, dict) or not isinstance(body.get("text"), str):
        raise MalformedAnswer(f"{LABEL} answered without a transcript.")
    seconds, language = clean_s(body.get("duration")), body.get("language")
    words = tuple(word for one in dicts(body.get("words")) if (word := _word(one, seconds or None)) is not None)
    transcript = Transcript(
        text=body["text"].strip(),
        language=language.lower() if isinstance(language, str) and len(language) == 2 else request.language,
        duration_s=seconds or None,
        words=words if request.timestamps == "word" else (),
        segments=segments_of(words) if request.timestamps != "none" or request.speakers else (),
    )
    usage = Usage(seconds=Decimal(str(seconds))) if seconds else None
    return Done(cost_usd=ticks_usd(body), usage=usage, warnings=warnings, transcript=transcript)


def _word(wire: Mapping[str, Any], duration_s: float | None) -> Word | None:
    """One timed word. Speakers are told apart by number."""
    text, speaker = wire.get("text"), wire.get("speaker")
    if not isinstance(text, str) or not text.strip():
        return None
    start_s, end_s = clean_span(wire.get("start"), wire.get("end"), duration_s)
    return Word(text=text.strip(), start_s=start_s, end_s=end_s, speaker=None if speaker is None else str(speaker))
