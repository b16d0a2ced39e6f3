"""The fake Google: its own SDK cannot tell it from the real one, and the family lives on what it answers."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import av
import httpx
import pytest
import respx
from google import genai
from google.genai import errors, types
from PIL import Image

from providers.errors import InvalidRequest, JobFailed, JobLost, ModelGone, Moderated, Unauthorized
from providers.google import Google
from providers.google_files import INLINE_BYTES
from providers.http import Http
from providers.types import (
    ChatRequest,
    Done,
    EditRequest,
    ImageRequest,
    Media,
    Message,
    Pending,
    SpeechRequest,
    Ticket,
    ToolSpec,
    TranscriptionRequest,
    VideoRequest,
)
from tests.fake_vendors import FURTHER, FakeVendors

pytestmark = pytest.mark.anyio

KEY = FURTHER["google"]["GOOGLE_API_KEY"]
CLIP = VideoRequest(model="gemini-omni-1.1-flash", prompt="a cat yawns", duration_s=3, width=640, height=360)
DRAW = ToolSpec(
    name="generate_image",
    description="Draws.",
    parameters={"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"]},
)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeVendors]:
    with FakeVendors(tmp_path_factory.mktemp("fakes")) as running:
        yield running


@pytest.fixture
def fakes(process: FakeVendors, vendor: respx.MockRouter, openai_api: respx.MockRouter) -> FakeVendors:
    vendor.route(host="127.0.0.1").pass_through()
    openai_api.route(host="127.0.0.1").pass_through()
    process.reset()
    process.control(latency={"google": 0.0})
    return process


@pytest.fixture
async def family(fakes: FakeVendors) -> AsyncIterator[Google]:
    http = Http()
    yield Google(fakes.environment("google"), http)
    await http.aclose()


@pytest.fixture
def sdk(fakes: FakeVendors) -> genai.Client:
    """The synchronous client, which always runs on httpx2."""
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=f"{fakes.url}/google"))


def only(done: Any) -> bytes:
    assert isinstance(done, Done)
    (output,) = done.outputs
    return output.data or b""


async def fetched(family: Google, done: Any) -> bytes:
    (output,) = done.outputs
    headers = lambda url: family.download_headers(output, url)  # noqa: E731
    pieces = family.http.download(output.url, vendor_url=family.base_url, headers_for=headers)
    return b"".join([piece async for piece in pieces])


# ---- the SDK ---------------------------------------------------------------------------------------------------------


def test_the_sdk_draws(sdk: genai.Client, fakes: FakeVendors) -> None:
    shape = types.ImageConfig(aspect_ratio="16:9", image_size="1K")
    config = types.GenerateContentConfig(response_modalities=["IMAGE"], image_config=shape)
    answer = sdk.models.generate_content(model="gemini-nano-banana-2.1", contents="a cat", config=config)
    drawn = [part.inline_data for part in answer.parts or () if part.inline_data]
    with Image.open(io.BytesIO(drawn[0].data or b"")) as picture:
        assert (picture.format, picture.size) == ("JPEG", (1360, 768))
    assert fakes.ledger()["submits"]["google.images"] == 1


def test_the_sdk_films_and_uploads(sdk: genai.Client, fakes: FakeVendors) -> None:
    stored = sdk.files.upload(file=io.BytesIO(b"a clip"), config={"mime_type": "video/mp4"})
    assert stored.state == types.FileState.PROCESSING
    made = sdk.interactions.create(
        model="gemini-omni-1.1-flash",
        input=[{"type": "video", "uri": stored.uri, "mime_type": "video/mp4"}, {"type": "text", "text": "at night"}],
        background=True,
        response_format={"type": "video", "delivery": "uri"},
    )
    done = sdk.interactions.get(id=made.id)
    assert (done.status, done.output_video.mime_type) == ("completed", "video/mp4")
    assert fakes.ledger()["uploads"]["google"] == 1


def test_the_sdk_is_refused_as_google_refuses(sdk: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as caught:
        sdk.models.generate_content(model="imagen-4.0-generate-001", contents="a cat")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


def test_models_come_in_pages(fakes: FakeVendors) -> None:
    listed = httpx.get(f"{fakes.url}/google/v1/models", headers={"x-goog-api-key": KEY}).json()
    assert (len(listed["models"]), listed["nextPageToken"]) == (10, "10")


# ---- the family ------------------------------------------------------------------------------------------------------


async def test_picture_is_drawn_and_edited(family: Google, fakes: FakeVendors) -> None:
    request = ImageRequest(model="gemini-nano-banana-2.1", prompt="a cat", width=1024, height=1024)
    drawn = only(await family.submit(request, {}))
    edit = EditRequest(model="gemini-3-pro-image", prompt="a hat", image="a")
    edited = only(await family.submit(edit, {"a": Media("image/jpeg", data=drawn)}))
    with Image.open(io.BytesIO(drawn)) as picture:
        assert picture.size == (1024, 1024)
    assert drawn != edited
    assert fakes.ledger()["submits"]["google.images"] == 2


@pytest.mark.parametrize("form", ["mp3", "wav"])
async def test_speech_is_as_long_as_its_text(family: Google, form: Any) -> None:
    request = SpeechRequest(model="gemini-3.8-flash-tts", text="x" * 60, format=form, instructions="Whisper.")
    with av.open(io.BytesIO(only(await family.submit(request, {})))) as sound:
        assert sound.format.name == form
        seconds = sum(frame.samples / frame.sample_rate for frame in sound.decode(audio=0))
    assert seconds == pytest.approx(4.0, abs=0.2)


async def test_sound_is_written_down(family: Google) -> None:
    request = TranscriptionRequest(model="gemini-3.5-transcribe", audio="s", timestamps="word", speakers=True)
    done = await family.submit(request, {"s": Media("audio/wav", data=b"sound")})
    assert isinstance(done, Done)
    assert done.transcript is not None
    assert done.transcript.text == "Hello from the fake vendor."
    assert [word.speaker for word in done.transcript.words] == ["spk_1"] * 5


async def test_clip_is_polled_and_fetched_with_the_key(family: Google, fakes: FakeVendors) -> None:
    fakes.control(latency={"google": 0.3})
    ticket = await family.submit(CLIP, {})
    assert isinstance(ticket, Ticket)
    assert await family.poll(ticket) == Pending()
    await asyncio.sleep(0.35)
    done = await family.poll(ticket)
    with av.open(io.BytesIO(await fetched(family, done))) as film:
        assert (film.streams.video[0].width, film.streams.video[0].height) == (640, 360)
    assert httpx.get(done.outputs[0].url).status_code == 403
    assert fakes.ledger()["peaks"]["google"] == 1


async def test_long_clip_is_uploaded_and_waited_for(family: Google, fakes: FakeVendors) -> None:
    long = {"v": Media("video/mp4", data=b"\0" * (INLINE_BYTES + 1))}
    edit = VideoRequest(model="gemini-omni-1.2-flash", prompt="at night", video="v")
    assert isinstance(await family.submit(edit, long), Ticket)
    assert fakes.ledger()["uploads"]["google"] == 1


async def test_cancelled_clip_has_ended_and_may_be_cancelled_twice(family: Google, fakes: FakeVendors) -> None:
    fakes.control(latency={"google": 60.0})
    ticket = await family.submit(CLIP, {})
    await family.cancel(ticket)
    await family.cancel(ticket)
    with pytest.raises(JobFailed, match="cancelled"):
        await family.poll(ticket)
    assert fakes.ledger()["cancels"]["google"] == 1
    with pytest.raises(JobLost):
        await family.poll(Ticket(job_id="never"))


async def test_outcome_of_a_clip_can_be_told(family: Google, fakes: FakeVendors) -> None:
    fakes.control(outcomes=[{"path": "/google/", "fields": {"steps": [], "usage": {"total_output_tokens": 0}}}])
    with pytest.raises(Moderated):
        await family.poll(await family.submit(CLIP, {}))


async def test_turn_calls_a_tool_and_then_answers(family: Google, fakes: FakeVendors) -> None:
    asked = Message(role="user", content="a cat on a wall")
    first = await family.complete(ChatRequest(model="gemini-3.8-flash", messages=(asked,), tools=(DRAW,)))
    (call,) = first.tool_calls
    assert json.loads(call.arguments) == {"prompt": "a cat on a wall"}
    history = (
        asked,
        Message(role="assistant", tool_calls=first.tool_calls),
        Message(role="tool", tool_call_id=call.id, content='{"asset": "asset_1"}'),
    )
    last = await family.complete(ChatRequest(model="gemini-3.8-flash", messages=history, tools=(DRAW,)))
    assert (last.content, last.tool_calls) == ("Here is your post.", ())
    assert first.cost_usd is not None
    assert fakes.ledger()["submits"]["google.chat"] == 2


async def test_every_living_model_is_listed(family: Google) -> None:
    assert (await family.refresh()).gone == ()


async def test_wrong_key_is_refused(fakes: FakeVendors) -> None:
    http = Http()
    stranger = Google({**fakes.environment("google"), "GOOGLE_API_KEY": "sk-another"}, http)
    with pytest.raises(Unauthorized):
        await stranger.submit(CLIP, {})
    await http.aclose()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"contents": [{"role": "user", "parts": []}]}, "at least one part"),
        ({"contents": [{"role": "user", "parts": [{"text": "x"}]}], "n": 2}, "Unknown name"),
        ({"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f"}}]}]}, "thought_signature"),
    ],
)
def test_body_that_google_does_not_take_is_refused(fakes: FakeVendors, body: Any, said: str) -> None:
    url = f"{fakes.url}/google/v1/models/gemini-3.8-flash:generateContent"
    answer = httpx.post(url, json=body, headers={"x-goog-api-key": KEY})
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert fakes.ledger()["submits"]["google.chat"] == 0


async def test_what_the_fake_refuses_is_told_as_such(family: Google) -> None:
    family.models = tuple(
        row.model_copy(update={"limits": {**row.limits, "duration_max": 60}, "status": "live"}) for row in family.models
    )
    with pytest.raises(InvalidRequest, match="duration must be between"):
        await family.submit(CLIP.model_copy(update={"duration_s": 60}), {})
    with pytest.raises(ModelGone):
        await family.submit(ImageRequest(model="imagen-4.0-generate-001", prompt="x"), {})
