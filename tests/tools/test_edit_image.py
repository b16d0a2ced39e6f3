"""edit_image: which change, of which picture, by which model."""

import json

import pytest

from app.tools.base import InvalidArguments
from app.tools.edit_image import EditImage
from providers.types import EditRequest
from tests.doubles import Recorder, catalogue

pytestmark = pytest.mark.anyio

PICTURES = {"asset_a": "image", "asset_mask": "image", "asset_hat": "image", "asset_clip": "video"}


async def requested(context: Recorder, **arguments: object) -> EditRequest:
    """The one request the tool makes of these arguments."""
    tool = EditImage()
    await tool.run(tool.parse(json.dumps({"image": "asset_a", **arguments})), context)
    (request,) = context.requests
    assert isinstance(request, EditRequest)
    return request


async def test_instruction_changes_the_picture_that_is_named():
    request = await requested(Recorder(assets=PICTURES), instruction="a hat on the cat")
    assert (request.operation, request.image, request.prompt) == ("edit", "asset_a", "a hat on the cat")


async def test_mask_makes_it_an_inpainting():
    request = await requested(Recorder(assets=PICTURES), instruction="a hat", mask="asset_mask")
    assert (request.operation, request.mask, request.model) == ("inpaint", "asset_mask", "openai/gpt-image-2.6-flare")


async def test_further_pictures_go_along():
    request = await requested(
        Recorder(assets=PICTURES), instruction="the hat on the cat", reference_images=["asset_hat"]
    )
    assert request.references == ("asset_hat",)


@pytest.mark.parametrize("operation", ["inpaint", "erase"])
async def test_operation_that_needs_a_mask_says_so(operation):
    with pytest.raises(InvalidArguments, match=f"{operation} needs a mask"):
        await requested(Recorder(assets=PICTURES), instruction="a hat", operation=operation)


async def test_edit_without_an_instruction_says_so():
    with pytest.raises(InvalidArguments, match="edit needs an instruction"):
        await requested(Recorder(assets=PICTURES), instruction=" ")


async def test_clip_is_no_picture():
    with pytest.raises(InvalidArguments, match="asset_clip is of type video"):
        await requested(Recorder(assets=PICTURES), instruction="a hat", image="asset_clip")


async def test_variants_of_a_model_that_makes_one_are_several_calls():
    context = Recorder(assets=PICTURES)
    tool = EditImage()
    asked = {"image": "asset_a", "instruction": "a hat", "n": 3, "seed": 5, "provider": "flux-kontext-pro"}
    result = await tool.run(tool.parse(json.dumps(asked)), context)
    assert [(request.n, request.seed) for request in context.requests] == [(1, 5), (1, 6), (1, 7)]
    assert len(result.asset_ids) == 3


def test_only_operations_that_work_here_are_listed():
    operations = EditImage().spec(catalogue("openai")).parameters["properties"]["operation"]
    assert operations["enum"] == ["edit", "inpaint"]
