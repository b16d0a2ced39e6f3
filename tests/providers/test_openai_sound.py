"""OpenAI's sound: speech read while it is made, voices, and what is written down of a recording."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import httpx2
import pytest
import respx
from openai import AsyncOpenAI

from providers.catalogue import Catalogue, load_models, needs_of
from providers.errors import MalformedAnswer, NotOffered, NotSent, OutcomeUnknown, QuotaExhausted, RateLimited
from providers.http import Http
from providers.openai import OpenAI
from providers.prices import media_cost, media_price
from providers.types import Done, Media, Segment, SpeechRequest, Transcript, TranscriptionRequest, Usage, Word

pytestmark = pytest.mark.anyio

API = "https://api.openai.com/v1"
MP3 = {"asset_1": Media("audio/mpeg", b"ID3")}
ROWS = {row.id: row for row in load_models("providers", "openai.toml")}
VOICES = ("alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse", "marin")


@pytest.fixture
async def family(anyio_backend: str) -> AsyncIterator[OpenAI]:
    http = Http(timeout_s=300)
    family = OpenAI({"OPENAI_API_KEY": "sk-secret"}, http)
    yield family
    await family.aclose()
    await http.aclose()


class Pieces(httpx.AsyncByteStream):
    """A body in pieces, which ends as it is told to."""

    def __init__(self, *pieces: bytes, end: Exception | None = None, silent: bool = False) -> None:
        self.pieces, self.end, self.silent, self.closed = pieces, end, silent, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.silent:
            await asyncio.sleep(60)
        if self.end:
            raise self.end

    async def aclose(self) -> None:
        self.closed = True


def speaking(api: respx.MockRouter, body: Pieces, media_type: str = "audio/mpeg") -> respx.Route:
    answer = httpx.Response(200, headers={"content-type": media_type}, stream=body)
    return api.post(f"{API}/audio/speech").mock(side_effect=lambda request: answer)


async def live(family: OpenAI, **more: Any) -> AsyncIterator[bytes]:
    result = await family.submit(SpeechRequest(**{"model": "tts-1", "text": "Hello.", "stream": True, **more}), {})
    assert isinstance(result, Done)
    (output,) = result.outputs
    assert output.chunks is not None
    assert (output.data, output.url) == (None, None)
    return output.chunks


# ---- live speech -----------------------------------------------------------------------------------------------------


async def test_live_speech_is_asked_for_as_a_plain_sdk_call_does(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = speaking(openai_api, Pieces(b"ID3"))
    await live(family, voice="onyx", format="wav", speed=1.5)
    async with AsyncOpenAI(api_key="sk-secret", max_retries=0, timeout=300) as plain:
        order = plain.audio.speech.with_streaming_response
        async with order.create(model="tts-1", input="Hello.", voice="onyx", response_format="wav", speed=1.5):
            pass
    ours, theirs = (call.request for call in route.calls)
    assert json.loads(ours.content) == json.loads(theirs.content)
    assert ours.headers["accept"] == theirs.headers["accept"]


async def test_live_speech_comes_in_the_pieces_it_is_made_in(openai_api: respx.MockRouter, family: OpenAI) -> None:
    body = Pieces(b"", b"ID3", b"mp3", b"end")
    speaking(openai_api, body)
    chunks = await live(family)
    assert [piece async for piece in chunks] == [b"ID3", b"mp3", b"end"]
    assert body.closed
    assert [piece async for piece in chunks] == []


async def test_speech_that_breaks_off_leaves_the_outcome_unknown(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = speaking(openai_api, Pieces(b"ID3", end=httpx2.ReadError("gone")))
    chunks = await live(family)
    assert await anext(chunks) == b"ID3"
    with pytest.raises(OutcomeUnknown) as caught:
        await anext(chunks)
    assert (caught.value.charged, route.call_count) == (None, 1)


async def test_speech_that_falls_silent_is_given_up(openai_api: respx.MockRouter) -> None:
    http = Http(timeout_s=0.1)
    family = OpenAI({"OPENAI_API_KEY": "sk-secret"}, http)
    speaking(openai_api, Pieces(b"ID3", silent=True))
    chunks = await live(family)
    assert await anext(chunks) == b"ID3"
    with pytest.raises(OutcomeUnknown, match="TimeoutError"):
        await anext(chunks)
    await family.aclose()
    await http.aclose()


async def test_live_speech_is_bounded_in_size(openai_api: respx.MockRouter) -> None:
    class Strict(OpenAI):
        max_answer_bytes = 10

    http = Http()
    family = Strict({"OPENAI_API_KEY": "sk-secret"}, http)
    speaking(openai_api, Pieces(b"x" * 8, b"x" * 8))
    chunks = await live(family)
    with pytest.raises(MalformedAnswer, match="longer than 10 bytes"):
        [piece async for piece in chunks]
    await family.aclose()
    await http.aclose()


@pytest.mark.parametrize(
    ("body", "media_type", "expected"),
    [
        (Pieces(), "audio/mpeg", MalformedAnswer),
        (Pieces(b"<html>"), "text/html", MalformedAnswer),
        (Pieces(b'{"error": {"code": "insufficient_quota"}}'), "application/json", QuotaExhausted),
        (Pieces(end=httpx2.ReadError("gone")), "audio/mpeg", OutcomeUnknown),
    ],
)
async def test_without_a_first_byte_live_speech_fails_as_any_order(
    openai_api: respx.MockRouter, family: OpenAI, body: Pieces, media_type: str, expected: type[Exception]
) -> None:
    speaking(openai_api, body, media_type)
    with pytest.raises(expected):
        await live(family)


async def test_a_refusal_before_live_speech_is_a_refusal(openai_api: respx.MockRouter, family: OpenAI) -> None:
    error = {"message": "m", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
    openai_api.post(f"{API}/audio/speech").respond(429, json={"error": error})
    with pytest.raises(RateLimited):
        await live(family)


async def test_without_a_connection_no_live_speech_was_ordered(openai_api: respx.MockRouter, family: OpenAI) -> None:
    openai_api.post(f"{API}/audio/speech").mock(side_effect=httpx2.ConnectError("refused"))
    with pytest.raises(NotSent):
        await live(family)


async def test_live_speech_that_nobody_wants_any_more_lets_its_connection_go(
    openai_api: respx.MockRouter, family: OpenAI
) -> None:
    body = Pieces(b"ID3", b"mp3")
    speaking(openai_api, body)
    chunks = await live(family)
    await chunks.aclose()  # type: ignore[attr-defined]
    assert body.closed
    assert [piece async for piece in chunks] == []


# ---- voices ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("voice", VOICES)
def test_every_voice_of_the_vendor_goes_out_as_it_is(voice: str) -> None:
    family = OpenAI({}, Http())
    assert family.voice_for(ROWS["gpt-4o-mini-tts"], voice) == voice


async def test_a_voice_the_vendor_does_not_have_is_refused(openai_api: respx.MockRouter, family: OpenAI) -> None:
    with pytest.raises(NotOffered, match="no voice 'Rachel'; it has: alloy, echo"):
        await family.submit(SpeechRequest(model="tts-1", text="Hello.", voice="Rachel"), {})
    assert not openai_api.calls


async def test_a_voice_of_the_accounts_own_goes_by_its_id(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = speaking(openai_api, Pieces(b"ID3"))
    await live(family, model="gpt-4o-mini-tts", voice="voice_abc")
    async with AsyncOpenAI(api_key="sk-secret", max_retries=0) as plain:
        create: Any = plain.audio.speech.create
        await create(
            model="gpt-4o-mini-tts", input="Hello.", voice={"id": "voice_abc"}, response_format="mp3", speed=1.0
        )
    ours, theirs = (json.loads(call.request.content) for call in route.calls)
    assert ours == theirs


async def test_a_gateway_has_voices_of_its_own(openai_api: respx.MockRouter) -> None:
    http = Http()
    family = OpenAI({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "https://gateway.test/v1"}, http)
    route = openai_api.post("https://gateway.test/v1/audio/speech").respond(content=b"ID3")
    await family.submit(SpeechRequest(model="tts-1", text="Hello.", voice="af_sky"), {})
    assert json.loads(route.calls.last.request.content)["voice"] == "af_sky"
    await family.aclose()
    await http.aclose()


# ---- transcription: what goes out ------------------------------------------------------------------------------------


def heard(**more: Any) -> TranscriptionRequest:
    return TranscriptionRequest(**{"model": "whisper-1", "audio": "asset_1", **more})


def writing(api: respx.MockRouter, body: Any) -> respx.Route:
    return api.post(f"{API}/audio/transcriptions").respond(json=body)


async def written(family: OpenAI, request: TranscriptionRequest, media: Any = MP3) -> Done:
    result = await family.submit(request, media)
    assert isinstance(result, Done)
    assert result.outputs == ()
    return result


def form(request: httpx2.Request) -> list[str]:
    boundary = request.headers["content-type"].partition("boundary=")[2]
    return sorted(request.content.decode("latin-1").split(f"--{boundary}"))


SENT = [
    (
        heard(timestamps="word", language="de", hint="Zugspitze"),
        {
            "response_format": "verbose_json",
            "timestamp_granularities": ["word", "segment"],
            "language": "de",
            "prompt": "Zugspitze",
        },
    ),
    (heard(), {"response_format": "verbose_json", "timestamp_granularities": ["segment"]}),
    (heard(timestamps="none", options={"temperature": 0}), {"response_format": "verbose_json", "temperature": 0}),
    (
        heard(model="gpt-transcribe", timestamps="none", language="en-GB", hint="Ada, Babbage; engine"),
        {"response_format": "json", "languages": ["en"], "keywords": ["Ada", "Babbage", "engine"]},
    ),
    (
        heard(model="gpt-4o-transcribe", timestamps="none", language="en", hint="Ada"),
        {"response_format": "json", "language": "en", "prompt": "Ada"},
    ),
    (
        heard(model="gpt-4o-transcribe-diarize", speakers=True, language="en"),
        {"response_format": "diarized_json", "chunking_strategy": "auto", "language": "en"},
    ),
]


@pytest.mark.parametrize(("request_", "given"), SENT)
async def test_a_recording_is_sent_as_a_plain_sdk_call_does(
    openai_api: respx.MockRouter, family: OpenAI, request_: TranscriptionRequest, given: dict[str, Any]
) -> None:
    route = writing(openai_api, {"text": "Hello."})
    await written(family, request_)
    async with AsyncOpenAI(api_key="sk-secret", max_retries=0) as plain:
        create: Any = plain.audio.transcriptions.with_raw_response.create
        await create(model=request_.model, file=("audio.mp3", b"ID3", "audio/mpeg"), **given)
    ours, theirs = (form(call.request) for call in route.calls)
    assert ours == theirs


@pytest.mark.parametrize(
    ("media_type", "name"),
    [("audio/wav", "audio.wav"), ("audio/mp4", "audio.m4a"), ("video/mp4", "audio.mp4"), ("audio/ogg", "audio.ogg")],
)
async def test_the_name_of_the_file_tells_its_format(
    openai_api: respx.MockRouter, family: OpenAI, media_type: str, name: str
) -> None:
    route = writing(openai_api, {"text": "Hello."})
    await written(family, heard(), {"asset_1": Media(media_type, b"x")})
    assert f'filename="{name}"'.encode() in route.calls.last.request.content


@pytest.mark.parametrize(
    ("request_", "media", "said"),
    [
        (heard(), Media("audio/mpeg", bytes(25_000_001)), "at most 25 MB, this one has 25.0 MB"),
        (heard(), Media("audio/aac", b"x"), "does not listen to audio/aac; it takes flac, mp3"),
        (heard(model="gpt-transcribe"), MP3["asset_1"], "gives no times"),
        (heard(speakers=True), MP3["asset_1"], "does not tell speakers apart"),
        (heard(audio="asset_9"), MP3["asset_1"], "asset_9 is not attached"),
        (heard(options={"beam": 5}), MP3["asset_1"], "no option 'beam'"),
        (heard(model="gpt-live-transcribe"), MP3["asset_1"], "only over the Realtime API"),
    ],
)
async def test_a_recording_that_cannot_be_written_down_is_not_sent(
    openai_api: respx.MockRouter, family: OpenAI, request_: TranscriptionRequest, media: Media, said: str
) -> None:
    with pytest.raises(NotOffered, match=said):
        await family.submit(request_, {"asset_1": media})
    assert not openai_api.calls


async def test_what_the_diarizing_model_leaves_out_is_told(openai_api: respx.MockRouter, family: OpenAI) -> None:
    writing(openai_api, {"text": "Hello."})
    request = heard(model="gpt-4o-transcribe-diarize", speakers=True, timestamps="word", hint="Ada")
    warnings = (await written(family, request)).warnings
    assert ["segments, not of single words" in warnings[0], "takes no hint" in warnings[1]] == [True, True]


# ---- transcription: what comes back ----------------------------------------------------------------------------------


async def test_whispers_noise_is_cleaned_and_its_last_end_lies_within(
    openai_api: respx.MockRouter, family: OpenAI
) -> None:
    """Traps 24: 1.7000000476837158, ends behind the duration, int ids, a language in words, `word` as the key."""
    body = {
        "task": "transcribe",
        "language": "english",
        "duration": 1.5,
        "text": " Hello there. ",
        "segments": [{"id": 0, "start": 0.0, "end": 1.7000000476837158, "text": " Hello there."}],
        "words": [{"word": "Hello", "start": 0, "end": 0.30000001192092896}, {"word": "there", "start": 0.4, "end": 9}],
        "usage": {"type": "duration", "seconds": 2},
    }
    writing(openai_api, body)
    result = await written(family, heard(timestamps="word"))
    assert result.transcript == Transcript(
        text="Hello there.",
        language="en",
        duration_s=1.5,
        segments=(Segment(text="Hello there.", start_s=0, end_s=1.5),),
        words=(Word(text="Hello", start_s=0, end_s=0.3), Word(text="there", start_s=0.4, end_s=1.5)),
    )
    assert result.usage == Usage(seconds=Decimal(2))


async def test_speakers_are_named_as_the_vendor_names_them(openai_api: respx.MockRouter, family: OpenAI) -> None:
    """Trap 24: ids are strings here, usage is by tokens."""
    segments = [
        {"id": "seg_1", "type": "transcript.text.segment", "start": 0.0, "end": 1.2, "text": "Hello.", "speaker": "A"},
        {"id": "seg_2", "type": "transcript.text.segment", "start": 1.3, "end": 2.0, "text": "Hi.", "speaker": "B"},
    ]
    details = {"audio_tokens": 20, "text_tokens": 0}
    tokens = {"type": "tokens", "input_tokens": 20, "output_tokens": 8, "total_tokens": 28}
    usage = {**tokens, "input_token_details": details}
    body = {"task": "transcribe", "duration": 2.0, "text": "Hello. Hi.", "segments": segments, "usage": usage}
    writing(openai_api, body)
    result = await written(family, heard(model="gpt-4o-transcribe-diarize", speakers=True))
    assert result.transcript is not None
    assert [(each.speaker, each.text) for each in result.transcript.segments] == [("A", "Hello."), ("B", "Hi.")]
    assert result.usage == Usage(input_tokens=20, audio_input_tokens=20, output_tokens=8)


async def test_gpt_transcribe_lists_the_languages(openai_api: respx.MockRouter, family: OpenAI) -> None:
    usage = {"type": "duration", "seconds": 61.5}
    writing(openai_api, {"text": "Hallo.", "languages": [{"code": "de"}, {"code": "en"}], "usage": usage})
    request = heard(model="gpt-transcribe", timestamps="none")
    result = await written(family, request)
    assert result.transcript == Transcript(text="Hallo.", language="de")
    assert media_cost(ROWS["gpt-transcribe"], request, result.usage) == Decimal("0.004613")


@pytest.mark.parametrize(
    ("said", "asked", "language"),
    [
        ({"language": None}, None, None),
        ({"languages": []}, "de", "de"),
        ({"language": "klingon"}, None, None),
        ({"language": "FR"}, None, "fr"),
        ({"language": "Burmese"}, "my", "my"),
    ],
)
async def test_a_language_may_be_missing(
    openai_api: respx.MockRouter, family: OpenAI, said: Any, asked: str | None, language: str | None
) -> None:
    writing(openai_api, {"text": "Hello.", "segments": None, "words": [None], "duration": None, **said})
    result = await written(family, heard(language=asked))
    assert result.transcript == Transcript(text="Hello.", language=language)


@pytest.mark.parametrize("body", [[], "text", {}, {"text": None}])
async def test_an_answer_without_a_text_is_malformed(openai_api: respx.MockRouter, family: OpenAI, body: Any) -> None:
    writing(openai_api, body)
    with pytest.raises(MalformedAnswer):
        await family.submit(heard(), MP3)


async def test_a_lost_transcript_is_not_asked_for_again(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = openai_api.post(f"{API}/audio/transcriptions").mock(side_effect=httpx2.ReadTimeout("slow"))
    with pytest.raises(OutcomeUnknown):
        await family.submit(heard(), MP3)
    assert route.call_count == 1


@pytest.mark.parametrize(
    ("needs", "model"),
    [
        ({"timestamps": "none"}, "gpt-transcribe"),
        ({}, "whisper-1"),
        ({"timestamps": "word"}, "whisper-1"),
        ({"speakers": True}, "gpt-4o-transcribe-diarize"),
    ],
)
def test_the_model_is_the_first_that_can_do_what_is_asked(needs: dict[str, Any], model: str) -> None:
    catalogue = Catalogue(tuple(ROWS.values()))
    assert catalogue.choose("transcription", needs=needs_of(heard(**needs))).model.id == model


@pytest.mark.parametrize("row", [row for row in ROWS.values() if "transcribe" in row.capabilities], ids=lambda r: r.id)
def test_every_minute_can_be_reserved_for(row: Any) -> None:
    price = media_price(row, heard(model=row.id, duration_s=60))
    assert price is not None
    assert Decimal("0.002") < price <= Decimal("0.006")
