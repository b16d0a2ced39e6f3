"""What the contract's tests are given: the family, opened, and the wire it talks on."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, ClassVar, TypeVar

import pytest
import respx

from ..base import Family
from ..http import Http, patiently
from ..types import ChatReply, ChatRequest, Done, MediaRequest, Ticket
from .wire import Jobs, Listing, Wire

T = TypeVar("T", bound=Callable[..., Any])


def only_if(applies: Callable[[Wire], object]) -> Callable[[T], T]:
    """Marks a test that only some vendors are asked."""

    def mark(test: T) -> T:
        test.__dict__["applies"] = applies
        return test

    return mark


slow_vendor = only_if(lambda wire: wire.jobs)
listing_vendor = only_if(lambda wire: wire.listing)
vendor_with_a_key = only_if(lambda wire: wire.key)


class Setting:
    """The fixtures of the contract. A subclass with a `wire` keeps the tests that concern its vendor."""

    wire: ClassVar[Wire]
    pytestmark = pytest.mark.anyio

    def __init_subclass__(cls) -> None:
        for name in dir(cls) if hasattr(cls, "wire") else ():
            applies = getattr(getattr(cls, name), "applies", None)
            if applies is not None and not applies(cls.wire):
                setattr(cls, name, None)

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def router(self) -> Iterator[respx.MockRouter]:
        """Every call that is not mocked fails."""
        if self.wire.stack == "httpcore2":
            importlib.import_module("pytest_httpx2")  # which makes it known to respx
        with respx.mock(using=self.wire.stack, assert_all_called=False) as router:
            yield router

    @pytest.fixture
    async def family(self) -> AsyncIterator[Family]:
        http = Http()
        family = self.wire.family(self.wire.environment, http)
        yield family
        await family.aclose()
        await http.aclose()

    @property
    def jobs(self) -> Jobs:
        assert self.wire.jobs is not None
        return self.wire.jobs

    @property
    def listing(self) -> Listing:
        assert self.wire.listing is not None
        return self.wire.listing

    @property
    def media_request(self) -> MediaRequest:
        assert not isinstance(self.wire.request, ChatRequest)
        return self.wire.request

    async def order(self, family: Family) -> Done | Ticket | ChatReply:
        """Make the paid call."""
        if isinstance(self.wire.request, ChatRequest):
            return await family.complete(self.wire.request)
        return await family.submit(self.wire.request, self.wire.media)

    async def patient_order(self, family: Family) -> Done | Ticket | ChatReply:
        """Make the paid call as the product does, again where nothing was accepted; but not for long."""
        return await patiently(lambda: self.order(family), max_wait_s=1.0)


def at(router: respx.MockRouter, call: tuple[str, str]) -> respx.Route:
    """The route of a method and URL."""
    return router.route(method=call[0], url=call[1])


def a_while_ago() -> dt.datetime:
    """A time before everything that a test does."""
    return dt.datetime.now(dt.UTC) - dt.timedelta(minutes=10)
