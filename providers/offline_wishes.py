"""Reads the works a prompt asks for out of its plain English: what, how many, about what, how large, how long.

A wish begins at a noun ("a hero image", "three 5-second clips") or a verb ("draw", "say") that stands where a phrase may
begin, and owns the text up to the next one. A wish without a subject of its own takes that of the prompt, of a
neighbour, or of what was asked before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .offline_palette import singular
from .offline_words import (
    ARTICLES,
    BEYOND,
    BOUNDARIES,
    COUNTS,
    DURATION,
    FOLLOWERS,
    FORMAT,
    NOUNS,
    PLAIN_NOUNS,
    PLURAL_COUNT,
    PREPOSITIONS,
    PRONOUNS,
    REFERRING,
    SIZE,
    SIZE_WORDS,
    STYLES,
    SUBJECT_LEADS,
    VERBATIM_VERBS,
    VERBS,
    VOICE_PHRASE,
    Kind,
    find_duration,
    find_size,
    find_voice,
    voice_of,
)

MOST_WISHES = 12
MOST_MODIFIERS = 7
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
    animates: bool = False
    """A clip that brings a picture to life which was given, or is made beside it."""

    @property
    def prompt(self) -> str:
        """What to make, in full."""
        put = self.frame.replace("{}", self.about)
        return f"{put}, {self.view}" if self.view else put


@dataclass(frozen=True)
class Mention:
    """A place in a text where a wish begins. `start` to `end` is its noun phrase, or its verb."""

    kind: Kind
    start: int
    end: int
    noun: str
    modifiers: tuple[str, ...] = ()
    count: int = 1
    is_verb: bool = False


@dataclass(frozen=True)
class Token:
    word: str
    start: int
    end: int


# ---- text ------------------------------------------------------------------------------------------------------------

OPEN, CLOSE = "\ue000", "\ue001"  # private characters: what was quoted stands between them as a number
QUOTED = re.compile(
    r"“([^”\n]+)”|\"([^\"\n]+)\"|«([^»\n]+)»|(?<!\w)['‘]((?:[^'’\n]|(?<=\w)['’](?=\w))+)['’](?!\w)"  # noqa: RUF001
)
MARKER = re.compile(f"{OPEN}(\\d+){CLOSE}")
TOKEN = re.compile(
    rf"{OPEN}\d+{CLOSE}|\d+\s?[x×]\s?\d+\b|\d+:\d+|\d+\.\d+|[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]|\n"  # noqa: RUF001
)
ITEM = re.compile(r"(?:^|(?<=[\s:,;]))\(?(\d{1,2})[.)]\s+|^\s*[-*•]\s+", re.MULTILINE)


class Quotes:
    """A text whose quotations are put away, so that nothing inside them is read as a wish."""

    def __init__(self, text: str) -> None:
        self.said: list[str] = []
        self.text = QUOTED.sub(self._put_away, re.sub(f"[{OPEN}{CLOSE}]", "", text))

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
        mention = _noun(words, i) or _verb(words, i)
        if mention is None or (found and mention.start < found[-1].end):
            continue
        if found and found[-1].is_verb and _only_leads(text[found[-1].end : mention.start]):
            found.pop()  # "draw" in "draw me a picture of" says no more than "make"
        found.append(mention)
        if mention.is_verb and mention.kind == "speech" and len(found) == 1 and _dictates(text[mention.end :]):
            break  # all that follows is to be read aloud, whatever it says
    return found


def beyond(text: str) -> tuple[str, ...]:
    """Works the text asks for that nothing here can make."""
    words = tokens(text)
    return tuple(
        dict.fromkeys(
            BEYOND[singular(token.word)]
            for i, token in enumerate(words)
            if singular(token.word) in BEYOND and _follows(words, i) and _phrase(words, i) is not None
        )
    )


def _noun(words: list[Token], i: int) -> Mention | None:
    """The mention whose noun is the i-th word, if it is one."""
    noun = words[i].word if words[i].word in NOUNS else singular(words[i].word)
    if noun not in NOUNS or not _follows(words, i):
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
    count = _count(modifiers, plural=noun != words[i].word)
    return Mention(NOUNS[noun], words[start].start, words[i].end, noun, modifiers, count)


def _phrase(words: list[Token], i: int) -> tuple[int, tuple[str, ...]] | None:
    """Where the noun phrase of the i-th word begins, and the words before the noun; None where no wish may begin."""
    start = i
    while start > 0 and i - start < MOST_MODIFIERS:
        word = words[start - 1].word
        partitive = word == "of" and start > 1 and singular(words[start - 2].word) in COUNTS
        if (word in PREPOSITIONS and not partitive) or (word not in COUNTS and words[start].word in ARTICLES | REFERRING):
            break
        if word in BOUNDARIES or not (word[0].isalnum() or partitive):
            break
        start -= 1
    before = words[start - 1].word if start > 0 else ","
    if before in BOUNDARIES or not (before[0].isalnum() or before[0] == OPEN):
        return start, tuple(token.word for token in words[start:i])
    return None


def _follows(words: list[Token], i: int) -> bool:
    """Whether what comes after the i-th word lets it stand by itself: "video of", not "video game"."""
    after = words[i + 1].word if i + 1 < len(words) else "."
    return after in FOLLOWERS or (after.endswith("ing") and after not in NOUNS) or not after[0].isalpha()


def _verb(words: list[Token], i: int) -> Mention | None:
    """The mention the i-th word begins as a verb, if it does."""
    word = words[i].word
    before = words[i - 1].word if i > 0 else "."
    begins = not before[0].isalnum() and before[0] != OPEN
    if word not in VERBS or not (begins or before in ("and", "then", "please", "you", "to", "also", "now", "just", "or")):
        return None
    after = words[i + 1].word if i + 1 < len(words) else ""
    if not after or after in FOLLOWERS - REFERRING - {"about"}:
        return None
    return Mention(VERBS[word], words[i].start, words[i].end, word, is_verb=True)


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


def _dictates(text: str) -> bool:
    return re.match(rf"[^:.\n{OPEN}]{{0,60}}:(?!\s*{OPEN})", text) is not None


# ---- from mentions to wishes -----------------------------------------------------------------------------------------


def read_wishes(prompt: str, earlier: Sequence[str] = ()) -> tuple[Wish, ...]:
    """The works a prompt asks for, all with a subject or a text, at most `MOST_WISHES` of them. `earlier` are the
    prompts before it, oldest first, for a prompt that builds on them ("make it darker")."""
    quotes = Quotes(prompt)
    before, entries = items(quotes.text)
    context = Context(quotes, earlier)
    drafts = context.read_list(before, entries) if entries else list(context.read(quotes.text))
    return tuple(context.completed(drafts))[:MOST_WISHES]


class Context:
    """What the wishes of one prompt share."""

    def __init__(self, quotes: Quotes, earlier: Sequence[str]) -> None:
        self.quotes = quotes
        self.earlier = earlier
        self.shared: str | None = None
        """What the prompt says that everything is about."""
        self.loose_quote: str | None = None
        """A quotation outside every wish: the slogan, the text to speak."""

    def read_list(self, before: str, entries: list[str]) -> list[Wish]:
        """The wishes of a list: what stands before it says what its entries are ("three clips:") or are about."""
        found = mentions(before)
        announced = found[-1] if found and not cleaned(before[found[-1].end :], lengths=True) else None
        wishes = list(self.read(before[: announced.start])) if announced and len(found) > 1 else []
        wishes += list(self.read(before)) if found and not announced else []
        self.shared = self.shared or (None if found else self._topic(before))
        for entry in entries:
            if announced and not mentions(entry):
                single = replace(announced, count=1)
                wishes += self._mentioned(single, f" of {entry}", before, find_size(before))
            else:
                wishes += self.read(entry)
        return wishes

    def read(self, text: str) -> Iterator[Wish]:
        """The wishes of a text, their subjects and texts still as they stand there, or empty."""
        found = mentions(text)
        if not found:
            if not beyond(text):
                yield from self._described(text)
            return
        lead = text[: found[0].start]
        said = self.quotes.first(lead) or ""
        if len(said.split()) >= SENTENCE_WORDS:
            self.loose_quote = said
        change = self._change(lead)
        if change:
            yield from self._changed(change)
        self.shared = self.shared or (None if change is not None else self._topic(lead))
        size = find_size(lead)
        ends = [mention.start for mention in found[1:]] + [len(text)]
        for mention, end in zip(found, ends, strict=True):
            yield from self._mentioned(mention, text[mention.end : end], lead, size)

    def completed(self, drafts: list[Wish]) -> Iterator[Wish]:
        """The wishes with the subjects and texts they did not have themselves."""
        own = [wish.about for wish in drafts]
        pictured = any(wish.kind == "image" for wish in drafts) or bool(self.earlier)
        spoken = next((re.split(r"[.!?\n]", wish.text)[0] for wish in drafts if wish.text), "")
        for i, wish in enumerate(drafts):
            points = wish.about in PRONOUNS
            nearest = next((s for s in (*reversed(own[:i]), *own[i + 1 :]) if s and s not in PRONOUNS), None)
            given = nearest if points else self.shared or nearest
            about = wish.about if wish.about and not points else given or self.shared or self._before() or ""
            if wish.kind == "speech":
                text = wish.text or ("" if wish.about else self.loose_quote) or composed(about)
                yield replace(wish, about=about, text=text)
            else:
                animates = wish.kind == "video" and (wish.animates or (points and pictured))
                yield replace(wish, about=about or spoken or "an abstract composition", animates=animates)

    def _topic(self, lead: str) -> str | None:
        found = topic(lead)
        return self.quotes.restore(found) if found else None

    # ---- one mention ----

    def _mentioned(self, mention: Mention, owned: str, lead: str, size: str | None) -> Iterator[Wish]:
        if mention.kind == "speech":
            yield from self._spoken(mention, owned)
            return
        phrase = " ".join(mention.modifiers)
        named = (SIZE_WORDS[word] for word in (*mention.modifiers, mention.noun) if word in SIZE_WORDS)
        size = find_size(phrase) or find_size(owned) or next(named, None) or size
        length = (find_duration(phrase) or find_duration(owned)) if mention.kind == "video" else None
        points = mention.kind == "video" and bool(re.search(r"\b(?:it|this|that|them)\s+(?:in)?to\b|\bmake it\b", lead))
        wish = Wish(mention.kind, size=size, duration_s=length, animates=points or mention.noun == "animate")
        parts = self._listed(owned, mention.count)
        for n in range(min(mention.count, MOST_WISHES)):
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
        manner, shown = _manner(mention.modifiers)
        if mention.noun in PLAIN_NOUNS or mention.is_verb:
            what = what or shown
            return "it" if refers(what) else what, f"{{}}, {manner}" if manner else "{}"
        named = " ".join(part for part in (manner, mention.noun) if part)
        joined = re.match(r"\s*(of|for|with|about|showing|featuring)\b", owned)
        lead = joined[1] if joined else "for"
        if shown and not what:  # "a coffee logo"
            return shown, f"{{}} {named}"
        return what, f"{named} {lead} {{}}"

    def _spoken(self, mention: Mention, owned: str) -> Iterator[Wish]:
        """Narrations: of what is quoted, else of what follows "saying", else composed about the subject."""
        voice = voice_of(list(mention.modifiers)) or find_voice(owned)
        text = self.quotes.first(owned)
        rest = VOICE_PHRASE.sub(" ", MARKER.sub(" ", owned)) if find_voice(owned) else MARKER.sub(" ", owned)
        if text is None:
            text = self._dictated(mention, owned)
        subject = "" if text else self.quotes.restore(cleaned(rest, lengths=True))
        subject = "" if refers(subject) else subject
        for n in range(min(mention.count, MOST_WISHES)):
            yield Wish("speech", subject, text=text, voice=voice if n == 0 else VOICE_ROUND[n % len(VOICE_ROUND)])

    def _dictated(self, mention: Mention, owned: str) -> str:
        """The words to speak where they are not quoted; empty when a subject is given instead."""
        if mention.is_verb and mention.noun == "say":
            match = re.match(r"\s*(?:something like|the words|this|:)?\s*:?\s*(?!something\b)(.+)", owned, re.DOTALL)
        elif _dictates(owned):
            match = re.match(r"[^:\n]{0,60}:\s*(.+)", owned, re.DOTALL)
        elif mention.is_verb and mention.noun in VERBATIM_VERBS:
            match = re.match(r"\s*(?:out\s+)?(?:aloud|out loud)\s+(?!about\b)(.+)", owned, re.DOTALL)
        else:
            match = re.match(r".{0,60}?\b(?:saying|that says|which says|reading)\b[:,]?\s+(.+)", owned, re.DOTALL)
        if match is None:
            return ""
        text = re.sub(r"[\s,;]*(?:\b(?:and|plus|with|then|also)\b)?[\s,;]*$", "", match[1])
        return self.quotes.restore(text).strip()

    # ---- no mention ----

    def _described(self, text: str) -> Iterator[Wish]:
        """A text without a wish in it describes a picture, or changes what was asked before."""
        change = self._change(text)
        if change is not None:
            yield from self._changed(change)
            return
        length = find_duration(text) if re.match(rf"\s*(?:{DURATION.pattern})\s+of\b", text, re.IGNORECASE) else None
        what = self.quotes.restore(cleaned(strip_making(text), lengths=length is not None))
        if what and any(character.isalnum() for character in what):
            yield Wish("video" if length else "image", what, size=find_size(text), duration_s=length)

    def _change(self, text: str) -> str | None:
        """What a follow-up wants changed: "darker" of "make it darker". None where the text is no follow-up."""
        match = FOLLOW_UP.match(text) if self.earlier else None
        return self.quotes.restore(cleaned(text[match.end() :], lengths=False)) if match else None

    def _changed(self, change: str) -> Iterator[Wish]:
        """The work asked for before, changed; a picture where there were several kinds."""
        before = read_wishes(self.earlier[-1], self.earlier[:-1])
        last = next((wish for wish in before if wish.kind == "image"), before[0] if before else None)
        if last is None:
            yield Wish("image", change)
        elif last.kind == "speech":
            yield replace(last, voice=find_voice(change) or last.voice)
        else:
            view = ", ".join(part for part in (last.view, change or VIEWS[1]) if part)
            length = (find_duration(change) if last.kind == "video" else None) or last.duration_s
            yield replace(last, view=view, size=find_size(change) or last.size, duration_s=length)

    def _before(self) -> str | None:
        """The subject of what was asked before this prompt."""
        before = read_wishes(self.earlier[-1], self.earlier[:-1]) if self.earlier else ()
        return next((wish.about for wish in before if wish.about), None)


VIEWS = (
    "as described",
    "seen up close",
    "in a wide view",
    "at golden hour",
    "from above",
    "at night",
    "in soft morning light",
    "from a low angle",
    "in the rain",
    "against a plain background",
    "in autumn",
    "in the snow",
)
"""What makes the second and later of several works of one subject differ from the first."""
VOICE_ROUND = ("nova", "onyx", "shimmer", "echo", "fable", "alloy")

FOLLOW_UP = re.compile(
    r"\s*(?:ok(?:ay)?[,.]?\s+|great[,.!]?\s+|nice[,.!]?\s+|thanks?[,.!]?\s+|and\s+|now\s+|please\s+|can you\s+|could you\s+)*"
    r"(?:(?:make|do|have|try|show|render|draw)\s+(?:it|them|this|that|the (?:image|picture|photo|clip|video))\b(?:\s+again)?"
    r"|(?:once\s+)?again\b|once more\b|(?:the\s+)?same\b(?:\s+(?:again|one|thing|image|picture|clip))?"
    r"|(?:do|try)\s+(?:that\s+|it\s+)?again\b|another\s+(?:one|version|try)\b|one more\b|redo\b(?:\s+it)?"
    r"|(?=(?:add|remove|replace|change|use|more|less|without|darker|brighter|lighter|bigger|smaller)\b)"
    r"|(?=(?:[a-z]+er|different)(?:\s+please)?[.!]?\s*$)"
    r"|(?:no|actually|instead)[,.]?\s)"
    r"[\s,;:.-]*(?:but\b|and\b|with\b(?=\s+(?:a\s+)?(?:deep|soft))|only\b|just\b)?",
    re.IGNORECASE,
)
OPENER = re.compile(
    r"\s*(?:(?:hi|hello|hey|ok|okay|so|please|now|and|also|then|thanks|dear \w+)\b[\s,.!]*)*"
    r"(?:(?:can|could|would|will)\s+you\s+(?:please\s+)?(?:also\s+)?|"
    r"(?:i|we)(?:'d|’d|\s+would)?\s+(?:really\s+)?(?:want|need|like|love)\s+(?:you\s+)?(?:to\s+(?:have|see|get|make|create)\s+)?|"  # noqa: RUF001
    r"(?:i|we)(?:'m|’m|'re|’re|\s+am|\s+are)\s+[a-z]+ing\s+|let's\s+|let\s+us\s+|how\s+about\s+|what\s+about\s+|"  # noqa: RUF001
    r"please\s+|show\s+me\s+)?"
    r"(?:(?:make|create|generate|produce|design|give|announce|promote|launch|celebrate|advertise|prepare|build|craft|"
    r"imagine|present|introduce)\b(?:\s+(?:me|us|it|them)\b)*\s*)?",
    re.IGNORECASE,
)


def strip_making(text: str) -> str:
    """The text without the words that merely ask: "please create ...", "I would like ..."."""
    return text[OPENER.match(text).end() :]  # type: ignore[union-attr]


def topic(text: str) -> str | None:
    """What the words before the first wish, or before a list, say that everything is about."""
    for sentence in re.split(r"[.!?\n]+", text):
        about = re.search(r"\b(?:about|for|featuring|promoting|announcing|introducing)\s+(.+)", sentence, re.IGNORECASE)
        said = cleaned(about[1] if about else strip_making(sentence), lengths=True)
        said = re.sub(r"(?:[\s,]+\b(?:i|we|you|need|want|make|create|generate|please|me|us|give)\b)+$", "", said, flags=re.I)
        words = [token.word for token in tokens(said)]
        if words and not all(word in BOUNDARIES | ARTICLES | PRONOUNS | EMPTY for word in words):
            return said
    return None


EMPTY = frozenset("i we following these things post campaign set of the are here is would d'd please assets for".split())  # noqa: SIM905


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
    text = re.sub(r"(?:\s*[,;]\s*){2,}", ", ", " ".join(text.split()))
    joint = r"(?:and|plus|with|then|also|finally|as well as|together|along|please|too|for|of|saying|i'd like|i want|i need)"
    before = None
    while before != text:
        before = text
        text = re.sub(rf"^[\s,;:.!?()&+–—-]+|[\s,;:.!?()&+–—-]+$|[\s,]+\b{joint}$", "", text, flags=re.IGNORECASE)  # noqa: RUF001
        text = re.sub(rf"^(?:{SUBJECT_LEADS}|me|us|and|please)\b[\s:]+", "", text, flags=re.IGNORECASE)
    return "" if re.fullmatch(rf"{SUBJECT_LEADS}|and|please|me|us|too|a|an|the", text, re.IGNORECASE) else text


def composed(subject: str) -> str:
    """A sentence or two to read aloud about a subject."""
    about = subject.rstrip(".!? ")
    return f"A few words about {about}. Take a closer look, and enjoy the moment." if about else "Hello, and welcome."


def _manner(modifiers: tuple[str, ...]) -> tuple[str, str]:
    """The words before a noun as (how it is made, what it shows): ("watercolor", "cat") of "a watercolor cat"."""
    kept = SIZE.sub(" ", DURATION.sub(" ", " ".join(modifiers)))
    words = [word for word in kept.split() if not _counts(word)]
    if words and not all(word in STYLES for word in words):
        return "", " ".join(words)
    return " ".join(word for word in words if word not in SIZE_WORDS and word not in PLAIN_STYLES), ""


PLAIN_STYLES = frozenset("short quick long nice good great little single different second first third main full".split())  # noqa: SIM905


def _counts(word: str) -> bool:
    return word in ARTICLES | REFERRING | {"of", "more"} or singular(word) in COUNTS or word.isdigit()
