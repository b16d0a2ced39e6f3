"""What survives a crash: `generate` (the loop) and `call_tool` (its child). Every workflow there is.

Tool calls of one turn are children, not tasks inside the parent, because a replay matches steps by their order, and the
order in which tasks side by side reach their steps is not the same twice.

What is written to our own tables outside a step is idempotent, so a replay may write it again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSConfiguredInstance, SetWorkflowID
from dbos import error as dbos_error

from app.agent import loop
from app.agent.history import Answer
from app.db import generations, now, steps
from app.errors import AppError
from app.tools.base import InvalidArguments, Result, read_object
from providers.errors import ProviderError
from providers.types import ChatReply, Message, ToolCall

from .briefing import brief
from .parts import Parts, StepFailed, opened, problem_of
from .steps import Frame, ToolContext, step_id
from .turns import Turn, Turns

log = logging.getLogger(__name__)

APPLICATION_VERSION = "1"
"""Raised when a change would replay an unfinished workflow differently."""

Json = dict[str, Any]


@DBOS.dbos_class()
class Workflows(DBOSConfiguredInstance):
    """The workflows, bound to the parts they work with."""

    def __init__(self, parts: Parts) -> None:
        super().__init__("impresario")
        self._parts = parts
        self.max_calls_per_turn = parts.settings.max_calls_per_turn

    # ---- generate ----

    @DBOS.workflow(name="generate")
    async def generate(self, generation_id: str) -> None:
        """One generation, from its row to its end."""
        with self._parts.gate.working(generation_id):
            await self._generate(generation_id)

    async def _generate(self, generation_id: str) -> None:
        try:
            begun = opened(await DBOS.run_step_async({"name": "begin"}, self._begin, generation_id))
            frame = read_frame(begun["frame"])
            stop = await loop.run(read_brief(begun["brief"]), Effects(self, frame))
            await self._finish(generation_id, stop)
        except dbos_error.DBOSAwaitedWorkflowCancelledError:
            raise
        except StepFailed as failure:
            await self.fail(generation_id, failure.problem)
        except Exception as error:
            log.exception("generation %s failed for an unforeseen reason", generation_id)
            await self.fail(generation_id, problem_of(error))

    async def _begin(self, generation_id: str) -> Json:
        """Fix what the whole run relies on: the planner, the pins, the cap, and the words it starts from."""
        row = await self._parts.db.row(sa.select(generations).where(generations.c.id == generation_id))
        if row is None:
            return {"problem": {"code": "deleted", "message": "The generation was deleted."}}
        request, settings = row["request"], self._parts.settings
        try:
            wanted = request["models"].get("chat") or self._parts.agent_model()
            vendor, model, warnings = self._parts.planner(wanted)
            begun = await brief(self._parts, row)
        except (ProviderError, AppError) as error:
            return {"problem": problem_of(error)}
        cap = request["max_cost_usd"] if request["max_cost_usd"] is not None else settings.max_cost_usd
        async with self._parts.db.transaction() as connection:
            await connection.execute(
                sa.update(generations)
                .where(generations.c.id == generation_id, generations.c.status == "queued")
                .values(status="running", started_at=now(), warnings=[*row["warnings"], *warnings])
            )
        frame = {
            "generation_id": generation_id,
            "owner": row["owner"],
            "agent": [vendor, model],
            "pins": request["models"],
            "cap_usd": None if cap is None else str(cap),
        }
        return {"brief": begun, "frame": frame}

    async def _finish(self, generation_id: str, stop: loop.Stop) -> None:
        made = [asset["id"] for asset in (await self._parts.records.of_generations([generation_id]))[generation_id]]
        await self._end(generation_id, "completed", stop.reason, response=stop.response(made))

    async def fail(self, generation_id: str, problem: Mapping[str, Any]) -> None:
        """The run broke off. What was made until then is kept and told of; with nothing made, it failed as a whole."""
        made = [asset["id"] for asset in (await self._parts.records.of_generations([generation_id]))[generation_id]]
        if made:
            response = f"The run broke off: {problem['message']} Made until then: {', '.join(made)}."
            await self._end(generation_id, "completed", "error", response=response, error=problem)
        else:
            await self._end(generation_id, "failed", "error", error=problem)

    async def _end(
        self,
        generation_id: str,
        status: str,
        stop_reason: str,
        *,
        response: str | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> None:
        ended = now()
        async with self._parts.events.recording(generation_id) as connection:
            changed = await connection.execute(
                sa.update(generations)
                .where(generations.c.id == generation_id, generations.c.status.in_(("queued", "running")))
                .values(status=status, stop_reason=stop_reason, response=response, error=error, completed_at=ended)
                .returning(generations.c.created_at)
            )
            if (created := changed.scalar()) is not None:
                self._parts.metrics.generation_seconds.observe((ended - created).total_seconds())
                self._parts.metrics.generations.labels(status, stop_reason).inc()
                name: Any = f"generation.{status}"
                data = {"status": status, "stop_reason": stop_reason, "response": response, "error": error}
                await self._parts.events.add(connection, generation_id, name, "end", data)

    # ---- call_tool ----

    @DBOS.workflow(name="call_tool")
    async def call_tool(self, frame_json: Json, turn: int, position: int, call_json: Json) -> Json:
        """One tool call: its answer for the planner, whatever happened."""
        with self._parts.gate.working(frame_json["generation_id"]):
            return await self._call_tool(frame_json, turn, position, call_json)

    async def _call_tool(self, frame_json: Json, turn: int, position: int, call_json: Json) -> Json:
        frame, call = read_frame(frame_json), ToolCall.model_validate(call_json)
        step = step_id(frame.generation_id, turn, position)
        await self._tool_started(frame, step, turn, position, call)
        try:
            tool = self._parts.toolbox.get(call.name, self._parts.registry.catalogue)
            result: Result = await tool.run(tool.parse(call.arguments), ToolContext(self._parts, frame, step))
        except dbos_error.DBOSAwaitedWorkflowCancelledError:
            raise
        except StepFailed as failure:
            return await self._tool_failed(frame, step, call, failure.problem)
        except InvalidArguments as error:
            problem = {"code": "invalid_arguments", "message": str(error)}
            return await self._tool_failed(frame, step, call, problem)
        except Exception as error:
            if not isinstance(error, ProviderError | AppError):
                log.exception("tool %s failed for an unforeseen reason", call.name)
            return await self._tool_failed(frame, step, call, problem_of(error))
        return await self._tool_completed(frame, step, call, result)

    async def _tool_started(self, frame: Frame, step: str, turn: int, position: int, call: ToolCall) -> None:
        arguments = shown_arguments(call)
        values = {
            "id": step,
            "generation_id": frame.generation_id,
            "turn": turn,
            "position": position,
            "kind": "tool",
            "name": call.name[:128],
            "arguments": arguments,
            "status": "running",
            "asset_ids": [],
            "started_at": now(),
        }
        data = {"step_id": step, "name": call.name, "arguments": arguments}
        async with self._parts.events.recording(frame.generation_id) as connection:
            await connection.execute(self._parts.db.insert_once(steps, **values))
            await self._parts.events.add(connection, frame.generation_id, "tool.started", f"{step}:started", data)

    async def _tool_completed(self, frame: Frame, step: str, call: ToolCall, result: Result) -> Json:
        values = {"status": "completed", "asset_ids": list(result.asset_ids), "completed_at": now()}
        warnings = [str(warning) for warning in result.facts.get("warnings", ())]
        async with self._parts.events.recording(frame.generation_id) as connection:
            await connection.execute(sa.update(steps).where(steps.c.id == step).values(**values))
            if warnings:
                await add_warnings(connection, frame.generation_id, warnings)
            data = {"step_id": step, "name": call.name, "asset_ids": list(result.asset_ids), "warnings": warnings}
            await self._parts.events.add(connection, frame.generation_id, "tool.completed", f"{step}:completed", data)
        return {"text": json.dumps(result.facts, default=str), "image_ids": list(result.image_ids)}

    async def _tool_failed(self, frame: Frame, step: str, call: ToolCall, problem: Mapping[str, Any]) -> Json:
        values = {"status": "failed", "error": problem["message"], "completed_at": now()}
        async with self._parts.events.recording(frame.generation_id) as connection:
            await connection.execute(sa.update(steps).where(steps.c.id == step).values(**values))
            data = {"step_id": step, "name": call.name, "error": problem}
            await self._parts.events.add(connection, frame.generation_id, "tool.failed", f"{step}:failed", data)
        return {"text": json.dumps({"error": problem["message"], "code": problem["code"]}), "image_ids": []}

    # ---- a model turn ----

    async def take_turn(self, frame: Frame, turn: int, messages: Sequence[Message], tools_allowed: bool) -> Json:
        """One model turn, shown as a step of the generation. The body of a durable step."""
        parts, step = self._parts, step_id(frame.generation_id, turn)
        values = {
            "id": step,
            "generation_id": frame.generation_id,
            "turn": turn,
            "position": 0,
            "kind": "turn",
            "name": frame.agent[1],
            "status": "running",
            "asset_ids": [],
            "started_at": now(),
        }
        async with parts.db.transaction() as connection:
            await connection.execute(parts.db.insert_once(steps, **values))
        request = Turn(
            generation_id=frame.generation_id,
            owner=frame.owner,
            step_id=step,
            vendor=frame.agent[0],
            model=frame.agent[1],
            messages=tuple(messages),
            tools=parts.toolbox.specs(parts.registry.catalogue),
            tools_allowed=tools_allowed,
            cap_usd=frame.cap_usd,
        )
        outcome = await Turns(parts).complete(request)
        problem = outcome.get("problem")
        status = "failed" if problem else "completed"
        async with parts.events.recording(frame.generation_id) as connection:
            error = problem["message"] if problem else None
            ended = {"status": status, "error": error, "completed_at": now()}
            await connection.execute(sa.update(steps).where(steps.c.id == step).values(**ended))
            if not problem:
                reply = outcome["reply"]
                calls = [{"id": call["id"], "name": call["name"]} for call in reply["tool_calls"]]
                data = {"step_id": step, "turn": turn, "text": reply["content"], "tool_calls": calls}
                await parts.events.add(connection, frame.generation_id, "turn.completed", f"{step}:completed", data)
        return outcome


class Effects:
    """The loop's two effects, as durable steps."""

    def __init__(self, workflows: Workflows, frame: Frame) -> None:
        self._workflows = workflows
        self._frame = frame

    async def complete(self, turn: int, messages: Sequence[Message], *, tools_allowed: bool) -> ChatReply:
        outcome = await DBOS.run_step_async(
            {"name": "turn"}, self._workflows.take_turn, self._frame, turn, messages, tools_allowed
        )
        if outcome.get("problem", {}).get("code") == "budget_exceeded":
            raise loop.Spent(outcome["problem"]["message"])
        return ChatReply.model_validate(opened(outcome)["reply"])

    async def call_tools(self, turn: int, calls: Sequence[ToolCall]) -> Sequence[Answer]:
        handles, most = [], self._workflows.max_calls_per_turn
        for position, call in enumerate(calls[:most], 1):
            with SetWorkflowID(f"{self._frame.generation_id}.{turn}.{position}"):
                handles.append(
                    await DBOS.start_workflow_async(
                        self._workflows.call_tool, write_frame(self._frame), turn, position, call.model_dump()
                    )
                )
        answers = [await handle.get_result() for handle in handles]
        too_many = f"Not made: at most {most} tools are called in one turn; ask for the rest in the next one."
        refused = Answer(json.dumps({"error": too_many, "code": "too_many_calls"}))
        made = [Answer(answer["text"], tuple(answer["image_ids"])) for answer in answers]
        return made + [refused] * (len(calls) - len(made))


async def add_warnings(connection: Any, generation_id: str, warnings: Sequence[str]) -> None:
    """Append what is not said yet to a generation's warnings."""
    query = sa.select(generations.c.warnings).where(generations.c.id == generation_id).with_for_update()
    said = (await connection.execute(query)).scalar() or []
    fresh = [warning for warning in dict.fromkeys(warnings) if warning not in said]
    if fresh:
        update = sa.update(generations).where(generations.c.id == generation_id)
        await connection.execute(update.values(warnings=[*said, *fresh]))


def shown_arguments(call: ToolCall) -> Any:
    """A call's arguments for people to read: the object, or the text where it is no object."""
    try:
        return read_object(call.arguments)
    except InvalidArguments:
        return {"text": call.arguments[:2000]}


def read_brief(data: Json) -> loop.Brief:
    """A brief back from plain JSON."""
    earlier = tuple(Message.model_validate(message) for message in data["earlier"])
    return loop.Brief(**{**data, "earlier": earlier, "image_ids": tuple(data["image_ids"])})


def write_frame(frame: Frame) -> Json:
    """A frame as plain JSON."""
    cap = None if frame.cap_usd is None else str(frame.cap_usd)
    return {**frame.__dict__, "agent": list(frame.agent), "pins": dict(frame.pins), "cap_usd": cap}


def read_frame(data: Json) -> Frame:
    """A frame back from plain JSON."""
    cap = None if data["cap_usd"] is None else Decimal(data["cap_usd"])
    return Frame(**{**data, "agent": tuple(data["agent"]), "cap_usd": cap})
