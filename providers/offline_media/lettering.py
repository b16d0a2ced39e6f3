"""The words in a stand-in picture: the prompt's own, large at the bottom, and a mark that says what it is."""

from __future__ import annotations

import unicodedata

from PIL import Image, ImageDraw, ImageFont

from .layers import Layer, fade
from .palette import INK, PAPER, Colour, Palette, luminance, mix

MARK = "OFFLINE STAND-IN"
KEPT = "‘’“”…°±©™"  # noqa: RUF001
"""What the built-in font can draw besides ASCII."""
_PLAIN = str.maketrans({"–": "-", "—": "-", "ß": "ss", "æ": "ae", "ø": "o", "ł": "l"})  # noqa: RUF001

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def caption_layers(caption: str, width: int, height: int, palette: Palette) -> list[Layer]:
    """The caption in one or two lines at the bottom left, on a soft shade, and the mark at the top right."""
    short = min(width, height)
    shade = mix(palette.ground if luminance(palette.ground) < 0.6 else palette.sky, INK, 0.7)
    layers = []
    lines, font = _fitted(legible(caption), 0.88 * width, short)
    if lines:
        depth = round(height * 0.42)
        layers.append(Layer(shade, fade(width, depth, 225), 0, height - depth))
        layers.append(_set("\n".join(lines), font, PAPER, short * 0.055, height - short * 0.05))
    ink = INK if luminance(palette.sky) > 0.55 else PAPER
    mark = _set(" ".join(MARK), ImageFont.load_default(max(7.0, short * 0.017)), ink, 0, 0)
    mark.x, mark.y = width - mark.mask.width - short * 0.045, short * 0.045
    return [*layers, mark]


def legible(text: str) -> str:
    """The text in the letters the built-in font has: accents are dropped, other scripts left out."""
    plain = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    kept = (c if "!" <= c <= "~" or c in KEPT else "" if unicodedata.combining(c) else " " for c in plain)
    return " ".join("".join(kept).split())


def _fitted(text: str, room: float, short: int) -> tuple[list[str], Font]:
    """The text broken into at most two lines, and the largest font, up to a limit, in which they fit `room` pixels."""
    font = ImageFont.load_default(100.0)
    words = text.split(" ")
    halves = [[" ".join(words[:i]), " ".join(words[i:])] for i in range(1, len(words))]
    halves.sort(key=lambda lines: max(font.getlength(line) for line in lines))
    best_size, best_lines = 0.0, list[str]()
    for lines, limit in (([text], 0.075), (halves[0] if halves else [text], 0.066)):
        longest = max(font.getlength(line) for line in lines)
        size = min(100.0 * room / max(longest, 1.0), short * limit)
        if text and size > best_size:
            best_size, best_lines = size, lines
    return best_lines, ImageFont.load_default(max(best_size, 6.0))


def _set(text: str, font: Font, colour: Colour, x: float, bottom: float) -> Layer:
    """Text as a layer whose lower edge is at `bottom`."""
    probe = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, low = probe.multiline_textbbox((0, 0), text, font=font)
    mask = Image.new("L", (max(1, round(right - left) + 2), max(1, round(low - top) + 2)))
    ImageDraw.Draw(mask).multiline_text((-left, -top), text, fill=255, font=font)
    return Layer(colour, mask, x, bottom - mask.height)
