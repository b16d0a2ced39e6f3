"""Plans by rule: reads the wishes of the last prompt, calls a tool for each, and says in plain words what came of it.

A run has up to four turns of calls: enhancing prompts, where that is asked for; making, and working with what is there;
bringing to life pictures that were made in the turn before, and working with what was made; working with those clips.
Which turn it is, is read off the conversation, so nothing is kept between turns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from functools import cached_property
from itertools import chain

from ..types import ChatReply, ChatRequest, Message, ToolCall, ToolSpec, Usage
from .answers import answer, conversation_only
from .calls import (
    EDITOR,
    ENHANCER,
    MAKERS,
    arguments_for,
    choices_of,
    edit_call,
    enhance_call,
    make_call,
    most_at_once,
    naming,
    takes,
    to_call,
    together,
)
from .conversation import Conversation
from .enhancer import enhance
from .grammar import Quotes, beyond
from .references import referred, without_reference
from .tasks import Task, read_tasks
from .wishes import Wish, read_wishes
from .words import NOUNS, Kind, find_size
from .works import SAME_KIND

MOST_CALLS = 12
TEMPLATE = re.compile(r"^MODALITY:\s*(\w+)", re.MULTILINE)
"""The line by which the instructions of `enhance_prompt` say what the prompt is for."""
TRANSLATING = re.compile(r"\byou translate\b.*?\bto be in (?P<language>[\w -]+)", re.IGNORECASE | re.DOTALL)
"""The instructions of a translation."""
VERSIONS = re.compile(
    r"\b(\d{1,2}|two|three|four|five|six|a few|several|some)\s+(?:different\s+)?"
    r"(?:versions|alternatives|options|takes)\s+of\b",
    re.IGNORECASE,
)
ENHANCING = re.compile(
    r"\b(?:enhance|improve|refine|polish|rewrite|expand)\s+(?:(?:this|the|my|a|an|following|each|every|all|of|their|its)\s+)*"
    r"(?:(?P<noun>\w+)\s+)?prompts?\b(?:\s+(?:first|before|for me))*\s*[:,]?\s*",
    re.IGNORECASE,
)
THEN_MAKE = re.compile(
    r"\b(?:and|then)\s+(?:then\s+)?(?:make|generate|create|produce|use|draw|film|render|speak)\b.*$",
    re.IGNORECASE | re.DOTALL,
)


def plan(request: ChatRequest, seen: Mapping[str, str]) -> ChatReply:
    """The reply to one chat turn. `seen` says what there is to tell of each picture, where pictures are to be read."""
    template = next((m for message in request.messages if (m := TEMPLATE.search(message.content))), None)
    talk = Conversation(request)
    if template is not None and not request.tools:
        return reply(request, enhance(template[1].lower(), talk.text))
    if seen:
        told = " ".join(f"{name} is {what}." for name, what in seen.items())
        return reply(request, f"The offline stand-in sees shape and colour only. {told}")
    if not request.tools and (translation := TRANSLATING.search(_instructions(request))):
        return reply(request, untranslated(talk.text, translation["language"]))
    run = Plan(talk, request.tools)
    calls = run.calls() if request.tools_allowed else []
    return reply(request, "" if calls else run.answer(), calls)


def _instructions(request: ChatRequest) -> str:
    return "\n".join(message.content for message in request.messages if message.role == "system")


def untranslated(text: str, language: str) -> str:
    """A text line by line as it was, each line marked: translating takes a language model."""
    return "\n".join(f"[not translated into {language} offline] {line}" for line in text.split("\n") if line.strip())


def reply(request: ChatRequest, content: str, calls: Sequence[ToolCall] = ()) -> ChatReply:
    """A reply with the tokens a model would have used, by the rule of thumb of three words to four tokens."""
    usage = Usage(
        input_tokens=sum(map(tokens_in, request.messages)),
        output_tokens=words_to_tokens(" ".join((content, *(call.arguments for call in calls)))),
    )
    return ChatReply(
        content=content,
        tool_calls=tuple(calls),
        finish_reason="tool_calls" if calls else "stop",
        usage=usage,
        cost_usd=Decimal(0),
    )


def tokens_in(message: Message) -> int:
    """About how many tokens a message is."""
    return words_to_tokens(" ".join((message.content, *(call.arguments for call in message.tool_calls))))


def words_to_tokens(text: str) -> int:
    """About how many tokens a text is."""
    return -(-len(text.split()) * 4 // 3)


@dataclass(frozen=True)
class Order:
    """What a prompt asks for: works, whether to enhance their prompts first, and whether to make them at all."""

    wishes: tuple[Wish, ...]
    enhances: bool = False
    makes: bool = True
    tasks: tuple[Task, ...] = ()
    """What is to be done with works that are there."""
    references: tuple[str, ...] = ()
    """The ids of pictures whose character is to appear again."""


class Turn(Enum):
    """When in a run something is done."""

    FIRST, SECOND, THIRD = 1, 2, 3


class Plan:
    """The turns of one run."""

    def __init__(self, talk: Conversation, tools: Sequence[ToolSpec]) -> None:
        self.talk = talk
        self.tools = {tool.name: tool for tool in tools}

    @cached_property
    def order(self) -> Order:
        """What the prompt asks for, at most `MOST_CALLS` works of it, the same ones together where a tool can."""
        tool = self.tools.get(MAKERS["image"])
        wishes = self.asked.wishes[: max(0, MOST_CALLS - len(self.asked.tasks))]
        return replace(self.asked, wishes=together(wishes, most_at_once(tool)))

    @cached_property
    def asked(self) -> Order:
        """What the prompt asks for, read without the providers it names, which are no part of what is to be seen."""
        text = self.talk.text
        for choice in (choice for tool in self.tools.values() for choice in choices_of(tool, "provider")):
            text = naming(choice).sub("", text)
        text = VERSIONS.sub(r"\1 variants of", text)
        tasks, rest = read_tasks(text, self.talk.works, self.tools, self._takes("video", "video"))
        references: tuple[str, ...] = ()
        if self._takes("image", "reference_images") and (pictures := referred(rest, self.talk.works)):
            references, rest = pictures, without_reference(rest)
        order = read_order(rest, self.talk.earlier, self.talk.given, self._spoken)
        making = {SAME_KIND.get(wish.kind, wish.kind) for wish in order.wishes}
        doable = [task for task in tasks if task.works or making & set(task.kinds)]
        return replace(order, tasks=tuple(doable[:MOST_CALLS]), references=references)

    @property
    def _spoken(self) -> str:
        return self.talk.narration.made_from if self.talk.narration else ""

    def _takes(self, kind: Kind, name: str) -> bool:
        tool = self.tools.get(MAKERS[kind])
        return tool is not None and takes(tool, name)

    def calls(self) -> list[ToolCall]:
        """The calls of this turn; none when all has been done that can be."""
        stages = [self._enhance()] if self.order.enhances else []
        if self.order.makes:
            stages += [
                chain(self._make(), self._do(Turn.FIRST)),
                chain(self._animate(), self._do(Turn.SECOND)),
                self._do(Turn.THIRD),
            ]
        # An empty stage is no turn. The last stage depends on what the one before it made, and is empty until then.
        turns = [list(stage) for stage in stages]
        number, done = self.talk.calls_before, self.talk.turns
        for turn in filter(None, turns):
            if done == 0:
                return [to_call(number + i, tool, arguments) for i, (tool, arguments) in enumerate(turn, 1)]
            done -= 1
        return []

    def answer(self) -> str:
        """What came of it, or why nothing did."""
        if not self.order.wishes and not self.order.tasks and not self.talk.outcomes:
            lost = beyond(Quotes(self.talk.text).text)
            return conversation_only(lost, [kind for kind in MAKERS if kind in self._makeable()], self.tools)
        missing = {wish.kind for wish in self.order.wishes if self.order.makes} - self._makeable()
        return answer(
            self.talk.outcomes,
            missing=sorted(missing),
            beyond=beyond(Quotes(self.talk.text).text),
            cut=len(self.asked.wishes) > MOST_CALLS,
        )

    def _makeable(self) -> set[Kind]:
        return {kind for kind, name in MAKERS.items() if name in self.tools}

    # ---- the turns ---------------------------------------------------------------------------------------------------

    def _enhance(self) -> Iterator[tuple[str, dict[str, object]]]:
        tool = self.tools.get(ENHANCER)
        for wish in self.order.wishes if tool else ():
            assert tool is not None
            if (arguments := enhance_call(tool, wish)) is not None:
                yield tool.name, arguments

    def _make(self) -> Iterator[tuple[str, dict[str, object]]]:
        """One call for each wish, but for clips that wait for a picture of this run."""
        enhanced = self.talk.enhanced
        for i, wish in enumerate(self.order.wishes):
            if self._waits(wish):
                continue
            image = self.talk.picture if wish.animates else None
            better = enhanced[i] if i < len(enhanced) and enhanced[i] else None
            yield from self._call(reworded(wish, better), image)

    def _animate(self) -> Iterator[tuple[str, dict[str, object]]]:
        """The clips that waited, once their picture is there."""
        made = self.talk.made_pictures
        for wish in self.order.wishes:
            if self._waits(wish) and made:
                yield from self._call(wish, made[-1])

    def _do(self, turn: Turn) -> Iterator[tuple[str, dict[str, object]]]:
        """What is done with works that are there, or with those of this run, once they are."""
        for task in self.order.tasks:
            due = self._turn_of(task)
            made = [work for work in self.talk.made if work.kind in task.kinds]
            if due is not turn or (turn is not Turn.FIRST and not made):
                continue
            works = task.works if turn is Turn.FIRST else tuple(made) if task.place == "images" else (made[-1],)
            ids: object = [work.id for work in works] if task.place == "images" else works[0].id
            tool = self.tools[task.tool]
            if (arguments := arguments_for(tool, {**task.facts, task.place: ids})) is not None:
                yield tool.name, arguments

    def _turn_of(self, task: Task) -> Turn:
        """When a task can be done: at once, after what is made first, or after a clip that waits for a picture."""
        wishes = [wish for wish in self.order.wishes if SAME_KIND.get(wish.kind, wish.kind) in task.kinds]
        if task.works and not (task.later and wishes):
            return Turn.FIRST
        return Turn.THIRD if any(self._waits(wish) for wish in wishes) else Turn.SECOND

    def _waits(self, wish: Wish) -> bool:
        tool = self.tools.get(MAKERS["video"])
        drawn = any(other.kind == "image" for other in self.order.wishes) and MAKERS["image"] in self.tools
        return wish.animates and drawn and tool is not None and takes(tool, "image")

    def _call(self, wish: Wish, image: str | None) -> Iterator[tuple[str, dict[str, object]]]:
        if wish.text and wish.text == self._spoken and not wish.voice and self.talk.narration:
            wish = replace(wish, voice=self.talk.narration.voice)  # read again by the one who read it before
        editor, before = self.tools.get(EDITOR), self.talk.picture
        resized = replace(wish, size=find_size(self.talk.text))  # a picture that is there has its size
        if wish.change and editor and before and (arguments := edit_call(editor, resized, before)) is not None:
            yield editor.name, arguments
            return
        tool = self.tools.get(MAKERS[wish.kind])
        if (
            tool is not None
            and (arguments := make_call(tool, wish, self.talk.text, image, () if image else self.order.references))
            is not None
        ):
            yield tool.name, arguments


def reworded(wish: Wish, better: str | None) -> Wish:
    """The wish with an enhanced prompt or text in place of its own."""
    if better is None:
        return wish
    return replace(wish, text=better) if wish.text else replace(wish, about=better, frame="{}", view="")


def read_order(text: str, earlier: Sequence[str], given: str, narration: str = "") -> Order:
    """What a prompt asks for: the wishes in it, or a prompt to be enhanced and perhaps then used."""
    asked = ENHANCING.search(text)
    if asked is None:
        return Order(read_wishes(text, earlier, given, narration))
    quotes = Quotes(text[asked.end() :])
    then = THEN_MAKE.search(quotes.text)
    rest = quotes.text[: then.start()] if then else quotes.text
    idea = quotes.first(quotes.text) or quotes.restore(rest).strip(" ,.;\n")
    if len(idea.split()) < 2 and not quotes.said:  # the prompt meant is that of the wishes around it
        wishes = read_wishes(f"{text[: asked.start()]} {text[asked.end() :]}".strip(" ,;."), earlier, given)
        return Order(wishes, enhances=True)
    kind = NOUNS.get((asked["noun"] or "").lower(), "image")
    wish = Wish(kind, text=idea) if kind == "speech" else Wish(kind, idea)
    return Order((wish,), enhances=True, makes=then is not None)
