"""What is ordered at Runway: the address and the body that a request becomes, by the model's own schema.

Sources: the types of the official SDK, runwayml 5.24, and https://docs.dev.runwayml.com/assets/inputs/.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .catalogue import Model
from .drawing_limits import check_count, seed_warning
from .edits import as_drawing, check_edit
from .errors import NotOffered
from .media import attached
from .options import fit_options
from .shapes import (
    Size,
    asked_size,
    at_area_of,
    duration_warning,
    fit_duration,
    image_size,
    nearest_ratio,
    nearest_tier,
    size_warning,
)
from .types import EditRequest, ImageRequest, Media, MediaRequest, VideoRequest

DEFAULT_IMAGE: Size = (1024, 1024)
DEFAULT_VIDEO: Size = (1280, 720)

Body = dict[str, Any]
Warnings = tuple[str, ...]
Link = Callable[[Media], Awaitable[str]]
"""Makes an input available to the vendor: a data URI, or the address of an upload."""


@dataclass(frozen=True)
class Order:
    """One paid POST: `path` is behind `/v1/`."""

    path: str
    body: Body
    warnings: Warnings = ()


async def order_of(model: Model, request: MediaRequest, media: Mapping[str, Media], link: Link) -> Order:
    """The order a request becomes; its inputs are handed over. Raises NotOffered for what the model cannot do."""
    if not isinstance(request, ImageRequest | EditRequest | VideoRequest):
        raise NotOffered(f"runway does no {request.kind} here.")
    redrawn: Warnings = ()
    if isinstance(request, EditRequest):
        check_edit(model, request)
        redrawn = (
            f"{model.id} draws the picture anew from the one given: what was not to change may differ a little.",
        )
        request = as_drawing(request)
    check_prompt(model, request.prompt)
    options, dropped = options_for(model, request.options)
    seed, unseeded = seed_for(model, request)
    if isinstance(request, ImageRequest):
        order = await _drawing(model, request, media, link)
    elif request.video:
        order = await _edited_clip(model, request, media, link)
    else:
        order = await _clip(model, request, media, link)
    return Order(order.path, order.body | options | seed, redrawn + order.warnings + dropped + unseeded)


async def _drawing(model: Model, request: ImageRequest, media: Mapping[str, Media], link: Link) -> Order:
    limits, given = model.limits, len(request.references)
    check_count(model, request.n)
    least, most = limits.get("min_images_in", 0), limits.get("max_images_in", 0)
    if not least <= given <= most:
        raise NotOffered(f"{model.id} takes {least} to {most} reference images, {given} were given.")
    images = [attached(name, media) for name in request.references]
    ratio, warnings = await ratio_for(model, request, images, DEFAULT_IMAGE)
    body: Body = {"model": model.wire_id, "promptText": request.prompt} | ratio
    if images:
        body["referenceImages"] = [{"uri": await link(image)} for image in images]
    return Order("text_to_image", body, warnings)


async def _clip(model: Model, request: VideoRequest, media: Mapping[str, Media], link: Link) -> Order:
    images = [attached(request.image, media)] if request.image else []
    ratio, warnings = await ratio_for(model, request, images, DEFAULT_VIDEO)
    duration = fit_duration(request.duration_s, model.limits)
    body: Body = {"model": model.wire_id, "duration": duration} | ratio
    if request.prompt:
        body["promptText"] = request.prompt
    references = _references(model, request, media)
    for image in images:
        uri = await link(image)
        # Models that also take reference images read a bare string as one; `position` makes it the first frame.
        body["promptImage"] = [{"uri": uri, "position": "first"}] if model.limits.get("keyframes") else uri
    if references:
        body["references"] = [{"uri": await link(image)} for image in references]
    path = "image_to_video" if request.image else "text_to_video"
    return Order(path, body, warnings + duration_warning(model.id, request.duration_s, duration))


async def _edited_clip(model: Model, request: VideoRequest, media: Mapping[str, Media], link: Link) -> Order:
    """A clip from a clip, whose length it keeps. `video_field` is the body's name for it, `video_mode` what the model
    would not do with it unasked."""
    field = model.limits.get("video_field")
    if field is None:
        raise NotOffered(f"{model.id} does not change clips; aleph2 does.")
    if request.image:
        raise NotOffered(f"{model.id} starts from a clip or from a first frame, not from both: leave one out.")
    if not request.prompt.strip():
        raise NotOffered(f"{model.id} follows words: say what is to change in the clip.")
    clip = attached(request.video or "", media)
    if not clip.media_type.startswith("video/"):
        raise NotOffered(f"{model.id} changes clips; {request.video} is {clip.media_type}.")
    references = _references(model, request, media)
    body: Body = {"model": model.wire_id, "promptText": request.prompt}
    warnings: Warnings = ()
    if asked := asked_size(request):
        offered = model.limits.get("ratios_video_to_video", ())
        ratio = nearest_ratio(offered, asked) or nearest_tier(offered, asked)
        if ratio:
            body[model.limits.get("video_ratio_field", "ratio")] = ratio
            warnings = size_warning(model.id, asked, ratio)
        else:
            warnings = (f"{model.id} keeps the size of the clip; the one asked for was ignored.",)
    if mode := model.limits.get("video_mode"):
        body["mode"] = mode
    body[field] = await link(clip)
    if references:
        body["references"] = [{"uri": await link(image)} for image in references]
    return Order("video_to_video", body, warnings)


def _references(model: Model, request: VideoRequest, media: Mapping[str, Media]) -> list[Media]:
    """The pictures whose characters or things appear. Raises NotOffered where there is no place for them."""
    most, given = model.limits.get("max_references", 0), len(request.references)
    if request.video:
        most = model.limits.get("max_references_video_to_video", 0)
    elif request.image and most:
        # "Use position first/last for keyframe mode, or omit position for reference images. The two modes cannot be
        # mixed." (runwayml 5.24, types/image_to_video_create_params.py)
        most = model.limits.get("max_references_image_to_video", 0)
        if given > most == 0:
            raise NotOffered(f"{model.id} takes a first frame or reference images, not both; kling_4 takes both.")
    if given > most:
        raise NotOffered(f"{model.id} takes at most {most} reference images for this, {given} were given.")
    return [attached(name, media) for name in request.references]


# ---- fields ----------------------------------------------------------------------------------------------------------


def check_prompt(model: Model, prompt: str) -> None:
    """Raises NotOffered for a prompt over the model's limit, which Runway counts in UTF-16 units."""
    most, units = model.limits.get("max_prompt_chars"), len(prompt.encode("utf-16-le")) // 2
    if most is not None and units > most:
        raise NotOffered(f"{model.id} takes a prompt of at most {most} characters, this one has {units}: shorten it.")


async def ratio_for(
    model: Model, request: ImageRequest | VideoRequest, images: list[Media], default: Size
) -> tuple[Body, Warnings]:
    """The `ratio` nearest to the size asked for; where none is asked for, to the shape of the input image."""
    limits, asked = model.limits, asked_size(request)
    offered = limits.get("ratios", ())
    if request.kind == "video" and images:
        offered = limits.get("ratios_image_to_video", offered)
    size = asked
    if size is None and images:
        shape = await asyncio.to_thread(image_size, images[0])
        size = at_area_of(shape, default) if shape else None
    if ratio := nearest_ratio(offered, size or default):
        return {"ratio": ratio}, size_warning(model.id, asked, ratio)
    tier = nearest_tier(offered, size or default)  # "auto_720p": the clip follows the image's shape
    return ({"ratio": tier} if tier else {}), ()


def seed_for(model: Model, request: ImageRequest | VideoRequest) -> tuple[Body, Warnings]:
    """The seed, for the models that have one: to the others an unknown field is an error."""
    if request.seed is None or not model.limits.get("seed"):
        return {}, seed_warning(model, request)
    return {"seed": request.seed}, ()


def options_for(model: Model, options: Mapping[str, Any]) -> tuple[Body, Warnings]:
    """The options under their names on the wire, which are camelCase."""
    taken, warnings = fit_options(model, options)
    body: Body = {re.sub(r"_([a-z])", lambda match: match[1].upper(), name): value for name, value in taken.items()}
    if threshold := body.pop("publicFigureThreshold", None):
        body["contentModeration"] = {"publicFigureThreshold": threshold}
    return body, warnings
