"""What can be said of a clip without seeing it: its length, its cuts and how its light and colours go, whether it
sounds; and the words that one of our own clips was made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ..errors import InvalidRequest
from ..offline_media.opening import opened
from ..offline_media.reading import read_prompt
from ..offline_media.records import record_of_sound
from ..types import ChatRequest, Media
from . import sounds
from .colours import colours_of
from .pictures import things_in
from .question import MEASURED, OWN_RECORD, Rule, answered, asks_after, listed, parts_of

STEP_S = 0.25
"""Seconds between two frames that are measured."""
KEYFRAMES_FROM_S = 90.0
"""In a longer clip only the frames that stand alone are measured."""
MOST_S = 1800.0
CUT = 0.35
"""The share of the pixels whose colour must be another for a cut."""
MOST_MOMENTS = 40
BINS = 4
"""Steps of red, green and blue in which colours are counted."""
KNOWS = "its length, size and frames a second, cuts, light and colours over time, whether it sounds, and its own record"


@dataclass(frozen=True)
class Look:
    """One frame, measured, and when it is shown."""

    at_s: float
    brightness: float
    change: float
    """How much it differs from the one before, 0 to 1."""
    colours: tuple[str, ...]

    def __str__(self) -> str:
        light = "dark" if self.brightness < 0.3 else "bright" if self.brightness > 0.62 else "medium bright"
        return f"mostly {listed(self.colours[:2])}, {light}"


@dataclass(frozen=True)
class Facts:
    """One clip, measured."""

    duration_s: float
    width: int
    height: int
    rate: float
    looks: tuple[Look, ...]
    sound: sounds.Facts | None
    record: str | None

    @property
    def cuts(self) -> list[Look]:
        """The frames with which something else begins."""
        return [look for look in self.looks[1:] if look.change > CUT]

    @property
    def told_light(self) -> str:
        """How its light goes."""
        first, last = self.looks[0].brightness, self.looks[-1].brightness
        goes = "keeps its light" if abs(first - last) < 0.06 else "gets brighter" if last > first else "gets darker"
        return f"From the first frame ({self.looks[0]}) to the last ({self.looks[-1]}) it {goes}."

    @property
    def told_sound(self) -> str | None:
        """What is heard; None where it is silent."""
        if self.sound is None or self.sound.silence >= 1.0:
            return None
        return f"sound at {self.sound.level_db:.0f} dB on average, {self.sound.tone}"

    @property
    def told_cuts(self) -> str:
        """When something else begins."""
        if not self.cuts:
            return "There is no cut in it."
        return f"It cuts at {listed([f'{look.at_s:.1f} s' for look in self.cuts[:12]])}."


def measured(media: Media) -> Facts:
    """The facts of a clip. Blocking. Raises InvalidRequest when it cannot be read."""
    with opened(media) as container:
        if not container.streams.video:
            raise InvalidRequest("The file holds no pictures, only sound; ask for its sound.")
        stream = container.streams.video[0]
        duration = float(container.duration or 0) / 1_000_000
        if duration > KEYFRAMES_FROM_S:
            stream.codec_context.skip_frame = "NONKEY"
        looks = tuple(_looks(container.decode(stream)))
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        sounding, size = bool(container.streams.audio), (stream.codec_context.width, stream.codec_context.height)
    if not looks:
        raise InvalidRequest("The clip holds no picture that can be decoded.")
    sound = sounds.measured(media) if sounding else None
    return Facts(duration or looks[-1].at_s, *size, rate, looks, sound, record_of_sound(media))


def analysis(request: ChatRequest) -> dict[str, Any]:
    """A "VideoAnalysis" of the first clip of a request. Blocking."""
    media = next(iter(request.media.values()), None)
    if media is None:
        raise InvalidRequest("There is no clip to watch.")
    facts = measured(media)
    question = parts_of(request).get("question", "")
    record = facts.record or ""
    return {
        "description": described(facts),
        "answer": answered(question, RULES, (question, facts), KNOWS),
        "moments": list(_moments(facts)),
        "objects": things_in(record),
        "scene": f"{read_prompt(record).setting} (by its own record)"
        if record
        else "not told: it is measured, not seen",
        "style": "drawn by the offline stand-in" if record else "not told: it is measured, not seen",
        "sound": facts.told_sound,
    }


def described(facts: Facts) -> str:
    """A clip in a few sentences."""
    said = f"{facts.duration_s:.1f} s at {facts.width}x{facts.height} pixels and {facts.rate:g} frames a second. "
    said += f"{facts.told_cuts} {facts.told_light} " + (
        f"It has {facts.told_sound}. " if facts.told_sound else "It is silent. "
    )
    return said + (f'{OWN_RECORD} it shows "{facts.record}". ' if facts.record else "") + f"{MEASURED}."


def _looks(frames: Any) -> Iterator[Look]:
    """The frames, one every `STEP_S`, each compared with the one before."""
    before: Any = None
    due = 0.0
    for frame in frames:
        at = float(frame.time or 0.0)
        if at > MOST_S:
            return
        if at + 1e-3 < due:
            continue
        due = at + STEP_S
        small = frame.to_image().resize((64, 36), Image.Resampling.BILINEAR)
        pixels = np.asarray(small, np.int64)
        counts = _counts(pixels)
        change = 0.0 if before is None else float(np.abs(counts - before).sum()) / (2 * 64 * 36)
        before = counts
        names = tuple(name for name, _ in colours_of(small))
        yield Look(round(at, 2), float(pixels.mean()) / 255, change, names)


def _counts(pixels: Any) -> Any:
    """How many pixels have each of the coarse colours."""
    steps = pixels // (256 // BINS)
    return np.bincount((steps @ np.array([BINS * BINS, BINS, 1])).ravel(), minlength=BINS**3)


def _moments(facts: Facts) -> Iterator[dict[str, Any]]:
    """The beginning, each cut, and where the sound begins."""
    yield {"at_s": 0.0, "what": f"It begins {facts.looks[0]}."}
    for look in facts.cuts[:MOST_MOMENTS]:
        yield {"at_s": look.at_s, "what": f"The picture changes: now {look}."}
    last = facts.looks[-1]
    if last.at_s > 0:
        yield {"at_s": last.at_s, "what": f"It ends {last}."}


# ---- questions -------------------------------------------------------------------------------------------------------

Asked = tuple[str, Facts]


def _by_record(asked: Asked) -> str:
    question, facts = asked
    if not facts.record:
        return f"What it shows cannot be told here. {facts.told_cuts} {facts.told_light}"
    named = asks_after(question, facts.record)
    return (
        f'{OWN_RECORD} it shows "{facts.record}".'
        + (f" It names {listed(named)}." if named else "")
        + f" {facts.told_cuts}"
    )


def _heard(asked: Asked) -> str:
    sound = asked[1].sound
    if sound is None or asked[1].told_sound is None:
        return "It is silent."
    return f"It has {asked[1].told_sound}. {sound.told_words}"


RULES: tuple[Rule[Asked], ...] = (
    (r"\b(?:long|length|duration|seconds|minutes)\b", lambda asked: f"It is {asked[1].duration_s:.1f} s long."),
    (
        r"\b(?:size|resolution|dimensions?|pixels|fps|frames?|frame rate)\b",
        lambda asked: f"It is {asked[1].width}x{asked[1].height} pixels at {asked[1].rate:g} frames a second.",
    ),
    (r"\b(?:cuts?|scenes?|shots?|changes?)\b", lambda asked: asked[1].told_cuts),
    (r"\b(?:sounds?|hear\w*|music|says?|said|speak\w*|voice|silent|audio)\b", _heard),
    (r"\b(?:bright\w*|dark\w*|light\w*|colou?rs?)\b", lambda asked: asked[1].told_light),
    (r"\b(?:what|who|where|which|is there|does|describe|show\w*|happen\w*|when|see)\b", _by_record),
)
