"""Pictures that a prompt wants others to be like: "the same fox again", "with this character"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .works import Known

SAME = re.compile(
    r"\bthe same\s+(?!(?:one|thing|again|image|picture|photo|clip|video|size|shape|in|but|with|as|at|for|narration|"
    r"text|voice|time)\b)(?=\w)",
    re.IGNORECASE,
)
LIKE = re.compile(
    r"\b(?:with|using|of|from|like|for|in)\s+(?:this|that|these|the same|the given|my)\s+(?:same\s+)?(?:character|"
    r"person|product|style|logo|face|mascot|figure|look|hero|reference)s?\b|"
    r"\b(?:style of|similar to|based on|inspired by|like|as in)\s+(?:it|(?:this|that|these|my)\s+"
    r"(?:picture|image|photo|drawing|painting|one)s?)\b",
    re.IGNORECASE,
)
AS_REFERENCE = re.compile(
    r"\b(?:(?:use|using|take|taking|with)\s+(?:it|them|(?:this|that|these|the|my)\s+(?:\w+\s+){0,2}?))?\s*"
    r"as\s+(?:an?\s+|the\s+)?references?\b(?:\s+(?:for|and|to)\b)?",
    re.IGNORECASE,
)
MOST = 3
"""Pictures a prompt is compared with: more cost more, and seldom help."""


def referred(text: str, works: Sequence[Known]) -> tuple[str, ...]:
    """The pictures to keep to, where a prompt asks for that: those that came with it, else the latest one."""
    if not (SAME.search(text) or LIKE.search(text) or AS_REFERENCE.search(text)):
        return ()
    pictures = [work for work in works if work.kind == "image"]
    given = [work.id for work in pictures if work.given]
    return tuple(given[:MOST] or [work.id for work in pictures[-1:]])


def without_reference(text: str) -> str:
    """The prompt without the words that only point at a picture: "the fox" of "the same fox again"."""
    plain = AS_REFERENCE.sub(" ", SAME.sub("the ", text))
    plain = re.sub(r"\s*\bagain\b(?=[\s,.!;]|$)", "", plain, flags=re.IGNORECASE) if SAME.search(text) else plain
    return " ".join(plain.split()).strip(" ,;")
