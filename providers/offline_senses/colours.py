"""The names of colours, by hue, lightness and saturation, and how much of a picture each has."""

from __future__ import annotations

import colorsys

from PIL import Image

HUES = ((14, "red"), (41, "orange"), (68, "yellow"), (165, "green"), (195, "turquoise"), (255, "blue"), (290, "purple"))
"""Up to how many degrees a hue has the name; what is left is pink, and red again."""
LEAST_SHARE = 0.06
MOST_NAMES = 5
SIDE = 64


def name_of(colour: tuple[int, int, int]) -> str:
    """What a colour is called: "dark blue", "beige", "white"."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*(value / 255 for value in colour))
    depth = "dark " if lightness < 0.3 else "light " if lightness > 0.72 else ""
    if lightness < 0.1 or (saturation < 0.2 and lightness < 0.16):
        return "black"
    if lightness > 0.95 or (saturation < 0.3 and lightness > 0.9):
        return "white"
    if saturation < 0.13:
        return f"{depth}grey"
    degrees = hue * 360
    name = next((name for most, name in HUES if degrees < most), "pink" if degrees < 345 else "red")
    if name in ("orange", "yellow") and lightness > 0.7 and saturation < 0.75:
        return "beige"
    if name in ("red", "orange") and lightness < 0.4 and saturation < 0.75:
        return f"{'dark ' if lightness < 0.2 else ''}brown"
    if name == "red" and lightness > 0.72:
        return "pink"
    return depth + name


def colours_of(picture: Image.Image) -> list[tuple[str, float]]:
    """The named colours of a picture, largest share (0 to 1) first."""
    small = picture.convert("RGB").resize((SIDE, SIDE)).quantize(12).convert("RGB")
    shares: dict[str, float] = {}
    for count, colour in small.getcolors(SIDE * SIDE) or ():
        name = name_of(colour)  # type: ignore[arg-type]
        shares[name] = shares.get(name, 0.0) + count / SIDE**2
    found = sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))
    return [pair for pair in found if pair[1] >= LEAST_SHARE][:MOST_NAMES] or found[:1]
