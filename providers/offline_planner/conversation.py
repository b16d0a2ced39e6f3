"""Reads a conversation: the prompt that is being worked on, what came before it, and what its tool calls came to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ..types import ChatRequest, Message, ToolCall
from .openings import unopened
from .works import ADDRESS, Known, known, linked

ASSET = r"asset_\w+"
GIVEN = "the picture"
"""What to call a picture of which nothing is known."""
ENTRY = (
    rf"[ \t]*[-*][ \t]*(?P<id>{ASSET}):[ \t]*(?P<kind>\w+)(?P<facts>[^\n]*?)"
    rf"(?:made from:[ \t]*(?P<of>(?s:.*?))(?=\n[ \t]*[-*][ \t]*{ASSET}:|\Z)|$)"
)
LISTED = re.compile(rf"^{ENTRY}", re.MULTILINE)
"""What tells of an asset: "- asset_1: image, 1024x1024, made from: a red fox"; words may run over several lines."""
LISTING = re.compile(rf"(?:\n[^\n]*:)?\n{ENTRY}", re.MULTILINE)
VOICE = re.compile(r"\bvoice (\w+)")


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
            unopened(LISTING.sub("", "\n" + m.content).strip()) for m in before if m.role == "user" and m.content
        )
        self.turns = sum(1 for message in after if message.role == "assistant" and message.tool_calls)
        self.calls_before = sum(len(message.tool_calls) for message in messages)
        self.outcomes = tuple(_outcomes(after))
        listed = {found["id"]: _work(found) for m in before for found in LISTED.finditer(m.content)}
        came = [replace(_work(found), given=True) for found in LISTED.finditer(said)]
        now = {*named, *(work.id for work in came)}
        old = [work for work in listed.values() if work.id not in now]
        meant = [replace(listed.get(name) or known(name, "image"), given=True) for name in dict.fromkeys(named)]
        self.works: tuple[Known, ...] = (*old, *links, *meant, *(one for one in came if one.id not in named))
        """The works there are before this run: made earlier, oldest first, then those that came with the prompt."""
        spoken = [work for work in self.works if work.kind == "audio" and work.made_from]
        self.narration = next((work for work in spoken if work.given), spoken[-1] if spoken else None)
        """What was spoken last, or came with the prompt."""
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


def _work(found: re.Match[str]) -> Known:
    """A work as a listing tells of it."""
    voice = VOICE.search(found["facts"])
    return known(found["id"], found["kind"], (found["of"] or "").strip(), voice=voice[1] if voice else None)


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
