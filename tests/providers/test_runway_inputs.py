"""Runway's work from works: edits of pictures and clips, reference pictures, and the options of its models."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from PIL import Image
from runwayml import AsyncRunwayML
from wire_runway import API, KEY, WIRE

from providers.catalogue import Model
from providers.errors import NotOffered
from providers.http import Http
from providers.masks import png_of
from providers.runway import Runway
from providers.runway_orders import order_of
from providers.types import EditRequest, ImageRequest, Media, VideoRequest
from tests.fake_vendors.runway_rules import issues_of, shapes_of

pytestmark = pytest.mark.anyio

CLIP = Media("video/mp4", data=b"mp4")
MEDIA = {"a": png_of(Image.new("1", (64, 36))), "b": png_of(Image.new("1", (4, 4))), "v": CLIP}
ROWS = [row for row in Runway({}, Http()).models if row.status == "live"]
SAID = {"string": "rain", "boolean": False}
A, B, V = (MEDIA[name].data_uri() for name in "abv")


@pytest.fixture
async def family() -> AsyncIterator[Runway]:
    http = Http()
    yield Runway({"RUNWAYML_API_SECRET": KEY}, http)
    await http.aclose()


@pytest.fixture
def create(vendor):
    return vendor.post(url__regex=f"{API}/[a-z]+_to_[a-z]+").mock(return_value=WIRE.accepted)


@pytest.fixture
async def official() -> AsyncIterator[AsyncRunwayML]:
    async with AsyncRunwayML(api_key=KEY, max_retries=0) as client:
        yield client


def sent(route) -> dict:
    return json.loads(route.calls.last.request.content)


def same(ours: httpx.Request, theirs: httpx.Request) -> bool:
    assert ours is not theirs
    assert (ours.method, ours.url) == (theirs.method, theirs.url)
    assert json.loads(ours.content) == json.loads(theirs.content)
    return True


def clip(**more: Any) -> VideoRequest:
    return VideoRequest(**{"model": "gen4.5", "prompt": "it snows", **more})


# ---- as the official client sends it ---------------------------------------------------------------------------------


async def test_change_of_a_clip_equals_the_official_clients(family, create, official):
    request = clip(
        model="aleph2", video="v", seed=7, width=1080, height=1920, options={"public_figure_threshold": "low"}
    )
    await family.submit(request, MEDIA)
    ours = create.calls.last.request
    await official.video_to_video.create(
        model="aleph2",
        video_uri=V,
        prompt_text="it snows",
        seed=7,
        target_aspect_ratio="9:16",
        content_moderation={"public_figure_threshold": "low"},
    )
    assert same(ours, create.calls.last.request)


async def test_change_of_a_clip_with_references_equals_the_official_clients(family, create, official):
    await family.submit(clip(model="gemini_omni_flash_1.1", video="v", references=("a", "b")), MEDIA)
    ours = create.calls.last.request
    await official.video_to_video.create(
        model="gemini_omni_flash_1.1",
        video_uri=V,
        prompt_text="it snows",
        mode="edit",
        references=[{"uri": A}, {"uri": B}],
    )
    assert same(ours, create.calls.last.request)


async def test_clip_with_references_equals_the_official_clients(family, create, official):
    request = clip(model="seedance2", references=("a", "b"), options={"audio": False}, seed=3)
    await family.submit(request, MEDIA)
    ours = create.calls.last.request
    await official.text_to_video.create(
        model="seedance2",
        prompt_text="it snows",
        ratio="1280:720",
        duration=5,
        audio=False,
        seed=3,
        references=[{"uri": A}, {"uri": B}],
    )
    assert same(ours, create.calls.last.request)


async def test_first_frame_with_references_equals_the_official_clients(family, create, official):
    await family.submit(clip(model="kling_4", image="a", references=("b",)), MEDIA)
    ours = create.calls.last.request
    await official.image_to_video.create(
        model="kling_4",
        prompt_image=A,
        prompt_text="it snows",
        ratio="auto_720p",
        duration=5,
        references=[{"uri": B}],
    )
    assert same(ours, create.calls.last.request)


async def test_options_of_a_clip_equal_the_official_clients(family, create, official):
    options = {"audio": False, "negative_prompt": "rain"}
    await family.submit(clip(model="veo3.1", image="a", duration_s=6, options=options), MEDIA)
    ours = create.calls.last.request
    await official.image_to_video.create(
        model="veo3.1",
        prompt_image=A,
        prompt_text="it snows",
        ratio="1280:720",
        duration=6,
        audio=False,
        negative_prompt="rain",
    )
    assert same(ours, create.calls.last.request)


async def test_edit_of_a_picture_equals_the_official_clients(family, create, official):
    request = EditRequest(model="gen4_image", prompt="at night", image="a", references=("b",), seed=5)
    ticket = await family.submit(request, MEDIA)
    ours = create.calls.last.request
    await official.text_to_image.create(
        model="gen4_image",
        prompt_text="at night",
        ratio="1360:768",
        seed=5,
        reference_images=[{"uri": A}, {"uri": B}],
    )
    assert same(ours, create.calls.last.request)
    assert "draws the picture anew" in ticket.warnings[0]


# ---- what is bent and refused ----------------------------------------------------------------------------------------


async def test_a_changed_clip_keeps_its_length_and_size(family, create):
    ticket = await family.submit(clip(model="aleph2", video="v", duration_s=30), MEDIA)
    assert set(sent(create)) == {"model", "promptText", "videoUri"}
    assert ticket.warnings == ()


async def test_a_size_that_a_changed_clip_cannot_have_is_told(family, create):
    ticket = await family.submit(clip(model="gemini_omni_flash", video="v", width=640, height=640), MEDIA)
    assert "ratio" not in sent(create)
    assert ticket.warnings == ("gemini_omni_flash keeps the size of the clip; the one asked for was ignored.",)


async def test_a_large_clip_is_uploaded(family, create, vendor):
    place = {"uploadUrl": "https://bucket.test/up", "fields": {"policy": "p"}, "runwayUri": "runway://u"}
    offered = vendor.post(f"{API}/uploads").respond(json=place)
    vendor.post("https://bucket.test/up").respond(204)
    await family.submit(clip(model="aleph2", video="v"), {"v": Media("video/mp4", data=bytes(6_000_000))})
    assert sent(offered) == {"filename": "input.mp4", "type": "ephemeral"}
    assert sent(create)["videoUri"] == "runway://u"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (clip(video="v"), "gen4.5 does not change clips; aleph2 does"),
        (clip(model="aleph2", video="v", image="a"), "a clip or from a first frame"),
        (clip(model="aleph2", video="v", prompt=" "), "say what is to change"),
        (clip(model="aleph2", video="a"), "a is image/png"),
        (clip(model="aleph2", video="v", references=("a",)), "at most 0 reference images"),
        (clip(references=("a",)), "at most 0 reference images"),
        (clip(model="seedance2", references=("a",) * 10), "at most 9 reference images"),
        (clip(model="seedance2", image="a", references=("b",)), "not both; kling_4 takes both"),
        (clip(image="z"), "z is not attached"),
        (clip(options={"audio": True}), "no option 'audio'; it knows: public_figure_threshold"),
        (clip(model="hailuo3", options={"resolution": "4k"}), "does not take this resolution"),
        (EditRequest(model="gen4_image", prompt="x", image="a", operation="upscale"), "does not upscale"),
        (EditRequest(model="gen4_image", prompt="x", image="a", mask="b"), "takes no mask"),
        (EditRequest(model="gen4_image", prompt="x", image="a", references=("b", "b", "b")), "0 to 3 reference images"),
        (ImageRequest(model="gen4_image", prompt="x", options={"style": "vivid"}), "no option 'style'"),
    ],
)
async def test_what_a_model_cannot_do_is_refused_before_the_call(family, create, request_, said):
    with pytest.raises(NotOffered, match=said) as caught:
        await family.submit(request_, MEDIA)
    assert (create.called, caught.value.charged) == (False, False)


async def test_a_clip_over_the_limit_of_uploads_is_refused(family, create, tmp_path):
    path = tmp_path / "clip.mp4"
    with path.open("wb") as file:
        file.truncate(200_000_001)
    with pytest.raises(NotOffered, match="at most 200 MB"):
        await family.submit(clip(model="aleph2", video="v"), {"v": Media("video/mp4", path=path)})
    assert not create.called


# ---- the rows --------------------------------------------------------------------------------------------------------


def examples(row: Model) -> list[Any]:
    """A request of every kind that a model says it can serve, with every option it knows."""
    named = row.options.items()
    options = {name: schema["enum"][-1] if "enum" in schema else SAID[schema["type"]] for name, schema in named}
    given: dict[str, Any] = {"model": row.id, "prompt": "it snows", "options": options, "seed": 1}
    if row.modality == "image":
        return [EditRequest(**given, image="a", references=("b",)), ImageRequest(**given, references=("a",))]
    kinds: dict[str, dict[str, Any]] = {
        "text_to_video": {},
        "image_to_video": {"image": "a"},
        "video_to_video": {"video": "v", "width": 1920, "height": 1080},
        "reference_images": {"references": ("a", "b")},
    }
    return [VideoRequest(**given, **more) for kind, more in kinds.items() if kind in row.capabilities]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
async def test_every_body_has_the_shape_that_the_official_client_types(row):
    """The types of the SDK say what each model takes at each address; an unknown field is an error at Runway."""

    async def link(file: Media) -> str:
        return file.data_uri()

    for request in examples(row):
        order = await order_of(row, request, MEDIA, link)
        assert issues_of(order.body, shapes_of(order.path)) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_row_says_what_its_limits_allow(row):
    limits = row.limits
    assert ("video_to_video" in row.capabilities) == ("video_field" in limits)
    if row.modality == "video":
        assert ("reference_images" in row.capabilities) == ("max_references" in limits)
