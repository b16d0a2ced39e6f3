"""OpenAI's pictures and speech: what goes out, what comes back, and which wishes are bent or refused."""

import base64
import datetime as dt
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import httpx2
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI

from providers.catalogue import Catalogue, Model, load_models
from providers.errors import (
    MalformedAnswer,
    Moderated,
    NotOffered,
    NotSent,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)
from providers.http import Http
from providers.openai import OpenAI
from providers.openai_images import nearest_size
from providers.prices import media_cost, media_price
from providers.types import Done, ImageRequest, Media, Output, SpeechRequest, Usage, VideoRequest

pytestmark = pytest.mark.anyio

API = "https://api.openai.com/v1"
PNG = b"\x89PNG\r\n\x1a\n"
PICTURE = {"created": 1, "data": [{"b64_json": base64.b64encode(PNG).decode()}]}
CATS = {"asset_1": Media("image/png", PNG), "asset_2": Media("image/jpeg", b"jpeg")}
ROWS = {row.id: row for row in load_models("providers", "openai.toml")}
CATALOGUE = Catalogue(tuple(ROWS.values()), today=lambda: dt.date(2026, 11, 20))


@pytest.fixture
async def family(anyio_backend: str) -> AsyncIterator[OpenAI]:
    http = Http(timeout_s=300)
    family = OpenAI({"OPENAI_API_KEY": "sk-secret"}, http)
    yield family
    await family.aclose()
    await http.aclose()


def picture(**more: Any) -> ImageRequest:
    return ImageRequest(**{"model": "gpt-image-2.6-flare", "prompt": "a cat", **more})


def speech(**more: Any) -> SpeechRequest:
    return SpeechRequest(**{"model": "tts-1", "text": "Hello.", **more})


class Strict(OpenAI):
    """Takes no answer of more than a thousand bytes."""

    max_answer_bytes = 1000


async def done(family: OpenAI, request: Any, media: dict[str, Media] | None = None) -> Done:
    result = await family.submit(request, media or {})
    assert isinstance(result, Done)
    return result


def drawing(api: respx.MockRouter, body: Any = PICTURE) -> respx.Route:
    return api.post(f"{API}/images/generations").respond(json=body)


def sent(route: respx.Route) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(route.calls.last.request.content)
    return body


def form(request: httpx2.Request) -> list[str]:
    """The parts of a multipart request: their headers and content, without the boundary."""
    boundary = request.headers["content-type"].partition("boundary=")[2]
    return sorted(part for part in request.content.decode("latin-1").split(f"--{boundary}"))


# ---- pictures --------------------------------------------------------------------------------------------------------


async def test_a_picture_is_asked_for_as_a_plain_sdk_call_does(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = drawing(openai_api)
    await done(family, picture(width=1536, height=1024, n=2))
    async with AsyncOpenAI(api_key="sk-secret", max_retries=0) as plain:
        await plain.images.generate(
            model="gpt-image-2.6-flare", prompt="a cat", n=2, size="1536x1024", output_format="png"
        )
    ours, theirs = (json.loads(call.request.content) for call in route.calls)
    assert ours == theirs


async def test_the_dead_parameters_are_never_sent(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = drawing(openai_api)
    await done(family, picture())
    assert set(sent(route)) == {"model", "prompt", "n", "size", "output_format"}


async def test_the_picture_comes_as_bytes_with_its_usage(openai_api: respx.MockRouter, family: OpenAI) -> None:
    details = {"text_tokens": 8, "image_tokens": 200}
    drawing(
        openai_api, {**PICTURE, "usage": {"input_tokens": 208, "input_tokens_details": details, "output_tokens": 900}}
    )
    result = await done(family, picture())
    assert result.outputs == (Output(data=PNG),)
    assert result.usage == Usage(input_tokens=208, image_input_tokens=200, output_tokens=900)
    assert (result.cost_usd, result.revised_prompt, result.warnings) == (None, None, ())


async def test_a_gateways_url_is_handed_on(openai_api: respx.MockRouter, family: OpenAI) -> None:
    drawing(openai_api, {"data": [{"url": "https://cdn.test/cat.png"}]})
    assert (await done(family, picture())).outputs == (Output(url="https://cdn.test/cat.png"),)


@pytest.mark.parametrize("key", ["url", "b64_json"])
async def test_a_data_uri_is_decoded(openai_api: respx.MockRouter, family: OpenAI, key: str) -> None:
    drawing(openai_api, {"data": [{key: f"data:image/png;base64,{base64.b64encode(PNG).decode()}"}]})
    assert (await done(family, picture())).outputs == (Output(data=PNG),)


async def test_the_revised_prompt_may_stand_on_the_first_picture_only(
    openai_api: respx.MockRouter, family: OpenAI
) -> None:
    item = PICTURE["data"][0]  # type: ignore[index]
    drawing(openai_api, {"data": [{**item, "revised_prompt": "a tabby cat"}, item]})
    result = await done(family, picture(n=2))
    assert (result.revised_prompt, len(result.outputs)) == ("a tabby cat", 2)


async def test_fewer_pictures_than_asked_for_are_told(openai_api: respx.MockRouter, family: OpenAI) -> None:
    drawing(openai_api)
    result = await done(family, picture(n=3))
    assert result.warnings == ("gpt-image-2.6-flare was asked for 3 pictures and made 1.",)


async def test_usage_of_zeros_is_no_usage(openai_api: respx.MockRouter, family: OpenAI) -> None:
    """Servers that do not count say 0, which must not become a price of 0."""
    drawing(openai_api, {**PICTURE, "usage": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}})
    usage = (await done(family, picture())).usage
    assert usage is not None
    assert usage.output_tokens is None


async def test_a_seed_is_ignored_aloud(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = drawing(openai_api)
    result = await done(family, picture(seed=7))
    assert "seed" not in sent(route)
    assert "takes no seed" in result.warnings[0]


# ---- sizes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "wanted", "size"),
    [
        ("gpt-image-2.6-flare", (1280, 720), "1280x720"),
        ("gpt-image-2.6-flare", (1920, 1080), "1920x1088"),
        ("gpt-image-2.6-flare", (512, 512), "816x816"),
        ("gpt-image-2.6-flare", (4000, 1000), "3456x1152"),
        ("gpt-image-2.6-flare", (8000, 8000), "2160x2160"),
        ("gpt-image-2.6-flare", (2160, 3840), "2160x3840"),
        ("gpt-image-1.5", (1920, 1080), "1536x1024"),
        ("gpt-image-1.5", (500, 500), "1024x1024"),
    ],
)
async def test_the_nearest_size_is_made(
    openai_api: respx.MockRouter, family: OpenAI, model: str, wanted: tuple[int, int], size: str
) -> None:
    route = drawing(openai_api)
    result = await done(family, picture(model=model, width=wanted[0], height=wanted[1]))
    assert sent(route)["size"] == size
    asked = f"{wanted[0]}x{wanted[1]}"
    bent = f"{model} was asked for {asked} and makes {size}, the nearest it can."
    assert result.warnings == (() if size == asked else (bent,))


async def test_without_a_size_a_square_is_made(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = drawing(openai_api)
    await done(family, picture())
    assert sent(route)["size"] == "1024x1024"


async def test_a_size_of_nothing_is_refused(family: OpenAI) -> None:
    with pytest.raises(NotOffered, match="-1x5"):
        await family.submit(picture(width=-1, height=5), {})


@given(width=st.integers(1, 20_000), height=st.integers(1, 20_000))
def test_every_size_is_brought_within_the_rule(width: int, height: int) -> None:
    wide, high = nearest_size(ROWS["gpt-image-2"], (width, height))
    assert wide % 16 == high % 16 == 0
    assert 1 / 3 <= wide / high <= 3
    assert max(wide, high) <= 3840
    assert min(wide, high) <= 2160
    assert 655_360 <= wide * high <= 8_294_400


@given(width=st.integers(1, 240), height=st.integers(1, 240))
def test_a_size_within_the_rule_is_kept(width: int, height: int) -> None:
    nearest = nearest_size(ROWS["gpt-image-2"], (16 * width, 16 * height))
    assert nearest_size(ROWS["gpt-image-2"], nearest) == nearest


# ---- edits -----------------------------------------------------------------------------------------------------------


async def test_an_edit_is_sent_as_a_plain_sdk_call_does(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = openai_api.post(f"{API}/images/edits").respond(json=PICTURE)
    await done(family, picture(references=("asset_1", "asset_2")), CATS)
    async with AsyncOpenAI(api_key="sk-secret", max_retries=0) as plain:
        await plain.images.edit(
            model="gpt-image-2.6-flare",
            prompt="a cat",
            n=1,
            size="auto",
            output_format="png",
            image=[("image_1.png", PNG, "image/png"), ("image_2.jpg", b"jpeg", "image/jpeg")],
        )
    ours, theirs = (form(call.request) for call in route.calls)
    assert ours == theirs
    assert len([part for part in ours if 'name="image[]"' in part]) == 2


async def test_one_reference_is_a_list_too(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = openai_api.post(f"{API}/images/edits").respond(json=PICTURE)
    result = await done(family, picture(references=("asset_1",)), CATS)
    assert b'name="image[]"; filename="image_1.png"' in route.calls.last.request.content
    assert result.outputs == (Output(data=PNG),)


async def test_a_reference_that_is_not_attached_is_refused(family: OpenAI) -> None:
    with pytest.raises(NotOffered, match="asset_9 is not attached"):
        await family.submit(picture(references=("asset_9",)), CATS)


async def test_a_reference_of_another_kind_is_refused(family: OpenAI) -> None:
    with pytest.raises(NotOffered, match="image/gif"):
        await family.submit(picture(references=("asset_3",)), {"asset_3": Media("image/gif", b"GIF")})


async def test_a_reference_that_is_too_large_is_refused(family: OpenAI) -> None:
    huge = {"asset_1": Media("image/png", bytes(50_000_001))}
    with pytest.raises(NotOffered, match="at most 50 megabytes"):
        await family.submit(picture(references=("asset_1",)), huge)


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (picture(prompt="x" * 32_001), "at most 32000 characters"),
        (picture(n=11), "at most 10 pictures at once"),
        (picture(references=("asset_1",) * 17), "at most 16 pictures to start from"),
        (speech(text="x" * 4097), "at most 4096 characters of text at once; this request has 4097"),
        (speech(model="gpt-4o-mini-tts", instructions="x" * 4097), "at most 4096 characters of instructions"),
    ],
)
async def test_more_than_the_model_takes_is_refused_before_it_is_sent(
    openai_api: respx.MockRouter, family: OpenAI, request_: Any, named: str
) -> None:
    with pytest.raises(NotOffered, match=named):
        await family.submit(request_, CATS)
    assert not openai_api.calls


# ---- failures --------------------------------------------------------------------------------------------------------


async def test_a_blocked_picture_is_moderated(openai_api: respx.MockRouter, family: OpenAI) -> None:
    error = {"message": "Rejected. safety_violations=[x]", "type": "image_generation_user_error",
             "param": None, "code": "moderation_blocked"}  # fmt: skip
    route = openai_api.post(f"{API}/images/generations").respond(400, json={"error": error})
    with pytest.raises(Moderated) as caught:
        await family.submit(picture(), {})
    assert "safety_violations" not in str(caught.value)
    assert route.call_count == 1


async def test_no_quota_is_not_a_rate_limit(openai_api: respx.MockRouter, family: OpenAI) -> None:
    error = {"message": "m", "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}
    openai_api.post(f"{API}/images/generations").respond(429, json={"error": error})
    with pytest.raises(QuotaExhausted):
        await family.submit(picture(), {})


async def test_an_error_inside_a_200_is_not_a_picture(openai_api: respx.MockRouter, family: OpenAI) -> None:
    drawing(openai_api, {"error": {"code": 429, "message": "slow down"}})
    with pytest.raises(RateLimited) as caught:
        await family.submit(picture(), {})
    assert caught.value.charged is None


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"data": None}, {"data": []}, {"data": ["x"]}, {"data": [{}]}, {"data": [{"b64_json": "%%%"}]}],
)
async def test_an_answer_without_a_picture_is_malformed(
    openai_api: respx.MockRouter, family: OpenAI, body: Any
) -> None:
    drawing(openai_api, body)
    with pytest.raises(MalformedAnswer):
        await family.submit(picture(), {})


@pytest.mark.parametrize("request_", [picture(), picture(references=("asset_1",)), speech()])
async def test_a_lost_answer_leaves_the_outcome_unknown_and_is_not_asked_for_again(
    openai_api: respx.MockRouter, family: OpenAI, request_: Any
) -> None:
    route = openai_api.route(method="POST").mock(side_effect=httpx2.ReadTimeout("slow"))
    with pytest.raises(OutcomeUnknown):
        await family.submit(request_, CATS)
    assert route.call_count == 1


@pytest.mark.parametrize("request_", [picture(), speech()])
async def test_an_answer_over_the_cap_is_not_read_and_was_probably_billed(openai_api, request_) -> None:
    http = Http()
    family = Strict({"OPENAI_API_KEY": "sk-secret"}, http)
    route = openai_api.route(method="POST").respond(content=b"x" * 1001)
    with pytest.raises(MalformedAnswer, match="longer than 1000 bytes") as caught:
        await family.submit(request_, {})
    assert (caught.value.charged, route.call_count) == (None, 1)
    await family.aclose()
    await http.aclose()


@pytest.mark.parametrize("request_", [picture(), picture(references=("asset_1",)), speech()])
async def test_without_a_connection_nothing_was_sent(
    openai_api: respx.MockRouter, family: OpenAI, request_: Any
) -> None:
    openai_api.route(method="POST").mock(side_effect=httpx2.ConnectError("refused"))
    with pytest.raises(NotSent):
        await family.submit(request_, CATS)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (ImageRequest(model="dall-e-3", prompt="a cat"), Unavailable),
        (VideoRequest(model="sora-2", prompt="a cat"), Unavailable),
        (VideoRequest(model="gpt-image-2", prompt="a cat"), NotOffered),
        (ImageRequest(model="no-such-model", prompt="a cat"), NotOffered),
        (SpeechRequest(model="gpt-realtime-2.1", text="Hello."), NotOffered),
    ],
)
async def test_what_cannot_be_made_is_not_tried(
    openai_api: respx.MockRouter, family: OpenAI, request_: Any, expected: type[Exception]
) -> None:
    with pytest.raises(expected):
        await family.submit(request_, {})
    assert not openai_api.calls


# ---- speech ----------------------------------------------------------------------------------------------------------


def speaking(api: respx.MockRouter, content: bytes = b"ID3mp3", media_type: str = "audio/mpeg") -> respx.Route:
    answer = httpx.Response(200, headers={"content-type": media_type}, content=content)
    return api.post(f"{API}/audio/speech").mock(side_effect=lambda request: answer)


async def test_speech_is_asked_for_as_a_plain_sdk_call_does(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = speaking(openai_api)
    await done(family, speech(voice="onyx", format="wav", speed=1.5))
    async with AsyncOpenAI(api_key="sk-secret", max_retries=0, timeout=300) as plain:
        await plain.audio.speech.create(model="tts-1", input="Hello.", voice="onyx", response_format="wav", speed=1.5)
    ours, theirs = (call.request for call in route.calls)
    assert json.loads(ours.content) == json.loads(theirs.content)
    assert ours.headers["accept"] == theirs.headers["accept"]


async def test_speech_comes_as_bytes(openai_api: respx.MockRouter, family: OpenAI) -> None:
    speaking(openai_api)
    result = await done(family, speech())
    assert result == Done((Output(data=b"ID3mp3"),))


async def test_instructions_reach_the_model_that_takes_them(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = speaking(openai_api)
    result = await done(family, speech(model="gpt-4o-mini-tts", instructions="Whisper."))
    assert sent(route)["instructions"] == "Whisper."
    assert result.warnings == ()


async def test_instructions_to_another_model_are_ignored_aloud(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = speaking(openai_api)
    result = await done(family, speech(model="tts-1-hd", instructions="Whisper."))
    assert "instructions" not in sent(route)
    assert result.warnings == ("tts-1-hd takes no instructions; the ones given were ignored.",)


@pytest.mark.parametrize(("speed", "used"), [(0.1, 0.25), (9, 4)])
async def test_a_speed_out_of_range_is_bent(
    openai_api: respx.MockRouter, family: OpenAI, speed: float, used: float
) -> None:
    route = speaking(openai_api)
    result = await done(family, speech(speed=speed))
    assert sent(route)["speed"] == used
    assert result.warnings == (f"tts-1 cannot speak at speed {speed:g}; {used:g} was used instead.",)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(b"", "audio/mpeg"), (b"<html>", "text/html"), (b"{}", "application/json"), (b"{", "application/json")],
)
async def test_speech_without_sound_is_malformed(
    openai_api: respx.MockRouter, family: OpenAI, content: bytes, media_type: str
) -> None:
    speaking(openai_api, content, media_type)
    with pytest.raises(MalformedAnswer):
        await family.submit(speech(), {})


async def test_an_error_in_place_of_sound_is_raised(openai_api: respx.MockRouter, family: OpenAI) -> None:
    speaking(openai_api, b'{"error": {"code": "insufficient_quota"}}', "application/json")
    with pytest.raises(QuotaExhausted):
        await family.submit(speech(), {})


# ---- the models ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dalle3", "dall-e-3", "dall-e-2", "gpt-image-1"])
def test_a_dead_image_model_leads_to_a_living_gpt_image_model(name: str) -> None:
    chosen = CATALOGUE.choose("image", name, ["text_to_image"])
    assert chosen.model.id.startswith("gpt-image-2")
    assert "was retired" in chosen.warnings[0]


@pytest.mark.parametrize("name", ["gpt-4-turbo", "gpt-4", "gpt-3.5-turbo", "o1"])
def test_a_dead_chat_model_leads_to_one_that_calls_tools(name: str) -> None:
    assert "tools" in CATALOGUE.choose("chat", name, ["tools"]).model.capabilities


def test_the_defaults_are_the_intended_ones() -> None:
    assert CATALOGUE.choose("image", needs=["text_to_image"]).model.id == "gpt-image-2.6-flare"
    assert CATALOGUE.choose("speech", needs=["tts"]).model.id == "tts-1"
    assert CATALOGUE.choose("chat", needs=["tools"]).model.id == "gpt-4o"


def test_only_models_of_the_speech_endpoint_are_offered_for_speech() -> None:
    assert {row.id for row in CATALOGUE.offered("speech", ["tts"])} == {"tts-1", "tts-1-hd", "gpt-4o-mini-tts"}


def test_no_video_is_offered() -> None:
    assert CATALOGUE.offered("video") == []


@pytest.mark.parametrize("row", CATALOGUE.offered("image"), ids=lambda row: row.id)
def test_every_picture_can_be_reserved_for_and_billed(row: Model) -> None:
    request = picture(model=row.id)
    reserved = media_price(row, request)
    billed = media_cost(row, request, Usage(input_tokens=20, output_tokens=4160))
    assert reserved is not None
    assert billed is not None
    assert 0 < billed < reserved


def test_what_cannot_call_tools_here_does_not_say_it_can() -> None:
    elsewhere = [row for row in ROWS.values() if row.limits.get("tools_api") == "responses"]
    assert elsewhere
    assert not any("tools" in row.capabilities for row in elsewhere)
