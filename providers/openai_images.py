"""Sizes and answers of OpenAI's Images API, which gateways and other vendors copy."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .catalogue import Model
from .chat_errors import error_inside
from .errors import MalformedAnswer
from .shapes import Size, nearest_ratio, parse_ratio
from .types import Output, Usage

# ---- sizes -----------------------------------------------------------------------------------------------------------


def nearest_size(row: Model, size: Size) -> Size:
    """The size in pixels nearest to the wanted one that the model makes.

    gpt-image-2 and later make any size within limits (openai 3.52.0, types/image_generate_params.py): both edges
    multiples of 16, 1:3 to 3:1, at most 3840x2160; the pixel limits are community-derived. Older models have a list.
    """
    if "multiple_of" in row.limits:
        return size if _allowed(row.limits, size) else _by_rule(row.limits, size)
    listed = nearest_ratio(row.limits.get("sizes", ()), size)
    return (parse_ratio(listed) if listed else None) or size


def _by_rule(limits: Mapping[str, Any], size: Size) -> Size:
    width, height = size
    step = int(limits["multiple_of"])
    ratio = min(max(width / height, 1 / limits["max_ratio"]), limits["max_ratio"])
    area = min(max(width * height, limits["min_pixels"]), limits["max_pixels"])
    ideal_width, ideal_height = math.sqrt(area * ratio), math.sqrt(area / ratio)
    shrink = min(
        1.0,
        limits["max_long_edge"] / max(ideal_width, ideal_height),
        limits["max_short_edge"] / min(ideal_width, ideal_height),
    )
    goal = ideal_width * shrink, ideal_height * shrink
    near = [(w, h) for w in _multiples(goal[0], step) for h in _multiples(goal[1], step) if _allowed(limits, (w, h))]
    # Of two sizes equally near the larger one: it can be cropped (1920x1080 lies between two multiples of 16).
    return min(near, key=lambda size: (round(abs(size[0] - goal[0]) + abs(size[1] - goal[1]), 6), -size[0] * size[1]))


def _multiples(edge: float, step: int) -> list[int]:
    """The multiples of `step` around a length: one of them keeps the other rules after rounding."""
    nearest = round(edge / step)
    return [step * count for count in range(nearest - 2, nearest + 3)]


def _allowed(limits: Mapping[str, Any], size: Size) -> bool:
    long, short = max(size), min(size)
    return (
        short > 0
        and all(edge % limits["multiple_of"] == 0 for edge in size)
        and long <= short * limits["max_ratio"]
        and long <= limits["max_long_edge"]
        and short <= limits["max_short_edge"]
        and limits["min_pixels"] <= long * short <= limits["max_pixels"]
    )


# ---- answers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pictures:
    """What an answer of the Images API holds."""

    outputs: tuple[Output, ...]
    usage: Usage | None
    revised_prompt: str | None


def read_pictures(content: bytes, vendor: str) -> Pictures:
    """Parse an answer and decode its pictures: tens of megabytes, so call it off the event loop.

    GPT image models answer with `b64_json` only; gateways also with `url`. An older model gave `revised_prompt` on the
    first of several only. Raises MalformedAnswer, or what an error inside the answer stands for.
    """
    try:
        body = json.loads(content)
    except ValueError as error:
        raise MalformedAnswer(f"{vendor} answered something that is not JSON.") from error
    if isinstance(body, dict) and body.get("error"):
        raise error_inside(vendor, body["error"])
    items = body.get("data") if isinstance(body, dict) else None
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise MalformedAnswer(f"{vendor} answered without a picture.")
    revised = next((item["revised_prompt"] for item in items if isinstance(item.get("revised_prompt"), str)), None)
    return Pictures(tuple(_output(item, vendor) for item in items), _usage(body.get("usage")), revised or None)


def _output(item: dict[str, Any], vendor: str) -> Output:
    encoded, url = item.get("b64_json"), item.get("url")
    if isinstance(url, str) and url.startswith("data:"):
        encoded = url
    if isinstance(encoded, str) and encoded:
        try:
            data = base64.b64decode("".join(encoded.split(";base64,", 1)[-1].split()), validate=True)
        except ValueError as error:
            raise MalformedAnswer(f"{vendor} answered with a picture that cannot be decoded.") from error
        return Output(data=data)
    if isinstance(url, str) and url:
        return Output(url=url)
    raise MalformedAnswer(f"{vendor} answered without a picture.")


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, dict):
        return None
    details = value.get("input_tokens_details")
    details = details if isinstance(details, dict) else {}
    return Usage(
        input_tokens=_count(value.get("input_tokens")),
        image_input_tokens=_count(details.get("image_tokens")),
        output_tokens=_count(value.get("output_tokens")) or None,  # gateways without figures say 0
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None
