"""The command line, run as a user runs it: a process with an environment of its own in a directory of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.server import FROM_THE_MACHINE, ROOT

IMAGE = "An image of a lighthouse, 256x256"


@pytest.fixture
def impresario(tmp_path: Path):
    """Runs the program, offline unless told otherwise; a wide screen keeps sentences on one line."""
    from os import environ

    machine = {name: value for name, value in environ.items() if FROM_THE_MACHINE.fullmatch(name)}

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app.cli", *arguments]
        own = {"PYTHONPATH": str(ROOT), "OFFLINE": "true", "COLUMNS": "250", **settings}
        return subprocess.run(command, cwd=tmp_path, env={**machine, **own}, capture_output=True, text=True, timeout=90)

    return run


def listed(output: str) -> list[Path]:
    """The files named in an output, one on each indented line."""
    return [Path(line.strip()) for line in output.splitlines() if line.startswith("  ")]


# ---- run -------------------------------------------------------------------------------------------------------------


def test_run_writes_what_it_made(impresario, tmp_path):
    done = impresario("run", IMAGE, "--out", "made", COLUMNS="80")
    [path] = listed(done.stdout)
    with Image.open(tmp_path / path) as picture:
        assert (done.returncode, picture.size, path.parts[0]) == (0, (256, 256), "made")


def test_run_tells_what_it_does_beside_its_answer(impresario):
    done = impresario("run", IMAGE)
    assert "generate_image" in done.stderr
    assert "generate_image" not in done.stdout
    assert "lighthouse" in done.stdout


def test_run_names_files_whole_however_long_their_names(impresario, tmp_path):
    folder = tmp_path / ("long" * 30)
    done = impresario("run", IMAGE, "--out", str(folder), COLUMNS="40")
    assert [path.exists() for path in listed(done.stdout)] == [True]


def test_run_can_print_json(impresario, tmp_path):
    done = impresario("run", IMAGE, "--json", COLUMNS="40")
    result = json.loads(done.stdout)
    assert (done.returncode, result["status"], result["error"]) == (0, "completed", None)
    assert result["id"].startswith("gen_")
    assert [(tmp_path / file).suffix for file in result["files"]] == [".png"]


def test_run_shows_words_that_look_like_markup_as_they_are(impresario):
    done = impresario("run", "An image of [/b] the [red]end[/red], 256x256")
    assert (done.returncode, "[/b] the [red]end[/red]" in done.stdout) == (0, True)


def test_run_without_a_planner_fails_with_what_to_do(impresario, tmp_path):
    done = impresario("run", IMAGE, OFFLINE="", REPLICATE_API_TOKEN="r8_none")
    assert (done.returncode, "OPENAI_API_KEY" in done.stdout, "Traceback" in done.stderr) == (1, True, False)
    assert list(tmp_path.glob("*.png")) == []


def test_run_that_fails_tells_why_also_in_json(impresario):
    done = impresario("run", IMAGE, "--json", OFFLINE="", REPLICATE_API_TOKEN="r8_none")
    result = json.loads(done.stdout)
    assert (done.returncode, result["status"], result["files"]) == (1, "failed", [])
    assert "OPENAI_API_KEY" in result["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([""], "prompt"),
        (["x" * 32_001], "prompt"),
        ([IMAGE, "--max-steps", "0"], "--max-steps"),
        ([IMAGE, "--max-cost-usd", "a lot"], "max-cost-usd"),
        ([IMAGE, "--max-cost-usd", "-1"], "max-cost-usd"),
        ([IMAGE, "--out", "/proc/nowhere"], "/proc/nowhere"),
        ([], "prompt"),
    ],
    ids=["no words", "too long", "no steps", "no number", "below nought", "no folder", "nothing"],
)
def test_run_refuses_what_is_wrong_in_a_sentence(impresario, arguments, said):
    done = impresario("run", *arguments)
    output = done.stdout + done.stderr
    assert (done.returncode, said in output.lower(), "Traceback" in output) == (2, True, False)
    assert "generate_image" not in output


# ---- models ----------------------------------------------------------------------------------------------------------


def test_models_tells_which_key_is_missing(impresario):
    done = impresario("models")
    rows = {line.split("│")[1].strip(): line for line in done.stdout.splitlines() if "│" in line}
    assert done.returncode == 0
    assert "OPENAI_API_KEY" in rows["openai/gpt-4o"]
    assert "REPLICATE_API_TOKEN" in rows["replicate/flux-1.1-pro"]
    assert "yes" in rows["offline/offline-image"]


def test_models_names_models_whole_on_a_narrow_screen(impresario):
    done = impresario("models", COLUMNS="80")
    assert [name for name in ("replicate/flux-1.1-pro", "offline/offline-planner") if name not in done.stdout] == []


def test_models_can_be_those_that_work_here(impresario):
    done = impresario("models", "--available", "--modality", "image")
    assert ("offline/offline-image" in done.stdout, "openai/" in done.stdout) == (True, False)
    assert "offline-video" not in done.stdout


def test_models_of_no_modality_are_refused(impresario):
    done = impresario("models", "--modality", "smell")
    assert (done.returncode, "'chat', 'image', 'video', 'speech'" in done.stderr) == (2, True)


# ---- serve and settings ----------------------------------------------------------------------------------------------


def test_help_tells_every_command(impresario):
    done = impresario("--help")
    assert [name for name in ("serve", "run", "models", "demo") if name not in done.stdout] == []


def test_help_of_serve_tells_its_options(impresario):
    done = impresario("serve", "--help")
    assert (done.returncode, "--host" in done.stdout, "--port" in done.stdout) == (0, True, True)


@pytest.mark.parametrize(("name", "value"), [("PORT", "eighty"), ("MAX_COST_USD", "-1"), ("ALLOW_ANONYMOUS", "so so")])
@pytest.mark.parametrize("command", ["serve", "run"])
def test_a_setting_that_is_wrong_is_named(impresario, command, name, value):
    done = impresario(command, *([IMAGE] if command == "run" else []), **{name: value})
    output = done.stdout + done.stderr
    assert (done.returncode, f"{name}: " in output, "Traceback" in output) == (2, True, False)
