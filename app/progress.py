"""The events of a run on a terminal: a line for each tool, a bar for long work."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Column


class Progress:
    """Shows events as they come; a context manager."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}", table_column=Column(min_width=15)),
            BarColumn(bar_width=20, table_column=Column(min_width=20)),
            TimeElapsedColumn(table_column=Column(min_width=7)),
            TextColumn("{task.fields[note]}", table_column=Column(overflow="fold")),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def show(self, name: str, data: Mapping[str, Any]) -> None:
        """Show one event."""
        match name:
            case "turn.completed" if data["tool_calls"]:
                names = ", ".join(call["name"] for call in data["tool_calls"])
                self._bars.console.print(f"the model asks for {names}", markup=False)
            case "tool.started":
                self._tasks[data["step_id"]] = self._bars.add_task(escape(data["name"]), total=None, note="")
            case "tool.progress":
                note = "waiting in line" if data["waiting"] else f"{data['progress']:.0%}"
                self._update(data["step_id"], total=1.0, completed=data["progress"], note=note)
            case "asset.created":
                size = f"{data['width']}x{data['height']}" if data.get("width") else ""
                length = f"{data['duration_s']:g} s" if data.get("duration_s") else ""
                note = " ".join(part for part in (data["media_type"], size, length) if part)
                self._update(data["step_id"], note=note)
            case "tool.completed":
                self._update(data["step_id"], total=1.0, completed=1.0)
            case "tool.failed":
                self._update(data["step_id"], total=1.0, note=f"[red]{escape(data['error']['message'])}[/]")
                self._bars.stop_task(self._tasks[data["step_id"]])

    def _update(self, step_id: str, **fields: Any) -> None:
        if step_id in self._tasks:
            self._bars.update(self._tasks[step_id], **fields)
