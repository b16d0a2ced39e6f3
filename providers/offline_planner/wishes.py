"""Reads the works a prompt asks for out of its plain English: what, how many, about what, how large, how long.

A wish owns the text from its beginning (see `grammar`) to the next one. A wish without a subject of its own
takes that of the prompt, of a neighbour, or of what was asked before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from .grammar import MARKER, Mention, Quotes, beyond, dictates, items, mentions
from .phrases import CONTENT_OF, DOING, FOLLOW_UP, IT, TAIL, TURNING, VIEWS, VOICE_ROUND
from .subjects import cleaned, composed, is_talk, manner, refers, strip_making, topic, without_trailing
from .words import (
    ADVERB,
    DURATION,
    PLAIN_NOUNS,
    PRONOUNS,
    SIZE_WORDS,
    VERBATIM_VERBS,
    VOICE_PHRASE,
    Kind,
    find_duration,
    find_manner,
    find_size,
    find_voice,
    voice_of,
    word_set,
)

MOST_OF_ONE = 24
"""How many works one mention may stand for: \"a thousand images\" is not a thousand wishes."""
SENTENCE_WORDS = 3
"""A quotation of fewer words is a name, not something to be read aloud."""


@dataclass(frozen=True)
class Wish:
    """One work asked for."""

    kind: Kind
    about: str = ""
    """What it shows or speaks of; empty or a pronoun while it is still to be found elsewhere."""
    frame: str = "{}"
    """How that is put: "{}, watercolor", "logo for {}"."""
    view: str = ""
    """What tells it from other works about the same."""
    text: str = ""
    """The words to be spoken."""
    size: str | None = None
    duration_s: float | None = None
    voice: str | None = None
    manner: str | None = None
    """How it is to be read: "sad"."""
    n: int = 1
    """How many of the same."""
    animates: bool = False
    """A clip that brings a picture to life which was given, or is made beside it."""
    change: str = ""
    """What is to be different from the picture before, for a wish that only changes one."""

    @property
    def prompt(self) -> str:
        """What to make, in full."""
        put = self.frame.replace("{}", self.about)
        return f"{put}, {self.view}" if self.view else put


def read_wishes(prompt: str, earlier: Sequence[str] = (), given: str = "", narration: str = "") -> tuple[Wish, ...]:
    """The works a prompt asks for, all with a subject or a text; none for mere talk.

    `earlier` are the prompts before it, oldest first, for one that builds on them ("make it darker"); `given` says what
    the pictures show that came with it, `narration` the words that were spoken before.
    """
    earlier = [text for text in earlier if not is_talk(text)]
    quotes = Quotes(prompt)
    before, entries = items(quotes.text)
    context = Context(quotes, earlier, given, narration)
    drafts = context.read_list(before, entries) if entries else list(context.read(quotes.text))
    return tuple(context.completed(drafts))


class Context:
    """What the wishes of one prompt share."""

    def __init__(self, quotes: Quotes, earlier: Sequence[str], given: str, narration: str = "") -> None:
        self.quotes = quotes
        self.earlier = earlier
        self.given = given
        self.narration = narration
        self.shared: str | None = None
        """What the prompt says that everything is about."""
        self.loose_quote: str | None = None
        """A quotation outside every wish: the slogan, the text to speak."""

    @cached_property
    def before(self) -> tuple[Wish, ...]:
        """The wishes of the prompt before this one."""
        return read_wishes(self.earlier[-1], self.earlier[:-1]) if self.earlier else ()

    def read_list(self, before: str, entries: list[str]) -> list[Wish]:
        """The wishes of a list: what stands before it says what its entries are ("three clips:") or are about."""
        found = mentions(before)
        last = found[-1] if found else None
        about = self._what(before[last.end :]) if last else ""
        announced = last if last and (not about or last.count == len(entries)) else None
        wishes = list(self.read(before[: announced.start])) if announced and len(found) > 1 else []
        wishes += list(self.read(before)) if found and not announced else []
        self.shared = self.shared or about or (None if found else self._topic(before))
        for entry in entries:
            if announced and not mentions(entry):
                wishes += self._mentioned(replace(announced, count=1), f" of {entry}", "", find_size(before))
            else:
                wishes += self.read(entry)
        return wishes

    def read(self, text: str) -> Iterator[Wish]:
        """The wishes of a text, their subjects and texts still as they stand there, or empty."""
        found = mentions(text)
        if not found:
            yield from self._described(text)
            return
        lead = text[: found[0].start]
        said = self.quotes.first(lead) or ""
        if len(said.split()) >= SENTENCE_WORDS:
            self.loose_quote = said
        change = self._change(lead)
        if change is None:
            self.shared = self.shared or self._topic(lead)
        elif change:
            yield from self._changed(change)
        size = find_size(lead)
        ends = [mention.start for mention in found[1:]] + [len(text)]
        for mention, end in zip(found, ends, strict=True):
            before = text[max(0, mention.start - TAIL) : mention.start]
            yield from self._mentioned(mention, text[mention.end : end], before, size)

    def completed(self, drafts: list[Wish]) -> Iterator[Wish]:
        """The wishes with the subjects and texts they did not have themselves."""
        own = ["" if IT.match(wish.about) else wish.about for wish in drafts]
        pictured = any(wish.kind == "image" for wish in (*drafts, *self.before)) or bool(self.given)
        spoken = next((re.split(r"[.!?\n]", wish.text)[0] for wish in drafts if wish.text), "")
        known = self.given or next((wish.about for wish in self.before if wish.about), "")
        for i, wish in enumerate(drafts):
            points = wish.about in PRONOUNS
            nearest = next((s for s in (*reversed(own[:i]), *own[i + 1 :]) if s and s not in PRONOUNS), "")
            lead = IT.match(wish.about)
            lent = (nearest if points else self.shared or nearest) or self.shared or known
            about = wish.about if wish.about and not points else lent
            if nearest and lead:
                about = f"{re.split(DOING, nearest)[0]} {about[lead.end() :]}"
            if wish.kind == "speech":
                text = wish.text or ("" if wish.about else self.loose_quote) or composed(about)
                yield replace(wish, about=about, text=text)
            else:
                animates = wish.kind == "video" and pictured and (wish.animates or points)
                yield replace(wish, about=about or spoken or "an abstract composition", animates=animates)

    def _what(self, text: str) -> str:
        return self.quotes.restore(cleaned(text, lengths=True))

    def _topic(self, lead: str) -> str | None:
        found = topic(lead)
        return self.quotes.restore(found) if found else None

    # ---- one mention ----

    def _mentioned(self, mention: Mention, owned: str, before: str, size: str | None) -> Iterator[Wish]:
        """The wishes a mention stands for; `owned` is the text behind it, `before` the text before it."""
        if mention.kind is None:
            return
        if mention.kind == "speech":
            yield from self._spoken(mention, owned)
            return
        phrase = " ".join(mention.modifiers)
        named = (SIZE_WORDS[word] for word in (*mention.modifiers, mention.noun) if word in SIZE_WORDS)
        size = find_size(phrase) or find_size(owned) or next(named, None) or size
        length = (find_duration(phrase) or find_duration(owned)) if mention.kind == "video" else None
        points = mention.kind == "video" and TURNING.search(before) is not None
        wish = Wish(mention.kind, size=size, duration_s=length, animates=points or mention.noun in BRINGS_TO_LIFE)
        parts = self._listed(owned, mention.count)
        for n in range(min(mention.count, MOST_OF_ONE)):
            about, frame = self._subject(mention, parts[n] if parts else owned)
            view = VIEWS[n % len(VIEWS)] if n and not parts else ""
            yield replace(wish, about=about, frame=frame, view=view)

    def _listed(self, owned: str, count: int) -> list[str]:
        """The owned text for each of `count` works, where it has an entry for each: ": a cat, a dog and a bird"."""
        entries = re.match(r"\s*:(.+)", owned, re.DOTALL)
        each = re.split(r",\s*(?:and\s+)?|\s+and\s+|;\s*", entries[1].strip(" .\n")) if entries else []
        if len(each) != count:
            each = re.findall(r"\bone\s+(?:of|showing|with|about|for)\s+(.+?)(?=,|\s+and\s+one\b|[.;]|$)", owned)
        return [f"of {part}" for part in each] if len(each) == count > 1 else []

    def _subject(self, mention: Mention, owned: str) -> tuple[str, str]:
        """What a picture or a clip shows, empty where it does not say, and the frame its noun phrase puts it in."""
        what = self.quotes.restore(cleaned(owned, lengths=mention.kind == "video"))
        how, shown = manner(mention.modifiers)
        if mention.noun in PLAIN_NOUNS or mention.is_verb:
            what = what or shown
            return "it" if refers(what) else what, f"{{}}, {how}" if how else "{}"
        named = " ".join(part for part in (how, mention.noun) if part)
        joined = re.match(r"\s*(of|for|with|about|showing|featuring)\b", owned)
        lead = joined[1] if joined else "for"
        if shown and not what:  # "a coffee logo"
            return shown, f"{{}} {named}"
        return what, f"{named} {lead} {{}}"

    def _spoken(self, mention: Mention, owned: str) -> Iterator[Wish]:
        """Narrations: of what is quoted, else of what follows "saying", else composed about the subject."""
        voice, manner = voice_of(list(mention.modifiers)) or find_voice(owned), self._manner(mention, owned)
        text = self.quotes.first(owned)
        rest = MARKER.sub(" ", owned)
        if find_voice(owned) or find_manner(owned):
            rest = ADVERB.sub(" ", VOICE_PHRASE.sub(" ", rest))
        if text is None:
            text = self._repeated(mention, rest) or self._dictated(mention, owned)
        subject = "" if text else self.quotes.restore(cleaned(CONTENT_OF.sub("", rest), lengths=True))
        subject = "" if refers(subject) or re.match(r"(?:that|which|who)\b", subject) else subject
        for n in range(min(mention.count, MOST_OF_ONE)):
            spoken_by = voice if n == 0 else VOICE_ROUND[n % len(VOICE_ROUND)]
            yield Wish("speech", subject, text=text, voice=spoken_by, manner=manner)

    def _manner(self, mention: Mention, owned: str) -> str | None:
        """How it is to be read: "a sad narration", "in a sad voice"."""
        return find_manner(f"in a {' '.join(mention.modifiers)} voice {MARKER.sub(' ', owned)}")

    def _repeated(self, mention: Mention, rest: str) -> str:
        """The words spoken before, where they are to be read again: "read it ..."."""
        what = [word for word in re.findall(r"\w+", rest.lower()) if word not in ("again", "out", "aloud", "loud")]
        if not mention.is_verb or (what and not refers(" ".join(what))):
            return ""
        return self.narration or next((wish.text for wish in self.before if wish.kind == "speech"), "")

    def _dictated(self, mention: Mention, owned: str) -> str:
        """The words to speak where they are not quoted; empty when a subject is given instead."""
        if mention.is_verb and mention.noun == "say":
            match = re.match(r"\s*(?:something like|the words|this|:)?\s*:?\s*(?!something\b)(.+)", owned, re.DOTALL)
        elif dictates(owned):
            match = re.match(r"[^:\n]{0,60}:\s*(.+)", owned, re.DOTALL)
        elif mention.is_verb and mention.noun in VERBATIM_VERBS:
            match = re.match(r"\s*(?:out\s+)?(?:aloud|out loud)\s+(?!about\b)(.+)", owned, re.DOTALL)
        else:
            match = re.match(r".{0,60}?\b(?:saying|that says|which says|reading)\b[:,]?\s+(.+)", owned, re.DOTALL)
        if match is None:
            return ""
        return self.quotes.restore(without_trailing(match[1], AND)).strip()

    # ---- no mention ----

    def _described(self, text: str) -> Iterator[Wish]:
        """A text without a wish in it changes what was asked before, is mere talk, or describes a picture."""
        change = self._change(text)
        if change is not None:
            yield from self._changed(change)
            return
        if is_talk(text) or beyond(text):
            return
        length = find_duration(text) if re.match(rf"\s*(?:{DURATION.pattern})\s+of\b", text, re.IGNORECASE) else None
        what = self.quotes.restore(cleaned(strip_making(text), lengths=length is not None))
        if any(character.isalnum() for character in what):
            yield Wish("video" if length else "image", what, size=find_size(text), duration_s=length)

    def _change(self, text: str) -> str | None:
        """What a follow-up wants changed: "darker" of "make it darker". None where the text is no follow-up."""
        match = FOLLOW_UP.match(text) if self.before or self.given else None
        if match is None or (self.before and is_talk(text)):
            return None
        return without_trailing(text[match.end() :].strip(), AND | {"add", "make", "create"})

    def _changed(self, change: str) -> Iterator[Wish]:
        """The work asked for before, changed; where there were several kinds, the one the change speaks of."""
        size = find_size(change) or next((SIZE_WORDS[w] for w in change.lower().split() if w in SIZE_WORDS), None)
        length, voice, manner = find_duration(change), find_voice(change), find_manner(change)
        kind: Kind = "speech" if voice or manner else "video" if length else "image"
        same = next((wish for wish in self.before if wish.kind == kind), None)
        last = same or (self.before[0] if self.before else Wish("image"))
        if last.kind == "speech":
            yield replace(last, voice=voice or last.voice, manner=manner or last.manner)
            return
        what = self.quotes.restore(cleaned(change, lengths=last.kind == "video"))
        what = "" if what.lower() in SIZE_WORDS else what
        view = what or (VIEWS[1] if not (size or length) else "")
        view = ", ".join(part for part in (last.view, view) if part)
        length, size = length or last.duration_s, size or last.size
        yield replace(last, view=view, size=size, duration_s=length, change=what if last.kind == "image" else "")


BRINGS_TO_LIFE = ("animate",)
AND = word_set("and plus with then also")
