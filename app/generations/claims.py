"""Who works on what: each process has a row that says it lives, and each generation names the process that runs it.

A process that has not been heard of for `WORKER_SILENT_S` seconds counts as dead, and a living one takes its
generations over. Should it only have slept, it finds at its next step that they are no longer its own (`check`), and
leaves them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from app.db import generations, now, workers
from app.errors import Conflict


class Deposed(Exception):
    """Another process works on this generation now: this one was taken for dead, and must not go on with it."""


UNFINISHED = ("queued", "running")
STANDING = sa.select(generations.c.owner, generations.c.status, generations.c.executor, generations.c.deleted_at).where(
    generations.c.id == sa.bindparam("which")
)


def clock(connection: sa.Connection) -> Any:
    """The time all processes agree on: the database's own where several machines share it."""
    return sa.func.now() if connection.dialect.name == "postgresql" else now()


def living(connection: sa.Connection, silent_s: float) -> sa.Select[Any]:
    """The ids of the processes that are alive: heard of within so many seconds."""
    since = clock(connection) - dt.timedelta(seconds=silent_s)
    return sa.select(workers.c.id).where(workers.c.seen_at > since)


def claim(
    connection: sa.Connection,
    generation_id: str,
    executor: str,
    frame: Mapping[str, Any] | None,
    silent_s: float,
) -> int | None:
    """Make a generation this process's own, with the frame its runs rely on (None: it follows, see `framed`); which
    attempt this is, counted from 1.

    None when it has ended, or when another living process works on it.
    """
    held_by_another = sa.and_(
        generations.c.executor.is_not(None),
        generations.c.executor != executor,
        generations.c.executor.in_(living(connection, silent_s)),
    )
    claimed = connection.execute(
        sa.update(generations)
        .where(generations.c.id == generation_id, generations.c.status.in_(UNFINISHED), ~held_by_another)
        .values(
            executor=executor,
            status="running",
            started_at=sa.func.coalesce(generations.c.started_at, sa.literal(now(), generations.c.started_at.type)),
            attempts=generations.c.attempts + 1,
            frame=sa.func.coalesce(generations.c.frame, sa.literal(frame and dict(frame), generations.c.frame.type)),
        )
        .returning(generations.c.attempts)
    )
    attempt: int | None = claimed.scalar()
    return attempt


def framed(connection: sa.Connection, generation_id: str, executor: str, frame: Mapping[str, Any]) -> bool:
    """Write the frame of a generation that was claimed without one; False when it is not this process's any more."""
    mine = sa.update(generations).where(
        generations.c.id == generation_id, generations.c.status.in_(UNFINISHED), generations.c.executor == executor
    )
    return bool(connection.execute(mine.values(frame=dict(frame))).rowcount)


def check(connection: sa.Connection, generation_id: str, executor: str) -> None:
    """Raise Conflict when a generation was cancelled or deleted, so that nothing more is bought for it, and Deposed
    when another process works on it."""
    row = connection.execute(STANDING, {"which": generation_id}).first()
    if row is None or row.status == "cancelled" or row.deleted_at is not None:
        raise Conflict("The generation was cancelled.")
    if row.executor != executor:  # also when nobody has it: it was taken from this one
        raise Deposed(generation_id)


def forsaken(connection: sa.Connection, silent_s: float) -> list[str]:
    """Take the generations of dead processes from them; their ids, each to exactly one caller."""
    released = connection.execute(
        sa.update(generations)
        .where(
            generations.c.status.in_(UNFINISHED),
            generations.c.executor.is_not(None),
            generations.c.executor.not_in(living(connection, silent_s)),
        )
        .values(executor=None)
        .returning(generations.c.id)
    )
    return list(released.scalars())


def beat(connection: sa.Connection, executor: str) -> bool:
    """Say that this process lives; False when its row is gone."""
    alive = sa.update(workers).where(workers.c.id == executor).values(seen_at=clock(connection))
    return bool(connection.execute(alive).rowcount)


def sign_in(connection: sa.Connection, executor: str, version: str, *, alone: bool) -> None:
    """Write this process's row. `alone` says that no other can be alive, so that what they left is free at once."""
    if alone:
        connection.execute(sa.delete(workers))
    at = clock(connection)
    connection.execute(sa.insert(workers).values(id=executor, version=version, started_at=now(), seen_at=at))


def sign_out(connection: sa.Connection, executor: str) -> None:
    """Leave: what this process has not finished is free for the others at once."""
    connection.execute(sa.delete(workers).where(workers.c.id == executor))
