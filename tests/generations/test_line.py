"""The line: who waits is let through in turn, and what has not left when the process leaves is known."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.accounts.lanes import Lanes
from app.db import calls, generations, now
from app.errors import Conflict
from app.generations.claims import Deposed
from app.generations.line import Line, Waiting
from app.generations.parts import Parts
from providers.catalogue import Lane
from tests.doubles import add_generation, intent, open_parts

pytestmark = pytest.mark.anyio

MADE = {"assets": []}


@pytest.fixture
async def parts(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Parts]:
    async with open_parts(tmp_path) as parts:
        for number in (1, 2):
            await add_generation(parts.db, f"gen_{number}", status="running", executor="worker_1")
        yield parts


def narrow(parts: Parts) -> Line:
    """A line in front of a vendor that takes one picture at a time."""
    lanes = Lanes(parts.db, {"openai.image": Lane(concurrent=1)})
    return Line(parts.db, parts.budgets, lanes, parts.events, parts.gate, parts.executor, 60.0)


async def waits(parts: Parts, call_id: str, generation_id: str = "gen_1") -> Waiting:
    """A call with a receipt, that has not left."""
    call = intent(call_id, generation_id=generation_id)
    await parts.db.write(lambda connection: parts.budgets.reserve(connection, call, None, admitted=False))
    return Waiting(call_id, call.generation_id, call.step_id, call.lane)


class Vendor:
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answering = asyncio.Event()

    async def send(self) -> dict[str, Any]:
        self.asked.set()
        await self.answering.wait()
        return MADE


async def never(error: Exception) -> dict[str, Any]:
    raise AssertionError(error)


async def test_call_whose_turn_it_is_is_sent(parts):
    vendor, call = Vendor(), await waits(parts, "call_1")
    vendor.answering.set()
    assert await narrow(parts).through(call, vendor.send, never, admitted=False) == MADE


async def test_call_that_left_is_not_among_the_unsent(parts):
    line, vendor, call = narrow(parts), Vendor(), await waits(parts, "call_1")
    sending = asyncio.create_task(line.through(call, vendor.send, never, admitted=False))
    await vendor.asked.wait()
    assert line.unsent() == []
    vendor.answering.set()
    await sending


async def test_call_that_was_let_through_when_the_process_left_is_among_the_unsent(parts):
    line, vendor, call, free = narrow(parts), Vendor(), await waits(parts, "call_1"), threading.Event()
    busy = asyncio.create_task(parts.db.write(lambda connection: free.wait(30)))
    sending = asyncio.create_task(line.through(call, vendor.send, never, admitted=False))
    await asyncio.sleep(0.05)  # it is about to be let through
    await parts.gate.close(0)
    free.set()
    await busy
    while (await parts.budgets.get("call_1"))["admitted_at"] is None:
        await asyncio.sleep(0.01)
    sending.cancel()
    assert (line.unsent(), vendor.asked.is_set()) == (["call_1"], False)


async def test_call_that_was_cancelled_in_line_is_forgotten(parts):
    line, vendor, call = narrow(parts), Vendor(), await waits(parts, "call_2")
    await parts.db.write(lambda connection: parts.budgets.reserve(connection, intent("call_1"), None, admitted=True))
    sending = asyncio.create_task(line.through(call, vendor.send, never, admitted=False))
    while not call.shown:
        await asyncio.sleep(0.01)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert line.unsent() == []


async def test_call_of_a_cancelled_generation_is_not_sent(parts):
    call = await waits(parts, "call_1")
    await parts.db.write(lambda connection: parts.budgets.release_waiting(connection, "gen_1"))
    with pytest.raises(Conflict):
        await narrow(parts).through(call, Vendor().send, never, admitted=False)


@pytest.mark.parametrize("admitted", [False, True], ids=["waiting", "let-through-by-the-other"])
async def test_call_of_a_generation_that_another_process_has_is_not_sent(parts, admitted):
    call, vendor = await waits(parts, "call_1"), Vendor()
    taken = sa.update(generations).values(executor="worker_2")
    await parts.db.write(lambda connection: connection.execute(taken))
    if admitted:
        let_through = sa.update(calls).values(admitted_at=now())
        await parts.db.write(lambda connection: connection.execute(let_through))
    with pytest.raises(Deposed):
        await narrow(parts).through(call, vendor.send, never, admitted=False)
    assert not vendor.asked.is_set()


async def test_call_that_joins_while_the_database_is_away_is_told_too(parts):
    line, first, second = narrow(parts), await waits(parts, "call_1"), await waits(parts, "call_2")
    both = [asyncio.create_task(line.through(call, Vendor().send, never, admitted=False)) for call in (first, second)]
    await asyncio.sleep(0)
    await parts.db.write(lambda connection: connection.exec_driver_sql("DROP TABLE calls"))
    outcomes = await asyncio.wait_for(asyncio.gather(*both, return_exceptions=True), 10)
    assert {isinstance(outcome, sa.exc.SQLAlchemyError) for outcome in outcomes} == {True}


async def test_process_that_was_silent_for_too_long_asks_before_it_sends(parts):
    line, vendor, call = narrow(parts), Vendor(), await waits(parts, "call_1")
    parts.gate.lease(-1)
    sending = asyncio.create_task(line.through(call, vendor.send, never, admitted=True))
    await asyncio.sleep(0.05)
    taken = sa.update(generations).values(executor="worker_2")
    await parts.db.write(lambda connection: connection.execute(taken))
    parts.gate.lease(60)
    with pytest.raises(Deposed):
        await sending
    assert not vendor.asked.is_set()
