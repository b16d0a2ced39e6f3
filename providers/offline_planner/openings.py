"""The clauses of a prompt, and how one opens that names its work first: "Edit this picture: ..."."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .grammar import Quotes, mentions
from .works import NOUN_KINDS, kind_meant

CLAUSE = re.compile(
    r"((?<=[.!?;])\s+|\n+|,?\s+(?:and\s+)?then\s+|,?\s+and\s+(?=(?:also\s+)?(?:transcri|translat|describ|extract|"
    r"analy|compar|summar|subtitl|remove|crop|rotate|flip|mirror|blur|sharpen|upscale|tell\b|"
    r"(?:what|how)\b(?!\s*(?:[.!?;]|$))|write|make|create|generate|draw|add|give)))",
    re.IGNORECASE,
)
"""Where one clause ends and the next begins; what stands between them is kept."""
ASKING = (
    r"^\W*(?:(?:please|now|and|then|also|ok|okay|so|can you|could you|would you|i want you to|"
    r"i'd like you to)\b[\s,]*)*"
)
THIS = r"(?:this|that|these|those|the|my)"
NAMED = rf"(?:{THIS}\s+(?P<noun>{'|'.join(sorted(NOUN_KINDS, key=len, reverse=True))})s?|it|this|that|them)"
EDITING = re.compile(
    ASKING + rf"(?:edit|change|modify|alter|adjust|rework|revise)\s+{NAMED}\b"
    r"(?:\s*(?P<mark>[:,;.]|\s[–—-]\s)\s*|\s+|$)(?P<rest>.*)$",  # noqa: RUF001
    re.IGNORECASE | re.DOTALL,
)
LEADS = re.compile(r"(?:in)?to\b|so\b", re.IGNORECASE)
DESCRIBING = re.compile(ASKING + r"(?:describe|analy[sz]e|listen to|watch|look at|examine|inspect)\b", re.IGNORECASE)
HEADED = re.compile(r"^[^:.!?\n]{1,60}:", re.IGNORECASE)
NO_EDIT = re.compile(
    ASKING + r"(?:describ|analy[sz]|compar|summar|tell\b|what\b|how\b|transcri|translat|extract|subtitl|animate\b|"
    r"narrat|(?:turn|make|convert)\s+\w+\s+(?:in)?to\s+an?\s+(?:[\w-]+\s+){0,3}(?:video|clip|film|movie|animation)\b)",
    re.IGNORECASE,
)
"""How a clause begins that asks for something else than a change."""
ANEW = re.compile(ASKING + r"(?:make|create|generate|draw|paint)\s+(?:an?|another|two|three|\d+)\b", re.IGNORECASE)
ASKED = re.compile(ASKING + r"(?:what|how|who|when|where|which|why|is|are|does|do)\b", re.IGNORECASE)
LONGEST = 2000
"""Characters after which no further clause is taken in."""


@dataclass(frozen=True)
class Opening:
    """A clause that edits a work it names.

    `change` is what is to become of it, empty where nothing is said; `headed`: it stands apart, as behind a colon.
    """

    kind: str | None
    change: str
    headed: bool


def opening(clause: str) -> Opening | None:
    """How a clause opens that edits what it names; None for any other."""
    found = EDITING.match(clause)
    if found is None:
        return None
    headed = bool(found["mark"] or not found["rest"])
    if not headed and not found["noun"] and not LEADS.match(found["rest"]):
        return None
    change = (found["rest"] if headed else clause).strip().rstrip(".;")
    return Opening(NOUN_KINDS[found["noun"].lower()] if found["noun"] else None, change, headed)


def unopened(text: str) -> str:
    """A text without the words that only name the work: "make it night" of "Edit this picture: make it night"."""
    found = opening(text)
    return found.change if found else text


def clauses(text: str) -> Iterator[tuple[str, str]]:
    """The clauses, each with what joins it to the one before. One that opens with its work holds all that it asks."""
    pieces = ["", *CLAUSE.split(text)]
    held: tuple[str, str] | None = None
    for joint, clause in zip(pieces[::2], pieces[1::2], strict=True):
        if held is not None and _goes_on(held[1], joint, clause):
            held = held[0], held[1] + joint + clause
            continue
        if held is not None:
            yield held
        first = opening(clause)
        held = joint, first.change if first and NO_EDIT.match(first.change) else clause
    if held is not None:
        yield held


def _goes_on(before: str, joint: str, clause: str) -> bool:
    """Whether a clause still belongs to what the one before it opened with."""
    edits = opening(before)
    if not (edits or DESCRIBING.match(before)) or len(before) > LONGEST:
        return False
    about = edits.kind if edits else kind_meant(before)
    if kind_meant(clause) not in (None, about):
        return False
    if edits:
        others = [one.kind for one in mentions(Quotes(clause).text) if one.kind not in (None, about)]
        return not (others or opening(clause) or NO_EDIT.match(clause) or ANEW.match(clause))
    return bool((HEADED.match(before) or joint.strip(" ,") == "and") and ASKED.match(clause))
