"""A modest summary: the sentences of a text that hold most of its frequent words, and those words as its themes."""

from __future__ import annotations

import re
from collections import Counter

from ..offline_media.languages import SMALL_WORDS
from ..offline_media.text import singular, words_of

MOST_SENTENCES = 3
MOST_THEMES = 6
MOST_CHARS = 600
SENTENCE = re.compile(r"(?<=[.!?])[\"'”’)]*\s+(?=[A-Z0-9\"'“‘(ÄÖÜÉ])|\n{2,}")  # noqa: RUF001
OTHER_SMALL = words_of(
    "which their they them there these those has had will would can could should may might more most than then when "
    "where who what how why all any each every some such only also very just into over under after before about "
    "between one two its our out up down no nor but if so do does did been being were am me my his her she him us an"
)
SMALL = frozenset(OTHER_SMALL) | {word for words in SMALL_WORDS.values() for word in words.split()}


def summed_up(text: str) -> str:
    """The two or three sentences that say most of a text, in its order."""
    sentences = [" ".join(one.split()) for one in SENTENCE.split(text) if one.strip()]
    if len(sentences) <= 2:
        return " ".join(sentences)[:MOST_CHARS]
    counts = _counts(text)

    def weight(n: int) -> float:
        words = [word for word in map(singular, words_of(sentences[n])) if word in counts]
        first = 1.3 if n == 0 else 1.0  # what a text begins with is what it is about
        return first * sum(counts[word] for word in words) / (len(words_of(sentences[n])) + 6)

    best = sorted(
        sorted(range(len(sentences)), key=lambda n: (-weight(n), n))[: min(MOST_SENTENCES, len(sentences) // 2 + 1)]
    )
    return " ".join(sentences[n] for n in best)[:MOST_CHARS]


def key_themes(text: str) -> list[str]:
    """The words a text uses most, but for the small ones."""
    found = _counts(text).most_common()
    often = [word for word, count in found if count > 1] or [word for word, _ in found]
    return often[:MOST_THEMES]


def _counts(text: str) -> Counter[str]:
    words = (singular(word) for word in words_of(text) if word not in SMALL)
    return Counter(word for word in words if len(word) > 2 and not word.isdigit())
