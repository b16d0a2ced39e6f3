"""enhance_prompt: the instructions for the target's modality and limits, and the answer held to its length."""

import datetime as dt

import pytest

from app.tools.base import InvalidArguments
from app.tools.enhance_prompt import EnhancePrompt, shorten
from providers.errors import Unavailable
from tests.doubles import Recorder, catalogue

pytestmark = pytest.mark.anyio


async def enhanced(arguments: str, context: Recorder) -> str:
    """The prompt the tool answers with."""
    tool = EnhancePrompt()
    result = await tool.run(tool.parse(arguments), context)
    return str(result.facts["prompt"])


def words(count: int) -> str:
    return " ".join(["word"] * count)


@pytest.mark.parametrize(
    ("modality", "target"), [("image", "gpt-image-2.6-flare"), ("video", "gen4.5"), ("speech", "tts-1")]
)
async def test_instructions_are_those_of_the_modality_and_its_default_model(modality, target):
    context = Recorder()
    await enhanced(f'{{"prompt": "a cat", "modality": "{modality}"}}', context)
    assert context.instructions[0].startswith(f"MODALITY: {modality}\n")
    assert f"will be read by {target}." in context.instructions[0]


@pytest.mark.parametrize(
    ("modality", "sentence"),
    [
        ("image", "At most 200 words and at most 32000 characters."),
        ("video", "At most 150 words and at most 1000 characters."),
        ("speech", "Answer with the text alone and at most 4096 characters."),
    ],
)
async def test_instructions_state_the_targets_limit(modality, sentence):
    context = Recorder()
    await enhanced(f'{{"prompt": "a cat", "modality": "{modality}"}}', context)
    assert sentence in context.instructions[0]


async def test_target_without_a_limit_leaves_no_gap():
    context = Recorder("replicate")
    await enhanced('{"prompt": "a cat", "modality": "image", "provider": "flux"}', context)
    assert "will be read by flux-1.1-pro." in context.instructions[0]
    assert "At most 200 words. Answer" in context.instructions[0]


async def test_pinned_model_is_the_target():
    context = Recorder(pins={"image": "flux-schnell"})
    await enhanced('{"prompt": "a cat", "modality": "image", "provider": "dalle3"}', context)
    assert "will be read by flux-schnell." in context.instructions[0]


@pytest.mark.parametrize(("modality", "limit"), [("image", 200), ("video", 150)])
async def test_answer_is_held_to_the_word_limit(modality, limit):
    prompt = await enhanced(f'{{"prompt": "a cat", "modality": "{modality}"}}', Recorder(written=words(limit + 1)))
    assert prompt == words(limit)


async def test_answer_within_the_limit_is_left_as_it_is():
    assert await enhanced('{"prompt": "a cat", "modality": "image"}', Recorder(written=" A cat,\n\nasleep. ")) == (
        "A cat,\n\nasleep."
    )


async def test_spoken_text_is_never_cut():
    text = words(1000)
    assert await enhanced('{"prompt": "a tale", "modality": "speech"}', Recorder(written=text)) == text


async def test_modality_nobody_offers_says_which_key_is_missing():
    with pytest.raises(Unavailable, match=r"No video model is available here: .*Set RUNWAYML_API_SECRET"):
        await enhanced('{"prompt": "a cat", "modality": "video"}', Recorder("openai"))


def test_only_modalities_that_can_be_made_here_are_listed():
    def modalities(*vendors: str, today: dt.date = dt.date(2026, 11, 20)) -> list[str]:
        spec = EnhancePrompt().spec(catalogue(*vendors, today=today))
        names: list[str] = spec.parameters["properties"]["modality"]["enum"]
        return names

    assert modalities("openai") == ["image", "speech"]
    assert modalities("runway") == ["image", "video"]
    assert modalities("openai", today=dt.date(2027, 2, 1)) == ["image"]


def test_modality_is_one_of_three():
    with pytest.raises(InvalidArguments, match="modality: Input should be 'image', 'video' or 'speech'"):
        EnhancePrompt().parse('{"prompt": "a cat", "modality": "opera"}')


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("one two", 2, "one two"),
        ("one two three", 2, "one two"),
        ("A cat sleeps. The moon rises over", 5, "A cat sleeps."),
        ("It ends! And then nothing much happens", 3, "It ends!"),
        ("One. two three four five six seven", 6, "One. two three four five six"),
        ("A glass bottle of 3.5 litres, and more", 6, "A glass bottle of 3.5 litres,"),
        ('He said "Come in." The door was open', 6, 'He said "Come in."'),
        ("one\n\ntwo  three four", 3, "one\n\ntwo  three"),
    ],
)
def test_shorten_ends_at_a_sentence_of_the_second_half(text, limit, short):
    assert shorten(text, limit) == short
