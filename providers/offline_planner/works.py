"""The works a conversation knows: what came with the prompt, what was made earlier, and which of them a word means."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

ADDRESS = re.compile(r"https://[^\s<>\"')\]]+[^\s<>\"')\].,;:!?]")
ENDINGS = {
    "image": "png jpg jpeg webp gif avif bmp tiff",
    "video": "mp4 webm mov mkv avi",
    "audio": "mp3 wav ogg flac m4a aac opus",
    "document": "pdf txt md csv",
}
KINDS = {ending: kind for kind, endings in ENDINGS.items() for ending in endings.split()}

NOUNS: dict[str, str] = {
    "image": "picture photo photograph image pic drawing screenshot painting illustration logo poster",
    "video": "video clip film movie footage animation",
    "audio": "audio sound recording narration voice speech podcast song voiceover voice-over voicemail interview",
    "document": "document pdf invoice receipt contract form letter statement report file bill",
}
NOUN_KINDS = {noun: kind for kind, nouns in NOUNS.items() for noun in nouns.split()}
NOUN = re.compile(rf"\b(?P<noun>{'|'.join(sorted(NOUN_KINDS, key=len, reverse=True))})(?P<plural>s)?\b", re.IGNORECASE)
NEW = re.compile(
    rf"\b(?:an?|one|some|two|three|\d+)\s+(?:[\w-]+\s+){{0,3}}?(?:{'|'.join(NOUN_KINDS)})s?\b", re.IGNORECASE
)
POINTING = re.compile(r"\b(?:it|this|that|these|those|them|they|here|both|the two|she|he)\b", re.IGNORECASE)
SAME_KIND = {"speech": "audio"}


@dataclass(frozen=True)
class Known:
    """A work: its id or address, its kind (image, video, audio, document), and what it was made from."""

    id: str
    kind: str
    made_from: str = ""
    given: bool = False
    """It came with the prompt."""
    voice: str | None = None
    """The voice that speaks in it, where it was made here."""


def known(id: str, kind: str, made_from: str = "", *, given: bool = False, voice: str | None = None) -> Known:
    """A work as the listings tell of it."""
    return Known(id, SAME_KIND.get(kind, kind), made_from, given, voice)


def linked(text: str) -> list[Known]:
    """The files a text gives by their address."""
    found = []
    for address in ADDRESS.findall(text):
        ending = address.split("?")[0].rsplit(".", 1)[-1].lower()
        if ending in KINDS:
            found.append(Known(address, KINDS[ending], given=True))
    return found


def kind_meant(text: str) -> str | None:
    """The kind of work a text speaks of by a noun that points at one: "the clip"."""
    bare = NEW.sub(" ", text)
    found = NOUN.search(bare)
    return NOUN_KINDS[found["noun"].lower()] if found else None


def meant(works: Iterable[Known], kinds: Iterable[str]) -> Known | None:
    """The work of one of these kinds that is nearest at hand: the first that came with the prompt, else the latest."""
    wanted = tuple(kinds)
    fit = [work for work in works if work.kind in wanted]
    return next((work for work in fit if work.given), fit[-1] if fit else None)
