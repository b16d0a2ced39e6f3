"""Composes the scene of a prompt: its view, the things named in it, the weather, and its words."""

from __future__ import annotations

import random

from PIL import Image

from .layers import Scene, Shower
from .lettering import caption_layers
from .palette import INK, PAPER, Colour, luminance, mix
from .reading import Sight, read_prompt
from .stage import FLOOR, Draw, Stage, ellipse
from .text import stable_number
from .views import VIEWS

MOST_THINGS = 6


def compose(prompt: str, width: int, height: int, *, seed: int = 0, lettered: bool = True) -> Scene:
    """The scene of a prompt in `width` x `height` pixels, with its words unless it is to become part of something.
    Another `seed` arranges the same things otherwise."""
    stage = Stage(read_prompt(prompt), width, height, random.Random(stable_number(prompt, seed)))
    for element in VIEWS[stage.reading.setting]:
        element(stage)
    _things(stage)
    _weather(stage)
    if lettered:
        stage.scene.layers += caption_layers(stage.reading.caption, width, height, stage.palette)
    return stage.scene


def _things(stage: Stage) -> None:
    """Everything named, side by side: alone it is larger, and what is named first is larger than the rest."""
    sights = stage.reading.sights
    shown = [sight for sight in sights for _ in range(sight.count)][:MOST_THINGS]
    for place, sight in enumerate(shown):
        alone = len(shown) == 1
        room = stage.width * 0.95 / len(shown)
        size = min(stage.short * sight.thing.share * (1.25 if alone else 1.05), room)
        picture = stage.shape(
            sight.thing.shape,
            size * (1.0 if alone else stage.chance.uniform(0.85, 1.0)) * (1.0 if sight is sights[0] else 0.8),
            _told_apart(sight.colour, stage.palette.horizon),
        )
        if stage.chance.random() < 0.5 and sight.thing.shape not in ("lighthouse", "book"):
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        across = (place + 0.5) / len(shown)
        x = stage.width * (0.07 + 0.86 * across) - picture.width / 2
        if sight.thing.stand in ("air", "deep", "space") or stage.reading.setting in ("deep", "space"):
            y = stage.height * (0.18 + (0.0 if alone else stage.chance.uniform(0, 0.2)))
            _float(stage, sight, picture, x, y, across)
        else:
            _stand(stage, sight, picture, x, across)


def _float(stage: Stage, sight: Sight, picture: Image.Image, x: float, y: float, across: float) -> None:
    flies = sight.thing.shape in ("bird", "rocket")
    travel = (stage.width * 0.08, -0.06 * stage.height) if flies else (0.0, 0.0)
    sway = (stage.short * 0.006, stage.short * 0.02)
    stage.add(picture, picture.getchannel("A"), x, y, travel=travel, sway=sway, period_s=3.4 + across)


def _stand(stage: Stage, sight: Sight, picture: Image.Image, x: float, across: float) -> None:
    setting, size = stage.reading.setting, picture.width
    base = stage.height * (0.76 if setting == "studio" else FLOOR)
    travel = (0.0, 0.0) if setting == "studio" else (-0.10 * stage.width, 0.0)
    if setting != "sea" or sight.thing.stand != "water":
        wide, high = size * 0.9, size * 0.09
        shadow = stage.cut(wide, high, ellipse(wide, high, 70))
        stage.add(INK, shadow, x + (size - wide) / 2, base - high * 0.55, travel=travel)
    bob = stage.short * (0.012 if sight.thing.shape == "boat" else 0.003)
    stage.add(picture, picture.getchannel("A"), x, base - size, travel=travel, sway=(0.0, bob), period_s=2.2 + across)


def _told_apart(colour: Colour, behind: Colour) -> Colour:
    """The colour, or one near it that can be seen before nearly the same."""
    if sum(abs(a - b) for a, b in zip(colour, behind, strict=True)) > 70:
        return colour
    return mix(colour, INK if luminance(behind) > 0.5 else PAPER, 0.22)


def _weather(stage: Stage) -> None:
    """Snow or rain in two depths."""
    for depth in (1, 2) if stage.reading.weather else ():
        places = [(stage.chance.random(), stage.chance.random()) for _ in range(60)]
        if stage.reading.weather == "snow":
            side = max(2.0, stage.short * 0.0065 * depth)
            flake = stage.cut(side, side, ellipse(side, side, 215))
            stage.scene.layers.append(Shower(PAPER, flake, places, stage.height * 0.08 * depth, 0.05))
        else:
            long = max(4.0, stage.short * 0.03 * depth)
            streak = stage.cut(long / 5, long, _streak(long / 5, long))
            stage.scene.layers.append(Shower(PAPER, streak, places, stage.height * 0.8 * depth, -0.18))


def _streak(wide: float, long: float) -> Draw:
    return lambda pen, s: pen.line((wide * s, 0, 0, long * s), fill=110, width=max(1, round(long * 0.05 * s)))
