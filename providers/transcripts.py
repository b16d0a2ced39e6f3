"""What vendors of transcription have in common: words to expect, times without noise, segments made of words.

Every family that transcribes cleans its times here (`clean_s`, `clean_span`) and, where its vendor gives no segments,
makes them here (`segments_of`). Recorded answers hold 1.7000000476837158 for 1.7, null, and ends behind the end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from .types import Segment, Word

SENTENCE_END = (".", "!", "?", "…", "。", "！", "？", "।", "؟")  # noqa: RUF001
CLOSING = "\"'”’»)]"  # noqa: RUF001  what may stand behind the end of a sentence
PAUSE_S = 1.0
LONGEST_S = 8.0


def clean_s(value: Any) -> float:
    """A time in seconds, to the millisecond and never negative: vendors give 1.7000000476837158, and null."""
    return max(round(float(value), 3), 0.0) if isinstance(value, int | float) and value == value else 0.0


def clean_span(start: Any, end: Any, duration_s: float | None = None) -> tuple[float, float]:
    """When something was said, in seconds: within the sound where its duration is known, and never ending before it
    begins. A missing end is the start."""
    start_s, end_s = clean_s(start), clean_s(end)
    if duration_s is not None:
        start_s, end_s = min(start_s, duration_s), min(end_s, duration_s)
    return start_s, max(start_s, end_s)


def expected_words(hint: str | None) -> list[str]:
    """The words and names in a hint, which stand between commas, semicolons or lines; each once."""
    parts = (" ".join(part.split()) for part in re.split(r"[,;\n]", hint or ""))
    return list(dict.fromkeys(part for part in parts if part))


def segments_of(words: Sequence[Word], gaps: Sequence[str] | None = None) -> tuple[Segment, ...]:
    """The words as segments: one ends with a sentence, at a pause, where the speaker changes, or after 8 seconds.

    `gaps` holds what stands behind each word, for vendors that tell it (Chinese has no spaces); else it is a space.
    """
    if not words:
        return ()
    gaps = gaps or [" "] * len(words)
    lines = [[0]]
    for number, (word, following) in enumerate(pairwise(words), 1):
        length_s = word.end_s - words[lines[-1][0]].start_s
        ends = word.text.rstrip(CLOSING).endswith(SENTENCE_END)
        pause = following.start_s - word.end_s > PAUSE_S
        if ends or pause or length_s > LONGEST_S or following.speaker != word.speaker:
            lines.append([])
        lines[-1].append(number)
    return tuple(
        Segment(
            text="".join(words[number].text + gaps[number] for number in line).strip(),
            start_s=words[line[0]].start_s,
            end_s=words[line[-1]].end_s,
            speaker=words[line[0]].speaker,
        )
        for line in lines
    )
