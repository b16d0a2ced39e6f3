"""docs/traps.md has a line for every trap, and the tests that it names are there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from providers.testing import FamilyContract

TESTS = Path(__file__).parent
ROWS = dict(re.findall(r"^\| (\d+) \| (.*) \|$", (TESTS.parent / "docs/traps.md").read_text(), re.MULTILINE))
NAMED = sorted({name for row in ROWS.values() for name in re.findall(r"`(test_\w+(?:::\w+)+)`", row)})


@cache
def names_in(file: str) -> set[str]:
    (path,) = TESTS.rglob(f"{file}.py")
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


def test_every_trap_has_its_line_and_every_line_a_test():
    assert list(ROWS) == [str(number) for number in range(1, 26)]
    assert all("`test_" in row for row in ROWS.values())


@pytest.mark.parametrize("name", NAMED)
def test_named_test_is_there(name):
    file, *kind, test = name.split("::")
    assert test in (dir(FamilyContract) if kind else names_in(file))
    assert not kind or (TESTS / "providers" / f"wire_{wire_of(kind[0])}.py").exists()


def wire_of(kind: str) -> str:
    """The description that a class of the contract is made from: TestStabilityJobs -> stability_jobs."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.removeprefix("Test")).lower()
