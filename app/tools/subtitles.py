"""Subtitles: timed text as SRT and WebVTT files."""

from __future__ import annotations

import io
from collections.abc import Sequence

import webvtt

from providers.types import Segment

from .context import Written

LONGEST_LINE = 42
"""Characters a line of subtitles may have to be read in time (the BBC's and Netflix's guides say about this)."""


def subtitles(segments: Sequence[Segment], name: str, parent_id: str) -> list[Written]:
    """The segments as an SRT and a WebVTT file; nothing where there are none."""
    captions = [_caption(segment) for segment in segments if segment.text.strip()]
    if not captions:
        return []
    document = webvtt.WebVTT(captions=captions)
    written = {}
    for kind in ("srt", "vtt"):
        text = io.StringIO()
        document.write(text, format=kind)
        written[kind] = text.getvalue().encode()
    return [
        Written(written["srt"], "application/x-subrip", f"{name}.srt", (parent_id,)),
        Written(written["vtt"], "text/vtt", f"{name}.vtt", (parent_id,)),
    ]


def _caption(segment: Segment) -> webvtt.Caption:
    said = " ".join(segment.text.split()).replace("-->", "->")
    lines = _wrapped(f"{segment.speaker}: {said}" if segment.speaker else said)
    return webvtt.Caption(_clock(segment.start_s), _clock(max(segment.end_s, segment.start_s + 0.001)), lines)


def _wrapped(text: str) -> list[str]:
    lines: list[str] = []
    for word in text.split(" "):
        if lines and len(lines[-1]) + 1 + len(word) <= LONGEST_LINE:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _clock(seconds: float) -> str:
    """Seconds as HH:MM:SS.mmm."""
    milliseconds = round(seconds * 1000)
    minutes, left = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{left // 1000:02d}.{left % 1000:03d}"
