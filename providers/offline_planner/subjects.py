"""Subjects: what is left of a text when the words that merely ask, join, size and time are taken away."""

from __future__ import annotations

import re

from ..offline_media.text import singular
from .grammar import tokens
from .phrases import GREETINGS, OPENER, QUESTION, TAIL, TURNED
from .words import (
    ARTICLES,
    BOUNDARIES,
    COUNTS,
    DURATION,
    FORMAT,
    NOUNS,
    PLAIN_NOUNS,
    PRONOUNS,
    REFERRING,
    SIZE,
    SIZE_WORDS,
    STYLES,
    SUBJECT_LEADS,
    word_set,
)


def strip_making(text: str) -> str:
    """The text without the words that merely ask: "please create ...", "I would like ..."."""
    return text[OPENER.match(text).end() :]  # type: ignore[union-attr]


def topic(text: str) -> str | None:
    """What the words before the first wish, or before a list, say that everything is about."""
    for sentence in re.split(r"[.!?\n]+", text):
        about = re.search(r"\b(?:about|for|featuring|promoting|announcing|introducing)\s+(.+)", sentence, re.IGNORECASE)
        said = cleaned(about[1] if about else strip_making(sentence), lengths=True)
        said = without_trailing(said, ASKING)
        words = [token.word for token in tokens(said)]
        if words and not all(word in BOUNDARIES | ARTICLES | PRONOUNS | EMPTY for word in words):
            return said
    return None


ASKING = word_set("i we you need want make create generate please me us give")
EMPTY = word_set("i we following these things post campaign set of the are here is would d'd please assets for")


def refers(text: str) -> bool:
    """Whether a text only points at something else: "it", "the picture", "this photo"."""
    words = [token.word for token in tokens(text)]
    if not words or len(words) > 3:
        return False
    return words[0] in PRONOUNS | REFERRING and all(w in PRONOUNS or singular(w) in NOUNS for w in words[1:])


def cleaned(text: str, *, lengths: bool) -> str:
    """A subject out of the text a wish owns: without sizes, formats, lengths (where asked) and joining words."""
    for pattern in (SIZE, FORMAT, *((DURATION,) if lengths else ())):
        text = pattern.sub(" ", text)
    text = re.sub(r" ?[,;](?: ?[,;])+", ",", " ".join(text.split()))
    if turned := TURNED.search(text, max(0, len(text) - TAIL)):
        text = text[: turned.start()]
    start = 0
    while lead := LEAD.match(text, start):
        start = lead.end()
    text = without_trailing(text[start:], JOINTS, EDGES if "(" in text[start:] else f"{EDGES})")
    return "" if text.lower() in LEFT_OVER else text


def without_trailing(text: str, words: frozenset[str], edges: str = " ,;\n") -> str:
    """The text without these words, and without the punctuation in `edges`, at its end."""
    parts = re.findall(r"\S+\s*", text)
    while parts and (not (last := parts[-1].strip(edges)) or last.lower() in words):
        parts.pop()
    return "".join(parts).rstrip(edges)


EDGES = " \n,;:.!?(&+–—-"  # noqa: RUF001
JOINTS = word_set("and plus with then also finally as well together along please too for of saying i'd i add each")
LEFT_OVER = word_set("too a an the") | {""}
LEAD = re.compile(rf"[\s,;:.!?()&+–—-]+|(?:{SUBJECT_LEADS}|me|us|and|please)(?=[\s:]|$)[\s:]*", re.IGNORECASE)  # noqa: RUF001


def is_talk(text: str) -> bool:
    """Whether a text greets, thanks or asks something, rather than describing what is to be made."""
    words = [token.word for token in tokens(text) if token.word[0].isalnum()]
    return all(word in GREETINGS for word in words) or QUESTION.fullmatch(text.strip()) is not None


def composed(subject: str) -> str:
    """A sentence or two to read aloud about a subject."""
    about = subject.rstrip(".!? ")
    return f"A few words about {about}. Take a closer look, and enjoy the moment." if about else "Hello, and welcome."


def manner(modifiers: tuple[str, ...]) -> tuple[str, str]:
    """The words before a noun as (how it is made, what it shows): ("watercolor", "cat") of "a watercolor cat"."""
    kept = SIZE.sub(" ", DURATION.sub(" ", " ".join(modifiers)))
    words = [word for word in kept.split() if word not in PLAIN_NOUNS and not _counts(word)]
    if not all(word in STYLES or word in NOUNS for word in words):
        return "", " ".join(words)
    return " ".join(word for word in words if word not in SIZE_WORDS and word not in PLAIN_STYLES), ""


PLAIN_STYLES = word_set("short quick long nice good great little single different second first third main full")


def _counts(word: str) -> bool:
    return word in ARTICLES | REFERRING | {"of", "more"} or singular(word) in COUNTS or word.isdigit()
