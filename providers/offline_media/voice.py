"""Speaks the stand-in narrations, as WAV or MP3, with espeak-ng out of its wheel (see `espeak`)."""

from __future__ import annotations

import array
import io
import struct
import subprocess
import sys
import threading
import unicodedata
import wave
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import espeakng_loader

from ..errors import InvalidRequest, JobFailed
from ..sound import encode_mp3
from .manner import PLAIN, Manner
from .records import record

PROGRAM = Path(__file__).with_name("espeak.py")
TIMEOUT_S = 60.0
WORDS_PER_MINUTE = 165
SLOWEST, FASTEST = 80, 450
"""Words per minute that espeak-ng can speak."""
SPREAD = 55
"""How much the pitch moves within a sentence, 0 (a monotone) to 100."""
PIECE = 8192
"""Bytes of samples that are read at once: a fifth of a second."""
WAV_PIECE = 16_384
Pieces = Generator[bytes, None, None]
"""The bytes of a file as they come; to be closed where they are not wanted any more."""


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


def speak(text: str, voice: str, speed: float, form: str, manner: Manner = PLAIN) -> bytes:
    """The text read aloud, as a file of the form "wav" or "mp3": the same bytes for the same arguments. Blocking.

    Raises InvalidRequest (nothing to say, no such voice) or JobFailed.
    """
    hertz, pieces = _samples(text, voice, speed, manner)
    samples = b"".join(pieces)
    return _mp3(hertz, samples, text) if form == "mp3" else _wav(hertz, samples, text)


def speak_in_pieces(text: str, voice: str, speed: float, form: str, manner: Manner = PLAIN) -> Pieces:
    """What `speak` gives, in pieces that come while it is spoken; a WAV comes when it is finished, as it begins with
    its length. Blocking at each piece."""
    if form == "mp3":
        hertz, pieces = _samples(text, voice, speed, manner)
        yield from _mp3_pieces(hertz, pieces, text)
        return
    whole = speak(text, voice, speed, form, manner)
    yield from (whole[at : at + WAV_PIECE] for at in range(0, len(whole), WAV_PIECE))


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


def _samples(text: str, voice: str, speed: float, manner: Manner) -> tuple[int, Iterator[bytes]]:
    """Samples per second, and the samples as they are spoken: 16 bit, mono, in the machine's byte order.

    Raises InvalidRequest (nothing to say, no such voice) or JobFailed, the latter also while they come.
    """
    said = speakable(text)
    if not any(character.isalnum() for character in said):
        raise InvalidRequest("The text holds nothing that can be read aloud.")
    if voice not in VOICES:
        raise InvalidRequest(f"There is no voice {voice!r}; the voices are: {', '.join(VOICES)}.")
    made = VOICES[voice]
    name = f"{language(said, made.accent)}+{made.variant}"
    rate = words_per_minute(speed * manner.tempo)
    pitch, spread = (max(0, min(99, value)) for value in (made.pitch + manner.pitch, SPREAD + manner.spread))
    numbers = map(str, (rate, pitch, spread, round(100 * manner.loudness)))
    library, data = str(espeakng_loader.get_library_path()), str(espeakng_loader.get_data_path())
    pieces = _said([sys.executable, "-I", "-S", str(PROGRAM), library, data, name, *numbers], said.encode())
    first = next(pieces, None)
    if first is None:
        raise JobFailed("The offline voice said nothing.")
    return int.from_bytes(first, "big"), pieces


def _said(command: list[str], text: bytes) -> Iterator[bytes]:
    """What the program says of a text, as it comes; the sample rate in four bytes first. Raises JobFailed."""
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    try:
        program = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere)  # noqa: S603  a fixed program
    except OSError as error:
        raise JobFailed(f"The offline voice could not be started ({type(error).__name__}).") from error
    watch = threading.Timer(TIMEOUT_S, program.kill)
    watch.start()
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        with program.stdout as out:
            with program.stdin as given:  # it reads all of the text before it says a word
                given.write(text)
            head, piece = out.read(4), out.read(PIECE)
            if piece:
                yield head
            while piece:
                yield piece
                piece = out.read(PIECE)
        if program.wait() != 0 or len(head) < 4:
            raise JobFailed(f"The offline voice did not speak (espeak-ng ended with {program.returncode}).")
    except OSError as error:
        raise JobFailed(f"The offline voice did not speak ({type(error).__name__}).") from error
    finally:
        watch.cancel()
        program.kill()
        program.wait()


def _wav(hertz: int, samples: bytes, about: str) -> bytes:
    """A WAV file with its record in an INFO list, which the standard library does not write."""
    values = array.array("h", samples)
    if sys.byteorder == "big":
        values.byteswap()
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(hertz)
        file.writeframes(values.tobytes())
    comment = record(about).encode() + b"\0"
    comment += b"\0" * (len(comment) % 2)
    info = b"INFOICMT" + struct.pack("<I", len(comment)) + comment
    whole = out.getvalue() + b"LIST" + struct.pack("<I", len(info)) + info
    return whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:]


class Drain:
    """A file that is read while it is written; it cannot be gone back in."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        """Take what the encoder has."""
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        """What was written since the last time."""
        held, self._held = bytes(self._held), bytearray()
        return held


def _mp3(hertz: int, samples: bytes, about: str) -> bytes:
    out = io.BytesIO()
    for _ in encode_mp3(out, hertz, (samples,), comment=record(about)):
        pass
    return out.getvalue()


def _mp3_pieces(hertz: int, pieces: Iterable[bytes], about: str) -> Iterator[bytes]:
    """An MP3 in pieces. It lacks the header that says how long it is, as that is not known when it would be written."""
    out = Drain()
    for _ in encode_mp3(out, hertz, pieces, comment=record(about), muxer={"write_xing": "0"}):
        if piece := out.taken():
            yield piece
    if rest := out.taken():
        yield rest
