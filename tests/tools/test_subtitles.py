"""Subtitles as players read them."""

import io

import webvtt

from app.tools.subtitles import LONGEST_LINE, subtitles
from providers.types import Segment


def test_files_are_read_back_by_a_player_of_each_kind():
    srt, vtt = subtitles([Segment(text="Hello.", start_s=3661.5, end_s=3662.0)], "talk", "asset_1")
    assert webvtt.from_string(vtt.data.decode()).captions[0].start == "01:01:01.500"
    assert webvtt.from_buffer(io.StringIO(srt.data.decode()), format="srt").captions[0].text == "Hello."
    assert (srt.parent_ids, srt.media_type, vtt.media_type) == (("asset_1",), "application/x-subrip", "text/vtt")


def test_long_sentence_is_broken_into_lines():
    _, vtt = subtitles([Segment(text="word " * 40, start_s=0, end_s=9)], "talk", "asset_1")
    lines = vtt.data.decode().split("\n")[3:]
    assert max(map(len, lines)) <= LONGEST_LINE
    assert sum(line.count("word") for line in lines) == 40


def test_arrow_in_a_text_does_not_break_the_file():
    _, vtt = subtitles([Segment(text="a --> b", start_s=0, end_s=1)], "talk", "asset_1")
    assert webvtt.from_string(vtt.data.decode()).captions[0].text == "a -> b"


def test_nothing_said_makes_no_files():
    assert subtitles([Segment(text="  ", start_s=0, end_s=1)], "talk", "asset_1") == []
