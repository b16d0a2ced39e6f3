"""generate_video: a clip from a prompt, or a still brought to life."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from providers.types import VideoRequest

from .base import Arguments, Maker, Ref
from .context import Context
from .generate_image import OPTIONS_WORDS, ids_of, parse_size

SHAPES = {"square": (960, 960), "landscape": (1280, 720), "portrait": (720, 1280)}


class VideoFields(Arguments):
    prompt: str = Field(min_length=1, max_length=32_000, description="The scene, the motion and the camera.")
    duration: float = Field(5, gt=0, le=60, description="Length in seconds.")
    size: str | None = Field(None, description='landscape, portrait, square, "16:9", or "WIDTHxHEIGHT" in pixels.')
    image: Ref | None = Field(None, description="The id of a picture (asset_...) to bring to life as the first frame.")
    reference_images: list[Ref] = Field(
        default_factory=list,
        max_length=8,
        description="Ids (asset_...) of pictures whose character or product appears in the clip.",
    )
    video: Ref | None = Field(None, description="The id of a clip (asset_...) to change as the prompt says.")
    seed: int | None = Field(None, ge=0, le=2**32 - 1, description="The same seed repeats a clip, where it can.")
    options: dict[str, Any] = Field(default_factory=dict, description=OPTIONS_WORDS)

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.video is not None and (self.image is not None or self.reference_images):
            raise ValueError("a clip is either changed (video) or made from pictures (image, reference_images)")
        return self


class VideoArguments(VideoFields):
    provider: str | None = Field(None, description="The video model; leave it out for the default.")


class GenerateVideo(Maker[VideoArguments]):
    name = "generate_video"
    description = (
        "Make one video clip from a prompt, animate a picture, or change a clip. Call it once for each clip asked for."
    )
    modality = "video"
    basic_need = "text_to_video"
    Arguments = VideoArguments

    async def request(self, arguments: VideoArguments, context: Context) -> VideoRequest:
        width, height = parse_size(arguments.size, SHAPES)
        clip = await context.input(arguments.video, "video") if arguments.video else None
        own_s = clip.duration_s if clip is not None and "duration" not in arguments.model_fields_set else None
        duration_s = own_s or arguments.duration  # a changed clip is as long as it was
        return VideoRequest(
            model="",
            prompt=arguments.prompt,
            duration_s=duration_s,
            width=width,
            height=height,
            image=(await context.input(arguments.image, "image")).id if arguments.image else None,
            references=await ids_of(context, arguments.reference_images),
            video=clip.id if clip is not None else None,
            seed=arguments.seed,
            options=arguments.options,
        )
