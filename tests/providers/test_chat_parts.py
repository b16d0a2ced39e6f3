"""What a chat request shows beside text, and the schema its answer is to follow."""

import base64
from typing import Any

import pytest

from providers.chat_completions import from_wire, to_wire
from providers.chat_parts import is_strict
from providers.chat_prices import chat_cost
from providers.errors import NotOffered
from providers.types import ChatRequest, Media, Message, Usage

CLOSED = {
    "title": "ImageAnalysis",
    "type": "object",
    "properties": {"description": {"type": "string"}, "colors": {"type": "array", "items": {"type": "string"}}},
    "required": ["description", "colors"],
    "additionalProperties": False,
}


def shown(*media: Media, **more: Any) -> list[dict[str, Any]]:
    named = {f"asset_{number}": one for number, one in enumerate(media)}
    message = Message(role="user", content="Look.", media_ids=tuple(named))
    content = to_wire(ChatRequest("m", (message,), media=named, **more))["messages"][0]["content"]
    assert content[0] == {"type": "text", "text": "Look."}
    return list(content[1:])


def form(schema: dict[str, Any]) -> dict[str, Any]:
    wire = to_wire(ChatRequest("m", (Message(role="user", content="u"),), answer_schema=schema))
    assert wire["response_format"]["type"] == "json_schema"
    return dict(wire["response_format"]["json_schema"])


# ---- media -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("detail", "told"), [("auto", {}), ("low", {"detail": "low"}), ("high", {"detail": "high"})])
def test_a_picture_says_how_closely_it_is_looked_at(detail: Any, told: dict[str, str]) -> None:
    (part,) = shown(Media("image/png", b"png"), detail=detail)
    assert part == {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n", **told}}


@pytest.mark.parametrize(
    ("media_type", "name"), [("audio/wav", "wav"), ("audio/x-wav", "wav"), ("audio/mpeg", "mp3"), ("audio/mp3", "mp3")]
)
def test_sound_goes_as_base64_with_its_format(media_type: str, name: str) -> None:
    (part,) = shown(Media(media_type, b"sound"))
    data = base64.b64encode(b"sound").decode()
    assert part == {"type": "input_audio", "input_audio": {"data": data, "format": name}}


def test_a_pdf_goes_as_a_file_with_a_name() -> None:
    (part,) = shown(Media("application/pdf", b"%PDF"))
    assert part == {
        "type": "file",
        "file": {"filename": "asset_0.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
    }


@pytest.mark.parametrize("media_type", ["video/mp4", "audio/flac", "text/plain", "application/zip"])
def test_what_the_format_has_no_part_for_is_refused(media_type: str) -> None:
    with pytest.raises(NotOffered, match=f"asset_0 is {media_type}"):
        shown(Media(media_type, b"x"))


def test_several_kinds_go_in_their_order() -> None:
    kinds = shown(Media("application/pdf", b"%PDF"), Media("image/png", b"x"), Media("audio/wav", b"x"))
    assert [part["type"] for part in kinds] == ["file", "image_url", "input_audio"]


def test_sound_that_was_heard_is_counted_and_priced_apart() -> None:
    details = {"audio_tokens": 1000, "cached_tokens": 0}
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": details}
    reply = from_wire({"choices": [{"message": {"content": "x"}}], "usage": usage})
    assert reply.usage == Usage(input_tokens=1000, cached_input_tokens=0, audio_input_tokens=1000, output_tokens=100)
    as_text = chat_cost("gpt-audio-1.5", Usage(input_tokens=1000, output_tokens=100))
    as_sound = chat_cost("gpt-audio-1.5", reply.usage)
    assert as_text is not None
    assert as_sound is not None
    assert as_sound > 5 * as_text


# ---- the answer's schema ---------------------------------------------------------------------------------------------


def test_a_closed_schema_is_enforced_to_the_letter() -> None:
    assert form(CLOSED) == {"name": "ImageAnalysis", "schema": CLOSED, "strict": True}


@pytest.mark.parametrize(
    "bent",
    [
        {"additionalProperties": True},
        {"additionalProperties": {"type": "number"}},
        {"required": ["description"]},
        {"properties": {**CLOSED["properties"], "mood": {"type": "string"}}},  # type: ignore[dict-item]
        {"properties": {"description": {"type": "string", "default": ""}, "colors": {}}},
        {"properties": {"description": {"$ref": "#/$defs/D", "description": "d"}, "colors": {"type": "null"}}},
        {"properties": {"description": {"type": "string", "format": "uri"}, "colors": {"type": "null"}}},
        {"anyOf": [{"type": "object"}]},
        {"type": "array"},
    ],
)
def test_a_schema_that_does_not_qualify_is_only_asked_for(bent: dict[str, Any]) -> None:
    """OpenAI refuses a whole request whose strict schema is not strict enough."""
    assert form({**CLOSED, **bent})["strict"] is False


def test_openness_within_a_definition_counts_too() -> None:
    inner = {"type": "object", "properties": {}, "required": []}
    nested = {**CLOSED, "$defs": {"Inner": inner}}
    assert not is_strict(nested)
    assert is_strict({**CLOSED, "$defs": {"Inner": {**inner, "additionalProperties": False}}})


@pytest.mark.parametrize(("title", "name"), [(None, "answer"), ("An answer!", "An_answer_"), ("x" * 99, "x" * 64)])
def test_the_name_is_the_title_in_the_alphabet_of_names(title: str | None, name: str) -> None:
    assert form({**CLOSED, "title": title})["name"] == name
    assert form({"type": "object"})["name"] == "answer"


def test_nothing_is_said_of_an_answer_that_may_be_anything() -> None:
    assert "response_format" not in to_wire(ChatRequest("m", (Message(role="user", content="u"),)))
