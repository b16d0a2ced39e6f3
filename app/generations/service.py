"""What the HTTP routes and the command line call: start, get, list, wait, follow, cancel, delete."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import sqlalchemy as sa
from dbos import DBOS

from app.accounts.budgets import spending
from app.db import assets, calls, generations, now, steps
from app.errors import IdempotencyMismatch
from app.ids import new_id

from .claims import UNFINISHED
from .crew import Crew
from .events import Event
from .jobs import Jobs
from .orders import TERMINAL, Order, generation_row, vet
from .parts import Parts
from .sweep import purge

log = logging.getLogger(__name__)

REST_S = 2.0
"""How long a deletion waits for the requests under way to end."""
Row = Mapping[str, Any]
IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
RECEIPT = [column for column in calls.c if column.name not in ("request", "ticket", "result")]
"""What is shown of a receipt: not the words of an hour's transcript, of which a page of generations may have many."""
BELONGING = {
    "made": sa.select(assets).order_by(assets.c.call_id, assets.c.id).where(assets.c.generation_id.in_(IDS)),
    "taken": sa.select(steps).order_by(steps.c.turn, steps.c.position).where(steps.c.generation_id.in_(IDS)),
    "paid": sa.select(*RECEIPT).order_by(calls.c.created_at, calls.c.id).where(calls.c.generation_id.in_(IDS)),
}
"""What belongs to generations: their assets, steps and receipts."""


class Generation:
    """A generation with everything that belongs to it, read in one go."""

    def __init__(self, row: Row, steps: Sequence[Row], assets: Sequence[Row], receipts: Sequence[Row]) -> None:
        self.row = row
        self.steps = steps
        self.assets = assets
        self.receipts = receipts
        self.spending = spending(receipts)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.row["status"] in TERMINAL

    def step_cost(self, step_id: str) -> Decimal | None:
        """What one step has cost: its own calls and, for a tool, those it made inside."""
        mine = [row for row in self.receipts if row["step_id"] == step_id or row["step_id"].startswith(f"{step_id}.")]
        return spending(mine).cost_usd

    def usage(self) -> dict[str, int]:
        """Turns, tool calls, and the tokens the vendors reported."""
        chats = [row["usage"] for row in self.receipts if row["modality"] == "chat" and row["usage"]]
        return {
            "model_turns": sum(step["kind"] == "turn" for step in self.steps),
            "tool_calls": sum(step["kind"] == "tool" for step in self.steps),
            "input_tokens": sum(usage["input_tokens"] or 0 for usage in chats),
            "output_tokens": sum(usage["output_tokens"] or 0 for usage in chats),
        }


class Service:
    """Everything that can be done with generations."""

    def __init__(self, parts: Parts, jobs: Jobs, crew: Crew) -> None:
        self._parts = parts
        self._jobs = jobs
        self._crew = crew

    # ---- start ----

    async def start(
        self, owner: str, order: Order, idempotency_key: str | None = None, *, generation_id: str | None = None
    ) -> tuple[str, bool]:
        """Begin a generation; its id, and whether it is new. Survives the caller: nothing stops when it hangs up.
        `generation_id` is the id it is to have, where somebody waits for it already.

        Raises InvalidInput (an unknown input, model or earlier generation), Conflict (the earlier one still runs),
        IdempotencyMismatch (the key came with another body before).
        """
        digest = order.digest()
        if idempotency_key is not None and (found := await self._by_key(owner, idempotency_key, digest)):
            return found, False
        order, warnings = await vet(self._parts, owner, order)
        generation_id = generation_id or new_id("gen")
        values = {
            "id": generation_id,
            "owner": owner,
            "status": "queued",
            "prompt": order.prompt,
            "request": order.model_dump(mode="json", exclude={"prompt", "previous_id"}),
            "previous_id": order.previous_id,
            "idempotency_key": idempotency_key,
            "request_digest": digest,
            "warnings": warnings,
            "created_at": now(),
        }

        def starting(connection: sa.Connection) -> bool:
            new = self._parts.db.insert_once(connection, generations, values)
            if new:
                data = {"status": "queued", "prompt": order.prompt}
                self._parts.events.add(connection, generation_id, "generation.created", "begin", data)
            return new

        new = await self._parts.events.record(generation_id, starting)
        if not new and idempotency_key is not None:
            found = cast(str, await self._by_key(owner, idempotency_key, digest))
            if found != generation_id:  # a request with the same key was faster
                return found, False
        await self._crew.launch(generation_id)
        return generation_id, True

    async def _by_key(self, owner: str, key: str, digest: str) -> str | None:
        query = sa.select(generations).where(generations.c.owner == owner, generations.c.idempotency_key == key)
        row = await self._parts.db.row(query)
        if row is None:
            return None
        if row["request_digest"] != digest:
            raise IdempotencyMismatch("This Idempotency-Key was used with another body; use a new key.")
        return str(row["id"])

    # ---- read ----

    async def get(self, owner: str, generation_id: str) -> Generation:
        """One generation. Raises NotFound."""
        return (await self._gather([await generation_row(self._parts, owner, generation_id)]))[0]

    async def page(
        self, owner: str, *, limit: int, before: str | None = None, status: str | None = None
    ) -> list[Generation]:
        """The newest generations, at most `limit`, older than the id `before`."""
        mine = sa.select(generations).where(generations.c.owner == owner, generations.c.deleted_at.is_(None))
        query = mine.order_by(generations.c.id.desc())
        if before is not None:
            query = query.where(generations.c.id < before)
        if status is not None:
            query = query.where(generations.c.status == status)
        return await self._gather(await self._parts.db.rows(query.limit(limit)))

    async def _gather(self, rows: Sequence[Row]) -> list[Generation]:
        ids = [row["id"] for row in rows]
        if not ids:
            return []

        def gathering(connection: sa.Connection) -> dict[str, list[Row]]:
            return {
                key: [dict(row) for row in connection.execute(query, {"ids": ids}).mappings()]
                for key, query in BELONGING.items()
            }

        found = await self._parts.db.read(gathering)

        def of(key: str, generation_id: str) -> list[Row]:
            return [row for row in found[key] if row["generation_id"] == generation_id]

        return [Generation(row, *(of(key, row["id"]) for key in ("taken", "made", "paid"))) for row in rows]

    async def wait(self, owner: str, generation_id: str, timeout_s: float | None) -> Generation:
        """The generation once it has ended, or as it stands after `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._parts.events.ended(generation_id)
        except TimeoutError:
            log.debug("generation %s still runs after %s s", generation_id, timeout_s)
        return await self.get(owner, generation_id)

    async def follow(
        self, owner: str, generation_id: str, last_id: int, heartbeat_s: float
    ) -> AsyncIterator[Event | None]:
        """The events behind `last_id` up to the end; None is a heartbeat. Raises NotFound before the first."""
        await generation_row(self._parts, owner, generation_id)
        return self._parts.events.follow(generation_id, last_id, heartbeat_s=heartbeat_s)

    # ---- end ----

    async def cancel(self, owner: str, generation_id: str) -> Generation:
        """Stop a generation and its jobs at the vendors. Cancelling what has ended changes nothing."""
        await generation_row(self._parts, owner, generation_id)
        if await self._stop(generation_id, {}):
            self._parts.metrics.generations.labels("cancelled", "cancelled").inc()
        if (await generation_row(self._parts, owner, generation_id))[
            "status"
        ] == "cancelled":  # also jobs an earlier try did not stop
            await self._cancel_jobs(generation_id)
        return await self.get(owner, generation_id)

    async def _stop(self, generation_id: str, marks: Mapping[str, Any]) -> bool:
        """Cancel what still runs; whether it did. `marks` are written to the row in any case."""
        data = {"status": "cancelled", "stop_reason": "cancelled"}

        def stopping(connection: sa.Connection) -> bool:
            mine = sa.update(generations).where(generations.c.id == generation_id)
            if marks:
                connection.execute(mine, dict(marks))
            running = mine.where(generations.c.status.in_(UNFINISHED))
            if not connection.execute(running, {**data, "completed_at": now()}).rowcount:
                return False
            open_steps = sa.update(steps).where(steps.c.generation_id == generation_id, steps.c.status == "running")
            connection.execute(open_steps, {"status": "cancelled", "completed_at": now()})
            self._parts.budgets.release_waiting(connection, generation_id)
            self._parts.events.add(connection, generation_id, "generation.cancelled", "end", data)
            return True

        stopped = await self._parts.events.record(generation_id, stopping, ends=True)
        if stopped:
            self._parts.gate.give_up(generation_id)
            await DBOS.cancel_workflow_async(generation_id, cancel_children=True)
        return stopped

    async def _cancel_jobs(self, generation_id: str) -> None:
        jobs = await self._parts.budgets.under_way(generation_id)
        await asyncio.gather(*(self._jobs.cancel(receipt) for receipt in jobs))

    async def delete(self, owner: str, generation_id: str) -> None:
        """Delete a generation with its assets; a running one is cancelled first. Its receipts keep the amounts only.

        It is gone from here on for everybody who asks. What breaks off behind that, or is still on its way from a
        vendor, the sweep finishes.
        """
        await generation_row(self._parts, owner, generation_id)
        await self._stop(generation_id, {"deleted_at": now(), "idempotency_key": None})
        await self._cancel_jobs(generation_id)
        await self._parts.gate.at_rest(generation_id, REST_S)
        await purge(self._parts, generation_id)  # what comes even later finds its generation gone, and goes, too
