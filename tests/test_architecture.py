"""The rules of the house that no type checker knows: importing does nothing, files stay small, names say something.

Which module may import which is kept by import-linter (`make check`).
"""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from providers.registry import discover

ROOT = Path(__file__).parents[1]
PACKAGES = ("app", "providers", "prompts")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MIGRATIONS = ROOT / "app" / "migrations"  # scripts that Alembic runs, with names and an order of its own

MOST_LINES = 300
LONG_FILES = {
    "app/db.py": "every table there is, in the one place to look for them, and the one way to them",
    "providers/offline_media/figures.py": "a picture book: one small drawing after another",
}
MOST_LINES_OF_A_FUNCTION = 60
LONG_FUNCTIONS = {"app/migrations/versions/0001_first_tables.py:upgrade": "a list of tables"}
EMPTY_NAMES = re.compile(r"(util|helper|common|manager|misc)s?", re.IGNORECASE)

IMPORT_EVERYTHING = """
import contextlib, importlib, io, json, os, sys

root, modules, said, done = sys.argv[1], sys.argv[2:], io.StringIO(), []
WORLD = ("socket.", "subprocess.", "sqlite3.", "shutil.", "tempfile.", "os.system", "os.exec", "os.fork", "os.spawn",
         "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.putenv", "urllib.", "open")

def module():
    # Whose import this is: the libraries may do as they please.
    frame = sys._getframe()
    while frame is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    path = frame.f_code.co_filename if frame is not None else ""
    return path.removeprefix(root) if path.startswith(root) and "/.venv/" not in path else None

class Watched(os.environ.__class__):
    def __getitem__(self, name):
        if ours := module():
            done.append([ours, "environment", name])
        return super().__getitem__(name)

def watch(event, arguments):
    if not event.startswith(WORLD) or (ours := module()) is None:
        return
    what = str(arguments[0])
    reads = event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if reads and (what.endswith((".py", ".pyc")) or what.startswith((sys.prefix, sys.base_prefix))):
        return  # code, and what came with a library
    done.append([ours, event, what])

os.environ.__class__ = Watched
sys.addaudithook(watch)
with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
    for name in modules:
        importlib.import_module(name)
print(json.dumps({"done": done, "said": said.getvalue()}))
"""


def name_of(path: Path) -> str:
    """A file as the allow-lists and messages name it."""
    return path.relative_to(ROOT).as_posix()


def modules() -> list[str]:
    """Every module there is, by its dotted name."""
    paths = [path for path in SOURCES if not path.is_relative_to(MIGRATIONS)]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]


def definitions() -> Iterator[tuple[str, ast.AST]]:
    """Every function and class, with the file it stands in."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield name_of(path), node


# ---- importing does nothing ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happened while every module was imported, in an empty directory: its effects and its output."""
    found = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_EVERYTHING, str(ROOT), *modules()],
        cwd=tmp_path_factory.mktemp("nowhere"),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    report: dict[str, Any] = json.loads(found.stdout)
    return report


def test_importing_touches_no_file_network_or_process(imported):
    assert [effect for effect in imported["done"] if effect[1] != "environment"] == []


def test_importing_reads_no_setting_and_no_key(imported):
    ours = {name.upper() for name in Settings.model_fields}
    ours |= {name for family in discover() for name in (*family.key_names, family.base_url_name) if name}
    assert {"OPENAI_API_KEY", "DATA_DIR"} <= ours
    assert [effect for effect in imported["done"] if effect[1] == "environment" and effect[2] in ours] == []


def test_importing_prints_nothing(imported):
    assert imported["said"] == ""


def test_environment_is_read_in_one_place():
    readers = {name_of(path) for path in SOURCES if re.search(r"\bos\.(environ|getenv)\b|\bdotenv\b", path.read_text())}
    assert readers == {"app/settings.py", "app/demo.py"}  # the demo hands its own on to the server it starts


# ---- size and names --------------------------------------------------------------------------------------------------


def lines_of_files() -> dict[str, int]:
    return {name_of(path): len(path.read_text().splitlines()) for path in SOURCES}


def test_files_fit_in_the_head():
    too_long = {name: lines for name, lines in lines_of_files().items() if lines > MOST_LINES}
    assert {name: lines for name, lines in too_long.items() if name not in LONG_FILES} == {}


def test_files_that_may_be_long_are():
    lengths = lines_of_files()
    assert [name for name in LONG_FILES if lengths.get(name, 0) <= MOST_LINES] == []


def test_functions_fit_in_the_head():
    lengths = {
        f"{file}:{node.name}": node.end_lineno - node.lineno + 1
        for file, node in definitions()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    }
    most, allowed = MOST_LINES_OF_A_FUNCTION, LONG_FUNCTIONS
    assert {name: lines for name, lines in lengths.items() if lines > most and name not in allowed} == {}


def test_files_are_named_for_what_they_hold():
    words = {name_of(path): re.split("[/_.]", name_of(path)) for path in SOURCES}
    assert [name for name, parts in words.items() if any(EMPTY_NAMES.fullmatch(part) for part in parts)] == []


def test_classes_are_named_for_what_they_are():
    names = [node.name for _, node in definitions() if isinstance(node, ast.ClassDef)]
    assert [
        name for name in names if any(EMPTY_NAMES.fullmatch(word) for word in re.findall("[A-Z][a-z]+", name))
    ] == []


def test_every_module_says_what_it_is_for():
    silent = [
        path for path in SOURCES if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert [name_of(path) for path in silent] == []
