"""What the model sees: text, ids and facts; never bytes, never a vendor's address.

Each call of a turn gets exactly one answer, in the order of the calls, before anything else is said: the vendors refuse
a conversation in which one is missing. Pictures the model must see follow in a user message, because a tool message may
hold text only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from providers.types import ChatReply, Message, ToolCall


@dataclass(frozen=True)
class Answer:
    """What a tool call came to: the text for the model, and assets whose pictures it must see."""

    text: str
    image_ids: tuple[str, ...] = ()


class History:
    """One conversation: the instructions, what was said before, the request, and the turns so far."""

    def __init__(
        self, instructions: str, prompt: str, *, earlier: Sequence[Message] = (), image_ids: Sequence[str] = ()
    ) -> None:
        self._messages: list[Message] = [
            Message(role="system", content=instructions),
            *earlier,
            Message(role="user", content=prompt, media_ids=tuple(image_ids)),
        ]

    def messages(self, reminder: str | None = None) -> tuple[Message, ...]:
        """The conversation, ending with a reminder for this turn alone where there is one."""
        last = (Message(role="user", content=reminder),) if reminder else ()
        return (*self._messages, *last)

    def add_reply(self, reply: ChatReply) -> None:
        """Append what the model said and asked for."""
        self._messages.append(Message(role="assistant", content=reply.content, tool_calls=reply.tool_calls))

    def add_answers(self, calls: Sequence[ToolCall], answers: Sequence[Answer]) -> None:
        """Append one answer for each call. Raises ValueError when they do not match in number."""
        for call, answer in zip(calls, answers, strict=True):
            self._messages.append(Message(role="tool", content=answer.text, tool_call_id=call.id))
        seen = [image_id for answer in answers for image_id in answer.image_ids]
        if seen:
            text = "The pictures the tools returned, in order: " + ", ".join(seen)
            self._messages.append(Message(role="user", content=text, media_ids=tuple(seen)))
