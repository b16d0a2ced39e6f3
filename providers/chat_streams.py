"""Folds a stream of Chat Completions chunks into the body the same answer would have had without streaming.

OpenAI's own chunks are simple (openai 3.52.0, types/chat/chat_completion_chunk.py). The rest of the rules answer shapes
seen in recorded traffic of vendors that speak the same format: deltas without an index, a name split or repeated over
deltas, one id in both choices of `n=2`, chunks with `choices: []`, comment lines, failures inside HTTP 200.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .chat_errors import error_inside
from .errors import MalformedAnswer, OutcomeUnknown

TEXT_PARTS = ("text", "output_text")


def fold(stream: str | Iterable[str], vendor: str) -> dict[str, Any]:
    """The JSON body a stream stands for; the stream is text or lines. Of several choices it holds the first.

    Raises OutcomeUnknown when the stream breaks off (neither `[DONE]` nor a finish_reason came), what `error_inside`
    makes of an error reported in it, MalformedAnswer when it cannot be understood.
    """
    choices: dict[int, _Choice] = {}
    usage: Any = None
    done = False
    for event, data in _events(stream):
        done = data.strip() == "[DONE]"
        if done:
            break
        chunk = _chunk(vendor, event, data)
        usage = chunk.get("usage") or usage
        for part in dicts(chunk.get("choices")):
            if part.get("error"):
                raise error_inside(vendor, part["error"])
            choices.setdefault(_number(part.get("index")) or 0, _Choice()).add(part)
    first = choices[min(choices)] if choices else None
    if not done and (first is None or not first.finish_reason):
        raise OutcomeUnknown(f"{vendor}'s answer broke off before its end.")
    return {"choices": [first.folded()] if first else [], "usage": usage}


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in a JSON array; none where it is no array."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def function_of(call: dict[str, Any]) -> tuple[str, str]:
    """Name and argument text of a call or of a piece of one. `type: "custom"` calls have `name` and `input` under
    `custom`; some vendors send the arguments as an object instead of text."""
    part = next((call[key] for key in ("function", "custom") if isinstance(call.get(key), dict)), call)
    arguments = part.get("arguments", part.get("input"))
    if isinstance(arguments, dict | list):
        arguments = json.dumps(arguments)
    return _text(part.get("name")), _text(arguments)


def text_of(content: Any) -> str:
    """The text in `content`, which is a string, null, or a list of parts."""
    if not isinstance(content, list):
        return _text(content)
    return "".join(_text(part.get("text")) for part in dicts(content) if part.get("type", "text") in TEXT_PARTS)


def is_object(text: str) -> bool:
    """Whether a text is one JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _events(stream: str | Iterable[str]) -> Iterator[tuple[str, str]]:
    """The (event, data) pairs of server-sent events, after the WHATWG description; comment lines are skipped."""
    # Not splitlines(): that also splits at U+2028 and others, which JSON allows inside a string.
    lines = re.split(r"\r\n|\r|\n", stream) if isinstance(stream, str) else stream
    event, data = "", list[str]()
    for raw in [*lines, ""]:
        line = raw.rstrip("\r\n")
        name, _, value = line.partition(":")
        if name == "event":
            event = value.strip()
        elif name == "data":
            data.append(value.removeprefix(" "))
        elif not line:
            if data:
                yield event, "\n".join(data)
            event, data = "", []


def _chunk(vendor: str, event: str, data: str) -> dict[str, Any]:
    """One chunk; an error reported in it is raised."""
    try:
        chunk = json.loads(data)
    except ValueError as error:
        if event == "error":
            raise error_inside(vendor, data) from error
        raise MalformedAnswer(f"{vendor} streamed something that is not JSON.") from error
    if not isinstance(chunk, dict):
        raise MalformedAnswer(f"{vendor} streamed something that is not a JSON object.")
    if event == "error" or chunk.get("error") or chunk.get("object") == "error":
        raise error_inside(vendor, chunk.get("error") or chunk)
    return chunk


@dataclass
class _Call:
    """One tool call while its pieces arrive."""

    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""

    def add(self, call_id: str, name: str, arguments: str) -> None:
        """Append a piece. The name comes whole, in pieces, or again with every piece."""
        self.id = self.id or call_id
        self.name = name if name.startswith(self.name) else self.name + name
        self.arguments += arguments


@dataclass
class _Choice:
    """One choice while its deltas arrive."""

    content: str = ""
    refusal: str = ""
    finish_reason: str = ""
    calls: list[_Call] = field(default_factory=list)

    def add(self, part: dict[str, Any]) -> None:
        """Take in one delta."""
        self.finish_reason = _text(part.get("finish_reason")) or self.finish_reason
        delta = part.get("delta")
        if not isinstance(delta, dict):
            return
        self.content += text_of(delta.get("content"))
        self.refusal += _text(delta.get("refusal"))
        for piece in dicts(delta.get("tool_calls")):
            call_id, (name, arguments) = str(piece.get("id") or ""), function_of(piece)
            self._call_of(_number(piece.get("index")), call_id, name, arguments).add(call_id, name, arguments)

    def _call_of(self, index: int | None, call_id: str, name: str, arguments: str) -> _Call:
        """The call a piece belongs to: by its id, else by its index, else the last one; a new one where none fits.

        A name begins a new call, even at an index in use, when it comes with another id (some vendors give every call
        the index 0) or with arguments after a call whose arguments are complete.
        """
        same_id = [call for call in self.calls if call_id and call.id == call_id and index in (None, call.index)]
        near = same_id or [call for call in self.calls if index is None or call.index == index]
        call = near[-1] if near else None
        if call is not None and name and not same_id:
            another = (call.id and call_id) or (arguments and is_object(call.arguments))
            call = None if another else call
        if call is None:
            call = _Call(index)
            self.calls.append(call)
        return call

    def folded(self) -> dict[str, Any]:
        """The choice in the shape of an answer that was not streamed."""
        calls = [{"id": call.id, "function": {"name": call.name, "arguments": call.arguments}} for call in self.calls]
        message = {"content": self.content, "refusal": self.refusal, "tool_calls": calls}
        return {"message": message, "finish_reason": self.finish_reason}
