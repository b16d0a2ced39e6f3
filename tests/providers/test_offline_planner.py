"""The rule-based planner: plain English in, tool calls that fit the tools' schemas out, a plain answer at the end."""

import json
import re

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.offline_planner.plan import MOST_CALLS, plan
from providers.types import ChatReply, ChatRequest, Message, ToolCall, ToolSpec

VOICES = ["alloy", "echo", "fable", "onyx", "nova", "shimmer"]
PROMPT = {"type": "string", "minLength": 1}


def tool(name: str, required: list[str], **properties: object) -> ToolSpec:
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return ToolSpec(name=name, description=name, parameters=schema)


ENHANCE = tool(
    "enhance_prompt",
    ["prompt", "modality"],
    prompt=PROMPT,
    modality={"enum": ["image", "video", "speech"]},
)
IMAGE = tool(
    "generate_image",
    ["prompt"],
    prompt=PROMPT,
    provider={"enum": ["offline-image", "flux"], "type": "string"},
    size={"type": "string", "pattern": r"^\d+x\d+$"},
)
VIDEO = tool(
    "generate_video",
    ["prompt"],
    prompt=PROMPT,
    duration={"type": "number", "exclusiveMinimum": 0, "maximum": 60, "default": 5},
    image={"type": "string"},
)
SPEECH = tool("generate_speech", ["text"], text=PROMPT, voice={"enum": VOICES, "default": "nova"})
TOOLS = (ENHANCE, IMAGE, VIDEO, SPEECH)


def ask(prompt: str, tools: tuple[ToolSpec, ...] = TOOLS, before: tuple[Message, ...] = (), **how: bool) -> ChatReply:
    messages = (Message(role="system", content="You plan."), *before, Message(role="user", content=prompt))
    return plan(ChatRequest("offline-planner", messages, tools, **how), {})


def calls(reply: ChatReply) -> list[tuple[str, dict[str, object]]]:
    return [(call.name.removeprefix("generate_"), json.loads(call.arguments)) for call in reply.tool_calls]


def said(*turns: str) -> tuple[Message, ...]:
    """Earlier prompts, each answered."""
    return tuple(
        m for turn in turns for m in (Message(role="user", content=turn), Message(role="assistant", content="Ok."))
    )


def image(prompt: str, size: str | None = None) -> tuple[str, dict[str, object]]:
    return "image", {"prompt": prompt, **({"size": size} if size else {})}


def video(prompt: str, duration: float | None = None) -> tuple[str, dict[str, object]]:
    return "video", {"prompt": prompt, **({"duration": duration} if duration else {})}


def speech(text: str, voice: str | None = None) -> tuple[str, dict[str, object]]:
    return "speech", {"text": text, **({"voice": voice} if voice else {})}


def words_about(subject: str) -> str:
    return f"A few words about {subject}. Take a closer look, and enjoy the moment."


WIDE, TALL, SQUARE, HD = "1536x1024", "1024x1536", "1024x1024", "1536x864"

PROMPTS = [
    # what a prompt that only describes asks for
    ("a red fox in the snow", [image("a red fox in the snow")]),
    ("A photo album on a table, 512x512", [image("A photo album on a table", "512x512")]),
    ("a man watching a video on his phone", [image("a man watching a video on his phone")]),
    ("8 seconds of waves", [video("waves", 8)]),
    # one work
    ("Draw me a picture of a cat.", [image("a cat")]),
    ("please illustrate the water cycle", [image("the water cycle")]),
    ("a picture of a film projector", [image("a film projector")]),
    ("a watercolor painting of a lighthouse in 16:9", [image("watercolor painting of a lighthouse", HD)]),
    ("a minimalist logo for a coffee shop", [image("minimalist logo for a coffee shop")]),
    ("a square picture of a red door", [image("a red door", SQUARE)]),
    ("a portrait of a woman", [image("portrait of a woman", TALL)]),
    ("an image of a tower in landscape format", [image("a tower", WIDE)]),
    ("an image of a cat with a size of 512x768", [image("a cat", "512x768")]),
    ("a wide banner about tea", [image("banner about tea", WIDE)]),
    ("a poster with the title 'Jazz Night'", [image('poster with the title "Jazz Night"', TALL)]),
    ("an 8-second video of waves", [video("waves", 8)]),
    ("a video of rain for half a minute", [video("rain", 30)]),
    ("a ten second, cinematic clip of a train", [video("a train, cinematic", 10)]),
    ("a minute-long film about bees", [video("bees", 60)]),
    ("a cat video", [video("cat")]),
    ('speak the words "Hello world" with voice: echo', [speech("Hello world", "echo")]),
    ('a narration in a deep voice: "The night is long."', [speech("The night is long.", "onyx")]),
    ("read this aloud: A clip and an image are two works.", [speech("A clip and an image are two works.")]),
    ("Say hello to the world", [speech("hello to the world")]),
    ("a voiceover about bees in a soft female voice", [speech(words_about("bees"), "shimmer")]),
    # several works
    (
        "a hero image of a cup, a 5 second clip and a narration saying 'Don't wait'",
        [image("a cup", WIDE), video("a cup", 5), speech("Don't wait")],
    ),
    (
        "three images of cats and a video",
        [image("cats"), image("cats, seen up close"), image("cats, in a wide view"), video("cats")],
    ),
    ("a couple of pictures of Paris", [image("Paris"), image("Paris, seen up close")]),
    ("three images: a cat, a dog and a bird", [image("a cat"), image("a dog"), image("a bird")]),
    ("two images, one of a cat and one of a dog", [image("a cat"), image("a dog")]),
    ("two 3-second clips of rain", [video("rain", 3), video("rain, seen up close", 3)]),
    ("1) a logo for Luma 2) a 10s clip of beans", [image("logo for Luma"), video("beans", 10)]),
    ("Make three videos:\n- a cat\n- a dog\n- a bird", [video("a cat"), video("a dog"), video("a bird")]),
    (
        "a social-media post about our new coffee: hero image, clip, narration",
        [image("our new coffee", WIDE), video("our new coffee"), speech(words_about("our new coffee"))],
    ),
    (
        "For our new coffee, make an image and a clip.",
        [image("our new coffee"), video("our new coffee")],
    ),
    ("Create an image and a video of a dragon", [image("a dragon"), video("a dragon")]),
    (
        "I'm opening a bakery. I need a logo, a teaser and a voiceover.",
        [image("logo for a bakery"), video("teaser for a bakery"), speech(words_about("a bakery"))],
    ),
    ("draw a cat and film a dog", [image("a cat"), video("a dog")]),
    (
        "a narration saying welcome to our shop, and an image of the shop",
        [speech("welcome to our shop"), image("the shop")],
    ),
    ("image: a cat; video: a dog; narration: hello there", [image("a cat"), video("a dog"), speech("hello there")]),
    ("an image of a fox with flux", [("image", {"prompt": "a fox", "provider": "flux"})]),
    ("a song about love and an image of a heart", [image("a heart")]),
]


@pytest.mark.parametrize(("prompt", "expected"), PROMPTS, ids=[prompt for prompt, _ in PROMPTS])
def test_prompt_becomes_calls_of_one_turn(prompt, expected):
    assert calls(ask(prompt)) == expected


def test_calls_are_numbered_and_free():
    reply = ask("an image and a clip of a fox")
    assert [call.id for call in reply.tool_calls] == ["call_1", "call_2"]
    assert (reply.finish_reason, str(reply.cost_usd)) == ("tool_calls", "0")
    assert reply.usage is not None
    assert reply.usage.output_tokens


def test_works_of_one_request_are_limited_and_the_answer_says_so():
    first = ask("20 images of cats")
    assert len(first.tool_calls) == MOST_CALLS
    assert "dozen" in answered("20 images of cats", first).content


# ---- talk ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["hello", "Hi there!", "what can you do?", "who are you", "thanks", "Can you sing?"])
def test_talk_is_answered_without_calls(prompt):
    reply = ask(prompt)
    assert reply.tool_calls == ()
    assert "offline stand-in" in reply.content
    assert reply.finish_reason == "stop"


def test_work_that_nothing_here_can_make_is_named():
    assert "Nothing here can make music" in ask("compose a song about rain").content


def test_tool_that_is_not_there_is_not_called():
    reply = ask("an image and a narration of a fox", tools=(SPEECH,))
    assert [name for name, _ in calls(reply)] == ["speech"]
    assert (
        "cannot" in ask("an image of a fox", tools=(SPEECH,)).content
        or "pictures" in ask("an image", (SPEECH,)).content
    )


def test_last_turn_is_answered():
    reply = ask("an image of a fox", tools_allowed=False)
    assert reply.tool_calls == ()
    assert "Nothing was made" in reply.content


# ---- what builds on what was asked before ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("make it darker", [image("a red fox, darker")]),
        ("again but blue", [image("a red fox, blue")]),
        ("another one", [image("a red fox, seen up close")]),
        ("the same in 16:9", [image("a red fox", HD)]),
        ("Make it square", [image("a red fox", SQUARE)]),
        ("a narration for it", [speech(words_about("a red fox"))]),
        ("make it darker and add a narration", [image("a red fox, darker"), speech(words_about("a red fox"))]),
        ("a dog on the moon", [image("a dog on the moon")]),
    ],
)
def test_follow_up_builds_on_the_prompt_before(prompt, expected):
    assert calls(ask(prompt, before=said("a red fox", "thanks"))) == expected


def test_follow_up_changes_the_kind_it_speaks_of():
    before = said("an image of tea, a clip, and a narration saying 'Good morning to you'")
    assert calls(ask("again, in a deep voice", before=before)) == [speech("Good morning to you", "onyx")]
    assert calls(ask("make the clip 9 seconds long", before=before)) == [video("tea", 9)]


def test_picture_made_earlier_is_brought_to_life():
    made = Message(role="assistant", content="Done.\n\nAssets made:\n- asset_9: image, 64x64, made from: a red fox")
    reply = ask("turn it into a video", before=(Message(role="user", content="a red fox"), made))
    assert calls(reply) == [("video", {"prompt": "a red fox", "image": "asset_9"})]


def test_picture_that_was_given_is_brought_to_life():
    given_with_it = "animate it\n\nInputs to work with:\n- asset_1: image, 64x64, made from: a door"
    assert calls(ask(given_with_it)) == [("video", {"prompt": "a door", "image": "asset_1"})]


def test_picture_is_changed_by_the_tool_for_it_where_there_is_one():
    edit = tool("edit_image", ["image", "prompt"], image={"type": "string"}, prompt=PROMPT)
    before = (Message(role="user", content="a fox"), Message(role="assistant", content="- asset_9: image"))
    reply = ask("make it blue", tools=(*TOOLS, edit), before=before)
    assert calls(reply) == [("edit_image", {"image": "asset_9", "prompt": "blue"})]


# ---- turns -----------------------------------------------------------------------------------------------------------


def answered(prompt: str, reply: ChatReply, *results: dict[str, object], **how: bool) -> ChatReply:
    """The next turn, after the calls of `reply` got these results (an asset each where none is given)."""
    kinds = {"generate_image": "image", "generate_video": "video", "generate_speech": "speech"}
    told = results or tuple({"assets": [{"id": f"asset_{c.id}", "type": kinds[c.name]}]} for c in reply.tool_calls)
    conversation = (
        Message(role="user", content=prompt),
        Message(role="assistant", tool_calls=reply.tool_calls),
        *(
            Message(role="tool", content=json.dumps(result), tool_call_id=call.id)
            for call, result in zip(reply.tool_calls, told, strict=True)
        ),
        *how.pop("after", ()),
    )
    return plan(ChatRequest("offline-planner", conversation, TOOLS, **how), {})


def test_answer_names_what_was_made_and_by_whom():
    prompt = "an image of a fox and a clip"
    reply = answered(prompt, ask(prompt))
    assert reply.tool_calls == ()
    assert 'a picture ("a fox", asset_call_1) and a clip ("a fox", asset_call_2)' in reply.content
    assert "made by the offline stand-in: no model or vendor was used" in reply.content


def test_answer_says_what_failed_and_why():
    prompt = "an image of a fox and a clip"
    results = (
        {"error": "The content was blocked.", "code": "moderated"},
        {"assets": [{"id": "asset_2", "type": "video"}]},
    )
    reply = answered(prompt, ask(prompt), *results)
    assert "generate_image failed: The content was blocked." in reply.content
    assert "asset_2" in reply.content


def test_answer_does_not_claim_the_work_of_a_vendor():
    result = {"assets": [{"id": "asset_1", "type": "image", "provider": "replicate"}]}
    reply = answered("an image of a fox", ask("an image of a fox"), result)
    assert "no model or vendor was used" not in reply.content
    assert "planned" in reply.content


def test_pictures_shown_by_a_tool_and_reminders_are_no_new_prompts():
    shown = Message(role="user", content="The pictures the tools returned: asset_call_1", media_ids=("asset_call_1",))
    assert "asset_call_1" in answered("an image of a fox", ask("an image of a fox"), after=(shown,)).content
    reminder = Message(role="user", content="This is your last turn: answer now.")
    reply = answered("an image of a fox", ask("an image of a fox"), after=(reminder,), tools_allowed=False)
    assert "asset_call_1" in reply.content


def test_clip_of_a_picture_waits_for_the_picture():
    prompt = "an image of a fox, then animate it for 3 seconds"
    first = ask(prompt)
    assert calls(first) == [image("a fox")]
    second = answered(prompt, first)
    assert calls(second) == [("video", {"prompt": "a fox", "duration": 3, "image": "asset_call_1"})]
    assert second.tool_calls[0].id == "call_2"


def test_prompt_is_only_enhanced_where_nothing_else_is_asked():
    prompt = "Enhance this prompt: a cat on a roof"
    first = ask(prompt)
    assert calls(first) == [("enhance_prompt", {"prompt": "a cat on a roof", "modality": "image"})]
    assert "a cat at dusk" in answered(prompt, first, {"prompt": "a cat at dusk"}).content


def test_enhanced_prompts_are_what_is_made():
    prompt = "Make an image of a cat and a clip of a dog; improve the prompts first"
    first = ask(prompt)
    assert [name for name, _ in calls(first)] == ["enhance_prompt", "enhance_prompt"]
    second = answered(prompt, first, {"prompt": "a fine cat"}, {"error": "The enhancer wrote nothing."})
    assert calls(second) == [image("a fine cat"), video("a dog")]


# ---- schemas ---------------------------------------------------------------------------------------------------------


def test_required_arguments_get_defaults():
    strict = tool(
        "generate_image",
        ["prompt", "provider", "size"],
        prompt=PROMPT,
        provider={"type": "string", "enum": ["dalle3", "flux"]},
        size={"type": "string"},
    )
    (_, arguments), *_ = calls(ask("a fox", tools=(strict,)))
    assert arguments == {"prompt": "a fox", "provider": "dalle3", "size": "1024x1024"}


def test_size_outside_the_enumeration_becomes_the_nearest():
    listed = {"type": "string", "enum": ["1024x1024", "1792x1024", "1024x1792"]}
    some = tool("generate_image", ["prompt"], prompt=PROMPT, size=listed)
    assert calls(ask("a hero image of a fox", tools=(some,)))[0][1]["size"] == "1792x1024"


def test_optional_and_referenced_schemas_are_followed():
    parameters = {
        "type": "object",
        "properties": {
            "prompt": {"$ref": "#/$defs/Prompt"},
            "duration": {"anyOf": [{"type": "integer", "maximum": 8}, {"type": "null"}]},
        },
        "required": ["prompt"],
        "$defs": {"Prompt": {"type": "string"}},
    }
    odd = ToolSpec(name="generate_video", description="", parameters=parameters)
    assert calls(ask("a 30 second clip of a fox", tools=(odd,))) == [video("a fox", 8)]


def test_tool_that_requires_something_unknown_is_not_called():
    odd = tool("generate_image", ["prompt", "licence"], prompt=PROMPT, licence={"type": "object"})
    assert ask("a fox", tools=(odd,)).tool_calls == ()


# ---- anything at all -------------------------------------------------------------------------------------------------

SCHEMAS = {spec.name: jsonschema_rs.validator_for(spec.parameters) for spec in TOOLS}
WORDS = """a an the three 12 images image of cats clip video 5 second 10s narration saying 'Hi there' "quoted words" and
, . : ; 1) 2) - make it draw animate then 16:9 1024x512 square hero about with for read aloud again darker ? voice logo
painting enhance the prompt song portrait in one a couple"""
PIECES = st.sampled_from([*re.findall(r"'.*?'|\S+", WORDS), "\n"])
TEXTS = st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=40).map(" ".join))


def check(reply: ChatReply) -> None:
    assert bool(reply.content) != bool(reply.tool_calls)
    assert len(reply.tool_calls) <= MOST_CALLS
    assert len({call.id for call in reply.tool_calls}) == len(reply.tool_calls)
    for call in reply.tool_calls:
        SCHEMAS[call.name].validate(json.loads(call.arguments))


@given(TEXTS, TEXTS)
@settings(max_examples=300, deadline=None)
def test_any_text_gives_an_answer_or_valid_calls(text, earlier):
    check(ask(text))
    check(ask(text, before=said(earlier)))


@given(st.text(max_size=200), TEXTS)
@settings(deadline=None)
def test_any_tool_result_is_answered(result, prompt):
    call = ToolCall(id="call_1", name="generate_image", arguments="{")
    conversation = (
        Message(role="user", content=prompt),
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", content=result, tool_call_id="call_1"),
    )
    check(plan(ChatRequest("offline-planner", conversation, TOOLS), {}))
