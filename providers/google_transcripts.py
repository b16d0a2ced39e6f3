"""Transcription by generateContent with a model made for it: what is asked for, and the turns that come.

Facts: google-genai 3.4.0, types.py (AudioTranscriptionConfig, Transcription, WordInfo);
https://ai.google.dev/gemini-api/docs/models/gemini-3.5-transcribe: an hour of sound, half of it with times or speakers.
That the words to expect cannot be given beside either is a third party's finding.
"""

from __future__ import annotations

import re

from .catalogue import Model
from .chat_streams import dicts
from .errors import NotOffered
from .google_answers import Json, candidate_of, mapping, text, usage_of
from .google_files import Placed
from .options import fit_options
from .transcripts import clean_span, expected_words, segments_of
from .types import Done, Transcript, TranscriptionRequest, Word

MOST_WORDS = 1000
"""Phrases of a vocabulary, at most (the page on the model)."""


def transcription_body(model: Model, request: TranscriptionRequest, placed: Placed) -> tuple[Json, tuple[str, ...]]:
    """The JSON body of a transcription."""
    _, warnings = fit_options(model, request.options)
    timed = request.timestamps != "none" or request.speakers  # a turn has no times of its own, only its words have
    config: Json = {}
    if request.language:
        config["languageCodes"] = [request.language]
    if timed:
        config["wordTimestamp"] = True
    if request.speakers:
        config["diarization"] = True
    words = expected_words(request.hint)
    if words and timed:
        warnings += (f"{model.id} takes no hint together with times or speakers; it was ignored.",)
    elif words:
        config["customVocabulary"] = words[:MOST_WORDS]
    body: Json = {"contents": [{"role": "user", "parts": [placed.part()]}]}
    if config:
        body["generationConfig"] = {"audioTranscriptionConfig": config}
    return body | {"store": False}, warnings


def check_sound(model: Model, request: TranscriptionRequest, media_type: str) -> None:
    """Raises NotOffered for what is no sound, and for sound that is too long."""
    if not media_type.startswith("audio/"):
        raise NotOffered(f"{model.id} listens to sound files, not to {media_type}: give it the sound alone.")
    timed = request.timestamps != "none" or request.speakers
    longest = model.limits.get("timed_duration_max" if timed else "duration_max")
    if longest is not None and request.duration_s is not None and request.duration_s > longest:
        how = " with times or speakers" if timed else ""
        raise NotOffered(f"{model.id} listens to at most {longest} s{how}, this has {request.duration_s:g} s.")


def transcript_of(answer: Json, model: Model, request: TranscriptionRequest, warnings: tuple[str, ...]) -> Done:
    """What was said. Each part is one speaker's turn. Silence is an empty transcript. Raises Moderated,
    MalformedAnswer."""
    found = candidate_of(answer)
    turns = [mapping(part.get("audioTranscription")) for part in found.parts if part.get("audioTranscription")]
    words = [word for turn in turns for word in _words(turn, request)]
    said = " ".join(filter(None, (text(turn.get("text")).strip() for turn in turns))) or found.texts().strip()
    if not said and (found.block or found.finish != "STOP"):
        raise found.nothing("a transcript")
    if found.finish == "MAX_TOKENS":
        warnings += (f"{model.id} stopped at its longest answer; the end of the transcript is missing.",)
    if request.timestamps != "none" and said and not words:
        warnings += (f"{model.id} gave no times.",)
    transcript = Transcript(
        text=said,
        language=next((code for turn in turns if (code := text(turn.get("languageCode")))), None),
        duration_s=request.duration_s,
        segments=segments_of(words),
        words=tuple(words) if request.timestamps == "word" else (),
    )
    return Done(usage=usage_of(answer, model), warnings=warnings, transcript=transcript)


def _words(turn: object, request: TranscriptionRequest) -> list[Word]:
    spoken = mapping(turn)
    made = []
    for word in dicts(spoken.get("words")):
        start_s, end_s = clean_span(
            _seconds(word.get("startOffset")), _seconds(word.get("endOffset")), request.duration_s
        )
        speaker = text(word.get("speakerLabel")) or text(spoken.get("speakerLabel")) or None
        if text(word.get("word")).strip():
            made.append(Word(text=text(word["word"]).strip(), start_s=start_s, end_s=end_s, speaker=speaker))
    return made


def _seconds(offset: object) -> float | None:
    """ "1.230s" as a number; None for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)s", offset) if isinstance(offset, str) else None
    return float(match[1]) if match else None
