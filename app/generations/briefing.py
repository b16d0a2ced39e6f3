"""What a run starts from: the instructions, the request with its inputs, and the conversation it continues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from app.agent import loop
from app.db import generations
from prompts import load
from providers.types import Message

from .files import Files, kept_as
from .parts import Parts

MAX_EARLIER = 10
"""How many earlier generations a continued one remembers."""
MOST_WORDS = {False: 300, True: 4000}
"""Characters told of what an asset was made from; a text that was read aloud is told whole, to be read again."""
MOST_ANSWERED = 24_000
"""Characters remembered of an answer. It may be the transcript of hours, and each turn pays for it."""


async def brief(parts: Parts, row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `agent.loop.Brief` for a generation's row, as plain JSON."""
    files = Files(parts)
    inputs = [await files.row(row["owner"], row["id"], ref) for ref in row["request"]["inputs"]]
    return {
        "prompt": row["prompt"] + listing("Inputs to work with", inputs),
        "instructions": load("agent"),
        "last_turn": load("last_turn"),
        "max_steps": row["request"]["max_steps"],
        "earlier": [message.model_dump(mode="json") for message in await earlier(parts, row)],
        "image_ids": [asset["id"] for asset in inputs if asset["type"] == "image"],
    }


def read_brief(data: Mapping[str, Any]) -> loop.Brief:
    """A brief back from plain JSON."""
    # A run begun by an older version has this field under its earlier name; it was always empty here.
    spoken = [{name: value for name, value in message.items() if name != "image_ids"} for message in data["earlier"]]
    earlier = tuple(Message.model_validate(message) for message in spoken)
    return loop.Brief(**{**data, "earlier": earlier, "image_ids": tuple(data["image_ids"])})


async def earlier(parts: Parts, row: Mapping[str, Any]) -> list[Message]:
    """What was asked and answered in the generations before, oldest first, with their assets by id."""
    chain: list[Mapping[str, Any]] = []
    previous = row["previous_id"]
    while previous is not None and len(chain) < MAX_EARLIER:
        found = await parts.db.row(
            sa.select(generations).where(generations.c.id == previous, generations.c.owner == row["owner"])
        )
        if found is None:
            break
        chain.append(found)
        previous = found["previous_id"]
    made = await parts.records.of_generations([found["id"] for found in chain])
    messages: list[Message] = []
    for found in reversed(chain):
        given = await parts.records.left(
            found["owner"], [kept_as(found["id"], ref) for ref in found["request"]["inputs"]]
        )
        asked = (found["prompt"] or f"({tool_of(found)})") + listing("Inputs to work with", given)
        said = found["response"] or "(no answer)"
        if len(said) > MOST_ANSWERED:
            said = f"{said[:MOST_ANSWERED]} ... (cut off here)"
        answer = said + listing("Assets made", made[found["id"]])
        messages += [Message(role="user", content=asked), Message(role="assistant", content=answer)]
    return messages


def tool_of(row: Mapping[str, Any]) -> str:
    """What was called where nothing was said; a model's message must not be empty."""
    return str((row["request"].get("tool") or {}).get("name", "no words"))


def listing(title: str, assets: Sequence[Mapping[str, Any]]) -> str:
    """Assets under a title, as a paragraph of their own; nothing where there are none."""
    return f"\n\n{title}:\n" + "\n".join(f"- {describe(asset)}" for asset in assets) if assets else ""


def describe(asset: Mapping[str, Any]) -> str:
    """One asset in one line: its id, what it is, and what it was made from."""
    facts: Sequence[str] = [
        asset["type"],
        f"{asset['width']}x{asset['height']}" if asset["width"] else "",
        f"{asset['duration_s']:g} s" if asset["duration_s"] else "",
        f"voice {asset['voice']}" if asset.get("voice") else "",
        f"made from: {asset['prompt'][: MOST_WORDS[asset['type'] == 'speech']]}" if asset["prompt"] else "",
    ]
    return f"{asset['id']}: {', '.join(fact for fact in facts if fact)}"
