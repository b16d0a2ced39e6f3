"""The receipts: what is reserved, settled, released or unknown; the cap, also for calls side by side."""

import asyncio
import datetime as dt
import threading
from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from app.accounts.budgets import Budgets, Intent, Row, Spending, canonical_json, spending
from app.db import Database, calls, generations, now
from app.errors import BudgetExceeded
from app.telemetry import Metrics
from tests.doubles import add_generation, database, intent

pytestmark = pytest.mark.anyio

LOST = {"code": "outcome_unknown", "message": "Lost."}


@pytest.fixture
async def db(anyio_backend: str, where: str) -> AsyncIterator[Database]:
    async with database(where) as db:
        await add_generation(db, "gen_1")
        yield db


@pytest.fixture
def budgets(db: Database) -> Budgets:
    return Budgets(db, Metrics())


async def reserve(
    db: Database, budgets: Budgets, call: Intent, cap: str | None = None, *, admitted: bool = True
) -> tuple[Row, bool]:
    cap_usd = None if cap is None else Decimal(cap)
    return await db.write(lambda connection: budgets.reserve(connection, call, cap_usd, admitted=admitted))


async def end(db: Database, budgets: Budgets, state: str, call_id: str = "call_1", amount: str | None = None) -> None:
    """Bring a reserved call to this state."""
    usd = None if amount is None else Decimal(amount)

    def ending(connection: sa.Connection) -> None:
        match state:
            case "submitted":
                budgets.submitted(connection, call_id, {"job_id": "job_1"}, usd)
            case "settled":
                budgets.settled(connection, call_id, usd, "vendor")
            case "released":
                budgets.released(connection, call_id, LOST)
            case "unknown":
                budgets.unknown(connection, call_id, LOST)

    await db.write(ending)


# ---- the life of a receipt -------------------------------------------------------------------------------------------


async def test_intent_is_written_down_before_the_call(db, budgets):
    await reserve(db, budgets, intent())
    row = await budgets.get("call_1")
    assert (row["state"], row["request"], row["estimate_usd"]) == ("reserved", {"prompt": "a cat"}, Decimal("0.04"))


async def test_call_begun_before_is_found(db, budgets):
    await reserve(db, budgets, intent())
    await end(db, budgets, "submitted")
    found = [await db.read(partial(budgets.find, call_id=call_id)) for call_id in ("call_1", "call_2")]
    assert [row and row["state"] for row in found] == ["submitted", None]


@pytest.mark.parametrize("cap", [None, "10"])
async def test_call_begun_before_is_not_reserved_again(db, budgets, cap):
    first, new = await reserve(db, budgets, intent(), cap)
    again, _ = await reserve(db, budgets, intent(estimate="9"), cap)
    assert (new, again) == (True, await budgets.get("call_1"))
    assert again == first


@pytest.mark.parametrize("admitted", [True, False])
async def test_receipt_tells_whether_the_request_may_have_left(db, budgets, admitted):
    await reserve(db, budgets, intent(), admitted=admitted)
    assert ((await budgets.get("call_1"))["admitted_at"] is not None) is admitted


async def test_call_refused_for_now_is_back_in_line(db, budgets):
    await reserve(db, budgets, intent())
    until = now() + dt.timedelta(seconds=30)
    await db.write(lambda connection: budgets.back_in_line(connection, "call_1", until))
    row = await budgets.get("call_1")
    assert (row["state"], row["admitted_at"], row["not_before"]) == ("reserved", None, until)


@pytest.mark.parametrize("late", ["released", "unknown"])
async def test_what_was_made_stays_whatever_another_process_thinks(db, budgets, late):
    await reserve(db, budgets, intent())
    await db.write(
        lambda connection: budgets.settled(connection, "call_1", Decimal(1), "vendor", result={"assets": []})
    )
    await end(db, budgets, late)
    row = await budgets.get("call_1")
    assert (row["state"], row["amount_usd"], row["result"]) == ("settled", Decimal(1), {"assets": []})


async def test_what_was_given_up_as_unknown_is_settled_when_its_work_comes_after_all(db, budgets):
    await reserve(db, budgets, intent())
    await end(db, budgets, "unknown")
    await db.write(
        lambda connection: budgets.settled(connection, "call_1", Decimal(1), "vendor", result={"assets": []})
    )
    row = await budgets.get("call_1")
    assert (row["state"], row["amount_usd"], row["error"]) == ("settled", Decimal(1), None)


@pytest.mark.parametrize(("amount", "state"), [(None, None), (Decimal(0), "cancelled")])
async def test_what_was_cancelled_is_corrected_only_where_its_cost_was_not_known(db, budgets, amount, state):
    cancelled = {"code": "cancelled", "message": "The work was cancelled."}
    await reserve(db, budgets, intent())
    end_of_it = {"error": cancelled, "result": {"problem": cancelled}}
    await db.write(lambda connection: budgets.settled(connection, "call_1", amount, None, **end_of_it))
    await db.write(
        lambda connection: budgets.settled(connection, "call_1", Decimal(1), "vendor", result={"assets": []})
    )
    assert ((await budgets.get("call_1"))["error"] or {}).get("code") == state


async def test_second_job_of_a_call_does_not_take_the_place_of_the_first(db, budgets):
    await reserve(db, budgets, intent())
    tickets = [{"job_id": "job_1"}, {"job_id": "job_2"}]
    written = [await db.write(lambda c, t=ticket: budgets.submitted(c, "call_1", t, None)) for ticket in tickets]
    assert [changed is not None for changed in written] == [True, False]
    assert (await budgets.get("call_1"))["job_id"] == "job_1"


async def test_answer_to_a_turn_that_was_taken_again_only_says_what_it_cost(db, budgets):
    await reserve(db, budgets, intent())
    await end(db, budgets, "unknown")
    answered = await db.write(
        lambda c: budgets.answered(c, "call_1", Decimal(1), "usage", usage=None, result={"reply": 1})
    )
    row = await budgets.get("call_1")
    assert (answered, row["state"], row["amount_usd"], row["result"]) == (False, "settled", Decimal(1), None)


@pytest.mark.parametrize(("executor", "in_line"), [("worker_1", True), ("worker_2", False)])
async def test_what_was_admitted_and_never_sent_is_in_line_again_unless_another_has_it(db, budgets, executor, in_line):
    await db.write(lambda connection: connection.execute(sa.update(generations), {"executor": executor}))
    await reserve(db, budgets, intent())
    await db.write(lambda connection: budgets.recall(connection, ["call_1"], "worker_1"))
    assert ((await budgets.get("call_1"))["admitted_at"] is None) is in_line


@pytest.mark.parametrize("state", ["submitted", "settled", "unknown"])
async def test_what_was_sent_is_never_in_line_again(db, budgets, state):
    await db.write(lambda connection: connection.execute(sa.update(generations), {"executor": "worker_1"}))
    await reserve(db, budgets, intent())
    await end(db, budgets, state)
    await db.write(lambda connection: budgets.recall(connection, ["call_1"], "worker_1"))
    assert (await budgets.get("call_1"))["admitted_at"] is not None


async def test_warnings_are_kept_for_a_replay(db, budgets):
    await reserve(db, budgets, intent(warnings=("Another model was chosen.",)))
    assert (await budgets.get("call_1"))["warnings"] == ["Another model was chosen."]


async def test_job_is_kept_with_the_vendors_estimate(db, budgets):
    await reserve(db, budgets, intent())
    await end(db, budgets, "submitted", amount="0.60")
    row = await budgets.get("call_1")
    assert (row["ticket"], row["job_id"], row["estimate_usd"]) == ({"job_id": "job_1"}, "job_1", Decimal("0.60"))
    assert row["submitted_at"] >= row["created_at"]


async def test_job_without_an_estimate_keeps_ours(db, budgets):
    await reserve(db, budgets, intent())
    await end(db, budgets, "submitted")
    assert (await budgets.get("call_1"))["estimate_usd"] == Decimal("0.04")


async def test_settled_call_says_where_its_amount_comes_from(db, budgets):
    await reserve(db, budgets, intent())
    await end(db, budgets, "settled", amount="0.05")
    row = await budgets.get("call_1")
    assert (row["state"], row["amount_usd"], row["amount_source"]) == ("settled", Decimal("0.05"), "vendor")
    assert row["settled_at"] is not None


async def test_released_call_owes_nothing(db, budgets):
    await reserve(db, budgets, intent())
    await end(db, budgets, "released")
    row = await budgets.get("call_1")
    assert (row["state"], row["amount_usd"], row["error"]) == ("released", Decimal(0), LOST)


async def test_call_that_turns_out_well_has_no_error(db, budgets):
    await reserve(db, budgets, intent())
    await end(db, budgets, "unknown")
    await end(db, budgets, "settled", amount="0.05")
    row = await budgets.get("call_1")
    assert (row["state"], row["error"]) == ("settled", None)


async def test_unknown_call_has_no_amount(db, budgets):
    await reserve(db, budgets, intent())
    await end(db, budgets, "unknown")
    row = await budgets.get("call_1")
    assert (row["state"], row["amount_usd"], row["error"]) == ("unknown", None, LOST)


async def test_result_is_remembered_for_a_replay(db, budgets):
    await reserve(db, budgets, intent())
    await db.write(lambda connection: budgets.settled(connection, "call_1", None, None, result={"assets": []}))
    assert (await budgets.get("call_1"))["result"] == {"assets": []}


async def test_intent_of_a_transaction_that_fails_is_not_there(db, budgets):
    def broken_off(connection: sa.Connection) -> None:
        budgets.reserve(connection, intent(), None, admitted=True)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        await db.write(broken_off)
    with pytest.raises(LookupError, match="call_1"):
        await budgets.get("call_1")


async def test_each_state_a_call_comes_to_is_counted(db):
    metrics = Metrics()
    budgets = Budgets(db, metrics)
    await reserve(db, budgets, intent())
    await end(db, budgets, "submitted")
    await end(db, budgets, "settled")
    counted = [
        line for line in metrics.text().decode().splitlines() if line.startswith("impresario_vendor_calls_total")
    ]
    assert sorted(counted) == [
        'impresario_vendor_calls_total{state="settled"} 1.0',
        'impresario_vendor_calls_total{state="submitted"} 1.0',
    ]


async def test_call_is_counted_once_when_what_is_written_beside_it_fails(db):
    metrics, free = Metrics(), threading.Event()
    budgets = Budgets(db, metrics)
    await reserve(db, budgets, intent())

    def failing(connection: sa.Connection) -> None:
        connection.execute(sa.insert(calls), {"id": "call_1"})

    busy = asyncio.create_task(db.write(lambda connection: free.wait(30)))
    await asyncio.sleep(0.05)
    beside = [end(db, budgets, "settled"), db.write(failing)]
    together = asyncio.gather(*beside, return_exceptions=True)
    await asyncio.sleep(0)
    free.set()
    assert [type(outcome) for outcome in await together] == [type(None), sa.exc.IntegrityError]
    assert 'impresario_vendor_calls_total{state="settled"} 1.0' in metrics.text().decode()
    await busy


async def test_jobs_under_way_are_those_a_vendor_accepted(db, budgets):
    for call_id, state in {"a": "submitted", "b": "settled", "c": "unknown", "d": "submitted"}.items():
        await reserve(db, budgets, intent(call_id))
        await end(db, budgets, state, call_id)
    await reserve(db, budgets, intent("e"))
    assert sorted(row["id"] for row in await budgets.under_way("gen_1")) == ["a", "d"]


async def test_receipts_of_generations_come_oldest_first(db, budgets):
    for call_id, generation_id in (("a", "gen_2"), ("b", "gen_1"), ("c", "gen_3")):
        await reserve(db, budgets, intent(call_id, generation_id=generation_id))
    assert [row["id"] for row in await budgets.of_generations(["gen_1", "gen_2"])] == ["a", "b"]


# ---- the cap ---------------------------------------------------------------------------------------------------------


async def test_call_up_to_the_cap_is_made(db, budgets):
    await reserve(db, budgets, intent(estimate="0.04"), cap="0.04")
    assert (await budgets.get("call_1"))["state"] == "reserved"


async def test_call_that_waits_in_line_takes_its_part_of_the_cap(db, budgets):
    await reserve(db, budgets, intent("a", "0.06"), cap="0.10", admitted=False)
    with pytest.raises(BudgetExceeded):
        await reserve(db, budgets, intent("b", "0.06"), cap="0.10")


async def test_call_past_the_cap_is_not_made_and_says_why(db, budgets):
    await reserve(db, budgets, intent("a", "0.04"), cap="0.10")
    with pytest.raises(BudgetExceeded, match=r"about \$0\.0700, and \$0\.0400 of the cap of \$0\.10 is already spent"):
        await reserve(db, budgets, intent("b", "0.07"), cap="0.10")
    with pytest.raises(LookupError):
        await budgets.get("b")


async def test_cap_of_nothing_lets_only_the_free_through(db, budgets):
    await reserve(db, budgets, intent("free", "0"), cap="0")
    with pytest.raises(BudgetExceeded):
        await reserve(db, budgets, intent("paid", "0.000001"), cap="0")


@pytest.mark.parametrize(
    ("state", "amount", "left"),
    [
        ("reserved", None, "0.06"),
        ("submitted", None, "0.06"),
        ("submitted", "0.08", "0.02"),
        ("settled", "0.01", "0.09"),
        ("settled", "0.09", "0.01"),
        ("settled", None, "0.06"),
        ("released", None, "0.10"),
        ("unknown", None, "0.06"),
    ],
)
async def test_each_state_leaves_its_part_of_the_cap(db, budgets, state, amount, left):
    await reserve(db, budgets, intent("first", "0.04"))
    await end(db, budgets, state, "first", amount)
    with pytest.raises(BudgetExceeded):
        await reserve(db, budgets, intent("more", str(Decimal(left) + Decimal("0.000001"))), cap="0.10")
    await reserve(db, budgets, intent("just", left), cap="0.10")


async def test_cap_is_that_of_one_generation(db, budgets):
    await reserve(db, budgets, intent("a", "0.09", generation_id="gen_2"), cap="0.10")
    await reserve(db, budgets, intent("b", "0.09"), cap="0.10")
    assert [row["id"] for row in await budgets.of_generations(["gen_1"])] == ["b"]


async def test_calls_side_by_side_cannot_both_pass_the_cap(db, budgets):
    calls = [reserve(db, budgets, intent(f"call_{n}", "0.06"), cap="0.10") for n in range(8)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["BudgetExceeded"] * 7 + ["tuple"]
    assert len(await budgets.of_generations(["gen_1"])) == 1


async def test_work_of_unknown_price_is_refused_under_a_cap(db, budgets):
    with pytest.raises(BudgetExceeded, match="price of gpt-image-2 is not known"):
        await reserve(db, budgets, intent(estimate=None), cap="100")


async def test_work_of_unknown_price_is_made_without_a_cap(db, budgets):
    await reserve(db, budgets, intent(estimate=None))
    assert (await budgets.get("call_1"))["estimate_usd"] is None


async def test_planner_of_unknown_price_is_ones_own(db, budgets):
    await reserve(db, budgets, intent(estimate=None, modality="chat", model="qwen3"), cap="0.01")
    assert (await budgets.get("call_1"))["state"] == "reserved"


# ---- what it adds up to ----------------------------------------------------------------------------------------------


def receipts(*states: tuple[str, str | None]) -> Iterable[dict[str, Any]]:
    return [{"state": state, "amount_usd": amount and Decimal(amount)} for state, amount in states]


@pytest.mark.parametrize(
    ("rows", "cost", "complete"),
    [
        ((), "0", True),
        ((("settled", "0.04"), ("settled", "0.000001")), "0.040001", True),
        ((("settled", "0"),), "0", True),
        ((("released", "0"),), "0", True),
        ((("settled", None),), None, False),
        ((("reserved", None),), None, False),
        ((("submitted", None),), None, False),
        ((("unknown", None),), None, False),
        ((("settled", "0.04"), ("unknown", None)), "0.04", False),
        ((("settled", "0.04"), ("released", "0")), "0.04", True),
        ((("settled", "0"), ("unknown", None)), None, False),
    ],
)
def test_unknown_is_not_zero(rows, cost, complete):
    found = spending(receipts(*rows))
    assert (found.cost_usd, found.complete) == (cost and Decimal(cost), complete)


def test_spending_keeps_every_digit():
    assert spending(receipts(*[("settled", "0.1")] * 3)) == Spending(Decimal("0.3"), complete=True)


def test_canonical_json_is_one_spelling():
    assert canonical_json({"b": Decimal("0.10"), "a": "é"}) == '{"a":"é","b":"0.10"}'
    assert canonical_json({"a": 1, "b": 2}) == canonical_json({"b": 2, "a": 1})
