"""A prompt that names its work first and then says what is asked of it, as the page's own buttons begin one."""

import pytest
from test_offline_tasks import FOX, SPOKEN, TOOLS, ask, calls, given_with, tool

from providers.types import Message

PICTURE = "asset_1: image, 640x480, made from: a red fox in the snow"
UPLOADED = "asset_2: image, 640x480"
CLIP = "asset_3: video, 640x480, 5 s, made from: waves on a beach"
SPEECH = "asset_4: speech, 3 s, voice shimmer, made from: Good morning, everyone"
SOUND = "asset_5: audio, 9 s"
EVERYTHING = (CLIP, SOUND, UPLOADED, "asset_6: document")
SPEAKER = tool(
    "generate_speech",
    ["text"],
    text={"type": "string"},
    voice={"type": "string", "default": "nova"},
    speed={"type": "number", "minimum": 0.25, "maximum": 4},
    instructions={"type": "string"},
)


def asked(prompt, *listing, before=(), tools=TOOLS):
    return calls(ask(given_with(prompt, *listing) if listing else prompt, before, tools))


# ---- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "instruction"),
    [
        ("Edit this picture: make it night", "make it night"),
        ("Change this picture: a red hat on the fox.", "a red hat on the fox"),
        ("Please edit the photo: a portrait of the fox at night", "a portrait of the fox at night"),
        ("Edit this picture: make it night and add a moon", "make it night and add a moon"),
        ("Edit this picture: make it night. The moon is full.", "make it night. The moon is full"),
        ("Edit it: 'Sale' in big letters", "'Sale' in big letters"),
        ("Edit this picture, make it night", "make it night"),
        ("Edit this picture so that it is night", "Edit this picture so that it is night"),
    ],
)
def test_edit_of_this_picture_is_no_new_one(prompt, instruction):
    assert asked(prompt, PICTURE) == [("edit_image", {"image": "asset_1", "instruction": instruction})]


def test_edit_of_this_picture_may_be_an_operation():
    (call,) = asked("Edit this picture: remove the background", PICTURE)
    assert call[1] == {"image": "asset_1", "instruction": "remove the background", "operation": "remove_background"}


def test_edit_of_this_picture_ends_where_another_work_is_asked_for():
    found = asked("Edit this picture: make it night. Then describe it, and make a narration saying 'Hi all'", PICTURE)
    assert {name for name, _ in found} == {"edit_image", "analyze_image", "generate_speech"}
    assert dict(found)["edit_image"]["instruction"] == "make it night"


def test_edit_that_says_to_describe_or_to_animate_is_none():
    assert asked("Edit this picture: describe it", PICTURE) == [("analyze_image", {"images": ["asset_1"]})]
    (call,) = asked("Edit this picture: animate it", PICTURE)
    assert call == ("generate_video", {"prompt": "a red fox in the snow", "image": "asset_1"})


def test_edit_of_a_picture_made_in_the_same_run_waits_for_it():
    assert asked("Draw a fox. Edit it: make it night") == [("generate_image", {"prompt": "a fox"})]


@pytest.mark.parametrize("prompt", ["Edit this picture: make it night", "Edit this picture: ", "Change this clip:"])
def test_edit_of_nothing_makes_nothing(prompt):
    assert asked(prompt) == []
    assert asked("Edit this picture: ", PICTURE) == []


def test_edit_without_a_tool_for_it_is_a_new_picture_of_the_same():
    found = asked("Edit this picture: make it blue", before=FOX, tools=TOOLS[:1])
    assert found == [("generate_image", {"prompt": "a red fox in the snow, blue"})]


@pytest.mark.parametrize(
    ("listing", "prompt"), [((PICTURE,), "a red fox in the snow"), ((UPLOADED,), "a slow zoom"), (EVERYTHING, None)]
)
def test_picture_is_turned_into_a_clip(listing, prompt):
    (call,) = asked("Turn this picture into a 5 second clip.", *listing)
    image = "asset_1" if PICTURE in listing else "asset_2"
    assert call == ("generate_video", {"prompt": prompt or "a slow zoom", "duration": 5, "image": image})


def test_clip_of_a_picture_shows_what_is_asked_for_with_it():
    (call,) = asked("Turn this picture into a 5 second clip: the fox looks up.", PICTURE)
    assert call[1] == {"prompt": "the fox looks up", "duration": 5, "image": "asset_1"}


@pytest.mark.parametrize("before", ["Edit this picture: make it night", "Describe this picture.", "a green door"])
def test_clip_of_a_picture_is_of_its_own_words_and_not_of_the_prompt_before(before):
    earlier = (Message(role="user", content=before), Message(role="assistant", content="Here it is."))
    (call,) = asked("Turn this picture into a 5 second clip.", PICTURE, before=earlier)
    assert call[1]["prompt"] == "a red fox in the snow"


# ---- clips -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["Edit", "Change"])
@pytest.mark.parametrize("listing", [(CLIP,), EVERYTHING])
@pytest.mark.parametrize("change", ["make it night", "snow instead of rain", "slower", "play it backwards"])
def test_edit_of_this_clip_is_made_from_the_clip(verb, listing, change):
    found = asked(f"{verb} this clip: {change}", *listing)
    assert found == [("generate_video", {"prompt": change, "video": "asset_3"})]


def test_edit_of_this_clip_may_give_it_a_length():
    (call,) = asked("Edit this clip: a 3 second version", CLIP)
    assert call[1] == {"prompt": "a 3 second version", "duration": 3, "video": "asset_3"}


# ---- narrations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ("read it faster", {"speed": 1.25}),
        ("slower and sad", {"speed": 0.8, "instructions": "sad"}),
        ("a deep voice", {"voice": "onyx"}),
        ("use the voice of fable", {"voice": "fable"}),
        ("whisper it", {"instructions": "whisper"}),
        ("like a radio host", {"instructions": "like a radio host"}),
        ("say 'Good night'", {"text": "Good night"}),
        ("replace 'morning' with 'evening'", {"text": "Good evening, everyone"}),
        ("say 'you all' instead of 'everyone'", {"text": "Good morning, you all"}),
    ],
)
@pytest.mark.parametrize("listing", [(SPEECH,), (PICTURE, SPEECH)])
def test_edit_of_this_narration_is_read_anew(change, more, listing):
    found = asked(f"Edit this narration: {change}", *listing, tools=(*TOOLS[:3], SPEAKER))
    assert found == [("generate_speech", {"text": "Good morning, everyone", "voice": "shimmer", **more})]


def test_edit_of_this_narration_is_told_in_words_where_there_is_no_speed():
    found = asked("Change this narration: read it faster", before=SPOKEN)
    assert found == [("generate_speech", {"text": "Good morning, everyone", "instructions": "faster"})]


def test_narration_of_several_lines_is_read_whole():
    (call,) = asked("Edit this narration: sad", f"{SPEECH}.\n\n- One.\nTwo, and a picture of a dog.", PICTURE)
    assert call[1]["text"] == "Good morning, everyone.\n\n- One.\nTwo, and a picture of a dog."


def test_recording_whose_words_are_not_known_is_not_read_anew():
    assert asked("Edit this narration: read it faster", SOUND) == []
    found = asked("Edit this narration: say 'Good night' instead", SOUND)
    assert found == [("generate_speech", {"text": "Good night"})]


# ---- questions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prompt",
    [
        "Describe this recording: who speaks, and how.",
        "Describe this recording: who says what, and how they sound?",
        "Describe who speaks in this recording, and how.",
    ],
)
@pytest.mark.parametrize("listing", [(SOUND,), EVERYTHING])
def test_description_with_a_question_is_one_listen(prompt, listing):
    assert asked(prompt, *listing) == [("analyze_audio", {"audio": "asset_5", "question": prompt})]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Describe this picture.", ("analyze_image", {"images": ["asset_2"]})),
        ("Describe this recording.", ("analyze_audio", {"audio": "asset_5"})),
        ("Describe this clip.", ("analyze_video", {"video": "asset_3"})),
        ("Transcribe this recording.", ("transcribe_audio", {"audio": "asset_5"})),
        ("Transcribe this clip.", ("transcribe_audio", {"audio": "asset_3"})),
        (
            "Describe what happens in this clip, and when.",
            ("analyze_video", {"video": "asset_3", "question": "Describe what happens in this clip, and when."}),
        ),
    ],
)
def test_plain_request_takes_the_input_that_fits(prompt, expected):
    assert asked(prompt, *EVERYTHING) == [expected]


def test_description_and_another_task_are_two():
    found = asked("Describe this recording: who speaks? Then transcribe it.", SOUND)
    assert [name for name, _ in found] == ["analyze_audio", "transcribe_audio"]
