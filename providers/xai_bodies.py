"""What xAI is sent: pictures and clips. Inputs travel inside the JSON, as data URIs.

Sources: https://docs.x.ai/developers/model-capabilities/images/generation, the OpenAPI document mirrored by tryAGI/Xai
(2026-08-03), and vercel/ai's packages/xai, tested code that is followed where the document differs (`image: {"url"}`).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

from .catalogue import Model
from .drawing_limits import check_count, input_pictures, option_defaults, seed_warning
from .errors import NotOffered
from .media import attached
from .options import fit_options
from .shapes import (
    Size,
    asked_size,
    duration_warning,
    fit_duration,
    nearest_ratio,
    nearest_tier,
    size_warning,
)
from .types import ChatRequest, ImageRequest, Media, VideoRequest
from .xai_answers import LABEL as LABEL

PIXELS = {"1k": 1024**2, "2k": 2048**2}
"""About how many pixels a picture of a resolution has."""
FAR_OFF = 1.6
"""By which factor a picture may differ in area from the size asked for before it is worth a word."""
SHOWN = ("image/jpeg", "image/png")
"""https://docs.x.ai/developers/model-capabilities/images/understanding"""
DEFAULT_DURATION_S = VideoRequest.model_fields["duration_s"].default
DEFAULT_VIDEO: Size = (1280, 720)

Call = tuple[str, dict[str, Any], tuple[str, ...]]
"""Path, JSON body, warnings."""


def check_shown(request: ChatRequest) -> None:
    """Raises NotOffered for a file that Grok cannot be shown in a chat."""
    for message in request.messages:
        for name in message.media_ids:
            kind = attached(name, request.media).media_type
            if kind not in SHOWN:
                raise NotOffered(f"{request.model} looks at JPEG and PNG pictures, not at {kind}: convert {name}.")


# ---- pictures --------------------------------------------------------------------------------------------------------


async def image_body(model: Model, request: ImageRequest, media: Mapping[str, Media]) -> Call:
    """A drawing; with pictures to start from it is xAI's edit. Raises NotOffered."""
    check_count(model, request.n)
    pictures = input_pictures(model, request.references, media)
    options, dropped = fit_options(model, request.options)
    shape, warnings = image_shape(model, request)
    body: dict[str, Any] = {"model": model.wire_id, "prompt": request.prompt, "n": request.n}
    body |= {"response_format": "b64_json"} | shape | option_defaults(model) | options
    if pictures:
        links = [{"url": await uri(picture), "type": "image_url"} for picture in pictures]
        body |= {"image": links[0]} if len(links) == 1 else {"images": links}
    path = "images/edits" if pictures else "images/generations"
    return path, body, dropped + warnings + seed_warning(model, request)


def image_shape(model: Model, request: ImageRequest) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The aspect ratio and resolution nearest to the size asked for; none where none is asked for: xAI then follows
    the prompt, or the picture to change. It takes no size in pixels."""
    size = asked_size(request)
    if size is None:
        return {}, ()
    if min(size) < 1:
        raise NotOffered(f"There is no picture of {size[0]}x{size[1]} pixels.")
    limits = model.limits
    offered = limits.get("ratios_edit", limits["ratios"]) if request.references else limits["ratios"]
    area = size[0] * size[1]
    resolution = min(limits["resolutions"], key=lambda name: abs(math.log(PIXELS[name] / area)))
    ratio = nearest_ratio(offered, size) or "auto"
    far = abs(math.log(PIXELS[resolution] / area)) > math.log(FAR_OFF)
    warnings = size_warning(model.id, size, ratio, resolution if far else None)
    return {"aspect_ratio": ratio, "resolution": resolution}, warnings


# ---- clips -----------------------------------------------------------------------------------------------------------


async def video_body(model: Model, request: VideoRequest, media: Mapping[str, Media]) -> Call:
    """A clip from words, from a first frame, from references, or from another clip. Raises NotOffered."""
    options, dropped = fit_options(model, request.options)
    body: dict[str, Any] = {"model": model.wire_id, "prompt": request.prompt}
    warnings = dropped + seed_warning(model, request)
    if request.video is not None:
        link, kept = await source_clip(model, request, media)
        return "videos/edits", body | {"video": link} | options, warnings + kept
    if request.image and request.references:
        raise NotOffered(f"{model.id} takes a first frame or reference pictures, not both.")
    if request.references and "reference_images" not in model.capabilities:
        raise NotOffered(f"{model.id} takes no reference pictures.")
    duration = fit_duration(request.duration_s, model.limits)
    shape, reshaped = video_shape(model, request)
    body |= {"duration": duration} | shape
    names = [request.image] if request.image else request.references
    links = [{"url": await uri(picture)} for picture in input_pictures(model, names, media)]
    if request.image:
        body["image"] = links[0]
    elif links:
        body["reference_images"] = links
    warnings += duration_warning(model.id, request.duration_s, duration) + reshaped
    return "videos/generations", body | options, warnings


def video_shape(model: Model, request: VideoRequest) -> tuple[dict[str, Any], tuple[str, ...]]:
    """`resolution` is always said, because xAI's default is 480p; without a size a clip has the shape of its first
    frame, else 16:9."""
    size, limits = asked_size(request), model.limits
    tiers = limits.get("resolutions_reference", limits["resolutions"]) if request.references else limits["resolutions"]
    tier = nearest_tier(tiers, size or DEFAULT_VIDEO) or tiers[0]
    ratio = nearest_ratio(limits.get("ratios", ()), size) if size else None
    if ratio is None:
        return {"resolution": tier}, ()
    return {"aspect_ratio": ratio, "resolution": tier}, size_warning(model.id, size, ratio, tier)


async def source_clip(
    model: Model, request: VideoRequest, media: Mapping[str, Media]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The clip to change. That a data URI is taken for clips, too, was not found in writing."""
    if "video_to_video" not in model.capabilities:
        raise NotOffered(f"{model.id} cannot change a clip.")
    if request.image or request.references:
        raise NotOffered(f"{model.id} changes a clip by words alone, without further pictures.")
    clip = attached(request.video or "", media)
    if not clip.media_type.startswith("video/"):
        raise NotOffered(f"{model.id} changes clips; {request.video} is {clip.media_type}.")
    warnings: tuple[str, ...] = ()
    if asked_size(request) or request.duration_s != DEFAULT_DURATION_S:
        warnings = (f"{model.id} keeps the length and the shape of the clip it changes.",)
    return {"url": await uri(clip)}, warnings


async def uri(media: Media) -> str:
    """A file as a data URI."""
    return await asyncio.to_thread(media.data_uri)
