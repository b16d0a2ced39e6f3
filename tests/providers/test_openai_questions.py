"""What OpenAI is asked for nothing: whether something is fit to be made, and which models it has today."""

import datetime as dt
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import respx
from openai import AsyncOpenAI

from providers.catalogue import Correction
from providers.errors import MalformedAnswer, NotOffered, Unanswered, Unauthorized
from providers.http import Http
from providers.openai import OpenAI
from providers.types import Media

pytestmark = pytest.mark.anyio

API = "https://api.openai.com/v1"
PNG = Media("image/png", b"png")
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}}


@pytest.fixture
async def family(anyio_backend: str) -> AsyncIterator[OpenAI]:
    http = Http(timeout_s=300)
    family = OpenAI({"OPENAI_API_KEY": "sk-secret"}, http)
    yield family
    await family.aclose()
    await http.aclose()


def verdict(*flagged: str) -> dict[str, Any]:
    names = ("harassment", "self-harm/intent", "violence", "violence/graphic")
    categories = {name: name in flagged for name in names}
    result = {"flagged": bool(flagged), "categories": categories, "category_scores": dict.fromkeys(names, 0.1)}
    return {"id": "modr-1", "model": "omni-moderation-latest", "results": [result]}


def sent(route: respx.Route) -> list[dict[str, Any]]:
    return [json.loads(call.request.content) for call in route.calls]


# ---- moderation ------------------------------------------------------------------------------------------------------


async def test_moderation_is_asked_as_a_plain_sdk_call_does(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = openai_api.post(f"{API}/moderations").respond(json=verdict())
    assert await family.moderate("a cat", [PNG]) == ()
    async with AsyncOpenAI(api_key="sk-secret", max_retries=0) as plain:
        parts: Any = [{"type": "text", "text": "a cat"}, PICTURE]
        await plain.moderations.create(model="omni-moderation-latest", input=parts)
    ours, theirs = sent(route)
    assert ours == theirs


async def test_the_flagged_categories_come_back_each_once(openai_api: respx.MockRouter, family: OpenAI) -> None:
    answers = iter([verdict("violence"), verdict("violence", "self-harm/intent")])
    route = openai_api.post(f"{API}/moderations")
    route.side_effect = lambda request: respx.MockResponse(json=next(answers))
    assert await family.moderate("a fight", [PNG, PNG]) == ("violence", "self-harm/intent")
    first, second = (body["input"] for body in sent(route))
    assert first == [{"type": "text", "text": "a fight"}, PICTURE]
    assert second == [PICTURE]


async def test_nothing_is_asked_about_nothing(openai_api: respx.MockRouter, family: OpenAI) -> None:
    assert await family.moderate(" ") == ()
    assert not openai_api.calls


async def test_a_flag_without_a_category_is_a_flag(openai_api: respx.MockRouter, family: OpenAI) -> None:
    openai_api.post(f"{API}/moderations").respond(json={"results": [{"flagged": True}]})
    assert await family.moderate("x") == ("flagged",)


@pytest.mark.parametrize("media", [Media("video/mp4", b"x"), Media("image/png", bytes(20_000_001))])
async def test_what_cannot_be_moderated_is_refused(family: OpenAI, media: Media) -> None:
    with pytest.raises(NotOffered):
        await family.moderate("x", [media])


@pytest.mark.parametrize("body", [[], {}, {"results": []}, {"results": ["x"]}])
async def test_no_verdict_is_not_a_clean_one(openai_api: respx.MockRouter, family: OpenAI, body: Any) -> None:
    openai_api.post(f"{API}/moderations").respond(json=body)
    with pytest.raises(MalformedAnswer):
        await family.moderate("x")


async def test_a_lost_verdict_owes_nothing(openai_api: respx.MockRouter, family: OpenAI) -> None:
    openai_api.post(f"{API}/moderations").mock(side_effect=httpx2.ReadTimeout("slow"))
    with pytest.raises(Unanswered) as caught:
        await family.moderate("x")
    assert caught.value.charged is False


# ---- the models of today ---------------------------------------------------------------------------------------------


def listed(*ids: str, **shutdowns: str) -> dict[str, Any]:
    rows = [{"id": name, "object": "model", "created": 1, "owned_by": "system"} for name in ids]
    ends = {name.replace("_", "-"): day for name, day in shutdowns.items()}
    return {
        "object": "list",
        "data": [row | ({"shutdown_date": ends[row["id"]]} if row["id"] in ends else {}) for row in rows],
    }


async def test_the_list_tells_the_ends_and_who_is_gone(openai_api: respx.MockRouter, family: OpenAI) -> None:
    living = [row.id for row in family.models if row.status != "retired"]
    ids = [name for name in living if name != "gpt-image-2"]
    openai_api.get(f"{API}/models").respond(json=listed(*ids, "else", tts_1="2027-02-01T00:00:00Z", whisper_1="soon"))
    assert await family.refresh() == Correction(shutdowns={"tts-1": dt.date(2027, 2, 1)}, gone=("gpt-image-2",))


async def test_the_list_is_asked_for_as_a_plain_sdk_call_does(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = openai_api.get(f"{API}/models").respond(json=listed("gpt-4o"))
    await family.refresh()
    async with AsyncOpenAI(api_key="sk-secret", max_retries=0) as plain:
        await plain.models.list()
    ours, theirs = (call.request for call in route.calls)
    assert (ours.method, ours.url) == (theirs.method, theirs.url)
    assert ours.headers["authorization"] == theirs.headers["authorization"]


@pytest.mark.parametrize("body", [[], {}, {"data": "x"}, {"data": []}, {"data": [{"id": "llama"}]}])
async def test_a_list_that_knows_nothing_is_not_believed(
    openai_api: respx.MockRouter, family: OpenAI, body: Any
) -> None:
    openai_api.get(f"{API}/models").respond(json=body)
    with pytest.raises(MalformedAnswer):
        await family.refresh()


async def test_a_list_that_does_not_come_says_so(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = openai_api.get(f"{API}/models")
    route.side_effect = [httpx2.ReadTimeout("slow"), respx.MockResponse(401, json={"error": {}})]
    with pytest.raises(Unanswered):
        await family.refresh()
    with pytest.raises(Unauthorized):
        await family.refresh()


@pytest.mark.parametrize("environment", [{}, {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}])
async def test_a_gateway_and_a_vendor_without_a_key_are_not_asked(
    openai_api: respx.MockRouter, environment: dict[str, str]
) -> None:
    http = Http()
    assert await OpenAI(environment, http).refresh() == Correction()
    assert not openai_api.calls
    await http.aclose()
