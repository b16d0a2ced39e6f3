"""Events: written with what they tell of, replayed from any of them, followed to the end."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from app.db import Database
from app.generations.events import PAGE, TERMINAL, Bell, Event, EventName, Events

pytestmark = pytest.mark.anyio

SOON_S = 0.005
NEVER_S = 1000.0


@pytest.fixture
def events(db: Database) -> Events:
    return Events(db, poll_s=SOON_S)


async def record(events: Events, *names: EventName, generation_id: str = "gen_1", key: str = "") -> None:
    """Write these events, each in a transaction of its own."""
    for name in names:

        def adding(connection: sa.Connection, name: EventName = name) -> None:
            events.add(connection, generation_id, name, key or name, {"says": name})

        await events.record(generation_id, adding, ends=name in TERMINAL)


async def names(stream: AsyncIterator[Event | None]) -> list[str | None]:
    return [event and event.name async for event in stream]


# ---- written ---------------------------------------------------------------------------------------------------------


async def test_event_is_read_back(events):
    await record(events, "generation.created")
    (event,) = await events.after("gen_1", 0)
    assert (event.name, event.data) == ("generation.created", {"says": "generation.created"})
    assert event.created_at.tzinfo is not None


async def test_same_key_twice_is_one_event(events):
    await record(events, "tool.started", key="step_1:started")
    await record(events, "tool.started", key="step_1:started")
    assert len(await events.after("gen_1", 0)) == 1


async def test_same_key_of_another_generation_is_another_event(events):
    await record(events, "generation.created")
    await record(events, "generation.created", generation_id="gen_2")
    assert len(await events.after("gen_2", 0)) == 1


async def test_ids_only_grow(events):
    await record(events, "generation.created", "tool.started", "tool.completed")
    ids = [event.id for event in await events.after("gen_1", 0)]
    assert ids == sorted(set(ids))


async def test_event_of_a_transaction_that_fails_never_was(events):
    def broken_off(connection: sa.Connection) -> None:
        events.add(connection, "gen_1", "tool.started", "a", {})
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        await events.record("gen_1", broken_off)
    assert await events.after("gen_1", 0) == []


async def test_what_was_written_is_handed_on(events):
    assert await events.record("gen_1", lambda connection: "written") == "written"


# ---- replayed --------------------------------------------------------------------------------------------------------


async def test_replay_begins_behind_the_last_one_seen(events):
    await record(events, "generation.created", "tool.started", "generation.completed")
    first, *rest = await events.after("gen_1", 0)
    assert await events.after("gen_1", first.id) == rest


async def test_replay_shows_one_generation(events):
    await record(events, "generation.created")
    await record(events, "tool.started", "generation.failed", generation_id="gen_2")
    assert await names(events.follow("gen_2")) == ["tool.started", "generation.failed"]


async def test_replay_of_more_than_a_page_is_whole(events):
    def adding(connection: sa.Connection) -> None:
        for number in range(PAGE + 10):
            events.add(connection, "gen_1", "tool.progress", str(number), {})
        events.add(connection, "gen_1", "generation.completed", "end", {})

    await events.record("gen_1", adding)
    assert len(await names(events.follow("gen_1"))) == PAGE + 11


# ---- followed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", TERMINAL)
async def test_follow_ends_at_the_event_that_ends_the_generation(events, last):
    await record(events, "generation.created", last, "tool.progress")
    assert await names(events.follow("gen_1")) == ["generation.created", last]


async def test_follow_from_an_id_shows_what_is_behind_it(events):
    await record(events, "generation.created", "tool.started", "generation.completed")
    first = (await events.after("gen_1", 0))[0]
    assert await names(events.follow("gen_1", first.id)) == ["tool.started", "generation.completed"]


async def test_follow_shows_events_as_they_come(events):
    stream = events.follow("gen_1")
    for name in ("generation.created", "tool.started", "generation.cancelled"):
        await record(events, name)
        event = await anext(stream)
        assert event is not None
        assert event.name == name
    assert await names(stream) == []


async def test_bell_wakes_who_follows(db):
    events = Events(db, poll_s=NEVER_S)
    following = asyncio.create_task(names(events.follow("gen_1")))
    await asyncio.sleep(SOON_S)
    await record(events, "generation.created", "generation.completed")
    assert await asyncio.wait_for(following, 30) == ["generation.created", "generation.completed"]


async def test_news_of_another_process_is_seen_by_asking(db):
    here, elsewhere = Events(db, poll_s=SOON_S), Events(db, poll_s=NEVER_S)
    await record(elsewhere, "generation.created")
    following = asyncio.create_task(names(here.follow("gen_1")))
    await asyncio.sleep(SOON_S)
    await record(elsewhere, "generation.completed")
    assert await asyncio.wait_for(following, 30) == ["generation.created", "generation.completed"]


async def test_silence_is_broken_by_heartbeats(events):
    await record(events, "generation.created")
    stream = events.follow("gen_1", heartbeat_s=2 * SOON_S)
    _, *silence = [await anext(stream) for _ in range(4)]
    assert silence == [None, None, None]
    await record(events, "generation.completed")
    assert "generation.completed" in await names(stream)


async def test_silence_without_a_heartbeat_stays_silent(events):
    await record(events, "generation.created")
    following = asyncio.create_task(names(events.follow("gen_1")))
    await asyncio.sleep(5 * SOON_S)
    await record(events, "generation.completed")
    assert await asyncio.wait_for(following, 30) == ["generation.created", "generation.completed"]


async def test_follow_ends_where_a_generation_is_gone(events):
    assert await asyncio.wait_for(names(events.follow("gen_9", heartbeat_s=NEVER_S)), 30) == []


# ---- waited for ------------------------------------------------------------------------------------------------------


async def test_who_waits_for_the_end_is_woken_by_the_end(db):
    events = Events(db, poll_s=NEVER_S)
    await record(events, "generation.created")
    waiting = asyncio.create_task(events.ended("gen_1"))
    await asyncio.sleep(SOON_S)
    await record(events, "generation.completed")
    await asyncio.wait_for(waiting, 30)


async def test_who_waits_for_the_end_is_not_woken_on_the_way(db):
    events = Events(db, poll_s=NEVER_S)
    async with events.bell.listening("gen_1/end") as end:
        await record(events, "generation.created", "tool.started")
        assert not end.is_set()


async def test_end_in_another_process_is_seen_by_asking(db):
    here, elsewhere = Events(db, poll_s=SOON_S), Events(db, poll_s=NEVER_S)
    await record(elsewhere, "generation.created")
    waiting = asyncio.create_task(here.ended("gen_1"))
    await record(elsewhere, "generation.failed")
    await asyncio.wait_for(waiting, 30)


async def test_end_of_a_generation_that_is_gone_has_come(events):
    await asyncio.wait_for(events.ended("gen_9"), 30)


async def test_bell_stays_silent_when_nothing_was_written(db):
    events = Events(db, poll_s=NEVER_S)

    def broken_off(connection: sa.Connection) -> None:
        raise RuntimeError("stop")

    async with events.bell.listening("gen_1") as news:
        with pytest.raises(RuntimeError, match="stop"):
            await events.record("gen_1", broken_off)
        assert not news.is_set()


# ---- the bell --------------------------------------------------------------------------------------------------------


async def test_bell_rings_for_one_generation():
    bell = Bell()
    async with bell.listening("gen_1") as one, bell.listening("gen_1") as another, bell.listening("gen_2") as other:
        bell.ring("gen_1")
        assert (one.is_set(), another.is_set(), other.is_set()) == (True, True, False)


async def test_bell_without_a_listener_rings_in_vain():
    bell = Bell()
    async with bell.listening("gen_1"):
        pass
    bell.ring("gen_1")


async def test_bell_forgets_who_left(events):
    await record(events, "generation.completed")
    await names(events.follow("gen_1"))
    assert events.bell._waiting == {}
