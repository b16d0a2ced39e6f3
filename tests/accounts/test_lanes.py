"""Lanes: how many calls leave at a time, whose turn it is, and how long a vendor holds all of them back."""

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from app.accounts.budgets import Budgets
from app.accounts.lanes import OUT_OF_SIGHT_S, Lanes, Place
from app.db import Database, calls, now
from app.telemetry import Metrics
from providers.catalogue import Lane
from tests.doubles import database, intent

pytestmark = pytest.mark.anyio

LANE = "openai.image"


def limited(db: Database, concurrent: int | None = None, per_minute: int | None = None) -> Lanes:
    return Lanes(db, {LANE: Lane(concurrent=concurrent, per_minute=per_minute)})


async def line_up(db: Database, *call_ids: str, **values: Any) -> None:
    """Let these calls come, one after the other. The first letter of a call's name says whose it is."""
    for call_id in call_ids:
        call = intent(call_id, **{"generation_id": f"gen_{call_id[0]}", "lane": LANE, **values})
        await db.write(
            lambda connection, call=call: Budgets(db, Metrics()).reserve(connection, call, None, admitted=False)
        )


async def stand(db: Database, lanes: Lanes, call_id: str, lane: str = LANE) -> Place:
    return (await db.write(lambda connection: lanes.admit(connection, lane, [call_id])))[call_id]


async def ask(db: Database, lanes: Lanes, *call_ids: str) -> list[int]:
    """Where each of these calls stands, asked one after the other; 0 leaves."""
    return [(await stand(db, lanes, call_id)).place for call_id in call_ids]


async def change(db: Database, call_id: str, **values: Any) -> None:
    await db.write(lambda connection: connection.execute(sa.update(calls).where(calls.c.id == call_id), values))


async def over(db: Database, *call_ids: str, state: str = "settled") -> None:
    for call_id in call_ids:
        await change(db, call_id, state=state)


def moments(seconds: float) -> dt.timedelta:
    return dt.timedelta(seconds=seconds)


# ---- free ------------------------------------------------------------------------------------------------------------


async def test_lane_without_a_limit_is_free(db):
    lanes = limited(db, concurrent=1)
    assert (lanes.free("openai.chat"), lanes.free(LANE)) == (True, False)


async def test_calls_of_a_lane_without_a_limit_all_leave(db):
    await line_up(db, "a1", "a2", "a3")
    assert await ask(db, Lanes(db, {}), "a1", "a2", "a3") == [0, 0, 0]


async def test_limit_of_one_lane_is_not_anothers(db):
    lanes = limited(db, concurrent=1)
    await line_up(db, "a1")
    await line_up(db, "a2", lane="runway.image")
    assert (await ask(db, lanes, "a1"), await stand(db, lanes, "a2", "runway.image")) == ([0], Place(0))


# ---- at a time -------------------------------------------------------------------------------------------------------


async def test_no_more_calls_leave_than_the_lane_takes(db):
    lanes = limited(db, concurrent=2)
    await line_up(db, "a1", "b1", "c1", "d1")
    assert await ask(db, lanes, "a1", "b1", "c1", "d1") == [0, 0, 1, 2]


async def test_call_that_has_left_stays_so(db):
    lanes = limited(db, concurrent=1)
    await line_up(db, "a1")
    await ask(db, lanes, "a1")
    admitted = (await db.rows(sa.select(calls.c.admitted_at)))[0]
    assert await ask(db, lanes, "a1") == [0]
    assert (await db.rows(sa.select(calls.c.admitted_at)))[0] == admitted


@pytest.mark.parametrize("state", ["settled", "released", "unknown"])
async def test_call_that_is_over_frees_its_place(db, state):
    lanes = limited(db, concurrent=1)
    await line_up(db, "a1", "b1")
    assert await ask(db, lanes, "a1", "b1") == [0, 1]
    await over(db, "a1", state=state)
    assert await ask(db, lanes, "b1") == [0]


async def test_job_the_vendor_has_accepted_keeps_its_place(db):
    lanes = limited(db, concurrent=1)
    await line_up(db, "a1", "b1")
    await ask(db, lanes, "a1")
    await over(db, "a1", state="submitted")
    assert await ask(db, lanes, "b1") == [1]


async def test_job_that_was_left_to_itself_keeps_no_place(db):
    lanes = limited(db, concurrent=1)
    await line_up(db, "a1", "b1")
    await change(db, "a1", state="submitted", admitted_at=now() - moments(OUT_OF_SIGHT_S + 1))
    assert await ask(db, lanes, "b1") == [0]


async def test_limit_is_shared_by_all_processes(db, where):
    await line_up(db, "a1", "b1")
    async with database(where) as elsewhere:
        here, there = limited(db, concurrent=1), limited(elsewhere, concurrent=1)
        assert await ask(db, here, "a1") + await ask(elsewhere, there, "b1") == [0, 1]


# ---- a minute --------------------------------------------------------------------------------------------------------


async def test_no_more_calls_leave_in_a_minute_than_the_lane_takes(db):
    lanes = limited(db, per_minute=2)
    await line_up(db, "a1", "b1", "c1")
    assert await ask(db, lanes, "a1", "b1") == [0, 0]
    await over(db, "a1", "b1")
    assert await ask(db, lanes, "c1") == [1]


async def test_call_that_left_more_than_a_minute_ago_makes_room(db):
    lanes = limited(db, per_minute=1)
    await line_up(db, "a1", "b1")
    await ask(db, lanes, "a1")
    await change(db, "a1", admitted_at=now() - moments(61))
    assert await ask(db, lanes, "b1") == [0]


@pytest.mark.parametrize(("concurrent", "per_minute"), [(1, 5), (5, 1)])
async def test_narrower_of_two_limits_holds(db, concurrent, per_minute):
    lanes = limited(db, concurrent, per_minute)
    await line_up(db, "a1", "b1")
    assert await ask(db, lanes, "a1", "b1") == [0, 1]


# ---- whose turn it is ------------------------------------------------------------------------------------------------


async def test_free_place_is_for_the_first_in_line_whoever_asks_first(db):
    lanes = limited(db, concurrent=1)
    await line_up(db, "a1", "b1", "c1")
    await ask(db, lanes, "a1")
    await over(db, "a1")
    assert await ask(db, lanes, "c1", "b1") == [1, 0]


async def test_first_call_of_one_goes_before_the_second_of_another(db):
    lanes = limited(db, concurrent=1)
    await line_up(db, "a1", "a2", "a3", "a4", "a5", "b1")
    assert await ask(db, lanes, "a1", "b1", "a2", "a5") == [0, 1, 2, 5]


async def departures(db: Database, lanes: Lanes, *waiting: str) -> list[str]:
    """The order in which these calls leave when the one that left longest ago is over each time."""
    under_way: list[str] = []
    order: list[str] = []
    while len(order) < len(waiting):
        asking = [call_id for call_id in waiting if call_id not in order]
        left = [call_id for call_id, place in zip(asking, await ask(db, lanes, *asking), strict=True) if not place]
        order, under_way = order + left, under_way + left
        await over(db, under_way.pop(0))
    return order


@pytest.mark.parametrize("concurrent", [1, 2, 3])
async def test_generation_that_wants_much_does_not_keep_another_waiting(db, concurrent):
    waiting = ["a1", "a2", "a3", "a4", "a5", "b1"]
    await line_up(db, *waiting)
    order = await departures(db, limited(db, concurrent), *waiting)
    assert order.index("b1") <= concurrent


@pytest.mark.parametrize("concurrent", [1, 2, 3])
async def test_generations_that_want_much_do_not_keep_another_waiting(db, concurrent):
    waiting = ["a1", "a2", "a3", "b1", "b2", "b3", "c1"]
    await line_up(db, *waiting)
    order = await departures(db, limited(db, concurrent), *waiting)
    assert order.index("c1") <= 3


async def test_generation_that_was_served_does_not_wait_for_all_who_come_later(db):
    lanes = limited(db, concurrent=1)
    await line_up(db, "a1", "a2")
    await ask(db, lanes, "a1")
    await line_up(db, "b1", "c1")
    assert await departures(db, lanes, "a1", "a2", "b1", "c1") == ["a1", "a2", "b1", "c1"]


async def test_who_has_calls_under_way_is_behind_who_has_none(db):
    lanes = limited(db, concurrent=2)
    await line_up(db, "a1", "a2", "a3")
    await ask(db, lanes, "a1", "a2")
    await line_up(db, "b1")
    await over(db, "a1")
    assert await ask(db, lanes, "a3", "b1", "a3") == [1, 0, 1]


async def test_call_that_was_refused_stands_behind_its_generations_calls_under_way(db):
    lanes = limited(db, concurrent=2)
    await line_up(db, "a1", "a2")
    await ask(db, lanes, "a1", "a2")
    await line_up(db, "b1")
    await refuse(db, "a1", -1)
    assert await ask(db, lanes, "a1", "b1") == [1, 0]


async def test_generations_take_turns(db):
    waiting = ["a1", "a2", "a3", "b1", "b2", "b3"]
    await line_up(db, *waiting)
    assert await departures(db, limited(db, concurrent=1), *waiting) == ["a1", "b1", "a2", "b2", "a3", "b3"]


# ---- what the vendor says --------------------------------------------------------------------------------------------


async def refuse(db: Database, call_id: str, wait_s: float) -> dt.datetime:
    """The vendor lets this call come again after so long."""
    until = now() + moments(wait_s)
    await db.write(lambda connection: Budgets(db, Metrics()).back_in_line(connection, call_id, until))
    return until


async def test_call_that_was_refused_waits_as_long_as_the_vendor_asked(db):
    await line_up(db, "a1")
    await refuse(db, "a1", 30)
    assert await stand(db, Lanes(db, {}), "a1") == Place(1, pytest.approx(30, abs=5))


async def test_call_whose_wait_is_over_leaves(db):
    await line_up(db, "a1")
    await refuse(db, "a1", -1)
    assert await ask(db, Lanes(db, {}), "a1") == [0]


async def test_call_that_was_refused_gives_its_place_back(db):
    lanes = limited(db, concurrent=1)
    await line_up(db, "a1")
    await ask(db, lanes, "a1")
    await refuse(db, "a1", -1)
    await line_up(db, "b1")
    assert await ask(db, lanes, "b1", "a1") == [1, 0]


async def test_lane_that_is_held_lets_nobody_leave(db):
    lanes = Lanes(db, {})
    await line_up(db, "a1", "b1")
    lanes.hold(LANE, now() + moments(30))
    assert (lanes.free(LANE), lanes.free("openai.chat")) == (False, True)
    assert [await stand(db, lanes, call_id) for call_id in ("a1", "b1")] == [
        Place(place, pytest.approx(30, abs=5)) for place in (1, 2)
    ]


async def test_lane_is_held_until_the_latest_time_a_vendor_named(db):
    lanes = Lanes(db, {})
    for wait_s in (10, 30, 20):
        lanes.hold(LANE, now() + moments(wait_s))
    assert lanes.held_s(LANE) == pytest.approx(30, abs=5)


async def test_lane_is_free_once_the_time_is_over(db):
    lanes = Lanes(db, {})
    lanes.hold(LANE, now() - moments(1))
    assert (lanes.held_s(LANE), lanes.free(LANE)) == (0, True)


async def test_what_one_process_was_told_the_others_learn(db, where):
    await line_up(db, "a1", "a2")
    await refuse(db, "a1", 30)
    await refuse(db, "a2", 10)
    async with database(where) as elsewhere:
        there = Lanes(elsewhere, {})
        await there.learn()
        assert (there.held_s(LANE), there.free("openai.chat")) == (pytest.approx(30, abs=5), True)


async def test_nothing_is_learnt_from_calls_that_nobody_holds(db):
    lanes = Lanes(db, {})
    await line_up(db, "a1", "a2", "a3")
    for call_id, state in (("a2", "released"), ("a3", "reserved")):
        await refuse(db, call_id, 30)
        await change(db, call_id, state=state, admitted_at=now())
    await lanes.learn()
    assert lanes.free(LANE)
