"""Lanes: how much of one kind of work a vendor is asked for at a time, shared by every process on the database.

A lane is `vendor.modality`. Its line is the receipts themselves: those reserved and not admitted wait, those admitted
and not over are under way. Fair means that a generation's n-th call stands behind the other generations' n-th calls,
and of two n-th calls the one goes first whose generation was let through longer ago; so one that wants sixteen pictures
does not keep the others waiting for theirs.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.db import Database, calls, now, rows_of
from providers.catalogue import Lane

LOCK_OF_LANES = 7465303
OUT_OF_SIGHT_S = 3600.0
"""A job accepted longer ago than this has been left to itself and no longer holds a place."""
NO_LIMIT = 1_000_000
STANDING = (
    sa.select(calls.c.id, calls.c.generation_id, calls.c.created_at, calls.c.admitted_at, calls.c.not_before)
    .where(calls.c.state.in_(("reserved", "submitted")))
    .order_by(calls.c.created_at, calls.c.id)
)

Row = Mapping[str, Any]


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
            self.hold(row["lane"], row["until"])

    def admit(
        self,
        connection: sa.Connection,
        lane: str,
        call_ids: Collection[str],
    ) -> dict[str, Place]:
        """Let those of these calls leave whose turn it is, and say where the others stand. A call that is over has no
        place. The caller sees to it that they are its own."""
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK_OF_LANES)))
        at, held_s = now(), self.held_s(lane)
        standing = rows_of(connection, STANDING.where(calls.c.lane == lane))
        places = {call["id"]: Place(0) for call in standing if call["admitted_at"] is not None}
        room = 0 if held_s else self._room(connection, lane, at)
        leaving = []
        for position, call in enumerate(self._order(connection, lane, standing, at)):
            own_s = (call["not_before"] - at).total_seconds() if call["not_before"] is not None else 0.0
            if position < room and own_s <= 0 and call["id"] in call_ids:
                leaving.append(call["id"])
                places[call["id"]] = Place(0)
            else:
                places[call["id"]] = Place(max(position - room, 0) + 1, max(own_s, held_s))
        if leaving:
            connection.execute(sa.update(calls).where(calls.c.id.in_(leaving)), {"admitted_at": at})
        return {call_id: places[call_id] for call_id in call_ids if call_id in places}

    def _order(self, connection: sa.Connection, lane: str, standing: Sequence[Row], at: dt.datetime) -> list[Row]:
        """The calls that wait, in the order in which they leave; those that may not leave yet are behind the others."""
        served = self._served(connection, lane)
        nth: Counter[str] = Counter()
        order: list[tuple[bool, int, dt.datetime, int]] = []
        # Those under way count first, so that who has much is behind who has nothing.
        line = sorted(standing, key=lambda call: call["admitted_at"] is None)
        for number, call in enumerate(line):
            nth[call["generation_id"]] += 1
            if call["admitted_at"] is None:
                since = max(call["created_at"], served.get(call["generation_id"], call["created_at"]))
                later = call["not_before"] is not None and call["not_before"] > at
                order.append((later, nth[call["generation_id"]], since, number))
        return [line[number] for *_, number in sorted(order)]

    def _served(self, connection: sa.Connection, lane: str) -> dict[str, dt.datetime]:
        """When each generation that waits in a lane was last let through, calls that are over included."""
        waiting = sa.select(calls.c.generation_id).where(
            calls.c.lane == lane, calls.c.state == "reserved", calls.c.admitted_at.is_(None)
        )
        query = sa.select(calls.c.generation_id, sa.func.max(calls.c.admitted_at)).where(
            calls.c.lane == lane, calls.c.generation_id.in_(waiting), calls.c.admitted_at.is_not(None)
        )
        return {row[0]: row[1] for row in connection.execute(query.group_by(calls.c.generation_id))}

    def _room(self, connection: sa.Connection, lane: str, at: dt.datetime) -> int:
        """How many more calls may leave now."""
        limit, rooms = self._limits.get(lane, Lane()), [NO_LIMIT]
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
        return max(min(rooms), 0)
