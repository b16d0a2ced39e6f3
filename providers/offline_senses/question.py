"""What is asked of a file: the parts of a question under their plain headings, and the words of an honest answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from ..offline_media.text import singular, words_of
from ..types import ChatRequest

HEADING = re.compile(r"^(Question|Text|Document|Rules):[ \t]*$", re.MULTILINE)
AGAIN = "\n\nYour earlier answer:\n"
MEASURED = "The offline stand-in measures and does not see, hear or understand"
OWN_RECORD = "By its own record (the words it was made from)"

Facts = TypeVar("Facts")
Rule = tuple[str, Callable[[Facts], str]]
"""Words of a question, as a pattern, and what answers it."""


def parts_of(request: ChatRequest) -> dict[str, str]:
    """The parts of the last user message by their headings in lower case; an empty one is not there."""
    said = next((one.content for one in reversed(request.messages) if one.role == "user"), "").split(AGAIN)[0]
    found = list(HEADING.finditer(said))
    ends = [match.start() for match in found[1:]] + [len(said)] * bool(found)
    parts = {match[1].lower(): said[match.end() : end].strip() for match, end in zip(found, ends, strict=True)}
    return {name: text for name, text in parts.items() if text}


def answered(question: str | None, rules: Sequence[Rule[Facts]], facts: Facts, knows: str) -> str | None:
    """The answer of the first rules a question fits, or that it cannot be told; None without a question."""
    if not question:
        return None
    found = list(dict.fromkeys(say(facts) for pattern, say in rules if re.search(pattern, question, re.IGNORECASE)))
    return " ".join(filter(None, found[:3])) or f"That cannot be told here. {MEASURED}; it knows {knows}."


def asks_after(question: str, record: str) -> list[str]:
    """The words of a question that a record has as well, but for the small ones."""
    known = set(map(singular, words_of(record)))
    asked = [word for word in dict.fromkeys(words_of(question)) if len(word) > 2 and word not in SMALL]
    return [word for word in asked if singular(word) in known]


SMALL = frozenset(
    [
        "the",
        "and",
        "are",
        "was",
        "what",
        "which",
        "who",
        "how",
        "many",
        "does",
        "this",
        "that",
        "there",
        "with",
        "for",
        "its",
        "has",
        "have",
        "you",
        "can",
        "see",
    ]
)


def listed(things: Sequence[str]) -> str:
    """Things in a sentence: "a, b and c"."""
    return " and ".join(filter(None, (", ".join(things[:-1]), things[-1] if things else "")))
