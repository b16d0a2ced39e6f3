"""What a prompt asks to be done with works that are there: change, look at, watch, listen to, write down, read.

A prompt is taken clause by clause; a clause that asks for none of this is left for `wishes`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from ..offline_media.text import words_of
from .words import find_duration
from .works import NEW, POINTING, Known, kind_meant, meant

CLAUSE = re.compile(
    r"((?<=[.!?;])\s+|\n+|,?\s+(?:and\s+)?then\s+|,?\s+and\s+(?=(?:also\s+)?(?:transcri|translat|describ|extract|"
    r"analy|compar|summar|subtitl|remove|crop|rotate|flip|mirror|blur|sharpen|upscale|tell\b|what\b|how\b|write|make|"
    r"create|generate|draw|add|give)))",
    re.IGNORECASE,
)
"""Where one clause ends and the next begins; what stands between them is kept."""
ASKING = (
    r"^\W*(?:(?:please|now|and|then|also|ok|okay|so|can you|could you|would you|i want you to|"
    r"i'd like you to)\b[\s,]*)*"
)
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
MOVING = r"an?\s+(?:[\w-]+\s+){0,3}(?:video|clip|film|movie|animation|gif|narration|voice-?over|speech|song)\b"
THIS = r"(?:it|this|that|them|him|her|the|its|his|my|their)\b"
CHANGE = re.compile(
    ASKING + rf"(?:(?:turn|convert|transform)\s+{THIS}(?:\s+\w+){{0,3}}?\s+"
    rf"(?:(?:in)?to\s+(?!{MOVING})|black\b|gr[ae]y\b|upside\b)"
    rf"|(?:remove|erase|delete|cut out|replace|recolou?r|repaint)\s+(?:{THIS}|all\b|everything\b|what\b)"
    r"|change\s+the\s+(?:background|colou?r|sky)\b"
    rf"|(?:add|put|place|draw|write|insert)\s+(?!{MOVING})(?:.+\s)?"
    rf"(?:to|on|onto|in|into|behind|around|under|over)\s+{THIS}"
    r"|add\s+(?:an?\s+)?(?:caption|frame|border|title)\b"
    r"|(?:crop|rotate|mirror|flip|blur|sharpen|upscale|enlarge|outpaint|colou?ri[sz]e|tint|brighten|darken|desaturate|"
    r"invert)\b|(?:extend|expand|widen)\s+(?:it|this|the)\b|give\s+(?:it|him|her|them|the\s+\w+)\s+"
    r"|.*\bthe mask\b)",
    re.IGNORECASE,
)
RETIME = re.compile(
    r"\b(?:slow(?:er)?(?:[- ]motion)?(?: down)?|speed(?:\s\w+)? up|faster|revers\w+|backwards?|first \d+ s\w*)\b",
    re.IGNORECASE,
)
MAKE_IT = re.compile(ASKING + rf"(?:make|play|turn|slow|speed)\s+{THIS}", re.IGNORECASE)
OPERATIONS = (
    (
        "remove_background",
        re.compile(r"\b(?:remove|erase|delete|cut out)\s+(?:the\s+|its\s+)?background", re.IGNORECASE),
    ),
    ("upscale", re.compile(r"\bupscale|\benlarge|\b(?:higher|more|double the) resolution", re.IGNORECASE)),
    ("outpaint", re.compile(r"\boutpaint|\b(?:extend|expand|widen)\b", re.IGNORECASE)),
)
SIDES = {"left": "left", "right": "right", "top": "up", "up": "up", "upwards": "up", "bottom": "down", "down": "down"}
OUTPAINTED = 256
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
    pieces = ["", *CLAUSE.split(text)]
    for joint, clause in zip(pieces[::2], pieces[1::2], strict=True):
        task = _task(clause.strip(), works, clips_change)
        if task is None or task.tool not in tools or not (task.works or "".join(rest).strip()):
            rest += [joint, clause]
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
    if TRANSCRIBE.search(clause) and kind in (None, *sounding) and (plainly or meant(works, sounding)):
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
    facts: dict[str, object] = {"change": clause, "prompt": clause}
    facts |= next(({"operation": name} for name, pattern in OPERATIONS if pattern.search(clause)), {})
    if facts.get("operation") == "outpaint":
        pixels = re.search(r"\b(\d{2,4})\b", clause)
        sides = [SIDES[word] for word in words_of(clause) if word in SIDES] or ["left", "right"]
        facts["options"] = dict.fromkeys(sides, int(pixels[1]) if pixels else OUTPAINTED)
    given = [work for work in works if work.given and work.kind == "image"]
    if len(given) > 1 and re.search(r"\bmask\w*\b", clause, re.IGNORECASE):
        facts |= {"mask": given[1].id, "operation": "erase" if re.search(r"\berase|\bremove", clause) else "inpaint"}
    return _on(works, "edit_image", "image", ("image",), facts)


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
