"""What is Google's own in all its calls: its address, its refusals, its list of models, and the names that live on."""

import datetime as dt
from collections.abc import AsyncIterator

import pytest
from wire_google import API, KEY, WIRE, problem, retry_info

from providers.catalogue import Catalogue, Correction
from providers.errors import (
    InvalidRequest,
    ModelGone,
    NotOffered,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Unauthorized,
)
from providers.google import Google
from providers.http import Http
from providers.types import ChatRequest, ImageRequest, Message

pytestmark = pytest.mark.anyio

PICTURE = ImageRequest(model="gemini-nano-banana-2.1", prompt="a cat")
DRAW = f"{API}/models/gemini-nano-banana-2.1:generateContent"


@pytest.fixture
async def family() -> AsyncIterator[Google]:
    http = Http()
    yield Google({"GOOGLE_API_KEY": KEY}, http)
    await http.aclose()


def catalogue() -> Catalogue:
    return Catalogue(Google({"GOOGLE_API_KEY": KEY}, Http()).models)


# ---- the address -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "version"),
    [
        ("http://fake.test:9/google", "v1"),
        ("http://fake.test:9/google/", "v1"),
        ("http://fake.test:9/google/v1", "v1"),
        ("http://fake.test:9/google/v1beta/", "v1beta"),
    ],
)
async def test_base_url_with_or_without_a_version(vendor, base, version):
    route = vendor.post(f"http://fake.test:9/google/{version}/interactions").mock(return_value=WIRE.accepted)
    http = Http()
    await Google({"GEMINI_API_KEY": KEY, "GOOGLE_BASE_URL": base}, http).submit(WIRE.request, {})
    await http.aclose()
    assert route.calls.last.request.headers["x-goog-api-key"] == KEY


async def test_key_is_in_no_address(family, vendor):
    route = vendor.post(f"{API}/interactions").mock(return_value=WIRE.accepted)
    await family.submit(WIRE.request, {})
    assert KEY not in str(route.calls.last.request.url)


# ---- refusals --------------------------------------------------------------------------------------------------------


def quota(name: str) -> dict:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": name}]}


WRONG_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem(400, "INVALID_ARGUMENT", WRONG_KEY, message="API key not valid."), Unauthorized),
        (problem(400, "INVALID_ARGUMENT"), InvalidRequest),
        (problem(402, "RESOURCE_EXHAUSTED"), QuotaExhausted),
        (problem(403, "PERMISSION_DENIED"), Unauthorized),
        (problem(404, "NOT_FOUND", message="gemini-x is no longer available."), ModelGone),
        (problem(429, "RESOURCE_EXHAUSTED", quota("GenerateRequestsPerDayPerProjectPerModel")), QuotaExhausted),
        (problem(429, "RESOURCE_EXHAUSTED", quota("GenerateRequestsPerMinutePerProject")), RateLimited),
        (problem(429, "RESOURCE_EXHAUSTED"), RateLimited),
    ],
)
async def test_refusals_are_told_apart(family, vendor, answer, error):
    """Trap 10: without credit the answer is 402 with the status of a rate limit."""
    vendor.post(DRAW).mock(return_value=answer)
    with pytest.raises(ProviderError) as caught:
        await family.submit(PICTURE, {})
    assert type(caught.value) is error
    assert caught.value.charged is False


@pytest.mark.parametrize(("delay", "wait"), [("48s", 48.0), ("34.4s", 34.4)])
async def test_delay_in_the_details_is_heard(family, vendor, delay, wait):
    """Trap 9."""
    vendor.post(DRAW).mock(return_value=problem(429, "RESOURCE_EXHAUSTED", retry_info(delay)))
    with pytest.raises(RateLimited) as caught:
        await family.submit(PICTURE, {})
    assert caught.value.retry_after == pytest.approx(wait)


async def test_refused_turn_cost_nothing(family, vendor):
    vendor.post(f"{API}/models/gemini-3.8-flash:generateContent").mock(return_value=problem(400, "INVALID_ARGUMENT"))
    with pytest.raises(InvalidRequest) as caught:
        await family.complete(ChatRequest(model="gemini-3.8-flash", messages=(Message(role="user", content="Hi."),)))
    assert caught.value.charged is False


async def test_lost_clip_cannot_be_looked_for(family):
    assert await family.find(WIRE.request, dt.datetime.now(dt.UTC)) is None


# ---- what Google says of its models ----------------------------------------------------------------------------------


async def test_models_that_are_not_listed_are_gone(family, vendor):
    first = {"models": [{"name": "models/gemini-4-argon"}, {"name": "models/another"}], "nextPageToken": "p2"}
    living = [m.id for m in family.models if m.status != "retired" and m.id not in ("gemini-4-argon", "gemini-2.5-pro")]
    second = {"models": [{"name": f"models/{name}"} for name in living]}
    vendor.get(f"{API}/models", params={"pageSize": "1000", "pageToken": "p2"}).respond(json=second)
    vendor.get(f"{API}/models", params={"pageSize": "1000"}).respond(json=first)
    assert await family.refresh() == Correction(gone=("gemini-2.5-pro",))


@pytest.mark.parametrize("answer", [{}, {"models": []}, {"models": [{"name": "models/another"}]}])
async def test_list_without_any_of_them_says_nothing(family, vendor, answer):
    vendor.get(f"{API}/models").respond(json=answer)
    assert await family.refresh() == Correction()


async def test_list_that_does_not_come_is_an_error(family, vendor):
    vendor.get(f"{API}/models").mock(return_value=problem(500, "INTERNAL"))
    with pytest.raises(ProviderError):
        await family.refresh()


# ---- the models ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("modality", "wanted", "needs", "chosen"),
    [
        ("image", None, {"text_to_image"}, "gemini-nano-banana-2.1"),
        ("image", "imagen-3.0-generate-002", {"text_to_image"}, "gemini-nano-banana-2.1"),
        ("image", "imagen-4.0-ultra-generate-001", {"text_to_image"}, "gemini-3-pro-image"),
        ("image", "nano-banana-pro-preview", {"edit"}, "gemini-3-pro-image"),
        ("chat", "gemini-1.5-pro", {"tools", "vision"}, "gemini-3.8-flash"),
        ("chat", "gemini-1.5-flash-latest", {"documents"}, "gemini-3.5-flash-lite"),
        ("transcription", None, {"transcribe", "timestamps", "diarization"}, "gemini-3.5-transcribe"),
    ],
)
def test_retired_names_are_served_by_their_heirs_and_the_user_is_told(modality, wanted, needs, chosen):
    choice = catalogue().choose(modality, wanted, needs=needs)
    assert choice.model.id == chosen
    assert bool(choice.warnings) == (wanted is not None)


def test_every_heir_is_there_and_every_chain_ends_with_a_living_model():
    models = catalogue()
    for model in models.models:
        heir = model
        while heir.status == "retired":
            heir = models.get(heir.successor or "")
            assert heir is not None, model.id
        assert heir.modality == model.modality


def test_models_the_planner_may_choose_say_when():
    first = [row for row in catalogue().models if row.status == "live" and row.rank < 100]
    assert all(row.when for row in first)


def test_edit_with_a_mask_is_no_capability_here():
    with pytest.raises(NotOffered):
        catalogue().choose("image", "gemini-nano-banana-2.1", needs={"inpaint"})
