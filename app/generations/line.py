"""The line in front of a vendor: a call waits for its place in the lane, leaves, and comes back when it is refused.

A call that waits has not left, also after a crash; so it may be sent then, where one under way may not.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa

from app.accounts.budgets import Budgets
from app.accounts.lanes import Lanes, Place
from app.db import Database, now
from app.errors import Conflict
from providers.errors import NotSent, ProviderError
from providers.http import Patience

from .claims import Deposed, check
from .events import Events
from .gate import Gate

Json = dict[str, Any]
LOOK_S = 0.25
"""How often the calls that wait look whether it is their turn."""
TOLD_EACH = 5
"""From this place on every step forward is told; before it, each halving of the way."""


@dataclass
class Waiting:
    """A call with a receipt, that has not left."""

    call_id: str
    generation_id: str
    step_id: str
    lane: str
    shown: int = 0
    """The place it was last told."""
    turn: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Line:
    """Lets calls through to the vendors. `max_wait_s` is how long a vendor's requests to wait may add up to."""

    def __init__(
        self,
        db: Database,
        budgets: Budgets,
        lanes: Lanes,
        events: Events,
        gate: Gate,
        executor: str,
        max_wait_s: float,
    ) -> None:
        self._db = db
        self._budgets = budgets
        self._lanes = lanes
        self._events = events
        self._gate = gate
        self._executor = executor
        self._max_wait_s = max_wait_s
        self._waiting: dict[str, dict[str, Waiting]] = {}
        self._joined: dict[str, asyncio.Event] = {}
        self._unsent: set[str] = set()
        self._porters: dict[str, asyncio.Task[None]] = {}

    def expect(self, call_id: str) -> None:
        """A call is about to be written down as admitted, for the first time ever."""
        self._unsent.add(call_id)

    def forget(self, call_id: str) -> None:
        """It will not be sent."""
        self._unsent.discard(call_id)

    def unsent(self) -> list[str]:
        """What this process may have written down as admitted, and has not sent. When it leaves, that is put back in
        line, so that nobody takes it for sent."""
        return sorted(self._unsent)

    def waiting(self) -> dict[str, int]:
        """How many calls of this process stand in each line; also asked from other threads."""
        return {lane: len(calls) for lane, calls in list(self._waiting.items())}

    async def through(
        self,
        call: Waiting,
        send: Callable[[], Awaitable[Json | None]],
        refused: Callable[[ProviderError], Awaitable[Json]],
        *,
        admitted: bool,
    ) -> Json:
        """Send a call when it is its turn, again after each refusal that may pass, and give what it came to.

        `send` calls the vendor and writes down what came of it (None: it is in line again); `refused` writes down a
        failure that will not pass.
        Raises Conflict when the generation is cancelled while it waits, Deposed when another process has it.
        """
        patience = Patience(self._max_wait_s)
        while True:
            if not admitted:
                await self._turn(call)
            await self._gate.leased(partial(self._still_mine, call.generation_id))
            if not self._gate.closed:
                self.forget(call.call_id)
            attempt = self._attempt(call, send, refused, patience)
            outcome = await self._gate.shielded(call.generation_id, attempt)
            if outcome is not None:
                return outcome
            admitted = False

    async def _still_mine(self, generation_id: str) -> None:
        await self._db.read(lambda connection: check(connection, generation_id, self._executor))

    async def _attempt(
        self,
        call: Waiting,
        send: Callable[[], Awaitable[Json | None]],
        refused: Callable[[ProviderError], Awaitable[Json]],
        patience: Patience,
    ) -> Json | None:
        try:
            return await send()
        except ProviderError as error:
            wait_s = patience.after(error)
            if wait_s is None:
                return await refused(error)
            until = now() + dt.timedelta(seconds=wait_s)
            await self._db.write(lambda connection: self._budgets.back_in_line(connection, call.call_id, until))
            if not isinstance(error, NotSent):  # the vendor itself asked to wait, so its other calls wait, too
                self._lanes.hold(call.lane, until)
            return None

    async def _turn(self, call: Waiting) -> None:
        """Wait for the place in line to come up."""
        call.turn = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(call.lane, {})
        waiting[call.call_id] = call
        if (joined := self._joined.get(call.lane)) is not None:
            joined.set()
        if call.lane not in self._porters:
            self._porters[call.lane] = asyncio.create_task(self._let_through(call.lane))
        try:
            await call.turn
        except BaseException:
            if not self._gate.closed:
                self.forget(call.call_id)
            raise
        finally:
            del waiting[call.call_id]

    async def _let_through(self, lane: str) -> None:
        """Look again and again whose turn it is, for all calls of this process that wait in a lane, while any does."""
        try:
            while (waiting := dict(self._waiting[lane])) and not self._gate.closed:
                self._unsent.update(waiting)
                try:
                    places, refused = await self._db.write(partial(self._admit, lane=lane, waiting=waiting))
                    await self._tell(waiting, places, refused)
                except Exception as error:  # the database: each caller is told, those too that have come meanwhile
                    for call in self._waiting[lane].values():
                        settle(call.turn, error)
                    return
                soonest = min((place.wait_s for place in places.values() if place.place), default=0.0)
                await self._pause(lane, min(max(soonest, LOOK_S), 5.0))
        finally:
            del self._porters[lane]

    async def _pause(self, lane: str, seconds: float) -> None:
        """Until the next look is worth while: so long, or until another call joins, which may have room at once."""
        joined = self._joined[lane] = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(joined.wait(), seconds)

    def _admit(
        self, connection: sa.Connection, lane: str, waiting: dict[str, Waiting]
    ) -> tuple[dict[str, Place], dict[str, Exception]]:
        """The places of those that wait, and what there is to say to those of generations that are not, or no longer,
        this process's to work on: another one may have let their calls through, and sent them."""
        refused: dict[str, Exception] = {}
        for call_id, call in waiting.items():
            try:
                check(connection, call.generation_id, self._executor)
            except (Conflict, Deposed) as error:
                refused[call_id] = error
        return self._lanes.admit(connection, lane, waiting.keys() - refused.keys()), refused

    async def _tell(self, waiting: dict[str, Waiting], places: dict[str, Place], refused: dict[str, Exception]) -> None:
        news = []
        for call_id, call in waiting.items():
            place = places.get(call_id)
            if place is None:
                settle(call.turn, refused.get(call_id) or Conflict("The generation was cancelled."))
            elif place.place == 0:
                settle(call.turn, None)
            elif not call.shown or place.place < min(call.shown, max(TOLD_EACH + 1, call.shown // 2 + 1)):
                call.shown = place.place
                news.append(self._show(call))
        await asyncio.gather(*news)

    async def _show(self, call: Waiting) -> None:
        data = {"step_id": call.step_id, "progress": 0.0, "waiting": True, "place": call.shown}
        await self._events.progress(call.generation_id, f"{call.call_id}:place:{call.shown}", data)


def settle(turn: asyncio.Future[None], error: Exception | None) -> None:
    """End a wait, unless its caller was cancelled."""
    if not turn.done():
        turn.set_result(None) if error is None else turn.set_exception(error)
