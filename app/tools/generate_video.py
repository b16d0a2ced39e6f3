"""generate_video: a clip from a prompt, or a still brought to life."""

from __future__ import annotations

from pydantic import Field

from providers.types import VideoRequest

from .base import Arguments, Context, InvalidArguments, Maker
from .generate_image import parse_size

SHAPES = {"square": (960, 960), "landscape": (1280, 720), "portrait": (720, 1280)}


class VideoArguments(Arguments):
    prompt: str = Field(min_length=1, max_length=32_000, description="The scene, the motion and the camera.")
    duration: float = Field(5, gt=0, le=60, description="Length in seconds.")
    provider: str | None = Field(None, description="The video model; leave it out for the default.")
    size: str | None = Field(None, description='landscape, portrait, square, "16:9", or "WIDTHxHEIGHT" in pixels.')
    image: str | None = Field(None, description="The id of a picture (asset_...) to bring to life as the first frame.")


class GenerateVideo(Maker[VideoArguments]):
    name = "generate_video"
    description = "Make one video clip from a prompt, or animate a picture. Call it once for each clip asked for."
    modality = "video"
    basic_need = "text_to_video"
    Arguments = VideoArguments

    async def request(self, arguments: VideoArguments, context: Context) -> VideoRequest:
        if arguments.image is not None and (kind := await context.asset_type(arguments.image)) != "image":
            raise InvalidArguments(f"{arguments.image} is of type {kind}; image must be the id of a picture.")
        width, height = parse_size(arguments.size, SHAPES)
        return VideoRequest(
            model="",
            prompt=arguments.prompt,
            duration_s=arguments.duration,
            width=width,
            height=height,
            image=arguments.image,
        )
