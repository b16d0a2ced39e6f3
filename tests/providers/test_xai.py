"""xAI's pictures and clips: bodies, shapes, what is blocked, prices, refusals. Chat and voice: `test_xai_words.py`."""

import io
import json
from collections.abc import AsyncIterator
from decimal import Decimal

import httpx
import pytest
from openai import AsyncOpenAI
from PIL import Image
from wire_xai import API, KEY, PICTURE, WIRE, pictures
from wire_xai_jobs import video

from providers.catalogue import Catalogue, needs_of
from providers.errors import (
    InvalidRequest,
    JobFailed,
    MalformedAnswer,
    ModelGone,
    Moderated,
    NotOffered,
    QuotaExhausted,
    Unauthorized,
)
from providers.http import Http
from providers.prices import media_price
from providers.types import Done, EditRequest, ImageRequest, Media, Output, Pending, Ticket, VideoRequest
from providers.xai import XAI

pytestmark = pytest.mark.anyio

TICKET = Ticket(job_id="v1")
MODEL = "grok-imagine-image-2.0"
CLIP = "grok-imagine-video-1.5"


def png(width: int = 4, height: int = 4) -> Media:
    """A black image of this size."""
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return Media("image/png", data=file.getvalue())


@pytest.fixture
async def family() -> AsyncIterator[XAI]:
    http = Http()
    yield XAI({"XAI_API_KEY": KEY}, http)
    await http.aclose()


@pytest.fixture
def draw(vendor):
    return vendor.post(url__regex=f"{API}/images/(generations|edits)").mock(return_value=pictures(PICTURE))


@pytest.fixture
def film(vendor):
    return vendor.post(url__regex=f"{API}/videos/(generations|edits)").respond(json={"request_id": "v1"})


def sent(route) -> dict:
    return json.loads(route.calls.last.request.content)


async def polled(family, vendor, answer: httpx.Response) -> Done | Pending:
    vendor.get(f"{API}/videos/v1").mock(return_value=answer)
    return await family.poll(TICKET)


# ---- pictures --------------------------------------------------------------------------------------------------------


async def test_drawing_equals_what_the_openai_client_sends(family, draw, openai_api):
    request = ImageRequest(model=MODEL, prompt="a cat", n=2, width=1280, height=720, options={"quality": "low"})
    await family.submit(request, {})
    ours = draw.calls.last.request
    route = openai_api.post(f"{API}/images/generations").mock(return_value=pictures(PICTURE))
    async with AsyncOpenAI(api_key=KEY, base_url=API, max_retries=0) as client:
        await client.images.generate(
            model=MODEL,
            prompt="a cat",
            n=2,
            response_format="b64_json",
            quality="low",
            extra_body={"aspect_ratio": "16:9", "resolution": "1k"},
        )
    theirs = route.calls.last.request
    assert (ours.method, str(ours.url)) == (theirs.method, str(theirs.url))
    assert json.loads(ours.content) == json.loads(theirs.content)
    assert ours.headers["authorization"] == theirs.headers["authorization"]


async def test_edit_of_one_picture_is_json_and_not_multipart(family, draw):
    await family.submit(EditRequest(model=MODEL, prompt="add a hat", image="a"), {"a": png()})
    request = draw.calls.last.request
    assert (str(request.url), request.headers["content-type"]) == (f"{API}/images/edits", "application/json")
    assert sent(draw) == {
        "model": MODEL,
        "prompt": "add a hat",
        "n": 1,
        "response_format": "b64_json",
        "quality": "medium",
        "image": {"url": png().data_uri(), "type": "image_url"},
    }


async def test_several_pictures_go_as_a_list_the_one_to_change_first(family, draw):
    media = {"a": png(4), "b": png(8)}
    await family.submit(EditRequest(model=MODEL, prompt="merge", image="b", references=("a",)), media)
    assert [one["url"] for one in sent(draw)["images"]] == [media["b"].data_uri(), media["a"].data_uri()]
    assert "image" not in sent(draw)


async def test_drawing_from_references_is_an_edit(family, draw):
    await family.submit(ImageRequest(model=MODEL, prompt="her at sea", references=("a",)), {"a": png()})
    assert str(draw.calls.last.request.url) == f"{API}/images/edits"


async def test_without_a_size_the_shape_is_left_to_xai(family, draw):
    await family.submit(ImageRequest(model="grok-imagine-image", prompt="a cat"), {})
    assert sent(draw) == {"model": "grok-imagine-image", "prompt": "a cat", "n": 1, "response_format": "b64_json"}


@pytest.mark.parametrize(
    ("size", "ratio", "resolution"),
    [
        ((1024, 1024), "1:1", "1k"),
        ((1792, 1024), "16:9", "1k"),
        ((2048, 2048), "1:1", "2k"),
        ((1920, 1080), "16:9", "1k"),
        ((2560, 1440), "16:9", "2k"),
        ((720, 1280), "9:16", "1k"),
        ((2100, 900), "21:9", "1k"),
    ],
)
async def test_size_becomes_the_nearest_ratio_and_resolution(family, draw, size, ratio, resolution):
    await family.submit(ImageRequest(model=MODEL, prompt="x", width=size[0], height=size[1]), {})
    assert (sent(draw)["aspect_ratio"], sent(draw)["resolution"]) == (ratio, resolution)
    assert "size" not in sent(draw)


async def test_size_far_from_what_can_be_made_is_warned_about(family, draw):
    done = await family.submit(ImageRequest(model=MODEL, prompt="x", width=3840, height=2160), {})
    assert done.warnings == (f"{MODEL} was asked for 3840x2160 and makes 16:9 at 2k, the nearest it can.",)


async def test_edit_gets_no_ratio_that_edits_do_not_know(family, draw):
    request = EditRequest(model=MODEL, prompt="x", image="a", width=2100, height=900)
    done = await family.submit(request, {"a": png()})
    assert sent(draw)["aspect_ratio"] == "2:1"
    assert done.warnings == (f"{MODEL} was asked for 2100x900 and makes 2:1 at 1k, the nearest it can.",)


async def test_seed_is_not_sent_and_warned_about(family, draw):
    done = await family.submit(ImageRequest(model=MODEL, prompt="x", seed=7), {})
    assert "seed" not in sent(draw)
    assert done.warnings == (f"{MODEL} takes no seed; the one given was ignored.",)


async def test_quality_is_for_the_model_that_has_it(family, draw):
    done = await family.submit(ImageRequest(model="grok-imagine-image", prompt="x", options={"quality": "low"}), {})
    assert "quality" not in sent(draw)
    assert done.warnings == ("grok-imagine-image knows no option quality; it was ignored.",)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (ImageRequest(model=MODEL, prompt="x", n=11), "at most 10"),
        (ImageRequest(model=MODEL, prompt="x", options={"style": "vivid"}), "no option 'style'"),
        (ImageRequest(model=MODEL, prompt="x", options={"quality": "high"}), "does not take this quality"),
        (ImageRequest(model=MODEL, prompt="x", references=("a",) * 6), "at most 5 pictures"),
        (EditRequest(model=MODEL, prompt="x", image="missing"), "not attached"),
        (EditRequest(model=MODEL, prompt="x", image="big"), "at most 10 MB"),
        (EditRequest(model=MODEL, prompt="x", image="clip"), "starts from pictures"),
        (EditRequest(model=MODEL, prompt="x", image="a", mask="a"), "takes no mask"),
        (EditRequest(model=MODEL, prompt="x", image="a", mask="a", operation="inpaint"), "does not inpaint"),
        (EditRequest(model=MODEL, image="a", operation="upscale"), "does not upscale"),
    ],
)
async def test_what_a_model_cannot_do_is_refused_before_the_call(family, draw, request_, why):
    media = {"a": png(), "big": Media("image/png", data=b"\0" * 10_485_761), "clip": Media("video/mp4", data=b"x")}
    with pytest.raises(NotOffered, match=why):
        await family.submit(request_, media)
    assert not draw.called


async def test_picture_and_its_price_are_read(family, draw):  # trap 16: the type it names is not looked at
    done = await family.submit(WIRE.request, {})
    assert done == Done(outputs=(Output(data=b"\0\0\0"),), cost_usd=Decimal("0.06"))


async def test_answer_without_its_price_has_none(family, vendor):
    vendor.post(f"{API}/images/generations").mock(return_value=pictures(PICTURE, ticks=None))
    assert (await family.submit(WIRE.request, {})).cost_usd is None


@pytest.mark.parametrize(
    "items",
    [
        (),  # trap 15
        ({"url": "", "respect_moderation": False},),
        ({"b64_json": "AAAA", "respect_moderation": False},),
        ({"respect_moderation": True},),
    ],
)
async def test_blocked_picture_comes_inside_an_http_200_and_tells_its_price(family, vendor, items):
    vendor.post(f"{API}/images/generations").mock(return_value=pictures(*items))
    with pytest.raises(Moderated) as caught:
        await family.submit(WIRE.request, {})
    assert caught.value.cost_usd == Decimal("0.06")


async def test_of_several_pictures_the_blocked_one_is_left_out_and_told(family, vendor):
    answer = pictures(PICTURE, {"b64_json": "////", "respect_moderation": False})
    vendor.post(f"{API}/images/generations").mock(return_value=answer)
    done = await family.submit(ImageRequest(model=MODEL, prompt="x", n=2), {})
    assert done.outputs == (Output(data=b"\0\0\0"),)
    assert done.warnings == (f"{MODEL} was asked for 2 pictures and made 1; some may be blocked.",)


@pytest.mark.parametrize("body", [{"data": None}, {"data": ["x"]}, {"data": [{"b64_json": "%"}]}, []])
async def test_answer_without_a_readable_picture_is_malformed(family, vendor, body):
    vendor.post(f"{API}/images/generations").respond(json=body)
    with pytest.raises(MalformedAnswer):
        await family.submit(WIRE.request, {})


# ---- clips -----------------------------------------------------------------------------------------------------------


async def test_clip_from_words(family, film):
    ticket = await family.submit(VideoRequest(model=CLIP, prompt="a cat", width=1080, height=1920), {})
    assert str(film.calls.last.request.url) == f"{API}/videos/generations"
    assert sent(film) == {
        "model": CLIP,
        "prompt": "a cat",
        "duration": 5,
        "aspect_ratio": "9:16",
        "resolution": "1080p",
    }
    assert ticket == TICKET


async def test_clip_from_a_first_frame_keeps_its_shape(family, film):
    await family.submit(VideoRequest(model=CLIP, prompt="it yawns", image="a"), {"a": png()})
    body = {
        "model": CLIP,
        "prompt": "it yawns",
        "duration": 5,
        "resolution": "720p",
        "image": {"url": png().data_uri()},
    }
    assert sent(film) == body


async def test_clip_from_references_goes_no_higher_than_720p(family, film):
    request = VideoRequest(model=CLIP, prompt="x", references=("a", "b"), width=1920, height=1080)
    ticket = await family.submit(request, {"a": png(4), "b": png(8)})
    assert sent(film)["reference_images"] == [{"url": png(4).data_uri()}, {"url": png(8).data_uri()}]
    assert sent(film)["resolution"] == "720p"
    assert ticket.warnings == (f"{CLIP} was asked for 1920x1080 and makes 16:9 at 720p, the nearest it can.",)


async def test_clip_that_is_changed_keeps_its_length_and_shape(family, film):
    clip = Media("video/mp4", data=b"moov")
    request = VideoRequest(model=CLIP, prompt="in snow", video="v", duration_s=9, width=1280, height=720)
    ticket = await family.submit(request, {"v": clip})
    assert str(film.calls.last.request.url) == f"{API}/videos/edits"
    assert sent(film) == {"model": CLIP, "prompt": "in snow", "video": {"url": clip.data_uri()}}
    assert ticket.warnings == (f"{CLIP} keeps the length and the shape of the clip it changes.",)


@pytest.mark.parametrize(("asked", "made"), [(0.5, 1), (15, 15), (60, 15)])
async def test_duration_is_the_nearest_allowed_and_warned_about(family, film, asked, made):
    ticket = await family.submit(VideoRequest(model=CLIP, prompt="x", duration_s=asked), {})
    assert sent(film)["duration"] == made
    assert bool(ticket.warnings) == (asked != made)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (VideoRequest(model=CLIP, prompt="x", image="a", references=("a",)), "not both"),
        (VideoRequest(model=CLIP, prompt="x", references=("a",) * 8), "at most 7"),
        (VideoRequest(model=CLIP, prompt="x", video="v", image="a"), "by words alone"),
        (VideoRequest(model=CLIP, prompt="x", video="a"), "changes clips; a is image/png"),
        (VideoRequest(model=CLIP, prompt="x", options={"fps": 60}), "no option 'fps'"),
        (VideoRequest(model="grok-imagine-video-1.5-lite", prompt="x", video="v"), "cannot change a clip"),
        (VideoRequest(model="grok-imagine-video-1.5-lite", prompt="x", references=("a",)), "no reference pictures"),
    ],
)
async def test_clip_that_cannot_be_made_is_refused_before_the_call(family, film, request_, why):
    with pytest.raises(NotOffered, match=why):
        await family.submit(request_, {"a": png(), "v": Media("video/mp4", data=b"moov")})
    assert not film.called


@pytest.mark.parametrize(
    ("answer", "pending"),
    [
        (httpx.Response(202), Pending()),  # without a body
        (video("pending", 202, progress=1), Pending(progress=0.01)),  # trap 19: it stayed 1 for 23 polls
        (video("pending", progress=100), Pending(progress=1.0)),  # trap 18: 0 to 100, not 0 to 1
        (video("pending"), Pending()),
        (video("queued", 202), Pending()),
    ],
)
async def test_job_under_way_answers_202_or_200(family, vendor, answer, pending):
    assert await polled(family, vendor, answer) == pending


async def test_finished_clip_tells_its_price(family, vendor):
    answer = video("done", video={"url": "https://vidgen.x.ai/a.mp4"}, usage={"cost_in_usd_ticks": 7_000_000_000})
    assert await polled(family, vendor, answer) == Done((Output(url="https://vidgen.x.ai/a.mp4"),), Decimal("0.7"))


async def test_clip_without_a_status_is_done(family, vendor):
    done = await polled(family, vendor, httpx.Response(200, json={"video": {"url": "https://vidgen.x.ai/a.mp4"}}))
    assert isinstance(done, Done)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (video("done", video={"url": "https://x/a.mp4", "respect_moderation": False}), Moderated),
        (video("failed", error={"code": "x", "message": "Rejected by content moderation."}), Moderated),
        (video("failed", error="Content violates usage guidelines."), Moderated),
        (video("failed"), JobFailed),
        (video("expired"), JobFailed),
        (video("done", video=None), MalformedAnswer),
    ],
)
async def test_job_that_ended_badly(family, vendor, answer, error):
    with pytest.raises(error):
        await polled(family, vendor, answer)


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, {"code": "c", "error": "Content violates usage guidelines. Team: t, API key ID: k"}, Moderated),
        (400, {"code": "c", "error": "Generated image rejected by content moderation."}, Moderated),
        (400, {"error": "Incorrect API key provided: xa***89. You can obtain one from console.x.ai."}, Unauthorized),
        (403, {"error": "Your newly created team doesn't have any credits yet."}, QuotaExhausted),
        (403, {"error": {"message": "Key disabled", "type": "t", "code": None}}, Unauthorized),
        (404, {"code": "c", "error": "The model grok-x does not exist or your team does not have access."}, ModelGone),
        (400, {"error": "Model not found: grok-x"}, ModelGone),
        (422, {"error": "Failed to deserialize the JSON body"}, InvalidRequest),
    ],
)
async def test_refusals_are_told_apart_by_their_sentence(family, vendor, status, body, error):
    vendor.post(f"{API}/images/generations").respond(status, json=body)
    with pytest.raises(error) as caught:
        await family.submit(WIRE.request, {})
    assert "Team" not in str(caught.value)
    assert "xa***89" not in str(caught.value)


# ---- the family ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["http://fake.test:9", "http://fake.test:9/v1", "http://fake.test:9/v1/"])
async def test_base_url_with_or_without_v1(vendor, base):
    route = vendor.post("http://fake.test:9/v1/images/generations").mock(return_value=pictures(PICTURE))
    http = Http()
    await XAI({"GROK_API_KEY": KEY, "XAI_BASE_URL": base}, http).submit(WIRE.request, {})
    await http.aclose()
    assert route.calls.last.request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "wanted", ["grok-2-image", "grok-2-image-1212", "grok-imagine-image-pro", "grok-imagine-image-quality"]
)
def test_retired_model_is_served_by_its_successor(wanted):
    choice = Catalogue(XAI({"XAI_API_KEY": KEY}, Http()).models).choose("image", wanted, needs={"text_to_image"})
    assert choice.model.id == MODEL
    assert "was retired by its vendor" in choice.warnings[0]


def test_inpaint_is_not_offered():
    catalogue = Catalogue(XAI({"XAI_API_KEY": KEY}, Http()).models)
    assert catalogue.offered("image", {"inpaint"}) == []
    assert catalogue.offered("image", needs_of(EditRequest(model=MODEL, image="a", references=("b",))))[0].id == MODEL


@pytest.mark.parametrize(
    ("request_", "usd"),
    [
        (ImageRequest(model=MODEL, prompt="x", n=3), "0.18"),
        (VideoRequest(model="grok-imagine-video", prompt="x", duration_s=10), "0.70"),
        (VideoRequest(model=CLIP, prompt="x", duration_s=4, image="a"), "1.01"),
    ],
)
def test_the_dearest_price_is_reserved(request_, usd):
    assert media_price(XAI({}, Http()).row(request_.model), request_) == Decimal(usd)
