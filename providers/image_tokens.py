"""How many tokens a picture costs a chat model, known before the call, and how far it may be scaled down without loss.

Each vendor has a rule of its own; its numbers are in the catalogue, as `limits.image_tokens`:

    { rule = "tiles", base = 85, tile = 170 }                     gpt-4o: 512 px tiles of the scaled picture
    { rule = "patches", most = 1536, multiplier = 1.62 }          32 px patches; `max_edge` where one is told
    { rule = "area", per_token = 750, max_edge = 1568, most = 1600 }   Claude: width x height / 750
    { rule = "crops", tokens = 258 }                              Gemini: crops of 256 to 768 px, one up to 384 px
    { rule = "flat", tokens = 1120 }                              the same for every picture

Sources: OpenAI's guide on images and vision (tiles, patches), Anthropic's on vision (area), Google's on image
understanding (crops).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .catalogue import Model
from .chat_parts import Detail as Detail
from .shapes import Size

TILE, PATCH = 512, 32
TILED_EDGE, TILED_SHORT = 2048, 768
SMALL_CROP, LARGE_CROP, ONE_CROP = 256, 768, 384


def image_tokens(row: Model, width: int, height: int, detail: Detail = "auto") -> int | None:
    """The tokens a picture of so many pixels costs; None where the model's rule is not known."""
    rule: Mapping[str, Any] | None = row.limits.get("image_tokens")
    if rule is None:
        return None
    width, height = sent_size(row, width, height, detail)
    match rule["rule"]:
        case "tiles":
            tiles = 0 if detail == "low" else math.ceil(width / TILE) * math.ceil(height / TILE)
            return int(rule["base"] + rule["tile"] * tiles)
        case "patches":
            return math.ceil(_patches(width, height) * Decimal(str(rule["multiplier"])))
        case "area":
            return -(-width * height // int(rule["per_token"]))
        case "crops":
            return int(rule["tokens"]) * _crops(width, height)
        case "flat":
            return int(rule["tokens"])
    raise ValueError(f"{row.name} has an unknown rule of image tokens: {rule['rule']}")


def sent_size(row: Model, width: int, height: int, detail: Detail = "auto") -> Size:
    """The size the vendor scales such a picture down to by itself: sending more is sending bytes for nothing. The same
    size where that is not known."""
    rule: Mapping[str, Any] = row.limits.get("image_tokens") or {"rule": None}
    edge = rule.get("max_edge")
    match rule["rule"]:
        case "tiles" if detail == "low":
            return _within(width, height, TILE / max(width, height))
        case "tiles":
            width, height = _within(width, height, TILED_EDGE / max(width, height))
            return _within(width, height, TILED_SHORT / min(width, height))
        case "patches":
            return _patched(*_within(width, height, edge / max(width, height) if edge else 1), rule["most"])
        case "area":
            by_area = math.sqrt(rule["most"] * rule["per_token"] / (width * height)) if "most" in rule else 1
            return _within(width, height, min(by_area, edge / max(width, height) if edge else 1))
        case _:
            return _within(width, height, edge / max(width, height)) if edge else (width, height)


def _within(width: int, height: int, scale: float) -> Size:
    """Scaled, never upwards, and rounded down, but for what floats miss by."""
    if scale >= 1:
        return width, height
    return max(1, math.floor(width * scale + 1e-6)), max(1, math.floor(height * scale + 1e-6))


def _patches(width: int, height: int) -> int:
    return math.ceil(width / PATCH) * math.ceil(height / PATCH)


def _patched(width: int, height: int, most: int) -> Size:
    """The size at which no more than `most` patches cover the picture, one side a whole number of them."""
    while _patches(width, height) > most:
        scale = min(math.sqrt(most * PATCH**2 / (width * height)), 1.0)
        wide, high = width * scale / PATCH, height * scale / PATCH
        whole = min(math.floor(side) / side if side >= 1 else 1.0 for side in (wide, high))
        width, height = _within(width, height, min(scale * whole, 0.999))
    return width, height


def _crops(width: int, height: int) -> int:
    if max(width, height) <= ONE_CROP:
        return 1
    unit = min(max(math.floor(min(width, height) / 1.5), SMALL_CROP), LARGE_CROP)
    return math.ceil(width / unit) * math.ceil(height / unit)
