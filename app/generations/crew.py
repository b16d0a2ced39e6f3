"""The processes that share a database: starting runs, saying that one lives, taking over what a dead one left.

A run is begun where it was asked for while there is room, and otherwise waits in a queue for any process with room.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Awaitable, Callable

import sqlalchemy as sa
from dbos import DBOS, SetWorkflowID

from app.db import generations, now
from app.telemetry import VERSION
from app.writer import first_line

from .claims import UNFINISHED, beat, forsaken, sign_in, sign_out
from .events import CHANNEL
from .parts import Parts
from .workflows import APPLICATION_VERSION, Workflows

log = logging.getLogger(__name__)

QUEUE = "generations"
PAGE = 100
AT_ONCE = 8
"""Runs begun anew side by side."""
LEASED = 0.6
"""The part of the time after which a silent process counts as dead, for which a beat lets it send paid requests."""
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
        self._looks = 0
        self._looked_at = ""
        self._beaten = time.monotonic()
        self._quiet_until = 0.0

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
        """Start a run anew, whatever the engine thinks has become of it; not while a request of it is still on its way,
        whose answer the new run would not know."""
        if not self._parts.gate.busy(generation_id):
            await DBOS.delete_workflow_async(generation_id, delete_children=True)
            await self.launch(generation_id)

    # ---- life ----

    async def sign_in(self) -> None:
        """Say that this process is there; on SQLite no other one can be."""
        executor, alone = self._parts.executor, not self._shared
        began = time.monotonic()
        await self._parts.db.write(lambda connection: sign_in(connection, executor, VERSION, alone=alone))
        if self._shared:
            self._lease(began)

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
        looking = self._regularly(self._look, "look after the work")
        if self._shared:  # beside, so that much to take over does not keep it from saying that it lives
            await asyncio.gather(self._regularly(self._beat, "say that it lives"), looking)
        else:
            await looking

    async def _regularly(self, work: Callable[[], Awaitable[None]], what: str) -> None:
        while True:
            await asyncio.sleep(self._silent_s / TICKS)
            try:
                await work()
            except Exception as error:  # whatever it is, the next time may go better
                log.warning("this process could not %s: %s", what, first_line(error))

    async def _beat(self) -> None:
        parts, began = self._parts, time.monotonic()
        if not await parts.db.write(lambda connection: beat(connection, parts.executor)):
            await self.sign_in()  # it was silent for so long that its row was cleared away
        self._lease(began)

    def _lease(self, began: float) -> None:
        """A beat that began then is written down. Who was silent for long cannot say who else is dead: perhaps the
        database was away for everybody."""
        if began - self._beaten > LEASED * self._silent_s:
            self._quiet_until = time.monotonic() + self._silent_s
        self._beaten = began
        self._parts.gate.lease(LEASED * self._silent_s - (time.monotonic() - began))

    async def _look(self) -> None:
        if self._parts.gate.closed:
            return  # while it ends what it has begun it still lives, and takes nothing on
        if self._shared and time.monotonic() >= self._quiet_until:
            await self._take_over()
        await self._parts.lanes.learn()
        await self._own()
        self._looks += 1
        if self._looks % TICKS == 0:
            await self._strays(self._silent_s)

    async def _take_over(self) -> None:
        orphans = await self._parts.db.write(lambda connection: forsaken(connection, self._silent_s))
        for generation_id in orphans:
            log.warning("generation %s is taken over from a process that is gone", generation_id)
        for start in range(0, len(orphans), AT_ONCE):
            await asyncio.gather(*map(self._again, orphans[start : start + AT_ONCE]))

    async def _own(self) -> None:
        """Leave what is no longer this process's own; take up what is and does not run (the database was away)."""
        runs, executor = self._parts.gate.runs(), self._parts.executor
        wanted = generations.c.deleted_at.is_(None) & (generations.c.status != "cancelled")
        # Where nobody has it, this run may be about to claim it.
        free = (generations.c.executor == executor) | generations.c.executor.is_(None)
        mine = sa.select(generations.c.id).where(wanted, free, generations.c.id.in_(runs))
        kept = {row["id"] for row in await self._parts.db.rows(mine)} if runs else set()
        for generation_id in set(runs) - kept:
            self._parts.gate.give_up(generation_id)
        idle = generations.c.status.in_(UNFINISHED) & (generations.c.executor == executor)
        for row in await self._parts.db.rows(sa.select(generations.c.id).where(idle)):
            if row["id"] not in runs:
                await self._again(row["id"])

    async def _strays(self, older_than_s: float) -> None:
        """Start what nobody works on and is in no queue after so long: it was written down and never started, or lost
        by whoever was to take it over."""
        before = now() - dt.timedelta(seconds=older_than_s)
        lost = generations.c.status.in_(UNFINISHED) & generations.c.executor.is_(None)
        query = sa.select(generations.c.id).where(lost, generations.c.created_at <= before).order_by(generations.c.id)
        page = await self._parts.db.rows(query.where(generations.c.id > self._looked_at).limit(PAGE))
        self._looked_at = page[-1]["id"] if len(page) == PAGE else ""  # the rest the next time, then from the beginning
        for row in page:
            workflow = await DBOS.get_workflow_status_async(row["id"])
            queued = workflow is not None and workflow.status == "ENQUEUED"
            # What another version of the engine's notes has queued nobody runs any more.
            if not queued or workflow is None or workflow.app_version not in (None, APPLICATION_VERSION):
                await self._again(row["id"])

    async def hear(self) -> None:
        """Ring this process's bell for news of the others; until cancelled."""
        if self._shared:
            async for name in self._parts.db.notifications(CHANNEL):
                self._parts.events.bell.ring(name)
