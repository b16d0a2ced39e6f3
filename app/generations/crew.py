"""The processes that share a database: starting runs, saying that one lives, taking over what a dead one left.

A run is begun where it was asked for while there is room, and otherwise waits in a queue for any process with room.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging

import sqlalchemy as sa
from dbos import DBOS, SetWorkflowID

from app.db import generations, now
from app.telemetry import VERSION

from .claims import UNFINISHED, beat, forsaken, sign_in, sign_out
from .events import CHANNEL
from .parts import Parts
from .workflows import Workflows

log = logging.getLogger(__name__)

QUEUE = "generations"
TICKS = 5
"""Beats in the time after which a silent process counts as dead."""


class Crew:
    """This process among the others."""

    def __init__(self, parts: Parts, workflows: Workflows) -> None:
        self._parts = parts
        self._workflows = workflows
        self._shared = parts.db.dialect == "postgresql"
        self._silent_s = parts.settings.worker_silent_s
        self._starting: set[str] = set()

    # ---- runs ----

    async def launch(self, generation_id: str) -> None:
        """Start a run; to start it twice is to start it once, because the id is the workflow's."""
        busy = len(self._parts.gate.runs()) + len(self._starting)
        with SetWorkflowID(generation_id):
            if self._parts.gate.closed or busy >= self._parts.settings.max_running:
                await DBOS.enqueue_workflow_async(QUEUE, self._workflows.generate, generation_id)
                return
            self._starting.add(generation_id)
            try:
                await DBOS.start_workflow_async(self._workflows.generate, generation_id)
            finally:
                self._starting.discard(generation_id)

    async def _again(self, generation_id: str) -> None:
        """Start a run anew, whatever the engine thinks has become of it."""
        if generation_id not in self._parts.gate.runs():
            await DBOS.delete_workflow_async(generation_id, delete_children=True)
            await self.launch(generation_id)

    # ---- life ----

    async def sign_in(self) -> None:
        """Say that this process is there; on SQLite no other one can be."""
        executor, alone = self._parts.executor, not self._shared
        await self._parts.db.write(lambda connection: sign_in(connection, executor, VERSION, alone=alone))

    async def take_up(self) -> None:
        """Begin with what was left: on SQLite all of it, on Postgres what nobody alive has."""
        await self._take_over()
        await self._strays(self._silent_s if self._shared else 0.0)

    async def sign_out(self) -> None:
        """Leave what is unfinished to the others."""
        parts, unsent = self._parts, self._parts.line.unsent()

        def leaving(connection: sa.Connection) -> None:
            parts.budgets.recall(connection, unsent, parts.executor)
            sign_out(connection, parts.executor)

        await self._parts.db.write(leaving)

    async def live(self) -> None:
        """Beat, look after one's own, take over what others left; until cancelled."""
        ticks = 0
        while True:
            await asyncio.sleep(self._silent_s / TICKS)
            ticks += 1
            try:
                await self._tick(strays=ticks % TICKS == 0)
            except sa.exc.SQLAlchemyError as error:
                log.warning("the database does not answer: %s", error)

    async def _tick(self, *, strays: bool) -> None:
        parts = self._parts
        if self._shared and not await parts.db.write(lambda connection: beat(connection, parts.executor)):
            await self.sign_in()  # it was silent for so long that its row was cleared away
        if parts.gate.closed:
            return  # while it ends what it has begun it still lives, and takes nothing on
        if self._shared:
            await self._take_over()
        await parts.lanes.learn()
        await self._own()
        if strays:
            await self._strays(self._silent_s)

    async def _take_over(self) -> None:
        for generation_id in await self._parts.db.write(lambda connection: forsaken(connection, self._silent_s)):
            log.warning("generation %s is taken over from a process that is gone", generation_id)
            await self._again(generation_id)

    async def _own(self) -> None:
        """Leave what is no longer this process's own; take up what is and does not run (the database was away)."""
        query = sa.select(generations.c.id, generations.c.status, generations.c.executor, generations.c.deleted_at)
        runs, executor = self._parts.gate.runs(), self._parts.executor
        for row in await self._parts.db.rows(query.where(generations.c.id.in_(runs))) if runs else ():
            another = row["executor"] is not None and row["executor"] != executor
            if another or row["deleted_at"] is not None or row["status"] == "cancelled":
                self._parts.gate.give_up(row["id"])
        idle = generations.c.status.in_(UNFINISHED) & (generations.c.executor == executor)
        for row in await self._parts.db.rows(sa.select(generations.c.id).where(idle)):
            if row["id"] not in runs:
                await self._again(row["id"])

    async def _strays(self, older_than_s: float) -> None:
        """Start what nobody works on and is in no queue after so long: it was written down and never started, or lost
        by whoever was to take it over."""
        before = now() - dt.timedelta(seconds=older_than_s)
        lost = generations.c.status.in_(UNFINISHED) & generations.c.executor.is_(None)
        query = sa.select(generations.c.id).where(lost, generations.c.created_at <= before).limit(100)
        for row in await self._parts.db.rows(query):
            workflow = await DBOS.get_workflow_status_async(row["id"])
            if workflow is None or workflow.status != "ENQUEUED":
                await self._again(row["id"])

    async def hear(self) -> None:
        """Ring this process's bell for news of the others; until cancelled."""
        if self._shared:
            async for name in self._parts.db.notifications(CHANNEL):
                self._parts.events.bell.ring(name)
