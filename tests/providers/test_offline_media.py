"""Pictures, clips and speech are real files, about the prompt, and the same for the same request."""

import hashlib
import io
import subprocess
import sys
import wave

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from providers.errors import InvalidRequest
from providers.offline_media.figures import SHAPES, draw_shape
from providers.offline_media.film import film_scene, film_still, filmable_size
from providers.offline_media.lettering import legible
from providers.offline_media.palette import CHOICE, INK
from providers.offline_media.picture import draw_picture, drawable_size, open_picture
from providers.offline_media.reading import THINGS, read_prompt
from providers.offline_media.scene import compose
from providers.offline_media.views import VIEWS
from providers.offline_media.voice import VOICES, language, speak
from providers.types import Media

SMALL = (160, 120)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def mean_colour(prompt: str) -> tuple[float, float, float]:
    red, green, blue = np.asarray(opened(draw_picture(prompt, (256, 256), 0))).mean(axis=(0, 1))
    return red, green, blue


def frames_of(film: bytes) -> list[Image.Image]:
    with av.open(io.BytesIO(film)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]


def silent(progress: float) -> None:
    """Nobody asks."""


# ---- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(64, 64), (1024, 1024), (1536, 512), (333, 777), (64, 2048)])
def test_picture_is_a_png_of_exactly_its_size(size):
    picture = opened(draw_picture("a lighthouse in a storm", size, 0))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", size)


def test_picture_says_what_made_it():
    assert opened(draw_picture("a cat", SMALL, 0)).info["Software"] == "Impresario offline stand-in"


@pytest.mark.parametrize(("word", "channel"), [("red", 0), ("green", 1), ("blue", 2)])
def test_colour_named_in_the_prompt_prevails(word, channel):
    assert int(np.argmax(mean_colour(f"a {word} poster"))) == channel


def test_night_is_darker_than_day():
    assert sum(mean_colour("a city at night")) < sum(mean_colour("a city at noon"))


def test_other_words_give_another_picture_and_so_does_another_seed():
    drawn = {draw_picture(prompt, SMALL, seed) for prompt in ("a cat", "a dog") for seed in (0, 1)}
    assert len(drawn) == 4


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_leaves_its_mark(name):
    assert draw_shape(name, 60, INK, CHOICE[0], finer=2).getchannel("A").getextrema()[1] == 255


def test_every_thing_has_a_shape():
    assert {thing.shape for thing in THINGS.values()} <= set(SHAPES)


@pytest.mark.parametrize("setting", VIEWS)
def test_every_view_can_be_reached(setting):
    prompts = {
        "land": "a hill",
        "forest": "a forest",
        "city": "a city",
        "sea": "a sailboat",
        "deep": "a fish",
        "space": "a rocket",
        "studio": "coffee",
        "abstract": "entropy",
    }
    assert read_prompt(prompts[setting]).setting == setting
    assert compose(prompts[setting], *SMALL).still().size == SMALL


def test_things_have_the_number_and_colour_the_prompt_gives_them():
    cats, dog = read_prompt("three black cats and a dog").sights
    assert (cats.thing.shape, cats.count, dog.thing.shape, dog.count) == ("cat", 3, "dog", 1)
    assert cats.colour != cats.thing.colour


def test_letters_the_font_lacks_are_replaced_or_left_out():
    assert legible("El niño — 日本 £5") == "El nino - 5"


@given(st.text(max_size=200))
@settings(max_examples=25, deadline=None)
def test_any_prompt_gives_a_picture(prompt):
    assert compose(prompt, 64, 64).still().size == (64, 64)


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_size_is_kept_within_the_limits(width, height):
    assert all(64 <= side <= 4096 for side in drawable_size((width, height)))
    assert all(64 <= side <= 1920 and side % 2 == 0 for side in filmable_size((width, height)))


# ---- clips -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.5, 2.5, 5.0, 7.3])
def test_clip_is_exactly_as_long_as_asked(seconds):
    with av.open(io.BytesIO(film_scene("waves", SMALL, seconds, 0, silent))) as container:
        stream = container.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(seconds)
        assert sum(1 for _ in container.decode(stream)) == round(seconds * 15)


def test_clip_plays_in_a_browser_before_it_is_wholly_loaded():
    film = film_scene("waves", SMALL, 1, 0, silent)
    with av.open(io.BytesIO(film)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt, stream.width) == ("h264", "yuv420p", 160)
    assert film.index(b"moov") < film.index(b"mdat")


@pytest.mark.parametrize("prompt", ["a fox in the snow", "a fish", "a rocket in space", "coffee", "rain", "entropy"])
def test_clip_moves(prompt):
    first, *_, last = (np.asarray(frame, dtype=int) for frame in frames_of(film_scene(prompt, SMALL, 2, 0, silent)))
    assert np.abs(first - last).max() > 20


def test_progress_grows_with_every_frame():
    told: list[float] = []
    film_scene("waves", SMALL, 1, 0, told.append)
    assert told == sorted(told)
    assert len(told) == 15
    assert told[-1] < 1


def test_filming_ends_when_its_report_raises():
    def stop(progress: float) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        film_scene("waves", SMALL, 60, 0, stop)


def test_still_is_brought_to_life_in_its_own_colours():
    still = Image.new("RGB", (300, 400), (200, 30, 30))
    frame = frames_of(film_still("a door", still, filmable_size((150, 200)), 0.5, silent))[0]
    assert frame.size == (150, 200)
    assert frame.getpixel((75, 60))[0] > 150


def test_still_sets_the_shape_of_a_clip_without_a_size():
    assert filmable_size(None, (500, 1000)) == (640, 1280)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_picture_of_any_usual_form_is_read(form):
    out = io.BytesIO()
    Image.new("P" if form == "GIF" else "RGB", (50, 20)).save(out, form)
    assert open_picture(Media("image/x", out.getvalue()), 25).size == (25, 10)


def test_picture_that_is_none_is_refused():
    with pytest.raises(InvalidRequest, match="cannot be read"):
        open_picture(Media("image/png", b"\x89PNG\r\n\x1a\nbroken"), 100)


# ---- speech ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("voice", VOICES)
def test_every_voice_speaks(voice):
    with wave.open(io.BytesIO(speak("Good morning.", voice, 1.0, "wav"))) as spoken:
        assert (spoken.getnchannels(), spoken.getsampwidth()) == (1, 2)
        assert 0.4 < spoken.getnframes() / spoken.getframerate() < 4
        samples = np.frombuffer(spoken.readframes(spoken.getnframes()), dtype="<i2")
    assert np.abs(samples.astype(int)).max() > 1000


def test_voices_sound_different():
    assert len({speak("Good morning.", voice, 1.0, "wav") for voice in VOICES}) == len(VOICES)


def test_mp3_is_as_long_as_the_wav():
    def samples(form: str) -> int:
        with av.open(io.BytesIO(speak("Come in, sit down.", "onyx", 1.0, form))) as container:
            return sum(frame.samples for frame in container.decode(audio=0))

    assert samples("mp3") == samples("wav")


def test_higher_speed_takes_less_time():
    assert len(speak("Come in and sit down.", "nova", 2.0, "wav")) < len(
        speak("Come in and sit down.", "nova", 1, "wav")
    )


def test_longer_text_takes_longer():
    assert len(speak("One. Two. Three.", "nova", 1, "wav")) > len(speak("One.", "nova", 1, "wav"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello", "en-us"),
        ("Привет, мир", "ru"),
        ("你好世界", "cmn"),
        ("東京へようこそ", "ja"),
        ("안녕하세요", "ko"),
        ("مرحبا", "ar"),
        ("Γειά σου", "el"),  # noqa: RUF001
        ("123", "en-us"),
    ],
)
def test_text_is_read_in_the_language_of_its_letters(text, expected):
    assert language(text, "en-us") == expected
    assert len(speak(text, "alloy", 1.0, "wav")) > 5000


@pytest.mark.parametrize("text", ["", " \n", "...", "😀", "\x00"])
def test_text_without_words_is_refused(text):
    with pytest.raises(InvalidRequest, match="nothing that can be read"):
        speak(text, "nova", 1.0, "wav")


@pytest.mark.parametrize("text", ["a\x00b", "<break/> [[h]] &amp;", "x" * 2000, "é\u0301ß 😀 ok", "\ud83d ok"])
def test_odd_text_is_spoken(text):
    assert len(speak(text, "shimmer", 1.0, "wav")) > 1000


# ---- the same for the same -------------------------------------------------------------------------------------------

MAKE_ALL = """
import hashlib
from providers.offline_media.film import film_scene
from providers.offline_media.picture import draw_picture
from providers.offline_media.voice import speak

def digests():
    yield draw_picture("a red fox in the snow", (200, 200), 1)
    yield film_scene("a red fox in the snow", (160, 120), 1.0, 1, lambda progress: None)
    for voice in ("alloy", "echo", "fable", "onyx", "nova", "shimmer"):
        yield speak("Good mornings start here.", voice, 1.1, "wav")
        yield speak("Good mornings start here.", voice, 1.1, "mp3")

print(*(hashlib.sha256(data).hexdigest() for data in digests()))
"""


def test_two_processes_make_the_same_bytes():
    runs = [
        subprocess.run(
            [sys.executable, "-c", MAKE_ALL],
            env={"PYTHONHASHSEED": seed, "X": "x" * 999},
            capture_output=True,
            check=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert hashlib.sha256(draw_picture("a red fox in the snow", (200, 200), 1)).hexdigest().encode() == runs[0][0]
