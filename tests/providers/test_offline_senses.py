"""Pictures, clips and sound are measured, and questions are answered from measures and records, never made up."""

import io
import json
import wave
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from providers.errors import InvalidRequest
from providers.http import Http
from providers.offline import Offline
from providers.offline_media.film import encode, film_scene
from providers.offline_media.picture import draw_picture
from providers.offline_media.voice import speak
from providers.offline_senses import films, pictures, sounds
from providers.offline_senses.colours import name_of
from providers.offline_senses.summary import key_themes, summed_up
from providers.types import ChatRequest, Media, Message

pytestmark = pytest.mark.anyio

FOX = Media("image/png", draw_picture("two red foxes in the snow", (320, 200), 0))
WAVES = Media("video/mp4", film_scene("waves at night", (160, 96), 1, 0, lambda progress: None))
VOICE = Media("audio/mpeg", speak("Good morning. What time is it in London?", "nova", 1, "mp3"))


def photo(colour: object = "navy", size: tuple[int, int] = (90, 60), **how: object) -> Media:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG", **how)
    return Media("image/jpeg", out.getvalue())


def asking(title: str, question: str = "", **media: Media) -> ChatRequest:
    said = Message(role="user", content=question or "Describe it.", media_ids=tuple(media))
    return ChatRequest("offline-planner", (said,), media=media, answer_schema={"title": title, "type": "object"})


def looked(question: str = "", *shown: Media) -> Mapping[str, object]:
    return pictures.analysis(
        asking("ImageAnalysis", question, **{f"a{n}": one for n, one in enumerate(shown or (FOX,))})
    )


# ---- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ((255, 0, 0), "red"),
        ((0, 0, 128), "dark blue"),
        ((255, 255, 255), "white"),
        ((5, 5, 8), "black"),
        ((128, 128, 128), "grey"),
        ((240, 230, 190), "beige"),
        ((120, 70, 30), "brown"),
        ((250, 160, 30), "orange"),
        ((250, 190, 200), "pink"),
        ((40, 160, 60), "green"),
        ((150, 60, 200), "purple"),
    ],
)
def test_colour_has_the_name_people_give_it(colour, name):
    assert name_of(colour) == name


async def test_answer_follows_the_shape_asked_for():
    http = Http()
    offline = Offline({"OFFLINE": "1"}, http)
    reply = await offline.complete(asking("ImageAnalysis", a=FOX))
    assert set(json.loads(reply.content)) == {
        *("description", "answer", "objects", "scene", "style", "colors", "text_in_image", "summary", "key_themes")
    }
    assert str(reply.cost_usd) == "0"
    await offline.aclose()
    await http.aclose()


def test_own_drawing_is_known_by_its_record_and_that_is_said():
    seen = looked()
    assert 'By its own record (the words it was made from) it shows "two red foxes in the snow"' in seen["description"]
    assert seen["objects"] == ["fox"]
    assert seen["text_in_image"] == "two red foxes in the snow / OFFLINE STAND-IN"


def test_record_lives_on_in_the_smaller_copy_that_is_shown():
    out = io.BytesIO()
    Image.open(io.BytesIO(FOX.read())).resize((64, 40)).convert("RGB").save(out, "JPEG", quality=85)
    assert looked("", Media("image/jpeg", out.getvalue()))["objects"] == ["fox"]


def test_picture_without_a_record_is_only_measured():
    seen = looked("", photo())
    assert "90x60 pixels, mostly dark blue (100%); dark, with low contrast, blurred" in seen["description"]
    assert "cannot say what is shown" in seen["description"]
    assert (seen["objects"], seen["text_in_image"], seen["answer"]) == ([], None, None)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What colours does it have?", "red"),
        ("How many foxes are there?", "2 foxs"),
        ("How large is it?", "320x200"),
        ("Is it bright?", "It is"),
        ("Is it sharp?", "sharp"),
        ("Is it transparent?", "0%"),
        ("Is there a cat?", "It does not name cat."),
        ("Who is in the picture?", '"two red foxes in the snow"'),
        ("Why?", "That cannot be told here."),
    ],
)
def test_question_is_answered_from_facts_or_not_at_all(question, words):
    assert words.replace("foxs", "fox") in looked(f"Question:\n{question}")["answer"]


def test_camera_and_date_are_told():
    exif = Image.Exif()
    exif[271], exif[272], exif[306] = "Canon", "EOS R5", "2024:05:01 10:00:00"
    seen = looked("Question:\nWhen was it taken?", photo(exif=exif))
    assert "2024:05:01" in seen["answer"]
    assert seen["style"] == "photograph"
    assert "Canon EOS R5" in seen["description"]


def test_two_pictures_are_compared():
    answer = looked("Question:\nCompare these pictures.", photo("white"), photo("navy", (60, 60)))["answer"]
    assert "the first is 90x60, the second 60x60" in answer
    assert "the first is brighter" in answer
    assert "only the second has dark blue" in answer


def test_sharp_picture_is_told_from_a_blurred_one():
    noise = Image.effect_noise((200, 200), 90).convert("RGB")
    files = []
    for picture in (noise, noise.filter(ImageFilter.GaussianBlur(8))):
        picture.save(out := io.BytesIO(), "PNG")
        files.append(pictures.measured(Media("image/png", out.getvalue())).crispness)
    assert files == ["sharp", "blurred"]


def test_text_that_comes_along_is_summed_up():
    text = "Coffee grows in the tropics. It rained. Farmers pick coffee berries. Roasting brings out coffee's taste."
    seen = looked(f"Question:\nWhat is it?\n\nText:\n{text}")
    assert seen["summary"].startswith("Coffee grows in the tropics.")
    assert "It rained." not in seen["summary"]
    assert seen["key_themes"] == ["coffee"]


@given(st.text(max_size=400))
@settings(max_examples=60, deadline=None)
def test_any_text_can_be_summed_up(text):
    assert len(summed_up(text)) <= 600
    assert len(key_themes(text)) <= 6


def test_broken_picture_is_refused():
    with pytest.raises(InvalidRequest):
        looked("", Media("image/png", b"\x89PNG\r\n\x1a\nbroken"))


# ---- clips -----------------------------------------------------------------------------------------------------------


def clip(*colours: str) -> Media:
    """A second of each colour."""
    frames = (Image.new("RGB", (96, 64), colours[n // 10]) for n in range(10 * len(colours)))
    return Media("video/mp4", encode(frames, 10 * len(colours), (96, 64), len(colours), lambda p: None, ""))


def watched(media: Media, question: str = "") -> Mapping[str, object]:
    return films.analysis(asking("VideoAnalysis", question, v=media))


def test_cuts_are_found_at_their_seconds():
    seen = watched(clip("navy", "white", "red"))
    moments = [moment for moment in seen["moments"] if "changes" in moment["what"]]
    assert [moment["at_s"] for moment in moments] == pytest.approx([1.0, 2.0], abs=0.26)
    assert ("white" in moments[0]["what"], "red" in moments[1]["what"]) == (True, True)


def test_clip_is_described_by_measures_and_its_record():
    seen = watched(WAVES)
    assert "1.0 s at 160x96 pixels and 15 frames a second" in seen["description"]
    assert '"waves at night"' in seen["description"]
    assert (seen["scene"], seen["sound"]) == ("sea (by its own record)", None)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("How long is it?", "1.0 s"),
        ("What happens in it?", "waves at night"),
        ("Are there any cuts?", "no cut"),
        ("What is said?", "silent"),
        ("Does it get darker?", "From the first frame"),
        ("Why?", "cannot be told"),
    ],
)
def test_question_about_a_clip_is_answered(question, words):
    assert words in watched(WAVES, f"Question:\n{question}")["answer"]


def test_sound_without_pictures_is_no_clip():
    with pytest.raises(InvalidRequest, match="only sound"):
        watched(VOICE)


# ---- sound -----------------------------------------------------------------------------------------------------------


def listened(media: Media, question: str = "") -> Mapping[str, object]:
    return sounds.analysis(asking("AudioAnalysis", question, s=media))


def tone(hertz: float, seconds: float = 1.0, loud: float = 0.3) -> Media:
    times = np.arange(round(16_000 * seconds)) / 16_000
    samples = (32_767 * loud * np.sin(2 * np.pi * hertz * times)).astype("<i2")
    with wave.open(out := io.BytesIO(), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())
    return Media("audio/wav", out.getvalue())


@pytest.mark.parametrize("hertz", [80, 120, 220, 330])
def test_pitch_is_found(hertz):
    assert sounds.measured(tone(hertz)).pitch == pytest.approx(hertz, rel=0.05)


def test_voice_is_described_and_its_words_are_known_by_its_record():
    heard = listened(VOICE)
    assert "By the file's own record it says" in heard["description"]
    assert heard["language"] == "en"
    assert len(heard["speakers"]) == 1


def test_spoken_question_is_repeated_and_not_answered():
    assert 'asks: "What time is it in London?"' in listened(VOICE)["answer"]
    assert "cannot answer" in listened(VOICE)["answer"]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("How does she sound?", "By its measures"),
        ("What does she say?", "Good morning"),
        ("How long is it?", "s long"),
        ("How loud is it?", "dB"),
        ("Which language is it?", "en"),
        ("Is it snowing?", "cannot be told"),
    ],
)
def test_question_about_sound_is_answered(question, words):
    assert words in listened(VOICE, f"Question:\n{question}")["answer"]


def test_silence_is_told():
    heard = listened(tone(100, loud=0))
    assert (heard["tone"], heard["sounds"], heard["speakers"]) == ("silent", ["silence"], [])


def test_quiet_and_loud_are_told_apart():
    assert sounds.measured(tone(200, loud=0.01)).level_db < sounds.measured(tone(200, loud=0.5)).level_db - 20


@pytest.mark.parametrize("finder", [films.analysis, sounds.analysis])
def test_question_without_a_file_is_refused(finder):
    with pytest.raises(InvalidRequest):
        finder(asking("VideoAnalysis"))
