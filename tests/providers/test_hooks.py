"""Hooks: each call of a verb is told of, with what it took and cost, and nothing that is told can disturb it."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from providers.base import NOTHING, Family
from providers.catalogue import Model
from providers.errors import JobFailed, RateLimited
from providers.hooks import Call, Failure, Quiet, Response, about, watched
from providers.http import Http
from providers.registry import Registry
from providers.types import (
    ChatReply,
    ChatRequest,
    Done,
    ImageRequest,
    Media,
    MediaRequest,
    Message,
    Output,
    Pending,
    Ticket,
    Usage,
)

pytestmark = pytest.mark.anyio

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
CHAT = ChatRequest(model="mouth-wire", messages=(Message(role="user", content="a secret wish"),))
PICTURE = ImageRequest(model="brush", prompt="a secret wish")
REPLY = ChatReply(
    content="a secret answer", finish_reason="stop", usage=Usage(output_tokens=7), cost_usd=Decimal("0.1")
)
TICKET = Ticket(job_id="job_1")


class Acme(Family):
    """Answers as it is told to; an exception is raised."""

    name = "acme"
    key_names = ("ACME_KEY",)
    models = (
        Model(id="mouth", vendor="acme", modality="chat", api_id="mouth-wire"),
        Model(id="brush", vendor="acme", modality="image"),
    )

    def __init__(
        self, environment: Mapping[str, str] | None = None, http: Http | None = None, answer: Any = None
    ) -> None:
        super().__init__(environment or {"ACME_KEY": "sk-secret1234567"}, http or Http())
        self.answer = answer

    async def _answer(self) -> Any:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    async def complete(self, request: ChatRequest) -> ChatReply:
        return await self._answer()

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done | Ticket:
        return await self._answer()

    async def poll(self, ticket: Ticket) -> Done | Pending:
        return await self._answer()

    async def find(
        self, request: MediaRequest, since: dt.datetime, media: Mapping[str, Media] = NOTHING
    ) -> list[Ticket] | None:
        return await self._answer()

    async def cancel(self, ticket: Ticket) -> None:
        return await self._answer()


class Ear:
    """Remembers what it is told."""

    def __init__(self, *, wants_content: bool = False) -> None:
        self.wants_content = wants_content
        self.told: list[tuple[str, Call, Any]] = []

    def on_request(self, call: Call) -> None:
        self.told.append(("request", call, None))

    def on_response(self, call: Call, response: Response) -> None:
        self.told.append(("response", call, response))

    def on_error(self, call: Call, failure: Failure) -> None:
        self.told.append(("error", call, failure))

    @property
    def last(self) -> tuple[Call, Any]:
        """What came last."""
        _, call, said = self.told[-1]
        return call, said


class Clumsy(Quiet):
    """Fails whenever it is told anything."""

    def on_request(self, call: Call) -> None:
        raise RuntimeError("no")

    on_response = on_error = on_request  # type: ignore[assignment]


# ---- what is told ----------------------------------------------------------------------------------------------------


async def test_a_model_turn_is_told_of_with_its_usage_and_cost():
    ear = Ear()
    assert await watched(Acme(answer=REPLY), ear).complete(CHAT) is REPLY
    call, response = ear.last
    assert [kind for kind, *_ in ear.told] == ["request", "response"]
    assert (call.vendor, call.verb, call.modality, call.model) == ("acme", "complete", "chat", "mouth")
    assert (response.usage, response.cost_usd, response.finish_reason) == (REPLY.usage, Decimal("0.1"), "stop")
    assert response.finished
    assert response.duration_s >= 0


async def test_a_model_that_no_family_lists_is_called_what_it_was_asked_for_as():
    ear = Ear()
    await watched(Acme(answer=REPLY), ear).complete(ChatRequest(model="llama", messages=()))
    assert ear.last[0].model == "llama"


@pytest.mark.parametrize(
    ("answer", "finished", "job_id"),
    [(Done(outputs=(Output(data=b"x"),)), True, None), (TICKET, False, "job_1")],
)
async def test_a_submit_tells_whether_the_work_is_done_or_goes_on_as_a_job(answer, finished, job_id):
    ear = Ear()
    await watched(Acme(answer=answer), ear).submit(PICTURE, {})
    call, response = ear.last
    assert (call.verb, call.modality, call.model) == ("submit", "image", "brush")
    assert (response.finished, response.job_id) == (finished, job_id)


async def test_a_poll_is_told_of_with_its_job_and_the_model_it_is_said_to_be_about():
    ear, acme = Ear(), Acme(answer=Pending())
    family = watched(acme, ear)
    await family.poll(TICKET)
    assert (ear.last[0].job_id, ear.last[0].model, ear.last[1].finished) == ("job_1", None, False)
    acme.answer = Done(cost_usd=Decimal(2))
    with about("brush", "image"):
        await family.poll(TICKET)
    assert (ear.last[0].model, ear.last[0].modality) == ("brush", "image")
    assert (ear.last[1].finished, ear.last[1].cost_usd) == (True, Decimal(2))


async def test_a_search_and_a_cancellation_are_told_of():
    ear = Ear()
    family = watched(Acme(answer=[TICKET]), ear)
    assert await family.find(PICTURE, NOON) == [TICKET]
    await family.cancel(TICKET)
    assert [call.verb for _, call, _ in ear.told] == ["find", "find", "cancel", "cancel"]


async def test_a_failure_is_told_of_and_raised():
    ear, error = Ear(), RateLimited("later", retry_after=3)
    with pytest.raises(RateLimited) as raised:
        await watched(Acme(answer=error), ear).submit(PICTURE, {})
    assert raised.value is error
    assert (ear.last[1].error, ear.last[1].code) == (error, "rate_limited")


async def test_a_cancelled_call_is_over_too():
    ear = Ear()
    with pytest.raises(asyncio.CancelledError):
        await watched(Acme(answer=asyncio.CancelledError()), ear).complete(CHAT)
    assert [kind for kind, *_ in ear.told] == ["request", "error"]
    assert ear.last[1].code == "cancelled"


async def test_calls_side_by_side_are_told_apart_by_their_number():
    ear = Ear()
    family = watched(Acme(answer=REPLY), ear)
    await asyncio.gather(family.complete(CHAT), family.complete(CHAT))
    began = [call.number for kind, call, _ in ear.told if kind == "request"]
    ended = [call.number for kind, call, _ in ear.told if kind == "response"]
    assert (len(set(began)), sorted(began)) == (2, sorted(ended))


# ---- what is not told ------------------------------------------------------------------------------------------------


async def test_hooks_see_no_words_and_no_key_unless_they_want_the_words():
    shy, curious = Ear(), Ear(wants_content=True)
    await watched(Acme(answer=REPLY), shy, curious).complete(CHAT)
    assert "secret" not in repr(shy.told)
    assert (curious.last[0].content, curious.last[1].content) == (CHAT, REPLY)
    assert "sk-secret" not in repr(curious.told)


async def test_hooks_need_not_say_what_they_want():
    class Bare:
        def __init__(self) -> None:
            self.content: list[Any] = []

        def on_request(self, call: Call) -> None:
            self.content.append(call.content)

        def on_response(self, call: Call, response: Response) -> None:
            self.content.append(response.content)

        def on_error(self, call: Call, failure: Failure) -> None:
            raise AssertionError

    bare = Bare()
    await watched(Acme(answer=REPLY), bare).complete(CHAT)
    assert bare.content == [None, None]


# ---- what they cannot do ---------------------------------------------------------------------------------------------


async def test_hooks_that_fail_break_no_call_and_are_complained_of_once(caplog):
    ear = Ear()
    family = watched(Acme(answer=REPLY), Clumsy(), ear)
    with caplog.at_level(logging.ERROR):
        assert await family.complete(CHAT) is REPLY
        assert await family.complete(CHAT) is REPLY
    assert len([record for record in caplog.records if "Clumsy" in record.getMessage()]) == 1
    assert len(ear.told) == 4


async def test_hooks_that_fail_do_not_hide_the_vendors_failure():
    with pytest.raises(JobFailed):
        await watched(Acme(answer=JobFailed("broken")), Clumsy()).poll(TICKET)


# ---- the wrapper -----------------------------------------------------------------------------------------------------


def test_a_family_without_hooks_is_itself():
    acme = Acme()
    assert watched(acme) is acme


def test_a_watched_family_is_like_the_family_in_all_else():
    acme = Acme()
    family = watched(acme, Ear())
    assert isinstance(family, Family)
    assert (family.name, family.key, family.models, family.poll_every_s) == (
        "acme",
        acme.key,
        acme.models,
        acme.poll_every_s,
    )
    assert family.row("brush") is acme.models[1]
    assert family.unavailable() is None
    family.models = ()
    assert acme.models == ()


async def test_what_a_family_asks_of_itself_is_not_told():
    class Roundabout(Acme):
        async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done | Ticket:
            await self.complete(CHAT)
            return Done()

    ear = Ear()
    await watched(Roundabout(answer=REPLY), ear).submit(PICTURE, {})
    assert [call.verb for _, call, _ in ear.told] == ["submit", "submit"]


async def test_a_registry_tells_hooks_of_every_family():
    ear = Ear()
    registry = Registry.open({"ACME_KEY": "k"}, Http(), [Acme], hooks=[ear])
    await registry.family("acme").cancel(TICKET)
    assert [call.vendor for _, call, _ in ear.told] == ["acme", "acme"]
    await registry.aclose()
