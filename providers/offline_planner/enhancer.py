"""Enhances a prompt by rule: what a picture or a clip still lacks is chosen from tables, a text is made fit to be read.

The same prompt always gets the same words. None of them names a colour or a thing that the prompt did not.
"""

from __future__ import annotations

import re

from ..offline_media.text import stable_number

IDEA_WORDS = 80
"""More of an idea is cut, to stay below the limits of 200 words for a picture and 150 for a clip."""

COMPOSITION = (
    "Composed by the rule of thirds, with calm space about the subject",
    "A centred, symmetrical composition with a clear silhouette",
    "Seen from slightly below, so that the subject stands tall",
    "A wide composition with depth: something near, the subject, something far",
    "Framed closely, with the surroundings only hinted at",
)
LIGHT = (
    "soft light from one side that models every form",
    "low light with long, gentle shadows",
    "clear, even light without harsh contrast",
    "light from behind that draws a bright rim about the subject",
    "light through thin haze, with a gentle glow",
)
PALETTE = (
    "a restrained palette of three harmonious colours",
    "warm and cool tones set against each other",
    "rich, saturated colours over quiet neutrals",
    "muted tones with one vivid accent",
)
FINISH = (
    "Fine texture, sharp focus on the subject, a softly blurred distance. The mood is calm and inviting.",
    "Crisp detail and clean edges. The mood is confident and fresh.",
    "Natural texture and shallow depth of field. The mood is warm and intimate.",
)
OPENING = (
    "It opens on a quiet, steady view that lets the place be understood",
    "It opens close, on one telling detail",
    "It opens wide, with the subject small in its surroundings",
)
MOTION = (
    "then the subject begins to move, slowly and naturally, while everything about it stirs a little",
    "then movement spreads from the subject outwards, each thing at its own pace",
    "then a light movement of air sets the scene in motion, and the subject answers it",
)
CAMERA = (
    "The camera glides slowly forward in one unbroken move",
    "The camera drifts sideways, so that near things pass before far ones",
    "The camera stays still on a tripod and lets the motion speak",
    "The camera rises gently and looks down a little",
)
ENDING = (
    "It ends as the motion settles, on a frame that could be a photograph.",
    "It ends on the subject alone, held for a moment.",
    "It ends as it began, so that it can be played in a loop.",
)


def enhance(modality: str, prompt: str) -> str:
    """The prompt, enhanced for "image", "video" or "speech"; any other modality is taken for an image."""
    if modality == "speech":
        return fit_to_be_read(prompt)
    idea = " ".join(prompt.split()[:IDEA_WORDS]).rstrip(" .,;:")
    idea = idea if idea[-1:] in ("!", "?") else f"{idea}."
    if modality == "video":
        return (
            f"{idea} {_one(OPENING, idea)}, {_one(MOTION, idea)}. {_one(CAMERA, idea)}, with {_one(LIGHT, idea)}. "
            f"{_one(ENDING, idea)}"
        )
    return f"{idea} {_one(COMPOSITION, idea)}; {_one(LIGHT, idea)}; {_one(PALETTE, idea)}. {_one(FINISH, idea)}"


def _one(choices: tuple[str, ...], idea: str) -> str:
    return choices[stable_number(choices[0], idea) % len(choices)]


# ---- speech ----------------------------------------------------------------------------------------------------------

ABBREVIATIONS = {
    "Dr.": "Doctor",
    "Mr.": "Mister",
    "Mrs.": "Missus",
    "Ms.": "Miss",
    "Prof.": "Professor",
    "e.g.": "for example",
    "i.e.": "that is",
    "etc.": "and so on",
    "vs.": "versus",
    "approx.": "approximately",
    "a.m.": "in the morning",
    "p.m.": "in the afternoon",
    "No.": "number",
    "&": "and",
    "w/": "with",
    "+": "plus",
    "=": "equals",
    "@": "at",
}
UNITS = {
    "km/h": "kilometres per hour",
    "mph": "miles per hour",
    "km": "kilometres",
    "cm": "centimetres",
    "mm": "millimetres",
    "kg": "kilograms",
    "ml": "millilitres",
    "min": "minutes",
    "°C": "degrees Celsius",
    "°F": "degrees Fahrenheit",
    "%": "percent",
    "m": "metres",
    "g": "grams",
    "h": "hours",
}
MONEY = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny")}
CENTS = {"cent": "cents", "penny": "pence"}

_SMALL: list[str] = re.findall(
    r"\w+",
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen",
)
_TENS = ("", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
LARGEST_SPELLED = 999_999


def fit_to_be_read(text: str) -> str:
    """A text for reading aloud: no markdown, and numbers, money, units and common abbreviations in words."""
    text = _without_markdown(text)
    for short, spoken in ABBREVIATIONS.items():
        start = r"(?<![\w.])" if short[0].isalnum() else r"(?<!\S)"
        text = re.sub(rf"{start}{re.escape(short)}(?=\s|$|[,;:!?])", spoken, text)
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    text = re.sub(r"([$€£])(\d+)(?:\.(\d\d))?\b", _money, text)
    units = "|".join(re.escape(unit) for unit in UNITS)
    text = re.sub(rf"(\d)\s?({units})(?!\w)", lambda match: f"{match[1]} {UNITS[match[2]]}", text)
    text = re.sub(r"\b(\d{1,2}):(\d\d)\b", _clock, text)
    text = re.sub(r"\b(\d{1,6})(?:st|nd|rd|th)\b", lambda match: ordinal(int(match[1])), text)
    text = re.sub(r"(?<![\w.])(\d{1,6})(?:\.(\d{1,6}))?(?![\w]|\.\d)", _number, text)
    return " ".join(text.split())


def spelled(number: int) -> str:
    """A whole number from 0 to 999,999 in words."""
    if number < 20:
        return _SMALL[number]
    if number < 100:
        return _TENS[number // 10] + (f"-{_SMALL[number % 10]}" if number % 10 else "")
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    rest = f" {spelled(number % size)}" if number % size else ""
    return f"{spelled(number // size)} {name}{rest}"


def ordinal(number: int) -> str:
    """A whole number from 0 to 999,999 as an ordinal: "twenty-first"."""
    head, joint, last = re.match(r"(.*?)([ -]?)(\w+)$", spelled(number)).groups()  # type: ignore[union-attr]
    ending = _ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return f"{head}{joint}{ending}"


def _without_markdown(text: str) -> str:
    text = re.sub(r"\s*\n\s*\n\s*|[^\S\n]+", lambda blank: "\n\n" if "\n" in blank[0] else " ", text)
    text = re.sub(r"```\w*\n?|```", " ", text)
    text = re.sub(r"!?\[([^\[\]\n]*)\]\([^()\n]*\)", r"\1", text)
    text = re.sub(r"^\s{0,3}(?:#{1,6}|>|[-*+•]|\d{1,2}[.)])\s+", "", text, flags=re.MULTILINE)
    text = re.sub(r"^\s*[-*_=]{3,}\s*$", " ", text, flags=re.MULTILINE)
    text = re.sub(r"(\*\*|__|\*|`|~~)(?=\S)([^*`~\n]{1,300}?)(?<=\S)\1", r"\2", text)
    text = re.sub(r"https?://(?:www\.)?([\w.-]+)\S*", lambda match: match[1].rstrip(".").replace(".", " dot "), text)
    return re.sub(r"(?<=[^\s.!?:;,])\s*\n\s*\n\s*(?=\S)", ". ", text)


def _money(match: re.Match[str]) -> str:
    unit, part = MONEY[match[1]]
    whole, cents = int(match[2]), int(match[3] or 0)
    said = f"{match[2]} {unit}{'' if whole == 1 else 's'}"
    return f"{said} and {cents} {part if cents == 1 else CENTS[part]}" if cents else said


def _clock(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    if hour > 24 or minute > 59:
        return match[0]
    return f"{hour} o'clock" if minute == 0 else f"{hour} {'oh ' if minute < 10 else ''}{minute}"


def _number(match: re.Match[str]) -> str:
    whole = spelled(int(match[1]))
    return f"{whole} point {' '.join(_SMALL[int(digit)] for digit in match[2])}" if match[2] else whole
