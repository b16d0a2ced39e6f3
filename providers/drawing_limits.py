"""What the limits of a model say of a drawing, checked before anything is sent: for families that draw from pictures
given by address or as base64."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .catalogue import Model
from .errors import NotOffered
from .media import attached
from .types import ImageRequest, Media, VideoRequest

BYTES_PER_MB = 1024**2


def check_count(model: Model, wanted: int) -> None:
    """Raises NotOffered for more pictures than one call makes."""
    most = model.limits.get("max_images_out", 1)
    if wanted > most:
        raise NotOffered(f"{model.id} makes at most {most} in one call, {wanted} were asked for.")


def input_pictures(model: Model, names: Iterable[str], media: Mapping[str, Media]) -> list[Media]:
    """The pictures a request works from. Raises NotOffered when they are too many or too large, or one is missing."""
    wanted = list(names)
    most, most_mb = model.limits.get("max_images_in", 0), model.limits.get("max_input_image_mb")
    if len(wanted) > most:
        raise NotOffered(f"{model.id} takes at most {most} pictures to start from, {len(wanted)} were given.")
    pictures = [attached(name, media) for name in wanted]
    for name, picture in zip(wanted, pictures, strict=True):
        if not picture.media_type.startswith("image/"):
            raise NotOffered(f"{model.id} starts from pictures; {name} is {picture.media_type}.")
        if most_mb is not None and picture.size > most_mb * BYTES_PER_MB:
            raise NotOffered(f"{model.id} takes pictures of at most {most_mb} MB; {name} has more.")
    return pictures


def seed_warning(model: Model, request: ImageRequest | VideoRequest) -> tuple[str, ...]:
    """A sentence for the user when a seed was given to a model that has none."""
    return () if request.seed is None else (f"{model.id} takes no seed; the one given was ignored.",)


def option_defaults(model: Model) -> dict[str, Any]:
    """The options that are always said, because the vendor's own default may change or costs more than is wanted."""
    return {name: schema["default"] for name, schema in model.options.items() if "default" in schema}
