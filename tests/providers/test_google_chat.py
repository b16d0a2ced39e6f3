"""Google's chat turns: the conversation on its wire, calls and their answers, what it is shown, and what it answers."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from google.genai import types
from google_sdk import assert_equal_requests, camel, sent_by_sdk
from wire_google import API, KEY

from providers.errors import MalformedAnswer, NotOffered, OutcomeUnknown
from providers.google import Google
from providers.google_chat import UNSIGNED
from providers.google_files import INLINE_BYTES
from providers.http import Http
from providers.types import ChatRequest, Media, Message, ToolCall, ToolSpec, Usage

pytestmark = pytest.mark.anyio

MODEL = "gemini-3.8-flash"
URL = f"{API}/models/{MODEL}:generateContent"
DRAW = ToolSpec(name="draw", description="Draws.", parameters={"type": "object", "properties": {"max_size": {}}})
ASKED = Message(role="user", content="Draw a cat.")
MEDIA = {
    "a": Media("image/png", data=b"picture"),
    "v": Media("video/mp4", data=b"clip"),
    "s": Media("audio/mpeg", data=b"sound"),
    "d": Media("application/pdf", data=b"%PDF-"),
    "x": Media("application/zip", data=b"PK"),
}
TALK = (
    Message(role="system", content="Be brief."),
    ASKED,
    Message(
        role="assistant",
        content="Two cats.",
        tool_calls=(
            ToolCall(id="c1", name="draw", arguments='{"max_size": 1}'),
            ToolCall(id="c2", name="no such tool!", arguments="{oops"),
        ),
    ),
    Message(role="tool", tool_call_id="c1", content='{"asset": "asset_1"}'),
    Message(role="tool", tool_call_id="c2", content="There is no such tool."),
    Message(role="user", content="Image 1:", media_ids=("a",)),
)


def answer(*parts: dict[str, Any], finish: str = "STOP", **fields: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": finish}]} | fields


def turn(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest(model=MODEL, messages=messages or (ASKED,), **fields)


@pytest.fixture
async def family() -> AsyncIterator[Google]:
    http = Http()
    yield Google({"GOOGLE_API_KEY": KEY}, http)
    await http.aclose()


@pytest.fixture
def say(vendor):
    return vendor.post(url__regex=f"{API}/models/.*:generateContent").respond(json=answer({"text": "Yes."}))


def sent(route) -> dict:
    return json.loads(route.calls.last.request.content)


# ---- the request -----------------------------------------------------------------------------------------------------


async def test_turn_equals_the_official_clients(family, say):
    await family.complete(turn(*TALK, tools=(DRAW,), tools_allowed=False, media=MEDIA, max_output_tokens=50))
    part, content = types.Part, types.Content
    calls = [
        types.FunctionCall(id="c1", name="draw", args={"max_size": 1}),
        types.FunctionCall(id="c2", name="no_such_tool_", args={"invalid_arguments": "{oops"}),
    ]
    answers = [
        types.FunctionResponse(id="c1", name="draw", response={"asset": "asset_1"}),
        types.FunctionResponse(id="c2", name="no_such_tool_", response={"output": "There is no such tool."}),
    ]
    shown = types.Blob(mime_type="image/png", data=b"picture")
    declared = types.FunctionDeclaration(name="draw", description="Draws.", parameters_json_schema=DRAW.parameters)
    theirs = sent_by_sdk(
        lambda client: client.models.generate_content(
            model=MODEL,
            contents=[
                content(role="user", parts=[part(text="Draw a cat.")]),
                content(role="model", parts=[part(text="Two cats."), *(part(function_call=call) for call in calls)]),
                content(role="user", parts=[part(function_response=one) for one in answers]),
                content(role="user", parts=[part(text="Image 1:"), part(inline_data=shown)]),
            ],
            config=types.GenerateContentConfig(
                system_instruction="Be brief.",
                max_output_tokens=50,
                tools=[types.Tool(function_declarations=[declared])],
                tool_config=types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="NONE")),
                automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            ),
        )
    )
    ours = say.calls.last.request
    body = json.loads(ours.content)
    assert body["contents"][1]["parts"][1].pop("thoughtSignature") == UNSIGNED  # which the SDK's history would hold
    assert camel(body) == camel(json.loads(theirs.content))
    assert (ours.method, str(ours.url)) == (theirs.method, str(theirs.url))


async def test_look_with_a_schema_equals_the_official_clients(family, say):
    schema = {"title": "ImageAnalysis", "type": "object", "properties": {"text_in_image": {"type": "string"}}}
    look = Message(role="user", content="Question: what is it?", media_ids=("a", "v", "s", "d"))
    await family.complete(turn(look, media=MEDIA, answer_schema=schema, detail="low"))
    blobs = [types.Blob(mime_type=MEDIA[name].media_type, data=MEDIA[name].read()) for name in ("a", "v", "s", "d")]
    parts = [types.Part(text="Question: what is it?"), *(types.Part(inline_data=blob) for blob in blobs)]
    theirs = sent_by_sdk(
        lambda client: client.models.generate_content(
            model=MODEL,
            contents=[types.Content(role="user", parts=parts)],
            config=types.GenerateContentConfig(
                response_mime_type="application/json",
                response_json_schema=schema,
                media_resolution="MEDIA_RESOLUTION_LOW",
            ),
        )
    )
    assert_equal_requests(say.calls.last.request, theirs)


async def test_first_call_of_each_turn_has_the_documented_stand_in_for_its_signature(family, say):
    """Without one, Gemini 3 and later answer 400."""
    await family.complete(turn(*TALK, media=MEDIA))
    first, second = sent(say)["contents"][1]["parts"][1:]
    assert (first["thoughtSignature"], "thoughtSignature" in second) == (UNSIGNED, False)


async def test_older_models_get_no_signature(family, say):
    await family.complete(ChatRequest(model="gemini-2.5-flash", messages=TALK, media=MEDIA))
    assert "thoughtSignature" not in say.calls.last.request.content.decode()


async def test_all_answers_to_one_turn_are_one_content(family, say):
    await family.complete(turn(*TALK, media=MEDIA))
    assert [len(content["parts"]) for content in sent(say)["contents"]] == [1, 3, 2, 2]


async def test_empty_messages_are_left_out(family, say):
    await family.complete(turn(ASKED, Message(role="assistant"), Message(role="user", content="Well?")))
    assert [content["parts"] for content in sent(say)["contents"]] == [[{"text": "Draw a cat."}], [{"text": "Well?"}]]


async def test_model_without_a_row_is_asked_by_its_name(family, say):
    reply = await family.complete(ChatRequest(model="gemini-5-neon", messages=(ASKED,)))
    assert say.calls.last.request.url.path == "/v1/models/gemini-5-neon:generateContent"
    assert (reply.content, reply.cost_usd) == ("Yes.", None)


async def test_long_clip_is_uploaded_before_the_turn(family, say, vendor):
    host = API.removesuffix("/v1")
    vendor.post(f"{host}/upload/v1/files").respond(headers={"x-goog-upload-url": f"{host}/place"}, json={})
    file = {"name": "files/f1", "uri": f"{API}/files/f1", "state": "ACTIVE"}
    vendor.post(f"{host}/place").respond(json={"file": file})
    long = {"v": Media("video/mp4", data=b"\0" * (INLINE_BYTES + 1))}
    await family.complete(turn(Message(role="user", content="What happens?", media_ids=("v",)), media=long))
    shown = sent(say)["contents"][0]["parts"][1]
    assert shown == {"fileData": {"mimeType": "video/mp4", "fileUri": f"{API}/files/f1"}}


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Message(role="user", media_ids=("z",)), "z is not attached"),
        (Message(role="user", media_ids=("x",)), "does not take application/zip"),
        (Message(role="tool", tool_call_id="c1", media_ids=("a",)), "in user messages only"),
    ],
)
async def test_what_cannot_be_shown_is_refused_before_it_is_sent(family, say, message, said):
    with pytest.raises(NotOffered, match=said):
        await family.complete(turn(message, media=MEDIA))
    assert not say.called


async def test_model_is_shown_only_what_it_can_see(family, say):
    row = family.row(MODEL).model_copy(update={"capabilities": ("vision",)})
    family.models = (row,)
    await family.complete(turn(Message(role="user", media_ids=("a",)), media=MEDIA))
    with pytest.raises(NotOffered, match="cannot be shown documents"):
        await family.complete(turn(Message(role="user", media_ids=("d",)), media=MEDIA))
    assert say.call_count == 1


# ---- the answer ------------------------------------------------------------------------------------------------------


async def completed(family, vendor, body: dict[str, Any], *messages: Message):
    vendor.post(URL).respond(json=body)
    return await family.complete(turn(*messages))


async def test_text_is_read_without_thoughts(family, vendor):
    parts = [{"text": "Hmm.", "thought": True}, {"text": "A "}, {"text": "cat.", "thoughtSignature": "x" * 9}]
    reply = await completed(family, vendor, answer(*parts))
    assert (reply.content, reply.finish_reason, reply.tool_calls) == ("A cat.", "stop", ())


async def test_calls_have_ids_of_their_own(family, vendor):
    """Google's own are kept; missing ones, and those met before, become the next free ones, the same each time."""
    calls = [
        {"functionCall": {"id": "g1", "name": "draw", "args": {"prompt": "a cat"}}},
        {"functionCall": {"name": "draw", "args": {}}},
        {"functionCall": {"id": "c1", "name": "draw"}},
    ]
    reply = await completed(family, vendor, answer(*calls), *TALK[:5])
    assert [call.id for call in reply.tool_calls] == ["g1", "call_1", "call_2"]
    assert [call.arguments for call in reply.tool_calls] == ['{"prompt": "a cat"}', "{}", "{}"]


@pytest.mark.parametrize(
    "body",
    [
        {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
        {"candidates": [{"finishReason": "SAFETY"}]},
        answer({"text": "I will"}, finish="RECITATION"),
    ],
)
async def test_blocked_turn_is_a_refusal(family, vendor, body):
    """Trap 14. A turn is billed all the same, so it is a reply."""
    reply = await completed(family, vendor, body)
    assert "blocked this for its content" in (reply.refusal or "")
    assert reply.finish_reason == "content_filter"


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("STOP", "stop"), ("MAX_TOKENS", "length"), ("MALFORMED_FUNCTION_CALL", "malformed_function_call")],
)
async def test_end_of_a_turn_is_told_in_common_words(family, vendor, finish, reason):
    assert (await completed(family, vendor, answer(finish=finish))).finish_reason == reason


@pytest.mark.parametrize("body", [{}, {"candidates": []}, {"candidates": [None]}])
async def test_answer_without_a_candidate_is_malformed(family, vendor, body):
    with pytest.raises(MalformedAnswer):
        await completed(family, vendor, body)


async def test_lost_turn_is_not_asked_for_again(family, vendor):
    route = vendor.post(URL).mock(side_effect=httpx.ReadTimeout("slow"))
    with pytest.raises(OutcomeUnknown):
        await family.complete(turn())
    assert route.call_count == 1


async def test_thoughts_are_counted_and_billed_as_output(family, vendor):
    """1,000 tokens in at 0.75 a million, of which 400 cached at 0.075; 200 out at 3.75."""
    meta = {
        "promptTokenCount": 1000,
        "cachedContentTokenCount": 400,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 642},
            {"modality": "IMAGE", "tokenCount": 258},
            {"modality": "AUDIO", "tokenCount": 100},
        ],
        "candidatesTokenCount": 50,
        "thoughtsTokenCount": 150,
        "totalTokenCount": 1200,
    }
    reply = await completed(family, vendor, answer({"text": "Yes."}, usageMetadata=meta))
    assert reply.usage == Usage(
        input_tokens=1000,
        cached_input_tokens=400,
        image_input_tokens=258,
        audio_input_tokens=100,
        output_tokens=200,
    )
    assert reply.cost_usd == Decimal("0.00123")


@pytest.mark.parametrize("meta", [{}, {"promptTokenCount": 9}, {"promptTokenCount": None, "candidatesTokenCount": -1}])
async def test_tokens_that_were_not_counted_cost_an_unknown_amount(family, vendor, meta):
    reply = await completed(family, vendor, answer({"text": "Yes."}, usageMetadata=meta))
    assert reply.cost_usd is None
