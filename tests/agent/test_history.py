"""History: what the model sees, and what it never sees."""

import pytest

from app.agent.history import Answer, History
from providers.types import Message
from tests.doubles import asks, call


def test_history_begins_with_instructions_past_and_prompt():
    past = (Message(role="user", content="A dog."), Message(role="assistant", content="Here."))
    history = History("Be brief.", "A cat.", earlier=past, image_ids=["asset_1"])
    prompt = Message(role="user", content="A cat.", media_ids=("asset_1",))
    assert history.messages() == (Message(role="system", content="Be brief."), *past, prompt)


def test_reminder_is_for_one_turn_alone():
    history = History("Be brief.", "A cat.")
    assert history.messages("Answer now.")[-1] == Message(role="user", content="Answer now.")
    assert history.messages()[-1].content == "A cat."


def test_answers_follow_the_calls_in_their_order():
    history = History("Be brief.", "A cat.")
    reply = asks(call("9cDfGhJk2"), call("b"))
    history.add_reply(reply)
    history.add_answers(reply.tool_calls, [Answer("one"), Answer("two")])
    assert history.messages()[-3:] == (
        Message(role="assistant", tool_calls=reply.tool_calls),
        Message(role="tool", content="one", tool_call_id="9cDfGhJk2"),
        Message(role="tool", content="two", tool_call_id="b"),
    )


def test_pictures_come_behind_all_answers_in_their_order():
    history = History("Be brief.", "A cat.")
    answers = [Answer("one", ("asset_1",)), Answer("two"), Answer("three", ("asset_3", "asset_4"))]
    history.add_answers([call("a"), call("b"), call("c")], answers)
    assert [message.role for message in history.messages()[2:]] == ["tool", "tool", "tool", "user"]
    assert history.messages()[-1].media_ids == ("asset_1", "asset_3", "asset_4")
    assert "asset_1, asset_3, asset_4" in history.messages()[-1].content


def test_answers_without_pictures_bring_no_message_of_the_user():
    history = History("Be brief.", "A cat.")
    history.add_answers([call("a")], [Answer("one")])
    assert history.messages()[-1].role == "tool"


@pytest.mark.parametrize("answers", [[], [Answer("one")], [Answer("one"), Answer("two"), Answer("three")]])
def test_answers_that_do_not_match_the_calls_are_an_error(answers):
    with pytest.raises(ValueError, match="zip"):
        History("Be brief.", "A cat.").add_answers([call("a"), call("b")], answers)


def test_messages_are_a_snapshot():
    history = History("Be brief.", "A cat.")
    before = history.messages()
    history.add_reply(asks(call()))
    assert len(before) == 2
