"""What a vendor's refusal means: the error each status stands for, and the delay it asks for."""

import datetime as dt
from email.utils import format_datetime

import pytest

from providers.errors import (
    InvalidRequest,
    ModelGone,
    OutcomeUnknown,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Refused,
    Unanswered,
    Unauthorized,
)
from providers.refusals import detail_of, error_for, retry_after

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
        ({}, {"error": {"details": 7}}, None),
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
