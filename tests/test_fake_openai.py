"""The fake OpenAI edits, listens, looks and reads as the real one answers; the product's own family cannot tell."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import jsonschema
import openai
import pytest
import respx
from PIL import Image

from providers.catalogue import Correction
from providers.chat_parts import answer_format
from providers.errors import InvalidRequest, NotOffered
from providers.http import Http
from providers.masks import png_of
from providers.openai import OpenAI
from providers.types import (
    ChatRequest,
    Done,
    EditRequest,
    Media,
    Message,
    Segment,
    SpeechRequest,
    TranscriptionRequest,
)
from tests.fake_vendors import KEYS, FakeVendors
from tests.fake_vendors.openai_looks import under

pytestmark = pytest.mark.anyio

PHOTO = png_of(Image.new("RGB", (64, 32), "red"))
MASK = png_of(Image.new("L", (64, 32), "white"))
MEDIA = {"asset_1": PHOTO, "asset_m": MASK, "asset_s": Media("audio/wav", b"not listened to")}
TEXT = {"type": "string"}
NULLABLE = {"anyOf": [TEXT, {"type": "null"}]}
TEXTS = {"type": "array", "items": TEXT}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeVendors]:
    with FakeVendors(tmp_path_factory.mktemp("fakes")) as running:
        yield running


@pytest.fixture
def fakes(process: FakeVendors, vendor: respx.MockRouter, openai_api: respx.MockRouter) -> FakeVendors:
    vendor.route(host="127.0.0.1").pass_through()
    openai_api.route(host="127.0.0.1").pass_through()
    process.reset()
    return process


@pytest.fixture
def gpt(fakes: FakeVendors) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=KEYS["OPENAI_API_KEY"], base_url=f"{fakes.url}/openai/v1", max_retries=0) as client:
        yield client


@pytest.fixture
async def family(anyio_backend: str, fakes: FakeVendors) -> AsyncIterator[OpenAI]:
    http = Http()
    family = OpenAI({"OPENAI_API_KEY": KEYS["OPENAI_API_KEY"], "OPENAI_BASE_URL": f"{fakes.url}/openai/v1"}, http)
    yield family
    await family.aclose()
    await http.aclose()


async def done(family: OpenAI, request: Any) -> Done:
    result = await family.submit(request, MEDIA)
    assert isinstance(result, Done)
    return result


def shape(title: str, **properties: Any) -> dict[str, Any]:
    closed = {"additionalProperties": False, "required": list(properties)}
    return {"title": title, "type": "object", "properties": properties, **closed}


# ---- edits -----------------------------------------------------------------------------------------------------------


async def test_the_family_inpaints_with_a_mask_the_vendor_accepts(family: OpenAI, fakes: FakeVendors) -> None:
    request = EditRequest(
        model="gpt-image-2.6-flare", prompt="a hat", operation="inpaint", image="asset_1", mask="asset_m"
    )
    result = await done(family, request)
    assert result.outputs[0].data is not None
    assert result.outputs[0].data.startswith(b"\x89PNG")
    assert fakes.ledger()["submits"]["openai.edits"] == 1


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (MASK.read(), "must have an alpha channel"),
        (png_of(Image.new("RGBA", (64, 32), "black")).read(), "no transparent areas"),
        (png_of(Image.new("RGBA", (32, 32))).read(), "does not match the image size"),
        (b"no picture", "Invalid image file"),
    ],
)
def test_a_mask_as_the_vendor_does_not_want_it_is_refused(
    gpt: openai.OpenAI, fakes: FakeVendors, mask: bytes, said: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=said) as caught:
        gpt.images.edit(
            model="gpt-image-2", prompt="a hat", image=("cat.png", PHOTO.read()), mask=("mask.png", mask, "image/png")
        )
    assert caught.value.param == "mask"
    assert fakes.ledger()["submits"]["openai.edits"] == 0


# ---- sound -----------------------------------------------------------------------------------------------------------


async def test_the_family_gets_words_with_their_times(family: OpenAI, fakes: FakeVendors) -> None:
    result = await done(family, TranscriptionRequest(model="whisper-1", audio="asset_s", timestamps="word"))
    heard = result.transcript
    assert heard is not None
    assert (heard.text, heard.language, heard.duration_s) == ("Hello from the fake vendor.", "en", 1.5)
    assert [word.text for word in heard.words] == ["Hello", "from", "the", "fake", "vendor"]
    assert heard.segments == (Segment(text="Hello from the fake vendor.", start_s=0, end_s=1.5),)
    assert fakes.ledger()["submits"]["openai.transcriptions"] == 1


async def test_the_family_gets_the_speakers(family: OpenAI) -> None:
    request = TranscriptionRequest(model="gpt-4o-transcribe-diarize", audio="asset_s", speakers=True)
    heard = (await done(family, request)).transcript
    assert heard is not None
    assert [segment.speaker for segment in heard.segments] == ["A", "B"]


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("gpt-transcribe", {"response_format": "verbose_json"}),
        ("whisper-1", {"timestamp_granularities": ["word"]}),
        ("whisper-1", {"extra_body": {"keywords[]": ["Ada"]}}),
        ("gpt-4o-transcribe-diarize", {"response_format": "diarized_json"}),
        ("gpt-4o-transcribe-diarize", {"chunking_strategy": "auto", "prompt": "Ada"}),
        ("gpt-4o-transcribe", {"response_format": "srt"}),
    ],
)
def test_a_recording_with_a_wish_the_model_does_not_know_is_refused(
    gpt: openai.OpenAI, fakes: FakeVendors, model: str, more: Any
) -> None:
    with pytest.raises(openai.BadRequestError):
        gpt.audio.transcriptions.create(model=model, file=("said.wav", b"x", "audio/wav"), **more)
    assert fakes.ledger()["submits"]["openai.transcriptions"] == 0


def test_a_recording_without_a_format_or_of_too_many_bytes_is_refused(gpt: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="Unrecognized file format"):
        gpt.audio.transcriptions.create(model="whisper-1", file=("said", b"x"))
    with pytest.raises(openai.APIStatusError) as caught:
        gpt.audio.transcriptions.create(model="whisper-1", file=("said.wav", bytes(26_214_401)))
    assert caught.value.status_code == 413


async def test_the_family_reads_speech_while_it_is_made(family: OpenAI) -> None:
    result = await done(family, SpeechRequest(model="tts-1", text="x" * 400, stream=True))
    chunks = result.outputs[0].chunks
    assert chunks is not None
    pieces = [piece async for piece in chunks]
    assert len(pieces) > 1
    assert b"".join(pieces).startswith(b"ID3")


# ---- looking, reading ------------------------------------------------------------------------------------------------


async def look(family: OpenAI, schema: dict[str, Any], text: str = "Look.", **more: Any) -> dict[str, Any]:
    names = tuple(more.get("media", {}))
    turn = Message(role="user", content=text, media_ids=names)
    system = Message(role="system", content=more.pop("system", "Look."))
    reply = await family.complete(ChatRequest("gpt-4o", (system, turn), answer_schema=schema, **more))
    made: dict[str, Any] = json.loads(reply.content)
    jsonschema.validate(made, schema)
    return made


IMAGE = shape(
    "ImageAnalysis",
    description=TEXT,
    answer=NULLABLE,
    objects=TEXTS,
    scene=TEXT,
    style=TEXT,
    colors=TEXTS,
    text_in_image=NULLABLE,
    summary=NULLABLE,
    key_themes=TEXTS,
)


async def test_a_look_tells_how_many_pictures_were_seen_and_how_closely(family: OpenAI) -> None:
    text = "Question:\nWhat is it?\n\nText:\nAn essay."
    made = await look(family, IMAGE, text, media={"asset_1": PHOTO, "asset_2": PHOTO}, detail="high")
    assert made["description"] == "The fake vendor was shown 2 pictures."
    assert (made["answer"], made["style"]) == ("The answer to: What is it?", "detail high")
    assert made["objects"] == ["picture 1", "picture 2"]
    assert (made["summary"], made["key_themes"]) == ("In short: An essay.", ["test"])


async def test_a_look_without_a_question_answers_none(family: OpenAI) -> None:
    made = await look(family, IMAGE, media={"asset_1": PHOTO})
    assert (made["answer"], made["summary"], made["key_themes"]) == (None, None, [])


@pytest.mark.parametrize(
    ("schema", "known"),
    [
        (
            shape(
                "VideoAnalysis",
                description=TEXT,
                answer=NULLABLE,
                moments={"type": "array", "items": shape("Moment", at_s={"type": "number"}, what=TEXT)},
                objects=TEXTS,
                scene=TEXT,
                style=TEXT,
                sound=NULLABLE,
            ),
            {"moments": [{"at_s": 0.0, "what": "picture 1"}]},
        ),
        (
            shape(
                "AudioAnalysis",
                description=TEXT,
                answer=NULLABLE,
                tone=TEXT,
                speakers={"type": "array", "items": shape("Speaker", name=TEXT, description=TEXT)},
                language=NULLABLE,
                sounds=TEXTS,
            ),
            {"tone": "calm", "language": "en"},
        ),
        (
            shape("DocumentType", type={"enum": ["invoice", "other"]}, language=NULLABLE, schema_json=NULLABLE),
            {"type": "invoice"},
        ),
        (shape("Unheard", date={"type": "string", "format": "date"}), {"date": "2026-11-20"}),
    ],
)
async def test_an_answer_follows_its_schema(family: OpenAI, schema: dict[str, Any], known: dict[str, Any]) -> None:
    made = await look(family, schema, media={"asset_1": PHOTO})
    assert made | known == made


async def test_a_schema_that_stands_in_words_is_followed_too(family: OpenAI) -> None:
    schema = shape("AudioAnalysis", description=TEXT, tone=TEXT)
    turn = Message(role="user", content="Question:\nWho speaks?", media_ids=("a",))
    sound = {"a": Media("audio/wav", b"x")}
    reply = await family.complete(ChatRequest("gpt-audio-1.5", (turn,), media=sound, answer_schema=schema))
    assert json.loads(reply.content) == {"description": "The fake vendor was shown 1 sound.", "tone": "calm"}


async def test_a_schema_is_proposed_only_where_none_is_known(family: OpenAI) -> None:
    schema = shape("DocumentType", type=TEXT, schema_json=NULLABLE)
    proposed = await look(family, schema)
    assert json.loads(proposed["schema_json"])["required"] == ["title", "total"]
    assert (await look(family, schema, system="`schema_json` is null: known."))["schema_json"] is None


async def test_a_document_is_read_into_its_schema(family: OpenAI) -> None:
    items = {"type": "array", "minItems": 1, "items": shape("Item", amount={"type": "number"})}
    data = {"type": "object", "properties": {"due": {"type": "string", "format": "date"}, "items": items}}
    confidence = {"type": "object", "additionalProperties": {"type": "number"}}
    schema = shape("Extraction", data=data, confidence=confidence, missing=TEXTS)
    made = await look(family, schema, media={"asset_1": Media("application/pdf", b"%PDF")})
    assert made["data"] == {"due": "2026-11-20", "items": [{"amount": 1}]}
    assert made["confidence"] == {"due": 0.9, "items[0].amount": 0.9}


def test_a_strict_schema_that_is_open_is_refused(gpt: openai.OpenAI) -> None:
    form: Any = answer_format(IMAGE)
    form["json_schema"]["schema"] = {**IMAGE, "required": ["scene"]}
    with pytest.raises(openai.BadRequestError) as caught:
        gpt.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "Look."}], response_format=form
        )
    assert caught.value.code == "invalid_json_schema"


def test_what_stands_under_a_heading_ends_at_the_next() -> None:
    prompt = "Question:\nWhat?\nTwo lines.\n\nText:\nAn essay."
    assert under("Question", prompt) == "What?\nTwo lines."
    assert (under("Text", prompt), under("Rules", prompt)) == ("An essay.", "")


# ---- the planner -----------------------------------------------------------------------------------------------------


def turn_of(gpt: openai.OpenAI, *messages: Any) -> list[tuple[str, str]]:
    tools: Any = [{"type": "function", "function": {"name": "edit_image", "parameters": {"type": "object"}}}]
    turn = gpt.chat.completions.create(model="gpt-4o", messages=list(messages), tools=tools).choices[0].message
    calls: Any = turn.tool_calls or ()
    return [(call.function.name, call.function.arguments) for call in calls]


def test_the_planner_makes_written_calls_paragraph_by_paragraph(gpt: openai.OpenAI) -> None:
    prompt = (
        'generate_image {"prompt": "a fox"}\n\nedit_image {"image": "<image>"}\nanalyze_image {"images": ["<image>"]}'
    )
    asked = {"role": "user", "content": prompt}
    assert turn_of(gpt, asked) == [("generate_image", '{"prompt": "a fox"}')]
    call = {"id": "call_1", "type": "function", "function": {"name": "generate_image", "arguments": "{}"}}
    facts = json.dumps({"assets": [{"id": "asset_7", "type": "image"}, {"id": "asset_8", "type": "video"}]})
    since = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": facts},
    ]
    edited, looked = turn_of(gpt, asked, *since)
    assert edited == ("edit_image", '{"image": "asset_7"}')
    assert looked == ("analyze_image", '{"images": ["asset_7"]}')


# ---- questions -------------------------------------------------------------------------------------------------------


async def test_what_a_text_names_is_flagged(family: OpenAI, fakes: FakeVendors) -> None:
    assert await family.moderate("a cat", [PHOTO]) == ()
    assert await family.moderate("a scene of violence", [PHOTO]) == ("violence",)
    assert sum(fakes.ledger()["submits"].values()) == 0


async def test_a_fake_is_not_asked_about_the_vendors_models(family: OpenAI) -> None:
    assert await family.refresh() == Correction()


async def test_what_the_format_cannot_show_never_reaches_the_vendor(family: OpenAI, fakes: FakeVendors) -> None:
    with pytest.raises(NotOffered, match=r"takes no audio/wav; choose a model that can \(audio_input\)"):
        await look(family, IMAGE, media={"asset_s": Media("audio/wav", b"x")})
    with pytest.raises(InvalidRequest):
        await family.complete(ChatRequest("gpt-4o", (Message(role="tool", content="x", tool_call_id="y"),)))
    assert fakes.ledger()["submits"]["openai.chat"] == 0
