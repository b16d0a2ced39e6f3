"""Transcription at ElevenLabs (Scribe): the form a request becomes, and the answer.

Facts: elevenlabs 2.78.0, speech_to_text/raw_client.py and types/speech_to_text_chunk_response_model.py.
"""

from __future__ import annotations

import mimetypes
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from .catalogue import Model
from .errors import MalformedAnswer, NotOffered
from .options import fit_options
from .transcripts import clean_s, clean_span, expected_words, segments_of
from .types import Media, Transcript, TranscriptionRequest, Word

NOT_IN_KEYTERMS = re.compile(r"[<>{}\[\]\\]")
MAX_KEYTERM_CHARS, MAX_KEYTERM_WORDS, MAX_KEYTERMS = 50, 5, 1000

Form = dict[str, Any]
Warnings = tuple[str, ...]


# ---- the request -----------------------------------------------------------------------------------------------------


def form_of(row: Model, request: TranscriptionRequest) -> tuple[Form, Warnings]:
    """The fields of the form, without the file, and what has to be said about them."""
    options, warnings = fit_options(row, request.options)
    timed = request.timestamps != "none" or request.speakers
    form: Form = {
        "model_id": row.wire_id,
        "timestamps_granularity": "word" if timed else "none",  # there are no segments: they are made of the words
        "diarize": _word(request.speakers),
        "tag_audio_events": "false",  # true by default, which writes "(laughter)" into the text
    }
    if request.language:
        form["language_code"] = request.language.partition("-")[0].lower()
    if request.hint:
        terms, dropped = keyterms_of(request.hint)
        if terms:
            form["keyterms"] = terms
            warnings += (f"{row.id} costs a fifth more with words to expect, which the recorded cost leaves out.",)
        if dropped:
            warnings += (f"{row.id} takes expected words of at most 5 words and 50 characters; it ignores: {dropped}.",)
    return form | {name: _word(value) for name, value in options.items()}, warnings


def keyterms_of(hint: str) -> tuple[list[str], str]:
    """The words and names to expect, and those that are none for this vendor."""
    wanted = expected_words(hint)
    good = [part for part in wanted if _is_keyterm(part)][:MAX_KEYTERMS]
    return good, ", ".join(part for part in wanted if part not in good)[:200]


def _is_keyterm(part: str) -> bool:
    short = len(part) <= MAX_KEYTERM_CHARS and len(part.split()) <= MAX_KEYTERM_WORDS
    return short and not NOT_IN_KEYTERMS.search(part)


def _word(value: Any) -> str:
    """A value in a form: a boolean is `true` or `false`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def file_of(row: Model, sound: Media) -> tuple[str, bytes, str]:
    """The sound as a multipart file (blocking: it is read). Raises NotOffered for what is neither sound nor film."""
    if not sound.media_type.startswith(("audio/", "video/")):
        raise NotOffered(f"{row.id} listens to sound and film, not to {sound.media_type}.")
    return "sound" + (mimetypes.guess_extension(sound.media_type) or ""), sound.read(), sound.media_type


# ---- the answer ------------------------------------------------------------------------------------------------------


def transcript_of(body: Mapping[str, Any], request: TranscriptionRequest) -> Transcript:
    """What was said. Raises MalformedAnswer.

    `words` holds the spaces and, where they are asked for, sounds such as "(laughter)" too: they stand in the segments,
    as they do in the text, and not among the words.
    """
    text = body.get("text")
    if not isinstance(text, str):
        raise MalformedAnswer("ElevenLabs answered without a transcript.")
    duration_s = clean_s(body["audio_duration_secs"]) if body.get("audio_duration_secs") else None
    words, gaps = _words(body.get("words"), duration_s, request)
    if duration_s is None:
        duration_s = words[-1].end_s if words and request.timestamps != "none" else request.duration_s
    timed = request.timestamps != "none" or request.speakers
    return Transcript(
        text=text.strip(),
        language=_language(body.get("language_code")) or request.language,
        duration_s=duration_s,
        segments=segments_of(words, gaps) if timed else (),
        words=tuple(words) if request.timestamps == "word" else (),
    )


def _words(said: Any, duration_s: float | None, request: TranscriptionRequest) -> tuple[list[Word], list[str]]:
    """The spoken words, and what stands behind each."""
    words: list[Word] = []
    gaps: list[str] = []
    for one in said if isinstance(said, list) else ():
        if not isinstance(one, dict) or not isinstance(one.get("text"), str):
            continue
        if one.get("type") in ("spacing", "audio_event"):
            if gaps:
                gaps[-1] += one["text"]
            continue
        start_s, end_s = clean_span(one.get("start"), one.get("end"), duration_s)
        speaker = str(one["speaker_id"]) if request.speakers and one.get("speaker_id") is not None else None
        words.append(Word(text=one["text"].strip(), start_s=start_s, end_s=end_s, speaker=speaker))
        gaps.append("")
    return words, gaps


def _language(code: Any) -> str | None:
    """ISO 639-1 where there is one: the answer has "eng" for "en"."""
    return _codes().get(code.lower(), code.lower()) if isinstance(code, str) and code else None


@cache
def _codes() -> dict[str, str]:
    data = tomllib.loads((resources.files("providers") / "elevenlabs.toml").read_text(encoding="utf-8"))
    return {str(three): str(two) for three, two in data["languages"].items()}
