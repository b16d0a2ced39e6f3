"""Finds where, in plain English, the wishes for works begin: at a noun that stands for one, or at a verb that asks.

Tables of words decide, not a parser: a noun counts where a phrase may begin before it and end after it, so that "a
video of waves" is a wish and "a video game" or "a man watching a video" is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..offline_media.text import singular
from .words import (
    ARTICLES,
    BEYOND,
    BOUNDARIES,
    COUNTS,
    FOLLOWERS,
    NOUNS,
    PLURAL_COUNT,
    PREPOSITIONS,
    REFERRING,
    STYLES,
    VERBS,
    Kind,
)

MOST_MODIFIERS = 7
MOST_MENTIONS = 64
BEFORE_VERBS = ("and", "then", "please", "you", "to", "also", "now", "just", "or")


@dataclass(frozen=True)
class Mention:
    """A place in a text where a wish begins. `start` to `end` is its noun phrase, or its verb."""

    kind: Kind | None
    """None: a work that nothing here can make, or one that is not wanted."""
    start: int
    end: int
    noun: str
    modifiers: tuple[str, ...] = ()
    count: int = 1
    is_verb: bool = False


@dataclass(frozen=True)
class Token:
    """A word in lower case, a number, a size, a quotation or a mark, and where it stands."""

    word: str
    start: int
    end: int


# ---- text ------------------------------------------------------------------------------------------------------------

OPEN, CLOSE = "\ue000", "\ue001"  # private characters: what was quoted stands between them as a number
QUOTED = re.compile(
    r"“([^“”\n]+)”|\"([^\"\n]+)\"|«([^«»\n]+)»|(?<!\w)['‘]((?:[^'‘’\n]|(?<=\w)['’](?=\w))+)['’](?!\w)"  # noqa: RUF001
)
MARKER = re.compile(f"{OPEN}(\\d+){CLOSE}")
TOKEN = re.compile(
    rf"{OPEN}\d+{CLOSE}|\d+\s?[x×]\s?\d+\b|\d+:\d+|\d+\.\d+|[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]|\n"  # noqa: RUF001
)
ITEM = re.compile(r"(?:^|(?<=[\s:,;]))\(?(\d{1,2})[.)]\s+|^[ \t]*[-*•]\s+", re.MULTILINE)


class Quotes:
    """A text whose quotations are put away, so that nothing inside them is read as a wish."""

    def __init__(self, text: str) -> None:
        self.said: list[str] = []
        plain = re.sub(r"[^\S\n]+", " ", re.sub(f"[{OPEN}{CLOSE}]", "", text))
        self.text = QUOTED.sub(self._put_away, re.sub(r" ?\n[ \n]*", "\n", plain))

    def _put_away(self, match: re.Match[str]) -> str:
        self.said.append(next(group for group in match.groups() if group))
        return f"{OPEN}{len(self.said) - 1}{CLOSE}"

    def restore(self, text: str, mark: str = '"') -> str:
        """The text with its quotations back in place."""
        return MARKER.sub(lambda match: f"{mark}{self.said[int(match[1])]}{mark}", text)

    def first(self, text: str) -> str | None:
        """The first quotation in a part of the text."""
        match = MARKER.search(text)
        return self.said[int(match[1])].strip() if match else None


def tokens(text: str) -> list[Token]:
    """Words, numbers, sizes, quotations and punctuation, in lower case, with their places."""
    return [Token(match[0].lower(), match.start(), match.end()) for match in TOKEN.finditer(text)]


def items(text: str) -> tuple[str, list[str]]:
    """The text before a list, and the list's entries; no entries where there is no list of at least two."""
    found, number = [], 0
    for match in ITEM.finditer(text):
        if match[1] is None or int(match[1]) == number + 1:
            number += match[1] is not None
            found.append(match)
    if len(found) < 2:
        return text, []
    ends = [match.start() for match in found[1:]] + [len(text)]
    return text[: found[0].start()], [text[m.end() : end].strip() for m, end in zip(found, ends, strict=True)]


# ---- where wishes begin ----------------------------------------------------------------------------------------------


def mentions(text: str) -> list[Mention]:
    """Every place where a wish begins, in order."""
    found: list[Mention] = []
    words = tokens(text)
    for i in range(len(words)):
        mention = _noun(words, i) or _verb(words, i) or (_ellipsis(words, i, found[-1]) if found else None)
        if mention is None or (found and mention.start < found[-1].end):
            continue
        if len(found) == MOST_MENTIONS:
            break
        if found and found[-1].is_verb and _only_leads(text[found[-1].end : mention.start]):
            found.pop()  # "draw" in "draw me a picture of" says no more than "make"
        found.append(mention)
        if mention.is_verb and mention.kind == "speech" and len(found) == 1 and dictates(text[mention.end :]):
            break  # all that follows is to be read aloud, whatever it says
    return found


def beyond(text: str) -> tuple[str, ...]:
    """Works the text asks for that nothing here can make."""
    found = (mention.noun for mention in mentions(text) if mention.kind is None)
    return tuple(dict.fromkeys(BEYOND[noun] for noun in found if noun in BEYOND))


def _noun(words: list[Token], i: int) -> Mention | None:
    """The mention whose noun is the i-th word, if it is one."""
    noun = words[i].word if words[i].word in NOUNS else singular(words[i].word)
    if (noun not in NOUNS and noun not in BEYOND) or not _follows(words, i):
        return None
    phrase = _phrase(words, i)
    if phrase is None:
        return None
    start, modifiers = phrase
    leads = words[i + 1].word if i + 1 < len(words) else ""
    if modifiers and modifiers[0] in REFERRING and leads not in ("of", "about", "showing", "for"):
        return None  # "the image" is one that exists, or was asked for already
    if noun == "voice" and leads not in ("saying", "says", "reading"):
        return None
    if "no" in modifiers or noun not in NOUNS:
        return Mention(None, words[start].start, words[i].end, noun if noun in BEYOND else "")
    count = _count(modifiers, plural=noun != words[i].word)
    return Mention(NOUNS[noun], words[start].start, words[i].end, noun, modifiers, count)


def _phrase(words: list[Token], i: int) -> tuple[int, tuple[str, ...]] | None:
    """Where the noun phrase of the i-th word begins, and the words before the noun; None where no wish may begin."""
    start = i
    while start > 0 and i - start < MOST_MODIFIERS and _joins(words, start - 1, i):
        start -= 1
    before = words[start - 1].word if start > 0 else ","
    if before in BOUNDARIES or not (before[0].isalnum() or before[0] == OPEN):
        return start, tuple(token.word for token in words[start:i] if token.word != ",")
    return None


def _joins(words: list[Token], k: int, i: int) -> bool:
    """Whether the k-th word belongs to the noun phrase of the i-th that begins just behind it."""
    word, after = words[k].word, words[k + 1].word
    if after in ARTICLES | REFERRING and word not in COUNTS:
        return False
    if word == "of":
        return k > 0 and singular(words[k - 1].word) in COUNTS  # "a couple of pictures"
    if word == ",":
        return 0 < k < i - 1 and _is_adjective(words[k - 1].word)
    return word[0].isalnum() and word not in PREPOSITIONS and word not in BOUNDARIES


def _is_adjective(word: str) -> bool:
    """Whether a comma after the word can stand between two adjectives: "a short, cinematic clip"."""
    return word in STYLES or re.search(r"(?:second|sec|minute|\ds)s?$|^\d+\s?[x×:]\s?\d+$", word) is not None  # noqa: RUF001


def _follows(words: list[Token], i: int) -> bool:
    """Whether what comes after the i-th word lets it stand by itself: "video of", not "video game"."""
    after = words[i + 1].word if i + 1 < len(words) else "."
    return after in FOLLOWERS or (after.endswith("ing") and after not in NOUNS) or not after[0].isalpha()


def _verb(words: list[Token], i: int) -> Mention | None:
    """The mention the i-th word begins as a verb, if it does."""
    word = words[i].word
    before = words[i - 1].word if i > 0 else "."
    begins = not before[0].isalnum() and before[0] != OPEN
    if word not in VERBS or not (begins or before in BEFORE_VERBS):
        return None
    after = words[i + 1].word if i + 1 < len(words) else ""
    if not after or after in FOLLOWERS - REFERRING - {"about"}:
        return None
    return Mention(VERBS[word], words[i].start, words[i].end, word, is_verb=True)


def _ellipsis(words: list[Token], i: int, before: Mention) -> Mention | None:
    """More of the kind before: "three of dogs", or "another of a dog", after "two images of cats"."""
    word = words[i].word
    count = COUNTS.get(word) or (int(word) if re.fullmatch(r"\d{1,2}", word) else 0)
    if (count < 2 and word != "another") or before.is_verb or [token.word for token in words[i + 1 : i + 2]] != ["of"]:
        return None
    if words[i - 1].word not in ("and", ",", "plus"):
        return None
    return Mention(before.kind, words[i].start, words[i].end, before.noun, count=max(1, count))


def _count(modifiers: tuple[str, ...], *, plural: bool) -> int:
    """How many are asked for; a number before "second" is a length, not a count."""
    for word, after in zip(modifiers, (*modifiers[1:], ""), strict=False):
        if re.fullmatch(r"(?:second|sec|minute|min|s)s?(?:-long)?", after):
            continue
        number = COUNTS.get(singular(word)) or (int(word) if re.fullmatch(r"\d{1,3}", word) else 0)
        if number and not (word == "some" and not plural):
            return number
    return PLURAL_COUNT if plural else 1


def _only_leads(text: str) -> bool:
    return all(token.word in ARTICLES | BOUNDARIES for token in tokens(text))


def dictates(text: str) -> bool:
    """Whether what follows a verb of speaking is the text itself: "this aloud: ..."."""
    return re.match(rf"[^:.\n{OPEN}]{{0,60}}:(?!\s*{OPEN})", text) is not None
