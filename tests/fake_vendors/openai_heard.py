"""What the fake OpenAI hears in every recording, in the shape of each model and format."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

SPOKEN = "Hello from the fake vendor."
ANSWERED = "Good to hear you."
DURATION_S = 1.5
NOISE_S = 1.7000000476837158
"""An end behind the end of the sound, as recorded answers have it."""


def transcript(model: str, form: str, wanted: Collection[str] = ()) -> dict[str, Any] | str:
    """What was said; `wanted` are the timestamp granularities."""
    seconds = {"type": "duration", "seconds": 2}
    if form in ("text", "srt", "vtt"):
        return SPOKEN + "\n"
    if model == "gpt-transcribe":
        return {"text": SPOKEN, "languages": [{"code": "en"}], "usage": seconds}
    if form == "diarized_json":
        return _diarized()
    if model != "whisper-1":
        return {"text": SPOKEN, "usage": _tokens()}
    if form != "verbose_json":
        return {"text": SPOKEN, "usage": seconds}
    told = {"task": "transcribe", "language": "english", "duration": DURATION_S, "text": SPOKEN}
    if "segment" in wanted or not wanted:
        told["segments"] = [_segment()]
    if "word" in wanted:
        told["words"] = words()
    return {**told, "usage": seconds}


def words() -> list[dict[str, Any]]:
    """The words without their punctuation, evenly spaced."""
    said = SPOKEN.rstrip(".").split()
    step = DURATION_S / len(said)
    return [
        {"word": word, "start": number * step, "end": NOISE_S if word == said[-1] else (number + 1) * step}
        for number, word in enumerate(said)
    ]


def _segment() -> dict[str, Any]:
    measures = {"temperature": 0.0, "avg_logprob": -0.2, "compression_ratio": 0.8, "no_speech_prob": 0.01}
    return {"id": 0, "seek": 0, "start": 0.0, "end": NOISE_S, "text": f" {SPOKEN}", "tokens": [50364], **measures}


def _diarized() -> dict[str, Any]:
    kind = "transcript.text.segment"
    first = {"id": "seg_001", "type": kind, "start": 0.0, "end": 0.75, "text": SPOKEN, "speaker": "A"}
    second = {"id": "seg_002", "type": kind, "start": 0.8, "end": DURATION_S, "text": ANSWERED, "speaker": "B"}
    text = f"{SPOKEN} {ANSWERED}"
    segments = [first, second]
    return {"task": "transcribe", "duration": DURATION_S, "text": text, "segments": segments, "usage": _tokens()}


def _tokens() -> dict[str, Any]:
    details = {"text_tokens": 0, "audio_tokens": 20}
    tokens = {"type": "tokens", "input_tokens": 20, "output_tokens": 8, "total_tokens": 28}
    return {**tokens, "input_token_details": details}
