"""What every family has without doing anything for it: how often to ask, when a list is sure, verbs that say no."""

import datetime as dt

import pytest

from providers.base import Family
from providers.errors import NotOffered
from providers.http import Http
from providers.types import Output, SpeechRequest, Ticket

pytestmark = pytest.mark.anyio

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
REQUEST = SpeechRequest(model="voice", text="hi")


class Acme(Family):
    name = "acme"
    base_url_name = "ACME_BASE_URL"
    default_base_url = "https://api.acme.test/v1"
    poll_interval_s = 5.0


class Hasty(Acme):
    poll_interval_s = 0.01
    list_lag_s = 0.5


def family(kind: type[Family] = Acme, url: str | None = None) -> Family:
    return kind({"ACME_BASE_URL": url} if url else {}, Http())


@pytest.mark.parametrize(
    ("kind", "url", "usual", "least", "listed"),
    [
        (Acme, None, 5.0, 5.0, 30.0),
        (Acme, "https://api.acme.test/v1/", 5.0, 5.0, 30.0),
        (Acme, "http://127.0.0.1:9/v1", 0.25, 0.05, 1.0),
        (Hasty, None, 0.01, 0.01, 0.5),
        (Hasty, "http://127.0.0.1:9/v1", 0.01, 0.01, 0.5),
    ],
)
def test_the_vendors_own_pace_holds_at_the_vendor_and_a_quicker_one_at_a_stand_in(kind, url, usual, least, listed):
    acme = family(kind, url)
    assert (acme.poll_every_s, acme.least_poll_s, acme.surely_listed_s) == (usual, least, listed)


async def test_jobs_cannot_be_asked_for_unless_the_vendor_lists_them():
    assert await family().find(REQUEST, NOON) is None


def test_a_lost_submit_costs_something_unless_the_family_says_otherwise():
    assert not Acme.resubmittable


def test_outputs_are_fetched_without_a_key():
    url = "https://api.acme.test/out.png"
    assert family().download_headers(Output(url=url, authorised=True), url) == {}


def test_no_limit_is_known_unless_the_vendor_names_one():
    assert family().lanes == {}


@pytest.mark.parametrize(
    "verb",
    [
        lambda acme: acme.submit(REQUEST, {}),
        lambda acme: acme.poll(Ticket(job_id="j")),
        lambda acme: acme.cancel(Ticket(job_id="j")),
    ],
)
async def test_a_verb_the_vendor_has_not_says_so(verb):
    with pytest.raises(NotOffered, match="acme"):
        await verb(family())
