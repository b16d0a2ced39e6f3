"""What can be said of sound without understanding it: length, loudness, silence, pitch; and what is said in it, by its
own record or by the small recogniser."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidRequest
from ..offline_media.languages import guessed_language
from ..offline_media.opening import Samples, samples_of
from ..offline_media.records import record_of_sound
from ..offline_media.transcribing import HERTZ, RECOGNISED, loudness, recognised
from ..types import ChatRequest, Media
from .question import MEASURED, Rule, answered, listed, parts_of
from .summary import SENTENCE

MOST_S = 600.0
"""Seconds that are listened to."""
MOST_RECOGNISED_S = 60.0
SILENT = 0.04
"""Below this share of the loudest moment it is silent."""
WINDOW = 640
"""Samples in which a pitch is looked for: 40 ms."""
LOWEST_HZ, HIGHEST_HZ = 65, 400
VOICED = 0.5
"""How alike a stretch of sound must be to itself a moment later to have a pitch."""
KNOWS = (
    "length, loudness, pauses and pitch, and the words as far as a record or a small recogniser of English gives them"
)


@dataclass(frozen=True)
class Facts:
    """One recording, measured."""

    samples: Samples
    more: bool
    """It goes on after what was listened to."""
    record: str | None

    @property
    def duration_s(self) -> float:
        """Seconds that were listened to."""
        return len(self.samples) / HERTZ

    @cached_property
    def level_db(self) -> float:
        """Mean loudness, 0 being the loudest there can be."""
        mean = float(np.sqrt((self.samples.astype(np.float64) ** 2).mean())) if len(self.samples) else 0.0
        return 20 * math.log10(max(mean, 0.5) / 32768)

    @cached_property
    def silence(self) -> float:
        """The share that is silent, 0 to 1."""
        levels = loudness(self.samples)
        return float((levels < SILENT).mean()) if len(levels) and self.level_db > -70 else 1.0

    @cached_property
    def pitches(self) -> list[float]:
        """The pitch in Hz of each stretch that has one."""
        whole = self.samples[: HERTZ * 120].astype(np.float64)
        found = []
        for at in range(0, len(whole) - 2 * WINDOW, WINDOW):
            piece, more = whole[at : at + WINDOW], whole[at : at + 2 * WINDOW]
            energy = float((piece**2).sum())
            if energy < WINDOW * 300.0**2:
                continue
            alike = np.correlate(more, piece, "valid")[: HERTZ // LOWEST_HZ + 1]
            low = HERTZ // HIGHEST_HZ
            best = low + _first_peak(alike[low:])
            if alike[best] > VOICED * energy:
                found.append(HERTZ / best)
        return found

    @property
    def pitch(self) -> float | None:
        """The usual pitch in Hz; None where there is none."""
        return float(np.median(self.pitches)) if len(self.pitches) >= 3 else None

    @cached_property
    def said(self) -> str:
        """The words, from the record, else as far as they are recognised; empty where there are none."""
        if self.record:
            return self.record
        if self.silence >= 1.0 or self.pitch is None:
            return ""
        return " ".join(word.text for word in recognised(self.samples[: int(HERTZ * MOST_RECOGNISED_S)]))

    @property
    def told_words(self) -> str:
        """What is said, and how that is known."""
        if not self.said:
            return "No words were found in it."
        if self.record:
            return f'By the file\'s own record it says: "{self.said}"'
        return f'It may say ({RECOGNISED}; much of it may be wrong): "{self.said}"'

    @property
    def tone(self) -> str:
        """How it sounds, in words that follow from the measures alone."""
        if self.silence >= 1.0:
            return "silent"
        words = ["quiet" if self.level_db < -32 else "loud" if self.level_db > -17 else ""]
        if self.pitch is not None:
            spread = float(np.std(self.pitches)) / self.pitch
            words.append("low" if self.pitch < 130 else "high" if self.pitch > 210 else "of medium pitch")
            words.append("monotone" if spread < 0.08 else "lively" if spread > 0.22 else "even")
        words.append("with many pauses" if self.silence > 0.4 else "")
        return ", ".join(filter(None, words)) or "without a pitch"


def _first_peak(alike: NDArray[np.float64]) -> int:
    """Where the first of the nearly highest peaks is: the others are whole multiples of the same period."""
    at = int(np.flatnonzero(alike >= alike.max() - 0.1 * abs(alike.max()))[0])
    while at + 1 < len(alike) and alike[at + 1] > alike[at]:
        at += 1
    return at


def measured(media: Media) -> Facts:
    """The facts of a recording. Blocking. Raises InvalidRequest when it cannot be read."""
    samples, more = samples_of(media, HERTZ, MOST_S)
    return Facts(samples, more, None if media.media_type.startswith("video/") else record_of_sound(media))


def analysis(request: ChatRequest) -> dict[str, Any]:
    """An "AudioAnalysis" of the first recording of a request. Blocking."""
    media = next(iter(request.media.values()), None)
    if media is None:
        raise InvalidRequest("There is no recording to listen to.")
    facts = measured(media)
    question = parts_of(request).get("question")
    voice = facts.pitch is not None
    return {
        "description": described(facts),
        "answer": answered(question, RULES, facts, KNOWS) or _spoken_question(facts),
        "tone": facts.tone,
        "speakers": [{"name": "Speaker 1", "description": f"a voice {_pitched(facts)}"}] if voice else [],
        "language": guessed_language(facts.said) if facts.said else None,
        "sounds": ["silence"]
        if facts.silence >= 1.0
        else ["a voice, or one tone at a time"]
        if voice
        else ["noise or music"],
    }


def described(facts: Facts) -> str:
    """A recording in a few sentences."""
    went_on = f" It goes on after the first {MOST_S:g} s, which were listened to." if facts.more else ""
    return (
        f"{facts.duration_s:.1f} s of sound at {facts.level_db:.0f} dB on average, {facts.silence:.0%} of it silent; "
        f"{facts.tone}.{went_on} {facts.told_words} {MEASURED}."
    )


def _pitched(facts: Facts) -> str:
    return f"of about {facts.pitch:.0f} Hz" if facts.pitch else "without a pitch"


def _spoken_question(facts: Facts) -> str | None:
    """A question that is spoken in the recording is repeated, with what little can be said."""
    asked = [one for one in SENTENCE.split(facts.said) if one.strip().endswith("?")]
    if not asked:
        return None
    return f'The recording asks: "{asked[-1]}" The offline stand-in cannot answer it: it knows nothing but this file.'


RULES: tuple[Rule[Facts], ...] = (
    (
        r"\b(?:sa(?:y|ys|id|ying)|words?|about|talk\w*|transcri\w*|tell\w*|ask\w*|mention\w*|what does)\b",
        lambda facts: facts.told_words,
    ),
    (r"\b(?:long|length|duration|seconds|minutes)\b", lambda facts: f"It is {facts.duration_s:.1f} s long."),
    (
        r"\b(?:sounds?|tone|mood|feel\w*|emotion\w*|voice|manner|sad|happy|angry|calm|excited)\b",
        lambda facts: f"By its measures it is {facts.tone}; which feeling that is cannot be told.",
    ),
    (r"\b(?:loud|quiet|volume|loudness|noisy?)\b", lambda facts: f"It is at {facts.level_db:.0f} dB on average."),
    (r"\b(?:pitch|high|low|deep|male|female|man|woman)\b", lambda facts: f"The sound is {_pitched(facts)}."),
    (r"\b(?:silen\w*|pauses?|gaps?)\b", lambda facts: f"{facts.silence:.0%} of it is silent."),
    (
        r"\blanguage\b",
        lambda facts: (
            f"By its small words it is {guessed_language(facts.said) or 'in a language that cannot be told'}."
        ),
    ),
    (
        r"\b(?:who|how many|speakers?|people)\b",
        lambda facts: f"Speakers are not told apart here. {listed([f'The sound is {_pitched(facts)}'])}.",
    ),
)
