"""The part of the contract about works that take a while: jobs, and submits whose answer was lost."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import respx

from ..base import Family
from ..errors import JobFailed, JobLost, ProviderError, Unanswered
from ..types import ChatRequest, Done, Pending, Ticket
from .setting import Setting, a_while_ago, at, listing_vendor, only_if, slow_vendor


class JobContract(Setting):
    """What a slow vendor's jobs do, and what a vendor's list tells."""

    # ---- jobs ----

    @slow_vendor
    async def test_job_is_polled_until_done(self, router: respx.MockRouter, family: Family) -> None:
        at(router, self.jobs.poll).side_effect = [self.jobs.pending, self.jobs.finished]
        if self.jobs.result:
            at(router, ("GET", self.jobs.result[0])).mock(return_value=self.jobs.result[1])
        assert await family.poll(self.jobs.ticket) == Pending(progress=self.jobs.progress)
        done = await family.poll(self.jobs.ticket)
        assert isinstance(done, Done)
        assert done.outputs

    @slow_vendor
    async def test_failed_job_is_permanent(self, router: respx.MockRouter, family: Family) -> None:
        at(router, self.jobs.poll).mock(return_value=self.jobs.failed)
        with pytest.raises(JobFailed) as caught:
            await family.poll(self.jobs.ticket)
        assert caught.value.permanent

    @slow_vendor
    async def test_unknown_job_is_lost(self, router: respx.MockRouter, family: Family) -> None:
        at(router, self.jobs.poll).mock(return_value=self.jobs.lost)
        with pytest.raises(JobLost):
            await family.poll(self.jobs.ticket)

    @slow_vendor
    @pytest.mark.parametrize(
        "trouble",
        [
            {"side_effect": httpx.ReadTimeout("slow")},
            {"side_effect": httpx.ConnectError("refused")},
            {"return_value": httpx.Response(503)},
            {"return_value": httpx.Response(401, json={"error": "key revoked"})},
            {"return_value": httpx.Response(200, text="<html>")},
        ],
    )
    async def test_poll_without_an_answer_is_no_verdict(
        self, router: respx.MockRouter, family: Family, trouble: dict[str, Any]
    ) -> None:
        at(router, self.jobs.poll).mock(**trouble)
        with pytest.raises(Unanswered) as caught:
            await family.poll(self.jobs.ticket)
        assert not caught.value.permanent

    @slow_vendor
    async def test_ticket_keeps_no_address(self, router: respx.MockRouter, family: Family) -> None:
        at(router, self.wire.submit).mock(return_value=self.wire.accepted)
        ticket = await self.order(family)
        assert isinstance(ticket, Ticket)
        assert "://" not in ticket.model_dump_json()

    @only_if(lambda wire: wire.jobs and wire.jobs.cancel)
    async def test_cancel_may_be_asked_twice(self, router: respx.MockRouter, family: Family) -> None:
        assert self.jobs.cancel is not None
        assert self.jobs.cancelled is not None
        route = at(router, self.jobs.cancel)
        route.side_effect = [self.jobs.cancelled, self.jobs.lost]
        await family.cancel(self.jobs.ticket)
        await family.cancel(self.jobs.ticket)
        assert route.call_count == 2

    @only_if(lambda wire: wire.jobs and not wire.jobs.cancel)
    async def test_cancel_at_a_vendor_that_cannot_stop_a_job_sends_nothing_and_is_no_error(
        self, router: respx.MockRouter, family: Family
    ) -> None:
        await family.cancel(self.jobs.ticket)
        assert not router.calls

    # ---- lost answers ----

    @listing_vendor
    async def test_lost_job_is_found_again_as_the_ticket_it_would_have_been(
        self, router: respx.MockRouter, family: Family
    ) -> None:
        at(router, self.listing.ask).mock(return_value=self.listing.listed)
        assert await family.find(self.media_request, a_while_ago()) == [self.wire.listed_ticket]

    @listing_vendor
    async def test_job_that_was_never_accepted_is_not_found(self, router: respx.MockRouter, family: Family) -> None:
        at(router, self.listing.ask).mock(return_value=self.listing.nothing)
        assert await family.find(self.media_request, a_while_ago()) == []

    @listing_vendor
    @pytest.mark.parametrize(
        "trouble",
        [
            {"side_effect": httpx.ReadTimeout("slow")},
            {"return_value": httpx.Response(500)},
            {"return_value": httpx.Response(401, json={"error": "key revoked"})},
            {"return_value": httpx.Response(200, json={"results": "none"})},
        ],
    )
    async def test_list_that_cannot_be_read_does_not_say_that_there_is_none(
        self, router: respx.MockRouter, family: Family, trouble: dict[str, Any]
    ) -> None:
        at(router, self.listing.ask).mock(**trouble)
        with pytest.raises(ProviderError):
            await family.find(self.media_request, a_while_ago())

    @only_if(lambda wire: not wire.listing and not isinstance(wire.request, ChatRequest))
    async def test_vendor_without_a_list_says_that_it_cannot_be_asked(
        self, router: respx.MockRouter, family: Family
    ) -> None:
        assert await family.find(self.media_request, a_while_ago()) is None
        assert not router.calls
