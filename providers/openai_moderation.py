"""OpenAI's moderation, which is free: whether a text or pictures show what no vendor will make or keep.

Facts: openai 3.52.0, types/moderation_*.py; OpenAI's moderation guide (pictures of at most 20 MB, no sound).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import MalformedAnswer, NotOffered
from .types import Media

MODEL = "omni-moderation-latest"
MAX_IMAGE_BYTES = 20 * 1000 * 1000


def questions(text: str, images: Sequence[Media]) -> list[dict[str, Any]]:
    """The requests that ask about a text and pictures (blocking: pictures are read): one picture in each, as how many
    go together is not documented. Raises NotOffered for other media and for pictures of more than 20 MB."""
    parts: list[dict[str, Any]] = []
    for image in images:
        if not image.media_type.startswith("image/"):
            raise NotOffered(f"Only texts and pictures can be moderated, not {image.media_type}.")
        if image.size > MAX_IMAGE_BYTES:
            raise NotOffered("A picture to moderate may have at most 20 MB.")
        parts.append({"type": "image_url", "image_url": {"url": image.data_uri()}})
    words: list[dict[str, Any]] = [{"type": "text", "text": text}] if text.strip() else []
    asked = [[*words, *parts[:1]], *([part] for part in parts[1:])]
    return [{"model": MODEL, "input": each} for each in asked if each]


def flagged_in(body: Mapping[str, Any], vendor: str) -> list[str]:
    """The categories that an answer flags, such as `violence/graphic`. Raises MalformedAnswer."""
    results = body.get("results")
    if not isinstance(results, list) or not results or not all(isinstance(one, dict) for one in results):
        raise MalformedAnswer(f"{vendor} answered without a verdict.")
    found: list[str] = []
    for result in results:
        categories = result.get("categories")
        names = [str(name) for name, flag in categories.items() if flag] if isinstance(categories, dict) else []
        found += names or (["flagged"] if result.get("flagged") else [])
    return found
