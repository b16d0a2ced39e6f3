"""The line in front of a vendor: a call waits for its place in the lane, leaves, and comes back when it is refused.

A call that waits has not left, also after a crash; so it may be sent then, where one under way may not.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.accounts.lanes import Place
from app.db import now
from providers.errors import ProviderError
from providers.http import Patience

from .claims import check
from .parts import Parts

Json = dict[str, Any]
LOOK_S = 0.25
"""How often a waiting call looks whether it is its turn."""


@dataclass(frozen=True)
class Waiting:
    """A call with a receipt, that has not left."""

    call_id: str
    generation_id: str
    step_id: str
    lane: str


class Line:
    """Lets calls through to the vendors."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

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
        Raises Conflict when the generation is cancelled while it waits, and Deposed.
        """
        patience = Patience(self._parts.settings.vendor_max_wait_s)
        while True:
            if not admitted:
                await self._turn(call)
            attempt = self._attempt(call, send, refused, patience)
            outcome = await self._parts.gate.shielded(call.generation_id, attempt)
            if outcome is not None:
                return outcome
            admitted = False

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
            await self._parts.db.write(
                lambda connection: self._parts.budgets.back_in_line(connection, call.call_id, until)
            )
            if error.code == "rate_limited":
                self._parts.lanes.hold(call.lane, until)
            return None

    async def _turn(self, call: Waiting) -> None:
        """Wait for the place in line to come up, and tell of it."""

        def asking(connection: sa.Connection) -> Place:
            check(connection, call.generation_id, self._parts.executor)
            return self._parts.lanes.admit(connection, call.call_id)

        shown = 0
        while (place := await self._parts.db.write(asking)).place:
            if place.place != shown:
                shown = place.place
                await self._tell(call, shown)
            await asyncio.sleep(min(max(place.wait_s, LOOK_S), 5.0))

    async def _tell(self, call: Waiting, place: int) -> None:
        data = {"step_id": call.step_id, "progress": 0.0, "waiting": True, "place": place}
        key = f"{call.call_id}:place:{place}:{int(now().timestamp())}"
        await self._parts.events.record(
            call.generation_id,
            lambda connection: self._parts.events.add(connection, call.generation_id, "tool.progress", key, data),
        )
