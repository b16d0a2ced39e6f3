"""Makes a new picture from one that is there, by what an edit request asks for."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageFilter, ImageOps

from ..errors import InvalidRequest
from ..masks import read_mask
from ..shapes import Size, size_warning
from ..types import EditRequest, Media
from . import retouch
from .instruction import KNOWN, captioned, read_edit
from .palette import PAPER
from .picture import LARGEST, drawable_size, open_picture, open_transparent, pin, png
from .records import record_of_picture
from .scene import compose
from .text import stable_number

BACKGROUND = re.compile(
    r"(?P<blur>\bblur\w*\s+(?:the\s+|its\s+)?background)"
    r"|\b(?:remove|delete|erase|cut out|take away|without)\s+(?:the\s+|its\s+|a\s+)?background"
    r"|\b(?:make|have|with)\s+(?:the\s+|its\s+|an?\s+)?(?:transparent\s+background|background\s+transparent)"
    r"|\bbackground\s+(?:to|with|by|into|of)\s+(?P<other>[^.;]+)"
    r"|\b(?:with|on|before|in front of)\s+(?:an?\s+)?(?P<before>[^.;,]{1,60}?)\s+background",
    re.IGNORECASE,
)
STRENGTHS = (1.0, 0.6, 1.4, 0.8, 1.2, 0.5, 1.5, 0.7, 1.3, 0.9)
"""How strongly the variants of one request are changed."""
SIDES = ("left", "right", "up", "down")
NEED_MASK = ("inpaint", "erase")
LOST = 0.97
"""A background of more than this is the picture itself."""


def edit_picture(
    request: EditRequest,
    image: Media,
    mask: Media | None,
    references: Sequence[Media],
    options: Mapping[str, Any],
    variant: int,
) -> tuple[bytes, tuple[str, ...]]:
    """One variant of what is asked for, as PNG, and what of it could not be done. Blocking.

    Raises InvalidRequest or NotOffered (a mask that will not do).
    """
    picture, alpha = _opened(image)
    done, warnings = _done(request, picture, mask, image, options, variant)
    if mask is not None and request.operation not in NEED_MASK:
        done, said = _within(_mask(request, mask, image, picture.size), done, picture)
        warnings += said
    if references:
        prints = [open_picture(reference, LARGEST // 4) for reference in references]
        done = done.copy()
        pin(done, prints, random.Random(stable_number(request.prompt, variant)))
    if alpha is not None and done.mode == "RGB" and done.size == alpha.size:
        done.putalpha(alpha)
    width, height = request.width or request.height, request.height or request.width
    if width and height and (width, height) != done.size:
        size = drawable_size((width, height))
        warnings += size_warning(request.model, (width, height), f"{size[0]}x{size[1]}")
        done = ImageOps.fit(done, size, Image.Resampling.LANCZOS)
    before = record_of_picture(image) or "a picture that was given"
    asked = request.prompt or request.operation.replace("_", " ")
    return png(done, f"{before}; changed: {asked}"), warnings


def _within(mask: Image.Image, done: Image.Image, picture: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """A change in the masked part alone, where the picture has kept its shape."""
    if done.size != picture.size or done.mode != picture.mode:
        return done, ("The mask was not used: this changes the whole picture.",)
    return Image.composite(done, picture, mask), ()


def _opened(image: Media) -> tuple[Image.Image, Image.Image | None]:
    """The picture in RGB, and its transparency where it has any."""
    whole = open_transparent(image, LARGEST)
    alpha = whole.getchannel("A")
    picture = Image.new("RGB", whole.size, PAPER)
    picture.paste(whole, mask=alpha)
    return picture, None if alpha.getextrema()[0] == 255 else alpha


def _done(
    request: EditRequest,
    picture: Image.Image,
    mask: Media | None,
    image: Media,
    options: Mapping[str, Any],
    variant: int,
) -> tuple[Image.Image, tuple[str, ...]]:
    match request.operation:
        case "inpaint":
            white = _mask(request, mask, image, picture.size)
            return retouch.inpaint(picture, white, request.prompt, (request.seed or 0) + variant), ()
        case "erase":
            return retouch.erase(picture, _mask(request, mask, image, picture.size)), ()
        case "outpaint":
            return _wider(request, picture, options)
        case "remove_background":
            cut, share = retouch.without_background(picture)
            return cut, _cut_warning(share)
        case "upscale":
            said = "Upscaling here adds pixels, not detail (Lanczos)."
            return retouch.upscale(picture, _factor(request, picture, options)), (said,)
        case _:
            return _instructed(request, picture, variant)


def _instructed(request: EditRequest, picture: Image.Image, variant: int) -> tuple[Image.Image, tuple[str, ...]]:
    """The picture as the words of the instruction ask; with the words on it where none of them is known."""
    background = BACKGROUND.search(request.prompt)
    steps = read_edit(BACKGROUND.sub(" ", request.prompt))
    if not steps and not background:
        said = (
            f"The offline stand-in does not know how to do that, so it wrote the instruction on it. It knows: {KNOWN}."
        )
        return captioned(picture, request.prompt), (said,)
    for step in steps:
        picture = step.change(picture, STRENGTHS[variant % len(STRENGTHS)])
    return _behind(picture, background) if background else (picture, ())


def _behind(picture: Image.Image, asked: re.Match[str]) -> tuple[Image.Image, tuple[str, ...]]:
    """The picture with its background blurred, taken away, or exchanged for a drawing."""
    cut, share = retouch.without_background(picture)
    other = asked["other"] or asked["before"]
    if asked["blur"]:
        behind = picture.filter(ImageFilter.GaussianBlur(max(2.0, min(picture.size) * 0.02)))
    elif other:
        behind = compose(other, *picture.size, lettered=False).still()
    else:
        return cut, _cut_warning(share)
    behind.paste(cut, mask=cut.getchannel("A"))
    return behind, _cut_warning(share)


def _wider(
    request: EditRequest, picture: Image.Image, options: Mapping[str, Any]
) -> tuple[Image.Image, tuple[str, ...]]:
    sides = {side: int(options.get(side, 0)) for side in SIDES}
    if not any(sides.values()) and request.width and request.height:  # as much on either side as makes the size
        wide, high = max(0, request.width - picture.width), max(0, request.height - picture.height)
        sides = {"left": wide // 2, "right": wide - wide // 2, "up": high // 2, "down": high - high // 2}
    said = "Around the picture its own edges were continued; what the prompt says was not drawn there."
    return retouch.outpaint(picture, **sides), (said,) if request.prompt else ()


def _factor(request: EditRequest, picture: Image.Image, options: Mapping[str, Any]) -> float:
    if "factor" not in options and (request.width or request.height):
        return max((request.width or 0) / picture.width, (request.height or 0) / picture.height)
    return float(options.get("factor", 2))


def _mask(request: EditRequest, mask: Media | None, image: Media, size: Size) -> Image.Image:
    if mask is None:
        raise InvalidRequest(f"{request.operation} needs a mask: white where the picture is to change.")
    white = read_mask(mask, image)
    return white if white.size == size else white.resize(size)


def _cut_warning(share: float) -> tuple[str, ...]:
    if share == 0:
        return ("No background was found: the corners have nothing in common with what is beside them.",)
    if share > LOST:
        return ("Nearly all of the picture is like its corners, so nearly all of it was taken away.",)
    return ()
