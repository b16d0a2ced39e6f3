"""Whether one model can stand in for another that will not start a work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .shapes import fit_duration
from .types import EditRequest, ImageRequest, MediaRequest, SpeechRequest, VideoRequest

if TYPE_CHECKING:
    from .catalogue import Model

HAVE_OR_HAVE_NOT = ("audio", "free")
"""What makes another thing of a work, asked for or not: a clip with sound, a stand-in that nobody is paid for."""


def can_replace(other: Model, model: Model, request: MediaRequest) -> bool:
    """Whether `other`, which can do this kind of work, serves a request as well as `model`."""
    if other.name == model.name or any(_has(other, one) != _has(model, one) for one in HAVE_OR_HAVE_NOT):
        return False
    if not set(request.options) <= set(other.options):
        return False
    words = request.text if isinstance(request, SpeechRequest) else getattr(request, "prompt", "")
    most_words = other.limits.get("max_prompt_chars")
    if most_words is not None and len(words.encode("utf-16-le")) // 2 > most_words:
        return False
    match request:
        case ImageRequest():
            least, most = other.limits.get("min_images_in", 0), other.limits.get("max_images_in", 0)
            return bool(request.n <= other.limits.get("max_images_out", 1) and least <= len(request.references) <= most)
        case EditRequest():
            most = other.limits.get("max_images_in", 1)
            return bool(request.n <= other.limits.get("max_images_out", 1) and 1 + len(request.references) <= most)
        case VideoRequest() if len(request.references) > _most_references(request, other):
            return False
        case VideoRequest():
            return _off(request, other) <= _off(request, model)
        case SpeechRequest():
            return not request.instructions or _has(other, "instructions") >= _has(model, "instructions")
        case _:
            return True  # what a transcription asks for are capabilities, which it has


def _has(model: Model, capability: str) -> bool:
    return capability in model.capabilities


def _most_references(request: VideoRequest, model: Model) -> int:
    """How many pictures of characters and products a model takes beside what the clip starts from."""
    start = "_video_to_video" if request.video else "_image_to_video" if request.image else ""
    most: int = model.limits.get(f"max_references{start}", model.limits.get("max_images_in", len(request.references)))
    return most


def _off(request: VideoRequest, model: Model) -> float:
    """By how many seconds a model misses the duration asked for."""
    return abs(fit_duration(request.duration_s, model.limits) - request.duration_s)
