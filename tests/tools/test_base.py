"""Tools in general: what the planner is shown, how its arguments are read, which model gets the work."""

import contextlib
import datetime as dt
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from app.tools import built_in
from app.tools.base import Arguments, Choice, InvalidArguments, Tool, Toolbox, read_object
from app.tools.generate_image import GenerateImage
from app.tools.generate_speech import GenerateSpeech
from app.tools.generate_video import GenerateVideo
from providers.catalogue import Catalogue, parse_models
from providers.errors import NotOffered, Unavailable
from tests.doubles import Recorder, catalogue

pytestmark = pytest.mark.anyio

OPENAI_SENSES = ["analyze_image", "analyze_audio", "transcribe_audio", "extract_document"]


def shown(*vendors: str) -> dict[str, dict[str, object]]:
    """The parameters of each tool the planner is shown."""
    return {spec.name: spec.parameters for spec in built_in().specs(catalogue(*vendors))}


def listed(tool: str, argument: str, *vendors: str) -> list[str]:
    """The enumeration of one argument."""
    names: list[str] = shown(*vendors)[tool]["properties"][argument]["enum"]
    return names


# ---- what the planner is shown ---------------------------------------------------------------------------------------


def test_tools_have_the_names_and_arguments_clients_know():
    tools = shown("openai", "replicate", "runway")
    first = ["enhance_prompt", "generate_image", "edit_image", "generate_video", "generate_speech"]
    assert list(tools)[:5] == first
    assert {"prompt", "modality"} <= tools["enhance_prompt"]["properties"].keys()
    assert {"prompt", "provider", "size"} <= tools["generate_image"]["properties"].keys()
    assert {"prompt", "duration"} <= tools["generate_video"]["properties"].keys()
    assert {"text", "voice"} <= tools["generate_speech"]["properties"].keys()


@pytest.mark.parametrize(
    ("tool", "required"),
    [
        ("enhance_prompt", ["prompt", "modality"]),
        ("generate_image", ["prompt"]),
        ("generate_video", ["prompt"]),
        ("generate_speech", ["text"]),
    ],
)
def test_only_what_a_work_is_about_is_required(tool, required):
    assert shown("openai", "runway")[tool]["required"] == required


def test_schema_is_plain():
    for parameters in shown("openai", "replicate", "runway").values():
        text = json.dumps(parameters)
        assert parameters["additionalProperties"] is False
        assert not any(word in text for word in ('"title"', '"anyOf"', '"$ref"', '"default": null'))


@pytest.mark.parametrize(
    ("vendors", "tools"),
    [
        ((), ["enhance_prompt"]),
        (("openai",), ["enhance_prompt", "generate_image", "edit_image", "generate_speech", *OPENAI_SENSES]),
        (("runway",), ["enhance_prompt", "generate_image", "edit_image", "generate_video"]),
        (("replicate",), ["enhance_prompt", "generate_image", "edit_image", "generate_video"]),
    ],
)
def test_only_tools_that_work_here_are_shown(vendors, tools):
    assert list(shown(*vendors)) == tools


def test_tool_whose_every_maker_is_retired_is_not_shown():
    after = catalogue("openai", today=dt.date(2027, 2, 1))  # tts-1 and its kin end on 2027-01-06
    assert "generate_speech" not in [spec.name for spec in built_in().specs(after)]


def test_what_is_shown_changes_over_night():
    days = [dt.date(2026, 11, 20), dt.date(2027, 2, 1)]
    toolbox, open_day_and_night = built_in(), replace(catalogue("openai"), today=lambda: days[0])
    before = [spec.name for spec in toolbox.specs(open_day_and_night)]
    days.pop(0)
    after = [spec.name for spec in toolbox.specs(open_day_and_night)]
    assert set(before) - set(after) == {"generate_speech"}


def test_enumeration_lists_the_available_models_best_first():
    assert listed("generate_image", "provider", "openai")[0] == "gpt-image-2.6-flare"
    assert listed("generate_image", "provider", "replicate")[0] == "flux-1.1-pro"
    assert "gpt-image-2.6-flare" not in listed("generate_image", "provider", "replicate")


def test_enumeration_leaves_out_the_retired():
    names = listed("generate_image", "provider", "openai", "replicate", "runway")
    assert not {"dall-e-3", "dalle3", "gpt-image-1"} & set(names)


def test_enumeration_says_when_to_choose_each_value():
    provider = GenerateImage().spec(catalogue("replicate")).parameters["properties"]["provider"]
    for name in provider["enum"]:
        assert f"{name}: {catalogue().get(name).when}" in provider["description"]


def test_choices_that_are_none_leave_the_argument_free():
    rows = 'vendor = "acme"\n[[model]]\nid = "brush"\nmodality = "image"\ncapabilities = ["text_to_image"]'
    provider = GenerateImage().spec(Catalogue(parse_models(rows))).parameters["properties"]["provider"]
    assert provider == {"type": "string", "description": "The image model; leave it out for the default."}


def test_choices_need_no_description_of_their_argument():
    class Paint(Tool[Arguments]):
        name, description = "paint", "Paint."

        class Arguments(Arguments):
            colour: str

        def choices(self, catalogue: Catalogue) -> dict[str, list[Choice]]:
            return {"colour": [Choice("red", "for fire"), Choice("blue", "")]}

    colour = Paint().spec(catalogue()).parameters["properties"]["colour"]
    assert colour == {"type": "string", "enum": ["red", "blue"], "description": "red: for fire"}


def test_argument_without_a_choice_keeps_its_limits():
    class Limited(Arguments):
        count: int | None = Field(None, ge=1, le=4, description="How many.")

    class Count(Tool[Limited]):
        name, description, Arguments = "count", "Count.", Limited

    count = Count().spec(catalogue()).parameters["properties"]["count"]
    assert count == {"type": "integer", "minimum": 1, "maximum": 4, "description": "How many."}


# ---- which tool ------------------------------------------------------------------------------------------------------


def test_unknown_tool_is_answered_with_the_tools_there_are():
    with pytest.raises(InvalidArguments, match="no tool 'make_coffee'; the tools are: enhance_prompt, generate_image"):
        built_in().get("make_coffee", catalogue("openai"))


def test_tool_that_does_not_work_here_is_answered_with_those_that_do():
    with pytest.raises(InvalidArguments, match=r"generate_video is not available here; .* generate_speech, "):
        built_in().get("generate_video", catalogue("openai"))


def test_tool_is_found_by_name():
    tool = GenerateImage()
    assert Toolbox({"generate_image": tool}).get("generate_image", catalogue("openai")) is tool


# ---- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "  ", "{}", " {} \n"])
def test_no_arguments_are_an_empty_object(text):
    assert read_object(text) == {}


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("{not json", "not valid JSON"),
        ('{"prompt": "x"', "not valid JSON"),
        ("```json\n{}\n```", "not valid JSON"),
        ('{"a": ' + "1" * 5000 + "}", "not valid JSON"),
        ('{"a": ' * 100_000, "not valid JSON"),
        ('{"prompt": "x"}{"prompt": "y"}', "one call for each object"),
        ('{"prompt": "x"}\n{"prompt": "y"}', "one call for each object"),
        ('{"prompt": "x"} and more', "one call for each object"),
        ("[]", "one JSON object"),
        ('"{}"', "one JSON object"),
        ("null", "one JSON object"),
        ('{"a": ' * 40 + "1" + "}" * 40, "nested more than 20"),
        ('{"prompt": "\\ud800"}', "half a surrogate pair"),
        ('{"a": ["\\udc00"]}', "half a surrogate pair"),
        ('{"\\ud800": 1}', "half a surrogate pair"),
        ('{"prompt": "a\\u0000b"}', "NUL"),
        ('{"duration": NaN}', "not finite"),
        ('{"duration": 1e999}', "not finite"),
    ],
)
def test_arguments_that_cannot_be_used_say_what_to_mend(text, mend):
    with pytest.raises(InvalidArguments, match=mend):
        read_object(text)


def test_whole_surrogate_pair_is_text():
    assert read_object('{"prompt": "\\ud83e\\udd8a"}') == {"prompt": "🦊"}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec=None)), inner, max_size=3),
)


@given(anything.map(json.dumps) | st.text())
def test_arguments_are_an_object_that_can_be_shown_or_are_refused(text):
    with contextlib.suppress(InvalidArguments):
        shown_to_all = json.dumps(read_object(text), allow_nan=False, ensure_ascii=False)
        assert shown_to_all.encode().startswith(b"{")


def test_unknown_argument_is_refused_by_name():
    with pytest.raises(InvalidArguments, match="generate_image are not valid: colour: Extra inputs are not permitted"):
        GenerateImage().parse('{"prompt": "a cat", "colour": "red"}')


def test_every_wrong_argument_is_named():
    with pytest.raises(InvalidArguments, match=r"text: Field required; format: .*; speed: "):
        GenerateSpeech().parse('{"format": "ogg", "speed": 9}')


def test_missing_arguments_name_what_is_required():
    with pytest.raises(InvalidArguments, match="prompt: Field required"):
        GenerateVideo().parse("")


# ---- which model -----------------------------------------------------------------------------------------------------


async def test_default_model_is_the_first_of_those_listed():
    context = Recorder("openai")
    await GenerateImage().run(GenerateImage().parse('{"prompt": "a cat"}'), context)
    assert context.requests[0].model == "openai/gpt-image-2.6-flare"


async def test_planner_chooses_the_model():
    context = Recorder()
    await GenerateImage().run(GenerateImage().parse('{"prompt": "a cat", "provider": "flux-schnell"}'), context)
    assert context.requests[0].model == "replicate/flux-schnell"


async def test_pinned_model_goes_before_the_planners_choice():
    context = Recorder(pins={"image": "flux-1.1-pro", "video": "gen4.5"})
    await GenerateImage().run(GenerateImage().parse('{"prompt": "a cat", "provider": "gpt-image-2"}'), context)
    assert context.requests[0].model == "replicate/flux-1.1-pro"


async def test_unknown_provider_is_answered_with_those_available():
    arguments = GenerateImage().parse('{"prompt": "a cat", "provider": "midjourney"}')
    with pytest.raises(NotOffered, match=r"no image model 'midjourney'; available here: gpt-image-2\.6-flare, "):
        await GenerateImage().run(arguments, Recorder("openai"))


async def test_provider_without_a_key_is_answered_with_the_key_it_wants():
    arguments = GenerateImage().parse('{"prompt": "a cat", "provider": "flux"}')
    with pytest.raises(Unavailable, match="Set REPLICATE_API_TOKEN"):
        await GenerateImage().run(arguments, Recorder("openai"))


async def test_result_names_the_assets_and_passes_warnings_on():
    result = await GenerateImage().run(GenerateImage().parse('{"prompt": "a cat", "provider": "dall-e-3"}'), Recorder())
    assert result.asset_ids == ("asset_1",)
    assert result.facts["assets"] == ({"id": "asset_1", "type": "image"},)
    assert "dall-e-3 was retired" in result.facts["warnings"][0]
