"""generate_speech: the words, the voice, the defaults."""

import pytest

from app.tools.base import InvalidArguments
from app.tools.generate_speech import GenerateSpeech
from providers.errors import NotOffered
from providers.types import SpeechRequest
from tests.doubles import Recorder, catalogue

pytestmark = pytest.mark.anyio


async def requested(arguments: str, context: Recorder) -> SpeechRequest:
    """The one request the tool makes of these arguments."""
    tool = GenerateSpeech()
    await tool.run(tool.parse(arguments), context)
    (request,) = context.requests
    assert isinstance(request, SpeechRequest)
    return request


async def test_defaults_are_nova_as_mp3_at_normal_speed():
    request = await requested('{"text": "Good morning."}', Recorder())
    assert request == SpeechRequest(model="openai/tts-1", text="Good morning.", voice="nova", format="mp3", speed=1.0)


async def test_every_argument_reaches_the_request():
    arguments = (
        '{"text": "Good morning.", "voice": "onyx", "provider": "gpt-4o-mini-tts", "format": "wav", "speed": 1.2, '
        '"instructions": "softly"}'
    )
    request = await requested(arguments, Recorder())
    assert request.model == "openai/gpt-4o-mini-tts"
    assert (request.voice, request.format, request.speed, request.instructions) == ("onyx", "wav", 1.2, "softly")


@pytest.mark.parametrize("voice", ["alloy", "echo", "fable", "onyx", "nova", "shimmer"])
async def test_voices_are_those_clients_know(voice):
    assert (await requested(f'{{"text": "Hi.", "voice": "{voice}"}}', Recorder())).voice == voice


def test_planner_is_shown_the_voices_every_model_has():
    voice = GenerateSpeech().spec(catalogue("openai")).parameters["properties"]["voice"]
    assert voice["enum"] == ["alloy", "echo", "fable", "onyx", "nova", "shimmer"]


async def test_voice_of_a_models_own_reaches_the_request():
    assert (await requested('{"text": "Hi.", "voice": "marin"}', Recorder())).voice == "marin"


@pytest.mark.parametrize("speed", ["0.1", "5", "Infinity"])
def test_speed_outside_the_limits_is_refused(speed):
    with pytest.raises(InvalidArguments):
        GenerateSpeech().parse(f'{{"text": "Hi.", "speed": {speed}}}')


async def test_model_without_speech_is_not_hired():
    with pytest.raises(NotOffered, match="gpt-realtime-2 cannot do this"):
        await requested('{"text": "Hi.", "provider": "gpt-realtime-2"}', Recorder())
