"""One contract for every vendor: what a family must do, whatever its wire looks like. See `contract.py`."""

import datetime as dt
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import respx
from contract import Jobs, Listing, Wire, wires
from drip import Drip

from providers.base import Family
from providers.errors import (
    InvalidRequest,
    JobFailed,
    JobLost,
    MalformedAnswer,
    ModelGone,
    Moderated,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Unanswered,
    Unauthorized,
)
from providers.http import Http, patiently
from providers.types import Done, Output, Pending

pytestmark = pytest.mark.anyio

WIRES = wires()
SLOW = sorted(name for name, wire in WIRES.items() if wire.jobs)
LISTING = sorted(name for name, wire in WIRES.items() if wire.jobs and wire.jobs.listing)
NOT_LISTING = sorted(set(WIRES) - set(LISTING))
slow_vendors = pytest.mark.parametrize("wire", SLOW, indirect=True)
listing_vendors = pytest.mark.parametrize("wire", LISTING, indirect=True)


@pytest.fixture(params=sorted(WIRES))
def wire(request: pytest.FixtureRequest) -> Wire:
    return WIRES[request.param]


@pytest.fixture
def router(wire: Wire) -> Iterator[respx.MockRouter]:
    with respx.mock(using=wire.stack, assert_all_called=False) as router:
        yield router


@pytest.fixture
async def family(wire: Wire) -> AsyncIterator[Family]:
    http = Http()
    family = wire.family(wire.environment, http)
    yield family
    await family.aclose()
    await http.aclose()


@pytest.fixture
def jobs(wire: Wire) -> Jobs:
    assert wire.jobs is not None
    return wire.jobs


@pytest.fixture
def listing(jobs: Jobs) -> Listing:
    assert jobs.listing is not None
    return jobs.listing


def a_while_ago() -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(minutes=10)


# ---- the submit ------------------------------------------------------------------------------------------------------


async def test_accepted_request_gives_the_work_or_a_ticket(wire, router, family):
    router.route(method=wire.submit[0], url=wire.submit[1]).mock(return_value=wire.accepted)
    result = await family.submit(wire.request, wire.media)
    if wire.jobs:
        assert result == wire.jobs.ticket
    else:
        assert isinstance(result, Done)
        assert result.outputs


async def test_blocked_content_is_moderated_and_not_retried(wire, router, family):
    method, url = wire.jobs.poll if wire.jobs else wire.submit
    route = router.route(method=method, url=url).mock(return_value=wire.moderated)
    with pytest.raises(Moderated) as caught:
        await patiently(lambda: family.poll(wire.jobs.ticket) if wire.jobs else family.submit(wire.request, wire.media))
    assert (caught.value.permanent, caught.value.elsewhere) == (True, False)
    assert route.call_count == 1


async def test_rate_limit_tells_how_long_to_wait(wire, router, family):
    router.route(method=wire.submit[0], url=wire.submit[1]).mock(return_value=wire.rate_limited)
    with pytest.raises(RateLimited) as caught:
        await family.submit(wire.request, wire.media)
    assert caught.value.retry_after == pytest.approx(wire.retry_after)


async def test_rate_limit_is_waited_out(wire, router, family):
    route = router.route(method=wire.submit[0], url=wire.submit[1])
    route.side_effect = [wire.rate_limited, wire.accepted]
    await patiently(lambda: family.submit(wire.request, wire.media))
    assert route.call_count == 2


async def test_server_error_on_a_paid_post_is_an_unknown_outcome_sent_once(wire, router, family):
    route = router.route(method=wire.submit[0], url=wire.submit[1]).mock(return_value=wire.broken)
    with pytest.raises(OutcomeUnknown) as caught:
        await patiently(lambda: family.submit(wire.request, wire.media))
    assert caught.value.charged is None
    assert route.call_count == 1


@pytest.mark.parametrize("failure", [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("gone")])
async def test_lost_answer_to_a_paid_post_is_an_unknown_outcome_sent_once(wire, router, family, failure):
    route = router.route(method=wire.submit[0], url=wire.submit[1]).mock(side_effect=failure)
    with pytest.raises(OutcomeUnknown):
        await patiently(lambda: family.submit(wire.request, wire.media))
    assert route.call_count == 1


async def test_answer_that_drips_for_ever_is_an_unknown_outcome(wire, router):
    http = Http(timeout_s=0.3)
    family = wire.family(wire.environment, http)
    router.route(method=wire.submit[0], url=wire.submit[1]).mock(return_value=httpx.Response(200, stream=Drip()))
    with pytest.raises(OutcomeUnknown, match="TimeoutError"):
        await family.submit(wire.request, wire.media)
    await family.aclose()
    await http.aclose()


async def test_model_that_is_gone_was_not_bought_and_another_may_be_asked(wire, router, family):
    router.route(method="POST").mock(return_value=wire.gone)
    with pytest.raises(ModelGone) as caught:
        await patiently(lambda: family.submit(wire.request, wire.media))
    assert (caught.value.charged, caught.value.elsewhere, caught.value.permanent) == (False, True, True)


async def test_account_without_credit_was_not_charged_and_another_vendor_may_be_asked(wire, router, family):
    route = router.route(method=wire.submit[0], url=wire.submit[1]).mock(return_value=wire.no_credit)
    with pytest.raises(QuotaExhausted) as caught:
        await patiently(lambda: family.submit(wire.request, wire.media))
    assert (caught.value.charged, caught.value.elsewhere, route.call_count) == (False, True, 1)


async def test_rejected_request_was_not_charged_and_no_other_vendor_is_asked(wire, router, family):
    route = router.route(method=wire.submit[0], url=wire.submit[1]).mock(return_value=wire.rejected)
    with pytest.raises(InvalidRequest) as caught:
        await patiently(lambda: family.submit(wire.request, wire.media))
    assert (caught.value.charged, caught.value.elsewhere, route.call_count) == (False, False, 1)


async def test_refused_connection_sent_nothing(wire, router, family):
    router.route(method=wire.submit[0], url=wire.submit[1]).mock(side_effect=httpx.ConnectError("refused"))
    with pytest.raises(NotSent) as caught:
        await family.submit(wire.request, wire.media)
    assert caught.value.charged is False


async def test_unreadable_answer_was_probably_billed(wire, router, family):
    route = router.route(method=wire.submit[0], url=wire.submit[1]).mock(return_value=wire.malformed)
    with pytest.raises(MalformedAnswer) as caught:
        await patiently(lambda: family.submit(wire.request, wire.media))
    assert caught.value.charged is None
    assert route.call_count == 1


# ---- jobs ------------------------------------------------------------------------------------------------------------


@slow_vendors
async def test_job_is_polled_until_done(wire, jobs, router, family):
    router.route(method=jobs.poll[0], url=jobs.poll[1]).side_effect = [jobs.pending, jobs.finished]
    assert await family.poll(jobs.ticket) == Pending(progress=jobs.progress)
    done = await family.poll(jobs.ticket)
    assert isinstance(done, Done)
    assert done.outputs


@slow_vendors
async def test_failed_job_is_permanent(wire, jobs, router, family):
    router.route(method=jobs.poll[0], url=jobs.poll[1]).mock(return_value=jobs.failed)
    with pytest.raises(JobFailed) as caught:
        await family.poll(jobs.ticket)
    assert caught.value.permanent


@slow_vendors
async def test_unknown_job_is_lost(wire, jobs, router, family):
    router.route(method=jobs.poll[0], url=jobs.poll[1]).mock(return_value=jobs.lost)
    with pytest.raises(JobLost):
        await family.poll(jobs.ticket)


@slow_vendors
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
async def test_poll_without_an_answer_is_no_verdict(wire, jobs, router, family, trouble):
    router.route(method=jobs.poll[0], url=jobs.poll[1]).mock(**trouble)
    with pytest.raises(Unanswered) as caught:
        await family.poll(jobs.ticket)
    assert not caught.value.permanent


@slow_vendors
async def test_cancel_may_be_asked_twice(wire, jobs, router, family):
    route = router.route(method=jobs.cancel[0], url=jobs.cancel[1])
    route.side_effect = [jobs.cancelled, jobs.lost]
    await family.cancel(jobs.ticket)
    await family.cancel(jobs.ticket)
    assert route.call_count == 2


# ---- lost answers ----------------------------------------------------------------------------------------------------


@listing_vendors
async def test_lost_job_is_found_again_as_the_ticket_it_would_have_been(wire, jobs, listing, router, family):
    router.route(method=listing.ask[0], url=listing.ask[1]).mock(return_value=listing.listed)
    assert await family.find(wire.request, a_while_ago()) == [jobs.ticket]


@listing_vendors
async def test_job_that_was_never_accepted_is_not_found(wire, listing, router, family):
    router.route(method=listing.ask[0], url=listing.ask[1]).mock(return_value=listing.nothing)
    assert await family.find(wire.request, a_while_ago()) == []


@listing_vendors
@pytest.mark.parametrize(
    "trouble",
    [
        {"side_effect": httpx.ReadTimeout("slow")},
        {"return_value": httpx.Response(500)},
        {"return_value": httpx.Response(401, json={"error": "key revoked"})},
        {"return_value": httpx.Response(200, json={"results": "none"})},
    ],
)
async def test_list_that_cannot_be_read_does_not_say_that_there_is_none(wire, listing, router, family, trouble):
    router.route(method=listing.ask[0], url=listing.ask[1]).mock(**trouble)
    with pytest.raises(ProviderError):
        await family.find(wire.request, a_while_ago())


@pytest.mark.parametrize("wire", NOT_LISTING, indirect=True)
async def test_vendor_without_a_list_says_that_it_cannot_be_asked(wire, router, family):
    assert await family.find(wire.request, a_while_ago()) is None
    assert not router.calls


# ---- the key ---------------------------------------------------------------------------------------------------------


async def test_output_of_another_origin_is_fetched_without_the_key(wire, family):
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
        assert wire.key not in str(family.download_headers(Output(url=url, authorised=True), url))


@slow_vendors
async def test_ticket_keeps_no_address(wire, jobs, router, family):
    router.route(method=wire.submit[0], url=wire.submit[1]).mock(return_value=wire.accepted)
    ticket = await family.submit(wire.request, wire.media)
    assert "://" not in ticket.model_dump_json()


async def test_refused_key_is_not_quoted(wire, router, family):
    answer = httpx.Response(401, json={"error": {"message": f"Incorrect API key provided: {wire.key}"}})
    router.route(method=wire.submit[0], url=wire.submit[1]).mock(return_value=answer)
    with pytest.raises(Unauthorized) as caught:
        await family.submit(wire.request, wire.media)
    assert wire.key not in str(caught.value)


async def test_family_without_its_key_says_what_to_set(wire):
    family = wire.family({}, Http())
    assert family.key_names[0] in (family.unavailable() or "")
    await family.aclose()
    await family.http.aclose()
