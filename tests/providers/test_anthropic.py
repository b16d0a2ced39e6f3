"""Anthropic's peculiarities: its turns and blocks, schemas of answers, refusals of both kinds, its list of models."""

import base64
import datetime as dt
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from anthropic import AsyncAnthropic
from wire_anthropic import API, KEY, MESSAGES, WIRE, problem, said, text

from providers.anthropic import MAX_TOKENS, Anthropic
from providers.catalogue import Catalogue
from providers.errors import (
    InvalidRequest,
    MalformedAnswer,
    ModelGone,
    Moderated,
    NotOffered,
    OutcomeUnknown,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from providers.http import Http, patiently
from providers.types import ChatRequest, ImageRequest, Media, Message, ToolCall, ToolSpec

pytestmark = pytest.mark.anyio

PNG = Media("image/png", data=b"\x89PNG")
PDF = Media("application/pdf", data=b"%PDF-1.7")
NOTE = Media("text/plain", data="Grüße".encode())
DRAW = ToolSpec(name="draw", description="Draws.", parameters={"type": "object", "properties": {}})
CLOSED = {
    "title": "Answer",
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
FREE = {"title": "Extraction", "type": "object", "properties": {"data": {"type": "object"}}, "required": ["data"]}


@pytest.fixture
async def family() -> AsyncIterator[Anthropic]:
    http = Http()
    yield Anthropic({"ANTHROPIC_API_KEY": KEY}, http)
    await http.aclose()


@pytest.fixture
def messages(vendor):
    return vendor.post(MESSAGES).mock(return_value=said(text("Yes.")))


def user(content: str = "Hello.", **fields) -> Message:
    return Message(role="user", content=content, **fields)


def asked(*turns: Message, **fields) -> ChatRequest:
    return ChatRequest(**{"model": "claude-sonnet-5-5", "messages": turns or (user(),), **fields})


def sent(route) -> dict[str, Any]:
    return json.loads(route.calls.last.request.content)


async def answered(family, vendor, response: httpx.Response, **fields):
    vendor.post(MESSAGES).mock(return_value=response)
    return await family.complete(asked(**fields))


# ---- the request -----------------------------------------------------------------------------------------------------


async def test_turn_with_everything_equals_the_official_clients(family, messages, openai_api):
    call = ToolCall(id="toolu_1", name="draw", arguments='{"what": "a cat"}')
    turns = (
        Message(role="system", content="Be brief."),
        user("Look.", media_ids=("a", "b", "c")),
        Message(role="assistant", content="I draw.", tool_calls=(call,)),
        Message(role="tool", content="Done: asset_1", tool_call_id="toolu_1"),
    )
    media = {"a": PNG, "b": PDF, "c": NOTE}
    await family.complete(
        asked(*turns, media=media, tools=(DRAW,), tools_allowed=False, answer_schema=CLOSED, max_output_tokens=900)
    )
    ours = messages.calls.last.request
    theirs = openai_api.post(MESSAGES).mock(return_value=said(text("Yes.")))
    async with AsyncAnthropic(api_key=KEY, max_retries=0) as client:
        await client.messages.create(
            model="claude-sonnet-5-5",
            max_tokens=900,
            system="Be brief.",
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "source": source("image/png", PNG)},
                        {"type": "document", "source": source("application/pdf", PDF)},
                        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"}},
                        {"type": "text", "text": "Look."},
                    ],
                },
                {
                    "role": "assistant",
                    "content": [
                        {"type": "text", "text": "I draw."},
                        {"type": "tool_use", "id": "toolu_1", "name": "draw", "input": {"what": "a cat"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Done: asset_1"}],
                },
            ],
            tools=[{"name": "draw", "description": "Draws.", "input_schema": DRAW.parameters}],
            tool_choice={"type": "none"},
            output_config={"format": {"type": "json_schema", "schema": CLOSED}},
        )
    assert_equal_requests(ours, theirs.calls.last.request)


def source(kind: str, media: Media) -> dict[str, str]:
    return {"type": "base64", "media_type": kind, "data": base64.b64encode(media.read()).decode()}


def assert_equal_requests(ours: httpx.Request, theirs: httpx.Request) -> None:
    assert (ours.method, str(ours.url)) == (theirs.method, str(theirs.url))
    if ours.content or theirs.content:
        assert json.loads(ours.content) == json.loads(theirs.content)
        assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert ours.headers["anthropic-version"] == theirs.headers["anthropic-version"] == "2026-10-21"
    # The SDK sends the key as a bearer token since 2.0; the API takes both, and its own examples show this one.
    assert ours.headers["x-api-key"] == theirs.headers["authorization"].removeprefix("Bearer ") == KEY


async def test_plain_turn_equals_the_official_clients(family, messages, openai_api):
    await family.complete(asked(user("Hi.")))
    ours = messages.calls.last.request
    theirs = openai_api.post(MESSAGES).mock(return_value=said(text("Yes.")))
    block = [{"type": "text", "text": "Hi."}]
    async with AsyncAnthropic(api_key=KEY, max_retries=0) as client:
        await client.messages.create(
            model="claude-sonnet-5-5", max_tokens=MAX_TOKENS, messages=[{"role": "user", "content": block}]
        )
    assert_equal_requests(ours, theirs.calls.last.request)


async def test_question_for_models_equals_the_official_clients(family, vendor, openai_api):
    page = {"data": [{"id": "claude-opus-5", "lifecycle": "active"}], "has_more": False, "last_id": "claude-opus-5"}
    ours, theirs = (router.get(f"{API}/v1/models").respond(json=page) for router in (vendor, openai_api))
    await family.refresh()
    async with AsyncAnthropic(api_key=KEY, max_retries=0) as client:
        assert [model.id async for model in client.models.list(limit=1000)] == ["claude-opus-5"]
    assert_equal_requests(ours.calls.last.request, theirs.calls.last.request)


async def test_results_of_all_calls_stand_in_one_user_turn_before_what_follows(family, messages):
    calls = tuple(ToolCall(id=f"toolu_{number}", name="draw") for number in range(3))
    results = [Message(role="tool", content=f"r{call.id}", tool_call_id=call.id) for call in calls]
    shown = user("The pictures.", media_ids=("a",))
    await family.complete(
        asked(user(), Message(role="assistant", tool_calls=calls), *results, shown, user("Go on."), media={"a": PNG})
    )
    turns = sent(messages)["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert [block["type"] for block in turns[1]["content"]] == ["tool_use"] * 3
    assert [block["type"] for block in turns[2]["content"]] == ["tool_result"] * 3 + ["image", "text", "text"]


async def test_call_that_another_model_got_wrong_does_not_spoil_later_turns(family, messages):  # traps 2, 3, 7
    calls = (
        ToolCall(id="call:1.a", name="draw it!", arguments='{"a": 1}{"b": 2}'),
        ToolCall(id="Xy12AbC9z", name="draw", arguments="{}"),
    )
    turns = [Message(role="tool", content="What?", tool_call_id=call.id) for call in calls]
    await family.complete(asked(user(), Message(role="assistant", tool_calls=calls), *turns))
    wrong, right = sent(messages)["messages"][1]["content"]
    assert (wrong["id"], wrong["name"]) == ("call_1_a", "draw_it_")
    assert wrong["input"] == {"invalid_arguments": '{"a": 1}{"b": 2}'}
    assert (right["id"], right["input"]) == ("Xy12AbC9z", {})
    assert sent(messages)["messages"][2]["content"][0]["tool_use_id"] == "call_1_a"


async def test_empty_text_is_left_out_as_it_would_be_refused(family, messages):
    turns = [user("Hi."), Message(role="assistant", content=" "), user("\n", media_ids=("a",)), user("So?")]
    empty = Message(role="tool", content="", tool_call_id="toolu_1")
    call = Message(role="assistant", tool_calls=(ToolCall(id="toolu_1", name="draw"),))
    await family.complete(asked(*turns, call, empty, media={"a": PNG}))
    first, _, last = sent(messages)["messages"]
    assert [block["type"] for block in first["content"]] == ["text", "image", "text"]
    assert last["content"] == [{"type": "tool_result", "tool_use_id": "toolu_1"}]


async def test_schema_that_cannot_be_enforced_is_asked_for_in_words(family, vendor):
    fenced = said(text('```json\n{"data": {"a": 1}}\n```'))
    route = vendor.post(MESSAGES).mock(return_value=fenced)
    reply = await family.complete(asked(Message(role="system", content="Read."), user(), answer_schema=FREE))
    assert "output_config" not in sent(route)
    assert sent(route)["system"].startswith("Read.\n\nAnswer with one JSON object")
    assert json.dumps(FREE) in sent(route)["system"]
    assert json.loads(reply.content) == {"data": {"a": 1}}


async def test_schema_that_is_too_large_to_be_enforced_is_asked_for_in_words(family, vendor):
    words = "output_config.format.schema: Invalid schema: The compiled grammar is too large"
    route = vendor.post(MESSAGES)
    route.side_effect = [problem(400, "invalid_request_error", words), said(text('{"ok": true}'))]
    assert (await family.complete(asked(answer_schema=CLOSED))).content == '{"ok": true}'
    first, second = (json.loads(call.request.content) for call in route.calls)
    assert ("output_config" in first, "output_config" in second) == (True, False)
    assert json.dumps(CLOSED) in second["system"]


@pytest.mark.parametrize(
    ("model", "wanted", "given"),
    [("claude-opus-4-5", None, MAX_TOKENS), ("claude-opus-4-5", 100_000, 64_000), ("claude-next", 70_000, 70_000)],
)
async def test_answer_is_bounded_by_the_caller_and_the_model(family, messages, model, wanted, given):
    await family.complete(asked(model=model, max_output_tokens=wanted))
    assert sent(messages)["max_tokens"] == given


async def test_nothing_is_sent_that_the_version_refuses(family, messages):
    await family.complete(asked(tools=(DRAW,), answer_schema=CLOSED))
    assert set(sent(messages)) == {"model", "max_tokens", "messages", "tools", "output_config"}


@pytest.mark.parametrize("base", ["http://fake.test:9", "http://fake.test:9/v1", "http://fake.test:9/v1/"])
async def test_base_url_with_or_without_v1(vendor, base):
    route = vendor.post("http://fake.test:9/v1/messages").mock(return_value=WIRE.accepted)
    http = Http()
    await Anthropic({"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": base}, http).complete(asked())
    await http.aclose()
    assert route.called


@pytest.mark.parametrize(
    ("message", "media", "told"),
    [
        (user(media_ids=("a",)), {"a": Media("video/mp4", data=b"x")}, "video/mp4"),
        (user(media_ids=("a",)), {"a": Media("audio/mpeg", data=b"x")}, "audio/mpeg"),
        (user(media_ids=("a",)), {"a": Media("image/tiff", data=b"x")}, "image/tiff"),
        (user(media_ids=("a",)), {"a": Media("image/png", data=bytes(26 * 1024**2))}, "24 MB"),
        (user(media_ids=("a",)), {}, "not attached"),
        (Message(role="system", content="x", media_ids=("a",)), {"a": PNG}, "user messages only"),
    ],
)
async def test_media_that_cannot_be_shown_are_refused_before_the_call(family, messages, message, media, told):
    with pytest.raises(NotOffered, match=told):
        await family.complete(asked(message, media=media))
    assert not messages.called


async def test_it_makes_no_media_and_retired_models_do_not_answer(family, messages):
    with pytest.raises(NotOffered):
        await family.submit(ImageRequest(model="claude-opus-5", prompt="x"), {})
    with pytest.raises(Unavailable, match="claude-opus-4-8"):
        await family.complete(asked(model="claude-opus-4-0"))
    assert not messages.called


async def test_without_its_key_nothing_is_sent(messages):
    http = Http()
    with pytest.raises(Unavailable, match="ANTHROPIC_API_KEY"):
        await Anthropic({}, http).complete(asked())
    await http.aclose()
    assert not messages.called


# ---- the answer ------------------------------------------------------------------------------------------------------


async def test_calls_are_read_beside_text_and_thoughts(family, vendor):
    blocks = [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        text("I draw "),
        text("two."),
        {"type": "tool_use", "id": "toolu_1", "name": "draw", "input": {"what": "a cat"}},
        {"type": "tool_use", "id": "toolu_2", "name": "draw", "input": {}},
        {"type": "never_seen", "text": "?"},
    ]
    reply = await answered(family, vendor, said(*blocks, reason="tool_use"))
    assert (reply.content, reply.finish_reason) == ("I draw two.", "tool_calls")
    assert reply.tool_calls == (
        ToolCall(id="toolu_1", name="draw", arguments='{"what": "a cat"}'),
        ToolCall(id="toolu_2", name="draw", arguments="{}"),
    )


async def test_calls_count_by_their_presence_and_have_ids_of_their_own(family, vendor):  # traps 1, 8
    calls = [{"type": "tool_use", "id": "toolu_1", "name": "draw"} for _ in range(2)]
    reply = await answered(family, vendor, said(*calls, reason="end_turn"))
    assert [call.id for call in reply.tool_calls] == ["toolu_1", "call_1"]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "pause_turn"),
    ],
)
async def test_reasons_to_stop_are_told_in_the_usual_words(family, vendor, reason, finish):
    assert (await answered(family, vendor, said(text("x"), reason=reason))).finish_reason == finish


@pytest.mark.parametrize(
    ("details", "told"),
    [
        ({"type": "refusal", "category": "bio", "explanation": "Not this."}, "Not this."),
        ({"type": "refusal", "explanation": None}, "The model declined to answer this."),
        (None, "The model declined to answer this."),
    ],
)
async def test_refusal_is_an_answer_and_is_paid_for(family, vendor, details, told):
    reply = await answered(family, vendor, said(text("I"), reason="refusal", stop_details=details))
    assert (reply.content, reply.refusal, reply.finish_reason) == ("", told, "content_filter")
    assert reply.cost_usd is not None


async def test_empty_answer_is_no_error(family, vendor):  # trap 6
    reply = await answered(family, vendor, said())
    assert (reply.content, reply.tool_calls, reply.refusal) == ("", (), None)


@pytest.mark.parametrize(
    ("usage", "read", "cached", "cost"),
    [
        ({"input_tokens": 1000, "output_tokens": 100}, 1000, 0, "0.003000"),
        ({"input_tokens": 1000, "output_tokens": 100, "cache_read_input_tokens": 500}, 1500, 500, "0.003050"),
        ({"input_tokens": 900, "output_tokens": 100, "cache_creation_input_tokens": 100}, 1000, 0, "0.003000"),
    ],
)
async def test_usage_counts_what_the_cache_gave_among_the_input(family, vendor, usage, read, cached, cost):
    reply = await answered(family, vendor, said(text("x"), usage=usage))
    assert (reply.usage.input_tokens, reply.usage.cached_input_tokens, reply.usage.output_tokens) == (read, cached, 100)
    assert reply.cost_usd == Decimal(cost)


async def test_price_comes_from_the_catalogue_where_no_library_has_it(family, vendor):
    usage = {"input_tokens": 1_000_000, "output_tokens": 1000}
    reply = await answered(family, vendor, said(text("x"), usage=usage), model="claude-mythos-5-1")
    assert reply.cost_usd == Decimal("10.05")


@pytest.mark.parametrize("usage", [None, {"input_tokens": None, "output_tokens": 5}])
async def test_turn_that_was_not_counted_has_no_known_cost(family, vendor, usage):
    assert (await answered(family, vendor, said(text("x"), usage=usage))).cost_usd is None


@pytest.mark.parametrize("body", [{"type": "message"}, {"content": "text"}, [1], "<html>"])
async def test_answer_that_is_no_message_is_malformed(family, vendor, body):
    with pytest.raises(MalformedAnswer):
        await answered(family, vendor, httpx.Response(200, json=body))


async def test_error_inside_an_answer_may_have_been_billed(family, vendor):  # trap 5
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "later"}}
    with pytest.raises(RateLimited) as caught:
        await answered(family, vendor, httpx.Response(200, json=body))
    assert caught.value.charged is None


# ---- refusals --------------------------------------------------------------------------------------------------------


def limit_reached() -> httpx.Response:
    details = {"error_code": "enforced_spend_limit_reached"}
    error = {"type": "rate_limit_error", "message": "Monthly limit.", "details": details}
    return httpx.Response(429, json={"type": "error", "error": error})


LOW = "Your credit balance is too low to access the Anthropic API."


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (problem(400, "invalid_request_error", LOW), QuotaExhausted, "credit balance"),
        (problem(400, "invalid_request_error", "You have reached your API usage limits."), QuotaExhausted, "limits"),
        (problem(402, "billing_error", "Pay."), QuotaExhausted, "Pay"),
        (limit_reached(), QuotaExhausted, "monthly limit"),
        (problem(429, "rate_limit_error"), RateLimited, "rate"),
        (problem(400, "invalid_request_error", "max_tokens: too large"), InvalidRequest, "max_tokens"),
        (problem(400, "invalid_request_error", "Output blocked by content filtering policy"), Moderated, "content"),
        (problem(401, "authentication_error"), Unauthorized, "key"),
        (problem(403, "permission_error"), Unauthorized, "key"),
        (problem(404, "not_found_error", "model: x"), ModelGone, "model: x"),
        (problem(413, "request_too_large"), InvalidRequest, "413"),
        (problem(500, "api_error"), OutcomeUnknown, "500"),
        (problem(504, "timeout_error"), OutcomeUnknown, "504"),
    ],
)
async def test_refusals_say_what_they_mean(family, vendor, answer, error, told):
    with pytest.raises(error, match=told) as caught:
        await answered(family, vendor, answer)
    assert type(caught.value) is error


@pytest.mark.parametrize("status", [503, 529])
@pytest.mark.parametrize(("headers", "wait_s"), [({}, 2.0), ({"retry-after": "7"}, 7.0), ({"retry-after": "0"}, 0.0)])
async def test_overload_is_a_refusal_that_says_when_to_come_back(family, vendor, status, headers, wait_s):
    with pytest.raises(Overloaded) as caught:
        await answered(family, vendor, problem(status, "overloaded_error", headers=headers))
    assert (caught.value.retry_after, caught.value.charged, caught.value.elsewhere) == (wait_s, False, True)


async def test_overload_is_waited_out(family, vendor):
    route = vendor.post(MESSAGES)
    route.side_effect = [httpx.Response(529, headers={"retry-after": "0"}), said(text("Yes."))]
    assert (await patiently(lambda: family.complete(asked()))).content == "Yes."
    assert route.call_count == 2


# ---- the models ------------------------------------------------------------------------------------------------------


def listed(name: str, **fields) -> dict[str, Any]:
    row = {"id": name, "type": "model", "display_name": name, "lifecycle": "active", "retires_at": None}
    return row | {"max_tokens": 128000, "max_input_tokens": 1000000} | fields


async def test_vendor_corrects_ends_and_limits_and_says_what_is_gone(family, vendor):
    rows = [
        row.id for row in family.models if row.status != "retired" and row.id not in ("claude-opus-5", "claude-fable-5")
    ]
    models = [listed(name) for name in rows if name not in ("claude-haiku-4-5", "claude-sonnet-4-5")]
    end = "2030-05-01T00:00:00Z"
    models += [
        listed("claude-haiku-4-5-20251001", max_tokens=50_000),
        listed("claude-sonnet-4-5-20250929", lifecycle="deprecated", retires_at="2026-01-01T00:00:00Z"),
        listed("claude-fable-5", lifecycle="retired"),
    ]
    models[0] |= {"lifecycle": "deprecated", "retires_at": end}
    route = vendor.get(f"{API}/v1/models")
    route.side_effect = [
        httpx.Response(200, json={"data": models[:5], "has_more": True, "last_id": "m5"}),
        httpx.Response(200, json={"data": models[5:], "has_more": False, "last_id": "m9"}),
    ]
    told = await family.refresh()
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    assert set(told.gone) == {"claude-opus-5", "claude-fable-5"}
    assert told.shutdowns == {rows[0]: dt.date(2030, 5, 1), "claude-sonnet-4-5": tomorrow}  # overdue, and living
    assert told.limits["claude-haiku-4-5"] == {"max_output_tokens": 50_000, "context_tokens": 1_000_000}
    assert route.calls.last.request.url.params["after_id"] == "m5"


@pytest.mark.parametrize("body", [{"data": []}, {"data": None}, {}])
async def test_list_of_models_that_says_nothing_corrects_nothing(family, vendor, body):
    vendor.get(f"{API}/v1/models").respond(json=body)
    with pytest.raises(MalformedAnswer):
        await family.refresh()


@pytest.mark.parametrize(
    ("wanted", "today", "chosen"),
    [
        (None, dt.date(2026, 11, 20), "claude-haiku-5-5"),
        ("claude-3-5-sonnet-latest", dt.date(2026, 11, 20), "claude-sonnet-5-5"),
        ("claude-opus-4-0", dt.date(2026, 11, 20), "claude-opus-4-8"),
        ("claude-sonnet-4-5", dt.date(2026, 11, 20), "claude-sonnet-4-5"),
        ("claude-sonnet-4-5", dt.date(2026, 11, 30), "claude-sonnet-5-5"),
    ],
)
def test_retired_models_are_served_by_their_successors(wanted, today, chosen):
    catalogue = Catalogue(Anthropic({"ANTHROPIC_API_KEY": KEY}, Http()).models, today=lambda: today)
    choice = catalogue.choose("chat", wanted, needs={"vision", "documents"})
    assert choice.model.id == chosen
    assert bool(choice.warnings) == (wanted is not None and choice.model.id not in (wanted,))


async def test_warm_up_loads_the_prices(family):
    await family.warm_up()
