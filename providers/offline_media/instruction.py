"""Changes a picture as an instruction's own words ask: what words there are, and what each does.

A change is a function of a picture and of its strength, 1.0 being as asked; the variants of one request differ in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from .figures import draw_shape
from .lettering import caption_layers
from .palette import COLOURS, INK, Colour, mix
from .reading import THINGS, read_prompt
from .text import singular, words_of

Change = Callable[[Image.Image, float], Image.Image]

LARGEST_SIDE = 4096
KNOWN = (
    "darker, brighter, warmer, cooler, black and white, sepia, blur, sharpen, more or less contrast, more or less "
    "colour, a named colour, invert, larger, smaller, rotate, mirror, flip, crop to a shape, a caption in quotation "
    "marks, a frame, adding a thing it can draw (a cat, a tree, a balloon ...), and another or no background"
)
"""What to tell whoever asks for something else."""


@dataclass(frozen=True)
class Step:
    """One change an instruction asks for."""

    at: int
    change: Change


def read_edit(instruction: str) -> list[Step]:
    """The changes an instruction asks for, in its order; none where it holds no word that is known here."""
    text = instruction.lower()
    steps = [_quoted(match) for match in QUOTED.finditer(instruction)][:1]
    bare = QUOTED.sub(lambda match: " " * len(match[0]), text)
    steps += [Step(match.start(), change) for pattern, change in CHANGES if (match := pattern.search(bare))]
    if match := ROTATED.search(bare):
        steps.append(Step(match.start(), _rotated(match)))
    if match := CROPPED.search(bare):
        shape = next((shape for word, shape in SHAPES.items() if word in match[0]), (1, 1))
        steps.append(Step(match.start(), _cropped(*shape)))
    if match := FRAMED.search(bare):
        steps.append(Step(match.start(), _framed(_colour_in(bare) or INK)))
    elif (match := ADDED.search(bare)) and (thing := _thing(match["what"])) is not None:
        steps.append(Step(match.start(), thing))
    elif (match := COLOURED.search(bare)) and (colour := COLOURS.get(match["colour"])):
        steps.append(Step(match.start(), _tinted(colour)))
    return sorted(steps, key=lambda step: step.at)


def captioned(picture: Image.Image, text: str) -> Image.Image:
    """A picture with words on a strip along its lower edge."""
    done = picture.copy()
    words = caption_layers(text, *picture.size, read_prompt(text).palette)[1:-1]  # the others are a shade and the mark
    for layer in words:
        strip = layer.mask.height + round(min(picture.size) * 0.09)
        done.paste(INK, (0, picture.height - strip, picture.width, picture.height))
        layer.paste(done, 0.5, 0.0)
    return done


# ---- the changes -----------------------------------------------------------------------------------------------------


def _enhanced(kind: Callable[[Image.Image], ImageEnhance._Enhance], factor: float) -> Change:
    return lambda picture, strength: kind(picture).enhance(max(0.0, 1.0 + (factor - 1.0) * strength))


def _balanced(red: float, blue: float) -> Change:
    """Warmer or cooler: more of one end of the rainbow, less of the other."""

    def change(picture: Image.Image, strength: float) -> Image.Image:
        r, g, b = picture.split()
        factors = (1.0 + (factor - 1.0) * strength for factor in (red, blue))
        r, b = (
            band.point([min(255, round(v * f)) for v in range(256)]) for band, f in zip((r, b), factors, strict=True)
        )
        return Image.merge("RGB", (r, g, b))

    return change


def _toned(dark: Colour, light: Colour) -> Change:
    def change(picture: Image.Image, strength: float) -> Image.Image:
        toned = ImageOps.colorize(ImageOps.grayscale(picture), dark, light)
        return Image.blend(picture, toned, min(1.0, strength))

    return change


def _tinted(colour: Colour) -> Change:
    """The lights and darks of the picture, mostly in one colour."""

    def change(picture: Image.Image, strength: float) -> Image.Image:
        grey = ImageOps.grayscale(picture)
        toned = ImageOps.colorize(grey, mix(colour, (0, 0, 0), 0.8), mix(colour, (255, 255, 255), 0.75), colour)
        return Image.blend(picture, toned, min(1.0, 0.7 * strength))

    return change


def _blurred(picture: Image.Image, strength: float) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(max(1.0, min(picture.size) * 0.012 * strength)))


def _sharpened(picture: Image.Image, strength: float) -> Image.Image:
    return picture.filter(ImageFilter.UnsharpMask(2.0, round(150 * strength), 2))


def _rotated(match: re.Match[str]) -> Change:
    """Clockwise, as people say it; a quarter turn where they say nothing."""
    degrees = int(match["degrees"] or (180 if "upside" in match[0] else 90)) % 360
    turn = degrees if re.search(r"\bleft\b|counter|anti", match["way"] or "") else -degrees
    quarter = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}

    def change(picture: Image.Image, strength: float) -> Image.Image:
        if turn % 90 == 0:
            return picture.transpose(quarter[turn % 360]) if turn % 360 else picture
        return picture.rotate(turn, Image.Resampling.BICUBIC, expand=True, fillcolor=INK)

    return change


def _cropped(across: int, down: int) -> Change:
    def change(picture: Image.Image, strength: float) -> Image.Image:
        scale = min(picture.width / across, picture.height / down)
        size = max(1, round(across * scale)), max(1, round(down * scale))
        return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)

    return change


def _sized(factor: float) -> Change:
    def change(picture: Image.Image, strength: float) -> Image.Image:
        scale = min(factor, LARGEST_SIDE / max(picture.size))
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        return picture.resize(size, Image.Resampling.LANCZOS)

    return change


def _framed(colour: Colour) -> Change:
    def change(picture: Image.Image, strength: float) -> Image.Image:
        edge = max(2, round(min(picture.size) * 0.04 * strength))
        inner = picture.resize((max(1, picture.width - 2 * edge), max(1, picture.height - 2 * edge)))
        return ImageOps.expand(inner, edge, colour).resize(picture.size)

    return change


def _thing(text: str) -> Change | None:
    """Something drawn into the picture; None for what cannot be drawn here."""
    words = words_of(text)
    known = next((THINGS[one] for one in map(singular, words) if one in THINGS), None)
    if known is None:
        return None
    colour = next((COLOURS[word] for word in words if word in COLOURS), known.colour)
    palette = read_prompt(text).palette

    def change(picture: Image.Image, strength: float) -> Image.Image:
        size = round(min(picture.size) * 0.34 * strength)
        figure = draw_shape(known.shape, size, colour, palette, finer=2)
        high = 0.08 if known.stand in ("air", "space") else 0.62
        done = picture.copy()
        done.paste(figure, (round(picture.width * 0.93) - figure.width, round(picture.height * high)), figure)
        return done

    return change


def _quoted(match: re.Match[str]) -> Step:
    words = next(group for group in match.groups() if group)
    return Step(match.start(), lambda picture, strength: captioned(picture, words))


def _colour_in(text: str) -> Colour | None:
    return next((COLOURS[word] for word in words_of(text) if word in COLOURS), None)


# ---- the words -------------------------------------------------------------------------------------------------------

SEPIA = ((38, 22, 10), (255, 240, 205))
GREY = ((0, 0, 0), (255, 255, 255))
_CHANGES: tuple[tuple[str, Change], ...] = (
    (r"dark(?:er|en)\b|\bat night\b|less (?:bright|light)", _enhanced(ImageEnhance.Brightness, 0.6)),
    (r"(?:bright(?:er|en)|lighter|lighten)\b|less dark|more light", _enhanced(ImageEnhance.Brightness, 1.4)),
    (r"warm(?:er)?\b|golden hour|sunset", _balanced(1.18, 0.78)),
    (r"(?:cool|cold)(?:er)?\b|winter", _balanced(0.82, 1.18)),
    (r"black[ -]and[ -]white|black ?& ?white|\bb ?& ?w\b|gr[ae]y ?-?scale|monochrome|desaturate", _toned(*GREY)),
    (r"make (?:it|this|them) gr[ae]y\b|without colou?rs?|colou?rless", _toned(*GREY)),
    (r"sepia|vintage|old[ -]fashioned|antique", _toned(*SEPIA)),
    (r"(?:un|less )?\bblurr?(?:y|ier|ed)?\b|out of focus|\bsoft(?:er|en)\b", _blurred),
    (r"sharp(?:er|en)?\b|crisp(?:er)?\b|less blurry", _sharpened),
    (r"(?:more|higher|increase(?: the)?|boost(?: the)?) contrast", _enhanced(ImageEnhance.Contrast, 1.5)),
    (r"(?:less|lower|reduce(?: the)?|softer) contrast", _enhanced(ImageEnhance.Contrast, 0.65)),
    (
        r"(?:more|increase the) (?:saturat\w+|colou?r(?:s|ful)?)|vivid|vibrant|\bsaturate\b",
        _enhanced(ImageEnhance.Color, 1.7),
    ),
    (
        r"(?:less|reduce the) (?:saturat\w+|colou?r(?:s|ful)?)|muted|pastel|faded",
        _enhanced(ImageEnhance.Color, 0.45),
    ),
    (r"^\W*(?:make (?:it|this) )?(?:a bit |much )?(?:larger|bigger)\b", _sized(1.5)),
    (r"^\W*(?:make (?:it|this) )?(?:a bit |much )?smaller\b", _sized(0.6)),
    (r"\binvert|negative", lambda picture, strength: ImageChops.invert(picture)),
    (
        r"\bmirror|flip(?:ped)? (?:it )?horizontal\w*|\bflip\b(?!.{0,20}(?:vertical|upside))",
        lambda picture, strength: ImageOps.mirror(picture),
    ),
    (r"\bflip\b.{0,20}(?:vertical|upside)", lambda picture, strength: ImageOps.flip(picture)),
)
CHANGES = [(re.compile(pattern), change) for pattern, change in _CHANGES]
QUOTED = re.compile(r"“([^”\n]+)”|\"([^\"\n]+)\"|(?<!\w)['‘]([^'‘’\n]+(?:['’]\w[^'‘’\n]*)*)['’](?!\w)")  # noqa: RUF001
ROTATED = re.compile(
    r"(?:\b(?:rotate|turn(?= (?:it |this )?(?:by )?\d))\w*\b|upside down)(?P<way>[^.,;]*?(?P<degrees>\d{1,3})?[^.,;]*)"
)
CROPPED = re.compile(r"\bcrop\b[^.,;]*|\bmake (?:it|this) (?:square|wide|16:9)[^.,;]*|\b(?:to|in) (?:a )?square\b")
SHAPES = {
    "16:9": (16, 9),
    "9:16": (9, 16),
    "4:3": (4, 3),
    "3:4": (3, 4),
    "3:2": (3, 2),
    "2:3": (2, 3),
    "21:9": (21, 9),
    "wide": (16, 9),
    "landscape": (3, 2),
    "portrait": (2, 3),
    "square": (1, 1),
}
FRAMED = re.compile(r"\b(?:frame|border)\b")
ADDED = re.compile(r"\b(?:add|put|place|insert|draw|with)\b(?P<what>[^.;]*)")
COLOURED = re.compile(
    r"\b(?:(?:in|into|to|tint(?:ed)?|colou?r|more|make (?:it|this|them|everything))\s+|^\s*)(?:a |the )?(?:\w+ )??"
    r"(?P<colour>" + "|".join(sorted(COLOURS, key=len, reverse=True)) + r")\b(?! and white)"
)
