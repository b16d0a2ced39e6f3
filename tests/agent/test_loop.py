"""The loop: how a run goes, each way it ends, and that every conversation it holds is one the vendors accept."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.agent.history import Answer
from app.agent.loop import Brief, Spent, run
from providers.chat_completions import from_stream, from_wire
from providers.errors import OutcomeUnknown, ProviderError
from providers.types import ChatReply, Message, ToolCall
from tests.doubles import Script, asks, call, says

pytestmark = pytest.mark.anyio

LAST_TURN = "Answer now."
IMAGE = {"name": "generate_image", "arguments": '{"prompt": "a cat"}'}


def brief(**more: object) -> Brief:
    return Brief(**{"prompt": "A cat.", "instructions": "You make media.", "last_turn": LAST_TURN, **more})


def wire(message: dict[str, object], finish_reason: str | None = "tool_calls") -> ChatReply:
    """A reply as a vendor's JSON gives it."""
    return from_wire({"choices": [{"finish_reason": finish_reason, "message": {"role": "assistant", **message}}]})


def wire_call(call_id: str, **function: str) -> dict[str, object]:
    return {"id": call_id, "type": "function", "function": function or IMAGE}


def answers(messages: Sequence[Message]) -> list[str | None]:
    """The ids of the calls that were answered, in order."""
    return [message.tool_call_id for message in messages if message.role == "tool"]


# ---- how it goes -----------------------------------------------------------------------------------------------------


async def test_answer_at_once_ends_the_run():
    effects = Script(says("I make media."))
    stop = await run(brief(), effects)
    assert (stop.reason, stop.response()) == ("answered", "I make media.")
    assert effects.called == []


async def test_calls_are_made_and_then_answered():
    effects = Script(asks(call("call_a")), says("Here it is."))
    stop = await run(brief(), effects)
    assert stop.response(["asset_1"]) == "Here it is."
    assert effects.called == [(call("call_a"),)]
    assert effects.seen[1][-1] == Message(role="tool", content="answer to call_a", tool_call_id="call_a")


async def test_first_turn_sees_the_instructions_the_past_the_prompt_and_its_pictures():
    earlier = (Message(role="user", content="A dog."), Message(role="assistant", content="Here."))
    effects = Script(says("Done."))
    await run(brief(earlier=earlier, image_ids=("asset_1",)), effects)
    prompt = Message(role="user", content="A cat.", media_ids=("asset_1",))
    assert effects.seen[0] == (Message(role="system", content="You make media."), *earlier, prompt)


async def test_calls_of_one_turn_go_out_together():
    calls = (call("a"), call("b", "generate_video"), call("c", "generate_speech"))
    effects = Script(asks(*calls), says("Done."))
    await run(brief(), effects)
    assert effects.called == [calls]


async def test_five_calls_of_one_tool_are_all_answered_in_order():
    effects = Script(asks(*(call(f"call_{n}") for n in range(5))), says("Done."))
    await run(brief(), effects)
    assert answers(effects.seen[1]) == [f"call_{n}" for n in range(5)]


async def test_pictures_follow_in_one_message_behind_all_answers():
    effects = Script(asks(call("a"), call("b")), says("Done."), answer=lambda made: Answer("ok", (f"asset_{made.id}",)))
    await run(brief(), effects)
    first, second, pictures = effects.seen[1][-3:]
    assert [first.tool_call_id, second.tool_call_id] == ["a", "b"]
    assert (pictures.role, pictures.media_ids) == ("user", ("asset_a", "asset_b"))


async def test_words_beside_calls_stay_in_the_conversation():
    effects = Script(asks(call("a"), content="I begin with the picture."), says("Done."))
    await run(brief(), effects)
    said = effects.seen[1][2]
    assert (said.role, said.content, said.tool_calls) == ("assistant", "I begin with the picture.", (call("a"),))


async def test_failed_turn_is_the_callers_to_judge():
    with pytest.raises(OutcomeUnknown):
        await run(brief(), Script(OutcomeUnknown("No answer came.")))


# ---- how it ends -----------------------------------------------------------------------------------------------------


async def test_max_steps_counts_model_turns():
    effects = Script(asks(call("a")), asks(call("b")), says("Two of three."))
    stop = await run(brief(max_steps=3), effects)
    assert stop.reason == "answered"
    assert effects.allowed == [True, True, False]


async def test_only_the_last_turn_carries_the_reminder():
    effects = Script(asks(call("a")), says("Done."))
    await run(brief(max_steps=2), effects)
    reminder = Message(role="user", content=LAST_TURN)
    assert [messages[-1] == reminder for messages in effects.seen] == [False, True]


async def test_single_step_may_only_answer():
    effects = Script(says("I cannot make it in one turn."))
    stop = await run(brief(max_steps=1), effects)
    assert (stop.reason, effects.allowed) == ("answered", [False])


async def test_calls_on_the_last_turn_are_not_made():
    effects = Script(asks(call("a")), asks(call("b"), content="One more."))
    stop = await run(brief(max_steps=2), effects)
    assert stop.reason == "max_steps"
    assert effects.called == [(call("a"),)]
    assert stop.response(["asset_1", "asset_2"]).startswith("One more. The run ended at its limit")
    assert stop.response(["asset_1", "asset_2"]).endswith("Made so far: asset_1, asset_2.")


async def test_turn_limit_with_nothing_made_says_so():
    stop = await run(brief(max_steps=1), Script(asks(call())))
    assert "max_steps" in stop.response()
    assert stop.response().endswith("Nothing was made.")


@pytest.mark.parametrize(
    ("reply", "reason", "words"),
    [
        (says(""), "empty", ""),
        (says(" \n"), "empty", ""),
        (says("", refusal="I will not."), "refused", "I will not."),
        (says("Half a", finish_reason="content_filter"), "refused", "Half a"),
        (says("Here is the fi", finish_reason="length"), "cut_off", "Here is the fi"),
        (says("", finish_reason="length"), "cut_off", ""),
        (asks(call(), refusal="I will not."), "refused", "I will not."),
    ],
)
async def test_each_end_has_its_reason_and_names_what_was_made(reply, reason, words):
    stop = await run(brief(max_steps=2), Script(asks(call()), reply))
    assert (stop.reason, stop.words) == (reason, words)
    assert stop.response(["asset_1"]).startswith(words)
    assert stop.response(["asset_1"]).endswith("Made so far: asset_1.")


async def test_turn_that_cannot_be_paid_ends_the_run():
    stop = await run(brief(), Script(asks(call()), Spent("It would cost about $2.")))
    assert stop.reason == "budget"
    assert stop.response(["asset_1"]).startswith("It would cost about $2. The next model turn would have passed")
    assert stop.response(["asset_1"]).endswith("Made so far: asset_1.")


async def test_answer_is_left_as_the_model_wrote_it():
    stop = await run(brief(), Script(says("Here.\n\n- asset_1")))
    assert stop.response(["asset_1"]) == "Here.\n\n- asset_1"


# ---- shapes seen in real answers (traps.md, 1 to 8) ------------------------------------------------------------------


@pytest.mark.parametrize("finish_reason", ["stop", "", None, "length", "content_filter"])
async def test_calls_count_whatever_the_finish_reason(finish_reason):
    effects = Script(wire({"tool_calls": [wire_call("call_a")]}, finish_reason), says("Done."))
    assert (await run(brief(), effects)).reason == "answered"
    assert answers(effects.seen[1]) == ["call_a"]


@pytest.mark.parametrize(
    "odd",
    [
        {"id": "a", "type": "custom", "custom": {"name": "generate_image", "input": "a cat"}},
        {"id": "a", "type": "function", "function": {"name": "generate_image"}},
        wire_call("a", name="generate_image", arguments=""),
        wire_call("a", name="generate_image", arguments="{not json"),
        wire_call("a", name="generate_image", arguments='{"prompt": "x"}{"prompt": "y"}'),
        wire_call("a", name="no_such_tool", arguments="{}"),
    ],
)
async def test_odd_call_is_handed_on_and_answered(odd):
    effects = Script(wire({"tool_calls": [odd, wire_call("b")]}), says("Done."))
    await run(brief(), effects)
    assert [made.id for made in effects.called[0]] == ["a", "b"]
    assert answers(effects.seen[1]) == ["a", "b"]


async def test_calls_of_a_stream_without_index_or_finish_reason_are_answered():
    chunks = [
        '{"id": "x", "model": "", "choices": []}',
        '{"choices": [{"delta": {"tool_calls": [{"id": "a", "function": {"name": "generate_image"}}]}}]}',
        '{"choices": [{"delta": {"tool_calls": [{"function": {"arguments": "{}"}}]}}]}',
        "[DONE]",
    ]
    stream = ": OPENROUTER PROCESSING\n\n" + "".join(f"data: {chunk}\n\n" for chunk in chunks)
    effects = Script(from_stream(stream), says("Done."))
    await run(brief(), effects)
    assert (effects.called, answers(effects.seen[1])) == ([(call("a"),)], ["a"])


async def test_stream_that_fails_inside_a_200_is_no_answer():
    with pytest.raises(ProviderError, match="overloaded"):
        from_stream('event: error\ndata: {"error": {"message": "overloaded"}}\n\n')


@pytest.mark.parametrize("content", [None, "", []])
async def test_empty_message_is_told_apart_from_an_answer(content):
    assert (await run(brief(), Script(wire({"content": content}, "stop")))).reason == "empty"


async def test_answer_in_parts_is_an_answer():
    parts = [{"type": "text", "text": "Here "}, {"type": "text", "text": "it is."}]
    assert (await run(brief(), Script(wire({"content": parts}, "stop")))).response() == "Here it is."


async def test_opaque_call_ids_are_kept():
    effects = Script(wire({"tool_calls": [wire_call("9cDfGhJk2"), wire_call("functions.f:0")]}), says("Done."))
    await run(brief(), effects)
    assert answers(effects.seen[1]) == ["9cDfGhJk2", "functions.f:0"]


# ---- whatever happens ------------------------------------------------------------------------------------------------

ids = st.text("abc0123456789_", min_size=1, max_size=9)
calls = st.lists(st.builds(ToolCall, id=ids, name=st.sampled_from(["generate_image", "nonsense"])), max_size=5)
replies = st.builds(
    ChatReply,
    content=st.sampled_from(["", "Working."]),
    refusal=st.sampled_from([None, None, None, "No."]),
    tool_calls=calls.map(tuple),
    finish_reason=st.sampled_from(["stop", "tool_calls", "", "length", "content_filter"]),
)


@given(
    turns=st.lists(replies, min_size=6, max_size=6),
    max_steps=st.integers(1, 6),
    pictures=st.lists(st.booleans(), min_size=30, max_size=30),
)
def test_every_conversation_is_well_formed(turns, max_steps, pictures):
    seen = iter(pictures)
    effects = Script(*turns, answer=lambda made: Answer(f"to {made.id}", ("asset_1",) if next(seen) else ()))
    stop = asyncio.run(run(brief(max_steps=max_steps), effects))
    assert len(effects.seen) <= max_steps
    assert stop.response()
    for number, messages in enumerate(effects.seen, 1):
        assert_well_formed(messages, turns, last=number == max_steps)


def assert_well_formed(messages: Sequence[Message], turns: Sequence[ChatReply], *, last: bool) -> None:
    """Each turn's calls are answered once, directly behind it and in order; then at most one message with pictures."""
    roles = [message.role for message in messages]
    assert roles[:2] == ["system", "user"]
    rest = list(messages[2:-1] if last else messages[2:])
    for turn in turns:
        if not rest:
            return
        said = rest.pop(0)
        assert (said.role, said.tool_calls) == ("assistant", turn.tool_calls)
        answered = [rest.pop(0) for _ in said.tool_calls]
        assert [(message.role, message.tool_call_id) for message in answered] == [
            ("tool", made.id) for made in said.tool_calls
        ]
        if rest and rest[0].role == "user":
            assert rest.pop(0).media_ids
    assert not rest
