"""Which day a date is: a document has its own, and names others, such as the one by which it is to be paid."""

from __future__ import annotations

import re
from collections.abc import Collection

from .fields import DATE, date_in

OTHER_DAYS: dict[str, str] = {
    "due": r"due|payable|deadline|pay(?:ment)? by",
    "delivery": r"deliver(?:y|ed)|ship(?:ped|ping)?",
    "expiry": r"expir(?:y|es|ed|ation)|valid (?:un)?till?|until",
    "birth": r"born|birth",
}
"""Days that are not the document's own -> the words that stand before one."""
ANOTHER = re.compile(rf"\b(?:{'|'.join(OTHER_DAYS.values())})\b[^\n\d]{{0,14}}?(?:{DATE.pattern})", re.IGNORECASE)


def other_day(words: Collection[str]) -> str | None:
    """The day these words name, where it is another one than the document's own."""
    return next((day for day, said in OTHER_DAYS.items() if any(re.fullmatch(said, word) for word in words)), None)


def day_in(text: str, day: str) -> tuple[str, float] | None:
    """The date that a text gives for another day, without a label: "payable by 2 June 2026"."""
    named = re.compile(rf"\b(?:{OTHER_DAYS[day]})\b[^\n\d,;:]{{0,12}}?(?={DATE.pattern})", re.IGNORECASE)
    found = named.search(text)
    return date_in(text[found.end() :]) if found else None


def own_day_in(text: str) -> tuple[str, float] | None:
    """The first date in a text that is not said to be another day."""
    return date_in(ANOTHER.sub(" ", text))
