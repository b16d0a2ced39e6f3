"""Lanes: how much of one kind of work a vendor is asked for at a time, shared by every process on the database.

A lane is `vendor.modality`. Its line is the receipts themselves: those reserved and not admitted wait, those admitted
and not over are under way. Fair means that a generation's n-th call stands behind the other generations' n-th calls, so
that one that wants sixteen pictures does not keep the others waiting for theirs.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.db import Database, calls, now, rows_of
from providers.catalogue import Lane

LOCK_OF_LANES = 7465303
OUT_OF_SIGHT_S = 3600.0
"""A job accepted longer ago than this has been left to itself and no longer holds a place."""


@dataclass(frozen=True)
class Place:
    """Where a call stands: 0 is admitted; else the place in line, and how long to wait before it is worth asking."""

    place: int
    wait_s: float = 0.0


class Lanes:
    """The limits, and the lines in front of them. What takes a connection runs inside `Database.write`."""

    def __init__(self, db: Database, limits: Mapping[str, Lane]) -> None:
        self._db = db
        self._limits = limits
        self._held: dict[str, dt.datetime] = {}

    def free(self, lane: str) -> bool:
        """Whether a call of this lane may leave at once: it has no limit, and its vendor did not ask to wait."""
        return lane not in self._limits and not self.held_s(lane)

    def held_s(self, lane: str) -> float:
        """Seconds until the vendor lets this lane go on."""
        until = self._held.get(lane)
        return 0.0 if until is None else max(0.0, (until - now()).total_seconds())

    def hold(self, lane: str, until: dt.datetime) -> None:
        """The vendor limits the rate: no call of this lane leaves before that time."""
        self._held[lane] = max(until, self._held.get(lane, until))

    async def learn(self) -> None:
        """Take over what other processes were told by the vendors."""
        waiting = sa.and_(calls.c.state == "reserved", calls.c.admitted_at.is_(None), calls.c.not_before.is_not(None))
        query = sa.select(calls.c.lane, sa.func.max(calls.c.not_before).label("until")).where(waiting)
        for row in await self._db.rows(query.group_by(calls.c.lane)):
            until = row["until"]
            if isinstance(until, str):  # SQLite's max() of a text
                until = dt.datetime.fromisoformat(until)
            self.hold(row["lane"], until)

    def admit(self, connection: sa.Connection, call_id: str) -> Place:
        """Let a waiting call leave if it is its turn."""
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK_OF_LANES)))
        [mine] = rows_of(connection, sa.select(calls).where(calls.c.id == call_id))
        at = now()
        if mine["admitted_at"] is not None:
            return Place(0)
        if (held := self._not_before(mine, at)) > 0:
            return Place(self._ahead(connection, mine, at) + 1, held)
        limit = self._limits.get(mine["lane"], Lane())
        if limit.concurrent is not None or limit.per_minute is not None:
            ahead, room = self._ahead(connection, mine, at), self._room(connection, mine["lane"], limit, at)
            if ahead >= room:
                return Place(ahead - max(room, 0) + 1)
        connection.execute(sa.update(calls).where(calls.c.id == call_id), {"admitted_at": at})
        return Place(0)

    def _not_before(self, call: Mapping[str, Any], at: dt.datetime) -> float:
        own = (call["not_before"] - at).total_seconds() if call["not_before"] is not None else 0.0
        return max(own, self.held_s(call["lane"]))

    def _ahead(self, connection: sa.Connection, mine: Mapping[str, Any], at: dt.datetime) -> int:
        """How many waiting calls of the lane come before this one."""
        in_lane = rows_of(
            connection,
            sa.select(calls.c.id, calls.c.generation_id, calls.c.created_at, calls.c.admitted_at, calls.c.state)
            .where(calls.c.lane == mine["lane"], calls.c.state.in_(("reserved", "submitted")))
            .order_by(calls.c.created_at, calls.c.id),
        )
        nth: Counter[str] = Counter()
        order: list[tuple[int, int, str]] = []
        # Those under way count first, so that who has much is behind who has nothing.
        for number, call in enumerate(sorted(in_lane, key=lambda call: call["admitted_at"] is None)):
            nth[call["generation_id"]] += 1
            if call["admitted_at"] is None:
                order.append((nth[call["generation_id"]], number, call["id"]))
        return [call_id for *_, call_id in sorted(order)].index(mine["id"])

    def _room(self, connection: sa.Connection, lane: str, limit: Lane, at: dt.datetime) -> int:
        """How many more calls may leave now."""
        rooms = []
        if limit.concurrent is not None:
            since = at - dt.timedelta(seconds=OUT_OF_SIGHT_S)
            under_way = sa.select(sa.func.count()).where(
                calls.c.lane == lane, calls.c.state.in_(("reserved", "submitted")), calls.c.admitted_at > since
            )
            rooms.append(limit.concurrent - int(connection.execute(under_way).scalar_one()))
        if limit.per_minute is not None:
            recent = sa.select(sa.func.count()).where(
                calls.c.lane == lane, calls.c.admitted_at > at - dt.timedelta(minutes=1)
            )
            rooms.append(limit.per_minute - int(connection.execute(recent).scalar_one()))
        return min(rooms)
