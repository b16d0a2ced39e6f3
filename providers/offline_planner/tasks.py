"""What a prompt asks to be done with works that are there: change, look at, watch, listen to, write down, read.

A prompt is taken clause by clause; a clause that asks for none of this is left for `wishes`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from ..offline_media.text import words_of
from .changes import CHANGE, MAKE_IT, RETIME, change_of_a_picture
from .grammar import QUOTED
from .narrations import retold
from .openings import ASKING, DESCRIBING, Opening, clauses, opening
from .words import find_duration
from .works import NEW, POINTING, Known, kind_meant, meant

TRANSCRIBE = re.compile(
    r"\btranscri(?:be|pt|ption)\w*|\bsubtitles?\b|\bspeech[ -]to[ -]text\b|\bwrite (?:down|out) (?:what|the words)|"
    r"\bwhat (?:is|was|does|did|do) (?:she|he|they|it|(?:the|this) \w+) sa(?:y|ys|id|ying)\b|\bwhat (?:is|was) said\b|"
    r"\bwho (?:says|said|speaks)\b",
    re.IGNORECASE,
)
TRANSLATE = re.compile(r"\btranslat\w+\b(?:.*?\b(?:in)?to\s+(?P<language>[A-Za-z]{4,}))?", re.IGNORECASE)
EXTRACT = re.compile(
    r"\bextract\b|\bpull\b.*\bout\b|\b(?:read|get|list|find)\s+(?:out\s+)?(?:the|all|every)\s+(?:\w+\s+)?"
    r"(?:data|fields?|values?|information|details|line items|items)\b|\binto json\b|\bas json\b",
    re.IGNORECASE,
)
FIELDS = re.compile(r"\bextract\s+(?:only\s+)?(?P<fields>.+?)(?:\s+(?:from|of|in|out of)\b|[.!?]?$)", re.IGNORECASE)
ALL_FIELDS = frozenset(
    words_of("data information details fields everything values content contents text json all it this")
)
NUMBERS = frozenset(words_of("total amount tax vat price subtotal sum balance quantity cost fee"))
LOOK = re.compile(
    ASKING + r"(?:what(?:'s|s)?\b|describe\b|analy[sz]e\b|compare\b|identify\b|inspect\b|look at\b|examine\b|explain\b|"
    r"summari[sz]e\b|tell me\b|which\b|who\b|where\b|when\b|"
    r"how (?:does|do|did|many|much|long|big|bright|loud|is|are)\b|"
    r"(?:is|are|does|do|did|has|have|can) (?:there|it|this|that|these|the|she|he|they|you see)\b|count\b|listen to\b|"
    r"watch\b)",
    re.IGNORECASE,
)
DESCRIBE = re.compile(
    ASKING + r"(?:describe|analy[sz]e|look at|listen to|watch|examine|inspect)\b\W*(?:\w+\W*){0,4}$", re.IGNORECASE
)
ABOUT_US = re.compile(r"\b(?:can|are|do|will|could) you\b(?! (?:see|hear|tell|describe|find|read))", re.IGNORECASE)
OF_WORKS = re.compile(
    r"\b(?:colou?rs?|objects?|see|shown?|written|sounds?|says?|happens?|mood|style|speaker|background|people|"
    r"(?:is|are) there)\b",
    re.IGNORECASE,
)
MANY = re.compile(
    r"\b(?:these|those|both|them|they|all|two|three|compare|differen\w+)\b|(?:pictures|images|photos)\b", re.IGNORECASE
)
MOST_PICTURES = 8


@dataclass(frozen=True)
class Task:
    """One thing to be done with a work: the tool, the kinds of work it takes, and what to tell it.

    `place` is the argument that takes the work. `later` says that it was asked for after something that is to be made.
    """

    tool: str
    place: str
    kinds: tuple[str, ...]
    facts: dict[str, object] = field(default_factory=dict)
    works: tuple[Known, ...] = ()
    later: bool = False


def read_tasks(text: str, works: Sequence[Known], tools: Collection[str], clips_change: bool) -> tuple[list[Task], str]:
    """The tasks of a prompt for which there is a tool, and the rest of the prompt.

    A task without `works` means one that is made in the same run. `clips_change`: there is a tool that changes clips.
    """
    tasks: list[Task] = []
    rest: list[str] = []
    for joint, clause in clauses(text):
        edit = opening(clause)
        if edit and edit.headed and not "".join(rest).strip() and not _to_edit(edit, works):
            continue  # there is nothing to change, or nothing that is to become of it
        task = _task(clause.strip(), works, clips_change)
        if task is None or task.tool not in tools or not (task.works or "".join(rest).strip()):
            rest += [joint, edit.change if edit else clause]
            continue
        if task.tool == "edit_image" and rest and rest[-1] and MAKE_IT.match(rest[-1]) and task.works:
            task = _after(rest.pop(), task)  # "make it darker and crop it" is one change
            rest.pop()
        task = replace(task, later=bool("".join(rest).strip()))
        before = tasks[-1] if tasks else None
        if before and before.tool == task.tool == "transcribe_audio" and before.works == task.works:
            tasks[-1] = replace(before, facts=before.facts | task.facts)  # "transcribe it and translate it to German"
        elif before and before.tool == task.tool == "edit_image" and before.works == task.works:
            tasks[-1] = _after(str(before.facts["change"]), task)
        else:
            tasks.append(task)
        rest += ["", ""]  # what stood before it and behind it does not belong together
    return tasks, "\n".join(filter(None, "".join(piece or "\0" for piece in rest).split("\0"))).strip()


def _after(before: str, task: Task) -> Task:
    """A change that comes after another one of the same picture, as one with it."""
    change = f"{before} and {task.facts['change']}"
    facts = {name: fact for name, fact in task.facts.items() if name not in ("operation", "options")}
    return replace(task, facts=facts | {"change": change, "prompt": change})


def _task(clause: str, works: Sequence[Known], clips_change: bool) -> Task | None:
    if edit := opening(clause):
        return _edited(edit, works, clips_change)
    kind = kind_meant(clause)
    sounding = ("audio", "video")
    if (
        (found := TRANSLATE.search(clause))
        and (found["language"] or TRANSCRIBE.search(clause))
        and kind in (None, *sounding)
    ):
        told = {"translate": found["language"].capitalize()} if found["language"] else {}
        return _on(works, "transcribe_audio", "audio", sounding, {**_times(clause), **told}, kind)
    plainly = re.search(r"transcri|subtitl", clause, re.IGNORECASE) is not None
    asks = plainly or (meant(works, sounding) and not DESCRIBING.match(clause))
    if TRANSCRIBE.search(clause) and kind in (None, *sounding) and asks:
        return _on(works, "transcribe_audio", "audio", sounding, _times(clause), kind)
    if EXTRACT.search(clause):
        return _on(works, "extract_document", "document", ("document", "image"), _schema(clause), kind)
    if CHANGE.match(clause) or RETIME.search(clause) or (MAKE_IT.match(clause) and _only_clips(works, kind)):
        return _changed(clause, works, kind, clips_change)
    return _looked_at(clause, works, kind)


def _on(
    works: Sequence[Known],
    tool: str,
    place: str,
    kinds: tuple[str, ...],
    facts: dict[str, object],
    kind: str | None = None,
) -> Task:
    found = meant(works, (kind,)) if kind in kinds else None
    found = found or meant(works, kinds[:1]) or meant(works, kinds)
    return Task(tool, place, kinds, facts, (found,) if found else ())


def _times(clause: str) -> dict[str, object]:
    facts: dict[str, object] = {}
    if re.search(
        r"\bword(?:s|-level| level)?\b.{0,20}\b(?:times?|timestamps?|timings?)|\beach word\b", clause, re.IGNORECASE
    ):
        facts["timestamps"] = "word"
    elif re.search(r"\b(?:without|no) (?:times?|timestamps)\b", clause, re.IGNORECASE):
        facts["timestamps"] = "none"
    elif re.search(r"\btimestamps?\b|\btimes\b|\bsubtitles?\b", clause, re.IGNORECASE):
        facts["timestamps"] = "segment"
    if re.search(r"\bspeakers\b|\bwho (?:says|said|speaks)\b", clause, re.IGNORECASE):
        facts["speakers"] = True
    return facts


def _schema(clause: str) -> dict[str, object]:
    """The schema of the fields that are named, where any are."""
    found = FIELDS.search(clause)
    parts = re.split(r",\s*(?:and\s+)?|\s+and\s+|\s*&\s*", found["fields"]) if found else []
    names = [" ".join(word for word in words_of(part) if word not in ("the", "its", "all", "only")) for part in parts]
    named = [name for name in names if name and not set(name.split()) & ALL_FIELDS and len(name.split()) < 5]
    if not named or len(named) < len(names):
        return {}
    properties: dict[str, object] = {}
    for name in named:
        kind = "number" if set(name.split()) & NUMBERS else "string"
        properties["_".join(name.split())] = {"type": [kind, "null"]}
    return {"schema": {"type": "object", "properties": properties, "required": list(properties)}}


def _to_edit(edit: Opening, works: Sequence[Known]) -> Known | None:
    """The work an opening means: of its kind, else the nearest that can be changed."""
    kinds = (edit.kind,) if edit.kind else ("image", "video", "audio")
    near = [
        work
        for work in works
        if work.kind in kinds and (work.kind != "audio" or work.made_from or QUOTED.search(edit.change))
    ]
    return meant(near, kinds) if edit.change else None


def _edited(edit: Opening, works: Sequence[Known], clips_change: bool) -> Task | None:
    """The task of a clause that opens with the work it edits."""
    work = _to_edit(edit, works)
    match work.kind if work else edit.kind or "image":
        case "image":
            return Task("edit_image", "image", ("image",), change_of_a_picture(edit.change, works), _some(work))
        case "video" if clips_change:
            facts: dict[str, object] = {"prompt": edit.change, "duration": find_duration(edit.change)}
            return Task("generate_video", "video", ("video",), facts, _some(work))
        case "audio" if work:
            return Task("generate_speech", "audio", ("audio",), retold(edit.change, work), (work,))
    return None


def _some(work: Known | None) -> tuple[Known, ...]:
    return (work,) if work else ()


def _only_clips(works: Sequence[Known], kind: str | None) -> bool:
    """Whether "it" is a clip: by its name, or because there is no picture."""
    near = {work.kind for work in works if work.given} or {work.kind for work in works}
    return kind == "video" or (kind is None and "video" in near and "image" not in near)


def _changed(clause: str, works: Sequence[Known], kind: str | None, clips_change: bool) -> Task | None:
    """The task that changes a picture, or a clip where it is one that is meant."""
    if kind in ("audio", "document") or (find_duration(clause) and not RETIME.search(clause)):
        return None
    if _only_clips(works, kind) or (kind is None and RETIME.search(clause) and not CHANGE.match(clause)):
        clip = meant(works, ("video",))
        return (
            Task("generate_video", "video", ("video",), {"prompt": clause}, (clip,)) if clip and clips_change else None
        )
    if not CHANGE.match(clause):
        return None
    return _on(works, "edit_image", "image", ("image",), change_of_a_picture(clause, works))


def _looked_at(clause: str, works: Sequence[Known], kind: str | None) -> Task | None:
    """The task that answers a question about a work."""
    points = kind is not None or (POINTING.search(clause) and not NEW.search(clause))
    if not LOOK.match(clause) or ABOUT_US.search(clause) or not (points or (works and OF_WORKS.search(clause))):
        return None
    if kind is None and re.search(
        r"\b(?:she|he|they|it|this|that)\s+sounds?\b|\bvoice\b|\bhear\b", clause, re.IGNORECASE
    ):
        kind = "audio"
    if kind is None:
        nearest = next((work for work in works if work.given), works[-1] if works else None)
        kind = nearest.kind if nearest else None
    question: dict[str, object] = {} if DESCRIBE.match(clause) else {"question": clause}
    match kind:
        case "video":
            return _on(works, "analyze_video", "video", ("video",), question)
        case "audio":
            return _on(works, "analyze_audio", "audio", ("audio",), question)
        case "document":
            return _on(works, "extract_document", "document", ("document",), {})
        case _:
            task = _on(works, "analyze_image", "images", ("image",), question)
            return replace(task, works=_several(works)) if task.works and MANY.search(clause) else task


def _several(works: Sequence[Known]) -> tuple[Known, ...]:
    """All pictures that came with the prompt, else the last two."""
    pictures = [work for work in works if work.kind == "image"]
    given = [work for work in pictures if work.given]
    return tuple(
        (given if len(given) > 1 else pictures[-2:] if not given else [*pictures[-2:-1], *given])[:MOST_PICTURES]
    )
