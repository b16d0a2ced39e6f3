"""A scene under construction, and the few ways of laying something on it that every view uses."""

from __future__ import annotations

import random
from collections.abc import Callable

from PIL import Image, ImageDraw

from .figures import Point, draw_shape, smooth
from .layers import Layer, Pair, Scene, cut, fineness, gradient
from .palette import PAPER, Colour, Palette, mix
from .reading import Reading

HORIZON = 0.60
FLOOR = 0.80
"""Where things stand, as a share of the height; the words are below."""

Draw = Callable[[ImageDraw.ImageDraw, float], object]
"""What `cut` calls with a pen and the scale of its canvas."""


class Stage:
    """Lengths are pixels; `short` is the picture's shorter side, `chance` what makes one seed differ from another."""

    def __init__(self, reading: Reading, width: int, height: int, chance: random.Random) -> None:
        self.reading = reading
        self.palette: Palette = reading.palette
        self.width, self.height, self.short = width, height, min(width, height)
        self.chance = chance
        self.finer = fineness(width, height)
        self.margin = round(width * 0.08)
        """What moving layers have to spare at either side."""
        below = mix(self.palette.ground, self.palette.near, 0.3)
        self.scene = Scene(Image.new("RGB", (width, height)))
        self.backdrop((0.0, self.palette.sky), (HORIZON, self.palette.horizon), (HORIZON + 0.01, below), (1.0, below))

    @property
    def breadth(self) -> int:
        """The width of a layer that may move sideways."""
        return self.width + 2 * self.margin

    def backdrop(self, *stops: tuple[float, Colour]) -> None:
        """Fill what stands still with a gradient of (share of the height, colour)."""
        self.scene.backdrop = gradient(self.width, self.height, list(stops))

    def add(
        self,
        fill: Colour | Image.Image,
        mask: Image.Image,
        x: float = 0.0,
        y: float = 0.0,
        *,
        travel: Pair = (0.0, 0.0),
        sway: Pair = (0.0, 0.0),
        period_s: float = 4.0,
    ) -> None:
        """Lay one layer before all others; see `Layer` for how it moves."""
        self.scene.layers.append(Layer(fill, mask, x, y, travel, sway, period_s))

    def cut(self, width: float, height: float, draw: Draw) -> Image.Image:
        """A mask of that size, as fine as this picture needs."""
        return cut(round(width), round(height), self.finer, draw)

    def disc(
        self,
        fill: Colour,
        radius: float,
        x: float,
        y: float,
        *,
        strength: int = 255,
        travel: Pair = (0.0, 0.0),
        sway: Pair = (0.0, 0.0),
        period_s: float = 4.0,
    ) -> None:
        """A round layer about (x, y); `strength` (0 to 255) is how much it covers."""
        mask = self.cut(2 * radius, 2 * radius, ellipse(2 * radius, 2 * radius, strength))
        self.add(fill, mask, x - radius, y - radius, travel=travel, sway=sway, period_s=period_s)

    def shape(self, name: str, size: float, colour: Colour) -> Image.Image:
        """One of `SHAPES` in an RGBA square of `size` pixels."""
        return draw_shape(name, max(2, round(size)), colour, self.palette, finer=self.finer)

    def specks(self, count: int, low: float) -> None:
        """Stars in the backdrop, down to `low` (a share of the height)."""
        pen = ImageDraw.Draw(self.scene.backdrop)
        for _ in range(count):
            x, y = self.chance.uniform(0, self.width), self.chance.uniform(0, self.height * low)
            radius = self.chance.uniform(0.0006, 0.0024) * self.short
            colour = mix(self.palette.sky, PAPER, self.chance.uniform(0.4, 1.0))
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def ridge(self, colour: Colour, top: float, relief: float, pan: float, *, jagged: bool = False) -> None:
        """A range of hills, or of peaks, across the picture: `top` and `relief` are shares of the height, `pan` of the
        width."""
        high = round(self.height * (1.0 - top + relief))
        count = 9 if jagged else 5
        rise = relief * self.height
        heights = [self.chance.random() * rise for _ in range(count + 3)]
        if jagged:
            heights = [h * 0.45 if i % 2 else rise - h * 0.3 for i, h in enumerate(heights)]
        line = [((i - 1) / count * self.breadth, h) for i, h in enumerate(heights)]
        mask = self.cut(self.breadth, high, below(line if jagged else smooth(line, closed=False), self.breadth, high))
        haze = gradient(self.breadth, high, [(0.0, colour), (1.0, mix(colour, self.palette.horizon, 0.28))])
        if jagged:
            snow = Image.new("RGB", haze.size, mix(PAPER, colour, 0.12))
            haze.paste(snow, (0, 0), self.cut(self.breadth, high, caps(line, rise * 0.34)))
        self.add(haze, mask, -self.margin, self.height * (top - relief), travel=(-pan * self.width, 0.0))


# ---- outlines --------------------------------------------------------------------------------------------------------


def ellipse(width: float, height: float, strength: int = 255) -> Draw:
    """An ellipse that fills its canvas."""
    return lambda pen, s: pen.ellipse((0, 0, width * s - 1, height * s - 1), fill=strength)


def polygon(points: list[Point], strength: int = 255) -> Draw:
    """A closed straight outline."""
    return lambda pen, s: pen.polygon([(x * s, y * s) for x, y in points], fill=strength)


def below(line: list[Point], width: float, height: float) -> Draw:
    """Everything below a line that crosses the canvas."""
    return polygon([(line[0][0], height), *line, (max(line[-1][0], width), height)])


def caps(line: list[Point], depth: float) -> Draw:
    """Snow on every summit of a jagged line, `depth` pixels down."""

    def draw(pen: ImageDraw.ImageDraw, s: float) -> None:
        for (lx, ly), (x, y), (rx, ry) in zip(line, line[1:], line[2:], strict=False):
            if y >= ly or y >= ry:
                continue
            left, right = min(1.0, depth / max(ly - y, 1.0)), min(1.0, depth / max(ry - y, 1.0))
            a = (x + (lx - x) * left, y + (ly - y) * left)
            b = (x + (rx - x) * right, y + (ry - y) * right)
            low = max(a[1], b[1]) - depth * 0.35
            points = [(x, y), b, ((x + b[0]) / 2, low), (x, low + depth * 0.3), ((x + a[0]) / 2, low), a]
            pen.polygon([(px * s, py * s) for px, py in points], fill=255)

    return draw
