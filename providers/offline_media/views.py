"""The views a scene can have. Each element lays its own layers; `VIEWS` says which a setting has, from far to near."""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import Image, ImageDraw

from .layers import glow
from .palette import INK, PAPER, mix
from .reading import Setting
from .stage import HORIZON, Draw, Stage, below, polygon

# ---- sky -------------------------------------------------------------------------------------------------------------


def stars(stage: Stage) -> None:
    """Specks in the sky, at night only."""
    if stage.palette.night:
        stage.specks(90, HORIZON * 0.9)


def light(stage: Stage) -> None:
    """The sun or the moon in its glow, rising a little."""
    palette = stage.palette
    great = stage.reading.great_light
    radius = stage.short * (0.15 if great else 0.085)
    x, y = stage.width * stage.chance.choice((0.26, 0.34, 0.66, 0.74)), stage.height * (0.36 if great else 0.26)
    rise = (0.0, -0.09 * stage.height)
    reach = round(radius * 3.2)
    stage.add(palette.light, glow(reach, 150), x - reach, y - reach, travel=rise)
    stage.disc(palette.light, radius, x, y, travel=rise)
    if palette.night:
        for dx, dy, share in ((-0.3, -0.2, 0.22), (0.25, 0.3, 0.3), (0.35, -0.35, 0.14)):
            crater = mix(palette.light, palette.sky, 0.18)
            stage.disc(crater, radius * share, x + dx * radius, y + dy * radius, travel=rise)


def clouds(stage: Stage) -> None:
    """A few clouds that drift."""
    for n in range(3):
        wide = stage.short * stage.chance.uniform(0.20, 0.34)
        high = wide * 0.42
        peak = stage.chance.choice((1, 2, 3))
        puffs = [(0.2 + 0.15 * i, stage.chance.uniform(0.24, 0.38) + 0.12 * (i == peak)) for i in range(5)]
        mask = stage.cut(wide, high, _cloud(wide, high, puffs, 70 if stage.palette.night else 190))
        x = stage.width * (n / 3 + stage.chance.uniform(0.02, 0.18))
        y = stage.height * stage.chance.uniform(0.08, 0.34)
        stage.add(PAPER, mask, x, y, travel=(stage.width * (0.06 + 0.03 * n), 0.0))


def _cloud(wide: float, high: float, puffs: list[tuple[float, float]], strength: int) -> Draw:
    def draw(pen: ImageDraw.ImageDraw, s: float) -> None:
        pen.rounded_rectangle((0, high * 0.64 * s, wide * s - 1, high * s - 1), high * 0.18 * s, fill=strength)
        for across, share in puffs:
            x, y, radius = across * wide * s, (1.0 - share) * high * s, share * high * s
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=strength)

    return draw


# ---- land ------------------------------------------------------------------------------------------------------------


def far_hills(stage: Stage) -> None:
    """What closes the view: peaks when they are named, else two soft ranges."""
    far, hazy = stage.palette.far, mix(stage.palette.far, stage.palette.horizon, 0.45)
    if stage.reading.mountains:
        stage.ridge(hazy, 0.50, 0.22, 0.02, jagged=True)
        stage.ridge(far, 0.56, 0.24, 0.04, jagged=True)
    else:
        stage.ridge(hazy, 0.52, 0.10, 0.02)
        stage.ridge(far, 0.60, 0.10, 0.04)


def near_hills(stage: Stage) -> None:
    """The slope behind the things."""
    stage.ridge(mix(stage.palette.far, stage.palette.near, 0.6), 0.68, 0.08, 0.06)


def ground(stage: Stage) -> None:
    """Where the viewer stands."""
    stage.ridge(stage.palette.near, 0.775, 0.05, 0.09)
    stage.ridge(mix(stage.palette.near, stage.palette.ground, 0.6), 0.90, 0.04, 0.12)


def wood(stage: Stage) -> None:
    """Pines in two rows."""
    for row, (base, share, count) in enumerate(((0.69, 0.20, 13), (0.77, 0.30, 9))):
        colour = mix(stage.palette.far, stage.palette.ground, 0.35 + 0.35 * row)
        pine = stage.shape("pine", stage.short * share, colour)
        row_of_pines = Image.new("RGBA", (stage.breadth, pine.height))
        for n in range(count):
            x = round(stage.breadth * (n + stage.chance.uniform(0.1, 0.9)) / count - pine.width / 2)
            row_of_pines.paste(pine, (x, round(pine.height * stage.chance.uniform(0.0, 0.1))), pine)
        pan = (-(0.05 + 0.03 * row) * stage.width, 0.0)
        y = base * stage.height - pine.height
        stage.add(row_of_pines, row_of_pines.getchannel("A"), -stage.margin, y, travel=pan)


def city(stage: Stage) -> None:
    """Two rows of houses with lit windows."""
    for row, (base, tall, pan) in enumerate(((0.72, 0.46, 0.03), (0.80, 0.30, 0.06))):
        high = round(stage.height * (tall + 0.1))
        colour = mix(stage.palette.far, stage.palette.ground, 0.3 + 0.45 * row)
        lit = stage.palette.light if stage.palette.night else mix(stage.palette.light, colour, 0.35)
        front = Image.new("RGB", (stage.breadth, high), colour)
        mask = Image.new("L", front.size)
        x, step = 0.0, stage.short * (0.10 + 0.03 * row)
        while x < stage.breadth:
            across, top = step * stage.chance.uniform(0.6, 1.3), high * stage.chance.uniform(0.05, 0.6)
            house = (round(x), round(top), round(x + across * 0.94), high)
            ImageDraw.Draw(mask).rectangle(house, fill=255)
            _windows(stage, ImageDraw.Draw(front), house, lit)
            x += across
        travel = (-pan * stage.width, 0.0)
        stage.add(front, mask, -stage.margin, base * stage.height - high, travel=travel)


def _windows(
    stage: Stage, pen: ImageDraw.ImageDraw, house: tuple[int, int, int, int], lit: tuple[int, int, int]
) -> None:
    left, top, right, low = house
    size = max(1, round(stage.short * 0.011))
    for x in range(left + size, right - round(size * 1.4), round(size * 2.2)):
        for y in range(top + round(size * 1.5), low - size * 2, round(size * 2.8)):
            if stage.chance.random() < 0.5:
                pen.rectangle((x, y, x + size, y + round(size * 1.3)), fill=lit)


# ---- water -----------------------------------------------------------------------------------------------------------


def water(stage: Stage) -> None:
    """The sea from the horizon down, in bands of waves that swing against each other."""
    palette, short = stage.palette, stage.short
    top = stage.height * HORIZON
    shallow, deep = mix(palette.horizon, palette.near, 0.62), mix(palette.near, palette.ground, 0.5)
    for n in range(5):
        y = top + (stage.height - top) * (n / 5) ** 1.25
        high = stage.height - y + short * 0.02
        crest, length = short * (0.002 + 0.004 * n), short * (0.10 + 0.07 * n)
        line = [
            (float(x), crest * (1 + math.sin(2 * math.pi * x / length + n))) for x in range(0, stage.breadth + 8, 8)
        ]
        swing = (1 if n % 2 else -1) * short * (0.008 + 0.005 * n)
        mask = stage.cut(stage.breadth, high, below(line, stage.breadth, high))
        sway = (swing, short * 0.002 * n)
        stage.add(mix(shallow, deep, n / 4), mask, -stage.margin, y, sway=sway, period_s=3.0 + 0.5 * n)


def shore(stage: Stage) -> None:
    """A strip of sand for what does not float."""
    if any(sight.thing.stand in ("ground", "table") for sight in stage.reading.sights):
        sand = mix(stage.palette.light, stage.palette.ground, 0.3)
        stage.ridge(sand, 0.76, 0.05, 0.09)


def depths(stage: Stage) -> None:
    """Under water: light from above, bubbles, and the bottom of the sea."""
    palette, width, height = stage.palette, stage.width, stage.height
    bottom = mix(palette.ground, INK, 0.25)
    stage.backdrop((0.0, mix(palette.sky, PAPER, 0.35)), (0.45, palette.near), (1.0, bottom))
    for n in range(4):
        beam = [(0.28 * width, 0.0), (0.36 * width, 0.0), (0.16 * width, height * 0.8), (0.0, height * 0.8)]
        mask = stage.cut(0.37 * width, height * 0.8, polygon(beam, 26))
        stage.add(PAPER, mask, width * (0.24 * n - 0.2), sway=(0.02 * width, 0.0), period_s=5.0 + n)
    for _ in range(14):
        radius = stage.short * stage.chance.uniform(0.004, 0.014)
        x, y = stage.chance.uniform(0, width), height * stage.chance.uniform(0.1, 0.8)
        rise = (0.0, -0.25 * height)
        stage.disc(PAPER, radius, x, y, strength=110, travel=rise, sway=(radius, 0.0), period_s=2.0)
    stage.ridge(mix(palette.ground, palette.horizon, 0.25), 0.82, 0.06, 0.05)


# ---- elsewhere -------------------------------------------------------------------------------------------------------


def void(stage: Stage) -> None:
    """Space: stars everywhere, a ringed planet far off, and the limb of a near one."""
    palette = stage.palette
    stage.backdrop((0.0, palette.sky), (0.7, palette.horizon), (1.0, palette.far))
    stage.specks(160, 1.0)
    if not any(sight.thing.shape == "planet" for sight in stage.reading.sights):
        planet = stage.shape("planet", stage.short * 0.22, palette.accent)
        x = stage.width * stage.chance.choice((0.16, 0.84)) - planet.width / 2
        stage.add(planet, planet.getchannel("A"), x, stage.height * 0.10, travel=(-0.03 * stage.width, 0.0))
    radius = 1.1 * max(stage.width, stage.height)
    bright = mix(palette.far, palette.light, 0.4)
    for n in range(3):  # a thin air about the planet
        top = stage.height * 0.80 + n * stage.short * 0.012
        box = (0.6 * stage.width - radius, 0.0, 0.6 * stage.width + radius, 2 * radius)
        mask = stage.cut(stage.width, stage.height - top, _round(box))
        stage.add(mix(bright, palette.ground, n / 2.6), mask, 0.0, top)


def _round(box: tuple[float, float, float, float]) -> Draw:
    return lambda pen, s: pen.ellipse([edge * s for edge in box], fill=255)


def studio(stage: Stage) -> None:
    """A table top, a large disc behind what stands on it, and beads about it."""
    palette, short = stage.palette, stage.short
    stage.backdrop((0.0, palette.sky), (0.75, mix(palette.sky, palette.horizon, 0.75)), (1.0, palette.horizon))
    paler = mix(palette.light, palette.horizon, 0.35)
    middle = (stage.width * 0.5, stage.height * 0.46)
    stage.disc(paler, short * 0.33, *middle, sway=(0.0, short * 0.008), period_s=5.0)
    for n in range(7):
        angle = 2 * math.pi * (n / 7 + stage.chance.uniform(0, 0.1))
        reach = short * stage.chance.uniform(0.38, 0.47)
        x = middle[0] + math.cos(angle) * reach * max(1.0, stage.width / stage.height)
        y = middle[1] + math.sin(angle) * reach * 0.8
        colour = stage.chance.choice((palette.accent, palette.light, palette.near))
        sway = (short * 0.012, short * 0.016 * (-1) ** n)
        stage.disc(
            colour, short * stage.chance.uniform(0.008, 0.022), x, y, strength=200, sway=sway, period_s=3 + n / 2
        )
    stage.ridge(palette.near, 0.735, 0.0, 0.0)
    stage.ridge(mix(palette.near, palette.ground, 0.6), 0.90, 0.02, 0.04)


def abstract(stage: Stage) -> None:
    """Where nothing in the prompt can be drawn: discs, rings and arcs in its colours."""
    palette = stage.palette
    stage.backdrop((0.0, palette.sky), (1.0, palette.horizon))
    colours = (palette.near, palette.light, palette.accent, palette.far, palette.ground)
    for n in range(7):
        side = 2 * stage.short * stage.chance.uniform(0.09, 0.30) * (1.0 - n * 0.07)
        x, y = stage.width * stage.chance.uniform(0.12, 0.88), stage.height * stage.chance.uniform(0.10, 0.68)
        form, start = stage.chance.choice(_FORMS), stage.chance.choice((0, 90, 180, 270))
        mask = stage.cut(side, side, form(side, start))
        travel = (0.05 * stage.width * stage.chance.uniform(-1, 1), 0.08 * stage.height * stage.chance.uniform(-1, 1))
        sway = (0.0, stage.short * 0.012)
        stage.add(colours[n % 5], mask, x - side / 2, y - side / 2, travel=travel, sway=sway, period_s=3.0 + n / 2)


def _disc(side: float, start: int) -> Draw:
    return lambda pen, s: pen.ellipse((0, 0, side * s - 1, side * s - 1), fill=210)


def _half(side: float, start: int) -> Draw:
    return lambda pen, s: pen.pieslice((0, 0, side * s - 1, side * s - 1), start, start + 180, fill=230)


def _ring(side: float, start: int) -> Draw:
    width = side * 0.09
    return lambda pen, s: pen.ellipse((0, 0, side * s - 1, side * s - 1), outline=240, width=max(1, round(width * s)))


def _arcs(side: float, start: int) -> Draw:
    def draw(pen: ImageDraw.ImageDraw, s: float) -> None:
        for n in range(3):
            inset, far = side * 0.14 * n * s, side * (1.0 - 0.14 * n) * s - 1
            pen.arc((inset, inset, far, far), start, start + 180, fill=240, width=max(1, round(side * 0.06 * s)))

    return draw


_FORMS = (_disc, _half, _ring, _arcs)

VIEWS: dict[Setting, tuple[Callable[[Stage], None], ...]] = {
    "land": (stars, light, clouds, far_hills, near_hills, ground),
    "forest": (stars, light, far_hills, near_hills, wood, ground),
    "city": (stars, light, clouds, city, ground),
    "sea": (stars, light, clouds, far_hills, water, shore),
    "deep": (depths,),
    "space": (void,),
    "studio": (studio,),
    "abstract": (abstract,),
}
