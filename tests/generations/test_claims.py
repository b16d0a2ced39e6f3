"""Claims: one process works on a generation; what a dead one held is free, and taken over once."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from app.db import Database, generations, now, workers
from app.errors import Conflict
from app.generations.claims import Deposed, beat, check, claim, forsaken, framed, sign_in, sign_out
from tests.doubles import add_generation, database

pytestmark = pytest.mark.anyio

HERE, THERE = "worker_1", "worker_2"


SILENT_S = 10.0


def orphans(connection: sa.Connection) -> list[str]:
    return forsaken(connection, SILENT_S)


@pytest.fixture
async def db(anyio_backend: str, where: str) -> AsyncIterator[Database]:
    """Two processes live, and one generation waits."""
    async with database(where) as db:
        await add_generation(db, "gen_1", status="queued")
        for executor in (HERE, THERE):
            await enter(db, executor)
        yield db


async def enter(db: Database, executor: str, *, alone: bool = False) -> None:
    await db.write(lambda connection: sign_in(connection, executor, "0.1.0", alone=alone))


async def die(db: Database, executor: str) -> None:
    """Let a process have been silent for too long."""
    silent = sa.update(workers).where(workers.c.id == executor).values(seen_at=now() - dt.timedelta(seconds=SILENT_S))
    await db.write(lambda connection: connection.execute(silent))


async def take(db: Database, executor: str, generation_id: str = "gen_1", **frame: Any) -> int | None:
    return await db.write(lambda connection: claim(connection, generation_id, executor, frame, SILENT_S))


async def checked(db: Database, executor: str, generation_id: str = "gen_1") -> None:
    await db.read(lambda connection: check(connection, generation_id, executor))


async def row(db: Database, generation_id: str = "gen_1") -> Mapping[str, Any]:
    found = await db.row(sa.select(generations).where(generations.c.id == generation_id))
    assert found is not None
    return found


# ---- taken on --------------------------------------------------------------------------------------------------------


async def test_generation_taken_on_runs_here_for_the_first_time(db):
    assert await take(db, HERE) == 1
    taken = await row(db)
    assert (taken["status"], taken["executor"], taken["attempts"]) == ("running", HERE, 1)
    assert abs((now() - taken["started_at"]).total_seconds()) < 60


async def test_generation_taken_on_again_by_its_own_process_is_the_next_attempt(db):
    assert [await take(db, HERE) for _ in range(3)] == [1, 2, 3]


async def test_generation_that_was_interrupted_began_when_it_first_began(db):
    await take(db, HERE)
    began = (await row(db))["started_at"]
    await take(db, HERE)
    assert (await row(db))["started_at"] == began


async def test_frame_of_the_first_attempt_stays(db):
    for agent in ("first", "second"):
        await take(db, HERE, agent=agent)
    assert (await row(db))["frame"] == {"agent": "first"}


async def test_generation_of_another_living_process_is_left_to_it(db):
    await take(db, THERE)
    assert await take(db, HERE) is None
    taken = await row(db)
    assert (taken["executor"], taken["attempts"]) == (THERE, 1)


async def test_generation_of_a_dead_process_is_free(db):
    await take(db, THERE)
    await die(db, THERE)
    assert await take(db, HERE) == 2
    assert (await row(db))["executor"] == HERE


async def test_generation_of_a_process_that_signed_out_is_free_at_once(db):
    await take(db, THERE)
    await db.write(lambda connection: sign_out(connection, THERE))
    assert await take(db, HERE) == 2


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_generation_that_has_ended_is_not_taken_on(db, status):
    await add_generation(db, "gen_2", status=status)
    assert await take(db, HERE, "gen_2") is None
    assert (await row(db, "gen_2"))["status"] == status


async def test_generation_nobody_knows_is_not_taken_on(db):
    assert await take(db, HERE, "gen_9") is None


async def test_of_several_that_reach_for_a_generation_one_gets_it(db, where):
    async with database(where) as elsewhere:
        reached = await asyncio.gather(*(take(where, who) for where, who in ((db, HERE), (elsewhere, THERE))))
    assert sorted(reached, key=str) == [1, None]


# ---- checked ---------------------------------------------------------------------------------------------------------


async def test_generation_that_is_still_its_own_may_go_on(db):
    await add_generation(db, "gen_2", status="running", executor=HERE)
    await checked(db, HERE, "gen_2")


async def test_generation_that_was_taken_from_it_is_left_before_another_has_it(db):
    await add_generation(db, "gen_2", status="running", executor=None)
    with pytest.raises(Deposed, match="gen_2"):
        await checked(db, HERE, "gen_2")


async def test_process_that_only_slept_finds_itself_deposed(db):
    await take(db, HERE)
    await die(db, HERE)
    await take(db, THERE)
    with pytest.raises(Deposed, match="gen_1"):
        await checked(db, HERE)


@pytest.mark.parametrize("marks", [{"status": "cancelled"}, {"status": "running", "deleted_at": now()}])
async def test_nothing_more_is_bought_for_what_nobody_wants(db, marks):
    await add_generation(db, "gen_2", executor=HERE, **marks)
    with pytest.raises(Conflict, match="cancelled"):
        await checked(db, HERE, "gen_2")


async def test_nothing_more_is_bought_for_what_is_gone(db):
    with pytest.raises(Conflict):
        await checked(db, HERE, "gen_9")


async def test_cancelled_counts_before_deposed(db):
    await add_generation(db, "gen_2", status="cancelled", executor=THERE)
    with pytest.raises(Conflict):
        await checked(db, HERE, "gen_2")


# ---- taken over ------------------------------------------------------------------------------------------------------


async def test_generations_of_the_dead_are_taken_from_them(db):
    await take(db, THERE)
    await die(db, THERE)
    assert await db.write(orphans) == ["gen_1"]
    assert (await row(db))["executor"] is None


async def test_generation_is_given_to_one_of_those_who_ask(db, where):
    names = [f"gen_{number}" for number in range(2, 12)]
    for name in names:
        await add_generation(db, name, status="running", executor="worker_0")
    async with database(where) as elsewhere:
        given = await asyncio.gather(*(where.write(orphans) for where in [db, elsewhere] * 3))
    assert sorted(name for some in given for name in some) == sorted(names)


async def test_generations_of_the_living_stay_theirs(db):
    await take(db, THERE)
    assert await db.write(orphans) == []
    assert (await row(db))["executor"] == THERE


async def test_what_has_ended_or_waits_for_anybody_is_not_forsaken(db):
    await add_generation(db, "gen_2", status="completed", executor="worker_0")
    assert await db.write(orphans) == []  # gen_1 is queued, and nobody's


# ---- life ------------------------------------------------------------------------------------------------------------


async def test_process_that_is_heard_of_keeps_its_generations(db):
    await take(db, THERE)
    await die(db, THERE)
    assert await db.write(lambda connection: beat(connection, THERE))
    assert await take(db, HERE) is None


async def test_process_whose_row_is_gone_learns_of_it(db):
    await db.write(lambda connection: sign_out(connection, HERE))
    assert not await db.write(lambda connection: beat(connection, HERE))


async def test_process_that_must_be_alone_finds_everything_free(db):
    await take(db, THERE)
    await enter(db, "worker_3", alone=True)
    assert await db.write(orphans) == ["gen_1"]


async def test_process_among_others_leaves_them_theirs(db):
    await take(db, THERE)
    await enter(db, "worker_3")
    assert await db.write(orphans) == []


async def test_frame_may_follow_the_claim_as_long_as_it_holds(db):
    assert await db.write(lambda connection: claim(connection, "gen_1", HERE, None, SILENT_S)) == 1
    assert (await row(db))["frame"] is None
    assert await db.write(lambda connection: framed(connection, "gen_1", HERE, {"cap": 1}))
    assert not await db.write(lambda connection: framed(connection, "gen_1", THERE, {"cap": 2}))
    assert (await row(db))["frame"] == {"cap": 1}
