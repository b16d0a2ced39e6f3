"""The rules of the one HTTP client: what is tried again and for how long, and what an answer may be like."""

import gzip
from collections.abc import AsyncIterator

import httpx
import pytest
from drip import Drip

from providers.errors import (
    DownloadFailed,
    InvalidRequest,
    JobLost,
    MalformedAnswer,
    ModelGone,
    Moderated,
    NotSent,
    OutcomeUnknown,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Unanswered,
    Unauthorized,
)
from providers.http import MAX_CONNECT_TRIES, NOTHING_LEFT, Http, Patience, answer_of, patiently, status_of

pytestmark = pytest.mark.anyio

JOB = "https://api.vendor.test/v1/jobs/1"


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    http = Http()
    yield http
    await http.aclose()


# ---- patience --------------------------------------------------------------------------------------------------------


def failing(*errors: Exception):
    """A call that fails with these errors, one after the other, and then answers."""
    left, calls = list(errors), []

    async def call() -> str:
        calls.append(1)
        if left:
            raise left.pop(0)
        return "done"

    return call, calls


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("", retry_after=0),
        Overloaded("", retry_after=0),
        NotSent("", retry_after=0),
        Unanswered("", retry_after=0),
    ],
)
async def test_refusal_that_started_nothing_is_tried_again(error):
    call, calls = failing(error, error)
    assert await patiently(call) == "done"
    assert len(calls) == 3


@pytest.mark.parametrize("error", [OutcomeUnknown(""), MalformedAnswer(""), QuotaExhausted(""), InvalidRequest("")])
async def test_anything_else_is_not_tried_again(error):
    call, calls = failing(error)
    with pytest.raises(type(error)):
        await patiently(call)
    assert len(calls) == 1


async def test_wait_longer_than_allowed_is_not_begun():
    call, calls = failing(RateLimited("", retry_after=300))
    with pytest.raises(RateLimited):
        await patiently(call, max_wait_s=120)
    assert len(calls) == 1


async def test_waits_are_added_up():
    call, calls = failing(*[RateLimited("", retry_after=0.001)] * 50)
    with pytest.raises(RateLimited):
        await patiently(call, max_wait_s=0.0035)
    assert len(calls) == 4


async def test_connection_is_tried_four_times():
    call, calls = failing(*[NotSent("", retry_after=0)] * 10)
    with pytest.raises(NotSent):
        await patiently(call)
    assert len(calls) == MAX_CONNECT_TRIES


def test_waits_double_up_to_eight_seconds():
    patience = Patience()
    waits = [patience.after(RateLimited("")) for _ in range(6)]
    assert waits == [pytest.approx(wait_s, rel=0.25) for wait_s in (0.5, 1, 2, 4, 8, 8)]


def test_vendors_own_delay_goes_before_ours():
    patience = Patience()
    assert [patience.after(RateLimited("", retry_after=wait_s)) for wait_s in (7, 0, 30)] == [7, 0, 30]


def test_vendor_that_says_at_once_for_ever_is_not_believed():
    patience = Patience(max_wait_s=60)
    waits = [patience.after(RateLimited("", retry_after=0)) for _ in range(20)]
    assert waits[:4] == [0, 0, 0, 0]
    assert min(wait_s for wait_s in waits[4:10] if wait_s is not None) > 5
    assert waits[-1] is None


def test_patience_that_is_used_up_leaves_room_for_a_shorter_wait():
    patience = Patience(max_wait_s=10)
    assert [patience.after(Overloaded("", retry_after=wait_s)) for wait_s in (8, 5, 2, 1)] == [8, None, 2, None]


def test_other_failures_count_among_the_tries_to_connect():
    patience = Patience()
    errors = [RateLimited("", retry_after=0)] * 3 + [NotSent("", retry_after=0)]
    assert [patience.after(error) for error in errors] == [0, 0, 0, None]


@pytest.mark.parametrize("error", [Moderated(""), ModelGone(""), Unauthorized(""), DownloadFailed("")])
def test_no_patience_with_what_will_not_pass_or_may_be_owed(error):
    assert Patience().after(error) is None


# ---- send and ask ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", NOTHING_LEFT)
async def test_failure_before_anything_left(http, vendor, failure):
    vendor.post(JOB).mock(side_effect=failure("x"))
    with pytest.raises(NotSent, match=r"api\.vendor\.test"):
        await http.send("Vendor", "POST", JOB, paid=True)


@pytest.mark.parametrize("failure", [httpx.ReadTimeout("x"), httpx.WriteError("x"), httpx.RemoteProtocolError("x")])
@pytest.mark.parametrize(("paid", "error"), [(True, OutcomeUnknown), (False, Unanswered)])
async def test_failure_after_bytes_may_have_left(http, vendor, failure, paid, error):
    route = vendor.post(JOB).mock(side_effect=failure)
    with pytest.raises(error):
        await http.send("Vendor", "POST", JOB, paid=paid)
    assert route.call_count == 1


async def test_error_carries_the_status_and_the_answer(http, vendor):
    vendor.get(JOB).respond(422, json={"issues": [1]})
    with pytest.raises(InvalidRequest) as caught:
        await http.send("Vendor", "GET", JOB)
    assert (status_of(caught.value), answer_of(caught.value)) == (422, {"issues": [1]})
    assert (status_of(NotSent("")), answer_of(NotSent(""))) == (None, None)


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), httpx.Response(200, json=[1])])
async def test_answer_that_is_no_object_is_malformed(http, vendor, answer):
    vendor.get(JOB).mock(return_value=answer)
    with pytest.raises(MalformedAnswer):
        await http.send_json("Vendor", "GET", JOB)


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize(("paid", "error"), [(True, ModelGone), (False, InvalidRequest)])
async def test_address_that_is_not_there_is_a_model_that_is_gone_where_work_is_ordered(
    http, vendor, status, paid, error
):
    vendor.post(JOB).respond(status, json={"error": "no such model"})
    with pytest.raises(InvalidRequest, match="no such model") as caught:
        await http.send("Vendor", "POST", JOB, paid=paid)
    assert type(caught.value) is error


async def test_redirected_post_is_not_followed(http, vendor):
    vendor.post(JOB).respond(307, headers={"location": "https://elsewhere.test/"})
    with pytest.raises(MalformedAnswer):
        await http.send_json("Vendor", "POST", JOB, paid=True, json={})


@pytest.mark.parametrize("status", [404, 410])
async def test_question_about_a_job_nobody_knows(http, vendor, status):
    vendor.get(JOB).respond(status)
    with pytest.raises(JobLost):
        await http.ask("Vendor", "GET", JOB)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 422, 429, 500, 503])
async def test_question_that_went_wrong_is_no_verdict(http, vendor, status):
    vendor.get(JOB).respond(status, headers={"retry-after": "3"})
    with pytest.raises(Unanswered) as caught:
        await http.ask("Vendor", "GET", JOB)
    assert caught.value.retry_after == (3 if status in (429, 500, 503) else None)


# ---- answers without an end ------------------------------------------------------------------------------------------


@pytest.fixture
async def strict() -> AsyncIterator[Http]:
    http = Http(timeout_s=0.2, max_answer_bytes=1000)
    yield http
    await http.aclose()


@pytest.mark.parametrize(("paid", "error"), [(True, OutcomeUnknown), (False, Unanswered)])
async def test_answer_that_drips_for_ever_is_no_answer(strict, vendor, paid, error):
    route = vendor.post(JOB).mock(return_value=httpx.Response(200, stream=Drip()))
    with pytest.raises(error, match="TimeoutError"):
        await strict.send("Vendor", "POST", JOB, paid=paid)
    assert route.call_count == 1


def test_large_request_has_the_time_its_length_needs():
    http = Http(timeout_s=100)
    assert (http.limit_s(0), http.limit_s(32 * 1024 * 50)) == (110, 160)


@pytest.mark.parametrize(
    "long",
    [
        httpx.Response(200, content=b" " * 1001),
        httpx.Response(200, headers={"content-encoding": "gzip"}, content=gzip.compress(b" " * 100_000)),
    ],
    ids=["plain", "compressed"],
)
async def test_answer_over_the_cap_is_not_read_and_was_probably_billed(strict, vendor, long):
    vendor.post(JOB).mock(return_value=long)
    with pytest.raises(MalformedAnswer, match="more than 1000 bytes") as caught:
        await strict.send_json("Vendor", "POST", JOB, paid=True)
    assert caught.value.charged is None


async def test_refusal_over_the_cap_is_still_a_refusal(strict, vendor):
    vendor.post(JOB).respond(422, content=b" " * 1001)
    with pytest.raises(InvalidRequest):
        await strict.send("Vendor", "POST", JOB, paid=True)


async def test_compressed_answer_is_read(strict, vendor):
    body = gzip.compress(b'{"id": "p1"}')
    vendor.post(JOB).respond(200, headers={"content-encoding": "gzip"}, content=body)
    assert await strict.send_json("Vendor", "POST", JOB) == {"id": "p1"}
