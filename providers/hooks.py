"""Watching the families: a program's own code is told of each call of a verb, what it took, used and cost.

    registry = Registry.open(environment, http, hooks=[MyHooks()])
    family = watched(family, MyHooks())

Hooks see what a call was, never a key. Of prompts and media they see nothing unless they say so (`wants_content`).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
import logging
import time
from collections.abc import Awaitable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal, Protocol, TypeVar

from .base import NOTHING, Family
from .types import ChatReply, ChatRequest, Done, Media, MediaRequest, Modality, Pending, Ticket, Usage

log = logging.getLogger(__name__)

T = TypeVar("T")
Verb = Literal["complete", "submit", "poll", "find", "cancel"]
OWN = frozenset({"complete", "submit", "poll", "find", "cancel", "_around", "_call", "_family", "_hooks", "_wanted"})
counting = itertools.count(1)


# ---- what hooks are told ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """One call of a verb. `number` is another one for each call in this process: it ties an answer to its request."""

    number: int
    vendor: str
    verb: Verb
    modality: Modality | None = None
    model: str | None = None
    """The catalogue's id where there is one. A question about a job is told it by `about`, and else does not know."""
    job_id: str | None = None
    content: ChatRequest | MediaRequest | None = None
    """The request, only for hooks that want it."""


@dataclass(frozen=True)
class Response:
    """What came of a call. `usage`, `cost_usd` are the vendor's, None where it gave none: unknown is not zero."""

    duration_s: float
    finished: bool = True
    """False where the work goes on: a job was accepted, or is still under way."""
    job_id: str | None = None
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    finish_reason: str | None = None
    content: ChatReply | Done | None = None
    """The answer, only for hooks that want it. Bytes that are still coming are not to be read here."""


@dataclass(frozen=True)
class Failure:
    """How a call failed. `error` is a `ProviderError`; or what cut the call off, such as a cancellation."""

    duration_s: float
    error: BaseException

    @property
    def code(self) -> str:
        """A word for the kind of failure."""
        if isinstance(self.error, asyncio.CancelledError):
            return "cancelled"
        return str(getattr(self.error, "code", None) or type(self.error).__name__)


class Hooks(Protocol):
    """Told of each call: `on_request` first, then one of the other two. Called on the event loop, in the task of the
    call, so they are to be quick. What they raise is logged, once for each of them, and changes nothing.

    With an attribute `wants_content` that is true they get `content`, too: prompts, and the media of answers.
    """

    def on_request(self, call: Call) -> None:
        """A call is about to be made."""

    def on_response(self, call: Call, response: Response) -> None:
        """It was answered."""

    def on_error(self, call: Call, failure: Failure) -> None:
        """It failed."""


class Quiet:
    """Hooks that do nothing: a base for those that want to hear of some things only."""

    wants_content = False

    def on_request(self, call: Call) -> None:
        """Nothing."""

    def on_response(self, call: Call, response: Response) -> None:
        """Nothing."""

    def on_error(self, call: Call, failure: Failure) -> None:
        """Nothing."""


# ---- what a ticket does not tell -------------------------------------------------------------------------------------


_subject: ContextVar[tuple[str, Modality | None] | None] = ContextVar("subject", default=None)


@contextlib.contextmanager
def about(model: str, modality: Modality | None = None) -> Iterator[None]:
    """Says which model the polls and cancellations inside are about: a ticket does not tell."""
    token = _subject.set((model, modality))
    try:
        yield
    finally:
        _subject.reset(token)


# ---- the wrapper -----------------------------------------------------------------------------------------------------


def watched(family: Family, *hooks: Hooks) -> Family:
    """A family that does as this one does, and tells the hooks; the very same one when there are none."""
    return Watched(family, tuple(Careful(one) for one in hooks)) if hooks else family


class Careful:
    """Hooks that cannot disturb a call, whatever they do, and see only what they want."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._failed = False
        self.wants_content = bool(getattr(hooks, "wants_content", False))

    def tell(self, name: str, call: Call, *said: Response | Failure) -> None:
        """Call one of the three, with what it wants of this."""
        try:
            told = (call, *said) if self.wants_content else tuple(map(bare, (call, *said)))
            getattr(self._hooks, name)(*told)
        except Exception:
            if not self._failed:
                who = type(self._hooks).__name__
                log.exception("%s.%s failed; calls go on, and this is not said again", who, name)
            self._failed = True


def bare(value: Any) -> Any:
    """The value without what was said and made."""
    return replace(value, content=None) if getattr(value, "content", None) is not None else value


class Watched(Family):
    """Delegates everything to a family, and tells of its verbs."""

    _family: Family
    _hooks: tuple[Careful, ...]
    _wanted: bool
    """Whether any of them wants the words."""

    def __init__(self, family: Family, hooks: tuple[Careful, ...]) -> None:
        object.__setattr__(self, "_family", family)
        object.__setattr__(self, "_hooks", hooks)
        object.__setattr__(self, "_wanted", any(one.wants_content for one in hooks))

    def __getattribute__(self, name: str) -> Any:
        own = object.__getattribute__
        return own(self, name) if name in OWN else getattr(own(self, "_family"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._family, name, value)

    async def complete(self, request: ChatRequest) -> ChatReply:
        call = self._call("complete", request.model, "chat", request)
        return await self._around(call, self._family.complete(request))

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done | Ticket:
        call = self._call("submit", request.model, request.modality, request)
        return await self._around(call, self._family.submit(request, media))

    async def poll(self, ticket: Ticket) -> Done | Pending:
        return await self._around(self._call("poll", job_id=ticket.job_id), self._family.poll(ticket))

    async def find(
        self, request: MediaRequest, since: dt.datetime, media: Mapping[str, Media] = NOTHING
    ) -> list[Ticket] | None:
        call = self._call("find", request.model, request.modality, request)
        return await self._around(call, self._family.find(request, since, media))

    async def cancel(self, ticket: Ticket) -> None:
        await self._around(self._call("cancel", job_id=ticket.job_id), self._family.cancel(ticket))

    def _call(
        self,
        verb: Verb,
        model: str | None = None,
        modality: Modality | None = None,
        content: ChatRequest | MediaRequest | None = None,
        *,
        job_id: str | None = None,
    ) -> Call:
        family = self._family
        if model is None:
            model, modality = _subject.get() or (None, None)
        elif modality == "chat":  # asked for by the name it has on the wire
            model = next((row.id for row in family.models if model in (row.wire_id, row.id)), model)
        return Call(next(counting), family.name, verb, modality, model, job_id, content if self._wanted else None)

    async def _around(self, call: Call, work: Awaitable[T]) -> T:
        hooks = self._hooks
        for one in hooks:
            one.tell("on_request", call)
        began = time.perf_counter()
        try:
            answer = await work
        except BaseException as error:
            failure = Failure(time.perf_counter() - began, error)
            for one in hooks:
                one.tell("on_error", call, failure)
            raise
        response = response_of(answer, time.perf_counter() - began, self._wanted)
        for one in hooks:
            one.tell("on_response", call, response)
        return answer


def response_of(answer: object, duration_s: float, wanted: bool) -> Response:
    """What hooks are told of a verb's answer; with its content where that is wanted."""
    match answer:
        case ChatReply() | Done():
            reason = answer.finish_reason or None if isinstance(answer, ChatReply) else None
            content = answer if wanted else None
            return Response(duration_s, True, None, answer.usage, answer.cost_usd, reason, content)
        case Ticket():
            return Response(duration_s, finished=False, job_id=answer.job_id)
        case Pending():
            return Response(duration_s, finished=False)
        case _:
            return Response(duration_s)
