"""The colours of a stand-in picture: from the colour words and moods of the prompt, else from a stable choice.

A palette runs from the top of the sky to the ground at the viewer's feet, so that all of it looks right together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .text import singular

Colour = tuple[int, int, int]


def rgb(text: str) -> Colour:
    """A colour from six hexadecimal digits."""
    return int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)


@dataclass(frozen=True)
class Palette:
    """The colours of one scene, from far to near, and the few that are not part of the view."""

    sky: Colour
    horizon: Colour
    far: Colour
    near: Colour
    ground: Colour
    light: Colour
    """The sun, the moon, lamps."""
    accent: Colour
    """What should be noticed."""
    night: bool = False


def _palette(text: str, *, night: bool = False) -> Palette:
    sky, horizon, far, near, ground, light, accent = map(rgb, text.split())
    return Palette(sky, horizon, far, near, ground, light, accent, night)


COLOURS: dict[str, Colour] = {
    word: rgb(value)
    for words, value in (
        ("red crimson scarlet ruby", "d62f2f"),
        ("maroon burgundy", "7d1f35"),
        ("orange tangerine", "f08a24"),
        ("amber gold golden", "e6ac27"),
        ("yellow lemon", "f6d138"),
        ("lime", "a4d037"),
        ("green emerald", "2f9e5b"),
        ("olive", "7f8a3a"),
        ("mint", "9fdcc0"),
        ("teal", "1f8a8a"),
        ("turquoise cyan aqua", "2fbfc9"),
        ("blue azure cobalt", "2f6fd6"),
        ("navy", "1c2f66"),
        ("indigo", "4338a8"),
        ("purple violet", "7d3fc2"),
        ("lavender lilac", "b49ce0"),
        ("magenta fuchsia", "d32f9b"),
        ("pink", "f286ae"),
        ("rose coral salmon", "ee7f78"),
        ("peach", "f9b58f"),
        ("brown chocolate ginger copper", "8a5531"),
        ("beige tan sand cream ivory", "e8d6b3"),
        ("white", "f3f4f6"),
        ("silver grey gray", "9aa3ad"),
        ("black", "23242b"),
    )
    for word in words.split()
}

# sky, horizon, far, near, ground, light, accent
MOODS: dict[str, Palette] = {
    "night": _palette("0a1033 3d4486 2c3370 1b2050 0f1335 fdf3cf ffc857", night=True),
    "space": _palette("06071a 33205c 3a2a70 251b52 140f33 fdf3cf ff8a5b", night=True),
    "neon": _palette("140a33 e0408f 5a2a8a 2c1459 150a33 4df0ff ff4fa3", night=True),
    "sunset": _palette("5a3d8a ffb067 c25a6a 7a3362 3a1a42 ffe6a8 ffd166"),
    "dawn": _palette("7f9fd6 ffd9c4 b39cc4 6f6a9e 3c3a66 fff3d0 ff8a7a"),
    "snow": _palette("8fb9dc f6ebe6 b9cde0 dfe9f2 f6fafd fff6df d1495b"),
    "desert": _palette("5fb0c9 fbe6b8 e6b47a cf8448 8f4f28 fff2c4 2f7f8f"),
    "forest": _palette("8fc3b0 f3f1cd 7fac86 41795a 1e4636 fff8d6 e08e45"),
    "sea": _palette("3f9fd6 dff2ee 6fb0cc 2678a6 124e78 fff3cd ff7a5c"),
    "storm": _palette("4a5568 aeb9c4 77859a 4a586e 2a3444 e8edf2 f2c14e"),
    "autumn": _palette("d98e5a fbe7c0 c9703d 96452c 4f2620 fff2cc c1272d"),
    "spring": _palette("8fd0e6 fdeef0 a9d6a0 63ad75 33724f fff6cf f27ea9"),
    "coffee": _palette("d8ad86 fbeedb b98d69 865a3c 4a2e20 fff3dd d9683f"),
}

MOOD_WORDS: dict[str, str] = {
    word: mood
    for mood, words in {
        "night": "night midnight dark moonlight moonlit evening nocturnal starry bedtime moon star darker",
        "space": "space galaxy planet astronaut mars cosmos cosmic nebula orbit rocket spaceship universe alien",
        "neon": "neon cyberpunk synthwave vaporwave futuristic",
        "sunset": "sunset dusk sundown twilight",
        "dawn": "dawn sunrise morning",
        "snow": "snow snowy winter ice icy arctic frost frosty christmas glacier",
        "desert": "desert dune sahara canyon",
        "forest": "forest wood woodland jungle tree pine meadow",
        "sea": "sea ocean wave beach lake river water coast underwater fish whale surf boat sailboat",
        "storm": "storm stormy rain rainy fog foggy mist misty thunder",
        "autumn": "autumn halloween",
        "spring": "spring blossom flower garden",
        "coffee": "coffee cafe café espresso latte cappuccino tea bakery chocolate",
    }.items()
    for word in words.split()
}

CHOICE: tuple[Palette, ...] = (
    _palette("3a78b5 f8ddb5 8ba3bd 41647f 1d3047 ffecb0 e4572e"),
    _palette("ee8c62 fde6bd bd5b75 6f3072 3a1c48 fff3c9 f9d65c"),
    _palette("2a9d94 f3e7bd 67b5a2 2b7976 234453 fff1c0 e76f51"),
    _palette("8b7cc6 fcd9cb a98bb9 5c4d8c 322950 fff1d6 ff7090"),
    _palette("7fb8d4 fdf1d8 9cbcb4 4a7f86 21474f fff8e1 d1343f"),
    _palette("5b9a8b f6e8ba 93b973 4f835d 254a3c fff6cf bf4f53"),
    _palette("e58fa5 fdeadb b57fa8 6b5590 392f5c fff4dc ffb03a"),
)
"""Where the prompt names neither a colour nor a mood."""

INK: Colour = rgb("1b1d2a")
PAPER: Colour = rgb("fffaf0")


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """`one` with `share` (0 to 1) of `other` in it."""
    return tuple(round(a + (b - a) * share) for a, b in zip(one, other, strict=True))  # type: ignore[return-value]


def luminance(colour: Colour) -> float:
    """How light a colour looks, 0 to 1."""
    return (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255


def palette_for(words: list[str], *, choice: int, bound: frozenset[str] = frozenset()) -> Palette:
    """The palette of a prompt given as words.

    `choice` picks among the palettes of a prompt that names neither colour nor mood. `bound` are the colour words that
    belong to a thing ("a red fox"): where there is a mood they leave the view to it.
    """
    moods = [MOODS[MOOD_WORDS[word]] for word in map(singular, words) if word in MOOD_WORDS]
    night = any(mood.night for mood in moods)
    if free := [COLOURS[word] for word in words if word in COLOURS and word not in bound]:
        return _tinted(free, night)
    colours = [COLOURS[word] for word in words if word in bound]
    if not moods:
        return _tinted(colours, night) if colours else CHOICE[choice % len(CHOICE)]
    mood = next((mood for mood in moods if mood.night), moods[0])
    return replace(mood, accent=colours[0]) if colours else mood


def _tinted(colours: list[Colour], night: bool) -> Palette:
    """A palette in which the named colours are what one sees first."""
    first, second = colours[0], colours[1] if len(colours) > 1 else None
    dark = night or luminance(first) < 0.2
    sky = mix(first, INK, 0.55) if night else mix(first, PAPER, 0.08)
    horizon = mix(second or first, PAPER, 0.15 if dark else 0.62)
    near = mix(second or first, INK, 0.35)
    return Palette(
        sky=sky,
        horizon=horizon,
        far=mix(mix(first, near, 0.4), horizon, 0.35),
        near=near,
        ground=mix(first, INK, 0.62),
        light=rgb("fff1c9"),
        accent=second or mix(first, PAPER, 0.35 if dark else 0.0),
        night=dark,
    )
