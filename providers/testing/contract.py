"""One contract for every vendor: what a family must do, whatever its wire looks like."""

from __future__ import annotations

import httpx
import pytest
import respx

from ..base import Family
from ..errors import (
    InvalidRequest,
    MalformedAnswer,
    ModelGone,
    Moderated,
    NotSent,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Unauthorized,
)
from ..http import Http
from ..registry import Registry
from ..types import ChatReply, Done, Output
from .drip import Drip
from .jobs import JobContract
from .setting import at, vendor_with_a_key


class FamilyContract(JobContract):
    """Subclass it as `Test...` and set `wire`: the tests that concern this vendor are collected with it."""

    # ---- the family ----

    async def test_family_would_not_be_left_out(self) -> None:
        registry = Registry.open(self.wire.environment, Http(), [self.wire.family])
        assert (list(registry.families), dict(registry.problems)) == ([self.wire.family.name], {})
        assert registry.catalogue.unavailable == {}
        await registry.aclose()

    @vendor_with_a_key
    async def test_family_without_its_key_says_what_to_set(self) -> None:
        family = self.wire.family({}, Http())
        assert family.key_names[0] in (family.unavailable() or "")
        await family.aclose()
        await family.http.aclose()

    # ---- the submit ----

    async def test_accepted_request_gives_the_work_or_a_ticket(self, router: respx.MockRouter, family: Family) -> None:
        at(router, self.wire.submit).mock(return_value=self.wire.accepted)
        result = await self.order(family)
        if self.wire.jobs:
            assert result == self.wire.jobs.ticket
        elif isinstance(result, ChatReply):
            assert result.content
        else:
            assert isinstance(result, Done)
            assert result.outputs

    async def test_blocked_content_is_moderated_and_not_retried(self, router: respx.MockRouter, family: Family) -> None:
        jobs = self.wire.jobs
        route = at(router, jobs.poll if jobs else self.wire.submit).mock(return_value=self.wire.moderated)
        with pytest.raises(Moderated) as caught:
            await (family.poll(jobs.ticket) if jobs else self.patient_order(family))
        assert (caught.value.permanent, caught.value.elsewhere) == (True, False)
        assert route.call_count == 1

    async def test_rate_limit_tells_how_long_to_wait(self, router: respx.MockRouter, family: Family) -> None:
        at(router, self.wire.submit).mock(return_value=self.wire.rate_limited)
        with pytest.raises(RateLimited) as caught:
            await self.order(family)
        assert caught.value.retry_after == pytest.approx(self.wire.retry_after)

    async def test_rate_limit_is_waited_out(self, router: respx.MockRouter, family: Family) -> None:
        route = at(router, self.wire.submit)
        route.side_effect = [self.wire.rate_limited, self.wire.accepted]
        await self.patient_order(family)
        assert route.call_count == 2

    async def test_server_error_on_a_paid_post_is_an_unknown_outcome_sent_once(
        self, router: respx.MockRouter, family: Family
    ) -> None:
        route = at(router, self.wire.submit).mock(return_value=self.wire.broken)
        with pytest.raises(OutcomeUnknown) as caught:
            await self.patient_order(family)
        assert (caught.value.charged, route.call_count) == (None, 1)

    @pytest.mark.parametrize("failure", [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("gone")])
    async def test_lost_answer_to_a_paid_post_is_an_unknown_outcome_sent_once(
        self, router: respx.MockRouter, family: Family, failure: Exception
    ) -> None:
        route = at(router, self.wire.submit).mock(side_effect=failure)
        with pytest.raises(OutcomeUnknown):
            await self.patient_order(family)
        assert route.call_count == 1

    async def test_answer_that_drips_for_ever_is_an_unknown_outcome(self, router: respx.MockRouter) -> None:
        http = Http(timeout_s=0.3)
        family = self.wire.family(self.wire.environment, http)
        at(router, self.wire.submit).mock(return_value=httpx.Response(200, stream=Drip()))
        with pytest.raises(OutcomeUnknown, match="TimeoutError"):
            await self.order(family)
        await family.aclose()
        await http.aclose()

    async def test_model_that_is_gone_was_not_bought_and_another_may_be_asked(
        self, router: respx.MockRouter, family: Family
    ) -> None:
        router.route(method="POST").mock(return_value=self.wire.gone)
        with pytest.raises(ModelGone) as caught:
            await self.patient_order(family)
        assert (caught.value.charged, caught.value.elsewhere, caught.value.permanent) == (False, True, True)

    async def test_account_without_credit_was_not_charged_and_another_vendor_may_be_asked(
        self, router: respx.MockRouter, family: Family
    ) -> None:
        route = at(router, self.wire.submit).mock(return_value=self.wire.no_credit)
        with pytest.raises(QuotaExhausted) as caught:
            await self.patient_order(family)
        assert (caught.value.charged, caught.value.elsewhere, route.call_count) == (False, True, 1)

    async def test_rejected_request_was_not_charged_and_no_other_vendor_is_asked(
        self, router: respx.MockRouter, family: Family
    ) -> None:
        route = at(router, self.wire.submit).mock(return_value=self.wire.rejected)
        with pytest.raises(InvalidRequest) as caught:
            await self.patient_order(family)
        assert (caught.value.charged, caught.value.elsewhere, route.call_count) == (False, False, 1)

    async def test_refused_connection_sent_nothing(self, router: respx.MockRouter, family: Family) -> None:
        at(router, self.wire.submit).mock(side_effect=httpx.ConnectError("refused"))
        with pytest.raises(NotSent) as caught:
            await self.order(family)
        assert caught.value.charged is False

    async def test_unreadable_answer_was_probably_billed(self, router: respx.MockRouter, family: Family) -> None:
        route = at(router, self.wire.submit).mock(return_value=self.wire.malformed)
        with pytest.raises(MalformedAnswer) as caught:
            await self.patient_order(family)
        assert (caught.value.charged, route.call_count) == (None, 1)

    # ---- the key ----

    @vendor_with_a_key
    async def test_output_of_another_origin_is_fetched_without_the_key(self, family: Family) -> None:
        own = family.host
        for origin in (
            "https://elsewhere.test",
            f"https://{own}.elsewhere.test",
            f"https://x{own}",
            f"https://{own}@elsewhere.test",
            f"https://{own}:8443",
            f"http://{own}",
            f"http://{own}:443",
        ):
            url = f"{origin}/a.png"
            assert self.wire.key not in str(family.download_headers(Output(url=url, authorised=True), url))

    @vendor_with_a_key
    async def test_refused_key_is_not_quoted(self, router: respx.MockRouter, family: Family) -> None:
        answer = httpx.Response(401, json={"error": {"message": f"Incorrect API key provided: {self.wire.key}"}})
        at(router, self.wire.submit).mock(return_value=answer)
        with pytest.raises(Unauthorized) as caught:
            await self.order(family)
        assert self.wire.key not in str(caught.value)
