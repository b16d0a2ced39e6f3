"""Google's transcription: what is asked for, the turns of the speakers, and the times of their words."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from google.genai import types
from google_sdk import assert_equal_requests, sent_by_sdk
from wire_google import API, KEY

from providers.errors import MalformedAnswer, Moderated, NotOffered
from providers.google import Google
from providers.http import Http
from providers.prices import media_cost, media_price
from providers.types import Media, Segment, Transcript, TranscriptionRequest, Word

pytestmark = pytest.mark.anyio

MODEL = "gemini-3.5-transcribe"
URL = f"{API}/models/{MODEL}:generateContent"
SOUND = {"s": Media("audio/mp4", data=b"sound"), "v": Media("video/mp4", data=b"film")}


def heard(**fields: Any) -> TranscriptionRequest:
    return TranscriptionRequest(model=MODEL, audio="s", **fields)


def turn(text: str, *words: tuple[str, str, str], **fields: Any) -> dict[str, Any]:
    spoken = [{"word": word, "startOffset": start, "endOffset": end} for word, start, end in words]
    return {"audioTranscription": {"text": text, "words": spoken} | fields}


def answer(*parts: dict[str, Any], finish: str = "STOP", **fields: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts)}, "finishReason": finish}]} | fields


TWO = answer(
    turn("Good night.", ("Good", "0s", "0.400s"), ("night.", "0.4s", "1.7000000476837158s"), speakerLabel="spk_1"),
    turn("You too.", ("You", "2s", "2.2s"), ("too.", "2.2s", "9s"), speakerLabel="spk_2", languageCode="en-US"),
)


@pytest.fixture
async def family() -> AsyncIterator[Google]:
    http = Http()
    yield Google({"GOOGLE_API_KEY": KEY}, http)
    await http.aclose()


@pytest.fixture
def listen(vendor):
    return vendor.post(URL).respond(json=TWO)


async def test_transcription_equals_the_official_clients(family, listen):
    await family.submit(heard(language="en", speakers=True), SOUND)
    asked = types.AudioTranscriptionConfig(language_codes=["en"], word_timestamp=True, diarization=True)
    part = types.Part(inline_data=types.Blob(mime_type="audio/m4a", data=b"sound"))
    theirs = sent_by_sdk(
        lambda client: client.models.generate_content(
            model=MODEL,
            contents=[types.Content(role="user", parts=[part])],
            config=types.GenerateContentConfig(audio_transcription_config=asked),
        )
    )
    assert_equal_requests(listen.calls.last.request, theirs)


async def test_speakers_and_times_are_told(family, listen):
    """Trap 24: float noise, an end behind the sound's end."""
    done = await family.submit(heard(timestamps="word", speakers=True, duration_s=3.0), SOUND)
    assert done.transcript == Transcript(
        text="Good night. You too.",
        language="en-US",
        duration_s=3.0,
        segments=(
            Segment(text="Good night.", start_s=0.0, end_s=1.7, speaker="spk_1"),
            Segment(text="You too.", start_s=2.0, end_s=3.0, speaker="spk_2"),
        ),
        words=(
            Word(text="Good", start_s=0.0, end_s=0.4, speaker="spk_1"),
            Word(text="night.", start_s=0.4, end_s=1.7, speaker="spk_1"),
            Word(text="You", start_s=2.0, end_s=2.2, speaker="spk_2"),
            Word(text="too.", start_s=2.2, end_s=3.0, speaker="spk_2"),
        ),
    )


async def test_words_to_expect_are_sent_where_no_times_are_wanted(family, listen):
    done = await family.submit(heard(timestamps="none", hint="Impresario, Gemini\nOmni;"), SOUND)
    config = json.loads(listen.calls.last.request.content)["generationConfig"]
    assert config == {"audioTranscriptionConfig": {"customVocabulary": ["Impresario", "Gemini", "Omni"]}}
    assert done.warnings == ()


async def test_words_to_expect_are_ignored_aloud_where_times_are_wanted(family, listen):
    done = await family.submit(heard(hint="Impresario"), SOUND)
    assert "customVocabulary" not in listen.calls.last.request.content.decode()
    assert "takes no hint together with times" in done.warnings[0]


async def test_plain_text_is_a_transcript_without_times(family, vendor):
    vendor.post(URL).respond(json=answer({"text": "Good night."}))
    done = await family.submit(heard(), SOUND)
    assert (done.transcript.text, done.transcript.segments) == ("Good night.", ())
    assert done.warnings == (f"{MODEL} gave no times.",)


async def test_silence_is_an_empty_transcript(family, vendor):
    vendor.post(URL).respond(json=answer())
    assert (await family.submit(heard(), SOUND)).transcript == Transcript(text="")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (answer(finish="SAFETY"), Moderated),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, Moderated),
        (answer(finish="MAX_TOKENS"), MalformedAnswer),
        ({}, MalformedAnswer),
    ],
)
async def test_answer_without_a_transcript_is_told(family, vendor, body, error):
    vendor.post(URL).respond(json=body)
    with pytest.raises(error):
        await family.submit(heard(), SOUND)


async def test_transcript_that_was_cut_off_is_warned_about(family, vendor):
    vendor.post(URL).respond(json=answer({"text": "Good"}, finish="MAX_TOKENS"))
    assert "end of the transcript is missing" in (await family.submit(heard(timestamps="none"), SOUND)).warnings[0]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (heard(duration_s=1801.0), "at most 1800 s with times or speakers, this has 1801 s"),
        (heard(timestamps="none", duration_s=3601.0), "at most 3600 s, this has 3601 s"),
        (TranscriptionRequest(model=MODEL, audio="v"), "give it the sound alone"),
        (TranscriptionRequest(model=MODEL, audio="z"), "z is not attached"),
        (heard(options={"mode": "smart"}), "knows no option 'mode'"),
    ],
)
async def test_what_the_model_cannot_do_is_refused_before_it_is_sent(family, listen, request_, said):
    with pytest.raises(NotOffered, match=said):
        await family.submit(request_, SOUND)
    assert not listen.called


async def test_transcription_is_billed_by_its_tokens_within_the_reserve(family, vendor):
    """A minute: 1,920 tokens heard at 2 a million, 200 written at 12."""
    meta = {"promptTokenCount": 1920, "candidatesTokenCount": 200}
    vendor.post(URL).respond(json=TWO | {"usageMetadata": meta})
    request = heard(duration_s=60.0)
    done = await family.submit(request, SOUND)
    cost = media_cost(family.row(MODEL), request, done.usage)
    assert cost == Decimal("0.00624")
    assert media_price(family.row(MODEL), request) > cost
