"""Replicate's edits, the options of its models, and what a live schema says of them."""

import datetime as dt
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import replicate
from wire_replicate import API, KEY, listed, prediction

from providers.catalogue import Correction
from providers.errors import NotOffered, Unanswered
from providers.http import Http
from providers.prices import media_price
from providers.replicate import Replicate
from providers.types import EditRequest, ImageRequest, Media, VideoRequest

pytestmark = pytest.mark.anyio

MEDIA = {"a": Media("image/png", data=b"\x89PNG"), "b": Media("image/jpeg", data=b"jpeg")}
A, B = MEDIA["a"].data_uri(), MEDIA["b"].data_uri()
NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture
async def family() -> AsyncIterator[Replicate]:
    http = Http()
    yield Replicate({"REPLICATE_API_TOKEN": KEY}, http)
    await http.aclose()


@pytest.fixture
def create(vendor):
    return vendor.post(f"{API}/predictions").mock(return_value=prediction("starting"))


def sent(route) -> dict:
    return json.loads(route.calls.last.request.content)


def edit(**more: Any) -> EditRequest:
    return EditRequest(**{"model": "flux-2-pro", "prompt": "at night", "image": "a", **more})


def drawing(model: str, **options: Any) -> ImageRequest:
    return ImageRequest(model=model, prompt="a cat", options=options)


async def equals_the_official_client(create, name: str, inputs: dict[str, Any]) -> bool:
    ours = create.calls.last.request
    await replicate.Client(api_token=KEY).predictions.async_create(version=name, input=inputs)
    theirs = create.calls.last.request
    assert ours is not theirs
    assert (ours.method, ours.url) == (theirs.method, theirs.url)
    return json.loads(ours.content) == json.loads(theirs.content)


# ---- edits -----------------------------------------------------------------------------------------------------------


async def test_edit_of_several_images_equals_the_official_clients(family, create):
    await family.submit(edit(references=("b",), seed=7, options={"safety_tolerance": 5}), MEDIA)
    inputs = {
        "prompt": "at night",
        "aspect_ratio": "match_input_image",
        "output_format": "png",
        "seed": 7,
        "safety_tolerance": 5,
        "input_images": [A, B],
    }
    assert await equals_the_official_client(create, "black-forest-labs/flux-2-pro", inputs)


async def test_edit_of_one_image_equals_the_official_clients(family, create):
    options = {"prompt_upsampling": True, "output_format": "jpg"}
    ticket = await family.submit(edit(model="flux-kontext-pro", width=1920, height=1080, options=options), MEDIA)
    inputs = {
        "prompt": "at night",
        "aspect_ratio": "16:9",
        "output_format": "jpg",
        "prompt_upsampling": True,
        "input_image": A,
    }
    assert await equals_the_official_client(create, "black-forest-labs/flux-kontext-pro", inputs)
    assert ticket.warnings == ()


async def test_options_of_a_drawing_equal_the_official_clients(family, create):
    options = {"steps": 20, "guidance": 4.5, "prompt_upsampling": False, "output_quality": 90, "output_format": "webp"}
    await family.submit(drawing("flux-2-flex", **options), {})
    inputs = {"prompt": "a cat", **options}
    assert await equals_the_official_client(create, "black-forest-labs/flux-2-flex", inputs)


async def test_a_harmless_option_is_dropped_aloud(family, create):
    ticket = await family.submit(drawing("flux-schnell", quality="high", num_inference_steps=2), {})
    assert sent(create)["input"] == {"prompt": "a cat", "output_format": "png", "num_inference_steps": 2}
    assert ticket.warnings == ("flux-schnell knows no option quality; it was ignored.",)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (edit(model="flux-1.1-pro"), "flux-1.1-pro does not edit"),
        (edit(model="flux-kontext-pro", references=("b",)), "at most 1 input images, 2 were given"),
        (edit(references=("b",) * 8), "at most 8 input images, 9 were given"),
        (edit(operation="inpaint", mask="b"), "does not inpaint"),
        (edit(mask="b"), "takes no mask"),
        (edit(prompt=""), "say what the picture is to become"),
        (edit(n=2), "at most 1 in one call"),
        (edit(image="z"), "z is not attached"),
        (edit(options={"steps": 5}), "no option 'steps'; it knows: output_format, "),
        (drawing("flux-schnell", num_inference_steps=9), "does not take this num_inference_steps"),
        (VideoRequest(model="seedance-1-pro", prompt="x", references=("a",)), "no clip and no reference images"),
        (VideoRequest(model="seedance-1-pro", prompt="x", video="a"), "no clip and no reference images"),
    ],
)
async def test_what_a_model_cannot_do_is_refused_before_the_call(family, create, request_, said):
    with pytest.raises(NotOffered, match=said) as caught:
        await family.submit(request_, MEDIA)
    assert (create.called, caught.value.charged) == (False, False)


async def test_a_lost_edit_is_found_by_its_images_and_options(family, vendor):
    request = edit(references=("b",), options={"safety_tolerance": 5})
    inputs = {"prompt": "at night", "aspect_ratio": "match_input_image", "output_format": "png", "safety_tolerance": 5}
    rows = [
        prediction("processing", id=name, model="black-forest-labs/flux-2-pro", input={**inputs, **more})
        for name, more in [
            ("this", {"input_images": [A, B]}),
            ("renamed", {"images": [A, B]}),
            ("turned", {"input_images": [B, A]}),
            ("stricter", {"input_images": [A, B], "safety_tolerance": 1}),
        ]
    ]
    vendor.get(url__startswith=f"{API}/predictions").mock(return_value=listed(*rows))
    tickets = await family.find(request, NOON, MEDIA)
    assert [ticket.job_id for ticket in tickets] == ["renamed", "this"]


async def test_an_edit_is_priced_with_its_images(family):
    row = family.row("flux-2-pro")
    none, one, two = (media_price(row, each) for each in (drawing("flux-2-pro"), edit(), edit(references=("b",))))
    assert none < one < two
    assert two - one == one - none


# ---- the models of today ---------------------------------------------------------------------------------------------


def described(*inputs: str) -> dict[str, Any]:
    properties = {name: {"type": "string"} for name in inputs}
    schemas = {"Input": {"type": "object", "properties": properties}}
    return {"latest_version": {"id": "x", "openapi_schema": {"components": {"schemas": schemas}}}}


async def test_a_model_that_is_gone_and_an_input_that_was_renamed_are_told(family, vendor):
    answers = {
        "black-forest-labs/flux-schnell": httpx.Response(404, json={"title": "Not found"}),
        "black-forest-labs/flux-2-pro": httpx.Response(200, json=described("prompt", "images", "input_image")),
        "black-forest-labs/flux-2-max": httpx.Response(200, json=described("prompt", "reference_pictures")),
        "black-forest-labs/flux-kontext-pro": httpx.Response(200, json=described("prompt", "input_image")),
        "bytedance/seedance-1-pro": httpx.Response(200, json={"latest_version": None}),
    }
    usual = httpx.Response(200, json=described("prompt", "image"))
    route = vendor.get(url__regex=f"{API}/models/([^/]+/[^/]+)$")
    route.side_effect = lambda request: answers.get(request.url.path.removeprefix("/v1/models/"), usual)
    correction = await family.refresh()
    assert correction.gone == ("flux-schnell",)
    assert correction.limits == {"flux-2-pro": {"image_field": "images"}}
    assert route.calls.last.request.headers["authorization"] == f"Bearer {KEY}"


async def test_a_vendor_that_does_not_answer_corrects_nothing(family, vendor):
    vendor.get(url__startswith=f"{API}/models").respond(503)
    with pytest.raises(Unanswered):
        await family.refresh()


@pytest.mark.parametrize("environment", [{}, {"REPLICATE_API_TOKEN": "k", "REPLICATE_BASE_URL": "http://fake.test/v1"}])
async def test_a_gateway_and_a_vendor_without_a_key_are_not_asked(vendor, environment):
    http = Http()
    assert await Replicate(environment, http).refresh() == Correction()
    assert not vendor.calls
    await http.aclose()
