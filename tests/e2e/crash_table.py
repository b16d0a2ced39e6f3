"""docs/crash-matrix.md: what `test_crash.py` has seen, as a table. `python -m tests.e2e.crash_table` writes it anew.

Every test session leaves what it saw as lines of JSON in the folder `CRASH_TABLE_DIR`, or else beside its other files.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.crashes import BATCHES, DATABASES, Scenario

if TYPE_CHECKING:
    from tests.e2e.test_crash import Aftermath

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "crash-matrix.md"
FOLDER = "CRASH_TABLE_DIR"
HEAD = """\
<!-- Written by `make crash-table`; do not edit. -->
# Where a process may end, and what comes of it

Every run below was at its place when its process was ended: by SIGKILL, as in a power cut, or by SIGTERM, as in a
deploy. On SQLite the process was started again; on Postgres another one took over. How often the vendor took the work
on (of a planner: how many turns, of which a run has two) stands in front of the colon.

*Unknown* is a paid call whose answer was lost at a vendor that cannot be asked about it: it is shown as unknown with
its possible cost, the planner is told, and it is never sent again by itself. *Duplicates* are works bought twice;
*lost* is what a vendor took on and no receipt answers for.

"""

Place = tuple[str, str, str]


def place_of(scenario: Scenario) -> Place:
    """The first cells of a scenario's row; runs at random moments share one."""
    return scenario.ending, re.sub(r" \d+$", "", scenario.place.name), scenario.kind.name


def write_down(database: str, found: Sequence[Aftermath], otherwise: Path) -> None:
    """Leave what was seen on one database."""
    folder = Path(os.environ.get(FOLDER) or otherwise)
    with (folder / f"crashes-{uuid.uuid4().hex}.jsonl").open("w") as file:
        for each in found:
            seen = {"submits": each.submits, "duplicates": each.duplicates(), "lost": each.lost()}
            place = place_of(each.run.scenario)
            file.write(json.dumps({"place": place, "database": database, "outcome": each.outcome(), **seen}) + "\n")


def rows() -> dict[Place, dict[str, str]]:
    """What the written table says, by place and database."""
    lines = [line for line in TABLE.read_text().splitlines() if line.startswith("| SIG")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {(row[0], row[1], row[2]): dict(zip(DATABASES, row[3:], strict=False)) for row in cells}


def table(seen: Sequence[dict[str, Any]]) -> str:
    """The Markdown of what was seen."""
    cells: dict[Place, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for each in seen:
        cells[tuple(each["place"])][each["database"]].append(each)  # type: ignore[index]
    heads = ["Ended by", "Where", "What", *DATABASES.values(), "Duplicates", "Lost"]
    lines = [heads, ["---"] * len(heads)]
    for place in dict.fromkeys(place_of(scenario) for batch in BATCHES for scenario in batch):
        row = cells[place]
        every = [each for some in row.values() for each in some]
        sums = [str(sum(each[name] for each in every)) for name in ("duplicates", "lost")]
        lines.append([*place, *(cell(row[database]) for database in DATABASES), *sums])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(seen: Sequence[dict[str, Any]]) -> str:
    """`1: finished`; of several runs how often which."""
    submits, outcomes = sum(each["submits"] for each in seen), Counter(each["outcome"] for each in seen)
    counted = ", ".join(name if len(seen) == 1 else f"{count} x {name}" for name, count in sorted(outcomes.items()))
    return f"{submits}: {counted}" if seen else "-"


def main() -> int:
    """Run the matrix and write the table; the exit code is the tests'."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[FOLDER] = folder
        code = int(pytest.main([str(ROOT / "tests/e2e/test_crash.py"), "-k", "not table"]))
        seen = [json.loads(line) for path in Path(folder).glob("*.jsonl") for line in path.read_text().splitlines()]
    if code == 0:
        TABLE.write_text(HEAD + table(seen))
        print(f"{len(seen)} runs written to {TABLE.relative_to(ROOT)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
