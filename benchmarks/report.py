"""What was measured, beside what is aimed at: a table to read and a file to compare with."""

from __future__ import annotations

import json
import platform
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from .reference import IDEAL_S, LATENCY

RESULTS = Path(__file__).parent / "results" / "latest.json"
README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- measured -->\n", "<!-- end of measured -->\n"
WIDTH = 180


@dataclass(frozen=True)
class Row:
    """One figure."""

    what: str
    deployment: str
    value: float | None
    unit: str
    aim: float | None = None
    """The most it may be, or the least where `least` says so."""
    least: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without one, or without a figure."""
        if self.aim is None or self.value is None:
            return None
        return self.value >= self.aim if self.least else self.value <= self.aim

    def shown(self) -> str:
        """The figure with its unit."""
        return "-" if self.value is None else f"{number(self.value)} {self.unit}".rstrip()

    def shown_aim(self) -> str:
        """The aim as words."""
        return "" if self.aim is None else f"{'>=' if self.least else '<='} {number(self.aim)} {self.unit}".rstrip()


@dataclass
class Report:
    """The rows, each said as soon as it is known."""

    rows: list[Row] = field(default_factory=list)
    console: Console = field(default_factory=lambda: Console(width=WIDTH))
    deployment: str = ""
    failures: int = 0

    def add(
        self,
        what: str,
        value: float | None,
        unit: str,
        aim: float | None = None,
        *,
        least: bool = False,
        note: str = "",
    ) -> None:
        """A figure of the deployment that is measured now."""
        row = Row(what, self.deployment, value, unit, aim, least, note)
        self.rows.append(row)
        self.console.print(f"  {row.what}: {row.shown()}  {row.note}", highlight=False, markup=False, soft_wrap=True)

    def failed(self, name: str, error: Exception) -> None:
        """A measurement that could not be made."""
        self.failures += 1
        traceback.print_exception(error)
        self.add(name, None, "", note=f"failed: {str(error).splitlines()[0] if str(error) else type(error).__name__}")

    @contextmanager
    def of(self, deployment: str) -> Iterator[None]:
        """The rows added inside belong to that deployment."""
        self.console.print(f"\n{deployment}", highlight=False)
        self.deployment = deployment
        yield
        self.deployment = ""

    def table(self) -> None:
        """Print every row, by what it tells, with the aims beside the figures."""
        table = Table("what", "deployment", "figure", "aim", "", "note", title=settings())
        marks = {None: "", True: "[green]met[/]", False: "[red]missed[/]"}
        for what in dict.fromkeys(row.what for row in self.rows):
            for row in (row for row in self.rows if row.what == what):
                table.add_row(row.what, row.deployment, row.shown(), row.shown_aim(), marks[row.met], row.note)
        self.console.print(table, highlight=False)

    def publish(self) -> None:
        """Put the table into the README."""
        head = ["What", "On", "Figure", "Aim", "", "Note"]
        lines = [head, ["---"] * len(head)]
        marks = {None: "", True: "met", False: "**missed**"}
        for what in dict.fromkeys(row.what for row in self.rows):
            for row in (row for row in self.rows if row.what == what):
                lines.append([row.what, row.deployment, row.shown(), row.shown_aim(), marks[row.met], row.note])
        table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        before, _, rest = README.read_text().partition(BEGIN)
        README.write_text(
            f"{before}{BEGIN}{settings()[0].upper()}{settings()[1:]}.\n\n{table}{END}{rest.partition(END)[2]}"
        )

    def write(self, path: Path) -> None:
        """The same as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        machine = {
            "cores": psutil.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 1024**3),
            "python": platform.python_version(),
        }
        rows = [{**asdict(row), "met": row.met} for row in self.rows]
        content = {"machine": machine, "latency_s": LATENCY, "ideal_s": IDEAL_S, "rows": rows}
        path.write_text(json.dumps(content, indent=2) + "\n")


def settings() -> str:
    """What the figures depend on, in a line."""
    vendors = ", ".join(f"{name} {seconds:g}" for name, seconds in LATENCY.items())
    return f"{psutil.cpu_count()} cores, everything on loopback; the vendors take (s): {vendors}; ideal {IDEAL_S:g} s"


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
