"""The plain words the stand-in answers with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .conversation import Outcome

STAND_IN = "All of it was made by the offline stand-in: no model or vendor was used, and nothing was paid."
STAND_IN_PLANNED = "The offline stand-in planned this by rule: no language model was used."
NAMES = {"image": "a picture", "video": "a clip", "speech": "a narration", "audio": "a recording"}
PLURALS = {"image": "pictures", "video": "clips", "speech": "narrations"}
EXAMPLE = "\"A hero image of a coffee bar, a 5 second clip of waves, and a narration saying 'Good morning'.\""
SHOWN = 70
"""Characters of a prompt that are repeated in the answer."""


def answer(outcomes: Sequence[Outcome], *, missing: Iterable[str], beyond: Iterable[str], cut: bool) -> str:
    """What was made, with ids; what failed, and why; what cannot be made here."""
    made = [described(one, asset) for one in outcomes for asset in one.assets]
    parts = [f"Here is {listed(made)}."] if made else []
    parts += [f'The enhanced prompt: "{one.text}"' for one in outcomes if one.text and not made]
    parts += [f"{one.call.name} failed: {one.error.rstrip('.')}." for one in outcomes if one.error]
    lost = [*(PLURALS.get(kind, kind) for kind in missing), *beyond]
    parts += [f"Nothing here can make {listed(lost)}."] if lost else []
    parts += ["A request gets a dozen works at most; the rest was left out."] if cut else []
    if not outcomes:
        parts = ["Nothing was made, because no tool could be called.", *parts]
    foreign = any(asset.get("provider", "offline") != "offline" for one in outcomes for asset in one.assets)
    return " ".join([*parts, STAND_IN if made and not foreign else STAND_IN_PLANNED])


def conversation_only(lost: Sequence[str], makeable: Sequence[str]) -> str:
    """What to say to a greeting, to a question, or to a wish for something else."""
    sorry = f"Nothing here can make {listed(lost)}. " if lost else ""
    able = listed([PLURALS[kind] for kind in makeable]) if makeable else "nothing, as no tool is available"
    return (
        f"{sorry}This is Impresario's offline stand-in. It answers by rule, without a language model, and can make "
        f"{able}. Ask for works in plain words, for example: {EXAMPLE}"
    )


def described(outcome: Outcome, asset: dict[str, object]) -> str:
    """One work: what it is, what of, and its id."""
    told = str(outcome.arguments.get("prompt") or outcome.arguments.get("text") or "")
    told = " ".join(told.split())
    short = told if len(told) <= SHOWN else told[: SHOWN - 1].rstrip() + "…"
    name = NAMES.get(str(asset.get("type")), "a work")
    return f'{name} ("{short}", {asset["id"]})' if short else f"{name} ({asset['id']})"


def listed(things: Sequence[str]) -> str:
    """Things in a sentence: "a, b and c"."""
    return " and ".join(filter(None, (", ".join(things[:-1]), things[-1] if things else "")))
