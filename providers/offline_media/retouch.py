"""Changes to a picture that know what they do without being told in words: masks, edges, backgrounds, sizes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from ..errors import InvalidRequest
from .picture import LARGEST
from .scene import compose

LARGEST_UPSCALED = 8192
NEAR = 60
"""How far a colour may be from a corner's, over all three channels, to be background still."""
EDGE = 26
"""How much two neighbours differ, over all three channels, where one thing ends and another begins."""
SPECK = 0.2
"""A part that is smaller than this share of the largest one is no thing of its own."""
MOST_PARTS = 200
COARSE = 256
"""Backgrounds are looked for in a copy of this many pixels a side."""

Pixels = NDArray[np.float32]
Flags = NDArray[np.bool_]


def inpaint(picture: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
    """The masked part painted over with a drawing of the prompt, which is drawn to fit the part."""
    left, top, right, low = mask.getbbox() or (0, 0, *picture.size)
    size = max(right - left, 16), max(low - top, 16)
    drawing = compose(prompt, *size, seed=seed, lettered=False).still()
    done = picture.copy()
    done.paste(drawing.resize((right - left, low - top)), (left, top), _soft(mask).crop((left, top, right, low)))
    return done


def erase(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """The masked part filled from its surroundings."""
    wide = mask.filter(ImageFilter.MaxFilter(5))  # the rim of what is erased has something of its colours
    known = np.asarray(wide) == 0
    if not known.any():
        raise InvalidRequest("The mask covers the whole picture, so there is nothing to fill it from.")
    filled = _filled(np.asarray(picture, np.float32), known.astype(np.float32))
    done = Image.fromarray(filled.round().clip(0, 255).astype(np.uint8), "RGB")
    done = done.filter(ImageFilter.GaussianBlur(min(picture.size) * 0.004))
    return Image.composite(done, picture, _soft(wide))


def outpaint(picture: Image.Image, left: int, right: int, up: int, down: int) -> Image.Image:
    """The picture with more around it: its own edges, mirrored and blurred. Raises InvalidRequest when it gets too
    large, or nothing is to be added."""
    size = picture.width + left + right, picture.height + up + down
    if size == picture.size:
        raise InvalidRequest("Say how many pixels to add: options left, right, up, down.")
    if max(size) > LARGEST:
        raise InvalidRequest(f"The picture would be {size[0]}x{size[1]}; at most {LARGEST} pixels a side can be made.")
    pixels = np.asarray(picture)
    around = np.pad(pixels, ((up, down), (left, right), (0, 0)), mode="symmetric")
    done = Image.fromarray(around, "RGB").filter(ImageFilter.GaussianBlur(max(2.0, min(picture.size) * 0.02)))
    seam = max(2, min(picture.size) // 50)
    mask = Image.new("L", picture.size, 255)
    inner = [seam if side else 0 for side in (left, up, right, down)]
    if any(inner):
        mask = Image.new("L", picture.size, 0)
        mask.paste(255, (inner[0], inner[1], picture.width - inner[2], picture.height - inner[3]))
        mask = mask.filter(ImageFilter.BoxBlur(seam / 2))
    done.paste(picture, (left, up), mask)
    return done


def without_background(picture: Image.Image) -> tuple[Image.Image, float]:
    """The picture in RGBA without what lies about its main thing, and the share that went.

    What goes is like one of the corners, or flows from the rim without an edge between. Of what is left the specks go.
    """
    small = picture.copy()
    small.thumbnail((COARSE, COARSE))
    pixels = np.asarray(small.filter(ImageFilter.GaussianBlur(0.7)), np.int16)
    rim = np.ones(pixels.shape[:2], bool)
    rim[1:-1, 1:-1] = False
    gone = _joined(_edges(pixels) < EDGE, rim)
    for y, x in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        corner = np.zeros_like(rim)
        corner[y, x] = True
        gone |= _joined(np.abs(pixels - pixels[y, x]).sum(axis=2) < NEAR, corner)
    gone = _without_specks(_grown(gone))
    kept = Image.fromarray(np.where(gone, 0, 255).astype(np.uint8), "L")
    alpha = kept.resize(picture.size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))
    done = picture.convert("RGBA")
    done.putalpha(alpha)
    return done, float(gone.mean())


def upscale(picture: Image.Image, factor: float) -> Image.Image:
    """The picture with more pixels (Lanczos), which hold no more than there was. Raises InvalidRequest."""
    size = round(picture.width * factor), round(picture.height * factor)
    if max(size) > LARGEST_UPSCALED:
        raise InvalidRequest(
            f"The picture would be {size[0]}x{size[1]}; at most {LARGEST_UPSCALED} a side can be made."
        )
    return picture.resize(size, Image.Resampling.LANCZOS)


def _soft(mask: Image.Image) -> Image.Image:
    """A mask with an edge that does not show."""
    return mask.filter(ImageFilter.GaussianBlur(max(1.0, min(mask.size) * 0.004)))


def _filled(pixels: Pixels, known: Pixels) -> Pixels:
    """The pixels with what is not known made from what is known around it: from coarse to fine."""
    if min(known.shape) <= 2 or known.all():
        weight = max(float(known.sum()), 1.0)
        mean = (pixels * known[..., None]).sum(axis=(0, 1)) / weight
        return np.where(known[..., None] > 0, pixels, mean).astype(np.float32)
    high, wide = (-(-side // 2) * 2 for side in known.shape)
    room = ((0, high - known.shape[0]), (0, wide - known.shape[1]))
    flags = np.pad(known, room)
    weighted = np.pad(pixels, (*room, (0, 0))) * flags[..., None]
    count = flags.reshape(high // 2, 2, wide // 2, 2).sum(axis=(1, 3))
    total = weighted.reshape(high // 2, 2, wide // 2, 2, 3).sum(axis=(1, 3))
    coarse = _filled((total / np.maximum(count, 1)[..., None]).astype(np.float32), (count > 0).astype(np.float32))
    bands = [Image.fromarray(coarse[..., band]).resize((wide, high), Image.Resampling.BILINEAR) for band in range(3)]
    fine = np.stack([np.asarray(band) for band in bands], axis=2)[: known.shape[0], : known.shape[1]]
    return np.where(known[..., None] > 0, pixels, fine).astype(np.float32)


def _edges(pixels: NDArray[np.int16]) -> NDArray[np.int16]:
    """How much each pixel differs from those left of it and above it."""
    edges = np.zeros(pixels.shape[:2], np.int16)
    edges[1:] = np.abs(np.diff(pixels, axis=0)).sum(axis=2)
    edges[:, 1:] = np.maximum(edges[:, 1:], np.abs(np.diff(pixels, axis=1)).sum(axis=2))
    return edges


def _grown(flags: Flags) -> Flags:
    """Flags and their neighbours."""
    grown = flags.copy()
    grown[1:] |= flags[:-1]
    grown[:-1] |= flags[1:]
    grown[:, 1:] |= flags[:, :-1]
    grown[:, :-1] |= flags[:, 1:]
    return grown


def _joined(alike: Flags, begin: Flags) -> Flags:
    """The parts of a field of flags that hang together with a place where they begin."""
    found = alike & begin
    while True:
        grown = _grown(found) & alike
        if (grown == found).all():
            return found
        found = grown


def _without_specks(gone: Flags) -> Flags:
    """What is gone, and with it every part of the rest that is small beside the largest."""
    rest, parts = ~gone, list[Flags]()
    while rest.any() and len(parts) < MOST_PARTS:
        begin = np.zeros_like(rest)
        begin.flat[int(rest.argmax())] = True
        parts.append(_joined(rest, begin))
        rest &= ~parts[-1]
    least = SPECK * max((part.sum() for part in parts), default=0)
    kept = np.zeros_like(gone)
    for part in parts:
        if part.sum() >= least:
            kept |= part
    return ~kept
