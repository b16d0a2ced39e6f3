"""What a ticket keeps of a vendor's addresses, progress as a fraction, limits of a drawing."""

import httpx
import pytest

from providers.catalogue import Model
from providers.drawing_limits import check_count, input_pictures, option_defaults, seed_warning
from providers.errors import JobLost, MalformedAnswer, NotOffered, RateLimited, Unanswered
from providers.http import Http, open_question
from providers.jobs import fraction, job_id_in, job_link, kept_link
from providers.types import ImageRequest, Media

pytestmark = pytest.mark.anyio

BASE = "https://api.acme.test/v1"
MODEL = Model(
    id="brush",
    vendor="acme",
    modality="image",
    limits={"max_images_in": 2, "max_input_image_mb": 1},
    options={"quality": {"enum": ["low", "high"], "default": "low"}, "user": {"type": "string"}},
)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.acme.test/v1/jobs/1?x=%20", "/v1/jobs/1?x=%20"),
        ("https://api.acme.test:443/v1/jobs/1", "/v1/jobs/1"),
        ("https://user:word@api.acme.test/jobs", "/jobs"),
        ("https://eu.acme.test/v1/jobs/1", "eu.acme.test/v1/jobs/1"),
        ("https://acme.test//double", "acme.test//double"),
    ],
)
def test_address_that_is_kept_leads_back(url, kept):
    assert kept_link(url, BASE, domain="acme.test") == kept
    assert "://" not in kept
    assert job_link(kept, BASE).startswith("https://")
    assert httpx.URL(job_link(kept, BASE)).raw_path == httpx.URL(url).raw_path


@pytest.mark.parametrize(
    "url",
    [
        "http://api.acme.test/jobs",
        "https://eu.acme.test:8443/jobs",
        "https://evilacme.test/jobs",
        "https://acme.test.evil/jobs",
        "https://acme.test@evil.test/jobs",
        "ftp://api.acme.test/jobs",
        "/jobs",
        "https://[",
        None,
        7,
    ],
)
def test_address_the_key_is_not_for_is_not_kept(url):
    assert kept_link(url, BASE, domain="acme.test") is None


def test_other_host_of_the_vendor_is_not_kept_where_no_domain_is_named():
    assert kept_link("https://eu.acme.test/jobs", BASE) is None


@pytest.mark.parametrize(
    ("said", "whole", "told"),
    [(25, 100, 0.25), (0.5, 1, 0.5), (140, 100, 1.0), (-1, 1, 0.0), ("9", 1, None), (True, 1, None)],
)
def test_progress_is_a_fraction(said, whole, told):
    assert fraction(said, whole) == told


@pytest.mark.parametrize(
    ("status", "error"), [(404, JobLost), (410, JobLost), (401, Unanswered), (429, Unanswered), (500, Unanswered)]
)
async def test_question_without_an_answer_is_no_verdict(vendor, status, error):
    vendor.get(f"{BASE}/jobs/1").respond(status, headers={"retry-after": "2"})
    http = Http()
    with pytest.raises(error):
        await http.asked("Acme", "GET", f"{BASE}/jobs/1")
    await http.aclose()


def test_delay_a_vendor_asked_for_is_passed_on():
    assert open_question("Acme", RateLimited("slow down", retry_after=2)).retry_after == 2


@pytest.mark.parametrize("answer", [{}, {"id": ""}, {"id": 7}, {"id": None}, ["j1"], None])
def test_accepted_job_without_an_id_is_malformed(answer):
    assert job_id_in({"id": "j1"}, "Acme") == "j1"
    with pytest.raises(MalformedAnswer):
        job_id_in(answer, "Acme")


def test_limits_of_a_drawing():
    media = {"a": Media("image/png", data=b"x"), "big": Media("image/png", data=b"\0" * 1_048_577)}
    assert input_pictures(MODEL, ["a", "a"], media) == [media["a"]] * 2
    for names, why in ((["a"] * 3, "at most 2"), (["b"], "not attached"), (["big"], "at most 1 MB")):
        with pytest.raises(NotOffered, match=why):
            input_pictures(MODEL, names, media)
    with pytest.raises(NotOffered, match="at most 1 in one call"):
        check_count(MODEL, 2)


def test_option_with_a_default_is_always_said():
    assert option_defaults(MODEL) == {"quality": "low"}


def test_seed_that_is_not_taken_is_told():
    assert seed_warning(MODEL, ImageRequest(model="brush", prompt="x", seed=1)) != ()
    assert seed_warning(MODEL, ImageRequest(model="brush", prompt="x")) == ()
