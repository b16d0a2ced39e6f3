"""The command line, run as a user runs it: a process with an environment of its own in a directory of its own."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from app.progress import Progress
from tests.server import FROM_THE_MACHINE, ROOT

IMAGE = "An image of a lighthouse, 256x256"


def impresario(
    folder: Path, *arguments: str, program: Sequence[str] = ("-m", "app.cli"), **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder, offline unless told otherwise; a wide screen keeps sentences on one line."""
    machine = {name: value for name, value in os.environ.items() if FROM_THE_MACHINE.fullmatch(name)}
    ours = {"PYTHONPATH": str(ROOT), "OFFLINE": "true", "COLUMNS": "250", "MODEL_REFRESH": "false"}
    environment = {**machine, **ours, **settings}
    command = [sys.executable, *program, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=90)


def listed(output: str) -> list[Path]:
    """The files named in an output, one on each indented line."""
    return [Path(line.strip()) for line in output.splitlines() if line.startswith("  ")]


# ---- run -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose name is longer than the screen is wide."""
    return tmp_path_factory.mktemp("long" * 25)


@pytest.fixture(scope="module")
def done(folder: Path) -> subprocess.CompletedProcess[str]:
    """A run on a narrow screen that made a picture, into a folder that was not there."""
    return impresario(folder, "run", IMAGE, "--out", str(folder / "made"), COLUMNS="40")


def test_run_writes_what_it_made_and_names_it_whole(done, folder):
    [path] = listed(done.stdout)
    with Image.open(path) as picture:
        assert (done.returncode, picture.size, path.parent) == (0, (256, 256), folder / "made")


def test_run_tells_what_it_does_beside_its_answer(done):
    assert "generate_image" in done.stderr
    assert "generate_image" not in done.stdout
    assert "lighthouse" in done.stdout


def test_run_can_print_json(tmp_path):
    done = impresario(tmp_path, "run", IMAGE, "--json", COLUMNS="40")
    result = json.loads(done.stdout)
    assert (done.returncode, result["status"], result["error"]) == (0, "completed", None)
    assert result["id"].startswith("gen_")
    assert [(tmp_path / file).suffix for file in result["files"]] == [".png"]


def test_run_shows_words_that_look_like_markup_as_they_are(tmp_path):
    done = impresario(tmp_path, "run", "An image of [/b] the [red]end[/red], 256x256")
    assert (done.returncode, "[/b] the [red]end[/red]" in done.stdout) == (0, True)


def test_run_without_a_planner_fails_with_what_to_do(tmp_path):
    done = impresario(tmp_path, "run", IMAGE, OFFLINE="", REPLICATE_API_TOKEN="r8_none")
    assert (done.returncode, "OPENAI_API_KEY" in done.stdout, "Traceback" in done.stderr) == (1, True, False)
    assert list(tmp_path.glob("*.png")) == []


def test_run_that_fails_tells_why_also_in_json(tmp_path):
    done = impresario(tmp_path, "run", IMAGE, "--json", OFFLINE="", REPLICATE_API_TOKEN="r8_none")
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
def test_run_refuses_what_is_wrong_in_a_sentence(tmp_path, arguments, said):
    done = impresario(tmp_path, "run", *arguments)
    output = done.stdout + done.stderr
    assert (done.returncode, said in output.lower(), "Traceback" in output) == (2, True, False)
    assert "generate_image" not in output


def test_run_leaves_a_directory_alone_in_which_another_works(tmp_path):
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = impresario(tmp_path, "run", IMAGE)
    assert (done.returncode, "Another Impresario works in" in done.stdout, "Traceback" in done.stderr) == (
        2,
        True,
        False,
    )


def test_progress_shows_words_that_look_like_markup_as_they_are():
    console = Console(file=io.StringIO(), width=100)
    with Progress(console) as progress:
        progress.show("turn.completed", {"tool_calls": [{"name": "[/a]"}]})
        progress.show("tool.started", {"step_id": "1", "name": "[/b]"})
        progress.show("tool.failed", {"step_id": "1", "error": {"message": "no [/c] here"}})
    assert [word for word in ("asks for [/a]", "[/b]", "no [/c] here") if word not in console.file.getvalue()] == []


# ---- models ----------------------------------------------------------------------------------------------------------


def test_models_tells_which_key_is_missing(tmp_path):
    done = impresario(tmp_path, "models")
    rows = {line.split("│")[1].strip(): line for line in done.stdout.splitlines() if "│" in line}
    assert done.returncode == 0
    assert "OPENAI_API_KEY" in rows["openai/gpt-4o"]
    assert "REPLICATE_API_TOKEN" in rows["replicate/flux-1.1-pro"]
    assert "yes" in rows["offline/offline-image"]


def test_models_names_models_whole_on_a_narrow_screen(tmp_path):
    done = impresario(tmp_path, "models", COLUMNS="80")
    assert [name for name in ("replicate/flux-1.1-pro", "offline/offline-planner") if name not in done.stdout] == []


def test_models_can_be_those_that_work_here(tmp_path):
    done = impresario(tmp_path, "models", "--available", "--modality", "image")
    assert ("offline/offline-image" in done.stdout, "openai/" in done.stdout) == (True, False)
    assert re.search(r"offline-image.* nothing ", done.stdout)  # what it costs
    assert "offline-video" not in done.stdout


def test_models_can_be_those_that_can_do_something(tmp_path):
    done = impresario(tmp_path, "models", "--capability", "image_to_video")
    assert ("offline-video" in done.stdout, "offline-image" in done.stdout) == (True, False)


def test_models_as_json_are_what_the_server_answers(tmp_path):
    listed = json.loads(impresario(tmp_path, "models", "--json", "--unavailable", "--modality", "video").stdout)
    gen45 = next(model for model in listed["data"] if model["name"] == "runway/gen4.5")
    assert (gen45["available"], gen45["price"][0]["unit"], gen45["shutdown"]) == (False, "second", None)
    assert "offline" not in {model["vendor"] for model in listed["data"]}
    assert {"limits", "options", "capabilities", "reason", "when"} <= gen45.keys()


def test_models_tells_what_was_left_out(tmp_path):
    done = impresario(tmp_path, "models", PROVIDERS="offline,opnai")
    assert "PROVIDERS: There is no provider named opnai" in done.stdout
    assert re.search(r"replicate/flux-1.1-pro .*switched off", done.stdout)


def test_models_shows_what_the_vendors_said_last(tmp_path):
    account = hashlib.sha256(b"https://api.dev.runwayml.com\nkey_1").hexdigest()[:8]
    now = dt.datetime.now(dt.UTC).isoformat()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models.json").write_text(
        json.dumps({"runway": {"at": now, "to": account, "correction": {"gone": ["gen4.5"]}}})
    )
    done = impresario(tmp_path, "models", "--modality", "video", RUNWAYML_API_SECRET="key_1")
    assert re.search(r"runway/gen4\.5 .* retired ", done.stdout)


def test_models_of_no_modality_are_refused(tmp_path):
    done = impresario(tmp_path, "models", "--modality", "smell")
    assert (done.returncode, "'chat', 'image', 'video', 'speech'" in done.stderr) == (2, True)


# ---- serve and settings ----------------------------------------------------------------------------------------------


def test_help_tells_every_command(tmp_path):
    done = impresario(tmp_path, "--help")
    commands = ("serve", "worker", "run", "doctor", "models", "demo")
    assert [name for name in commands if name not in done.stdout] == []


def test_help_of_serve_tells_its_options(tmp_path):
    done = impresario(tmp_path, "serve", "--help")
    assert (done.returncode, "--host" in done.stdout, "--port" in done.stdout) == (0, True, True)


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["serve"], "PORT", "eighty"),
        (["serve"], "ALLOW_ANONYMOUS", "so so"),
        (["serve"], "LOG_LEVEL", "loud"),
        (["run", IMAGE], "MAX_COST_USD", "-1"),
    ],
)
def test_a_setting_that_is_wrong_is_named(tmp_path, arguments, name, value):
    done = impresario(tmp_path, *arguments, **{name: value})
    output = done.stdout + done.stderr
    assert (done.returncode, f"{name}: " in output, "Traceback" in output) == (2, True, False)


# ---- what cannot be opened -------------------------------------------------------------------------------------------

EVERY_COMMAND = [["serve"], ["worker"], ["run", IMAGE], ["doctor"]]
NOBODY_THERE = "postgresql://user:secret@127.0.0.1:1/name"
SHORT_OF_PATIENCE = "import app.assembly, app.cli; app.assembly.PATIENCE_S = 0.5; app.cli.main()"


def refused(done: subprocess.CompletedProcess[str], said: str) -> None:
    """It ended with one sentence that says this, and neither a traceback nor a password."""
    output = done.stdout + done.stderr
    assert (done.returncode, said in done.stdout) == (2, True), output
    assert len(done.stdout.splitlines()) == 1, output
    assert [word for word in ("Traceback", "secret") if word in output] == []


@pytest.mark.parametrize("arguments", EVERY_COMMAND, ids=lambda arguments: arguments[0])
def test_a_database_that_is_none_is_refused(tmp_path, arguments):
    refused(impresario(tmp_path, *arguments, DATABASE_URL="mysql://user:secret@host/name"), "DATABASE_URL: ")


@pytest.mark.parametrize("arguments", EVERY_COMMAND, ids=lambda arguments: arguments[0])
def test_a_store_that_is_none_is_refused(tmp_path, arguments):
    elsewhere = {"DATABASE_URL": NOBODY_THERE, "STORAGE_URL": "az://container-without-account"}
    refused(impresario(tmp_path, *arguments, **elsewhere), "STORAGE_URL ")


@pytest.mark.parametrize("arguments", EVERY_COMMAND, ids=lambda arguments: arguments[0])
def test_a_database_that_does_not_answer_is_waited_for_and_then_named(tmp_path, arguments):
    done = impresario(tmp_path, *arguments, program=("-c", SHORT_OF_PATIENCE), DATABASE_URL=NOBODY_THERE)
    refused(done, "The database cannot be used: ")
    assert "the database does not answer yet, waiting" in done.stderr


@pytest.mark.parametrize("arguments", [["serve"], ["run", IMAGE], ["doctor"]], ids=lambda arguments: arguments[0])
def test_a_file_that_is_no_database_is_refused(tmp_path, arguments):
    (tmp_path / "letter.txt").write_text("Dear Sir or Madam, " * 1000)
    refused(impresario(tmp_path, *arguments, DATABASE_URL="sqlite:///letter.txt"), "The database cannot be used: ")


def test_a_database_of_a_newer_version_is_refused(tmp_path):
    assert impresario(tmp_path, "run", "hello").returncode == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "impresario.db")) as db, db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    refused(impresario(tmp_path, "serve"), "of another version")


def test_a_data_directory_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").touch()
    refused(impresario(tmp_path, "serve", DATA_DIR="file"), "file")


def test_a_server_leaves_a_database_alone_on_which_another_works(tmp_path):
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused(impresario(tmp_path, "serve", DATABASE_URL="sqlite:///works.db"), "Another Impresario works in")
