"""Google's pictures: what goes out, what comes back among text and thoughts, and what is blocked inside an HTTP 200."""

import base64
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from google.genai import types
from google_sdk import assert_equal_requests, sent_by_sdk
from wire_google import API, KEY

from providers.errors import MalformedAnswer, Moderated, NotOffered, OutcomeUnknown, Unavailable
from providers.google import Google
from providers.http import Http, patiently
from providers.prices import media_cost, media_price
from providers.types import Done, EditRequest, ImageRequest, Media, Output, SpeechRequest

pytestmark = pytest.mark.anyio

MODEL = "gemini-nano-banana-2.1"
PNG = Media("image/png", data=b"\x89PNG")
CATS = {"a": PNG, "b": Media("image/jpeg", data=b"\xff\xd8\xff"), "c": Media("video/mp4", data=b"clip")}
DRAWN = {"inlineData": {"mimeType": "image/jpeg", "data": base64.b64encode(b"a cat").decode()}}


def answer(*parts: dict[str, Any], finish: str = "STOP", **fields: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": finish}]} | fields


def picture(**fields: Any) -> ImageRequest:
    return ImageRequest(model=MODEL, prompt="a cat", **fields)


@pytest.fixture
async def family() -> AsyncIterator[Google]:
    http = Http()
    yield Google({"GOOGLE_API_KEY": KEY}, http)
    await http.aclose()


@pytest.fixture
def draw(vendor):
    return vendor.post(url__regex=f"{API}/models/.*:generateContent").respond(json=answer(DRAWN))


def sent(route) -> dict:
    return json.loads(route.calls.last.request.content)


# ---- the request -----------------------------------------------------------------------------------------------------


async def test_picture_equals_the_official_clients(family, draw):
    await family.submit(picture(width=2048, height=1152), {})
    theirs = sent_by_sdk(
        lambda client: client.models.generate_content(
            model=MODEL,
            contents=[types.Content(role="user", parts=[types.Part(text="a cat")])],
            config=types.GenerateContentConfig(
                response_modalities=["IMAGE"],
                image_config=types.ImageConfig(aspect_ratio="16:9", image_size="2K"),
            ),
        )
    )
    assert_equal_requests(draw.calls.last.request, theirs)


async def test_edit_with_further_pictures_equals_the_official_clients(family, draw):
    await family.submit(EditRequest(model=MODEL, prompt="a hat on it", image="a", references=("b",)), CATS)
    blobs = [types.Blob(mime_type=one.media_type, data=one.read()) for one in (CATS["a"], CATS["b"])]
    parts = [types.Part(text="a hat on it"), *(types.Part(inline_data=blob) for blob in blobs)]
    theirs = sent_by_sdk(
        lambda client: client.models.generate_content(
            model=MODEL,
            contents=[types.Content(role="user", parts=parts)],
            config=types.GenerateContentConfig(response_modalities=["IMAGE"]),
        )
    )
    assert_equal_requests(draw.calls.last.request, theirs)


async def test_nothing_is_stored_at_google(family, draw):
    await family.submit(picture(), {})
    assert sent(draw)["store"] is False


@pytest.mark.parametrize(
    ("model", "size", "shape"),
    [
        (MODEL, (1024, 1024), {"aspectRatio": "1:1", "imageSize": "1K"}),
        (MODEL, (3840, 2160), {"aspectRatio": "16:9", "imageSize": "4K"}),
        (MODEL, (512, 512), {"aspectRatio": "1:1", "imageSize": "1K"}),
        ("gemini-3.1-flash-image", (512, 512), {"aspectRatio": "1:1", "imageSize": "512"}),
        ("gemini-3-pro-image", (1792, 1024), {"aspectRatio": "16:9", "imageSize": "1K"}),
        ("gemini-3.1-flash-lite-image", (2048, 2048), {"aspectRatio": "1:1"}),
        (MODEL, (400, 3200), {"aspectRatio": "1:8", "imageSize": "1K"}),
        ("gemini-3-pro-image", (400, 3200), {"aspectRatio": "9:16", "imageSize": "1K"}),
    ],
)
async def test_size_becomes_the_nearest_shape_and_a_tier_that_is_enough(family, draw, model, size, shape):
    await family.submit(ImageRequest(model=model, prompt="x", width=size[0], height=size[1]), {})
    assert sent(draw)["generationConfig"]["imageConfig"] == shape


async def test_size_that_is_not_made_is_warned_about(family, draw):
    done = await family.submit(picture(width=1920, height=1080), {})
    assert done.warnings == (f"{MODEL} was asked for 1920x1080 and makes 16:9 at 2K, the nearest it can.",)
    assert (await family.submit(picture(width=2048, height=2048), {})).warnings == ()


async def test_without_a_size_the_picture_keeps_the_shape_of_the_one_it_is_from(family, draw):
    await family.submit(picture(references=("a",)), CATS)
    assert "imageConfig" not in sent(draw)["generationConfig"]


async def test_seed_is_ignored_aloud(family, draw):
    done = await family.submit(picture(seed=7, options={"quality": "high"}), {})
    assert "seed" not in json.dumps(sent(draw))
    assert len(done.warnings) == 2


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (picture(n=2), "at most 1 in one call"),
        (picture(references=("a",) * 15), "at most 14 pictures"),
        (picture(references=("z",)), "z is not attached"),
        (picture(references=("c",)), "c is video/mp4"),
        (picture(width=-1, height=5), "no picture of -1x5"),
        (picture(options={"style": "vivid"}), "knows no option 'style'"),
        (EditRequest(model=MODEL, prompt="x", image="a", mask="b"), "takes no mask"),
        (EditRequest(model=MODEL, operation="upscale", image="a"), "does not upscale"),
        (EditRequest(model=MODEL, image="a"), "say what the picture is to become"),
        (SpeechRequest(model=MODEL, text="hi"), "makes no speech"),
    ],
)
async def test_what_the_model_cannot_do_is_refused_before_it_is_sent(family, draw, request_, said):
    with pytest.raises(NotOffered, match=said):
        await family.submit(request_, CATS)
    assert not draw.called


async def test_retired_model_is_not_tried(family, draw):
    with pytest.raises(Unavailable, match="use gemini-nano-banana"):
        await family.submit(ImageRequest(model="imagen-3.0-generate-002", prompt="x"), {})
    assert not draw.called


# ---- the answer ------------------------------------------------------------------------------------------------------


async def test_picture_is_found_behind_text_and_thoughts(family, vendor):
    """Trap 13: JPEG without asking, text before the picture, a signature larger than the picture."""
    draft = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    signed = DRAWN | {"thoughtSignature": "x" * 1_500_000}
    parts = [{"text": "Here it is:"}, draft | {"thought": True}, draft, signed]
    vendor.post(f"{API}/models/{MODEL}:generateContent").respond(json=answer(*parts))
    assert await family.submit(picture(), {}) == Done((Output(data=b"a cat"),))


async def test_url_safe_base64_is_read(family, vendor):
    part = {"inlineData": {"mimeType": "image/png", "data": "-_-_"}}
    vendor.post(f"{API}/models/{MODEL}:generateContent").respond(json=answer(part))
    assert (await family.submit(picture(), {})).outputs[0].data == base64.b64decode("+/+/")


@pytest.mark.parametrize(
    "body",
    [
        {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {}},
        {"promptFeedback": {"blockReason": "SAFETY"}, "candidates": []},
        {"promptFeedback": {"safetyRatings": []}},
        {"candidates": [{"finishReason": "IMAGE_SAFETY", "index": 0}]},
        {"candidates": [{"content": {}, "finishReason": "PROHIBITED_CONTENT"}]},
        {"candidates": [{"content": {"role": "model"}, "finishReason": "NO_IMAGE"}]},
        {"candidates": [{"content": {"parts": []}, "finishReason": "RECITATION"}]},
    ],
)
async def test_every_shape_of_a_block_is_moderated(family, vendor, body):
    """Trap 14."""
    route = vendor.post(f"{API}/models/{MODEL}:generateContent").respond(json=body)
    with pytest.raises(Moderated) as caught:
        await patiently(lambda: family.submit(picture(), {}))
    assert (route.call_count, caught.value.charged) == (1, None)


async def test_blocked_picture_tells_what_the_model_said(family, vendor):
    body = answer({"text": "I cannot draw\nthis person."}, finish="IMAGE_SAFETY")
    vendor.post(f"{API}/models/{MODEL}:generateContent").respond(json=body)
    with pytest.raises(Moderated, match=r"I cannot draw this person\."):
        await family.submit(picture(), {})


@pytest.mark.parametrize(
    "body",
    [
        answer({"text": "Which cat?"}),
        answer(),
        {"candidates": "none"},
        {},
        answer({"inlineData": {"mimeType": "image/png", "data": "%%%"}}),
        answer({"inlineData": {"mimeType": "image/png"}}),
    ],
)
async def test_answer_without_a_picture_was_probably_billed(family, vendor, body):
    vendor.post(f"{API}/models/{MODEL}:generateContent").respond(json=body)
    with pytest.raises(MalformedAnswer) as caught:
        await family.submit(picture(), {})
    assert caught.value.charged is None
    assert ("Which cat?" in str(caught.value)) == ("Which cat?" in json.dumps(body))


@pytest.mark.parametrize("failure", [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("gone")])
async def test_lost_picture_is_not_asked_for_again(family, vendor, failure):
    route = vendor.post(f"{API}/models/{MODEL}:generateContent").mock(side_effect=failure)
    with pytest.raises(OutcomeUnknown):
        await patiently(lambda: family.submit(picture(), {}))
    assert route.call_count == 1


# ---- money -----------------------------------------------------------------------------------------------------------


async def test_thoughts_cost_the_price_of_text(family, vendor):
    """1120 tokens of picture at 30 a million, 400 of text and thought at 7.50, 10 of prompt at 1.50."""
    meta = {
        "promptTokenCount": 10,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 10}],
        "candidatesTokenCount": 1220,
        "candidatesTokensDetails": [
            {"modality": "IMAGE", "tokenCount": 1120},
            {"modality": "TEXT", "tokenCount": 100},
        ],
        "thoughtsTokenCount": 300,
    }
    vendor.post(f"{API}/models/{MODEL}:generateContent").respond(json=answer(DRAWN, usageMetadata=meta))
    done = await family.submit(picture(), {})
    assert media_cost(family.row(MODEL), picture(), done.usage) == Decimal("0.036615")


def test_every_living_model_can_be_reserved_for():
    family = Google({"GOOGLE_API_KEY": KEY}, Http())
    for row in family.models:
        if row.modality == "image" and row.status != "retired":
            assert media_price(row, picture()) > 0
