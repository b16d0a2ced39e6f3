"""Google's speech: the words, the voice and the manner on the wire, and samples that become files."""

import base64
import io
import json
import wave
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import av
import pytest
from google.genai import types
from google_sdk import assert_equal_requests, sent_by_sdk
from wire_google import API, KEY

from providers.catalogue import Catalogue
from providers.errors import MalformedAnswer, Moderated, NotOffered
from providers.google import Google
from providers.http import Http
from providers.prices import media_cost, media_price
from providers.sound import wav
from providers.types import SpeechRequest

pytestmark = pytest.mark.anyio

MODEL = "gemini-3.8-flash-tts"
HERTZ = 24_000
SECOND = b"\x00\x10\x00\xf0" * (HERTZ // 2)
"""A second of samples."""
RAW = "audio/L16;codec=pcm;rate=24000"


def answer(data: bytes, kind: str = RAW, finish: str = "STOP", **fields: Any) -> dict[str, Any]:
    part = {"inlineData": {"mimeType": kind, "data": base64.b64encode(data).decode()}}
    return {"candidates": [{"content": {"parts": [part]}, "finishReason": finish}]} | fields


def speech(**fields: Any) -> SpeechRequest:
    return SpeechRequest(model=MODEL, text="Good night.", **fields)


@pytest.fixture
async def family() -> AsyncIterator[Google]:
    http = Http()
    yield Google({"GEMINI_API_KEY": KEY}, http)
    await http.aclose()


@pytest.fixture
def say(vendor):
    return vendor.post(url__regex=f"{API}/models/.*:generateContent").respond(json=answer(SECOND))


def sent(route) -> dict:
    return json.loads(route.calls.last.request.content)


def seconds(file: bytes) -> float:
    with av.open(io.BytesIO(file)) as sound:
        return sum(frame.samples / frame.sample_rate for frame in sound.decode(audio=0))


async def spoken(family, vendor, form: str, body: dict[str, Any]) -> bytes:
    vendor.post(f"{API}/models/{MODEL}:generateContent").respond(json=body)
    return (await family.submit(speech(format=form), {})).outputs[0].data


# ---- the request -----------------------------------------------------------------------------------------------------


async def test_speech_equals_the_official_clients(family, say):
    """The style stands beside the text, which is read word for word."""
    await family.submit(speech(voice="onyx", instructions="Whisper.", options={"language": "en-GB"}), {})
    part = types.Part(text="Good night.", speech_metadata=types.SpeechMetadata(style="Whisper."))
    voice = types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Charon"))
    config = types.GenerateContentConfig(
        response_modalities=["AUDIO"],
        speech_config=types.SpeechConfig(voice_config=voice, language_code="en-GB"),
    )
    theirs = sent_by_sdk(
        lambda client: client.models.generate_content(
            model=MODEL, contents=[types.Content(role="user", parts=[part])], config=config
        )
    )
    assert_equal_requests(say.calls.last.request, theirs)


@pytest.mark.parametrize("voice", ["alloy", "echo", "fable", "onyx", "nova", "shimmer", "Kore"])
async def test_every_voice_is_one_of_googles(family, say, voice):
    await family.submit(speech(voice=voice), {})
    name = sent(say)["generationConfig"]["speechConfig"]["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"]
    assert name in family.row(MODEL).limits["voices"]
    assert name == voice or voice in family.voices


def test_each_of_the_six_voices_is_another():
    assert len(set(Google({}, Http()).voices.values())) == 6


async def test_speed_is_ignored_aloud(family, say):
    done = await family.submit(speech(speed=1.5), {})
    assert "has no speed" in done.warnings[0]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (speech(voice="Siri"), "no voice 'Siri'"),
        (SpeechRequest(model=MODEL, text="x" * 9001), "at most 9000 characters of text at once; this request has 9001"),
        (speech(options={"language": "the Queen's"}), "does not take this language"),
        (speech(options={"stability": 1}), "knows no option 'stability'"),
    ],
)
async def test_what_the_model_cannot_do_is_refused_before_it_is_sent(family, say, request_, said):
    with pytest.raises(NotOffered, match=said):
        await family.submit(request_, {})
    assert not say.called


# ---- the sound -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [RAW, "audio/l16; rate=24000; channels=1", "audio/pcm", "audio/L16;rate=24000"])
async def test_bare_samples_become_a_wav_file(family, vendor, kind):
    """Trap 22."""
    file = await spoken(family, vendor, "wav", answer(SECOND, kind))
    with wave.open(io.BytesIO(file)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (HERTZ, 1, 2)
        assert sound.readframes(HERTZ) == SECOND


@pytest.mark.parametrize("kind", [RAW, "audio/l16;rate=48000;channels=2"])
async def test_bare_samples_become_an_mp3_file(family, vendor, kind):
    file = await spoken(family, vendor, "mp3", answer(SECOND * (4 if "48000" in kind else 1), kind))
    assert file.startswith((b"ID3", b"\xff"))
    assert seconds(file) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("kind", ["audio/wav", RAW])
async def test_wav_file_is_known_by_its_bytes(family, vendor, kind):
    """Trap 16: the name of a type says little."""
    given = wav(HERTZ, SECOND)
    assert await spoken(family, vendor, "wav", answer(given, kind)) == given


async def test_file_of_another_kind_is_turned_into_the_one_asked_for(family, vendor):
    mp3 = await spoken(family, vendor, "mp3", answer(wav(HERTZ, SECOND), "audio/wav"))
    assert await spoken(family, vendor, "mp3", answer(mp3, "audio/mp3")) == mp3
    back = await spoken(family, vendor, "wav", answer(mp3, "audio/mpeg"))
    assert back.startswith(b"RIFF")
    assert seconds(back) == pytest.approx(1.0, abs=0.1)


async def test_samples_of_several_parts_are_one_sound(family, vendor):
    body = answer(SECOND)
    body["candidates"][0]["content"]["parts"] *= 2
    assert seconds(await spoken(family, vendor, "wav", body)) == pytest.approx(2.0)


async def test_reading_that_was_cut_off_is_warned_about(family, vendor):
    vendor.post(f"{API}/models/{MODEL}:generateContent").respond(json=answer(SECOND, finish="MAX_TOKENS"))
    assert "end of the text is missing" in (await family.submit(speech(), {})).warnings[0]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"promptFeedback": {"blockReason": "OTHER"}}, Moderated),
        ({"candidates": [{"finishReason": "SAFETY"}]}, Moderated),
        ({"candidates": [{"content": {"parts": [{"text": "Good night."}]}, "finishReason": "STOP"}]}, MalformedAnswer),
        (answer(b"<html>", "audio/wav"), MalformedAnswer),
        (answer(b""), MalformedAnswer),
        (answer(b"x"), MalformedAnswer),
    ],
)
async def test_answer_without_sound_is_told(family, vendor, body, error):
    with pytest.raises(error):
        await spoken(family, vendor, "mp3", body)


# ---- money and names -------------------------------------------------------------------------------------------------


async def test_speech_is_billed_by_its_tokens(family, vendor):
    """25 tokens of sound at 9 a million, 4 of text at 0.50."""
    meta = {"promptTokenCount": 4, "candidatesTokenCount": 25}
    vendor.post(f"{API}/models/{MODEL}:generateContent").respond(json=answer(SECOND, usageMetadata=meta))
    done = await family.submit(speech(), {})
    assert media_cost(family.row(MODEL), speech(), done.usage) == Decimal("0.000227")
    assert media_price(family.row(MODEL), speech()) > 0


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("gemini-2.5-pro-preview-tts", MODEL),
        ("gemini-2.5-flash-preview-tts", "gemini-3.8-flash-lite-tts"),
        ("gemini-3.1-flash-tts-preview", "gemini-3.8-flash-lite-tts"),
    ],
)
def test_retired_voice_models_have_heirs_and_the_user_is_told(wanted, chosen):
    choice = Catalogue(Google({"GOOGLE_API_KEY": KEY}, Http()).models).choose("speech", wanted, needs={"tts"})
    assert choice.model.id == chosen
    assert "was retired" in choice.warnings[0]
