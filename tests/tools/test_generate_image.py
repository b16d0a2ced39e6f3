"""generate_image: sizes as planners write them, and the names clients know."""

import pytest

from app.tools.base import InvalidArguments
from app.tools.generate_image import GenerateImage, parse_size
from providers.errors import NotOffered
from providers.types import ImageRequest
from tests.doubles import Recorder

pytestmark = pytest.mark.anyio


async def requested(arguments: str, context: Recorder) -> ImageRequest:
    """The one request the tool makes of these arguments."""
    tool = GenerateImage()
    await tool.run(tool.parse(arguments), context)
    (request,) = context.requests
    assert isinstance(request, ImageRequest)
    return request


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (None, (None, None)),
        ("", (None, None)),
        ("auto", (None, None)),
        ("square", (1024, 1024)),
        ("Landscape", (1536, 1024)),
        (" portrait ", (1024, 1536)),
        ("1024x1024", (1024, 1024)),
        ("1792X1024", (1792, 1024)),
        ("640 * 480", (640, 480)),
        ("1280:720", (1280, 720)),
        ("16:9", (1536, 864)),
        ("9 : 16", (864, 1536)),
        ("1:1", (1536, 1536)),
        ("1:99", (64, 1536)),
    ],
)
def test_size_is_understood(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["huge", "1080p", "1024", "0:9", "1x1", "99999x99999", "-64x64", "64x64x64", "1024xx1024"]
)
def test_size_that_is_nonsense_says_how_to_write_it(text):
    with pytest.raises(InvalidArguments, match='is not understood; write it as "WIDTHxHEIGHT"'):
        parse_size(text)


async def test_prompt_and_size_reach_the_request():
    request = await requested('{"prompt": "a red fox", "size": "16:9"}', Recorder())
    assert (request.prompt, request.width, request.height) == ("a red fox", 1536, 864)


async def test_size_left_out_is_left_to_the_model():
    request = await requested('{"prompt": "a red fox"}', Recorder())
    assert (request.width, request.height) == (None, None)


async def test_dalle3_is_a_living_gpt_image_model_with_a_warning():
    tool, context = GenerateImage(), Recorder("openai", "replicate")
    result = await tool.run(tool.parse('{"prompt": "a cat", "provider": "dalle3"}'), context)
    assert context.requests[0].model == "openai/gpt-image-2.5-sunburst"
    assert "dalle3 (dall-e-3) was retired by its vendor on 2026-05-12" in result.facts["warnings"][0]


async def test_dalle3_without_an_openai_key_is_another_living_model():
    request = await requested('{"prompt": "a cat", "provider": "dalle3"}', Recorder("replicate"))
    assert request.model == "replicate/flux-1.1-pro"


async def test_flux_is_a_valid_name():
    request = await requested('{"prompt": "a cat", "provider": "flux"}', Recorder())
    assert request.model == "replicate/flux-1.1-pro"


async def test_model_that_needs_a_picture_is_not_hired_for_text():
    arguments = '{"prompt": "a cat", "provider": "gen4_image_turbo"}'
    with pytest.raises(NotOffered, match="gen4_image_turbo cannot do this"):
        await requested(arguments, Recorder("runway"))


@pytest.mark.parametrize("arguments", ['{"prompt": ""}', '{"prompt": 3}', '{"prompt": "' + "x" * 32_001 + '"}'])
def test_prompt_of_the_wrong_length_or_kind_is_refused(arguments):
    with pytest.raises(InvalidArguments, match="prompt: "):
        GenerateImage().parse(arguments)
