"""Flat cut-outs stacked from far to near, each free to move: a picture is the stack at rest, a clip is its motion."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from .palette import Colour

Pair = tuple[float, float]


class Moving(Protocol):
    """Anything that can be laid on a scene."""

    def paste(self, canvas: Image.Image, progress: float, seconds: float) -> None:
        """Lay it on the canvas as it stands at `progress` (0 to 1) of the clip, after `seconds`."""


@dataclass
class Layer:
    """One cut-out: what shows through `mask` at (`x`, `y`), in pixels. `fill` is one colour or a picture."""

    fill: Colour | Image.Image
    mask: Image.Image
    x: float = 0.0
    y: float = 0.0
    travel: Pair = (0.0, 0.0)
    """Pixels moved over a whole clip; at rest it is half-way."""
    sway: Pair = (0.0, 0.0)
    """Pixels it swings to either side."""
    period_s: float = 4.0

    def __post_init__(self) -> None:
        # Pillow lays a picture through a mask twice as fast as a flat colour, and a block without a mask many times
        # faster: hills and water are solid below their outline.
        fill = self.fill if isinstance(self.fill, Image.Image) else Image.new("RGB", self.mask.size, self.fill)
        hollow = np.flatnonzero(np.asarray(self.mask).min(axis=1) < 255)
        edge = int(hollow[-1]) + 1 if hollow.size else 0
        self._outline = self.mask.crop((0, 0, self.mask.width, edge))
        self._above = fill.crop((0, 0, self.mask.width, edge))
        self._below = fill.crop((0, edge, *self.mask.size))

    def paste(self, canvas: Image.Image, progress: float, seconds: float) -> None:
        """See `Moving`."""
        swing = math.sin(2 * math.pi * seconds / self.period_s)
        x = round(self.x + self.travel[0] * (progress - 0.5) + self.sway[0] * swing)
        y = round(self.y + self.travel[1] * (progress - 0.5) + self.sway[1] * swing)
        canvas.paste(self._above, (x, y), self._outline)
        canvas.paste(self._below, (x, y + self._above.height))


@dataclass
class Shower:
    """Many copies of one small cut-out that fall for ever. `places` are shares of the canvas."""

    fill: Colour
    mask: Image.Image
    places: list[Pair]
    speed: float
    """Pixels per second."""
    drift: float = 0.0
    """Pixels sideways for each pixel down."""

    def paste(self, canvas: Image.Image, progress: float, seconds: float) -> None:
        """See `Moving`."""
        high = canvas.height + self.mask.height
        for across, down in self.places:
            fallen = (down * high + self.speed * seconds) % high
            x = (across * canvas.width + self.drift * fallen) % canvas.width
            canvas.paste(self.fill, (round(x), round(fallen) - self.mask.height), self.mask)


@dataclass
class Scene:
    """A backdrop that stands still and what lies before it, from far to near."""

    backdrop: Image.Image
    layers: list[Moving] = field(default_factory=list)

    def at(self, progress: float, seconds: float) -> Image.Image:
        """The scene at `progress` (0 to 1) of a clip, after `seconds`."""
        canvas = self.backdrop.copy()
        for layer in self.layers:
            layer.paste(canvas, progress, seconds)
        return canvas

    def still(self) -> Image.Image:
        """The scene at rest."""
        return self.at(0.5, 0.0)


def fineness(width: int, height: int) -> int:
    """How many times larger shapes are drawn before they are scaled down; less for pictures that are large anyway."""
    pixels = width * height
    return 3 if pixels <= 1_800_000 else 2 if pixels <= 5_000_000 else 1


def cut(width: int, height: int, finer: int, draw: Callable[[ImageDraw.ImageDraw, float], object]) -> Image.Image:
    """A mask with smooth edges. `draw` gets a pen for a white-on-black canvas and the canvas's scale."""
    mask = Image.new("L", (max(1, width) * finer, max(1, height) * finer))
    draw(ImageDraw.Draw(mask), float(finer))
    return mask.reduce(finer) if finer > 1 else mask


def gradient(width: int, height: int, stops: list[tuple[float, Colour]]) -> Image.Image:
    """A picture that changes from colour to colour downwards; stops are (share of the height, colour)."""
    at = [place for place, _ in stops]
    rows = np.linspace(0.0, 1.0, height)
    column = np.stack([np.interp(rows, at, [colour[c] for _, colour in stops]) for c in range(3)], axis=1)
    return Image.fromarray(column.round().astype(np.uint8)[:, None, :]).resize(
        (width, height), Image.Resampling.NEAREST
    )


def fade(width: int, height: int, most: int) -> Image.Image:
    """A mask that grows from nothing at the top to `most` (0 to 255) at the bottom."""
    column = (np.linspace(0.0, 1.0, height) ** 1.3 * most).round().astype(np.uint8)
    return Image.fromarray(column[:, None]).resize((width, height), Image.Resampling.NEAREST)


def glow(radius: int, most: int) -> Image.Image:
    """A round mask that fades outwards from `most` (0 to 255)."""
    side = 128  # small, then enlarged: a glow has no detail
    axis: npt.NDArray[np.float64] = np.linspace(-1.0, 1.0, side)
    distance = np.sqrt(axis[:, None] ** 2 + axis[None, :] ** 2)
    values = (np.clip(1.0 - distance, 0.0, 1.0) ** 2 * most).astype(np.uint8)
    return Image.fromarray(values).resize((2 * radius, 2 * radius), Image.Resampling.BILINEAR)
