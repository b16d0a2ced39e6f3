"""Speech by generateContent: the text as it is read, how it is read beside it, and the sound that comes.

Facts: google-genai 3.4.0, types.py (SpeechConfig, SpeechMetadata);
https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/text-to-speech/overview: from 3.8 on the text is
read word for word, so that a style stands in `speechMetadata`, not in the text.
"""

from __future__ import annotations

import re

from .catalogue import Model
from .errors import MalformedAnswer
from .google_answers import LABEL, Candidate, Json, candidate_of, decoded, inline, usage_of
from .media_types import media_type_of
from .options import fit_options
from .reading_limits import check_length
from .sound import mp3, samples_of, wav
from .types import Done, Output, SpeechRequest

HERTZ = 24_000
FORMS = {"mp3": "audio/mpeg", "wav": "audio/wav"}
RAW = re.compile(r"audio/(l16|pcm)\b", re.IGNORECASE)


def speech_body(model: Model, request: SpeechRequest, voice: str) -> tuple[Json, tuple[str, ...]]:
    """The JSON body of a reading. Raises NotOffered."""
    check_length(model, request.text)
    options, warnings = fit_options(model, request.options)
    if request.speed != 1.0:
        warnings += (f"{model.id} has no speed; say in the instructions how fast it is to be read.",)
    part: Json = {"text": request.text}
    if request.instructions:
        part["speechMetadata"] = {"style": request.instructions}
    speech: Json = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": voice}}}
    if language := options.get("language"):
        speech["languageCode"] = language
    config = {"responseModalities": ["AUDIO"], "speechConfig": speech}
    return {"contents": [{"role": "user", "parts": [part]}], "generationConfig": config, "store": False}, warnings


def speech_of(answer: Json, model: Model, request: SpeechRequest, warnings: tuple[str, ...]) -> Done:
    """The sound in an answer, in the form asked for. Blocking. Raises Moderated, MalformedAnswer."""
    found = candidate_of(answer)
    file = sound_in(found, request.format)
    if found.finish == "MAX_TOKENS":
        warnings += (f"{model.id} stopped at its longest reading; the end of the text is missing.",)
    return Done((Output(data=file),), usage=usage_of(answer, model), warnings=warnings)


def sound_in(found: Candidate, form: str) -> bytes:
    """The sound of a candidate as a file of the form "wav" or "mp3".

    It comes as a WAV file, or as bare samples (`audio/L16;codec=pcm;rate=24000`), which no player would know. The bytes
    decide, not the name.
    """
    pieces = [(kind, decoded(data)) for kind, data in map(inline, found.parts) if kind.startswith("audio/") and data]
    if not pieces:
        raise found.nothing("sound")
    kind, first = pieces[0]
    if not is_raw(kind, first):
        if media_type_of(first) == FORMS[form]:
            return first
        samples, hertz = samples_of(first, HERTZ), HERTZ
    else:
        samples, hertz = b"".join(piece for _, piece in pieces), rate_of(kind)
        if channels_of(kind) != 1 or hertz > HERTZ:
            samples, hertz = samples_of(wav(hertz, samples, channels_of(kind)), HERTZ), HERTZ
    if len(samples) < 2:
        raise MalformedAnswer(f"{LABEL} answered without sound.")
    return mp3(hertz, samples) if form == "mp3" else wav(hertz, samples)


def is_raw(kind: str, data: bytes) -> bool:
    """Whether data are bare samples: named so, and not a file all the same."""
    return RAW.match(kind) is not None and not data.startswith((b"RIFF", b"ID3", b"OggS", b"fLaC"))


def rate_of(kind: str) -> int:
    """The samples per second that a media type names; 24,000 where it names none."""
    match = re.search(r"rate=(\d{4,6})\b", kind)
    return int(match[1]) if match else HERTZ


def channels_of(kind: str) -> int:
    """The channels that a media type names; one where it names none."""
    match = re.search(r"channels=([12])\b", kind)
    return int(match[1]) if match else 1
