"""What a picture is ordered with at OpenAI: sizes, options, the pictures to start from and the mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .catalogue import Model
from .drawing_limits import seed_warning
from .edits import as_drawing, check_edit
from .errors import NotOffered
from .masks import transparent_mask
from .media import attached
from .openai_images import nearest_size
from .options import fit_options
from .shapes import asked_size, size_warning
from .types import EditRequest, ImageRequest, Media

IMAGE_TYPES = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}
OF_DRAWINGS, OF_EDITS = "moderation", "input_fidelity"
"""The options that only one of the two calls knows (openai 3.52.0, types/image_generate_params.py, image_edit_...)."""

File = tuple[str, bytes, str]
"""Name, bytes and media type, as the SDK takes a file."""


@dataclass(frozen=True)
class Drawing:
    """One call of the Images API: `given` are the SDK's parameters; with `image` among them it is an edit."""

    given: dict[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """How much its files hold together."""
        files = [*self.given.get("image", ()), *([self.given["mask"]] if "mask" in self.given else ())]
        return sum(len(data) for _, data, _ in files)


def drawing_of(row: Model, request: ImageRequest | EditRequest, media: Mapping[str, Media]) -> Drawing:
    """The call a request becomes (blocking: it reads and converts the inputs). Raises NotOffered."""
    mask = None
    if isinstance(request, EditRequest):
        check_edit(row, request)
        mask = request.mask
        request = as_drawing(request)
    check_limit(row, "max_prompt_chars", len(request.prompt), "characters of prompt")
    check_limit(row, "max_images_out", request.n, "pictures at once")
    size, warnings = _size(row, request)
    warnings += seed_warning(row, request)
    options, dropped = fit_options(row, request.options)
    warnings += dropped
    foreign = OF_DRAWINGS if request.references else OF_EDITS
    if options.pop(foreign, None) is not None:
        kind = "with" if request.references else "without"
        warnings.append(f"{row.id} knows no {foreign} for a picture {kind} others to start from; it was ignored.")
    # GPT image models reject response_format and style (openai 3.52.0, types/image_generate_params.py).
    given: dict[str, Any] = {"model": row.wire_id, "prompt": request.prompt, "n": request.n, "size": size}
    given |= {"output_format": "png"} | options
    _check_format(row, given)
    if request.references:
        given["image"] = _files(row, request.references, media)
    if mask is not None:
        given["mask"] = _mask(row, attached(mask, media), attached(request.references[0], media))
    return Drawing(given, tuple(warnings))


def check_limit(row: Model, limit: str, amount: int, what: str) -> None:
    """Raises NotOffered when a request holds more of something than the row's limit of that name."""
    if limit in row.limits and amount > row.limits[limit]:
        raise NotOffered(f"{row.id} takes at most {row.limits[limit]} {what}; this request has {amount}.")


def _size(row: Model, request: ImageRequest) -> tuple[str, list[str]]:
    """The size on the wire, and a warning where it is not the wanted one. An edit without a size keeps its shape."""
    asked = asked_size(request)
    if asked is None:
        return ("auto" if request.references else "1024x1024"), []
    if min(asked) < 1:
        raise NotOffered(f"There is no picture of {asked[0]}x{asked[1]} pixels.")
    width, height = nearest_size(row, asked)
    return f"{width}x{height}", list(size_warning(row.id, asked, f"{width}x{height}"))


def _check_format(row: Model, given: Mapping[str, Any]) -> None:
    """Options that contradict each other (openai 3.52.0, types/image_edit_params.py): better said than sent."""
    form = given["output_format"]
    if given.get("background") == "transparent" and form == "jpeg":
        raise NotOffered(f"{row.id} makes no transparent JPEG: set output_format to png or webp.")
    if "output_compression" in given and form == "png":
        raise NotOffered("output_compression is for JPEG and WebP: set output_format to one of them as well.")


def _files(row: Model, references: tuple[str, ...], media: Mapping[str, Media]) -> list[File]:
    """The pictures to start from. Limits: openai 3.52.0, types/image_edit_params.py."""
    check_limit(row, "max_images_in", len(references), "pictures to start from")
    files = []
    for number, name in enumerate(references, 1):
        picture = attached(name, media)
        if picture.media_type not in IMAGE_TYPES:
            raise NotOffered(f"{row.id} starts from PNG, JPEG or WebP pictures, not from {picture.media_type}.")
        check_limit(row, "max_input_image_mb", _megabytes(picture.size), "megabytes of picture to start from")
        files.append((f"image_{number}.{IMAGE_TYPES[picture.media_type]}", picture.read(), picture.media_type))
    return files


def _mask(row: Model, mask: Media, image: Media) -> File:
    """The mask as OpenAI wants it: a PNG of the first picture's size whose transparent parts are changed."""
    clear = transparent_mask(mask, image)
    check_limit(row, "max_mask_mb", _megabytes(clear.size), "megabytes of mask")
    return "mask.png", clear.read(), clear.media_type


def _megabytes(size: int) -> int:
    return -(-size // 1_000_000)
