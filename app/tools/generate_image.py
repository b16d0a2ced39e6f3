"""generate_image: a picture from a prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import Field

from providers.types import ImageRequest

from .base import Arguments, Context, InvalidArguments, Maker

SIZE = re.compile(r"(\d{2,5})\s*[xX:*]\s*(\d{2,5})")
SHAPES = {"square": (1024, 1024), "landscape": (1536, 1024), "portrait": (1024, 1536)}


class ImageArguments(Arguments):
    prompt: str = Field(min_length=1, max_length=32_000, description="What the picture shows.")
    provider: str | None = Field(None, description="The image model; leave it out for the default.")
    size: str | None = Field(
        None, description='"WIDTHxHEIGHT" in pixels such as "1536x1024", or square, landscape, portrait.'
    )


class GenerateImage(Maker[ImageArguments]):
    name = "generate_image"
    description = "Make one picture from a prompt. Call it once for each picture that is asked for."
    modality = "image"
    basic_need = "text_to_image"
    Arguments = ImageArguments

    async def request(self, arguments: ImageArguments, context: Context) -> ImageRequest:
        width, height = parse_size(arguments.size)
        return ImageRequest(model="", prompt=arguments.prompt, width=width, height=height)


def parse_size(text: str | None, shapes: Mapping[str, tuple[int, int]] = SHAPES) -> tuple[int | None, int | None]:
    """Width and height in pixels; a ratio such as 16:9 gets landscape's long side. Raises InvalidArguments."""
    if text is None or text.strip().lower() in ("", "auto"):
        return None, None
    if shape := shapes.get(text.strip().lower()):
        return shape
    if ratio := re.fullmatch(r"\s*(\d{1,2})\s*:\s*(\d{1,2})\s*", text):
        across, down = int(ratio[1]), int(ratio[2])
        if across and down:
            scale = shapes["landscape"][0] / max(across, down)
            return max(64, round(across * scale / 16) * 16), max(64, round(down * scale / 16) * 16)
    if (pixels := SIZE.fullmatch(text.strip())) and all(16 <= int(side) <= 16_384 for side in pixels.groups()):
        return int(pixels[1]), int(pixels[2])
    raise InvalidArguments(f'size {text!r} is not understood; write it as "WIDTHxHEIGHT", for example "1024x1024".')
