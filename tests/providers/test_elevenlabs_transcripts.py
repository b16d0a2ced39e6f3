"""Scribe: the form of a transcription, its words, speakers and events, and the segments made of them."""

from collections.abc import AsyncIterator
from decimal import Decimal
from email.parser import BytesParser

import httpx
import pytest
from elevenlabs.client import AsyncElevenLabs
from wire_elevenlabs import API, KEY

from providers.elevenlabs import ElevenLabs
from providers.errors import MalformedAnswer, ModelGone, NotOffered, OutcomeUnknown
from providers.http import Http
from providers.prices import media_cost
from providers.types import Done, Media, Segment, TranscriptionRequest, Usage, Word

pytestmark = pytest.mark.anyio

SOUND = {"a": Media("audio/mpeg", data=b"ID3\x04")}
ANSWER = {
    "language_code": "eng",
    "language_probability": 0.98,
    "text": "Hello there. (laughs) No!",
    "audio_duration_secs": 2.5,
    "words": [
        {
            "text": "Hello",
            "start": 0.1000000014,
            "end": 0.5,
            "type": "word",
            "speaker_id": "speaker_0",
            "logprob": -0.1,
        },
        {"text": " ", "start": 0.5, "end": 0.6, "type": "spacing", "speaker_id": "speaker_0"},
        {"text": "there.", "start": 0.6, "end": 1.0, "type": "word", "speaker_id": "speaker_0"},
        {"text": " ", "start": 1.0, "end": 1.1, "type": "spacing", "speaker_id": "speaker_0"},
        {"text": "(laughs)", "start": 1.1, "end": 1.4, "type": "audio_event", "speaker_id": "speaker_0"},
        {"text": " ", "start": 1.4, "end": 1.5, "type": "spacing", "speaker_id": "speaker_1"},
        {"text": "No!", "start": 1.5, "end": 2.7000000476837158, "type": "word", "speaker_id": "speaker_1"},
    ],
}


@pytest.fixture
async def family() -> AsyncIterator[ElevenLabs]:
    http = Http()
    yield ElevenLabs({"ELEVENLABS_API_KEY": KEY}, http)
    await http.aclose()


@pytest.fixture
def scribe(vendor):
    return vendor.post(f"{API}/v1/speech-to-text").respond(json=ANSWER)


def asked(**fields) -> TranscriptionRequest:
    return TranscriptionRequest(**{"model": "scribe_v2", "audio": "a", **fields})


def form(request: httpx.Request) -> list[tuple]:
    """The parts of a multipart body: name, file name, type, content; in any order."""
    head = b"content-type: " + request.headers["content-type"].encode() + b"\r\n\r\n"
    parts = BytesParser().parsebytes(head + request.content).get_payload()
    named = [(part.get_param("name", header="content-disposition"), part) for part in parts]
    return sorted((name, part.get_filename(), part.get_content_type(), part.get_payload()) for name, part in named)


def fields(request: httpx.Request) -> dict[str, str]:
    return {name: content for name, _, _, content in form(request)}


# ---- the request -----------------------------------------------------------------------------------------------------


async def test_transcription_equals_the_official_clients(family, scribe):
    options = {"num_speakers": 3, "temperature": 0.5, "seed": 3, "no_verbatim": True}
    request = asked(
        language="en-GB", timestamps="word", speakers=True, hint="Impresario, Ada Lovelace", options=options
    )
    await family.submit(request, SOUND)
    ours = scribe.calls.last.request
    async with httpx.AsyncClient() as client:
        await AsyncElevenLabs(api_key=KEY, httpx_client=client).speech_to_text.convert(
            model_id="scribe_v2",
            file=("sound.mp3", b"ID3\x04", "audio/mpeg"),
            language_code="en",
            timestamps_granularity="word",
            diarize=True,
            tag_audio_events=False,
            num_speakers=3,
            temperature=0.5,
            seed=3,
            no_verbatim=True,
            keyterms=["Impresario", "Ada Lovelace"],
        )
    theirs = scribe.calls.last.request
    assert ours is not theirs
    assert (ours.method, ours.url) == (theirs.method, theirs.url)
    assert ours.headers["xi-api-key"] == theirs.headers["xi-api-key"] == KEY
    unset = ("entity_detection", "entity_redaction", "webhook_metadata")  # the SDK sends them as "null", asked or not
    assert form(ours) == [part for part in form(theirs) if part[0] not in unset]


@pytest.mark.parametrize(
    ("wanted", "granularity", "diarize"),
    [
        ({"timestamps": "none"}, "none", "false"),
        ({"timestamps": "segment"}, "word", "false"),
        ({"timestamps": "none", "speakers": True}, "word", "true"),
    ],
)
async def test_times_are_asked_for_where_they_are_needed(family, scribe, wanted, granularity, diarize):
    await family.submit(asked(**wanted), SOUND)
    given = fields(scribe.calls.last.request)
    assert (given["timestamps_granularity"], given["diarize"]) == (granularity, diarize)


async def test_expected_words_cost_more_and_some_are_none_of_this_vendors(family, scribe):
    done = await family.submit(asked(hint="Ada; a name of more than five words; <b>"), SOUND)
    assert fields(scribe.calls.last.request)["keyterms"] == "Ada"
    assert "a fifth more" in done.warnings[0]
    assert "a name of more than five words, <b>" in done.warnings[1]


async def test_long_sound_has_the_time_it_needs(family, scribe):
    await family.submit(asked(), {"a": Media("audio/mpeg", data=bytes(32 * 1024 * 100))})
    assert scribe.calls.last.request.extensions["timeout"]["read"] == 410.0


@pytest.mark.parametrize("media", [{}, {"a": Media("image/png", data=b"x")}])
async def test_what_is_no_sound_is_refused_before_the_call(family, scribe, media):
    with pytest.raises(NotOffered) as caught:
        await family.submit(asked(), media)
    assert (scribe.called, caught.value.charged) == (False, False)


# ---- the answer ------------------------------------------------------------------------------------------------------


async def test_words_hold_no_spaces_and_no_events(family, scribe):  # trap 24
    done = await family.submit(asked(timestamps="word", speakers=True), SOUND)
    assert done.transcript.words == (
        Word(text="Hello", start_s=0.1, end_s=0.5, speaker="speaker_0"),
        Word(text="there.", start_s=0.6, end_s=1.0, speaker="speaker_0"),
        Word(text="No!", start_s=1.5, end_s=2.5, speaker="speaker_1"),  # not behind the end of the sound
    )


async def test_segments_are_made_of_the_words_and_hold_the_events(family, scribe):
    done = await family.submit(asked(speakers=True), SOUND)
    assert done.transcript.segments == (
        Segment(text="Hello there. (laughs)", start_s=0.1, end_s=1.0, speaker="speaker_0"),
        Segment(text="No!", start_s=1.5, end_s=2.5, speaker="speaker_1"),
    )
    assert (done.transcript.words, done.transcript.language, done.transcript.duration_s) == ((), "en", 2.5)


async def test_speakers_are_told_where_they_were_asked_for_alone(family, scribe):
    done = await family.submit(asked(), SOUND)
    assert {one.speaker for one in done.transcript.segments} == {None}


async def test_text_alone_has_no_times(family, scribe):
    done = await family.submit(asked(timestamps="none"), SOUND)
    assert (done.transcript.text, done.transcript.segments) == ("Hello there. (laughs) No!", ())


async def test_languages_without_spaces_get_none(family, vendor):
    words = [{"text": sign, "start": 0.1, "end": 0.2, "type": "word"} for sign in "你好"]
    vendor.post(f"{API}/v1/speech-to-text").respond(json={"text": "你好", "language_code": "zho", "words": words})
    done = await family.submit(asked(), SOUND)
    assert (done.transcript.segments[0].text, done.transcript.language) == ("你好", "zh")


@pytest.mark.parametrize(
    ("answer", "duration_s", "usage"),
    [
        ({"audio_duration_secs": 60}, 60.0, Usage(seconds=Decimal("60.0"))),
        ({"words": [{"text": "a", "start": 1, "end": 2.5}]}, 2.5, Usage(seconds=Decimal("2.5"))),
        ({}, 7.0, Usage(seconds=Decimal("7.0"))),
    ],
)
async def test_duration_is_the_answers_or_that_of_the_words_or_what_was_measured(
    family, vendor, answer, duration_s, usage
):
    body = {"text": "a", "language_code": None, "words": None} | answer
    vendor.post(f"{API}/v1/speech-to-text").respond(json=body)
    done = await family.submit(asked(duration_s=7.0, language="fr"), SOUND)
    assert (done.transcript.duration_s, done.usage, done.transcript.language) == (duration_s, usage, "fr")


async def test_price_is_by_the_hour(family, scribe):
    done = await family.submit(asked(), SOUND)
    assert isinstance(done, Done)
    assert media_cost(family.row("scribe_v2"), asked(), done.usage) == Decimal("0.000153")


async def test_nothing_said_is_an_empty_transcript(family, vendor):
    vendor.post(f"{API}/v1/speech-to-text").respond(json={"text": "", "language_code": "eng", "words": []})
    done = await family.submit(asked(), SOUND)
    assert (done.transcript.text, done.transcript.segments, done.usage) == ("", (), None)


async def test_answer_without_a_text_is_malformed(family, vendor):
    vendor.post(f"{API}/v1/speech-to-text").respond(202, json={"message": "later", "request_id": "r"})
    with pytest.raises(MalformedAnswer):
        await family.submit(asked(), SOUND)


async def test_lost_transcript_cannot_be_found_again(family, vendor):
    vendor.post(f"{API}/v1/speech-to-text").mock(side_effect=httpx.ReadTimeout("slow"))
    with pytest.raises(OutcomeUnknown):
        await family.submit(asked(), SOUND)
    assert await family.find(asked(), None) is None


async def test_model_that_is_gone_is_told_from_a_wrong_parameter(family, vendor):
    detail = {"code": "unsupported_model", "message": "scribe_v2 is gone."}
    vendor.post(f"{API}/v1/speech-to-text").respond(400, json={"detail": detail})
    with pytest.raises(ModelGone):
        await family.submit(asked(), SOUND)
