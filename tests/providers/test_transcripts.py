"""Times without noise, and segments made of words."""

import pytest

from providers.transcripts import clean_s, clean_span, expected_words, segments_of
from providers.types import Segment, Word


def word(text: str, start_s: float, end_s: float, speaker: str | None = None) -> Word:
    return Word(text=text, start_s=start_s, end_s=end_s, speaker=speaker)


@pytest.mark.parametrize(
    ("said", "clean"), [(1.7000000476837158, 1.7), (None, 0.0), (-0.01, 0.0), (2, 2.0), (float("nan"), 0.0)]
)
def test_times_are_whole_milliseconds(said, clean):  # trap 24
    assert clean_s(said) == clean


@pytest.mark.parametrize(
    ("start", "end", "duration_s", "span"),
    [
        (1, 2, None, (1, 2)),
        (1, 9.5, 9.0, (1, 9.0)),
        (3, 2, None, (3, 3)),
        (9.2, 9.4, 9.0, (9, 9)),
        (1, None, 5, (1, 1)),
    ],
)
def test_spans_lie_within_the_sound(start, end, duration_s, span):  # trap 24
    assert clean_span(start, end, duration_s) == span


def test_sentences_become_segments():
    words = [word("Hello", 0, 0.4), word("there.", 0.5, 1), word("How", 1.1, 1.3), word("nice!”", 1.4, 1.8)]
    assert segments_of([*words, word("Yes", 1.9, 2)]) == (
        Segment(text="Hello there.", start_s=0, end_s=1),
        Segment(text="How nice!”", start_s=1.1, end_s=1.8),
        Segment(text="Yes", start_s=1.9, end_s=2),
    )


def test_another_speaker_begins_a_segment():
    words = [word("yes", 0, 0.4, "a"), word("no", 0.5, 1, "b"), word("never", 1.1, 1.5, "b")]
    assert [(one.speaker, one.text) for one in segments_of(words)] == [("a", "yes"), ("b", "no never")]


def test_pause_begins_a_segment():
    assert [one.text for one in segments_of([word("so", 0, 0.5), word("then", 2.0, 2.5)])] == ["so", "then"]


def test_speech_without_an_end_is_cut_after_some_seconds():
    words = [word("la", number, number + 0.9) for number in range(20)]
    assert [len(one.text.split()) for one in segments_of(words)] == [9, 9, 2]


def test_what_stands_between_words_is_kept_where_it_is_told():
    words = [word("你", 0, 0.4), word("好。", 0.5, 1), word("(laughs)", 1.1, 1.5)]
    assert [one.text for one in segments_of(words, ["", " ", ""])] == ["你好。", "(laughs)"]


def test_no_words_are_no_segments():
    assert segments_of([]) == ()


def test_words_to_expect_stand_between_commas_or_lines():
    assert expected_words("Ada,  Bob\nthe  Impresario; Ada,,") == ["Ada", "Bob", "the Impresario"]
    assert expected_words(None) == []
