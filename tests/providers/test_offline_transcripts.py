"""What is said is written down by a file's own record or the small recogniser, and speech comes while it is made."""

import asyncio
import io
import wave

import av
import numpy as np
import pytest

from providers.errors import InvalidRequest, NotOffered
from providers.http import Http
from providers.offline import Offline
from providers.offline_media.languages import guessed_language
from providers.offline_media.manner import MANNERS, read_manner
from providers.offline_media.opening import samples_of
from providers.offline_media.records import record, record_of_sound, told
from providers.offline_media.transcribing import HERTZ, recognised, spread
from providers.offline_media.voice import speak, speak_in_pieces
from providers.types import Done, Media, SpeechRequest, TranscriptionRequest

pytestmark = pytest.mark.anyio

TEXT = "Good morning, everyone. The café opens at nine; come in!"
SPOKEN = {form: Media(f"audio/{form}", speak(TEXT, "nova", 1.0, form)) for form in ("mp3", "wav")}
ASKED = TranscriptionRequest(model="offline-transcription", audio="a")


@pytest.fixture
async def offline():
    http = Http()
    family = Offline({"OFFLINE": "true"}, http)
    yield family
    await family.aclose()
    await http.aclose()


def wav(samples: np.ndarray, hertz: int = HERTZ) -> Media:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(hertz)
        file.writeframes(samples.astype("<i2").tobytes())
    return Media("audio/wav", out.getvalue())


def unrecorded(text: str, voice: str = "onyx") -> Media:
    """A narration whose record is lost, as after a cut."""
    return wav(samples_of(Media("audio/wav", speak(text, voice, 1.0, "wav")), HERTZ, 60)[0])


async def heard(offline: Offline, audio: Media, **more):
    done = await offline.submit(ASKED.model_copy(update=more), {"a": audio})
    assert isinstance(done, Done)
    assert (done.outputs, str(done.cost_usd)) == ((), "0")
    return done.transcript


# ---- records ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["mp3", "wav"])
def test_narration_knows_its_own_words(form):
    assert record_of_sound(SPOKEN[form]) == TEXT


@pytest.mark.parametrize("text", ["", "a\0b\nc", "日本 é \ud83d", "x" * 9000])
def test_any_text_can_be_a_record(text):
    assert (told(record(text)) or "").split() == text.replace("\0", " ").replace("\ud83d", "").split() or len(
        text
    ) > 4200


@pytest.mark.parametrize("comment", [None, "a song", b"\xff", 7, ""])
def test_comment_of_anybody_else_is_no_record(comment):
    assert told(comment) is None


# ---- by the record ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["mp3", "wav"])
async def test_own_words_are_written_down_exactly_and_the_source_is_named(offline, form):
    transcript = await heard(offline, SPOKEN[form])
    assert (transcript.text, transcript.source) == (TEXT, "the file's own record")
    assert [segment.text for segment in transcript.segments] == [
        "Good morning, everyone.",
        "The café opens at nine; come in!",
    ]
    assert transcript.words == ()


async def test_words_have_times_within_the_voice(offline):
    transcript = await heard(offline, SPOKEN["wav"], timestamps="word")
    assert [word.text for word in transcript.words] == TEXT.split()
    times = [time for word in transcript.words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert times[-1] <= transcript.duration_s


async def test_times_are_left_out_where_none_are_wanted(offline):
    transcript = await heard(offline, SPOKEN["mp3"], timestamps="none")
    assert (transcript.segments, transcript.words) == ((), ())


def test_words_are_spread_over_what_is_not_silent():
    tone = (8000 * np.sin(np.arange(HERTZ) / 10)).astype(np.int16)
    words = spread("one two", np.concatenate((np.zeros(HERTZ, np.int16), tone, np.zeros(HERTZ, np.int16))))
    assert words[0].start_s == pytest.approx(1.0, abs=0.05)
    assert words[-1].end_s == pytest.approx(2.0, abs=0.05)


# ---- by the recogniser -----------------------------------------------------------------------------------------------


async def test_sound_without_a_record_is_recognised_modestly(offline):
    transcript = await heard(offline, unrecorded("Good morning and welcome to our coffee shop."), timestamps="word")
    assert "pocketsphinx" in transcript.source
    assert "good" in transcript.text
    assert [word.text for word in transcript.words] == transcript.text.split()
    assert transcript.language == "en"


def test_same_sound_gives_the_same_words_whatever_was_heard_before():
    samples = samples_of(unrecorded("Good morning, come in."), HERTZ, 60)[0]
    first = recognised(samples)
    recognised(samples[HERTZ // 2 :])
    assert recognised(samples) == first


async def test_silence_has_no_words(offline):
    transcript = await heard(offline, wav(np.zeros(HERTZ)))
    assert (transcript.text, transcript.segments) == ("", ())


async def test_several_may_be_asked_for_at_once(offline):
    quiet = wav(np.zeros(HERTZ // 4))
    found = await asyncio.gather(*(heard(offline, quiet) for _ in range(4)))
    assert len(found) == 4


@pytest.mark.parametrize(
    ("update", "audio"),
    [
        ({"speakers": True}, SPOKEN["mp3"]),
        ({"language": "de"}, wav(np.ones(HERTZ))),
        ({"options": {"model_size": "large"}}, SPOKEN["mp3"]),
    ],
)
async def test_what_is_not_offered_is_refused(offline, update, audio):
    with pytest.raises(NotOffered):
        await heard(offline, audio, **update)


@pytest.mark.parametrize(
    ("audio", "words"),
    [
        (wav(np.zeros(301 * 8000), 8000), "at most 300 s"),
        (Media("audio/wav", b"RIFF\0\0\0\0WAVEbroken"), "cannot be read"),
        (Media("audio/x-unknown", b"nothing at all"), "cannot open"),
    ],
)
async def test_sound_that_cannot_be_heard_is_refused(offline, audio, words):
    with pytest.raises(InvalidRequest, match=words):
        await heard(offline, audio)


async def test_hint_is_dropped_with_a_warning(offline):
    done = await offline.submit(ASKED.model_copy(update={"hint": "Impresario"}), {"a": SPOKEN["mp3"]})
    assert "no hints" in done.warnings[0]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The house is on the hill and it is for you", "en"),
        ("Das Haus ist auf dem Berg und die Tür ist zu", "de"),
        ("La maison est dans la rue avec vous", "fr"),
        ("Привет, мир", "ru"),
        ("Hm", None),
        ("", None),
    ],
)
def test_language_is_guessed_from_small_words(text, language):
    assert guessed_language(text) == language


# ---- speech ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["mp3", "wav"])
async def test_speech_comes_in_pieces_that_make_the_file(offline, form):
    request = SpeechRequest(model="offline-speech", text=TEXT, format=form, stream=True)
    done = await offline.submit(request, {})
    pieces = [piece async for piece in done.outputs[0].chunks]
    assert len(pieces) > 5
    assert all(pieces)
    with av.open(io.BytesIO(b"".join(pieces)), format=form) as container:
        assert container.metadata["comment"].endswith(TEXT)
        assert sum(frame.samples for frame in container.decode(audio=0)) > 50_000


async def test_streamed_request_that_cannot_be_met_is_refused_at_once(offline):
    with pytest.raises(InvalidRequest):
        await offline.submit(SpeechRequest(model="offline-speech", text="?!", stream=True), {})


async def test_speech_that_is_not_listened_to_any_more_ends(offline):
    request = SpeechRequest(model="offline-speech", text="One more word. " * 200, stream=True)
    chunks = (await offline.submit(request, {})).outputs[0].chunks
    assert await anext(chunks)
    await chunks.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(chunks)


def test_same_request_streams_the_same_bytes():
    assert b"".join(speak_in_pieces(TEXT, "echo", 1.0, "mp3")) == b"".join(speak_in_pieces(TEXT, "echo", 1.0, "mp3"))


async def test_sad_voice_is_slower_and_quieter_than_an_excited_one(offline):
    async def loudness_and_length(manner: str) -> tuple[float, int]:
        request = SpeechRequest(model="offline-speech", text=TEXT, format="wav", instructions=manner)
        done = await offline.submit(request, {})
        samples = samples_of(Media("audio/wav", done.outputs[0].data), HERTZ, 60)[0]
        return float(np.abs(samples.astype(float)).mean()), len(samples)

    sad, excited = await loudness_and_length("in a sad voice"), await loudness_and_length("Excited!")
    assert sad[0] < excited[0]
    assert sad[1] > excited[1]


async def test_instructions_it_cannot_follow_are_told(offline):
    done = await offline.submit(SpeechRequest(model="offline-speech", text="Ho", instructions="like a pirate"), {})
    assert "cannot follow" in done.warnings[0]


def test_whisper_is_only_soft_and_says_so():
    manner, warnings = read_manner("whisper it")
    assert manner.loudness < 0.6
    assert "cannot whisper" in warnings[0]


@pytest.mark.parametrize("word", [*MANNERS, "sad slow deep whisper monotone", ""])
def test_any_manner_can_be_spoken(word):
    assert speak("Hi", "alloy", 1.0, "wav", read_manner(word)[0]).startswith(b"RIFF")
