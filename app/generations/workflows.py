"""What survives a crash: `generate`, the one workflow. The engine sees to it that it is run; what it has done stands in
our own tables.

A run that is taken up again starts from its frame and asks for every turn, call and work anew. Each has an identity
that follows from its place, and a receipt; so it gets the answer it got before, and goes on where that ends. The
engine's own steps would say the same a second time, at ten times the cost (docs/decisions/0006).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSConfiguredInstance

from app.agent import loop
from app.agent.history import Answer
from app.db import generations, now
from app.errors import AppError
from app.ids import born
from app.tools.base import ToolFailed
from app.writer import first_line
from providers.errors import ProviderError
from providers.types import ChatReply, Message, ToolCall

from .briefing import brief, read_brief
from .claims import UNFINISHED, Deposed, claim, framed
from .files import ADDRESS
from .journal import Frame, Journal, add_warnings, read_frame, step_id
from .parts import Parts, StepFailed, opened, plain, problem_of
from .steps import ToolContext
from .turns import Turn, Turns
from .works import Works

log = logging.getLogger(__name__)

APPLICATION_VERSION = "2"
"""Of what the engine keeps, which is an id. It changes with the engine, not with our code: what one version of the code
began another one goes on with, since all of it stands in our own tables."""
MOST_ATTEMPTS = 100
"""How often a run is taken up before it is given up: something in it may be what ends the processes."""

Json = dict[str, Any]


@DBOS.dbos_class()
class Workflows(DBOSConfiguredInstance):
    """The workflow, bound to the parts it works with."""

    def __init__(self, parts: Parts) -> None:
        super().__init__("impresario")
        self._parts = parts
        self.most_calls = parts.settings.max_calls_per_turn
        self.works = Works(parts)
        self.journal = Journal(parts.db, parts.events, parts.executor)
        self._spans = parts.metrics.spans

    @DBOS.workflow(name="generate")
    async def generate(self, generation_id: str) -> None:
        """One generation, from its row to its end."""
        with self._parts.gate.working(generation_id) as mine:
            if mine:
                with self._spans.generation(generation_id):
                    await self._generate(generation_id)

    async def _generate(self, generation_id: str) -> None:
        try:
            begun = await self._begin(generation_id)
            if begun is None:
                return  # it has ended, or another process works on it
            frame, start, tool = begun
            self._spans.begun(*frame.agent, start.prompt, again=frame.again)
            if tool is not None:
                await self._call_alone(frame, tool)
                return
            stop = await loop.run(start, Effects(self, frame))
            await self._finish(generation_id, stop)
        except Deposed as error:
            raise asyncio.CancelledError from error  # to the engine it is not over
        except StepFailed as failure:
            await self.fail(generation_id, failure.problem)
        except Exception as error:
            if waits(error):
                log.error("generation %s waits for the database: %s", generation_id, first_line(error))
                raise asyncio.CancelledError from error  # and is taken up again, see Crew
            log.exception("generation %s failed for an unforeseen reason", generation_id)
            await self.fail(generation_id, problem_of(error))

    async def _begin(self, generation_id: str) -> tuple[Frame, loop.Brief, Json | None] | None:
        """Take the generation on, with what the whole run relies on: the planner, the pins, the cap, the words it
        starts from. All of that is fixed the first time."""
        row = await self._parts.db.row(sa.select(generations).where(generations.c.id == generation_id))
        if row is None or row["status"] not in UNFINISHED:
            return None
        if row["attempts"] >= MOST_ATTEMPTS:
            raise StepFailed({"code": "given_up", "message": "The run was interrupted too often and was given up."})
        me, silent_s, taken = self._parts.executor, self._parts.settings.worker_silent_s, None
        if not row["frame"] and any(ref.startswith(ADDRESS) for ref in row["request"]["inputs"]):
            # To fetch takes its time, and may be the end of this process: nobody else begins meanwhile, and it counts.
            taken = await self._parts.db.write(lambda connection: claim(connection, generation_id, me, None, silent_s))
            if taken is None:
                return None
        fixed, warnings = (row["frame"], ()) if row["frame"] else await self._frame(row)

        def beginning(connection: sa.Connection) -> int | None:
            if taken is None:
                attempt = claim(connection, generation_id, me, fixed, silent_s)
            else:
                attempt = taken if framed(connection, generation_id, me, fixed) else None
            if attempt is not None:
                add_warnings(connection, generation_id, warnings)
            return attempt

        attempt = await self._parts.db.write(beginning)
        if attempt is None:
            return None
        return read_frame(fixed["frame"], attempt > 1), read_brief(fixed["brief"]), row["request"].get("tool")

    async def _frame(self, row: Mapping[str, Any]) -> tuple[Json, Sequence[str]]:
        request, settings = row["request"], self._parts.settings
        wanted = request["models"].get("chat") or self._parts.agent_model()
        try:
            vendor, model, warnings = self._parts.planner(wanted)
            if request.get("tool"):
                warnings = ()  # a tool that is called alone needs no planner, but may have something written
        except ProviderError as error:
            if not request.get("tool"):
                raise StepFailed(problem_of(error)) from error
            vendor, model, warnings = "", "", ()
        try:
            start = await brief(self._parts, row)
        except (ProviderError, AppError, ToolFailed) as error:
            raise StepFailed(problem_of(error)) from error
        cap = request["max_cost_usd"] if request["max_cost_usd"] is not None else settings.max_cost_usd
        frame = {
            "generation_id": row["id"],
            "owner": row["owner"],
            "agent": [vendor, model],
            "pins": request["models"],
            "cap_usd": None if cap is None else str(cap),
            "reuse": request.get("reuse", False),
            "stream": request.get("stream", False),
        }
        return {"brief": start, "frame": frame}, warnings

    async def _call_alone(self, frame: Frame, tool: Json) -> None:
        """The one call there is, without a planner: it fails, and the generation with it."""
        call = ToolCall(id="call_1", name=tool["name"], arguments=json.dumps(tool["arguments"]))
        answer = await self.call_tool(frame, 1, 1, call)
        if "problem" in answer:
            raise StepFailed(answer["problem"])
        await self._end(frame.generation_id, "completed", "answered", response=plain(answer.get("words")))

    async def _finish(self, generation_id: str, stop: loop.Stop) -> None:
        made = await self._made(generation_id) if stop.explanation else []
        await self._end(generation_id, "completed", stop.reason, response=stop.response(made))

    async def _made(self, generation_id: str) -> list[str]:
        return [asset["id"] for asset in (await self._parts.records.of_generations([generation_id]))[generation_id]]

    async def fail(self, generation_id: str, problem: Mapping[str, Any]) -> None:
        """The run broke off. What was made until then is kept and told of; with nothing made, it failed as a whole."""
        made = await self._made(generation_id)
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
        ended, events = now(), self._parts.events
        values = {"status": status, "stop_reason": stop_reason, "response": response, "error": error}

        def ending(connection: sa.Connection) -> Any:
            mine = sa.and_(generations.c.id == generation_id, generations.c.status.in_(UNFINISHED))
            held = sa.or_(generations.c.executor.is_(None), generations.c.executor == self._parts.executor)
            changed = connection.execute(
                sa.update(generations)
                .where(mine, held)
                .values(**values, completed_at=ended)
                .returning(generations.c.created_at)
            ).scalar()
            if changed is not None:
                self._parts.budgets.release_waiting(connection, generation_id)
                name: Any = f"generation.{status}"
                events.add(connection, generation_id, name, "end", values)
            spent = self._parts.budgets.spent(connection, generation_id) if self._spans.on else None
            return changed, spent

        created, spent = await events.record(generation_id, ending, ends=True)
        if created is not None:
            self._parts.metrics.generation_seconds.observe((ended - created).total_seconds())
            self._parts.metrics.generations.labels(status, stop_reason).inc()
            self._spans.ended(values, spent)

    # ---- the loop's effects ----

    async def take_turn(self, frame: Frame, turn: int, messages: Sequence[Message], tools_allowed: bool) -> Json:
        """One model turn, shown as a step of the generation."""
        parts, journal = self._parts, self.journal
        request = Turn(
            generation_id=frame.generation_id,
            owner=frame.owner,
            step_id=step_id(frame.generation_id, turn),
            vendor=frame.agent[0],
            model=frame.agent[1],
            messages=tuple(messages),
            tools=parts.toolbox.specs(parts.registry.catalogue),
            tools_allowed=tools_allowed,
            cap_usd=frame.cap_usd,
            again=frame.again,
            opening=lambda connection: journal.open_turn(connection, frame, turn),
            closing=lambda connection, outcome: journal.close_turn(connection, frame, turn, outcome),
        )
        with self._spans.turn(turn):
            outcome: Json = self._spans.came_to(await Turns(parts).complete(request))
        if turn == 1 and not frame.again:
            parts.metrics.first_event(born(frame.generation_id))
        return outcome

    async def call_tool(self, frame: Frame, turn: int, position: int, call: ToolCall) -> Json:
        """One tool call: its answer for the planner, whatever happened."""
        with self._spans.tool(call, step_id(frame.generation_id, turn, position)):
            answer: Json = self._spans.came_to(await self._call_tool(frame, turn, position, call))
            return answer

    async def _call_tool(self, frame: Frame, turn: int, position: int, call: ToolCall) -> Json:
        journal, step = self.journal, step_id(frame.generation_id, turn, position)
        if (answer := await journal.open_tool(frame, turn, position, call)) is not None:
            return answer
        try:
            tool = self._parts.toolbox.get(call.name, self._parts.registry.catalogue)
            context = ToolContext(self._parts, self.works, frame, step)
            result = await tool.run(tool.parse(call.arguments), context)
        except Deposed:
            raise
        except StepFailed as failure:
            return await journal.tool_failed(frame, step, call, failure.problem)
        except Exception as error:
            if waits(error):
                raise
            if not isinstance(error, ProviderError | AppError | ToolFailed):
                log.exception("tool %s failed for an unforeseen reason", call.name)
            return await journal.tool_failed(frame, step, call, problem_of(error))
        return await journal.tool_completed(frame, step, call, result)


class Effects:
    """The loop's two effects on the world."""

    def __init__(self, workflows: Workflows, frame: Frame) -> None:
        self._workflows = workflows
        self._frame = frame

    async def complete(self, turn: int, messages: Sequence[Message], *, tools_allowed: bool) -> ChatReply:
        outcome = await self._workflows.take_turn(self._frame, turn, messages, tools_allowed)
        if outcome.get("problem", {}).get("code") == "budget_exceeded":
            raise loop.Spent(outcome["problem"]["message"])
        return ChatReply.model_validate(opened(outcome)["reply"])

    async def call_tools(self, turn: int, calls: Sequence[ToolCall]) -> Sequence[Answer]:
        most = self._workflows.most_calls
        tasks = [
            asyncio.create_task(self._workflows.call_tool(self._frame, turn, position, call))
            for position, call in enumerate(calls[:most], 1)
        ]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # one that broke off ends the others; what they have sent is finished behind the gate
                task.cancel()
        too_many = f"Not made: at most {most} tools are called in one turn; ask for the rest in the next one."
        refused = Answer(json.dumps({"error": too_many, "code": "too_many_calls"}))
        made = [Answer(answer["text"], tuple(answer["image_ids"])) for answer in answers]
        return made + [refused] * (len(calls) - len(made))


def waits(error: Exception) -> bool:
    """Whether a run that broke off with this is to be taken up again: the database refused, and not because of what it
    was given. So often as that is (`MOST_ATTEMPTS`), it may still be for ever."""
    return isinstance(error, sa.exc.SQLAlchemyError) and not isinstance(error, sa.exc.DataError)
