"""The `input` of a prediction: what a request becomes by the model's own schema, see `replicate.toml`."""

from __future__ import annotations

from typing import Any

from .catalogue import Model
from .drawing_limits import check_count
from .edits import as_drawing, check_edit
from .errors import NotOffered
from .options import fit_options
from .shapes import (
    asked_size,
    duration_warning,
    fit_duration,
    fit_size,
    nearest_ratio,
    nearest_tier,
    size_warning,
)
from .types import EditRequest, ImageRequest, MediaRequest, VideoRequest

Inputs = dict[str, Any]
Warnings = tuple[str, ...]


def inputs_of(model: Model, request: MediaRequest) -> tuple[Inputs, Warnings]:
    """The `input` a request becomes, but for its images. Raises NotOffered when the model cannot do it."""
    if isinstance(request, EditRequest):
        check_edit(model, request)
        request = as_drawing(request)
    if isinstance(request, ImageRequest):
        inputs, warnings = image_inputs(model, request)
    elif isinstance(request, VideoRequest):
        inputs, warnings = video_inputs(model, request)
    else:
        raise NotOffered(f"replicate does no {request.kind} here.")
    options, dropped = fit_options(model, request.options)
    return inputs | options, warnings + dropped


def images_of(request: MediaRequest) -> tuple[str, ...]:
    """The ids of the images a request works from."""
    if isinstance(request, VideoRequest):
        return (request.image,) if request.image else ()
    if isinstance(request, EditRequest):
        return as_drawing(request).references
    return request.references if isinstance(request, ImageRequest) else ()


def image_inputs(model: Model, request: ImageRequest) -> tuple[Inputs, Warnings]:
    """The `input` of an image model, but for its images. Raises NotOffered when more are asked than one call makes."""
    limits, size = model.limits, asked_size(request)
    check_count(model, request.n)
    ratios = limits.get("ratios", ())
    inputs: Inputs = {"prompt": request.prompt}
    warnings: Warnings = ()
    if size and "custom" in ratios:
        width, height = fit_size(size, low=limits["width_min"], high=limits["width_max"], step=limits["multiple_of"])
        inputs |= {"aspect_ratio": "custom", "width": width, "height": height}
        warnings = size_warning(model.id, size, f"{width}x{height}")
    elif size and (ratio := nearest_ratio(ratios, size)):
        inputs["aspect_ratio"] = ratio
        warnings = size_warning(model.id, size, ratio)
    elif request.references and "match_input_image" in ratios:
        inputs["aspect_ratio"] = "match_input_image"
    if "png" in limits.get("formats", ()):
        inputs["output_format"] = "png"  # the defaults lose quality: webp or jpg
    if request.n > 1:
        inputs["num_outputs"] = request.n
    if request.seed is not None:
        inputs["seed"] = request.seed
    return inputs, warnings


def video_inputs(model: Model, request: VideoRequest) -> tuple[Inputs, Warnings]:
    """The `input` of a video model, but for its first frame. Raises NotOffered for other inputs than that."""
    if request.video or request.references:
        raise NotOffered(f"{model.id} starts from words or a first frame; it takes no clip and no reference images.")
    limits, size = model.limits, asked_size(request)
    duration = fit_duration(request.duration_s, limits)
    inputs: Inputs = {"prompt": request.prompt, "duration": duration}
    warnings = duration_warning(model.id, request.duration_s, duration)
    if size:
        ratio, tier = nearest_ratio(limits.get("ratios", ()), size), nearest_tier(limits.get("resolutions", ()), size)
        inputs |= {"resolution": tier} if tier else {}
        if ratio and not request.image:  # "Ignored if an image is used": the clip takes the image's shape
            inputs["aspect_ratio"] = ratio
            warnings += size_warning(model.id, size, ratio, tier)
    if request.seed is not None:
        inputs["seed"] = request.seed
    return inputs, warnings
