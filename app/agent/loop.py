"""What Impresario does: ask the model, call the tools it asks for side by side, append, until it has answered.

Pure: the two effects come in as `Effects`, so the loop knows no network, database, clock or workflow engine.

    Stop
      Answered    the model said something and asked for nothing
      TurnLimit   `max_steps` turns were used
      Refused     the model would not, or its vendor blocked the answer
      CutOff      the answer ended at the length limit
      Empty       neither words nor calls came back
      Spent       the next model turn would pass the cost cap
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from providers.types import ChatReply, Message, ToolCall

from .history import Answer, History


@dataclass(frozen=True)
class Brief:
    """What one run starts from. `max_steps` counts model turns."""

    prompt: str
    instructions: str
    last_turn: str
    max_steps: int = 10
    earlier: tuple[Message, ...] = ()
    image_ids: tuple[str, ...] = ()


class Effects(Protocol):
    """The two things the loop does to the world."""

    async def complete(self, turn: int, messages: Sequence[Message], *, tools_allowed: bool) -> ChatReply:
        """One model turn, numbered from 1. Raises Spent when it cannot be afforded."""

    async def call_tools(self, turn: int, calls: Sequence[ToolCall]) -> Sequence[Answer]:
        """Run the calls of one turn side by side; an answer for each, in their order, whatever happened."""


class Stop(Exception):
    """A reason to end. `reason` is the generation's `stop_reason`, `words` what the model left, if anything."""

    reason: ClassVar[str]
    explanation: ClassVar[str] = ""

    def __init__(self, words: str = "") -> None:
        super().__init__(words)
        self.words = words

    def response(self, made: Sequence[str] = ()) -> str:
        """What the user reads: the model's words, why the run ended, and what was made until then."""
        works = f"Made so far: {', '.join(made)}." if made else "Nothing was made."
        return " ".join(part for part in (self.words, self.explanation, works if self.explanation else "") if part)


class Answered(Stop):
    reason = "answered"


class TurnLimit(Stop):
    reason = "max_steps"
    explanation = "The run ended at its limit of model turns before the model had answered; raise max_steps for more."


class Refused(Stop):
    reason = "refused"
    explanation = "The model refused, or its vendor blocked the answer; word the request differently."


class CutOff(Stop):
    reason = "cut_off"
    explanation = "The model's answer was cut off at its length limit."


class Empty(Stop):
    reason = "empty"
    explanation = "The model answered with nothing; try again, or with another model."


class Spent(Stop):
    reason = "budget"
    explanation = "The next model turn would have passed the cost cap, so the run ended; raise max_cost_usd for more."


async def run(brief: Brief, effects: Effects) -> Stop:
    """Work through one request and say how it ended. Errors of a model turn are the caller's to judge."""
    history = History(brief.instructions, brief.prompt, earlier=brief.earlier, image_ids=brief.image_ids)
    try:
        for turn in range(1, brief.max_steps + 1):
            last = turn == brief.max_steps
            reminder = brief.last_turn if last else None
            reply = await effects.complete(turn, history.messages(reminder), tools_allowed=not last)
            check(reply, last=last)
            history.add_reply(reply)
            history.add_answers(reply.tool_calls, await effects.call_tools(turn, reply.tool_calls))
        raise TurnLimit
    except Stop as stop:
        return stop


def check(reply: ChatReply, *, last: bool) -> None:
    """Raise the Stop this reply calls for; return when its calls are to be made.

    The presence of calls decides, not `finish_reason`: vendors send "stop", or "", beside calls.
    """
    if reply.tool_calls and not last:
        return
    if reply.refusal or reply.finish_reason == "content_filter":
        raise Refused(reply.refusal or reply.content)
    if reply.tool_calls:
        raise TurnLimit(reply.content)
    if reply.finish_reason == "length":
        raise CutOff(reply.content)
    if not reply.content.strip():
        raise Empty
    raise Answered(reply.content)
