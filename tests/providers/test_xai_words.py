"""xAI's chat, speech and transcripts: what goes out, what comes back, what it cost."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal

import httpx
import pytest
from openai import AsyncOpenAI
from wire_xai import API, KEY

from providers.errors import MalformedAnswer, Moderated, NotOffered, OutcomeUnknown
from providers.http import Http
from providers.prices import media_cost
from providers.types import (
    ChatRequest,
    Done,
    Media,
    Message,
    Output,
    Segment,
    SpeechRequest,
    ToolCall,
    ToolSpec,
    TranscriptionRequest,
    Usage,
    Word,
)
from providers.xai import XAI

pytestmark = pytest.mark.anyio

CHAT = f"{API}/chat/completions"
DRAW = ToolSpec(name="draw", description="Draws.", parameters={"type": "object", "properties": {}})
# Recorded: Wei-Shaw/sub2api #5771
USAGE = {
    "prompt_tokens": 10120,
    "completion_tokens": 1499,
    "total_tokens": 14428,
    "prompt_tokens_details": {"cached_tokens": 128},
    "completion_tokens_details": {"reasoning_tokens": 2809},
}
SOUND = Media("audio/mpeg", data=b"ID3")
HEARD = {
    "text": "Hello there. Yes?",
    "language": "en",
    "duration": 2.5000000476837158,
    "words": [
        {"text": "Hello", "start": 0.1, "end": 0.4, "speaker": 0},
        {"text": "there.", "start": 0.45, "end": 0.9000000357627869, "speaker": 0},
        {"text": "Yes?", "start": 1.2, "end": 1.5, "speaker": 1},
    ],
}


@pytest.fixture
async def family() -> AsyncIterator[XAI]:
    http = Http()
    yield XAI({"XAI_API_KEY": KEY}, http)
    await http.aclose()


def answered(content: str = "Hello", usage: dict | None = None, **message: object) -> httpx.Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": content} | message, "finish_reason": "stop"}
    return httpx.Response(200, json={"choices": [choice], "usage": usage})


def ask(**more) -> ChatRequest:
    return ChatRequest("grok-4.3", (Message(role="user", content="Hi"),), **more)


def sent(route) -> dict:
    return json.loads(route.calls.last.request.content)


def fields(route) -> dict[str, list[str]]:
    """The parts of a multipart form, in their order."""
    request = route.calls.last.request
    boundary = request.headers["content-type"].partition("boundary=")[2]
    found: dict[str, list[str]] = {}
    for part in request.content.decode("latin-1").split(f"--{boundary}")[1:-1]:
        head, _, body = part.strip("\r\n").partition("\r\n\r\n")
        found.setdefault(head.partition('name="')[2].partition('"')[0], []).append(body)
    return found


# ---- chat ------------------------------------------------------------------------------------------------------------


async def test_chat_equals_what_the_openai_client_sends(family, vendor, openai_api):
    route = vendor.post(CHAT).mock(return_value=answered())
    schema = {
        "title": "Cat",
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
        "additionalProperties": False,
    }
    await family.complete(ask(tools=(DRAW,), max_output_tokens=50, answer_schema=schema))
    ours = route.calls.last.request
    other = openai_api.post(CHAT).mock(return_value=answered())
    async with AsyncOpenAI(api_key=KEY, base_url=API, max_retries=0) as client:
        await client.chat.completions.create(
            model="grok-4.3",
            messages=[{"role": "user", "content": "Hi"}],
            tools=[{"type": "function", "function": DRAW.model_dump()}],
            max_completion_tokens=50,
            response_format={"type": "json_schema", "json_schema": {"name": "Cat", "schema": schema, "strict": True}},
        )
    theirs = other.calls.last.request
    assert (ours.method, str(ours.url)) == (theirs.method, str(theirs.url))
    assert json.loads(ours.content) == json.loads(theirs.content)
    assert ours.headers["authorization"] == theirs.headers["authorization"]


async def test_picture_is_shown_as_a_data_uri(family, vendor):
    route = vendor.post(CHAT).mock(return_value=answered())
    message = Message(role="user", content="What is it?", media_ids=("a",))
    picture = Media("image/png", data=b"png")
    await family.complete(ChatRequest("grok-4.6", (message,), media={"a": picture}, detail="high"))
    shown = sent(route)["messages"][0]["content"][1]
    assert shown == {"type": "image_url", "image_url": {"url": picture.data_uri(), "detail": "high"}}


@pytest.mark.parametrize("media_type", ["image/webp", "application/pdf", "audio/wav", "video/mp4"])
async def test_what_grok_cannot_look_at_is_refused_before_the_call(family, vendor, media_type):
    route = vendor.post(CHAT).mock(return_value=answered())
    message = Message(role="user", media_ids=("a",))
    with pytest.raises(NotOffered, match="JPEG and PNG"):
        await family.complete(ChatRequest("grok-4.6", (message,), media={"a": Media(media_type, data=b"x")}))
    assert not route.called


async def test_tool_calls_count_although_the_reason_is_stop(family, vendor):  # trap 1
    call = {"id": "call_9", "type": "function", "function": {"name": "draw"}}  # trap 2: no arguments
    vendor.post(CHAT).mock(return_value=answered(content="", tool_calls=[call]))
    reply = await family.complete(ask(tools=(DRAW,)))
    assert reply.tool_calls == (ToolCall(id="call_9", name="draw"),)


async def test_price_of_a_turn_is_the_vendors_own(family, vendor):
    vendor.post(CHAT).mock(return_value=answered(usage=USAGE | {"cost_in_usd_ticks": 232_856_000}))
    assert (await family.complete(ask())).cost_usd == Decimal("0.0232856")


async def test_reasoning_is_counted_as_output_where_the_vendor_gives_no_price(family, vendor):
    vendor.post(CHAT).mock(return_value=answered(usage=USAGE))
    reply = await family.complete(ask())
    assert reply.usage == Usage(input_tokens=10120, cached_input_tokens=128, output_tokens=1499 + 2809)
    assert reply.cost_usd == Decimal("0.023286")  # the same figure, rounded up to the micro-dollar


async def test_reasoning_inside_the_output_is_not_counted_twice(family, vendor):
    usage = {"prompt_tokens": 500, "completion_tokens": 500, "total_tokens": 1000}
    usage["completion_tokens_details"] = {"reasoning_tokens": 200}
    vendor.post(CHAT).mock(return_value=answered(usage=usage))
    reply = await family.complete(ask())
    assert reply.usage is not None
    assert reply.usage.output_tokens == 500


async def test_model_without_a_row_is_sent_as_it_is(family, vendor):
    route = vendor.post(CHAT).mock(return_value=answered())
    await family.complete(ChatRequest("grok-4.20-0309-reasoning", (Message(role="user", content="Hi"),)))
    assert sent(route)["model"] == "grok-4.20-0309-reasoning"


async def test_answer_that_a_gateway_streams_unasked_is_read(family, vendor):
    body = b'data: {"choices": [{"delta": {"content": "Hello"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    vendor.post(CHAT).respond(headers={"content-type": "text/event-stream"}, content=body)
    assert (await family.complete(ask())).content == "Hello"


async def test_turn_without_an_answer_is_sent_once(family, vendor):
    route = vendor.post(CHAT).mock(side_effect=httpx.ReadTimeout("slow"))
    with pytest.raises(OutcomeUnknown):
        await family.complete(ask())
    assert route.call_count == 1


async def test_turn_that_is_blocked_is_moderated(family, vendor):
    said = "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"
    vendor.post(CHAT).respond(403, json={"code": "The caller does not have permission", "error": said})
    with pytest.raises(Moderated):
        await family.complete(ask())


# ---- speech ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tts(vendor):
    return vendor.post(f"{API}/tts").respond(headers={"content-type": "audio/mpeg"}, content=b"ID3")


def speech(**more) -> SpeechRequest:
    return SpeechRequest(model="grok-voice-tts-1.0", **{"text": "Hello."} | more)


async def test_text_is_read_aloud(family, tts):
    done = await family.submit(speech(), {})
    body = {"text": "Hello.", "voice_id": "eve", "language": "auto", "output_format": {"codec": "mp3"}}
    assert sent(tts) == body  # field by field as vercel/ai's xai-speech-model.ts writes it; no `model`
    assert done == Done((Output(data=b"ID3"),))


@pytest.mark.parametrize(
    ("voice", "own"), [("alloy", "sal"), ("echo", "rex"), ("onyx", "leo"), ("shimmer", "ara"), ("leo", "leo")]
)
async def test_voice_is_the_nearest_of_xais(family, tts, voice, own):
    await family.submit(speech(voice=voice, format="wav"), {})
    assert (sent(tts)["voice_id"], sent(tts)["output_format"]) == (own, {"codec": "wav"})


async def test_speed_is_bounded_and_instructions_are_told_to_be_ignored(family, tts):
    done = await family.submit(speech(speed=3.0, instructions="whisper"), {})
    assert sent(tts)["speed"] == 1.5
    assert len(done.warnings) == 2


@pytest.mark.parametrize(("more", "why"), [({"text": "a" * 15001}, "at most 15000"), ({"voice": "bob"}, "no voice")])
async def test_speech_that_cannot_be_made_is_refused_before_the_call(family, tts, more, why):
    with pytest.raises(NotOffered, match=why):
        await family.submit(speech(**more), {})
    assert not tts.called


async def test_json_in_place_of_sound_is_malformed(family, vendor):
    vendor.post(f"{API}/tts").respond(json={"error": "?"})
    with pytest.raises(MalformedAnswer):
        await family.submit(speech(), {})


async def test_option_goes_into_the_body(family, tts):
    await family.submit(speech(options={"language": "pt-BR", "replace": {"xAI": "ex A I"}}), {})
    assert (sent(tts)["language"], sent(tts)["replace"]) == ("pt-BR", {"xAI": "ex A I"})


# ---- what there is ---------------------------------------------------------------------------------------------------


def lists(vendor, **models: list[dict]) -> None:
    for path in ("language-models", "image-generation-models", "video-generation-models"):
        vendor.get(f"{API}/{path}").respond(json={"models": models.get(path.split("-")[0], [])})


async def test_model_that_is_not_listed_by_name_or_alias_is_gone(family, vendor):
    living = [{"id": "grok-4.20-0309-reasoning", "aliases": ["grok-4.20"]}, {"id": "grok-4.3"}, {"id": "grok-4.5"}]
    lists(vendor, language=living, video=[{"id": "grok-imagine-video"}, {"id": "grok-imagine-video-1.5"}])
    vendor.get(f"{API}/tts/voices").respond(json={"voices": [{"voice_id": "altair", "name": "Altair"}]})
    said = await family.refresh()
    assert said.gone == ("grok-4.7", "grok-4.6", "grok-imagine-video-1.5-lite")  # of pictures nothing was listed
    assert said.voices == {"altair": "altair", "Altair": "altair"}


@pytest.mark.parametrize(("models", "voices"), [("none", []), (["x"], []), ([], None)])
async def test_list_that_cannot_be_read_says_nothing(family, vendor, models, voices):
    lists(vendor, language=models)
    vendor.get(f"{API}/tts/voices").respond(json={"voices": voices})
    with pytest.raises(MalformedAnswer):
        await family.refresh()


# ---- transcripts -----------------------------------------------------------------------------------------------------


@pytest.fixture
def stt(vendor):
    return vendor.post(f"{API}/stt").respond(json=HEARD)


def listen(**more) -> TranscriptionRequest:
    return TranscriptionRequest(model="grok-voice-transcribe-2.0", audio="a", **more)


async def test_form_holds_its_file_last(family, stt):
    await family.submit(listen(language="en", speakers=True, hint="Impresario, Ada\nBob"), {"a": SOUND})
    form = fields(stt)
    assert list(form)[-1] == "file"
    assert form == {
        "model": ["grok-voice-transcribe-2.0"],
        "language": ["en"],
        "format": ["true"],
        "diarize": ["true"],
        "keyterm": ["Impresario", "Ada", "Bob"],
        "file": ["ID3"],
    }


async def test_numbers_are_formatted_only_in_a_language_that_is_known(family, stt):
    await family.submit(listen(options={"filler_words": True}), {"a": SOUND})
    assert fields(stt) == {"model": ["grok-voice-transcribe-2.0"], "filler_words": ["true"], "file": ["ID3"]}


async def test_hints_that_are_too_long_are_left_out_and_told(family, stt):
    done = await family.submit(listen(hint="Ada, " + "x" * 51), {"a": SOUND})
    assert fields(stt)["keyterm"] == ["Ada"]
    assert "1 of 2 were left out" in done.warnings[0]


async def test_words_become_sentences_of_one_speaker(family, stt):  # trap 24: float noise
    done = await family.submit(listen(), {"a": SOUND})
    assert done.transcript is not None
    assert (done.transcript.duration_s, done.transcript.language, done.transcript.words) == (2.5, "en", ())
    assert done.transcript.segments == (
        Segment(text="Hello there.", start_s=0.1, end_s=0.9, speaker="0"),
        Segment(text="Yes?", start_s=1.2, end_s=1.5, speaker="1"),
    )


async def test_words_are_given_when_asked_for(family, stt):
    done = await family.submit(listen(timestamps="word"), {"a": SOUND})
    assert done.transcript is not None
    assert done.transcript.words[0] == Word(text="Hello", start_s=0.1, end_s=0.4, speaker="0")


async def test_last_word_ends_with_the_sound_and_a_language_may_be_missing(family, vendor):  # trap 24
    words = [{"text": "Yes?", "start": 1.7000000476837158, "end": 2.9, "speaker": 0}]
    body = {"text": "Yes?", "language": None, "duration": 2.5, "words": words}
    vendor.post(f"{API}/stt").respond(json=body)
    done = await family.submit(listen(timestamps="word"), {"a": SOUND})
    assert done.transcript is not None
    assert done.transcript.words == (Word(text="Yes?", start_s=1.7, end_s=2.5, speaker="0"),)
    assert done.transcript.segments[-1].end_s == 2.5
    assert done.transcript.language is None


async def test_transcript_is_billed_by_the_length_the_vendor_heard(family, stt):
    done = await family.submit(listen(timestamps="none"), {"a": SOUND})
    assert media_cost(family.row("grok-voice-transcribe-2.0"), listen(), done.usage) == Decimal("0.000070")


@pytest.mark.parametrize("body", [{"words": []}, {"text": None}, ["x"]])
async def test_answer_without_a_text_is_malformed(family, vendor, body):
    vendor.post(f"{API}/stt").respond(json=body)
    with pytest.raises(MalformedAnswer):
        await family.submit(listen(), {"a": SOUND})
