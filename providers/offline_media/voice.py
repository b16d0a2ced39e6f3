"""Speaks the stand-in narrations, as WAV or MP3, with espeak-ng out of its wheel (see `espeak`)."""

from __future__ import annotations

import array
import io
import subprocess
import sys
import unicodedata
import wave
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import espeakng_loader

from ..errors import InvalidRequest, JobFailed

PROGRAM = Path(__file__).with_name("espeak.py")
TIMEOUT_S = 60.0
WORDS_PER_MINUTE = 165
SLOWEST, FASTEST = 80, 450
"""Words per minute that espeak-ng can speak."""
MP3_BIT_RATE = 64_000
MP3_FRAME = 576
"""Samples in a frame of MP3 at the sample rates below 32 kHz."""


@dataclass(frozen=True)
class Voice:
    """How one of the voices is made: espeak-ng's accent, its variant, and the pitch, 0 to 99.

    Variants with breath in them (f2, f3, f5) are left out: their noise is not the same from run to run.
    """

    accent: str
    variant: str
    pitch: int


VOICES = {
    "alloy": Voice("en-us", "m1", 60),
    "echo": Voice("en-us", "m3", 45),
    "fable": Voice("en-gb-x-rp", "m2", 58),
    "onyx": Voice("en-us", "m7", 22),
    "nova": Voice("en-us", "f1", 55),
    "shimmer": Voice("en-us", "f4", 66),
}

SCRIPTS = {
    "CYRILLIC": "ru",
    "GREEK": "el",
    "HEBREW": "he",
    "ARABIC": "ar",
    "DEVANAGARI": "hi",
    "BENGALI": "bn",
    "TAMIL": "ta",
    "TELUGU": "te",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
    "HANGUL": "ko",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "THAI": "th",
    "CJK": "cmn",
}
"""The first word of a letter's Unicode name -> the language espeak-ng reads its script in."""


def speak(text: str, voice: str, speed: float, form: str) -> bytes:
    """The text read aloud, as a file of the form "wav" or "mp3": the same bytes for the same arguments. Blocking.

    Raises InvalidRequest (nothing to say, no such voice) or JobFailed.
    """
    said = speakable(text)
    if not any(character.isalnum() for character in said):
        raise InvalidRequest("The text holds nothing that can be read aloud.")
    if voice not in VOICES:
        raise InvalidRequest(f"There is no voice {voice!r}; the voices are: {', '.join(VOICES)}.")
    hertz, samples = _samples(said, VOICES[voice], words_per_minute(speed))
    return _mp3(hertz, samples) if form == "mp3" else _wav(hertz, samples)


def words_per_minute(speed: float) -> int:
    """The rate for a speed, 1.0 being normal, within what espeak-ng can do."""
    return max(SLOWEST, min(FASTEST, round(WORDS_PER_MINUTE * speed)))


def speakable(text: str) -> str:
    """The text without control characters and what cannot be written as UTF-8."""
    spaced = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") else c for c in text)
    return " ".join(spaced.split())


def language(text: str, accent: str) -> str:
    """The language to read in: of the script most letters are in; the accent where that is the Latin one."""
    names = (unicodedata.name(character, "") for character in text if character.isalpha())
    counted = Counter(SCRIPTS.get(name.split(" ")[0].split("-")[0], accent) for name in names)
    if counted["ja"]:  # Japanese is written with Chinese characters as well
        return "ja"
    return counted.most_common(1)[0][0] if counted else accent


def _samples(text: str, voice: Voice, rate: int) -> tuple[int, bytes]:
    """Samples per second, and the samples: 16 bit, mono, in the machine's byte order."""
    spoken = language(text, voice.accent)
    name = f"{spoken}+{voice.variant}"
    library, data = str(espeakng_loader.get_library_path()), str(espeakng_loader.get_data_path())
    command = [sys.executable, "-I", "-S", str(PROGRAM), library, data, name, str(rate), str(voice.pitch)]
    try:
        done = subprocess.run(  # noqa: S603  a fixed program; the text goes through its standard input
            command, input=text.encode(), capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JobFailed(f"The offline voice did not speak ({type(error).__name__}).") from error
    if done.returncode != 0 or len(done.stdout) <= 4:
        raise JobFailed(f"The offline voice did not speak (espeak-ng ended with {done.returncode}).")
    return int.from_bytes(done.stdout[:4], "big"), done.stdout[4:]


def _wav(hertz: int, samples: bytes) -> bytes:
    values = array.array("h", samples)
    if sys.byteorder == "big":
        values.byteswap()
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(hertz)
        file.writeframes(values.tobytes())
    return out.getvalue()


def _mp3(hertz: int, samples: bytes) -> bytes:
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples) // 2)
    frame.planes[0].update(samples.ljust(frame.planes[0].buffer_size, b"\0"))
    frame.rate, frame.pts, frame.time_base = hertz, 0, Fraction(1, hertz)
    out = io.BytesIO()
    with av.open(out, "w", format="mp3", options={"fflags": "bitexact"}) as container:
        stream = container.add_stream("libmp3lame", rate=hertz, layout="mono", options={"compression_level": "7"})
        stream.bit_rate = MP3_BIT_RATE
        resampler = av.AudioResampler(format="s16p", layout="mono", rate=hertz, frame_size=MP3_FRAME)
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(piece))
        container.mux(stream.encode())
    return out.getvalue()
