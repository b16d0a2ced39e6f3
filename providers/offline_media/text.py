"""The little that is done with words themselves, the same way everywhere."""

from __future__ import annotations

import hashlib
import re

_COUNTING = "one two three four five six seven eight nine ten eleven twelve"
NUMBERS = {word: number for number, word in enumerate(_COUNTING.split(), 1)}


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return re.findall(r"[^\W_]+", text.lower())


def singular(word: str) -> str:
    """The singular of a regular English plural; any other word as it is."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "oes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def stable_number(*parts: object) -> int:
    """A number that depends on the parts alone: the same in every process and on every machine."""
    return int.from_bytes(hashlib.sha256("\0".join(map(str, parts)).encode()).digest()[:6])
