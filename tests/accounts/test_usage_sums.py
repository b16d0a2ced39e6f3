"""What receipts add up to: by day, vendor, model, key and modality; and what is not known is counted apart."""

import datetime as dt
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from app.accounts.usage import PAGE, Doubt, Usage, usage
from app.db import Database, calls
from tests.doubles import intent

pytestmark = pytest.mark.anyio

TODAY = dt.date(2026, 11, 20)
NOON = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)


def receipt(call_id: str = "call_1", **values: Any) -> dict[str, Any]:
    """A row of the calls, settled for four cents at noon unless told otherwise."""
    settled = {"state": "settled", "amount_usd": Decimal("0.04"), "created_at": NOON}
    return {**intent(call_id).__dict__, "warnings": None, **settled, **values}


async def added(db: Database, *rows: dict[str, Any], by: str = "", owner: str = "", days: int = 1) -> Usage:
    """What these receipts add up to, up to today."""

    def adding(connection: sa.Connection) -> None:
        for row in rows:
            connection.execute(sa.insert(calls), row)

    await db.write(adding)
    first = TODAY - dt.timedelta(days=days - 1)
    return await db.read(partial(usage, owner=owner, first=first, last=TODAY, by=by.split()))


async def test_amounts_are_added_exactly(db):
    found = await added(db, *(receipt(f"call_{n}", amount_usd=Decimal("0.1")) for n in range(10)))
    assert (found.total.calls, found.total.known_usd, found.groups) == (10, Decimal("1.0"), {})


async def test_groups_are_named_by_the_words_asked_for_in_their_order(db):
    rows = [receipt("call_1"), receipt("call_2", vendor="runway", model="gen4.5", modality="video")]
    found = await added(db, *rows, by="modality key vendor day model")
    assert list(found.groups) == [
        ("image", "anonymous", "openai", "2026-11-20", "gpt-image-2"),
        ("video", "anonymous", "runway", "2026-11-20", "gen4.5"),
    ]


async def test_a_call_counts_on_the_day_it_was_begun_in_utc(db):
    begun = {
        "before": "2026-11-18T23:59:59.999999+00:00",
        "first": "2026-11-19T00:00:00+00:00",
        "abroad": "2026-11-20T00:30:00+01:00",
        "last": "2026-11-20T23:59:59.999999+00:00",
        "after": "2026-11-21T00:00:00+00:00",
    }
    rows = [receipt(name, created_at=dt.datetime.fromisoformat(at)) for name, at in begun.items()]
    found = await added(db, *rows, by="day", days=2)
    assert {name: figures.calls for name, figures in found.groups.items()} == {("2026-11-19",): 2, ("2026-11-20",): 1}


async def test_more_than_a_page_is_read_to_its_end(db):
    at = [NOON + dt.timedelta(seconds=n // 3) for n in range(2 * PAGE + 1)]
    found = await added(db, *(receipt(f"call_{n}", created_at=moment) for n, moment in enumerate(at)))
    assert found.total.calls == 2 * PAGE + 1


async def test_a_full_page_of_the_same_moment_is_counted_once(db):
    found = await added(db, *(receipt(f"call_{n}") for n in range(PAGE)))
    assert found.total.calls == PAGE


async def test_another_owners_calls_are_not_counted(db):
    rows = [receipt("call_1"), receipt("call_2", owner="key_1"), receipt("call_3", owner="key_1")]
    assert (await added(db, *rows)).total.calls == 1
    assert list((await added(db, owner="key_1", by="key")).groups) == [("key_1",)]


@pytest.mark.parametrize(
    ("values", "kind", "cost"),
    [
        ({"state": "reserved"}, "open", None),
        ({"state": "submitted"}, "open", None),
        ({"state": "unknown"}, "unknown", None),
        ({"state": "settled"}, "unpriced", None),
        ({"state": "released", "amount_usd": Decimal(0)}, None, Decimal(0)),
        ({"state": "settled", "amount_usd": Decimal(0), "amount_source": "reused"}, None, Decimal(0)),
    ],
)
async def test_what_is_not_known_is_counted_apart_with_what_it_may_come_to(db, values, kind, cost):
    total = (await added(db, receipt(**{"amount_usd": None, **values}))).total
    expected = {
        name: Doubt(1, Decimal("0.04")) if name == kind else Doubt() for name in ("open", "unknown", "unpriced")
    }
    assert {name: getattr(total, name) for name in expected} == expected
    assert (total.spending.cost_usd, total.spending.complete) == (cost, kind is None)


async def test_what_is_known_is_told_beside_what_is_not(db):
    total = (await added(db, receipt("call_1"), receipt("call_2", state="unknown", amount_usd=None))).total
    assert (total.spending.cost_usd, total.spending.complete) == (Decimal("0.04"), False)


async def test_calls_of_which_one_has_no_estimate_may_come_to_anything(db):
    lost = {"state": "unknown", "amount_usd": None}
    rows = [receipt("call_1", **lost), receipt("call_2", estimate_usd=None, **lost), receipt("call_3", **lost)]
    assert (await added(db, *rows)).total.unknown == Doubt(3, None)


async def test_tokens_are_added_as_far_as_they_were_reported(db):
    rows = [
        receipt("call_1", usage={"input_tokens": 100, "output_tokens": 20}),
        receipt("call_2", usage={"input_tokens": 5, "output_tokens": None}),
        receipt("call_3", usage=None),
    ]
    total = (await added(db, *rows)).total
    assert (total.input_tokens, total.output_tokens) == (105, 20)


async def test_nothing_costs_nothing(db):
    total = (await added(db)).total
    assert (total.calls, total.spending.cost_usd, total.spending.complete) == (0, Decimal(0), True)
