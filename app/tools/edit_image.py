"""edit_image: a picture that is there, changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from providers.catalogue import Catalogue
from providers.types import EditRequest, Operation

from .base import Arguments, Choice, Maker, Ref
from .context import Context
from .generate_image import OPTIONS_WORDS, SIZE_WORDS, ids_of, parse_size

OPERATIONS: Mapping[Operation, str] = {
    "edit": "follow the instruction",
    "inpaint": "fill the masked part with what the instruction describes",
    "erase": "remove what the mask covers",
    "outpaint": "add to the edges; options left, right, up, down in pixels",
    "search_replace": "put what the instruction describes in the place of what the option search names",
    "search_recolor": "give what the option search names the colour of the instruction",
    "remove_background": "cut the subject out",
    "upscale": "more pixels",
}
NEED_MASK = ("inpaint", "erase")
NEED_NO_WORDS = ("erase", "outpaint", "remove_background", "upscale")


class EditFields(Arguments):
    image: Ref = Field(description="The id (asset_...) or https address of the picture to change.")
    instruction: str = Field("", max_length=32_000, description="What is to be different; all else stays as it is.")
    mask: Ref | None = Field(
        None, description="The id of a picture of the same size: white where it may change, black where it must not."
    )
    operation: Operation | None = Field(
        None, description="What kind of change; left out: edit, or inpaint where there is a mask."
    )
    size: str | None = Field(None, description=SIZE_WORDS)
    n: int = Field(1, ge=1, le=10, description="How many variants.")
    seed: int | None = Field(None, ge=0, le=2**32 - 1, description="The same seed repeats a result, where it can.")
    reference_images: list[Ref] = Field(
        default_factory=list, max_length=15, description="Ids of further pictures the instruction speaks of."
    )
    options: dict[str, Any] = Field(default_factory=dict, description=OPTIONS_WORDS)

    @property
    def kind(self) -> Operation:
        """The operation, also where it was left out."""
        return self.operation or ("inpaint" if self.mask else "edit")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind in NEED_MASK and self.mask is None:
            raise ValueError(f"{self.kind} needs a mask: a picture that is white where the image may change")
        if self.kind not in NEED_NO_WORDS and not self.instruction.strip():
            raise ValueError(f"{self.kind} needs an instruction that says what is to be different")
        return self


class EditArguments(EditFields):
    provider: str | None = Field(None, description="The image model; leave it out for the default.")


class EditImage(Maker[EditArguments]):
    name = "edit_image"
    description = (
        "Change a picture that is there: an upload or an earlier result, by its id. Use it rather than generate_image "
        "whenever the request is about an existing picture."
    )
    modality = "image"
    basic_need = "edit"
    Arguments = EditArguments

    def offered(self, catalogue: Catalogue) -> bool:
        return bool(offered_operations(catalogue))

    def choices(self, catalogue: Catalogue) -> Mapping[str, list[Choice]]:
        operations = offered_operations(catalogue)
        able = {model.name: model for need in operations for model in catalogue.offered("image", {need})}
        providers = [Choice(catalogue.shown_name(model), model.when) for model in able.values() if model.when]
        return {"operation": [Choice(name, OPERATIONS[name]) for name in operations], "provider": providers}

    async def request(self, arguments: EditArguments, context: Context) -> EditRequest:
        width, height = parse_size(arguments.size)
        return EditRequest(
            model="",
            operation=arguments.kind,
            prompt=arguments.instruction,
            image=(await context.input(arguments.image, "image")).id,
            mask=(await context.input(arguments.mask, "image")).id if arguments.mask else None,
            references=await ids_of(context, arguments.reference_images),
            width=width,
            height=height,
            seed=arguments.seed,
            options=arguments.options,
        )


def offered_operations(catalogue: Catalogue) -> list[Operation]:
    """What can be done to a picture here and now."""
    return [operation for operation in OPERATIONS if catalogue.offered("image", {operation})]
