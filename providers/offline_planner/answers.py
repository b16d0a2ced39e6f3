"""The plain words the stand-in answers with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .conversation import Outcome

STAND_IN = "All of it was made by the offline stand-in: no model or vendor was used, and nothing was paid."
STAND_IN_PLANNED = "The offline stand-in planned this by rule: no language model was used."
NAMES = {
    "image": "a picture",
    "video": "a clip",
    "speech": "a narration",
    "audio": "a recording",
    "document": "a document",
}
PLURALS = {"image": "pictures", "video": "clips", "speech": "narrations"}
EXAMPLE = "\"A hero image of a coffee bar, a 5 second clip of waves, and a narration saying 'Good morning'.\""
SHOWN = 70
"""Characters of a prompt that are repeated in the answer."""
SHOWN_OF_A_TEXT = 600
SHOWN_FIELDS = 12
TRANSCRIBER, READER, LOOKERS = (
    "transcribe_audio",
    "extract_document",
    ("analyze_image", "analyze_video", "analyze_audio"),
)


def answer(outcomes: Sequence[Outcome], *, missing: Iterable[str], beyond: Iterable[str], cut: bool) -> str:
    """What was made, with ids; what was found; what failed, and why; what cannot be made here."""
    making = [one for one in outcomes if one.call.name not in (TRANSCRIBER, READER, *LOOKERS)]
    made = [described(one, asset) for one in making for asset in one.assets]
    parts = [f"Here is {listed(made)}."] if made else []
    parts += [f'The enhanced prompt: "{one.text}"' for one in making if one.text and not made]
    parts += [found(one) for one in outcomes if one not in making and not one.error]
    parts += [f"{one.call.name} failed: {one.error.rstrip('.')}." for one in outcomes if one.error]
    parts += [f"Note: {warning}" for warning in _warnings(outcomes)]
    lost = [*(PLURALS.get(kind, kind) for kind in missing), *beyond]
    parts += [f"Nothing here can make {listed(lost)}."] if lost else []
    parts += ["A request gets a dozen works at most; the rest was left out."] if cut else []
    if not outcomes:
        parts = ["Nothing was made, because no tool could be called.", *parts]
    foreign = any(asset.get("provider", "offline") != "offline" for one in outcomes for asset in one.assets)
    return " ".join([*parts, STAND_IN if made and not foreign else STAND_IN_PLANNED])


def conversation_only(lost: Sequence[str], makeable: Sequence[str], tools: Iterable[str] = ()) -> str:
    """What to say to a greeting, to a question, or to a wish for something else."""
    sorry = f"Nothing here can make {listed(lost)}. " if lost else ""
    able = listed([PLURALS[kind] for kind in makeable]) if makeable else "nothing, as no tool is available"
    more = [words for name, words in ABLE.items() if name in tools]
    also = f"With a file it can {listed(more)}. " if more else ""
    return (
        f"{sorry}This is Impresario's offline stand-in. It answers by rule, without a language model, and can make "
        f"{able}. {also}Ask for works in plain words, for example: {EXAMPLE}"
    )


ABLE = {
    "edit_image": "change a picture",
    "analyze_image": "measure pictures",
    "transcribe_audio": "write down what is said",
    "extract_document": "read the fields of a document",
}


def described(outcome: Outcome, asset: dict[str, object]) -> str:
    """One work: what it is, what of, and its id."""
    given = outcome.arguments
    told = next((str(given[name]) for name in ("prompt", "text", "instruction", "operation") if given.get(name)), "")
    short = shortened(told.replace("_", " ") if told == given.get("operation") else told, SHOWN)
    name = NAMES.get(str(asset.get("type")), "a work")
    changed = f", changed from {given['image']}" if outcome.call.name == "edit_image" and "image" in given else ""
    return f'{name} ("{short}", {asset["id"]}{changed})' if short else f"{name} ({asset['id']}{changed})"


def found(outcome: Outcome) -> str:
    """What came of looking, listening or reading."""
    told = outcome.told
    if outcome.call.name == TRANSCRIBER:
        return _transcript(told, outcome.assets)
    if outcome.call.name == READER:
        return _document(told)
    said = " ".join(str(told[name]) for name in ("answer", "summary") if told.get(name)) or str(
        told.get("description", "")
    )
    themes = told.get("key_themes")
    more = f" Key themes: {listed([str(theme) for theme in themes])}." if isinstance(themes, list) and themes else ""
    return f"{shortened(said, SHOWN_OF_A_TEXT)}{more}"


def listed(things: Sequence[str]) -> str:
    """Things in a sentence: "a, b and c"."""
    return " and ".join(filter(None, (", ".join(things[:-1]), things[-1] if things else "")))


def shortened(text: str, most: int) -> str:
    """A text in one line of at most so many characters."""
    plain = " ".join(text.split())
    return plain if len(plain) <= most else plain[: most - 1].rstrip() + "…"


def _transcript(told: Mapping[str, Any], assets: Sequence[Mapping[str, Any]]) -> str:
    """The words, their translation, how they were come by, and the subtitles."""
    said = (
        f'The transcript: "{shortened(str(told.get("text", "")), SHOWN_OF_A_TEXT)}"'
        if told.get("text")
        else "No words."
    )
    said += f" ({told['source']})." if told.get("source") else ""
    if told.get("translation"):
        said += f' In {told.get("translated_into")}: "{shortened(str(told["translation"]), SHOWN_OF_A_TEXT)}"'
    segments = told.get("segments")
    said += (
        f" {len(segments)} timed {'line' if len(segments) == 1 else 'lines'}."
        if isinstance(segments, list) and segments
        else ""
    )
    return said + (f" Subtitles: {listed([str(asset['id']) for asset in assets])}." if assets else "")


def _document(told: Mapping[str, Any]) -> str:
    """The kind of document, its fields, what is missing, and whether a person should look."""
    data = told.get("data") if isinstance(told.get("data"), Mapping) else {}
    fields = [
        f"{name}: {f'{len(value)} rows' if isinstance(value, list) else shortened(str(value), SHOWN)}"
        for name, value in (data or {}).items()
        if value not in (None, "", [], {})
    ]
    kind = told.get("type")
    said = f"Read as {kind}: " if kind else "Read: "
    said += "; ".join(fields[:SHOWN_FIELDS]) if fields else "nothing could be read"
    gone = told.get("missing")
    said += (
        f". Missing: {listed([str(path) for path in gone[:SHOWN_FIELDS]])}" if isinstance(gone, list) and gone else ""
    )
    return said + (". A person should look at it." if told.get("needs_review") else ".")


def _warnings(outcomes: Sequence[Outcome]) -> list[str]:
    """What the tools warned of, each once."""
    said = (one.told.get("warnings") for one in outcomes)
    return list(dict.fromkeys(str(text) for texts in said if isinstance(texts, list) for text in texts))[:4]
