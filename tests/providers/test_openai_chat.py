"""OpenAI's chat: what goes out, what comes back, and what each failure means for the money."""

import contextlib
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import httpx2
import pytest
import respx
from openai import AsyncOpenAI

from providers.errors import (
    InvalidRequest,
    MalformedAnswer,
    ModelGone,
    Moderated,
    NotOffered,
    NotSent,
    OutcomeUnknown,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from providers.http import Http
from providers.openai import OpenAI
from providers.types import ChatRequest, Media, Message, ToolCall, ToolSpec

pytestmark = pytest.mark.anyio

URL = "https://api.openai.com/v1/chat/completions"
DRAW = ToolSpec(name="draw", description="Draws.", parameters={"type": "object", "properties": {}})
HELLO = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
}
STREAMED = b'data: {"choices": [{"delta": {"content": "Hello"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


@contextlib.asynccontextmanager
async def opened(**environment: str) -> AsyncIterator[OpenAI]:
    """A family with these settings, closed at the end."""
    http = Http(timeout_s=300)
    family = OpenAI({"OPENAI_API_KEY": "sk-secret", **environment}, http)
    yield family
    await family.aclose()
    await http.aclose()


@pytest.fixture
async def family(anyio_backend: str) -> AsyncIterator[OpenAI]:
    async with opened() as family:
        yield family


def ask(model: str = "gpt-4o", **more: Any) -> ChatRequest:
    return ChatRequest(model, (Message(role="user", content="Hi"),), **more)


def sent(route: respx.Route) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(route.calls.last.request.content)
    return body


# ---- what goes out ---------------------------------------------------------------------------------------------------


async def test_the_request_is_the_one_a_plain_sdk_call_sends(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = openai_api.post(URL).respond(json=HELLO)
    await family.complete(ask(tools=(DRAW,), max_output_tokens=50))
    async with AsyncOpenAI(api_key="sk-secret", max_retries=0, timeout=300) as plain:
        await plain.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "Hi"}],
            tools=[{"type": "function", "function": DRAW.model_dump()}],  # type: ignore[list-item]
            max_completion_tokens=50,
        )
    ours, theirs = (call.request for call in route.calls)
    assert json.loads(ours.content) == json.loads(theirs.content)
    assert ours.headers == theirs.headers


async def test_a_conversation_with_tools_and_a_picture_is_sent_whole(
    openai_api: respx.MockRouter, family: OpenAI
) -> None:
    route = openai_api.post(URL).respond(json=HELLO)
    messages = (
        Message(role="assistant", tool_calls=(ToolCall(id="call_a", name="draw"),)),
        Message(role="tool", content="asset_1", tool_call_id="call_a"),
        Message(role="user", content="This is it.", media_ids=("asset_1",)),
    )
    await family.complete(ChatRequest("gpt-4o", messages, media={"asset_1": Media("image/png", b"png")}))
    assistant, tool, user = sent(route)["messages"]
    assert assistant["tool_calls"][0]["id"] == tool["tool_call_id"] == "call_a"
    assert tool["content"] == "asset_1"
    assert user["content"][1]["image_url"]["url"] == "data:image/png;base64,cG5n"


async def test_a_reasoning_model_gets_its_tools_without_reasoning(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = openai_api.post(URL).respond(json=HELLO)
    await family.complete(ask("gpt-6-luna", tools=(DRAW,)))
    assert sent(route)["reasoning_effort"] == "none"


async def test_a_model_that_knows_no_format_is_told_the_schema_in_words(
    openai_api: respx.MockRouter, family: OpenAI
) -> None:
    route = openai_api.post(URL).respond(json=HELLO)
    await family.complete(ask("gpt-audio-1.5", answer_schema={"title": "A", "type": "object"}))
    body = sent(route)
    assert "response_format" not in body
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["messages"][0]["content"].endswith('JSON Schema:\n{"title": "A", "type": "object"}')


async def test_the_schema_and_the_media_go_out_as_a_plain_sdk_call_sends_them(
    openai_api: respx.MockRouter, family: OpenAI
) -> None:
    route = openai_api.post(URL).respond(json=HELLO)
    closed: dict[str, Any] = {"properties": {}, "required": [], "additionalProperties": False}
    schema = {"title": "A", "type": "object", **closed}
    media = {"a": Media("image/png", b"png"), "b": Media("application/pdf", b"%PDF")}
    turn = Message(role="user", content="Look.", media_ids=("a", "b"))
    await family.complete(ChatRequest("gpt-4o", (turn,), media=media, answer_schema=schema, detail="low"))
    content: Any = [
        {"type": "text", "text": "Look."},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n", "detail": "low"}},
        {"type": "file", "file": {"filename": "b.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
    ]
    async with AsyncOpenAI(api_key="sk-secret", max_retries=0, timeout=300) as plain:
        await plain.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": content}],
            response_format={"type": "json_schema", "json_schema": {"name": "A", "schema": schema, "strict": True}},
        )
    ours, theirs = (json.loads(call.request.content) for call in route.calls)
    assert ours == theirs


@pytest.mark.parametrize(
    ("model", "media"),
    [
        ("gpt-4o", Media("audio/wav", b"x")),
        ("gpt-audio-1.5", Media("image/png", b"x")),
        ("gpt-4o", Media("video/mp4", b"x")),
    ],
)
async def test_a_model_is_not_shown_what_it_cannot_perceive(
    openai_api: respx.MockRouter, family: OpenAI, model: str, media: Media
) -> None:
    turn = Message(role="user", content="Look.", media_ids=("a",))
    with pytest.raises(NotOffered):
        await family.complete(ChatRequest(model, (turn,), media={"a": media}))
    assert not openai_api.calls


@pytest.mark.parametrize(("model", "tools"), [("gpt-6-luna", ()), ("gpt-4o", (DRAW,)), ("llama3.2", (DRAW,))])
async def test_nobody_else_gets_a_reasoning_effort(
    openai_api: respx.MockRouter, family: OpenAI, model: str, tools: tuple[ToolSpec, ...]
) -> None:
    route = openai_api.post(URL).respond(json=HELLO)
    await family.complete(ask(model, tools=tools))
    assert "reasoning_effort" not in sent(route)


async def test_a_model_that_takes_tools_elsewhere_only_is_not_asked(
    openai_api: respx.MockRouter, family: OpenAI
) -> None:
    with pytest.raises(NotOffered, match=r"gpt-6\.1-sol cannot call tools"):
        await family.complete(ask("gpt-6.1-sol", tools=(DRAW,)))
    assert not openai_api.calls


async def test_the_same_model_answers_without_tools(openai_api: respx.MockRouter, family: OpenAI) -> None:
    openai_api.post(URL).respond(json=HELLO)
    assert (await family.complete(ask("gpt-6.1-sol"))).content == "Hello"


async def test_a_dated_snapshot_is_asked_for_by_its_own_name(openai_api: respx.MockRouter, family: OpenAI) -> None:
    route = openai_api.post(URL).respond(json=HELLO)
    await family.complete(ask("gpt-4o-2024-08-06"))
    assert sent(route)["model"] == "gpt-4o-2024-08-06"


async def test_an_unknown_model_at_another_host_is_sent_as_it_is(openai_api: respx.MockRouter) -> None:
    route = openai_api.post("http://127.0.0.1:11434/v1/chat/completions").respond(json=HELLO)
    async with opened(OPENAI_BASE_URL="http://127.0.0.1:11434/v1/") as family:
        reply = await family.complete(ask("llama3.2:3b"))
    assert sent(route) == {"model": "llama3.2:3b", "messages": [{"role": "user", "content": "Hi"}]}
    assert (reply.content, reply.cost_usd) == ("Hello", None)


async def test_a_stream_is_asked_for_when_the_setting_says_so_as_a_plain_sdk_call_does(
    openai_api: respx.MockRouter,
) -> None:
    headers = {"content-type": "text/event-stream"}
    route = openai_api.post(URL).respond(headers=headers, content=STREAMED)
    async with opened(OPENAI_STREAM="true") as family:
        assert (await family.complete(ask())).content == "Hello"
    async with AsyncOpenAI(api_key="sk-secret", max_retries=0) as plain:
        await plain.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "Hi"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    ours, theirs = (json.loads(call.request.content) for call in route.calls)
    assert ours == theirs


# ---- what comes back -------------------------------------------------------------------------------------------------


async def test_the_reply_carries_usage_and_cost(openai_api: respx.MockRouter, family: OpenAI) -> None:
    openai_api.post(URL).respond(json=HELLO)
    reply = await family.complete(ask())
    assert reply.usage is not None
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (1000, 100)
    assert reply.cost_usd == Decimal("0.0035")


async def test_a_gateway_that_streams_unasked_is_understood(openai_api: respx.MockRouter, family: OpenAI) -> None:
    openai_api.post(URL).respond(headers={"content-type": "text/event-stream"}, content=STREAMED)
    assert (await family.complete(ask())).content == "Hello"


async def test_a_gateway_that_does_not_stream_when_asked_is_understood(openai_api: respx.MockRouter) -> None:
    openai_api.post(URL).respond(json=HELLO)
    async with opened(OPENAI_STREAM="1") as family:
        assert (await family.complete(ask())).content == "Hello"


async def test_a_call_never_bears_the_id_of_an_earlier_one(openai_api: respx.MockRouter, family: OpenAI) -> None:
    message = {"tool_calls": [{"id": "call_0", "type": "function", "function": {"name": "draw", "arguments": "{}"}}]}
    openai_api.post(URL).respond(json={"choices": [{"message": message}]})
    history = Message(role="assistant", tool_calls=(ToolCall(id="call_0", name="draw"),))
    reply = await family.complete(ChatRequest("gpt-4o", (history,)))
    assert reply.tool_calls[0].id == "call_1"


# ---- failures --------------------------------------------------------------------------------------------------------


def problem(**error: Any) -> dict[str, Any]:
    return {"error": {"message": "It went wrong.", "type": None, "param": None, "code": None, **error}}


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (400, {"code": "context_length_exceeded", "type": "invalid_request_error"}, InvalidRequest),
        (400, {"code": "content_policy_violation"}, Moderated),
        (400, {"code": "billing_hard_limit_reached"}, QuotaExhausted),
        (401, {"code": "invalid_api_key"}, Unauthorized),
        (403, {"code": "unsupported_country_region_territory"}, Unauthorized),
        (404, {"code": "model_not_found"}, ModelGone),
        (408, {}, OutcomeUnknown),
        (422, {}, InvalidRequest),
        (429, {"code": "rate_limit_exceeded", "type": "tokens"}, RateLimited),
        (429, {"code": "insufficient_quota", "type": "insufficient_quota"}, QuotaExhausted),
        (429, {"code": None, "type": "insufficient_quota"}, QuotaExhausted),
        (500, {"type": "server_error"}, OutcomeUnknown),
        (503, {"type": "server_error"}, OutcomeUnknown),
    ],
)
async def test_a_status_is_translated_and_the_call_made_once(
    openai_api: respx.MockRouter, family: OpenAI, status: int, error: dict[str, Any], expected: type[ProviderError]
) -> None:
    route = openai_api.post(URL).respond(status, json=problem(**error))
    with pytest.raises(ProviderError) as caught:
        await family.complete(ask())
    assert type(caught.value) is expected
    assert route.call_count == 1


async def test_the_sentence_of_the_vendor_is_passed_on(openai_api: respx.MockRouter, family: OpenAI) -> None:
    openai_api.post(URL).respond(400, json=problem(message="No such parameter."))
    with pytest.raises(InvalidRequest, match=r"No such parameter\."):
        await family.complete(ask())


async def test_a_refused_key_is_not_quoted(openai_api: respx.MockRouter, family: OpenAI) -> None:
    openai_api.post(URL).respond(401, json=problem(message="Incorrect API key provided: sk-secret."))
    with pytest.raises(Unauthorized) as caught:
        await family.complete(ask())
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(("status", "expected"), [(429, RateLimited), (503, Overloaded)])
async def test_the_time_to_wait_is_read(
    openai_api: respx.MockRouter, family: OpenAI, status: int, expected: type[ProviderError]
) -> None:
    openai_api.post(URL).respond(status, headers={"retry-after": "7", "retry-after-ms": "0"}, json=problem())
    with pytest.raises(expected) as caught:
        await family.complete(ask())
    assert caught.value.retry_after == 7


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"", b"[1]", b'{"detail": "no"}'])
async def test_an_error_page_of_a_proxy_is_translated_too(
    openai_api: respx.MockRouter, family: OpenAI, body: bytes
) -> None:
    openai_api.post(URL).respond(502, content=body)
    with pytest.raises(OutcomeUnknown):
        await family.complete(ask())


@pytest.mark.parametrize("failure", [httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError])
async def test_without_a_connection_nothing_was_sent(
    openai_api: respx.MockRouter, family: OpenAI, failure: type[httpx2.TransportError]
) -> None:
    openai_api.post(URL).mock(side_effect=failure("no"))
    with pytest.raises(NotSent, match=r"api\.openai\.com") as caught:
        await family.complete(ask())
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    "failure",
    [httpx2.ReadTimeout, httpx2.WriteTimeout, httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError],
)
async def test_after_the_bytes_left_the_outcome_is_unknown(
    openai_api: respx.MockRouter, family: OpenAI, failure: type[httpx2.TransportError]
) -> None:
    route = openai_api.post(URL).mock(side_effect=failure("gone"))
    with pytest.raises(OutcomeUnknown, match=failure.__name__):
        await family.complete(ask())
    assert route.call_count == 1


class Broken(httpx.AsyncByteStream):
    """A body that stops in the middle."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'data: {"choices": [{"delta": {"content": "Once"}}]}\n\n'
        raise httpx.ReadError("gone")


async def test_a_stream_that_breaks_leaves_the_outcome_unknown(openai_api: respx.MockRouter) -> None:
    answer = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Broken())
    openai_api.post(URL).mock(side_effect=lambda request: answer)
    async with opened(OPENAI_STREAM="true") as family:
        with pytest.raises(OutcomeUnknown):
            await family.complete(ask())


@pytest.mark.parametrize("content", [b"<html>Sign in</html>", b"", b"[]", b'{"choices": []}', b'{"choices": [{}]}'])
async def test_a_200_without_a_message_is_malformed(
    openai_api: respx.MockRouter, family: OpenAI, content: bytes
) -> None:
    openai_api.post(URL).respond(content=content, headers={"content-type": "application/json"})
    with pytest.raises(MalformedAnswer):
        await family.complete(ask())


async def test_a_rate_limit_inside_a_200_may_have_been_billed(openai_api: respx.MockRouter, family: OpenAI) -> None:
    openai_api.post(URL).respond(json=problem(code="rate_limit_exceeded"))
    with pytest.raises(RateLimited) as caught:
        await family.complete(ask())
    assert caught.value.charged is None


# ---- settings --------------------------------------------------------------------------------------------------------


async def test_without_a_key_nothing_is_tried() -> None:
    async with opened(OPENAI_API_KEY="") as family:
        with pytest.raises(Unavailable, match="Set OPENAI_API_KEY"):
            await family.complete(ask())


@pytest.mark.parametrize("key", ["sk-é", "sk-a\nb"])
async def test_a_key_that_no_header_can_hold_makes_the_family_unavailable(key: str) -> None:
    async with opened(OPENAI_API_KEY=key) as family:
        assert "copy it again" in (family.unavailable() or "")


async def test_a_base_url_without_a_scheme_makes_the_family_unavailable() -> None:
    async with opened(OPENAI_BASE_URL="localhost:11434/v1") as family:
        with pytest.raises(Unavailable, match="must begin with http://"):
            await family.complete(ask())


async def test_it_can_be_closed_unused_and_twice() -> None:
    async with opened() as family:
        await family.aclose()
        await family.aclose()
