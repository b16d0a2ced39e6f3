"""Fitting what was asked to what a model offers: durations, sizes, aspect ratios, resolution tiers.

Sizes are (width, height) in pixels. `offered` values are a vendor's own words: "16:9" is a shape, "1280:720" and
"1280x720" are exact pixels, "720p" and "auto_720p" are tiers named by the shorter side.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from PIL import Image

from .types import ImageRequest, Media, VideoRequest

Size = tuple[int, int]

LARGEST_SHAPE = 100  # "21:9" is a shape, "512:512" is pixels
SAME_SHAPE = 0.01  # 1360:768 passes for 16:9
EXIF_ORIENTATION = 274
TURNED = (5, 6, 7, 8)  # the orientations that lay an upright picture on its side, as phones write them


# ---- durations -------------------------------------------------------------------------------------------------------


def fit_duration(asked: float, limits: Mapping[str, Any]) -> int:
    """The whole seconds nearest to `asked` that `limits` (`durations`, or `duration_min` and `duration_max`) allow; of
    two equally near the longer, which can be cut."""
    if durations := limits.get("durations"):
        return int(min(durations, key=lambda allowed: (abs(allowed - asked), -allowed)))
    whole = max(math.floor(asked + 0.5), limits.get("duration_min", 1))
    return int(min(whole, limits.get("duration_max", whole)))


def duration_warning(model_id: str, asked: float, given: int) -> tuple[str, ...]:
    """A sentence for the user when the duration ordered is not the one asked for."""
    return () if asked == given else (f"{model_id} was asked for {asked:g} s and makes {given} s, the nearest it can.",)


# ---- sizes -----------------------------------------------------------------------------------------------------------


def asked_size(request: ImageRequest | VideoRequest) -> Size | None:
    """The size a request names, a missing side taken from the other; None when it names none."""
    width, height = request.width or request.height, request.height or request.width
    return (width, height) if width and height else None


def parse_ratio(text: str) -> Size | None:
    """The two numbers of "16:9" or "1280x720"; None for words such as "adaptive"."""
    match = re.fullmatch(r"(\d+)[:x](\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def nearest_ratio(offered: Iterable[str], size: Size) -> str | None:
    """The offered ratio nearest to `size`: its shape counts most, then (where it names pixels) its area."""
    parsed = [(text, ratio) for text in offered if (ratio := parse_ratio(text))]
    return min(parsed, key=lambda pair: _distance(pair[1], size))[0] if parsed else None


def nearest_tier(offered: Iterable[str], size: Size) -> str | None:
    """The offered resolution tier ("720p", "auto_1080p") nearest to the shorter side of `size`; None where none is."""
    tiers = [(text, int(match[1])) for text in offered if (match := re.fullmatch(r"(?:auto_)?(\d+)p", text))]
    return min(tiers, key=lambda pair: abs(math.log(pair[1] / min(size))))[0] if tiers else None


def fit_size(size: Size, *, low: int, high: int, step: int) -> Size:
    """`size` scaled, keeping its shape, until both sides lie within `low` to `high`, then rounded to multiples of
    `step`. A shape too extreme for the bounds is cut to them."""
    scale = max(1.0, low / min(size))
    scale = min(scale, high / max(size))
    width, height = (min(max(round(side * scale / step) * step, low), high) for side in size)
    return width, height


def at_area_of(size: Size, model: Size) -> Size:
    """A size of the shape of `size` with about as many pixels as `model`."""
    scale = math.sqrt(model[0] * model[1] / (size[0] * size[1]))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def size_warning(model_id: str, asked: Size | None, given: str, tier: str | None = None) -> tuple[str, ...]:
    """A sentence for the user when `given`, a ratio or a size as the vendor writes it, is not the size asked for."""
    ratio = parse_ratio(given)
    if asked is None or ratio is None or ratio == asked:
        return ()
    if max(ratio) <= LARGEST_SHAPE and _shape_distance(ratio, asked) < SAME_SHAPE and tier in (None, f"{min(asked)}p"):
        return ()
    made = f"{given} at {tier}" if tier else given.replace(":", "x") if max(ratio) > LARGEST_SHAPE else given
    return (f"{model_id} was asked for {asked[0]}x{asked[1]} and makes {made}, the nearest it can.",)


def image_size(media: Media) -> Size | None:
    """The size of an image as it is to be seen, read from its header (blocking); None when Pillow does not know it."""
    try:
        source = io.BytesIO(media.data) if media.data is not None else media.path
        if source is None:
            return None
        with Image.open(source) as image:
            turned = image.getexif().get(EXIF_ORIENTATION) in TURNED
            return (image.height, image.width) if turned else image.size
    except (OSError, Image.DecompressionBombError):
        return None


def _shape_distance(ratio: Size, size: Size) -> float:
    return abs(math.log(ratio[0] / ratio[1]) - math.log(size[0] / size[1]))


def _distance(ratio: Size, size: Size) -> float:
    area = 0.0 if max(ratio) <= LARGEST_SHAPE else abs(math.log(ratio[0] * ratio[1]) - math.log(size[0] * size[1]))
    return 4 * _shape_distance(ratio, size) + area
