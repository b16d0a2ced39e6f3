"""The Chat Completions format: what is sent, and every shape of answer that vendors were seen to give."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.chat_completions import call_ids, from_answer, from_stream, from_wire, to_wire
from providers.errors import (
    InvalidRequest,
    MalformedAnswer,
    Moderated,
    NotOffered,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
)
from providers.types import ChatRequest, Media, Message, ToolCall, ToolSpec, Usage

DRAW = ToolSpec(name="draw", description="Draws.", parameters={"type": "object", "properties": {}})


def body(message: dict[str, Any], finish_reason: Any = "stop", **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish_reason}], **more}


def call(arguments: Any = "{}", call_id: Any = "call_a", name: str = "draw") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calls_of(*calls: dict[str, Any], taken: tuple[str, ...] = ()) -> tuple[ToolCall, ...]:
    return from_wire(body({"content": None, "tool_calls": list(calls)}, "tool_calls"), taken=taken).tool_calls


def ask(*messages: Message, **more: Any) -> dict[str, Any]:
    return to_wire(ChatRequest("m", messages, **more))


# ---- the request -----------------------------------------------------------------------------------------------------


def test_a_plain_request_holds_nothing_but_model_and_messages() -> None:
    wire = ask(Message(role="system", content="s"), Message(role="user", content="u"))
    assert wire == {
        "model": "m",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
    }


def test_tools_are_functions_and_the_choice_is_left_to_the_model() -> None:
    wire = ask(Message(role="user", content="u"), tools=(DRAW,))
    assert wire["tools"] == [
        {"type": "function", "function": {"name": "draw", "description": "Draws.", "parameters": DRAW.parameters}}
    ]
    assert "tool_choice" not in wire
    assert "parallel_tool_calls" not in wire


def test_the_last_turn_shows_the_tools_and_forbids_them() -> None:
    wire = ask(Message(role="user", content="u"), tools=(DRAW,), tools_allowed=False)
    assert wire["tool_choice"] == "none"
    assert len(wire["tools"]) == 1


def test_the_output_limit_goes_by_its_new_name() -> None:
    wire = ask(Message(role="user", content="u"), max_output_tokens=9)
    assert wire["max_completion_tokens"] == 9
    assert "max_tokens" not in wire


def test_a_stream_is_asked_for_with_its_usage() -> None:
    wire = to_wire(ChatRequest("m", ()), stream=True, extra={"reasoning_effort": "none"})
    assert wire["stream"] is True
    assert wire["stream_options"] == {"include_usage": True}
    assert wire["reasoning_effort"] == "none"


def test_an_image_becomes_a_data_uri_after_the_text_of_a_user_message() -> None:
    message = Message(role="user", content="Look.", media_ids=("asset_1",))
    wire = ask(message, media={"asset_1": Media("image/png", b"\x89PNG")})
    assert wire["messages"][0]["content"] == [
        {"type": "text", "text": "Look."},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
    ]


def test_an_image_in_a_tool_message_is_refused() -> None:
    message = Message(role="tool", content="done", tool_call_id="call_a", media_ids=("asset_1",))
    with pytest.raises(NotOffered, match="user messages only"):
        ask(message, media={"asset_1": Media("image/png", b"x")})


def test_an_image_that_is_not_attached_is_refused() -> None:
    with pytest.raises(NotOffered, match="asset_1 is not attached"):
        ask(Message(role="user", media_ids=("asset_1",)))


def test_calls_and_their_answers_go_back_as_they_came() -> None:
    calls = (ToolCall(id="9charsonly", name="draw", arguments='{"a": 1}'),)
    wire = ask(
        Message(role="assistant", tool_calls=calls), Message(role="tool", content="ok", tool_call_id="9charsonly")
    )
    assert wire["messages"] == [
        {"role": "assistant", "content": None, "tool_calls": [call('{"a": 1}', "9charsonly")]},
        {"role": "tool", "content": "ok", "tool_call_id": "9charsonly"},
    ]


def test_text_beside_calls_goes_back_too() -> None:
    wire = ask(Message(role="assistant", content="First I draw.", tool_calls=(ToolCall(id="c", name="draw"),)))
    assert wire["messages"][0]["content"] == "First I draw."


def test_arguments_that_are_no_object_go_back_wrapped_in_one() -> None:
    """vLLM and llama.cpp parse them again and would refuse every later turn."""
    wire = ask(Message(role="assistant", tool_calls=(ToolCall(id="c", name="draw", arguments='{"a":'),)))
    sent = wire["messages"][0]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(sent) == {"invalid_arguments": '{"a":'}


@pytest.mark.parametrize(("name", "sent"), [("functions.draw now", "functions_draw_now"), ("", "unknown")])
def test_a_name_outside_the_alphabet_goes_back_inside_it(name: str, sent: str) -> None:
    wire = ask(Message(role="assistant", tool_calls=(ToolCall(id="c", name=name),)))
    assert wire["messages"][0]["tool_calls"][0]["function"]["name"] == sent


def test_the_call_ids_of_a_request_are_those_of_its_history() -> None:
    history = (Message(role="assistant", tool_calls=(ToolCall(id="a", name="draw"), ToolCall(id="b", name="draw"))),)
    assert call_ids(ChatRequest("m", history)) == {"a", "b"}


# ---- the answer ------------------------------------------------------------------------------------------------------


def test_a_text_answer_is_read_with_its_usage() -> None:
    details = {"cached_tokens": 4, "image_tokens": 2}
    usage = {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": details}
    reply = from_wire(body({"role": "assistant", "content": "Hello"}, usage=usage))
    assert (reply.content, reply.finish_reason, reply.tool_calls, reply.refusal) == ("Hello", "stop", (), None)
    assert reply.usage == Usage(input_tokens=10, cached_input_tokens=4, image_input_tokens=2, output_tokens=3)


@pytest.mark.parametrize("finish_reason", ["stop", "", None, "tool_calls"])
def test_calls_count_by_their_presence_whatever_the_reason(finish_reason: str | None) -> None:
    reply = from_wire(body({"content": None, "tool_calls": [call()]}, finish_reason))
    assert reply.tool_calls == (ToolCall(id="call_a", name="draw", arguments="{}"),)
    assert reply.finish_reason == (finish_reason or "")


def test_a_custom_call_keeps_its_name_and_its_input_as_text() -> None:
    custom = {"id": "call_c", "type": "custom", "custom": {"name": "shell", "input": "ls -la"}}
    assert calls_of(custom) == (ToolCall(id="call_c", name="shell", arguments="ls -la"),)


@pytest.mark.parametrize(
    "function", [{"name": "draw"}, {"name": "draw", "arguments": ""}, {"name": "draw", "arguments": None}]
)
def test_missing_and_empty_arguments_both_mean_none(function: dict[str, Any]) -> None:
    assert calls_of({"id": "c", "type": "function", "function": function})[0].arguments == "{}"


@pytest.mark.parametrize("text", ['{"a": ', '{"a": 1}{"a": 2}', "draw a cat", "[1]"])
def test_invalid_arguments_pass_unharmed(text: str) -> None:
    assert calls_of(call(text))[0].arguments == text


def test_arguments_sent_as_an_object_become_text() -> None:
    assert json.loads(calls_of(call({"a": 1}))[0].arguments) == {"a": 1}


@pytest.mark.parametrize(("content", "finish_reason"), [(None, "stop"), ("", "length"), ([], "stop")])
def test_an_empty_answer_is_no_error(content: Any, finish_reason: str) -> None:
    reply = from_wire(body({"content": content}, finish_reason))
    assert (reply.content, reply.tool_calls, reply.finish_reason) == ("", (), finish_reason)


def test_the_text_parts_of_a_list_are_joined_and_thoughts_left_out() -> None:
    parts = [{"type": "thinking", "text": "hm"}, {"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]
    assert from_wire(body({"content": parts})).content == "Hello"


def test_text_and_calls_come_in_one_message() -> None:
    reply = from_wire(body({"content": "I draw.", "tool_calls": [call()]}))
    assert (reply.content, len(reply.tool_calls)) == ("I draw.", 1)


@pytest.mark.parametrize("call_id", ["D681PevKs", "toolu_01", "chatcmpl-tool-7"])
def test_ids_are_opaque(call_id: str) -> None:
    assert calls_of(call(call_id=call_id))[0].id == call_id


@pytest.mark.parametrize("call_id", ["", None])
def test_a_call_without_an_id_gets_one(call_id: str | None) -> None:
    assert [c.id for c in calls_of(call(call_id=call_id), call(call_id=call_id))] == ["call_1", "call_2"]


def test_of_two_calls_with_one_id_the_second_gets_another() -> None:
    assert [c.id for c in calls_of(call(), call())] == ["call_a", "call_1"]


def test_a_made_up_id_is_free_among_the_ids_of_the_answer_and_of_earlier_turns() -> None:
    found = calls_of(call(call_id=""), call(call_id="call_2"), call(call_id="old"), taken=("call_1", "old"))
    assert [c.id for c in found] == ["call_3", "call_2", "call_4"]


def test_the_same_tool_five_times_is_five_calls() -> None:
    found = calls_of(*(call('{"prompt": "a cat"}', f"call_{n}") for n in range(5)))
    assert len({c.id for c in found}) == len(found) == 5


@pytest.mark.parametrize(
    "message", [{"content": None, "refusal": "No."}, {"content": [{"type": "refusal", "refusal": "No."}]}]
)
def test_a_refusal_is_kept_apart_from_the_text(message: dict[str, Any]) -> None:
    reply = from_wire(body(message))
    assert (reply.refusal, reply.content) == ("No.", "")


@pytest.mark.parametrize("finish_reason", ["length", "content_filter"])
def test_the_reason_for_stopping_early_is_passed_on(finish_reason: str) -> None:
    assert from_wire(body({"content": "Once upon"}, finish_reason)).finish_reason == finish_reason


@pytest.mark.parametrize(
    "usage",
    [{}, {"prompt_tokens": None, "completion_tokens": None, "prompt_tokens_details": None}, {"prompt_tokens": "?"}],
)
def test_usage_without_figures_is_unknown(usage: dict[str, Any]) -> None:
    assert from_wire(body({"content": "x"}, usage=usage)).usage == Usage()


def test_no_usage_is_none() -> None:
    assert from_wire(body({"content": "x"}, usage=None)).usage is None


def test_half_a_surrogate_pair_does_not_break_the_answer() -> None:
    reply = from_wire(json.loads(json.dumps(body({"content": "ok \ud83d", "tool_calls": [call('{"a": "\ud83d"}')]}))))
    reply.model_dump_json().encode()
    assert reply.content == "ok \ufffd"


@pytest.mark.parametrize(
    "wrong", [None, [], "text", {}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": None}]}]
)
def test_an_answer_without_a_message_is_malformed(wrong: Any) -> None:
    with pytest.raises(MalformedAnswer):
        from_wire(wrong, vendor="openai")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": "insufficient_quota", "message": "m"}, QuotaExhausted),
        ({"code": None, "type": "insufficient_quota"}, QuotaExhausted),
        ({"code": 429, "message": "slow down"}, RateLimited),
        ({"code": "rate_limit_exceeded", "type": "tokens"}, RateLimited),
        ({"code": "content_policy_violation"}, Moderated),
        ({"code": "context_length_exceeded", "type": "invalid_request_error"}, InvalidRequest),
        ({"code": 502, "message": "upstream"}, OutcomeUnknown),
        ("boom", OutcomeUnknown),
    ],
)
def test_an_error_inside_http_200_is_what_it_says_but_may_have_been_billed(
    error: Any, expected: type[Exception]
) -> None:
    with pytest.raises(expected) as caught:
        from_wire({"error": error}, vendor="openai")
    assert caught.value.charged is None  # type: ignore[attr-defined]


def test_an_error_in_place_of_a_choices_message_is_raised() -> None:
    with pytest.raises(RateLimited):
        from_wire({"choices": [{"error": {"code": 429}, "finish_reason": "error"}]})


# ---- streams ---------------------------------------------------------------------------------------------------------


def stream(*deltas: dict[str, Any], end: str = "data: [DONE]\n\n") -> str:
    return "".join(event({"choices": [{"index": 0, "delta": delta}]}) for delta in deltas) + end


def event(chunk: Any, name: str = "") -> str:
    return (f"event: {name}\n" if name else "") + f"data: {json.dumps(chunk)}\n\n"


def piece(
    index: int | None = None, call_id: str | None = None, name: str | None = None, arguments: str | None = None
) -> Any:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    fields = {"index": index, "id": call_id, "function": function}
    return {"tool_calls": [{key: value for key, value in fields.items() if value is not None}]}


def streamed(*pieces: Any) -> list[tuple[str, str, str]]:
    return [(c.id, c.name, c.arguments) for c in from_stream(stream(*pieces)).tool_calls]


def test_a_stream_folds_into_the_same_reply() -> None:
    text = (
        ": OPENROUTER PROCESSING\n\n"
        + event({"model": "", "choices": []})
        + event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}], "usage": None})
        + event({"choices": [{"index": 0, "delta": {"content": "Hel"}}]})
        + event({"choices": [{"index": 0, "delta": {"content": "lo"}, "finish_reason": None}]})
        + event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        + event({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
        + "data: [DONE]\n\n"
    )
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    assert from_stream(text) == from_wire(body({"content": "Hello"}, usage=usage))


def test_a_call_is_put_together_from_its_pieces() -> None:
    pieces = [piece(0, "call_a", "draw", ""), piece(0, arguments='{"a"'), piece(0, arguments=": 1}")]
    assert streamed(*pieces) == [("call_a", "draw", '{"a": 1}')]


def test_the_pieces_of_two_calls_may_alternate() -> None:
    pieces = [
        piece(0, "a", "draw", ""),
        piece(1, "b", "speak", ""),
        piece(1, arguments="{}"),
        piece(0, arguments="{ }"),
    ]
    assert streamed(*pieces) == [("a", "draw", "{ }"), ("b", "speak", "{}")]


def test_pieces_without_an_index_belong_to_the_last_call() -> None:
    pieces = [piece(None, "a", "draw", '{"a":'), piece(arguments="1}"), piece(None, "b", "draw", "{}")]
    assert streamed(*pieces) == [("a", "draw", '{"a":1}'), ("b", "draw", "{}")]


def test_a_name_may_come_in_pieces() -> None:
    assert streamed(piece(0, "a", "gener"), piece(0, name="ate"), piece(0, arguments="{}")) == [("a", "generate", "{}")]


def test_a_name_may_be_repeated_with_every_piece() -> None:
    assert streamed(piece(0, "a", "draw", '{"a":'), piece(0, "a", "draw", "1}")) == [("a", "draw", '{"a":1}')]


def test_calls_that_all_have_index_0_are_told_apart_by_id() -> None:
    assert streamed(piece(0, "a", "draw", "{}"), piece(0, "b", "draw", "{}")) == [
        ("a", "draw", "{}"),
        ("b", "draw", "{}"),
    ]


def test_five_equal_calls_without_id_and_index_stay_five() -> None:
    found = streamed(*[piece(name="draw", arguments='{"a": 1}')] * 5)
    assert [call_id for call_id, _, _ in found] == ["call_1", "call_2", "call_3", "call_4", "call_5"]


def test_calls_without_a_finish_reason_are_read_when_the_stream_is_done() -> None:
    assert from_stream(stream(piece(0, "a", "draw", "{}"))).finish_reason == ""


def test_a_custom_call_is_put_together_too() -> None:
    first = {"tool_calls": [{"index": 0, "id": "c", "type": "custom", "custom": {"name": "shell", "input": "ls"}}]}
    second = {"tool_calls": [{"index": 0, "custom": {"input": " -la"}}]}
    assert streamed(first, second) == [("c", "shell", "ls -la")]


def test_of_two_choices_with_the_same_call_the_first_counts() -> None:
    pieces = [{"index": n, "delta": piece(0, "call_a", "draw", part)} for part in ('{"a":', "1}") for n in (0, 1)]
    text = "".join(event({"choices": [choice]}) for choice in pieces) + "data: [DONE]\n\n"
    assert from_stream(text).tool_calls == (ToolCall(id="call_a", name="draw", arguments='{"a":1}'),)


def test_a_refusal_is_streamed() -> None:
    assert from_stream(stream({"refusal": "I can"}, {"refusal": "not."})).refusal == "I cannot."


def test_an_emoji_split_over_two_deltas_is_joined() -> None:
    assert from_stream(stream({"content": "\ud83d"}, {"content": "\ude00"})).content == "\U0001f600"


def test_line_separators_inside_a_string_do_not_end_a_line() -> None:
    text = 'data: {"choices": [{"delta": {"content": "a\u2028b\x85c"}}]}\r\n\r\ndata: [DONE]\r\n\r\n'
    assert from_stream(text).content == "a\u2028b\x85c"


def test_a_stream_may_be_given_as_lines() -> None:
    assert from_stream(stream({"content": "hi"}).splitlines(keepends=True)).content == "hi"


@pytest.mark.parametrize(
    "failure",
    [
        event({"error": {"code": "rate_limit_exceeded", "message": "slow down"}}),
        event({"error": {"code": 429}}, "error"),
        event({"code": 429, "message": "slow down"}, "error"),
        event({"object": "error", "code": 429}),
        event({"choices": [{"index": 0, "delta": {}, "error": {"code": 429}}]}),
    ],
)
def test_a_failure_inside_a_stream_is_raised_and_never_tried_again(failure: str) -> None:
    with pytest.raises(RateLimited) as caught:
        from_stream(stream({"content": "Once"}, end=failure))
    assert caught.value.charged is None


def test_a_failure_told_in_words_leaves_the_outcome_unknown() -> None:
    with pytest.raises(OutcomeUnknown, match="upstream went away"):
        from_stream(stream({"content": "Once"}, end="event: error\ndata: upstream went away\n\n"))


@pytest.mark.parametrize("text", ["", ": keep-alive\n\n", stream({"content": "Once upon"}, end="")])
def test_a_stream_that_breaks_off_leaves_the_outcome_unknown(text: str) -> None:
    with pytest.raises(OutcomeUnknown, match="broke off"):
        from_stream(text)


def test_a_stream_whose_choice_was_finished_needs_no_done() -> None:
    text = event({"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]})
    assert from_stream(text).content == "hi"


@pytest.mark.parametrize("text", ["data: {\n\ndata: [DONE]\n\n", "data: 1\n\n", "data: [DONE]\n\n"])
def test_a_stream_that_cannot_be_understood_is_malformed(text: str) -> None:
    with pytest.raises(MalformedAnswer):
        from_stream(text)


# ---- either ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", ["text/event-stream; charset=utf-8", "application/json"])
def test_a_stream_is_known_by_its_type_or_its_look(content_type: str) -> None:
    answer = (": wait\n\n" + stream({"content": "hi"})).encode()
    assert from_answer(answer, content_type, vendor="openai").content == "hi"


def test_json_is_read_behind_a_byte_order_mark() -> None:
    answer = b"\xef\xbb\xbf" + json.dumps(body({"content": "hi"})).encode()
    assert from_answer(answer, "application/json", vendor="openai").content == "hi"


def test_an_html_page_is_malformed() -> None:
    with pytest.raises(MalformedAnswer, match="not JSON"):
        from_answer(b"<html>Sign in</html>", "text/html", vendor="openai")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["choices", "message", "content", "tool_calls", "function", "custom", "id", "index", "usage",
                         "delta", "name", "arguments", "prompt_tokens", "prompt_tokens_details", "error"]),
        inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(message=st.dictionaries(st.sampled_from(["content", "refusal", "tool_calls"]), json_values), usage=json_values)
def test_no_message_crashes_the_reader(message: dict[str, Any], usage: Any) -> None:
    reply = from_wire(body(message, usage=usage))
    assert len({c.id for c in reply.tool_calls}) == len(reply.tool_calls)


@given(deltas=st.lists(st.dictionaries(st.sampled_from(["content", "refusal", "tool_calls"]), json_values), min_size=1))
def test_no_delta_crashes_the_reader(deltas: list[dict[str, Any]]) -> None:
    from_stream(stream(*deltas)).model_dump_json()
