"""What a prompt asks to see: the things in it that can be drawn, their colours and numbers, where, and in what weather.

Pure text in, plain values out. Words that are not known here still reach the picture: they are set in type below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .palette import COLOURS, Colour, Palette, palette_for, rgb
from .text import NUMBERS, singular, stable_number, words_of

Stand = Literal["ground", "air", "water", "table", "deep", "space"]
Setting = Literal["land", "sea", "city", "forest", "deep", "space", "studio", "abstract"]

REACH = 3
"""How many words before a thing may still describe it."""
MOST_DRAWN = 5


@dataclass(frozen=True)
class Thing:
    """A shape that can be drawn, where it usually stands, and its height as a share of the picture's shorter side."""

    shape: str
    stand: Stand
    share: float
    colour: Colour


@dataclass(frozen=True)
class Sight:
    """A thing as the prompt asks for it."""

    thing: Thing
    colour: Colour
    count: int


@dataclass(frozen=True)
class Reading:
    """All that a picture shows of its prompt."""

    sights: tuple[Sight, ...]
    setting: Setting
    palette: Palette
    weather: Literal["snow", "rain"] | None
    mountains: bool
    great_light: bool
    """Whether the sun or the moon is named, and so is drawn large."""
    caption: str


_THINGS: tuple[tuple[str, Stand, float, str, str], ...] = (
    ("cat", "ground", 0.40, "e0903a", "cat kitten kitty"),
    ("dog", "ground", 0.42, "b8793f", "dog puppy hound wolf"),
    ("fox", "ground", 0.42, "e0662a", "fox vixen"),
    ("bird", "air", 0.24, "3f7fd0", "bird eagle parrot seagull sparrow robin swallow dove hummingbird"),
    ("fish", "deep", 0.40, "f08a24", "fish goldfish koi"),
    ("whale", "deep", 0.52, "3f74b8", "whale"),
    ("flower", "ground", 0.44, "f286ae", "flower rose tulip daisy sunflower lily blossom bouquet orchid"),
    ("cup", "table", 0.46, "d0603a", "coffee cup tea mug latte espresso cappuccino cafe café"),
    ("car", "ground", 0.40, "d62f2f", "car automobile taxi vehicle"),
    ("rocket", "space", 0.50, "f1f2f7", "rocket spaceship spacecraft shuttle"),
    ("astronaut", "space", 0.46, "f1f2f7", "astronaut cosmonaut"),
    ("planet", "space", 0.44, "e9935a", "planet saturn jupiter mars"),
    (
        "person",
        "ground",
        0.44,
        "2f6fd6",
        "person man woman girl boy child kid people friend family dancer chef student",
    ),
    ("heart", "table", 0.44, "d62f2f", "heart love valentine wedding"),
    ("book", "table", 0.46, "8a5531", "book novel story library notebook diary"),
    ("robot", "ground", 0.46, "9aa3ad", "robot android droid"),
    ("house", "ground", 0.40, "f0dcb4", "house home cabin cottage barn hut"),
    ("tree", "ground", 0.50, "3f9a58", "tree oak maple"),
    ("pine", "ground", 0.50, "2f7d5b", "pine fir"),
    ("boat", "water", 0.38, "d62f2f", "boat ship sailboat yacht"),
    ("balloon", "air", 0.44, "d84a3a", "balloon"),
    ("lighthouse", "water", 0.56, "d13b32", "lighthouse"),
    ("bottle", "table", 0.52, "1f8a8a", "bottle wine perfume juice"),
    ("apple", "table", 0.44, "d13b32", "apple fruit"),
    ("laptop", "table", 0.48, "3f74c8", "laptop computer app software website"),
    ("circle", "table", 0.44, "d62f2f", "circle sphere"),
    ("circle", "ground", 0.20, "d62f2f", "ball"),
    ("square", "table", 0.42, "2f6fd6", "square cube"),
    ("triangle", "table", 0.44, "2f9e5b", "triangle pyramid"),
    ("star", "air", 0.30, "f6d138", "star"),
)
THINGS: dict[str, Thing] = {
    word: Thing(shape, stand, share, rgb(colour))
    for shape, stand, share, colour, words in _THINGS
    for word in words.split()
}

_SETTINGS: tuple[tuple[Setting, str], ...] = (
    ("deep", "underwater aquarium reef"),
    ("city", "city skyline street town building skyscraper downtown tower urban cyberpunk"),
    ("sea", "sea ocean wave beach lake river water coast shore island harbour harbor pond bay"),
    ("forest", "forest wood woodland jungle"),
    ("space", "space galaxy cosmos nebula orbit universe"),
    ("land", "mountain hill valley field meadow garden park desert dune snow snowy winter sky sun moon sunset sunrise"),
    ("land", "dawn dusk night volcano peak canyon countryside farm landscape autumn spring storm rain road"),
)
SETTINGS: dict[str, Setting] = {word: setting for setting, words in _SETTINGS for word in words.split()}
USUAL_SETTING: dict[Stand, Setting] = {
    "ground": "land",
    "air": "land",
    "water": "sea",
    "table": "studio",
    "deep": "deep",
    "space": "space",
}

MOUNTAINS = frozenset(("mountain", "peak", "alp", "summit", "volcano", "glacier", "everest"))
WEATHER: dict[str, Literal["snow", "rain"]] = {
    "snow": "snow",
    "snowy": "snow",
    "winter": "snow",
    "christmas": "snow",
    "rain": "rain",
    "rainy": "rain",
    "storm": "rain",
    "stormy": "rain",
}
CAPTION_WORDS = 12
CAPTION_CHARACTERS = 90


def read_prompt(prompt: str) -> Reading:
    """What to draw for a prompt; any text gives something."""
    words = words_of(prompt)
    bare = [singular(word) for word in words]
    sights, bound = _sights(words, bare)
    setting = _setting(bare, sights)
    palette = palette_for(words, choice=stable_number(" ".join(words)), bound=bound)
    return Reading(
        sights=sights,
        setting=setting,
        palette=palette,
        weather=next((WEATHER[word] for word in bare if word in WEATHER), None),
        mountains=any(word in MOUNTAINS for word in bare),
        great_light=any(word in ("sun", "moon", "sunset", "sunrise") for word in bare),
        caption=_caption(prompt),
    )


def _sights(words: list[str], bare: list[str]) -> tuple[tuple[Sight, ...], frozenset[str]]:
    """The things named, each once, at most three; and the colour words that belong to them."""
    found: dict[str, Sight] = {}
    bound: set[str] = set()
    last = -1
    for i, word in enumerate(bare):
        thing = THINGS.get(word)
        if thing is None or (word == "star" and words[i] != word):  # plural stars are part of the sky
            continue
        before = words[max(last + 1, i - REACH) : i]
        last = i
        named = next((near for near in reversed(before) if near in COLOURS), None)
        bound |= {named} if named else set()
        colour = COLOURS[named] if named else thing.colour
        stated = [NUMBERS.get(near) or (int(near) if near.isdecimal() and len(near) < 4 else 0) for near in before]
        count = max(stated, default=0) or (1 if words[i] == word else 3)
        found.setdefault(thing.shape, Sight(thing, colour, max(1, min(count, MOST_DRAWN))))
    return tuple(found.values())[:3], frozenset(bound)


def _setting(bare: list[str], sights: tuple[Sight, ...]) -> Setting:
    named = [SETTINGS[word] for word in bare if word in SETTINGS]
    usual = USUAL_SETTING[sights[0].thing.stand] if sights else None
    special = next((setting for setting in named if setting != "land"), None)
    if special == "sea" and usual == "deep":
        return "deep"
    if special is not None:
        return special
    if named and usual != "sea":  # a boat needs water, whatever the hour or the weather
        return "land"
    return usual or "abstract"


def _caption(prompt: str) -> str:
    """The first clause of the prompt, at most a dozen words."""
    line = " ".join(prompt.split())
    clause = line.split(". ")[0].split(": ")[-1] if len(line) > 60 else line
    words = clause.split(" ")
    tail = "…" if len(words) > CAPTION_WORDS else ""
    return " ".join(words[:CAPTION_WORDS]).strip(" ,;:.-–—")[:CAPTION_CHARACTERS] + tail  # noqa: RUF001
