"""`impresario demo`, twice in a row in one directory, as on a machine where it was just installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import av
import pytest
from PIL import Image

from tests.server import FROM_THE_MACHINE, ROOT

LINE = re.compile(r"^  (image|video|speech) +(.+?)  \((\S+), ([\d,]+) bytes\)$", re.MULTILINE)


def demo(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run it in a folder."""
    machine = {name: value for name, value in os.environ.items() if FROM_THE_MACHINE.fullmatch(name)}
    command = [sys.executable, "-m", "app.cli", "demo"]
    environment = {**machine, "PYTHONPATH": str(ROOT), **settings}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def files(done: subprocess.CompletedProcess[str], folder: Path) -> dict[str, Path]:
    """The files the demo says it made, by kind."""
    return {kind: folder / path for kind, path, _, _ in LINE.findall(done.stdout)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def first(folder: Path) -> subprocess.CompletedProcess[str]:
    return demo(folder)


def test_the_demo_shows_the_prompt_the_tools_the_answer_and_the_cost(first):
    assert first.returncode == 0, first.stdout + first.stderr
    said = ["POST /generate", "generate_image", "generate_video", "generate_speech", "Here is a picture", "cost: $0"]
    assert [words for words in said if words not in first.stdout] == []


def test_the_demo_makes_a_wide_picture(first, folder):
    with Image.open(files(first, folder)["image"]) as picture:
        picture.load()
        assert (picture.format, picture.width > picture.height) == ("PNG", True)


def test_the_demo_makes_a_clip_of_five_seconds(first, folder):
    with av.open(str(files(first, folder)["video"])) as film:
        frames = sum(1 for _ in film.decode(video=0))
        assert (film.duration / 1e6, frames) == (5, 5 * film.streams.video[0].average_rate)


def test_the_demo_makes_a_narration(first, folder):
    with av.open(str(files(first, folder)["speech"])) as sound:
        assert sum(frame.samples for frame in sound.decode(audio=0)) / sound.streams.audio[0].rate > 3


def test_the_demo_tells_the_sizes_of_its_files(first, folder):
    sizes = [(folder / path).stat().st_size for _, path, _, _ in LINE.findall(first.stdout)]
    assert sizes == [int(size.replace(",", "")) for *_, size in LINE.findall(first.stdout)]
    assert len(sizes) == 3


def test_the_demo_runs_again_and_spends_nothing_where_keys_lie_about(first, folder):
    (folder / ".env").write_text("OPENAI_API_KEY=sk-none\nOPENAI_BASE_URL=http://127.0.0.1:9/v1\n")
    again = demo(folder, RUNWAYML_API_SECRET="key_none", PUBLIC_URL="http://127.0.0.1:9")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "cost: $0" in again.stdout
    made, before = files(again, folder), files(first, folder)
    assert {kind: path.read_bytes() for kind, path in made.items()} == {
        kind: path.read_bytes() for kind, path in before.items()
    }
    assert set(made.values()).isdisjoint(before.values())
