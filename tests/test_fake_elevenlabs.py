"""The fake ElevenLabs is faithful: neither the vendor's own SDK nor our family can tell it from the real one."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal

import av
import pytest
import respx
from elevenlabs.client import ElevenLabs as Sdk
from elevenlabs.core.api_error import ApiError

from providers.elevenlabs import ElevenLabs
from providers.errors import InvalidRequest, OutcomeUnknown, QuotaExhausted, Unauthorized
from providers.http import Http
from providers.types import Media, SpeechRequest, TranscriptionRequest
from tests.fake_vendors import FakeVendors

pytestmark = pytest.mark.anyio

GEORGE = "JBFqnCBsd6RMkjVDRZzb"
REQUEST = SpeechRequest(model="eleven_flash_v2_5", text="Hello there, how are you today?")


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeVendors]:
    with FakeVendors(tmp_path_factory.mktemp("fakes")) as running:
        yield running


@pytest.fixture
def fakes(process: FakeVendors, vendor: respx.MockRouter) -> FakeVendors:
    """The vendors as new."""
    vendor.route(host="127.0.0.1").pass_through()
    process.reset()
    return process


@pytest.fixture
def sdk(fakes: FakeVendors) -> Sdk:
    settings = fakes.environment("elevenlabs")
    return Sdk(api_key=settings["ELEVENLABS_API_KEY"], base_url=settings["ELEVENLABS_BASE_URL"])


@pytest.fixture
async def family(fakes: FakeVendors) -> AsyncIterator[ElevenLabs]:
    http = Http()
    yield ElevenLabs(fakes.environment("elevenlabs"), http)
    await http.aclose()


def codec_of(sound: bytes) -> str:
    with av.open(io.BytesIO(sound)) as container:
        return container.streams.audio[0].codec_context.name


async def read(family: ElevenLabs, url: str) -> bytes:
    headers = {"xi-api-key": family.key or ""}
    pieces = family.http.download(url, vendor_url=family.base_url, headers_for=lambda hop: headers)
    return b"".join([piece async for piece in pieces])


# ---- the SDK ---------------------------------------------------------------------------------------------------------


def test_sdk_speaks_and_finds_it_in_the_history(sdk):
    sound = b"".join(sdk.text_to_speech.convert(GEORGE, text="Hello.", model_id="eleven_v3"))
    listed = sdk.history.list(page_size=10)
    assert [(one.text, one.voice_name, one.model_id) for one in listed.history] == [("Hello.", "George", "eleven_v3")]
    assert b"".join(sdk.history.get_audio(listed.history[0].history_item_id)) == sound


def test_sdk_streams_and_writes_down(sdk, fakes):
    assert b"".join(sdk.text_to_speech.stream(GEORGE, text="Hello.", model_id="eleven_v4")).startswith(b"ID3")
    said = sdk.speech_to_text.convert(model_id="scribe_v2", file=b"ID3\x04", diarize=True)
    assert (said.language_code, said.words[0].text, said.words[1].type) == ("eng", "The", "spacing")
    submits = fakes.ledger()["submits"]
    assert (submits["elevenlabs.speech"], submits["elevenlabs.transcriptions"]) == (1, 1)


def test_sdk_is_told_what_was_wrong(sdk):
    with pytest.raises(ApiError) as caught:
        b"".join(sdk.text_to_speech.convert("nobody", text="Hello.", model_id="eleven_v3"))
    assert (caught.value.status_code, caught.value.body["detail"]["code"]) == (404, "voice_not_found")


# ---- our family ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "codec"), [("mp3", "mp3float"), ("wav", "pcm_s16le")])
async def test_family_speaks_whole_and_streamed(family, form, codec):
    request = REQUEST.model_copy(update={"format": form})
    whole = await family.submit(request, {})
    streamed = await family.submit(request.model_copy(update={"stream": True}), {})
    pieces = [piece async for piece in streamed.outputs[0].chunks]
    assert (codec_of(whole.outputs[0].data), codec_of(b"".join(pieces))) == (codec, codec)
    assert (whole.warnings, streamed.warnings) == ((), ())


async def test_speech_whose_answer_was_lost_is_found_and_not_paid_for_again(family, fakes):
    fakes.control(fail=[{"path": "text-to-speech", "drop": True}])
    since = dt.datetime.now(dt.UTC)
    with pytest.raises(OutcomeUnknown):
        await family.submit(REQUEST, {})
    tickets = await family.find(REQUEST, since)
    done = await family.poll(tickets[0])
    assert codec_of(await read(family, done.outputs[0].url)) == "mp3float"
    assert (len(tickets), fakes.ledger()["submits"]["elevenlabs.speech"]) == (1, 1)


async def test_family_writes_down(family):
    request = TranscriptionRequest(model="scribe_v2", audio="a", timestamps="word", speakers=True)
    done = await family.submit(request, {"a": Media("audio/mpeg", data=b"ID3\x04")})
    assert (len(done.transcript.words), done.transcript.language, done.usage.seconds) == (9, "en", Decimal("4.5"))
    assert done.transcript.segments[0].speaker == "speaker_0"


async def test_family_learns_the_models_and_voices(family):
    told = await family.refresh()
    assert (told.gone, told.limits["eleven_v4_turbo"]) == ((), {"max_prompt_chars": 10_000})
    assert told.voices["My Own Voice"] == "fakeOwnVoice00000001"


async def test_family_understands_refusals(family, fakes):
    with pytest.raises(InvalidRequest, match="voice"):
        await family.submit(REQUEST.model_copy(update={"voice": "nobody"}), {})
    detail = {"detail": {"status": "quota_exceeded", "message": "You have 3 credits left."}}
    fakes.control(fail=[{"path": "text-to-speech", "status": 401, "body": detail}])
    with pytest.raises(QuotaExhausted, match="3 credits"):
        await family.submit(REQUEST, {})
    family.key = "wrong"
    with pytest.raises(Unauthorized):
        await family.submit(REQUEST, {})
