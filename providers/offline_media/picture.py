"""Draws the stand-in pictures, as PNG, and opens the pictures that come in."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence

from PIL import Image, ImageOps

from ..errors import InvalidRequest
from ..shapes import Size, fit_size
from ..types import Media
from .palette import INK, PAPER
from .records import picture_info
from .scene import compose
from .text import stable_number

DEFAULT_SIZE: Size = (1024, 1024)
SMALLEST, LARGEST = 64, 4096
MOST_INSETS = 3
MOST_PIXELS = 50_000_000
"""Of a picture that comes in: more would take seconds and hundreds of megabytes to decode."""
READABLE = ("PNG", "JPEG", "WEBP", "GIF")


def drawable_size(size: Size | None) -> Size:
    """The size that will be drawn for the one asked for, in pixels."""
    if size is None:
        return DEFAULT_SIZE
    if min(size) >= SMALLEST and max(size) <= LARGEST:
        return size
    return fit_size(size, low=SMALLEST, high=LARGEST, step=1)


def draw_picture(prompt: str, size: Size, seed: int, references: Sequence[Image.Image] = ()) -> bytes:
    """One picture of a prompt as PNG, exactly `size` pixels: always the same bytes for the same arguments."""
    picture = compose(prompt, *size, seed=seed).still()
    if references:
        pin(picture, references, random.Random(stable_number(prompt, seed)))
    return png(picture, prompt)


def png(picture: Image.Image, about: str) -> bytes:
    """A picture as PNG, without the time of its making, with the words it was made from."""
    out = io.BytesIO()
    picture.save(out, "PNG", pnginfo=picture_info(about))
    return out.getvalue()


def open_picture(media: Media, largest: int) -> Image.Image:
    """A picture that came in: upright, in RGB, its longer side at most `largest` pixels. Blocking.

    Raises InvalidRequest when it cannot be read.
    """
    upright = open_transparent(media, largest)
    picture = Image.new("RGB", upright.size, PAPER)
    picture.paste(upright, mask=upright)
    return picture


def open_transparent(media: Media, largest: int) -> Image.Image:
    """A picture that came in, as `open_picture` gives it, but in RGBA."""
    try:
        with Image.open(io.BytesIO(media.read()), formats=READABLE) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise InvalidRequest(f"The input picture has more than {MOST_PIXELS // 1_000_000} million pixels.")
            opened.draft("RGB", (largest, largest))
            upright = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidRequest("The input picture cannot be read; give a PNG, JPEG, WebP or GIF file.") from error
    upright.thumbnail((largest, largest))
    return upright


def describe_picture(media: Media) -> str:
    """What a stand-in can honestly say of a picture: its size, and the colours most of it has. Blocking."""
    picture = open_picture(media, 512)
    small = picture.resize((48, 48)).quantize(3).convert("RGB")
    found = sorted(small.getcolors(48 * 48) or (), reverse=True)
    colours = ", ".join("#{:02x}{:02x}{:02x}".format(*colour) for _, colour in found)  # type: ignore[misc]
    wide, high = picture.size
    shape = "square" if abs(wide - high) < 0.05 * wide else "landscape" if wide > high else "portrait"
    return f"a {shape} picture, mostly in {colours}"


def pin(picture: Image.Image, references: Sequence[Image.Image], chance: random.Random) -> None:
    """Pin small prints of the references to the top left, each a little askew."""
    short = min(picture.size)
    side, edge = round(short * 0.24), max(2, round(short * 0.012))
    for place, reference in enumerate(references[:MOST_INSETS]):
        shown = reference.copy()
        shown.thumbnail((side, side))
        print_ = ImageOps.expand(shown, edge, PAPER)
        mask = Image.new("L", print_.size, 255)
        angle = chance.uniform(-6, 6)
        print_, mask = (part.rotate(angle, Image.Resampling.BICUBIC, expand=True) for part in (print_, mask))
        x, y = round(short * 0.05 + place * side * 0.95), round(short * 0.05)
        picture.paste(INK, (x + edge // 2, y + edge), mask.point(lambda value: value // 3))
        picture.paste(print_, (x, y), mask)
