"""transcribe_audio: the words, their times, subtitles, other languages."""

import json

import pytest

from app.tools.base import InvalidArguments, Result, ToolFailed
from app.tools.transcribe_audio import MOST_TOLD, TranscribeAudio
from providers.errors import NotOffered
from tests.doubles import Recorder

pytestmark = pytest.mark.anyio

MEDIA = {"asset_sound": "audio", "asset_clip": "video", "asset_a": "image"}
HEARD = {
    "text": "Good morning. How are you?",
    "language": "en",
    "segments": [
        {"text": "Good morning.", "start_s": 0.0, "end_s": 1.25, "speaker": "A"},
        {"text": "How are you?", "start_s": 1.5, "end_s": 2.75, "speaker": "B"},
    ],
    "words": [{"text": "Good", "start_s": 0.0, "end_s": 0.4}],
}


async def transcribed(context: Recorder, **arguments: object) -> Result:
    """The result of one call."""
    tool = TranscribeAudio()
    return await tool.run(tool.parse(json.dumps({"audio": "asset_sound", **arguments})), context)


def files(context: Recorder) -> dict[str, str]:
    """What was kept, by name."""
    return {file.filename: file.data.decode() for file in context.files}


async def test_subtitles_are_kept_as_srt_and_vtt():
    context = Recorder("openai", assets=MEDIA, heard=HEARD)
    result = await transcribed(context)
    assert files(context)["transcript.srt"].splitlines()[:3] == [
        "1",
        "00:00:00,000 --> 00:00:01,250",
        "A: Good morning.",
    ]
    assert "00:00:01.500 --> 00:00:02.750\nB: How are you?" in files(context)["transcript.vtt"]
    assert result.asset_ids == ("asset_transcript.srt", "asset_transcript.vtt")


async def test_caller_gets_the_words_and_the_planner_does_not():
    result = await transcribed(Recorder("openai", assets=MEDIA, heard=HEARD))
    assert result.details["words"] == HEARD["words"]
    assert "words" not in result.facts
    assert result.words == "Good morning. How are you?"


async def test_long_transcript_is_cut_for_the_planner_alone():
    long = {"text": "word " * 10_000}
    result = await transcribed(Recorder("openai", assets=MEDIA, heard=long))
    assert len(result.facts["text"]) < MOST_TOLD + 100
    assert result.details["text"] == long["text"]


async def test_default_model_gives_times():
    context = Recorder("openai", assets=MEDIA, heard=HEARD)
    await transcribed(context)
    assert context.requests[0].model == "openai/whisper-1"
    assert (context.requests[0].timestamps, context.requests[0].duration_s) == ("segment", 8.0)


async def test_model_without_times_is_used_for_the_text_alone_and_says_so():
    context = Recorder("openai", assets=MEDIA, heard={"text": "Hello."})
    result = await transcribed(context, provider="gpt-transcribe")
    assert context.requests[0].timestamps == "none"
    assert result.facts["warnings"] == ("gpt-transcribe gives no times, so there are no subtitles.",)
    assert not context.files


async def test_times_of_words_are_not_left_out_in_silence():
    with pytest.raises(NotOffered, match=r"gpt-transcribe cannot do this .*timestamps"):
        await transcribed(Recorder("openai", assets=MEDIA), provider="gpt-transcribe", timestamps="word")


async def test_speakers_choose_a_model_that_tells_them_apart():
    context = Recorder("openai", assets=MEDIA, heard=HEARD)
    await transcribed(context, speakers=True, timestamps="none")
    assert context.requests[0].model == "openai/gpt-4o-transcribe-diarize"


async def test_translation_keeps_the_times_where_the_lines_answer_each_other():
    context = Recorder("openai", assets=MEDIA, heard=HEARD, written="Guten Morgen.\nWie geht es dir?\n")
    result = await transcribed(context, translate="German")
    assert result.words == "Guten Morgen. Wie geht es dir?"
    assert "00:00:01.500 --> 00:00:02.750\nB: Wie geht es dir?" in files(context)["translation.vtt"]
    assert result.details["translated_into"] == "German"


async def test_translation_in_other_lines_has_no_subtitles():
    context = Recorder("openai", assets=MEDIA, heard=HEARD, written="Guten Morgen, wie geht es dir?")
    result = await transcribed(context, translate="German")
    assert (result.words, len(context.files)) == ("Guten Morgen, wie geht es dir?", 2)


class Mute(Recorder):
    """A context whose enhancer does not write."""

    async def write(self, instructions: str, text: str) -> str:
        raise ToolFailed("The cap is reached.")


async def test_transcript_is_handed_over_when_it_cannot_be_translated():
    context = Mute("openai", assets=MEDIA, heard=HEARD)
    result = await transcribed(context, translate="German")
    assert (result.words, len(context.files)) == (HEARD["text"], 2)
    assert result.facts["warnings"] == ("It could not be translated: The cap is reached.",)
    assert "translation" not in result.details


async def test_clip_is_listened_to_and_a_picture_is_not():
    context = Recorder("openai", assets=MEDIA, heard=HEARD)
    await transcribed(context, audio="asset_clip")
    assert context.requests[0].audio == "asset_clip"
    with pytest.raises(InvalidArguments, match="asset_a is of type image"):
        await transcribed(context, audio="asset_a")
