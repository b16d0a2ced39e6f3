"""Samples into files and back."""

import io
import struct

import av
import pytest

from providers.errors import MalformedAnswer
from providers.sound import encode_mp3, mp3, samples_of, wav

HERTZ = 24_000
SECOND = b"\x00\x10\x00\xf0" * (HERTZ // 2)


def test_samples_come_back_from_a_wav_file():
    assert samples_of(wav(HERTZ, SECOND), HERTZ) == SECOND


def test_wav_file_without_a_true_length_is_read_whole():
    """Trap 21: RIFF and data sizes of 0xFFFFFFFF."""
    head = bytearray(wav(HERTZ, SECOND))
    struct.pack_into("<I", head, 4, 0xFFFFFFFF)
    struct.pack_into("<I", head, 40, 0xFFFFFFFF)
    assert samples_of(bytes(head), HERTZ) == SECOND


def test_two_channels_become_one_at_the_rate_asked_for():
    stereo = wav(48_000, SECOND * 4, channels=2)
    assert len(samples_of(stereo, HERTZ)) == pytest.approx(len(SECOND), rel=0.01)


def test_mp3_is_the_same_for_the_same_samples():
    assert mp3(HERTZ, SECOND) == mp3(HERTZ, SECOND)
    assert len(samples_of(mp3(HERTZ, SECOND), HERTZ)) == pytest.approx(len(SECOND), rel=0.1)


def test_mp3_in_pieces_keeps_its_comment():
    out = io.BytesIO()
    assert len(list(encode_mp3(out, HERTZ, [SECOND, SECOND], comment="two seconds"))) == 3
    with av.open(io.BytesIO(out.getvalue())) as file:
        assert file.metadata["comment"] == "two seconds"


@pytest.mark.parametrize("file", [b"", b"<html>", b"RIFF\0\0\0\0WAVE"])
def test_what_is_no_sound_is_told(file):
    with pytest.raises(MalformedAnswer):
        samples_of(file, HERTZ)
