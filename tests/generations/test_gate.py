"""The gate: a paid request is not torn apart, neither by a cancellation nor by the end of the process."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.generations.gate import Gate

pytestmark = pytest.mark.anyio

MOMENT_S = 0.02


class Request:
    """A paid request: it begins, is answered when the test says so, and is then done."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.answered = asyncio.Event()
        self.done = False

    async def send(self) -> str:
        self.begun.set()
        await self.answered.wait()
        self.done = True
        return "answer"


async def run(gate: Gate, generation_id: str, *requests: Request) -> list[str] | None:
    """Work on a generation: these requests, one after the other; None when this process does so already."""
    with gate.working(generation_id) as mine:
        return [await gate.shielded(generation_id, request.send()) for request in requests] if mine else None


@asynccontextmanager
async def underway(gate: Gate, generation_id: str, *requests: Request) -> AsyncIterator[asyncio.Task[list[str] | None]]:
    """A run whose first request is on its way."""
    task = asyncio.create_task(run(gate, generation_id, *requests))
    await requests[0].begun.wait()
    yield task
    for request in requests:
        request.answered.set()
    task.cancel()
    await asyncio.wait([task])


# ---- requests --------------------------------------------------------------------------------------------------------


async def test_request_gives_its_answer():
    gate, request = Gate(), Request()
    request.answered.set()
    assert await gate.shielded("gen_1", request.send()) == "answer"


async def test_failure_of_a_request_is_its_callers():
    async def fail() -> None:
        raise RuntimeError("refused")

    with pytest.raises(RuntimeError, match="refused"):
        await Gate().shielded("gen_1", fail())


async def test_request_goes_on_when_its_caller_is_cancelled():
    gate, request = Gate(), Request()
    async with underway(gate, "gen_1", request) as task:
        task.cancel()
        await asyncio.wait([task])
        request.answered.set()
        await gate.at_rest("gen_1", 30)
    assert (task.cancelled(), request.done) == (True, True)


async def test_behind_a_closed_gate_nothing_begins():
    gate, request = Gate(), Request()
    await gate.close(0)
    caller = asyncio.create_task(gate.shielded("gen_1", request.send()))
    await asyncio.sleep(MOMENT_S)
    assert (request.begun.is_set(), caller.done()) == (False, False)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller


# ---- runs ------------------------------------------------------------------------------------------------------------


async def test_run_is_known_until_it_has_ended():
    gate, request = Gate(), Request()
    async with underway(gate, "gen_1", request) as task:
        assert gate.runs() == ["gen_1"]
        request.answered.set()
        assert await task == ["answer"]
    assert gate.runs() == []


async def test_second_run_of_a_generation_is_refused():
    gate, request = Gate(), Request()
    async with underway(gate, "gen_1", request):
        assert await asyncio.create_task(run(gate, "gen_1")) is None
        assert gate.runs() == ["gen_1"]


async def test_generation_is_run_again_once_its_run_has_ended():
    gate = Gate()
    assert [await asyncio.create_task(run(gate, "gen_1")) for _ in range(2)] == [[], []]


async def test_generations_are_run_side_by_side():
    gate, one, another = Gate(), Request(), Request()
    async with underway(gate, "gen_1", one), underway(gate, "gen_2", another):
        assert sorted(gate.runs()) == ["gen_1", "gen_2"]


async def test_run_that_is_given_up_finishes_the_request_on_its_way_and_begins_no_other():
    gate, first, second = Gate(), Request(), Request()
    async with underway(gate, "gen_1", first, second) as task:
        gate.give_up("gen_1")
        first.answered.set()
        assert await gate.at_rest("gen_1", 30)
    assert (task.cancelled(), first.done, second.begun.is_set()) == (True, True, False)


async def test_giving_up_what_is_not_run_does_nothing():
    gate, request = Gate(), Request()
    async with underway(gate, "gen_1", request) as task:
        gate.give_up("gen_2")
        await asyncio.sleep(0)
        assert not task.cancelling()


# ---- rest ------------------------------------------------------------------------------------------------------------


async def test_generation_nobody_works_on_is_at_rest():
    assert await Gate().at_rest("gen_1", 0)


@pytest.mark.parametrize(("generation_id", "rests"), [("gen_1", False), ("gen_2", True)])
async def test_generation_with_a_request_on_its_way_is_not_at_rest(generation_id, rests):
    gate, request = Gate(), Request()
    async with underway(gate, "gen_1", request):
        assert await gate.at_rest(generation_id, MOMENT_S) is rests


async def test_generation_whose_run_thinks_is_not_at_rest():
    async def think() -> None:
        with gate.working("gen_1"):
            await asyncio.sleep(1000)

    gate, task = Gate(), asyncio.create_task(think())
    await asyncio.sleep(0)
    assert not await gate.at_rest("gen_1", MOMENT_S)
    task.cancel()
    assert await gate.at_rest("gen_1", 30)


async def test_request_without_a_caller_keeps_its_generation_from_rest():
    gate, request = Gate(), Request()
    async with underway(gate, "gen_1", request) as task:
        task.cancel()
        await asyncio.wait([task])
        assert not await gate.at_rest("gen_1", MOMENT_S)


# ---- closing ---------------------------------------------------------------------------------------------------------


async def test_closing_waits_for_the_request_on_its_way():
    gate, first, second = Gate(), Request(), Request()
    async with underway(gate, "gen_1", first, second) as task:
        asyncio.get_running_loop().call_later(MOMENT_S, first.answered.set)
        await gate.close(30)
    assert (first.done, second.begun.is_set(), task.cancelled()) == (True, False, True)


async def test_closing_waits_for_a_request_without_a_caller():
    gate, request = Gate(), Request()
    async with underway(gate, "gen_1", request) as task:
        task.cancel()
        asyncio.get_running_loop().call_later(MOMENT_S, request.answered.set)
        await gate.close(30)
    assert request.done


async def test_closing_waits_no_longer_than_the_grace():
    gate, request, begun = Gate(), Request(), time.monotonic()
    async with underway(gate, "gen_1", request) as task:
        await gate.close(MOMENT_S)
        assert (request.done, task.cancelled(), time.monotonic() - begun < 10) == (False, True, True)


async def test_closing_cancels_a_run_between_two_requests():
    async def think() -> None:
        with gate.working("gen_1"):
            await asyncio.sleep(1000)

    gate, task = Gate(), asyncio.create_task(think())
    await asyncio.sleep(0)
    await gate.close(30)
    assert (task.cancelled(), gate.runs()) == (True, [])


async def test_closing_an_idle_gate_is_done_at_once():
    await asyncio.wait_for(Gate().close(1000), 10)
