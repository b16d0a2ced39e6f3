"""What is asked of works that are there: changed, looked at, listened to, written down and read by the tool for it."""

import json
import re

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.offline_planner.plan import MOST_CALLS, plan
from providers.types import ChatReply, ChatRequest, Message, ToolSpec

REF = {"type": "string", "minLength": 1}
REFS = {"type": "array", "items": REF, "maxItems": 16}
PROMPT = {"type": "string", "minLength": 1}
OPTIONS = {"type": "object"}
OPERATIONS = ["edit", "inpaint", "erase", "outpaint", "remove_background", "upscale"]
COUNT = {"type": "integer", "minimum": 1, "maximum": 10, "default": 1}


def tool(name: str, required: list[str], **properties: object) -> ToolSpec:
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return ToolSpec(name=name, description=name, parameters=schema)


SIZE = {"type": "string"}
TOOLS = (
    tool("generate_image", ["prompt"], prompt=PROMPT, size=SIZE, n=COUNT, reference_images=REFS, options=OPTIONS),
    tool(
        "edit_image",
        ["image"],
        image=REF,
        instruction={"type": "string", "default": ""},
        mask=REF,
        operation={"type": "string", "enum": OPERATIONS},
        size=SIZE,
        n=COUNT,
        options=OPTIONS,
    ),
    tool(
        "generate_video",
        ["prompt"],
        prompt=PROMPT,
        duration={"type": "number", "exclusiveMinimum": 0, "maximum": 60},
        image=REF,
        reference_images=REFS,
        video=REF,
    ),
    tool("generate_speech", ["text"], text=PROMPT, voice={"enum": ["nova", "onyx", "shimmer"]}, instructions=SIZE),
    tool("analyze_image", ["images"], images=REFS | {"minItems": 1}, question=SIZE),
    tool("analyze_video", ["video"], video=REF, question=SIZE),
    tool("analyze_audio", ["audio"], audio=REF, question=SIZE),
    tool(
        "transcribe_audio",
        ["audio"],
        audio=REF,
        timestamps={"enum": ["segment", "word", "none"], "type": "string"},
        speakers={"type": "boolean"},
        translate={"type": "string", "minLength": 2},
    ),
    tool("extract_document", ["document"], document=REF, schema={"type": "object"}),
)


def made(prompt: str, listing: str) -> tuple[Message, ...]:
    """An earlier prompt and what came of it."""
    told = f"Here it is.\n\nAssets made:\n- {listing}"
    return Message(role="user", content=prompt), Message(role="assistant", content=told)


FOX = made("a red fox in the snow", "asset_9: image, 1024x1024, made from: a red fox in the snow")
SPOKEN = made("a narration saying 'Good morning, everyone'", "asset_7: speech, 3 s, made from: Good morning, everyone")
CLIP = made("a clip of waves", "asset_5: video, 1280x720, 5 s, made from: waves")


def given_with(prompt: str, *listing: str) -> str:
    return f"{prompt}\n\nInputs to work with:\n" + "\n".join(f"- {line}" for line in listing)


PICTURE, OTHER, FILM = "asset_1: image, 640x480", "asset_2: image, 640x480", "asset_3: video, 640x480, 5 s"
SOUND, PAPER = "asset_4: audio, 9 s", "asset_6: document"


def ask(prompt: str, before: tuple[Message, ...] = (), tools: tuple[ToolSpec, ...] = TOOLS) -> ChatReply:
    messages = (Message(role="system", content="You plan."), *before, Message(role="user", content=prompt))
    return plan(ChatRequest("offline-planner", messages, tools), {})


def calls(reply: ChatReply) -> list[tuple[str, dict[str, object]]]:
    return [(call.name, json.loads(call.arguments)) for call in reply.tool_calls]


# ---- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "instruction", "more"),
    [
        ("make it darker", "darker", {}),
        ("add a hat to it", "add a hat to it", {}),
        ("remove the background", "remove the background", {"operation": "remove_background"}),
        ("Crop it to a square, please", "Crop it to a square, please", {}),
        ("turn it into a watercolor painting", "turn it into a watercolor painting", {}),
        ("upscale it", "upscale it", {"operation": "upscale"}),
        ("make it black and white", "black and white", {}),
        ("give it a gold frame", "give it a gold frame", {}),
        ("make it darker and crop it", "make it darker and crop it", {}),
        ("sharpen it and remove the background", "sharpen it and remove the background", {}),
        (
            "extend it to the left by 300 pixels",
            "extend it to the left by 300 pixels",
            {"operation": "outpaint", "options": {"left": 300}},
        ),
    ],
)
def test_change_of_a_picture_is_an_edit_of_it(prompt, instruction, more):
    assert calls(ask(prompt, FOX)) == [("edit_image", {"image": "asset_9", "instruction": instruction, **more})]


def test_edit_keeps_the_size_of_the_picture_unless_another_is_named():
    small = made("a fox, 512x512", "asset_9: image, 512x512, made from: a fox")
    assert "size" not in calls(ask("make it darker", small))[0][1]
    assert calls(ask("make it darker, 640x480", small))[0][1]["size"] == "640x480"


def test_picture_that_came_with_the_prompt_goes_before_earlier_ones():
    (_, arguments), *_ = calls(ask(given_with("make it darker", PICTURE), FOX))
    assert arguments["image"] == "asset_1"


def test_mask_that_came_along_is_used():
    prompt = given_with("erase what the mask covers", PICTURE, OTHER)
    expected = {
        "image": "asset_1",
        "mask": "asset_2",
        "operation": "erase",
        "instruction": "erase what the mask covers",
    }
    assert calls(ask(prompt)) == [("edit_image", expected)]


def test_edit_and_a_new_work_are_both_called():
    reply = ask("make it darker and add a narration saying 'Hello my friends'", FOX)
    assert calls(reply) == [
        ("edit_image", {"image": "asset_9", "instruction": "darker"}),
        ("generate_speech", {"text": "Hello my friends"}),
    ]


@pytest.mark.parametrize(
    ("prompt", "images", "question"),
    [
        (given_with("What is in this picture?", PICTURE), ["asset_1"], "What is in this picture?"),
        (given_with("describe it", PICTURE), ["asset_1"], None),
        (given_with("compare these pictures", PICTURE, OTHER), ["asset_1", "asset_2"], "compare these pictures"),
        (given_with("Which colours are there?", PICTURE), ["asset_1"], "Which colours are there?"),
        ("what is in https://shop.example/cat.png?", ["https://shop.example/cat.png"], "what is in it?"),
    ],
)
def test_question_about_pictures_is_a_look_at_them(prompt, images, question):
    asked = {"question": question} if question else {}
    assert calls(ask(prompt)) == [("analyze_image", {"images": images, **asked})]


def test_question_about_the_picture_made_earlier_is_a_look_at_it():
    assert calls(ask("how many foxes are there?", FOX))[0][1]["images"] == ["asset_9"]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("3 pictures of a fox", [{"prompt": "a fox", "n": 3}]),
        ("three variants of a fox logo", [{"prompt": "a fox logo", "n": 3}]),
        ("4 versions of a bakery logo", [{"prompt": "a bakery logo", "n": 4}]),
        ("20 images of cats", [{"prompt": "cats", "n": 10}, {"prompt": "cats", "n": 2}]),
        ("3 pictures: a cat, a dog and a bird", [{"prompt": "a cat"}, {"prompt": "a dog"}, {"prompt": "a bird"}]),
    ],
)
def test_several_of_the_same_are_one_call(prompt, expected):
    assert calls(ask(prompt)) == [("generate_image", arguments) for arguments in expected]


@pytest.mark.parametrize(
    ("prompt", "name", "text"),
    [
        ("now the same fox in a forest", "generate_image", "the fox in a forest"),
        ("the same fox again", "generate_image", "the fox"),
        ("a picture of a castle with this character", "generate_image", "a castle with this character"),
        (
            "a picture of a castle in the style of this picture",
            "generate_image",
            "a castle in the style of this picture",
        ),
        ("use this picture as a reference for a knight on a horse", "generate_image", "a knight on a horse"),
        ("a video of the same fox running", "generate_video", "the fox running"),
    ],
)
def test_picture_to_keep_to_becomes_a_reference(prompt, name, text):
    assert calls(ask(prompt, FOX)) == [(name, {"prompt": text, "reference_images": ["asset_9"]})]


def test_new_picture_has_no_reference():
    assert calls(ask("a dog on the moon", FOX)) == [("generate_image", {"prompt": "a dog on the moon"})]


# ---- clips -----------------------------------------------------------------------------------------------------------


def test_picture_is_animated():
    assert calls(ask("animate it", FOX)) == [
        ("generate_video", {"prompt": "a red fox in the snow", "image": "asset_9"})
    ]


@pytest.mark.parametrize("prompt", ["make the clip slower", "reverse it", "make it darker", "crop it to a square"])
def test_change_of_a_clip_is_made_from_the_clip(prompt):
    assert calls(ask(prompt, CLIP)) == [("generate_video", {"prompt": prompt, "video": "asset_5"})]


def test_longer_clip_is_a_new_one():
    reply = ask("make the clip 9 seconds long", CLIP)
    assert calls(reply) == [("generate_video", {"prompt": "waves", "duration": 9})]


@pytest.mark.parametrize("prompt", ["What happens in this video?", "How long is it?"])
def test_question_about_a_clip_is_a_look_at_it(prompt):
    assert calls(ask(given_with(prompt, FILM))) == [("analyze_video", {"video": "asset_3", "question": prompt})]


# ---- sound -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "more"),
    [
        ("now read it in a sad voice", {"instructions": "sad"}),
        ("read it again, excitedly", {"instructions": "excited"}),
        ("say it in a whisper", {"instructions": "whisper"}),
        ("in a deep voice", {"voice": "onyx"}),
    ],
)
def test_narration_is_read_again_in_another_manner(prompt, more):
    assert calls(ask(prompt, SPOKEN)) == [("generate_speech", {"text": "Good morning, everyone", **more})]


def test_manner_of_a_new_narration_is_passed_on():
    reply = ask("a sad narration saying 'It is over now'")
    assert calls(reply) == [("generate_speech", {"text": "It is over now", "instructions": "sad"})]


@pytest.mark.parametrize(
    ("prompt", "more"),
    [
        ("transcribe this", {}),
        ("What does she say?", {}),
        ("transcribe it with word timestamps", {"timestamps": "word"}),
        ("make subtitles for it", {"timestamps": "segment"}),
        ("transcribe this without timestamps", {"timestamps": "none"}),
        ("transcribe it and tell me who said what, with speakers", {"speakers": True}),
        ("translate it to German", {"translate": "German"}),
        ("Transcribe it and translate it into French.", {"translate": "French"}),
    ],
)
def test_spoken_words_are_written_down(prompt, more):
    name, arguments = calls(ask(given_with(prompt, SOUND)))[0]
    assert (name, arguments.pop("audio")) == ("transcribe_audio", "asset_4")
    assert arguments == more or prompt.endswith("speakers")


def test_clip_is_transcribed_too():
    assert calls(ask(given_with("transcribe this", FILM))) == [("transcribe_audio", {"audio": "asset_3"})]


@pytest.mark.parametrize("prompt", ["how does she sound?", "Is the speaker happy?"])
def test_question_about_sound_is_a_listen(prompt):
    assert calls(ask(prompt, SPOKEN)) == [("analyze_audio", {"audio": "asset_7", "question": prompt})]


# ---- documents -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["extract the data from this invoice", "What is the total of this invoice?"])
def test_document_is_read(prompt):
    assert calls(ask(given_with(prompt, PAPER))) == [("extract_document", {"document": "asset_6"})]


def test_picture_of_a_document_is_read():
    reply = ask(given_with("extract the data from this picture of an invoice", PICTURE))
    assert calls(reply) == [("extract_document", {"document": "asset_1"})]


def test_fields_that_are_named_become_the_schema():
    reply = ask(given_with("extract the invoice number, total and due date from this invoice", PAPER))
    schema = calls(reply)[0][1]["schema"]
    assert schema["required"] == ["invoice_number", "total", "due_date"]
    assert schema["properties"]["total"] == {"type": ["number", "null"]}


# ---- turns and answers -----------------------------------------------------------------------------------------------

KINDS = {"generate_image": "image", "generate_video": "video", "generate_speech": "speech", "edit_image": "image"}
TOLD = {
    "transcribe_audio": {
        "text": "Hello, friends",
        "source": "the file's own record",
        "segments": [{"text": "Hello, friends", "start_s": 0, "end_s": 1}],
        "translation": "Hallo, Freunde",
        "translated_into": "German",
        "assets": [{"id": "asset_srt", "type": "document"}],
    },
    "extract_document": {"type": "invoice", "data": {"total": 42.5, "items": [1, 2], "fax": None}, "missing": ["fax"]},
}
SEEN = {"description": "It is a fox.", "answer": "Blue.", "warnings": ["Look again."]}


def run_through(prompt: str) -> tuple[list[tuple[str, dict[str, object]]], str]:
    """All calls of a run, each answered, and the closing answer."""
    conversation: tuple[Message, ...] = (Message(role="user", content=prompt),)
    asked = []
    for _ in range(6):
        reply = plan(ChatRequest("offline-planner", conversation, TOOLS), {})
        if not reply.tool_calls:
            return asked, reply.content
        asked += calls(reply)
        conversation += (Message(role="assistant", tool_calls=reply.tool_calls),)
        for call in reply.tool_calls:
            asset = {"id": f"asset_{call.id}", "type": KINDS.get(call.name), "provider": "offline"}
            told = {"assets": [asset]} if call.name in KINDS else TOLD.get(call.name, SEEN)
            conversation += (Message(role="tool", tool_call_id=call.id, content=json.dumps(told)),)
    raise AssertionError("the run does not end")


@pytest.mark.parametrize(
    ("prompt", "last"),
    [
        ("draw a fox and describe it", ("analyze_image", {"images": ["asset_call_1"]})),
        ("Draw a fox. Add a caption saying 'Sale' to it.", ("edit_image", None)),
        (
            "a narration saying 'Hello my dear friends', then transcribe it",
            ("transcribe_audio", {"audio": "asset_call_1"}),
        ),
        ("draw a fox, then animate it, then describe the clip", ("analyze_video", {"video": "asset_call_2"})),
    ],
)
def test_work_of_this_run_is_worked_with_once_it_is_there(prompt, last):
    asked, _ = run_through(prompt)
    assert asked[-1][0] == last[0]
    assert last[1] is None or asked[-1][1] == last[1]


def test_answer_tells_what_was_said():
    _, told = run_through(given_with("transcribe this and translate it to German", SOUND))
    assert 'The transcript: "Hello, friends" (the file\'s own record).' in told
    assert 'In German: "Hallo, Freunde"' in told
    assert "asset_srt" in told
    assert "no language model" in told


def test_answer_tells_what_was_seen_and_warned_of():
    _, told = run_through(given_with("what is this?", PICTURE))
    assert told.startswith("Blue. Note: Look again.")


def test_answer_tells_what_was_read():
    _, told = run_through(given_with("extract the data from this invoice", PAPER))
    assert "Read as invoice: total: 42.5; items: 2 rows. Missing: fax." in told


def test_answer_names_the_picture_that_was_changed():
    _, told = run_through(given_with("make it darker", PICTURE))
    assert '("darker", asset_call_1, changed from asset_1)' in told


def test_translation_is_not_made_up():
    instructions = Message(
        role="system", content="You translate a transcript. The text is to be in German.\n\nKeep it."
    )
    said = Message(role="user", content="Good morning.\nCome in.")
    reply = plan(ChatRequest("offline-planner", (instructions, said)), {})
    assert reply.content.split("\n") == [
        "[not translated into German offline] Good morning.",
        "[not translated into German offline] Come in.",
    ]


# ---- nothing to work with --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["transcribe this", "What is this?", "what can you do?", "extract the data"])
def test_task_without_a_work_is_talk(prompt):
    reply = ask(prompt)
    assert reply.tool_calls == ()
    assert "With a file it can" in reply.content


def test_task_without_its_tool_is_left_to_those_there_are():
    assert calls(ask("make it blue", FOX, TOOLS[:1])) == [("generate_image", {"prompt": "a red fox in the snow, blue"})]
    assert ask(given_with("transcribe this", SOUND), tools=TOOLS[:1]).tool_calls == ()


SCHEMAS = {spec.name: jsonschema_rs.validator_for(spec.parameters) for spec in TOOLS}
WORDS = """make it darker add a hat to it remove the background describe what is in this picture transcribe translate to
German and then , . ? read it in a sad voice extract the total from this invoice animate the clip slower the same fox
again 3 variants of compare these two pictures crop rotate with word timestamps draw 'Hello there' video narration
Edit Change this picture: narration: recording:"""
PIECES = st.lists(st.sampled_from(re.findall(r"'.*?'|\S+", WORDS)), max_size=25).map(" ".join)
LISTINGS = st.lists(st.sampled_from([PICTURE, OTHER, FILM, SOUND, PAPER]), max_size=3, unique=True)


@given(PIECES, LISTINGS, st.sampled_from([(), FOX, SPOKEN, CLIP, FOX + SPOKEN]))
@settings(max_examples=300, deadline=None)
def test_any_text_gives_an_answer_or_valid_calls(text, listing, before):
    reply = ask(given_with(text, *listing) if listing else text, before)
    assert bool(reply.content) != bool(reply.tool_calls)
    assert len(reply.tool_calls) <= MOST_CALLS
    for call in reply.tool_calls:
        SCHEMAS[call.name].validate(json.loads(call.arguments))
