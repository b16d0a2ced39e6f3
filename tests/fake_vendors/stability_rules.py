"""What Stability refuses: forms are checked against the parts its OpenAPI document of v2beta names, and no others."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image
from starlette.datastructures import UploadFile
from starlette.requests import Request

from .wire import Refused, bearer, token

MAX_BODY_BYTES = 10 * 1024**2
MAX_SEED = 4_294_967_294
MAX_WORDS = 10_000
RATIOS = ("21:9", "16:9", "3:2", "5:4", "1:1", "4:5", "2:3", "9:16", "9:21")
MODELS = ("sd3.5-large", "sd3.5-large-turbo", "sd3.5-medium", "sd3-large", "sd3-large-turbo", "sd3-medium")
FORMATS = ("png", "jpeg", "webp")
STYLES = """
    enhance anime photographic digital-art comic-book fantasy-art line-art analog-film neon-punk isometric low-poly
    origami modeling-compound cinematic 3d-model pixel-art tile-texture
"""
WORDS = ("prompt", "negative_prompt", "search_prompt", "select_prompt")
CHOICES = {"aspect_ratio": RATIOS, "model": MODELS, "style_preset": tuple(STYLES.split())}
CHOICES |= {"mode": ("text-to-image", "image-to-image")}
NUMBERS = {"seed": (0, MAX_SEED), "strength": (0, 1), "cfg_scale": (1, 10), "grow_mask": (0, 100)}
NUMBERS |= dict.fromkeys(("left", "right", "up", "down"), (0, 2000)) | {"creativity": (0, 1)}
SIDES = frozenset(("left", "right", "up", "down"))
FREE = "prompt negative_prompt seed output_format style_preset"


@dataclass(frozen=True)
class Endpoint:
    """The parts it wants and the parts it takes, and which pictures may be its `image`."""

    wants: str
    takes: str
    formats: tuple[str, ...] = FORMATS
    least_side: int = 64
    most_pixels: int = 9_437_184
    most_ratio: float | None = None


ENDPOINTS = {
    "generate/core": Endpoint("prompt", f"{FREE} aspect_ratio"),
    "generate/ultra": Endpoint("prompt", f"{FREE} aspect_ratio image strength", most_pixels=16_384**2),
    "generate/sd3": Endpoint("prompt", f"{FREE} aspect_ratio image strength mode model cfg_scale"),
    "edit/inpaint": Endpoint("image prompt", f"{FREE} mask grow_mask"),
    "edit/erase": Endpoint("image", "mask grow_mask seed output_format"),
    "edit/outpaint": Endpoint(
        "image", "left right up down creativity prompt seed output_format style_preset", most_ratio=2.5
    ),
    "edit/search-and-replace": Endpoint("image prompt search_prompt", f"{FREE} grow_mask", most_ratio=2.5),
    "edit/search-and-recolor": Endpoint("image prompt select_prompt", f"{FREE} grow_mask", most_ratio=2.5),
    "edit/remove-background": Endpoint("image", "output_format", ("png", "webp"), most_pixels=4_194_304),
    "upscale/fast": Endpoint("image", "output_format", least_side=32, most_pixels=1_048_576),
    "upscale/conservative": Endpoint("image prompt", "negative_prompt seed output_format creativity", most_ratio=2.5),
    "upscale/creative": Endpoint("image prompt", f"{FREE} creativity", most_pixels=1_048_576),
}


@dataclass(frozen=True)
class Order:
    """A form that is in order: its texts, and the sizes of its pictures."""

    texts: Mapping[str, str]
    pictures: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def refused(status: int, name: str, *errors: str) -> Refused:
    """Stability's error envelope."""
    return Refused(status, {"id": token(32, "0123456789abcdef"), "name": name, "errors": list(errors)})


def authorise(request: Request) -> str:
    """The key. Refuses a request without one, or with another vendor's."""
    key = bearer(request)
    if not key.startswith("sk-"):
        raise refused(401, "unauthorized", "authorization: invalid or missing header value")
    return key


async def read_order(request: Request, path: str) -> Order:
    """The form of an authorised request for one of the endpoints."""
    endpoint = ENDPOINTS.get(path)
    if endpoint is None:
        raise refused(404, "not_found", "The requested resource was not found.")
    if len(await request.body()) > MAX_BODY_BYTES:
        raise refused(413, "payload_too_large", "body: payloads cannot be larger than 10MiB in size")
    if not request.headers.get("content-type", "").startswith("multipart/form-data; boundary="):
        raise refused(400, "bad_request", "content-type: must be multipart/form-data")
    form = await request.form()
    texts = {name: value for name, value in form.items() if isinstance(value, str)}
    files = {name: value for name, value in form.items() if isinstance(value, UploadFile)}
    errors = [f"{name}: is required" for name in endpoint.wants.split() if name not in {*texts, *files}]
    known = {*endpoint.wants.split(), *endpoint.takes.split()}
    errors += [f"{name}: is not known" for name in {*texts, *files} - known]
    errors += [f"{name}: must be a file" for name in ("image", "mask") if name in texts]
    errors += [wrong for name, text in texts.items() if (wrong := _wrong(name, text, endpoint))]
    pictures = {}
    for name, file in files.items():
        pictures[name] = _size(name, await file.read())
        await file.seek(0)
    errors += _unfit(endpoint, pictures) + _unjoined(path, texts, pictures)
    if errors:
        raise refused(400, "bad_request", *errors)
    return Order(texts, pictures)


def _wrong(name: str, text: str, endpoint: Endpoint) -> str | None:
    """What is wrong with a text part."""
    allowed = endpoint.formats if name == "output_format" else CHOICES.get(name)
    if allowed is not None:
        return None if text in allowed else f"{name}: must be one of {', '.join(allowed)}"
    if name in WORDS:
        return None if 0 < len(text) <= MAX_WORDS else f"{name}: must have 1 to {MAX_WORDS} characters"
    if name in NUMBERS:
        low, high = NUMBERS[name]
        shape = r"\d+" if name in SIDES else r"\d+(\.\d+)?"
        if not re.fullmatch(shape, text) or not low <= float(text) <= high:
            return f"{name}: must be a number from {low} to {high}"
    return None


def _size(name: str, data: bytes) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as picture:
            return picture.size
    except OSError:
        raise refused(400, "bad_request", f"{name}: must be an image of type jpeg, png or webp") from None


def _unfit(endpoint: Endpoint, pictures: Mapping[str, tuple[int, int]]) -> list[str]:
    """What is wrong with the picture to start from."""
    width, height = pictures.get("image", (0, 0))
    if "image" not in pictures:
        return []
    errors = []
    if min(width, height) < endpoint.least_side:
        errors.append(f"image: every side must be at least {endpoint.least_side} pixels")
    if width * height > endpoint.most_pixels:
        errors.append(f"image: total pixel count must be at most {endpoint.most_pixels}")
    if endpoint.most_ratio and max(width, height) > endpoint.most_ratio * min(width, height):
        errors.append("image: the aspect ratio must be between 1:2.5 and 2.5:1")
    return errors


def _unjoined(path: str, texts: Mapping[str, str], pictures: Mapping[str, tuple[int, int]]) -> list[str]:
    """What goes together and does not, or the other way round."""
    errors = []
    if path.startswith("generate/") and ("image" in pictures) != ("strength" in texts):
        errors.append("strength: goes with image")
    if path == "generate/sd3" and ("image" in pictures) != (texts.get("mode") == "image-to-image"):
        errors.append("mode: must be image-to-image with an image, and only then")
    if path == "generate/sd3" and "image" in pictures and "aspect_ratio" in texts:
        errors.append("aspect_ratio: is only valid for text-to-image requests")
    if path == "edit/outpaint" and not any(int(texts.get(side, 0)) for side in SIDES if texts.get(side, "0").isdigit()):
        errors.append("at least one outpainting direction must be supplied with a non-zero value")
    return errors
