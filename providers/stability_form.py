"""What goes to Stability: one multipart form per picture, checked against the catalogue before it is sent.

The names of the parts are those of the vendor's OpenAPI document of v2beta (see `stability.toml`). Everything here
reads and measures pictures: call it off the event loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .catalogue import Model
from .drawing_limits import check_count, input_pictures
from .errors import NotOffered
from .masks import png_of, read_mask
from .media import attached
from .options import fit_options
from .shapes import Size, asked_size, image_size, nearest_ratio, size_warning
from .types import EditRequest, ImageRequest, Media

SD3 = "generate/sd3"
SQUARE: Size = (1024, 1024)
DEFAULT_STRENGTH = 0.65
"""How far to go from a picture, where nobody said: v2beta wants to be told, and v1 did this (`step_schedule_start`)."""
MAX_SEED = 4_294_967_294
MAX_REQUEST_BYTES = 10 * 1024**2
PART_BYTES = 500
"""About what the frame of a part takes."""
SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}
SIDES = ("left", "right", "up", "down")
SEARCH_PARTS = {"search_replace": "search_prompt", "search_recolor": "select_prompt"}
"""Where the option `search` goes, by operation."""

Part = tuple[None, str] | tuple[str, bytes, str]


@dataclass
class Form:
    """The parts of one request, and what the user must be told."""

    fields: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, Media] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def parts(self) -> dict[str, Part]:
        """As httpx's `files`: every part is one, for `data` alone would be sent urlencoded, which the vendor refuses.

        Raises NotOffered when it is more than the vendor takes at once.
        """
        parts: dict[str, Part] = {name: (None, text_of(value)) for name, value in self.fields.items()}
        for name, picture in self.pictures.items():
            parts[name] = (f"{name}.{SUFFIXES[picture.media_type]}", picture.read(), picture.media_type)
        size = sum(len(part[1]) + PART_BYTES for part in parts.values())
        if size > MAX_REQUEST_BYTES:
            raise NotOffered("Stability takes no more than 10 MiB in one request: make the picture a smaller file.")
        return parts


def form_of(model: Model, request: ImageRequest | EditRequest, media: Mapping[str, Media]) -> Form:
    """The form of a request. Raises NotOffered for what the model cannot do."""
    operation = request.operation if isinstance(request, EditRequest) else "text_to_image"
    if operation not in model.capabilities:
        raise NotOffered(f"{model.id} cannot do {operation}; it can: {', '.join(model.capabilities)}.")
    check_count(model, request.n)
    options, dropped = fit_options(model, request.options)
    form = Form(options, warnings=list(dropped))
    form.fields.setdefault("output_format", "png")
    _add_prompt(form, model, request.prompt)
    _add_seed(form, model, request.seed)
    if isinstance(request, EditRequest):
        _add_edit(form, model, request, media)
    else:
        _add_generation(form, model, request, media)
    return form


def text_of(value: Any) -> str:
    """A value as the text of a part; 3.0 is 3, which is what an integer field takes."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


# ---- words and numbers -----------------------------------------------------------------------------------------------


def _add_prompt(form: Form, model: Model, prompt: str) -> None:
    wanted = model.limits.get("prompt")
    if wanted == "none":
        if prompt.strip():
            form.warnings.append(f"{model.id} takes no words; the ones given were not sent.")
        return
    most = model.limits["max_prompt_chars"]
    if len(prompt) > most:
        raise NotOffered(f"{model.id} takes a prompt of at most {most} characters, this one has {len(prompt)}.")
    if prompt.strip():
        form.fields["prompt"] = prompt
    elif wanted == "needed":
        raise NotOffered(f"{model.id} needs a prompt: say what the picture is to show.")


def _add_seed(form: Form, model: Model, seed: int | None) -> None:
    if seed is None:
        return
    if not model.limits.get("seed"):
        form.warnings.append(f"{model.id} takes no seed; the one given was ignored.")
    elif 1 <= seed <= MAX_SEED:
        form.fields["seed"] = seed
    else:  # 0 means a random one
        form.warnings.append(f"{model.id} takes a seed of 1 to {MAX_SEED}; the one given was ignored.")


# ---- made from words -------------------------------------------------------------------------------------------------


def _add_generation(form: Form, model: Model, request: ImageRequest, media: Mapping[str, Media]) -> None:
    if model.wire_id == SD3:
        form.fields["model"] = model.id
    size = asked = asked_size(request)
    if request.references:
        start = form.pictures["image"] = _pictures(model, request.references, media)[0]
        form.fields.setdefault("strength", DEFAULT_STRENGTH)
        if model.wire_id == SD3:
            form.fields["mode"] = "image-to-image"
        if model.limits.get("keeps_shape"):
            if asked is not None:
                form.warnings.append(f"{model.id} keeps the shape of the picture it starts from; the size was ignored.")
            return
        size = asked or image_size(start)
    elif "strength" in form.fields:
        raise NotOffered("The option strength says how far to go from a picture, and no picture was given.")
    ratio = nearest_ratio(model.limits["ratios"], size or SQUARE)
    form.fields["aspect_ratio"] = ratio
    form.warnings += size_warning(model.id, asked, str(ratio))


# ---- made from a picture ---------------------------------------------------------------------------------------------


def _add_edit(form: Form, model: Model, request: EditRequest, media: Mapping[str, Media]) -> None:
    image = form.pictures["image"] = _pictures(model, (request.image, *request.references), media)[0]
    _add_mask(form, model, request, media)
    if part := SEARCH_PARTS.get(request.operation):
        if "search" not in form.fields:
            raise NotOffered(f"{model.id} needs the option search: name what is to be looked for in the picture.")
        form.fields[part] = form.fields.pop("search")
    if request.operation == "outpaint":
        _add_margins(form, model, request, image)
    elif request.width or request.height:
        form.warnings.append(f"{model.id} decides the size itself; the one asked for was ignored.")


def _add_mask(form: Form, model: Model, request: EditRequest, media: Mapping[str, Media]) -> None:
    """The vendor too wants white where the picture is to change. Where it is given no mask it would take the picture's
    own transparency for one, which nobody asked for."""
    if "mask" not in model.capabilities:
        if request.mask is not None:
            raise NotOffered(f"{model.id} takes no mask; inpaint and erase do.")
        return
    if request.mask is None:
        raise NotOffered(f"{model.id} needs a mask: white where the picture is to change, black elsewhere.")
    form.pictures["mask"] = png_of(read_mask(attached(request.mask, media), form.pictures["image"]))


def _add_margins(form: Form, model: Model, request: EditRequest, image: Media) -> None:
    """How many pixels go to each side: as the options say, else what a larger size needs, the picture in its middle."""
    if any(side in form.fields for side in SIDES):
        margins = {side: form.fields.pop(side, 0) for side in SIDES}
        if request.width or request.height:
            form.warnings.append(f"{model.id} was told how much to add to which side; the size was ignored.")
    else:
        margins = _margins(form, model, request, image)
    margins = {side: pixels for side, pixels in margins.items() if pixels}
    most = model.options["left"]["maximum"]
    if not margins:
        raise NotOffered(f"{model.id} has nothing to add: give the options left, right, up, down, or a larger size.")
    if max(margins.values()) > most:
        raise NotOffered(f"{model.id} adds at most {most} pixels to a side; {max(margins.values())} were asked for.")
    form.fields |= margins


def _margins(form: Form, model: Model, request: EditRequest, image: Media) -> dict[str, int]:
    """What makes the picture the size asked for; where a side is longer than that, what makes it the shape."""
    has = image_size(image)
    if has is None or not (request.width or request.height):
        return {}
    asked = (request.width or has[0], request.height or has[1])
    scale = max(1.0, has[0] / asked[0], has[1] / asked[1])
    width, height = (max(round(wanted * scale), own) for wanted, own in zip(asked, has, strict=True))
    form.warnings += size_warning(model.id, asked, f"{width}x{height}")
    across, down = width - has[0], height - has[1]
    return {"left": across // 2, "right": across - across // 2, "up": down // 2, "down": down - down // 2}


# ---- pictures --------------------------------------------------------------------------------------------------------


def _pictures(model: Model, names: tuple[str, ...], media: Mapping[str, Media]) -> list[Media]:
    """The pictures to start from. Raises NotOffered for too many, and for one the model does not take."""
    pictures = input_pictures(model, names, media)
    for picture in pictures:
        if picture.media_type not in SUFFIXES:
            raise NotOffered(f"{model.id} starts from PNG, JPEG or WebP pictures, not from {picture.media_type}.")
        size = image_size(picture)
        if size is not None and (wrong := _misfit(model.limits, size)):
            raise NotOffered(f"{model.id} takes pictures {wrong}; this one has {size[0]}x{size[1]}.")
    return pictures


def _misfit(limits: Mapping[str, Any], size: Size) -> str | None:
    """Which rule a picture of this size breaks."""
    short, long, pixels = min(size), max(size), size[0] * size[1]
    if short < limits.get("input_side_min", short):
        return f"of at least {limits['input_side_min']} pixels a side"
    if long > limits.get("input_side_max", long):
        return f"of at most {limits['input_side_max']} pixels a side"
    if pixels < limits.get("input_pixels_min", pixels):
        return f"of at least {limits['input_pixels_min']} pixels in all"
    if pixels > limits.get("input_pixels_max", pixels):
        return f"of at most {limits['input_pixels_max']} pixels in all"
    if long > short * limits.get("input_ratio_max", long):
        return f"at most {limits['input_ratio_max']} times as long as wide"
    return None
