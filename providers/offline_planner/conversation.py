"""Reads a conversation: the prompt that is being worked on, what came before it, and what its tool calls came to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..types import ChatRequest, Message, ToolCall
from .works import ADDRESS, Known, known, linked

ASSET = r"asset_\w+"
GIVEN = "the picture, coming slowly closer"
"""What to call a picture of which nothing is known."""
LISTED = re.compile(rf"^[ \t]*[-*][ \t]*({ASSET}):\s*(\w+)(?:.*?made from:\s*(.*))?", re.MULTILINE)
"""A line that tells of an asset: "- asset_1: image, 1024x1024, made from: a red fox"."""
LISTING = re.compile(rf"(?:\n[^\n]*:)?(?:\n[ \t]*[-*][ \t]*{ASSET}:[^\n]*)+")


@dataclass(frozen=True)
class Outcome:
    """What a tool call came to."""

    call: ToolCall
    assets: tuple[dict[str, Any], ...] = ()
    error: str | None = None
    text: str | None = None
    """The prompt that was written, for a call that enhances one."""
    told: dict[str, Any] = field(default_factory=dict)
    """All that the tool answered."""

    @property
    def arguments(self) -> dict[str, Any]:
        """The call's arguments."""
        return as_object(self.call.arguments)


class Conversation:
    """One conversation, as far as a plan needs it."""

    def __init__(self, request: ChatRequest) -> None:
        messages = request.messages
        at = _prompt_index(messages, request.tools_allowed)
        said = messages[at].content if at is not None else ""
        before, after = messages[: at or 0], messages[(at or 0) + 1 :]
        links = linked(said)
        plain = LISTING.sub("", "\n" + said)
        named = re.findall(rf"\b{ASSET}\b", plain)
        plain = ADDRESS.sub(lambda match: "it" if match[0] in {link.id for link in links} else match[0], plain)
        self.text = re.sub(rf"\b{ASSET}\b", "it", plain).strip()
        """The prompt, without the list of its inputs."""
        self.earlier = tuple(
            LISTING.sub("", "\n" + m.content).strip() for m in before if m.role == "user" and m.content
        )
        self.turns = sum(1 for message in after if message.role == "assistant" and message.tool_calls)
        self.calls_before = sum(len(message.tool_calls) for message in messages)
        self.outcomes = tuple(_outcomes(after))
        listed = {found[1]: found for m in before for found in LISTED.finditer(m.content)}
        old = [known(found[1], found[2], found[3] or "") for found in listed.values() if found[1] not in named]
        meant = [replace(_by_name(name, listed), given=True) for name in dict.fromkeys(named)]
        came = [known(found[1], found[2], found[3] or "", given=True) for found in LISTED.finditer(said)]
        self.works: tuple[Known, ...] = (*old, *links, *meant, *(one for one in came if one.id not in named))
        """The works there are before this run: made earlier, oldest first, then those that came with the prompt."""
        spoken = [found[3] for found in listed.values() if found[2] == "speech" and found[3]]
        self.narration = spoken[-1] if spoken else ""
        """The words that were spoken last."""
        pictures = [work for work in self.works if work.kind == "image"]
        inputs = [(work.id, work.made_from) for work in pictures if work.given]
        self.given = next((of for _, of in inputs if of), GIVEN) if inputs else ""
        """What the pictures show that came with the prompt; empty where none did."""
        self.picture = next(iter([*(name for name, _ in inputs), *(work.id for work in reversed(pictures))]), None)
        """The id of the picture that "it" means before anything is made: named, given, or made earlier."""

    @property
    def made(self) -> list[Known]:
        """The works made in this run."""
        return [known(str(a["id"]), str(a.get("type"))) for one in self.outcomes for a in one.assets]

    @property
    def made_pictures(self) -> list[str]:
        """The ids of the pictures made in this run."""
        return [work.id for work in self.made if work.kind == "image"]

    @property
    def enhanced(self) -> list[str | None]:
        """The prompts that were enhanced in this run, None for one that failed."""
        return [one.text for one in self.outcomes if one.call.name == "enhance_prompt"]


def _by_name(id: str, listed: Mapping[str, re.Match[str]]) -> Known:
    """A work that the prompt names by its id; a picture where nothing else is known of it."""
    found = listed.get(id)
    return known(id, found[2], found[3] or "") if found else known(id, "image")


def as_object(text: str) -> dict[str, Any]:
    """The JSON object in a text; an empty one where there is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _prompt_index(messages: tuple[Message, ...], tools_allowed: bool) -> int | None:
    """Where the prompt stands: the last user message that is neither pictures shown by a tool nor a reminder."""
    last = None
    for i, message in enumerate(messages):
        if message.role != "user":
            continue
        run: tuple[Message, ...] = messages[last + 1 : i] if last is not None else ()
        answered = any(one.role == "assistant" and not one.tool_calls for one in run)
        shown = bool(message.media_ids) and any(one.role == "tool" for one in run)
        if last is None or answered or (tools_allowed and not shown):
            last = i
    return last


def _outcomes(messages: tuple[Message, ...]) -> Iterator[Outcome]:
    calls = {call.id: call for message in messages for call in message.tool_calls}
    for message in messages:
        if message.role != "tool" or message.tool_call_id not in calls:
            continue
        call, told = calls[message.tool_call_id], as_object(message.content)
        if told.get("error") or not told:
            yield Outcome(call, told=told, error=str(told.get("error") or message.content or "no reason was given"))
            continue
        assets = tuple(one for one in told.get("assets") or () if isinstance(one, dict) and one.get("id"))
        text = next(
            (told[key] for key in ("prompt", "enhanced_prompt", "text") if isinstance(told.get(key), str)), None
        )
        yield Outcome(call, assets, text=text, told=told)
