"""The steps of a run, written as they begin and end: what the user sees of it, and what it is taken up from.

Each write may be made again after a crash and then changes nothing. A step that has ended stays as it ended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from app.db import Database, generations, now, row_of, steps
from app.tools.base import InvalidArguments, Result, read_object
from providers.types import ToolCall

from .claims import check
from .events import Events

Json = dict[str, Any]
CLOSE = sa.update(steps).where(steps.c.id == sa.bindparam("which"), steps.c.status == "running")


@dataclass(frozen=True)
class Frame:
    """What every step of one generation needs to know; fixed when the generation first begins."""

    generation_id: str
    owner: str
    agent: tuple[str, str]
    """Vendor and model of the planner."""
    pins: Mapping[str, str]
    cap_usd: Decimal | None
    reuse: bool = False
    stream: bool = False
    """Whether sound is to be given while it is made."""
    again: bool = False
    """Whether an earlier attempt may have left something: the first one need not look."""


def read_frame(data: Mapping[str, Any], again: bool) -> Frame:
    """A frame back from plain JSON."""
    cap = None if data["cap_usd"] is None else Decimal(data["cap_usd"])
    return Frame(**{**data, "agent": tuple(data["agent"]), "cap_usd": cap, "again": again})


def step_id(generation_id: str, turn: int, position: int = 0) -> str:
    """The id of a model turn (position 0) or of its n-th tool call; the same at every replay."""
    return f"step_{generation_id.removeprefix('gen_')}_{turn:02d}_{position:02d}"


class Journal:
    """Writes steps and their events. What takes a connection runs inside `Database.write`."""

    def __init__(self, db: Database, events: Events, executor: str) -> None:
        self._db = db
        self._events = events
        self._executor = executor

    # ---- turns ----

    def open_turn(self, connection: sa.Connection, frame: Frame, turn: int) -> None:
        """A model turn begins."""
        step = step_id(frame.generation_id, turn)
        self._open(connection, frame, step, turn, 0, kind="turn", name=frame.agent[1])

    def close_turn(self, connection: sa.Connection, frame: Frame, turn: int, outcome: Mapping[str, Any]) -> None:
        """It came to this: `{"reply": ...}` or `{"problem": ...}`."""
        step, problem = step_id(frame.generation_id, turn), outcome.get("problem")
        ended = {"status": "failed" if problem else "completed", "error": problem["message"] if problem else None}
        if self._close(connection, step, ended) and not problem:
            reply = outcome["reply"]
            calls = [{"id": call["id"], "name": call["name"]} for call in reply["tool_calls"]]
            data = {"step_id": step, "turn": turn, "text": reply["content"], "tool_calls": calls}
            self._events.add(connection, frame.generation_id, "turn.completed", f"{step}:completed", data)

    # ---- tools ----

    async def open_tool(self, frame: Frame, turn: int, position: int, call: ToolCall) -> Json | None:
        """A tool call begins. Gives what the planner was told of it, when it has ended before a crash."""
        step, arguments = step_id(frame.generation_id, turn, position), shown_arguments(call)
        data = {"step_id": step, "name": call.name, "arguments": arguments}

        def opening(connection: sa.Connection) -> Json | None:
            if frame.again and (found := row_of(connection, sa.select(steps).where(steps.c.id == step))):
                return dict(found["answer"]) if found["answer"] else None
            check(connection, frame.generation_id, self._executor)
            self._open(connection, frame, step, turn, position, kind="tool", name=call.name[:128], arguments=arguments)
            self._events.add(connection, frame.generation_id, "tool.started", f"{step}:started", data)
            return None

        return await self._events.record(frame.generation_id, opening)

    async def tool_completed(self, frame: Frame, step: str, call: ToolCall, result: Result) -> Json:
        """It worked: what the planner is told."""
        answer = {"text": json.dumps(result.facts, default=str), "image_ids": list(result.image_ids)}
        if result.details is not None:
            answer["result"] = json.loads(json.dumps(result.details, default=str))
        if result.words is not None:
            answer["words"] = result.words
        warnings = [str(warning) for warning in result.facts.get("warnings", ())]
        ended = {"status": "completed", "asset_ids": list(result.asset_ids), "answer": answer}
        data = {"step_id": step, "name": call.name, "asset_ids": list(result.asset_ids), "warnings": warnings}

        def closing(connection: sa.Connection) -> None:
            if self._close(connection, step, ended):
                add_warnings(connection, frame.generation_id, warnings)
                self._events.add(connection, frame.generation_id, "tool.completed", f"{step}:completed", data)

        await self._events.record(frame.generation_id, closing)
        return answer

    async def tool_failed(self, frame: Frame, step: str, call: ToolCall, problem: Mapping[str, Any]) -> Json:
        """It did not: what the planner is told."""
        said = {"error": problem["message"], "code": problem["code"]}
        answer = {"text": json.dumps(said), "image_ids": [], "problem": dict(problem)}
        data = {"step_id": step, "name": call.name, "error": {"code": said["code"], "message": said["error"]}}

        def closing(connection: sa.Connection) -> None:
            if self._close(connection, step, {"status": "failed", "error": problem["message"], "answer": answer}):
                self._events.add(connection, frame.generation_id, "tool.failed", f"{step}:failed", data)

        await self._events.record(frame.generation_id, closing)
        return answer

    # ---- rows ----

    def _open(self, connection: sa.Connection, frame: Frame, step: str, turn: int, position: int, **said: Any) -> None:
        place = {"generation_id": frame.generation_id, "turn": turn, "position": position}
        values: Json = {"arguments": None, "status": "running", "asset_ids": [], "started_at": now()}
        self._db.insert_once(connection, steps, {"id": step, **place, **values, **said})

    def _close(self, connection: sa.Connection, step: str, ended: Json) -> bool:
        """Whether it was still running: a step that was cancelled stays so."""
        return bool(connection.execute(CLOSE, {**ended, "completed_at": now(), "which": step}).rowcount)


def add_warnings(connection: sa.Connection, generation_id: str, warnings: Sequence[str]) -> None:
    """Append what is not said yet to a generation's warnings."""
    if not warnings:
        return
    query = sa.select(generations.c.warnings).where(generations.c.id == generation_id).with_for_update()
    said = connection.execute(query).scalar() or []
    fresh = [warning for warning in dict.fromkeys(warnings) if warning not in said]
    if fresh:
        update = sa.update(generations).where(generations.c.id == generation_id)
        connection.execute(update, {"warnings": [*said, *fresh]})


def shown_arguments(call: ToolCall) -> Any:
    """A call's arguments for people to read: the object, or the text where it is no object."""
    try:
        return read_object(call.arguments)
    except InvalidArguments:
        return {"text": call.arguments[:2000]}
