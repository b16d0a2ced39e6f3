"""The journal: steps and their events are written once, also by a replay, and what has ended stays as it ended."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from app.db import Database, generations, steps
from app.errors import Conflict
from app.generations.claims import Deposed
from app.generations.events import Event, Events
from app.generations.journal import Frame, Journal, add_warnings, step_id
from app.tools.base import Result
from providers.types import ChatReply
from tests.doubles import add_generation, asks, call, database, says

pytestmark = pytest.mark.anyio

FIRST = Frame(generation_id="gen_1", owner="", agent=("openai", "gpt-4o"), pins={}, cap_usd=None)
AGAIN = replace(FIRST, again=True)
CALL = call(arguments='{"prompt": "a cat"}')
STEP = step_id("gen_1", 1, 1)
RESULT = Result({"assets": [{"id": "asset_1"}], "warnings": ["Another model was chosen."]}, ("asset_1",), ("asset_1",))
PROBLEM = {"code": "moderated", "message": "Blocked for its content."}


@pytest.fixture
async def db(anyio_backend: str, where: str) -> AsyncIterator[Database]:
    async with database(where) as db:
        await add_generation(db, "gen_1", status="running", executor="worker_1")
        yield db


@pytest.fixture
def events(db: Database) -> Events:
    return Events(db)


@pytest.fixture
def journal(db: Database, events: Events) -> Journal:
    return Journal(db, events, "worker_1")


async def step(db: Database, name: str = STEP) -> Mapping[str, Any]:
    row = await db.row(sa.select(steps).where(steps.c.id == name))
    assert row is not None
    return row


async def told(events: Events) -> list[Event]:
    return await events.after("gen_1", 0)


async def change(db: Database, table: sa.Table, **values: Any) -> None:
    await db.write(lambda connection: connection.execute(sa.update(table), values))


async def warnings(db: Database) -> list[str]:
    row = await db.row(sa.select(generations.c.warnings))
    return list(row["warnings"]) if row else []


# ---- identity --------------------------------------------------------------------------------------------------------


def test_step_is_named_by_its_place():
    assert [step_id("gen_01jd", 2), step_id("gen_01jd", 2, 11)] == ["step_01jd_02_00", "step_01jd_02_11"]


# ---- turns -----------------------------------------------------------------------------------------------------------


async def open_turn(db: Database, journal: Journal) -> Mapping[str, Any]:
    await db.write(lambda connection: journal.open_turn(connection, FIRST, 1))
    return await step(db, step_id("gen_1", 1))


async def close_turn(db: Database, journal: Journal, outcome: ChatReply | dict[str, str]) -> Mapping[str, Any]:
    said = {"problem": outcome} if isinstance(outcome, dict) else {"reply": outcome.model_dump(mode="json")}
    await db.write(lambda connection: journal.close_turn(connection, FIRST, 1, said))
    return await step(db, step_id("gen_1", 1))


async def test_turn_that_begins_is_shown_with_its_model(db, journal):
    begun = await open_turn(db, journal)
    assert (begun["kind"], begun["name"], begun["status"], begun["turn"]) == ("turn", "gpt-4o", "running", 1)


async def test_turn_opened_again_changes_nothing(db, journal):
    assert await open_turn(db, journal) == await open_turn(db, journal)


async def test_turn_that_ends_tells_what_the_model_said_and_asks_for(db, journal, events):
    await open_turn(db, journal)
    await close_turn(db, journal, asks(CALL, content="Let me paint."))
    (event,) = await told(events)
    calls = [{"id": "call_1", "name": "generate_image"}]
    assert event.name == "turn.completed"
    assert event.data == {"step_id": "step_1_01_00", "turn": 1, "text": "Let me paint.", "tool_calls": calls}


async def test_turn_closed_again_changes_nothing(db, journal, events):
    await open_turn(db, journal)
    assert await close_turn(db, journal, says("First.")) == await close_turn(db, journal, says("Second."))
    assert [event.data["text"] for event in await told(events)] == ["First."]


async def test_turn_that_failed_says_why_and_tells_of_nothing(db, journal, events):
    await open_turn(db, journal)
    failed = await close_turn(db, journal, PROBLEM)
    assert (failed["status"], failed["error"], await told(events)) == ("failed", "Blocked for its content.", [])


async def test_turn_that_was_cancelled_stays_cancelled(db, journal, events):
    await open_turn(db, journal)
    await change(db, steps, status="cancelled")
    assert (await close_turn(db, journal, says("Too late.")))["status"] == "cancelled"
    assert await told(events) == []


# ---- tools -----------------------------------------------------------------------------------------------------------


async def test_tool_that_begins_is_shown_with_its_arguments(db, journal, events):
    assert await journal.open_tool(FIRST, 1, 1, CALL) is None
    begun, (event,) = await step(db), await told(events)
    assert (begun["kind"], begun["status"], begun["arguments"]) == ("tool", "running", {"prompt": "a cat"})
    assert (event.name, event.data["arguments"]) == ("tool.started", {"prompt": "a cat"})


async def test_arguments_that_are_no_object_are_shown_as_they_came(db, journal):
    await journal.open_tool(FIRST, 1, 1, call(arguments="{not json"))
    assert (await step(db))["arguments"] == {"text": "{not json"}


async def test_tool_interrupted_by_a_crash_is_called_again_and_shown_once(db, journal, events):
    await journal.open_tool(FIRST, 1, 1, CALL)
    begun = await step(db)
    assert await journal.open_tool(AGAIN, 1, 1, CALL) is None
    assert (await step(db), len(await told(events))) == (begun, 1)


async def test_tool_that_had_worked_before_a_crash_gives_its_answer_again(db, journal):
    await journal.open_tool(FIRST, 1, 1, CALL)
    answer = await journal.tool_completed(FIRST, STEP, CALL, RESULT)
    assert await journal.open_tool(AGAIN, 1, 1, CALL) == answer


async def test_tool_that_had_failed_before_a_crash_gives_its_answer_again(db, journal):
    await journal.open_tool(FIRST, 1, 1, CALL)
    answer = await journal.tool_failed(FIRST, STEP, CALL, PROBLEM)
    assert await journal.open_tool(AGAIN, 1, 1, CALL) == answer


async def test_tool_a_crash_kept_from_beginning_begins(db, journal, events):
    assert await journal.open_tool(AGAIN, 1, 1, CALL) is None
    assert [event.name for event in await told(events)] == ["tool.started"]


@pytest.mark.parametrize(("marks", "error"), [({"status": "cancelled"}, Conflict), ({"executor": "worker_2"}, Deposed)])
async def test_tool_does_not_begin_for_what_is_cancelled_or_anothers(db, journal, events, marks, error):
    await change(db, generations, **marks)
    with pytest.raises(error):
        await journal.open_tool(FIRST, 1, 1, CALL)
    assert (await db.rows(sa.select(steps)), await told(events)) == ([], [])


async def test_tool_that_worked_is_shown_with_what_it_made(db, journal, events):
    await journal.open_tool(FIRST, 1, 1, CALL)
    answer = await journal.tool_completed(FIRST, STEP, CALL, RESULT)
    done, event = await step(db), (await told(events))[-1]
    assert (done["status"], done["asset_ids"], done["answer"]) == ("completed", ["asset_1"], answer)
    assert (event.name, event.data["asset_ids"]) == ("tool.completed", ["asset_1"])
    assert answer["image_ids"] == ["asset_1"]


async def test_tool_that_failed_is_shown_with_the_reason(db, journal, events):
    await journal.open_tool(FIRST, 1, 1, CALL)
    answer = await journal.tool_failed(FIRST, STEP, CALL, PROBLEM)
    event = (await told(events))[-1]
    assert (event.name, event.data["error"], (await step(db))["status"]) == ("tool.failed", PROBLEM, "failed")
    assert "Blocked for its content." in answer["text"]


async def test_tool_closed_again_changes_nothing(db, journal, events):
    await journal.open_tool(FIRST, 1, 1, CALL)
    await journal.tool_completed(FIRST, STEP, CALL, RESULT)
    before = (await step(db), await told(events), await warnings(db))
    await journal.tool_completed(FIRST, STEP, CALL, RESULT)
    await journal.tool_failed(FIRST, STEP, CALL, PROBLEM)
    assert (await step(db), await told(events), await warnings(db)) == before


@pytest.mark.parametrize("end", ["completed", "failed"])
async def test_tool_that_was_cancelled_stays_cancelled(db, journal, events, end):
    await journal.open_tool(FIRST, 1, 1, CALL)
    await change(db, steps, status="cancelled")
    if end == "completed":
        await journal.tool_completed(FIRST, STEP, CALL, RESULT)
    else:
        await journal.tool_failed(FIRST, STEP, CALL, PROBLEM)
    assert ((await step(db))["status"], (await step(db))["answer"], await warnings(db)) == ("cancelled", None, [])
    assert [event.name for event in await told(events)] == ["tool.started"]


# ---- warnings --------------------------------------------------------------------------------------------------------


async def test_warning_of_a_tool_is_one_of_its_generation(db, journal):
    await journal.open_tool(FIRST, 1, 1, CALL)
    await journal.tool_completed(FIRST, STEP, CALL, RESULT)
    assert await warnings(db) == ["Another model was chosen."]


async def test_warning_is_said_once(db):
    for said in (["a", "b", "a"], ["b", "c"], []):
        await db.write(lambda connection, said=said: add_warnings(connection, "gen_1", said))
    assert await warnings(db) == ["a", "b", "c"]
