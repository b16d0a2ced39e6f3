"""Changes a clip as an instruction's own words ask: each frame as a picture is changed, and the time it runs in."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from ..errors import InvalidRequest
from ..shapes import Size
from ..types import Media
from .film import LONGEST_S, Report, encode, filmable_size
from .instruction import KNOWN, Step, captioned, read_edit
from .opening import opened
from .records import record_of_sound

MOST_FRAMES_PER_SECOND = 24.0
LARGEST_REFILMED = 1280
MOST_FRAMES = 1800
"""What is held in memory: some 200 MB at worst."""
REVERSED = re.compile(r"\b(?:reverse[ds]?|backwards?|rewind)\b", re.IGNORECASE)
SPEED = re.compile(
    r"\b(?P<slow>slow(?:er|ly|s)?(?:[- ]motion)?|half (?:the )?speed)\b|\b(?P<fast>speed (?:it |this )?up|faster|fast|"
    r"quick(?:er)?|time[- ]?lapse|double (?:the )?speed)\b|\b(?P<times>\d(?:\.\d)?)\s?x\b",
    re.IGNORECASE,
)
CUT = re.compile(r"\bfirst (?P<first>\d{1,2}(?:\.\d)?)\s?s(?:ec\w*)?\b", re.IGNORECASE)
QUALITY = 88


@dataclass(frozen=True)
class Recut:
    """What an instruction asks for. `pace` 2.0 is twice as fast."""

    steps: tuple[Step, ...]
    pace: float = 1.0
    backwards: bool = False
    first_s: float = LONGEST_S

    @property
    def known(self) -> bool:
        """Whether the instruction asks for anything that can be done here."""
        return bool(self.steps) or self.pace != 1.0 or self.backwards or self.first_s != LONGEST_S


def read_recut(instruction: str) -> Recut:
    """What an instruction asks for; what is not known here is left out."""
    speed, cut = SPEED.search(instruction), CUT.search(instruction)
    pace = 1.0
    if speed is not None:
        pace = float(speed["times"]) if speed["times"] else 0.5 if speed["slow"] else 2.0
    first = min(float(cut["first"]), LONGEST_S) if cut else LONGEST_S
    steps = tuple(read_edit(instruction))
    return Recut(steps, min(max(pace, 0.25), 8.0), REVERSED.search(instruction) is not None, max(first, 0.5))


def refilm(media: Media, instruction: str, size: Size | None, report: Report) -> tuple[bytes, tuple[str, ...]]:
    """The clip, changed, as MP4 without sound, and what could not be done. Blocking. Raises InvalidRequest."""
    asked = read_recut(instruction)
    before = record_of_sound(media) or "a clip that was given"
    frames, rate, more, sound = _frames(media, asked.first_s * max(asked.pace, 1.0), report)
    if not frames:
        raise InvalidRequest("The clip holds no pictures.")
    warnings = []
    if not asked.known:
        said = f"wrote the instruction on it. It knows: {KNOWN}, slower, faster, backwards, the first seconds."
        warnings.append(f"The offline stand-in does not know how to do that, so it {said}")
    if more and asked.first_s == LONGEST_S:
        warnings.append(f"The clip is longer than the offline stand-in can change; it was cut to {LONGEST_S:g} s.")
    if sound:
        warnings.append("The clip's sound was left out.")
    if asked.backwards:
        frames.reverse()
    first = _changed(_picture(frames[0]), asked, instruction)
    made = filmable_size(size or first.size)
    length = min(len(frames) / rate / asked.pace, LONGEST_S)
    count = max(2, round(length * min(rate * asked.pace, MOST_FRAMES_PER_SECOND)))

    def shown() -> Iterator[Image.Image]:
        for n in range(count):
            at = min(int(n / count * length * rate * asked.pace), len(frames) - 1)
            yield _changed(_picture(frames[at]), asked, instruction).resize(made, Image.Resampling.BILINEAR)

    return encode(shown(), count, made, length, report, f"{before}; changed: {instruction}"), tuple(warnings)


def _frames(media: Media, most_s: float, report: Report) -> tuple[list[bytes], float, bool, bool]:
    """The frames as JPEG, so that a minute of them fits in memory; how many a second; whether the clip goes on, and
    whether it sounds."""
    with opened(media) as container:
        if not container.streams.video:
            raise InvalidRequest("The file holds no pictures, only sound.")
        stream = container.streams.video[0]
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        skip = max(1, round(rate / MOST_FRAMES_PER_SECOND))
        kept: list[bytes] = []
        for n, frame in enumerate(container.decode(stream)):
            report(0.0)  # which stops it where nobody waits any more
            if n >= most_s * rate or len(kept) >= MOST_FRAMES:
                return kept, rate / skip, True, bool(container.streams.audio)
            if n % skip == 0:
                picture = frame.to_image()
                picture.thumbnail((LARGEST_REFILMED, LARGEST_REFILMED))
                out = io.BytesIO()
                picture.save(out, "JPEG", quality=QUALITY)
                kept.append(out.getvalue())
        return kept, rate / skip, False, bool(container.streams.audio)


def _picture(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB")


def _changed(picture: Image.Image, asked: Recut, instruction: str) -> Image.Image:
    for step in asked.steps:
        picture = step.change(picture, 1.0)
    return picture if asked.known else captioned(picture, instruction)
