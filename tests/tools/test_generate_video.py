"""generate_video: durations, first frames, and the heirs of retired models."""

import pytest

from app.errors import NotFound
from app.tools.base import InvalidArguments
from app.tools.generate_video import GenerateVideo
from providers.errors import NotOffered
from providers.types import VideoRequest
from tests.doubles import Recorder

pytestmark = pytest.mark.anyio

PICTURE = {"asset_1": "image", "asset_2": "speech"}


async def requested(arguments: str, context: Recorder) -> VideoRequest:
    """The one request the tool makes of these arguments."""
    tool = GenerateVideo()
    await tool.run(tool.parse(arguments), context)
    (request,) = context.requests
    assert isinstance(request, VideoRequest)
    return request


async def test_defaults_are_five_seconds_of_the_default_model():
    request = await requested('{"prompt": "waves"}', Recorder())
    assert request == VideoRequest(model="runway/gen4.5", prompt="waves", duration_s=5)


async def test_duration_size_and_first_frame_reach_the_request():
    arguments = '{"prompt": "waves", "duration": 8, "size": "portrait", "image": "asset_1"}'
    request = await requested(arguments, Recorder(assets=PICTURE))
    assert (request.duration_s, request.width, request.height, request.image) == (8, 720, 1280, "asset_1")


@pytest.mark.parametrize(
    ("size", "pixels"),
    [("landscape", (1280, 720)), ("square", (960, 960)), ("16:9", (1280, 720)), ("auto", (None, None))],
)
async def test_sizes_are_those_of_films(size, pixels):
    request = await requested(f'{{"prompt": "waves", "size": "{size}"}}', Recorder())
    assert (request.width, request.height) == pixels


@pytest.mark.parametrize("duration", ["0", "-1", "61", "NaN", '"long"'])
def test_duration_outside_the_limits_is_refused(duration):
    with pytest.raises(InvalidArguments):
        GenerateVideo().parse(f'{{"prompt": "waves", "duration": {duration}}}')


async def test_gen3a_turbo_for_text_goes_to_gen4_5():
    tool, context = GenerateVideo(), Recorder()
    result = await tool.run(tool.parse('{"prompt": "waves", "provider": "gen3a_turbo"}'), context)
    assert context.requests[0].model == "runway/gen4.5"
    assert "gen3a_turbo was retired by its vendor; gen4.5 was used instead" in result.facts["warnings"][0]


async def test_gen3a_turbo_for_an_image_goes_to_gen4_turbo():
    arguments = '{"prompt": "waves", "provider": "gen3a_turbo", "image": "asset_1"}'
    request = await requested(arguments, Recorder(assets=PICTURE))
    assert request.model == "runway/gen4_turbo"


async def test_pinned_model_that_cannot_start_from_text_names_those_that_can():
    with pytest.raises(NotOffered, match=r"gen4_turbo cannot do this \(text_to_video\); .*: gen4\.5"):
        await requested('{"prompt": "waves"}', Recorder(pins={"video": "gen4_turbo"}))


async def test_sora_is_replaced_by_a_living_model():
    request = await requested('{"prompt": "waves", "provider": "sora-2"}', Recorder())
    assert request.model == "runway/gen4.5"


async def test_first_frame_that_is_no_picture_is_refused():
    with pytest.raises(InvalidArguments, match="asset_2 is of type speech"):
        await requested('{"prompt": "waves", "image": "asset_2"}', Recorder(assets=PICTURE))


async def test_first_frame_that_is_not_there_is_refused():
    with pytest.raises(NotFound, match="asset_9"):
        await requested('{"prompt": "waves", "image": "asset_9"}', Recorder(assets=PICTURE))
