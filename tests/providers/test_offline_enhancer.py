"""The enhancer: what a prompt lacks is added, what was said is kept, and a text is made fit to be read aloud."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.offline_planner.enhancer import enhance, ordinal, spelled
from providers.offline_planner.plan import plan
from providers.types import ChatRequest, Message


def test_template_with_a_modality_asks_for_the_enhanced_prompt_alone():
    instructions = Message(role="system", content="MODALITY: speech\nYou prepare a text to be read aloud.")
    reply = plan(ChatRequest("offline-planner", (instructions, Message(role="user", content="**2** cups"))), {})
    assert reply.content == "two cups"


@pytest.mark.parametrize(("modality", "most"), [("image", 200), ("video", 150)])
def test_idea_is_kept_and_stays_within_the_limit(modality, most):
    enhanced = enhance(modality, "a red fox in the snow")
    assert enhanced.startswith("a red fox in the snow. ")
    assert 30 < len(enhanced.split()) < most
    assert len(enhance(modality, "word " * 1000).split()) < most


@pytest.mark.parametrize(("modality", "told"), [("image", ("light", "mood")), ("video", ("camera", "then", "ends"))])
def test_what_the_specialist_needs_is_told(modality, told):
    ideas = ("a fox", "waves", "a city", "tea", "a robot")
    assert all(part in enhance(modality, idea).lower() for idea in ideas for part in told)


def test_same_idea_gives_the_same_words_and_another_gives_others():
    assert enhance("image", "a fox") == enhance("image", "a fox")
    assert len({enhance("image", f"idea {n}").partition(". ")[2] for n in range(30)}) > 5


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("# Title\n\nSome **bold** and *soft* `code`.", "Title. Some bold and soft code."),
        ("- one\n- two", "one two"),
        ("See [our shop](https://shop.example/x).", "See our shop."),
        ("Visit https://www.shop.example/x?y=1 now", "Visit shop dot example now"),
        ("Dr. Jones & Mrs. Lee, e.g. at 10:30", "Doctor Jones and Missus Lee, for example at ten thirty"),
        ("It costs $5, or €1.50", "It costs five dollars, or one euro and fifty cents"),
        ("20% of 1,250 km", "twenty percent of one thousand two hundred fifty kilometres"),
        ("the 3rd of 2024", "the third of two thousand twenty-four"),
        ("pi is 3.14", "pi is three point one four"),
        ("at 9:05 and 7:00", "at nine oh five and seven o'clock"),
        ("version v2 of A4", "version v2 of A4"),
        ("a 1234567 b", "a 1234567 b"),
    ],
)
def test_text_is_made_fit_to_be_read(written, spoken):
    assert enhance("speech", written) == spoken


@pytest.mark.parametrize(
    ("number", "words", "place"),
    [
        (0, "zero", "zeroth"),
        (12, "twelve", "twelfth"),
        (21, "twenty-one", "twenty-first"),
        (100, "one hundred", "one hundredth"),
        (999_999, "nine hundred ninety-nine thousand nine hundred ninety-nine", None),
        (40, "forty", "fortieth"),
        (7003, "seven thousand three", "seven thousand third"),
    ],
)
def test_numbers_are_spelled(number, words, place):
    assert spelled(number) == words
    assert place is None or ordinal(number) == place


@given(st.text(max_size=500))
def test_any_text_can_be_prepared(text):
    assert not re.search(r"\n", enhance("speech", text))
    assert enhance("image", text)
    assert enhance("video", text)
