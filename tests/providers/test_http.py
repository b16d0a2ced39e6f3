"""The rules of the one HTTP client: what each status means, how long to wait, what is tried again, what is fetched."""

import datetime as dt
from collections.abc import AsyncIterator
from email.utils import format_datetime

import httpx
import pytest

from providers.errors import (
    DownloadFailed,
    DownloadRefused,
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
    Refused,
    Unanswered,
    Unauthorized,
)
from providers.http import (
    MAX_CONNECT_TRIES,
    MAX_REDIRECTS,
    NOTHING_LEFT,
    Http,
    Patience,
    answer_of,
    detail_of,
    error_for,
    is_public,
    patiently,
    retry_after,
    same_origin,
    status_of,
)

pytestmark = pytest.mark.anyio

PUBLIC, PRIVATE = "93.184.216.34", "10.0.0.7"
VENDOR_URL = "https://api.vendor.test/v1"
JOB = f"{VENDOR_URL}/jobs/1"
WORK = "https://cdn.test/work.png"


async def resolve(host: str, port: int) -> list[str]:
    """A resolver without a network."""
    if host == "unknown.test":
        raise OSError("no such host")
    return {"inner.test": [PRIVATE], "mixed.test": [PUBLIC, PRIVATE], "empty.test": []}.get(host, [PUBLIC])


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    http = Http(resolve=resolve, max_bytes=1000)
    yield http
    await http.aclose()


async def fetched(http: Http, url: str = WORK, vendor_url: str = VENDOR_URL, **more) -> bytes:
    return b"".join([chunk async for chunk in http.download(url, vendor_url=vendor_url, **more)])


# ---- the error table -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "headers", "paid", "error"),
    [
        (400, {}, True, InvalidRequest),
        (401, {}, True, Unauthorized),
        (402, {}, True, QuotaExhausted),
        (403, {}, True, Unauthorized),
        (404, {}, True, ModelGone),
        (410, {}, True, ModelGone),
        (404, {}, False, InvalidRequest),
        (410, {}, False, InvalidRequest),
        (408, {}, True, OutcomeUnknown),
        (422, {}, True, InvalidRequest),
        (429, {}, True, RateLimited),
        (500, {}, True, OutcomeUnknown),
        (503, {}, True, OutcomeUnknown),
        (503, {"retry-after": "2"}, True, Overloaded),
        (504, {}, True, OutcomeUnknown),
        (500, {}, False, Unanswered),
        (503, {"retry-after": "2"}, False, Overloaded),
        (408, {}, False, Unanswered),
    ],
)
def test_status_means(status, headers, paid, error):
    assert type(error_for("Vendor", status, headers, None, paid=paid)) is error


def test_no_status_that_may_have_been_billed_is_tried_again():
    for status in range(400, 600):
        error = error_for("Vendor", status, {}, None, paid=True)
        assert error.permanent or isinstance(error, Refused), status


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"message": "no"}}, "no"),
        ({"error": "no"}, "no"),
        ({"detail": "no"}, "no"),
        ({"detail": [{"loc": ["prompt"]}]}, '[{"loc": ["prompt"]}]'),
        ({"message": "no"}, "no"),
        ({"title": "no"}, "no"),
        ("no", "no"),
        (None, ""),
        ({}, ""),
        ({"error": "x" * 1000}, "x" * 400),
    ],
)
def test_vendors_own_sentence_is_found(body, said):
    assert detail_of(body) == said


# ---- delays (trap 9) -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({}, None, None),
        ({"retry-after": "7"}, None, 7.0),
        ({"retry-after": "0"}, None, 0.0),
        ({"retry-after-ms": "250"}, None, 0.25),
        ({"retry-after": "1", "retry-after-ms": "0"}, None, 1.0),
        ({"retry-after": "soon"}, None, None),
        ({}, {"detail": "Request was throttled. Your rate limit resets in ~30s."}, 30.0),
        ({}, {"detail": "Expected available in 1 second."}, 1.0),
        ({}, {"detail": "no delay here"}, None),
        ({}, {"retry_after": 9}, 9.0),
        ({}, {"error": {"details": [{"@type": "RetryInfo", "retryDelay": "34.4s"}]}}, 34.4),
        ({}, {"error": {"details": [{"retryDelay": "1m30s"}, "text", {}]}}, None),
        ({}, {"error": "text"}, None),
        ({}, ["not", "a", "dict"], None),
    ],
)
def test_delay_is_found_wherever_the_vendor_put_it(headers, body, seconds):
    assert retry_after(headers, body) == seconds


def test_delay_as_a_date():
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=60)
    assert retry_after({"retry-after": format_datetime(later, usegmt=True)}) == pytest.approx(60, abs=3)


def test_delay_as_epoch_milliseconds():
    reset = (dt.datetime.now(dt.UTC).timestamp() + 60) * 1000
    assert retry_after({"x-ratelimit-reset": str(int(reset))}) == pytest.approx(60, abs=3)


def test_date_that_has_passed_is_no_wait():
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0


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


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://api.vendor.test/else", True),
        ("https://api.vendor.test:443/x", True),
        ("http://api.vendor.test/v1", False),
        ("https://api.vendor.test:8443/v1", False),
        ("https://api.vendor.test.evil.test/v1", False),
        ("https://api.vendor.test@evil.test/v1", False),
        ("https://[::1", False),
        ("", False),
    ],
)
def test_origin_is_scheme_host_and_port(url, same):
    assert same_origin(url, VENDOR_URL) is same


# ---- downloads -------------------------------------------------------------------------------------------------------


async def test_download_goes_to_the_address_that_was_checked(http, vendor):
    route = vendor.get(f"https://{PUBLIC}/work.png").respond(content=b"bytes")
    assert await fetched(http) == b"bytes"
    request = route.calls.last.request
    assert request.headers["host"] == "cdn.test"
    assert request.extensions["sni_hostname"] == "cdn.test"
    assert request.headers["user-agent"].startswith("impresario/")


async def test_download_keeps_port_and_query(http, vendor):
    route = vendor.get(f"https://{PUBLIC}:8443/work.png?sig=1").respond(content=b"bytes")
    assert await fetched(http, "https://cdn.test:8443/work.png?sig=1") == b"bytes"
    assert route.calls.last.request.headers["host"] == "cdn.test:8443"


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.test/work.png",
        "http://api.vendor.test/work.png",
        "ftp://cdn.test/work.png",
        "file:///etc/passwd",
        "https://inner.test/work.png",
        "https://mixed.test/work.png",
        "https://empty.test/work.png",
        "https://[::1/work.png",
        "work.png",
    ],
)
async def test_unsafe_address_is_refused(http, vendor, url):
    anything = vendor.route().respond(content=b"secret")
    with pytest.raises(DownloadRefused):
        await fetched(http, url)
    assert not anything.called


async def test_redirect_into_a_private_network_is_refused(http, vendor):
    vendor.get(f"https://{PUBLIC}/work.png").respond(302, headers={"location": "https://inner.test/secret"})
    inner = vendor.get(f"https://{PRIVATE}/secret").respond(content=b"secret")
    with pytest.raises(DownloadRefused, match="private"):
        await fetched(http)
    assert not inner.called


async def test_redirect_to_plain_http_is_refused(http, vendor):
    vendor.get(f"https://{PUBLIC}/work.png").respond(302, headers={"location": "http://cdn.test/work.png"})
    with pytest.raises(DownloadRefused, match="plain http"):
        await fetched(http)


async def test_redirect_is_followed_and_headers_chosen_anew(http, vendor):
    vendor.get(f"https://{PUBLIC}/work.png").respond(302, headers={"location": "https://other.test/b.png"})
    second = vendor.get(f"https://{PUBLIC}/b.png").respond(content=b"bytes")
    asked = []

    def headers_for(host: str) -> dict[str, str]:
        asked.append(host)
        return {"authorization": "Bearer key"} if host == "cdn.test" else {}

    assert await fetched(http, headers_for=headers_for) == b"bytes"
    assert asked == ["cdn.test", "other.test"]
    assert "authorization" not in second.calls.last.request.headers


async def test_endless_redirects_are_refused(http, vendor):
    route = vendor.get(f"https://{PUBLIC}/work.png").respond(302, headers={"location": "/work.png"})
    with pytest.raises(DownloadRefused, match="redirects"):
        await fetched(http)
    assert route.call_count == MAX_REDIRECTS + 1


async def test_configured_vendor_may_be_private_and_plain(http, vendor):
    vendor.get("http://localhost:9/out.png").respond(content=b"bytes")
    assert await fetched(http, "http://localhost:9/out.png", "http://localhost:9/v1") == b"bytes"


async def test_configured_vendors_other_port_is_not_excused_from_https(http, vendor):
    with pytest.raises(DownloadRefused):
        await fetched(http, "http://localhost:10/out.png", "http://localhost:9/v1")


async def test_download_over_the_cap_is_stopped(http, vendor):
    vendor.get(f"https://{PUBLIC}/work.png").respond(content=b"x" * 1001)
    with pytest.raises(DownloadRefused, match="larger than 1000 bytes"):
        await fetched(http)


@pytest.mark.parametrize("status", [304, 403, 404, 500])
async def test_download_that_is_not_answered_may_be_tried_again(http, vendor, status):
    vendor.get(f"https://{PUBLIC}/work.png").respond(status)
    with pytest.raises(DownloadFailed) as caught:
        await fetched(http)
    assert not caught.value.permanent


async def test_host_that_is_not_known_may_be_tried_again(http):
    with pytest.raises(DownloadFailed) as caught:
        await fetched(http, "https://unknown.test/work.png")
    assert not caught.value.permanent


async def test_connection_lost_on_the_way_may_be_tried_again(http, vendor):
    vendor.get(f"https://{PUBLIC}/work.png").mock(side_effect=httpx.ReadError("gone"))
    with pytest.raises(DownloadFailed, match="ReadError"):
        await fetched(http)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::5db8:d822", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_address_is_public(address, public):
    assert is_public(address) is public
