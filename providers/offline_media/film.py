"""Films the stand-in clips, as MP4 (H.264, silent) that starts to play before it is wholly loaded."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import av
from PIL import Image

from ..shapes import Size, fit_size
from .layers import Scene
from .lettering import caption_layers
from .picture import pin
from .reading import read_prompt
from .records import LONGEST_OF_A_FILM, record
from .scene import compose
from .text import stable_number

FRAMES_PER_SECOND = 15
DEFAULT_SIZE: Size = (1280, 720)
SMALLEST, LARGEST = 64, 1920
SHORTEST_S, LONGEST_S = 0.5, 60.0
ZOOM = 0.12
"""How much of a still is cut away at the closest moment of a pan."""
ENCODER = {
    "preset": "ultrafast",
    "tune": "zerolatency",  # no frame waits for another, so that progress is what was really done
    "crf": "23",
    "threads": "1",  # more would make the bytes depend on the machine
    "g": str(2 * FRAMES_PER_SECOND),
}

Report = Callable[[float], object]
"""Told of the progress, 0 to 1, after each frame. What it raises ends the filming."""


def filmable_size(size: Size | None, still: Size | None = None) -> Size:
    """The size that will be filmed, in pixels, for the one asked for, or for the still that is brought to life.

    H.264 in the form that every browser plays wants even sides.
    """
    if size is None and still is not None:
        scale = DEFAULT_SIZE[0] / max(still)
        size = round(still[0] * scale), round(still[1] * scale)
    return fit_size(size or DEFAULT_SIZE, low=SMALLEST, high=LARGEST, step=2)


def film_scene(
    prompt: str, size: Size, duration_s: float, seed: int, report: Report, references: Sequence[Image.Image] = ()
) -> bytes:
    """The scene of a prompt in motion, exactly `duration_s` seconds long: the same bytes for the same arguments."""
    scene = compose(prompt, *size, seed=seed)
    count = frame_count(duration_s)
    frames = (scene.at(n / count, n * duration_s / count) for n in range(count))
    return encode(_pinned(frames, prompt, references), count, size, duration_s, report, prompt)


def film_still(
    prompt: str,
    still: Image.Image,
    size: Size,
    duration_s: float,
    report: Report,
    references: Sequence[Image.Image] = (),
) -> bytes:
    """A slow zoom into a still, with the words of the prompt."""
    count = frame_count(duration_s)
    frames = _pinned(_zoom(prompt, still, size, count), prompt, references)
    return encode(frames, count, size, duration_s, report, prompt)


def _pinned(frames: Iterator[Image.Image], prompt: str, references: Sequence[Image.Image]) -> Iterator[Image.Image]:
    """The frames with small prints of the references on each."""
    for frame in frames:
        if references:
            pin(frame, references, random.Random(stable_number(prompt)))
        yield frame


def frame_count(duration_s: float) -> int:
    """How many frames a clip has: about fifteen a second, spread evenly over exactly its length."""
    return max(2, round(duration_s * FRAMES_PER_SECOND))


def _zoom(prompt: str, still: Image.Image, size: Size, count: int) -> Iterator[Image.Image]:
    width, height = size
    reading = read_prompt(prompt)
    words = Scene(Image.new("RGB", size), list(caption_layers(reading.caption, width, height, reading.palette)))
    scale = min(still.width / width, still.height / height)
    wide, high = width * scale, height * scale  # the largest part of the still that has the clip's shape
    for n in range(count):
        part = 1.0 - ZOOM * n / max(count - 1, 1)
        left, top = (still.width - wide * part) / 2, (still.height - high * part) / 2
        box = (left, top, left + wide * part, top + high * part)
        words.backdrop = still.resize(size, Image.Resampling.BILINEAR, box=box)
        yield words.still()


def encode(
    frames: Iterator[Image.Image], count: int, size: Size, duration_s: float, report: Report, about: str
) -> bytes:
    """`count` frames as a clip of exactly `duration_s` seconds that knows the words it was made from."""
    out = io.BytesIO()
    comment = record(about, LONGEST_OF_A_FILM)
    # Room kept at the front for the index: it is what lets a browser play before the end has come.
    muxer = {"fflags": "bitexact", "moov_size": str(8192 + 64 * count + len(comment.encode()))}
    with av.open(out, "w", format="mp4", options=muxer) as container:
        container.metadata["comment"] = comment
        rate = Fraction(count) / Fraction(duration_s).limit_denominator(1000)
        stream = container.add_stream("libx264", rate=rate, options=ENCODER)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for n, picture in enumerate(frames):
            frame = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]
            frame.pts, frame.time_base = n, 1 / rate
            container.mux(stream.encode(frame))
            report((n + 1) / (count + 1))
        container.mux(stream.encode())
    return out.getvalue()
