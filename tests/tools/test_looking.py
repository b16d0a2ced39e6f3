"""The tools that look and listen: what is asked of the model, and what becomes of its answer."""

import json

import pytest

from app.tools.analyze_audio import AnalyzeAudio
from app.tools.analyze_image import AnalyzeImage, ImageAnalysis
from app.tools.analyze_video import AnalyzeVideo
from app.tools.base import InvalidArguments, Result, Tool
from app.tools.looking import Unreadable, read_json, schema_of
from tests.doubles import Recorder

pytestmark = pytest.mark.anyio

MEDIA = {"asset_a": "image", "asset_b": "image", "asset_clip": "video", "asset_sound": "audio", "asset_voice": "speech"}
SEEN = {"description": "A cat.", "answer": "Two.", "objects": ["cat"], "scene": "a roof", "style": "photograph"}


async def looked(tool: Tool, context: Recorder, **arguments: object) -> Result:
    """The result of one call."""
    return await tool.run(tool.parse(json.dumps(arguments)), context)


async def test_all_pictures_are_looked_at_in_one_question():
    context = Recorder(assets=MEDIA, answers=[SEEN])
    await looked(AnalyzeImage(), context, images=["asset_a", "asset_b"], question="How many cats?", detail="high")
    (question,) = context.questions
    assert (question.media_ids, question.detail) == (("asset_a", "asset_b"), "high")
    assert question.text == "Question:\nHow many cats?"


async def test_answer_is_typed_and_tells_the_model_and_the_tokens_of_the_pictures():
    context = Recorder(assets=MEDIA, answers=[{**SEEN, "mood": "calm"}])
    result = await looked(AnalyzeImage(), context, images=["asset_a"])
    assert result.details == {
        **SEEN,
        "colors": [],
        "key_themes": [],
        "model": "openai/gpt-4o",
        "image_tokens": 765,
    }
    assert result.words == "Two."


async def test_text_goes_along_to_be_summed_up():
    context = Recorder(assets=MEDIA, answers=[{**SEEN, "summary": "Cats climb.", "key_themes": ["cats"]}])
    result = await looked(AnalyzeImage(), context, images=["asset_a"], text="Cats climb roofs.")
    assert context.questions[0].text == "Text:\nCats climb roofs."
    assert (result.details["summary"], result.details["key_themes"]) == ("Cats climb.", ["cats"])


async def test_unreadable_answer_is_asked_for_again_once_with_what_was_wrong():
    context = Recorder(assets=MEDIA, answers=["It is a cat.", SEEN])
    await looked(AnalyzeImage(), context, images=["asset_a"])
    assert "The answer is not JSON" in context.questions[1].text
    assert "It is a cat." in context.questions[1].text


async def test_second_unreadable_answer_is_a_failure():
    context = Recorder(assets=MEDIA, answers=["It is a cat.", '{"objects": []}'])
    with pytest.raises(Unreadable, match="description: Field required"):
        await looked(AnalyzeImage(), context, images=["asset_a"])


async def test_moments_behind_the_end_of_the_clip_are_left_out():
    moments = [{"at_s": 2.5, "what": "it yawns"}, {"at_s": 90, "what": "it leaves"}]
    context = Recorder(assets=MEDIA, answers=[{"description": "A cat.", "moments": moments}])
    result = await looked(AnalyzeVideo(), context, video="asset_clip")
    assert result.details["moments"] == moments[:1]
    assert context.questions[0].needs == {"video_input"}


@pytest.mark.parametrize("sound", ["asset_sound", "asset_voice"])
async def test_uploaded_and_spoken_sound_is_listened_to(sound):
    context = Recorder(assets=MEDIA, answers=[{"description": "A woman speaks.", "tone": "sad"}])
    result = await looked(AnalyzeAudio(), context, audio=sound)
    assert (result.details["tone"], result.words) == ("sad", "A woman speaks.")


async def test_sound_is_no_picture():
    with pytest.raises(InvalidArguments, match="asset_sound is of type audio"):
        await looked(AnalyzeImage(), Recorder(assets=MEDIA), images=["asset_sound"])


def test_schema_is_closed_and_requires_everything_as_strict_modes_want_it():
    schema = schema_of(ImageAnalysis)
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == set(schema["properties"])
    assert schema["title"] == "ImageAnalysis"


@pytest.mark.parametrize("text", ['{"a": 1}', '```json\n{"a": 1}\n```', ' ```\n{"a": 1}\n``` '])
def test_object_is_read_with_or_without_a_fence(text):
    assert read_json(text) == {"a": 1}


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000])
def test_anything_but_an_object_is_unreadable(text):
    with pytest.raises(Unreadable):
        read_json(text)


def test_what_no_client_and_no_database_takes_is_left_out_of_an_answer():
    assert read_json('{"what\\u0000": ["half a \\ud83d", {"x": "\\u0000."}]}') == {"what": ["half a ", {"x": "."}]}


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_number_that_is_not_finite_is_unreadable(number):
    with pytest.raises(Unreadable, match="not finite"):
        read_json(f'{{"confidence": {number}}}')
