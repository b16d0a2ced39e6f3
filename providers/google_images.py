"""Pictures by generateContent: what is asked for, from text or from pictures, and what comes.

Facts: google-genai 3.4.0, types.py (ImageConfig). One call makes one picture; its size is a shape and a tier.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from .catalogue import Model
from .drawing_limits import check_count, input_pictures, seed_warning
from .edits import as_drawing, check_edit
from .errors import NotOffered
from .google_answers import Json, candidate_of, decoded, inline, usage_of
from .google_files import Placed
from .options import fit_options
from .shapes import Size, asked_size, nearest_ratio, size_warning
from .types import Done, EditRequest, ImageRequest, Media, Output

TIERS = {"512": 512, "1K": 1024, "2K": 2048, "4K": 4096}
"""`imageSize` -> the side of a square of that many pixels."""
ENOUGH = 0.75
"""Of the side asked for: so 1792x1024 is made at 1K, 1920x1080 at 2K and 3840x2160 at 4K."""


def drawing_of(model: Model, request: ImageRequest | EditRequest, media: Mapping[str, Media]) -> ImageRequest:
    """The picture to draw, an edit as one from references. Raises NotOffered, before anything is uploaded."""
    check_count(model, request.n)
    fit_options(model, request.options)
    if isinstance(request, EditRequest):
        check_edit(model, request)
        request = as_drawing(request)
    input_pictures(model, request.references, media)
    return request


def image_body(model: Model, request: ImageRequest, placed: list[Placed]) -> tuple[Json, tuple[str, ...]]:
    """The JSON body of a drawing. Without a size the picture is a square, or keeps the shape of the one it is from."""
    _, warnings = fit_options(model, request.options)
    shape, bent = image_config(model, asked_size(request))
    # "IMAGE" alone: allowed to write as well, a model may answer with words only, and is paid for them.
    config = {"responseModalities": ["IMAGE"]} | ({"imageConfig": shape} if shape else {})
    parts = [{"text": request.prompt}, *(one.part() for one in placed)]
    # Since 2026-10-26 new paid projects store what is sent unless it says otherwise.
    body = {"contents": [{"role": "user", "parts": parts}], "generationConfig": config, "store": False}
    return body, bent + warnings + seed_warning(model, request)


def image_config(model: Model, size: Size | None) -> tuple[Json, tuple[str, ...]]:
    """The shape nearest to a size and the least tier that is enough, and a warning where they are not that size.

    A model with one tier is not told it: the older ones do not know the field.
    """
    if size is None:
        return {}, ()
    if min(size) < 1:
        raise NotOffered(f"There is no picture of {size[0]}x{size[1]} pixels.")
    ratio = nearest_ratio(model.limits.get("ratios", ()), size)
    if ratio is None:
        return {}, (f"{model.id} chooses the size of its pictures; {size[0]}x{size[1]} was ignored.",)
    tiers = model.limits.get("sizes", ["1K"])
    side = ENOUGH * math.sqrt(size[0] * size[1])
    tier = next((tier for tier in tiers if TIERS[tier] >= side), tiers[-1])
    exact = ratio == "1:1" and size == (TIERS[tier], TIERS[tier])
    warnings = () if exact else size_warning(model.id, size, ratio, tier)
    return {"aspectRatio": ratio} | ({"imageSize": tier} if len(tiers) > 1 else {}), warnings


def picture_of(answer: Json, model: Model, warnings: tuple[str, ...]) -> Done:
    """The picture in an answer, decoded (megabytes: call it off the event loop). Raises Moderated, MalformedAnswer.

    It stands anywhere among the parts. Of several the last is the finished one; those before it are drafts.
    """
    found = candidate_of(answer)
    drawn = [data for kind, data in map(inline, found.parts) if kind.startswith("image/") and data]
    if not drawn:
        raise found.nothing("a picture")
    return Done((Output(data=decoded(drawn[-1])),), usage=usage_of(answer, model), warnings=warnings)
