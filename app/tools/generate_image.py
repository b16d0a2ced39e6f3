"""generate_image: a picture from a prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from providers.types import ImageRequest

from .base import Arguments, InvalidArguments, Maker, Ref
from .context import Context

SIZE = re.compile(r"(\d{2,5})\s*[xX:*]\s*(\d{2,5})")
SIZE_WORDS = '"WIDTHxHEIGHT" in pixels such as "1536x1024", "16:9", or square, landscape, portrait.'
OPTIONS_WORDS = "What only some models know, such as negative_prompt, style_preset or quality."
SHAPES = {"square": (1024, 1024), "landscape": (1536, 1024), "portrait": (1024, 1536)}


class ImageFields(Arguments):
    prompt: str = Field(min_length=1, max_length=32_000, description="What the picture shows.")
    size: str | None = Field(None, description=SIZE_WORDS)
    n: int = Field(1, ge=1, le=10, description="How many variants of this picture.")
    seed: int | None = Field(None, ge=0, le=2**32 - 1, description="The same seed repeats a picture, where it can.")
    reference_images: list[Ref] = Field(
        default_factory=list,
        max_length=16,
        description="Ids (asset_...) of pictures whose character, product or style is to be kept.",
    )
    options: dict[str, Any] = Field(default_factory=dict, description=OPTIONS_WORDS)


class ImageArguments(ImageFields):
    provider: str | None = Field(None, description="The image model; leave it out for the default.")


class GenerateImage(Maker[ImageArguments]):
    name = "generate_image"
    description = (
        "Make a picture from a prompt. Call it once for each different picture; n gives variants of one. "
        "With reference_images a character or product stays the same from picture to picture."
    )
    modality = "image"
    basic_need = "text_to_image"
    Arguments = ImageArguments

    async def request(self, arguments: ImageArguments, context: Context) -> ImageRequest:
        width, height = parse_size(arguments.size)
        return ImageRequest(
            model="",
            prompt=arguments.prompt,
            width=width,
            height=height,
            seed=arguments.seed,
            references=await ids_of(context, arguments.reference_images),
            options=arguments.options,
        )


async def ids_of(context: Context, refs: Sequence[str]) -> tuple[str, ...]:
    """The asset ids of pictures named by id or address."""
    return tuple([(await context.input(ref, "image")).id for ref in refs])


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
