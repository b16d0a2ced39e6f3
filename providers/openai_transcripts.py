"""Transcription at OpenAI: what each model is asked with, and its three shapes of answer.

Facts: openai 3.52.0, types/audio/transcription_*.py; the limit of 25 MB is in OpenAI's guide on speech to text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from .catalogue import Model
from .errors import MalformedAnswer, NotOffered
from .options import fit_options
from .transcripts import clean_s, clean_span, expected_words
from .types import Media, Segment, Transcript, TranscriptionRequest, Usage, Word

EXTENSIONS = {
    "audio/flac": "flac",
    "audio/x-flac": "flac",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/mp4": "m4a",
    "audio/x-m4a": "m4a",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/webm": "webm",
    "video/mp4": "mp4",
    "video/mpeg": "mpeg",
    "video/ogg": "ogg",
    "video/webm": "webm",
}
"""The file is known by the extension of its name."""


# ---- the request -----------------------------------------------------------------------------------------------------


def transcription_of(row: Model, request: TranscriptionRequest, sound: Media) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The SDK's parameters for a request, and what has to be said about it (blocking: it reads the sound).

    Raises NotOffered for sound that is too large or of another kind, and for what the model does not do.
    """
    given: dict[str, Any] = {"model": row.wire_id, "file": _file(row, sound)}
    options, warnings = fit_options(row, request.options)
    forms = row.limits.get("response_formats", ())
    if request.speakers and "diarization" not in row.capabilities:
        raise NotOffered(f"{row.id} does not tell speakers apart; gpt-4o-transcribe-diarize does.")
    if request.timestamps != "none" and "timestamps" not in row.capabilities:
        raise NotOffered(f"{row.id} gives no times; ask for none, or choose a model that does, such as whisper-1.")
    if "diarized_json" in forms:
        given |= {"response_format": "diarized_json", "chunking_strategy": "auto"}  # needed above 30 seconds
        if request.timestamps == "word":
            warnings += (f"{row.id} gives the times of segments, not of single words.",)
    elif "verbose_json" in forms:
        granularities = {"none": [], "segment": ["segment"], "word": ["word", "segment"]}[request.timestamps]
        given |= {"response_format": "verbose_json"}
        given |= {"timestamp_granularities": granularities} if granularities else {}
    else:
        given["response_format"] = "json"
    if request.language:
        language = request.language.partition("-")[0].lower()  # ISO 639-1
        given |= {"languages": [language]} if "languages" in row.capabilities else {"language": language}
    if request.hint and "keywords" in row.capabilities:
        given["keywords"] = expected_words(request.hint)
    elif request.hint and "prompt" in row.capabilities:
        given["prompt"] = request.hint
    elif request.hint:
        warnings += (f"{row.id} takes no hint of words to expect; the one given was ignored.",)
    return given | options, warnings


def _file(row: Model, sound: Media) -> tuple[str, bytes, str]:
    extension = EXTENSIONS.get(sound.media_type)
    if extension is None or extension not in row.limits.get("input_formats", ()):
        formats = ", ".join(row.limits.get("input_formats", ()))
        raise NotOffered(f"{row.id} does not listen to {sound.media_type}; it takes {formats}.")
    most = row.limits.get("max_file_mb")
    if most is not None and sound.size > most * 1_000_000:
        size = f"{sound.size / 1_000_000:.1f} MB"
        raise NotOffered(f"{row.id} takes files of at most {most} MB, this one has {size}: cut or compress it.")
    return f"audio.{extension}", sound.read(), sound.media_type


# ---- the answer ------------------------------------------------------------------------------------------------------


def transcript_from(body: Mapping[str, Any], request: TranscriptionRequest, vendor: str) -> Transcript:
    """What was said, from any of the three shapes. A duration and a language may be missing or null, an end may lie
    behind the end of the sound. Raises MalformedAnswer."""
    text = body.get("text")
    if not isinstance(text, str):
        raise MalformedAnswer(f"{vendor} answered without a transcript.")
    duration_s = clean_s(body.get("duration")) or None
    segments = [Segment(**_span(one, "text", duration_s)) for one in _objects(body.get("segments"))]
    words = [Word(**_span(one, "word", duration_s)) for one in _objects(body.get("words"))]
    return Transcript(
        text=text.strip(),
        language=_language(body) or (request.language.partition("-")[0].lower() if request.language else None),
        duration_s=duration_s,
        segments=tuple(segments),
        words=tuple(words),
    )


def transcription_usage(body: Mapping[str, Any]) -> Usage | None:
    """By seconds for some models, by tokens for others; None where neither was told."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    if isinstance(usage.get("seconds"), int | float):
        return Usage(seconds=Decimal(str(usage["seconds"])))
    details = usage.get("input_token_details")
    details = details if isinstance(details, dict) else {}
    counts = (usage.get("input_tokens"), details.get("audio_tokens"), usage.get("output_tokens"))
    read, heard, written = (count if isinstance(count, int) and count >= 0 else None for count in counts)
    return Usage(input_tokens=read, audio_input_tokens=heard, output_tokens=written) if read or written else None


def _span(one: Mapping[str, Any], key: str, duration_s: float | None) -> dict[str, Any]:
    """Words use `word` or `text`; the speaker of whisper's own segments is absent."""
    start_s, end_s = clean_span(one.get("start"), one.get("end"), duration_s)
    text, speaker = str(one.get(key) or one.get("text") or "").strip(), one.get("speaker")
    return {"text": text, "start_s": start_s, "end_s": end_s, "speaker": None if speaker is None else str(speaker)}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _language(body: Mapping[str, Any]) -> str | None:
    """gpt-transcribe lists codes, whisper-1 says "english"."""
    codes = [str(one["code"]) for one in _objects(body.get("languages")) if one.get("code")]
    said = codes[0] if codes else body.get("language")
    if not isinstance(said, str) or not said:
        return None
    return said.lower() if re.fullmatch("[A-Za-z]{2}", said) else _names().get(said.lower())


@cache
def _names() -> dict[str, str]:
    data = tomllib.loads((resources.files("providers") / "openai.toml").read_text(encoding="utf-8"))
    return {str(name): str(code) for name, code in data["language_names"].items()}
