"""Records: the rows about assets, and that one owner's are not there for another."""

import pytest
import sqlalchemy as sa

from app.assets.records import Records
from app.db import Database
from app.errors import NotFound
from tests.doubles import asset_row

pytestmark = pytest.mark.anyio


@pytest.fixture
def records(db: Database) -> Records:
    return Records(db)


async def add(db: Database, *rows: dict[str, object]) -> None:
    def adding(connection: sa.Connection) -> None:
        for row in rows:
            Records(db).add(connection, row)

    await db.write(adding)


async def test_asset_is_read_back(db, records):
    await add(db, asset_row("asset_1", parameters={"n": 1}, parent_ids=["asset_0"]))
    row = await records.get("", "asset_1")
    assert (row["type"], row["parameters"], row["parent_ids"]) == ("image", {"n": 1}, ["asset_0"])


async def test_asset_added_again_stays_as_it_is(db, records):
    await add(db, asset_row("asset_1", bytes=3), asset_row("asset_1", bytes=4))
    assert (await records.get("", "asset_1"))["bytes"] == 3


@pytest.mark.parametrize("reader", ["stranger", ""])
async def test_asset_of_another_owner_is_not_there(db, records, reader):
    await add(db, asset_row("asset_1", owner="owner"))
    with pytest.raises(NotFound, match="asset_1"):
        await records.get(reader, "asset_1")
    with pytest.raises(NotFound, match="asset_1"):
        await records.some(reader, ["asset_1"])
    assert await records.page(reader, limit=10) == []


async def test_work_accepted_may_read_the_asset_of_any_owner(db, records):
    await add(db, asset_row("asset_1", owner="owner"))
    assert (await records.any_owner("asset_1"))["owner"] == "owner"
    with pytest.raises(NotFound, match="asset_9"):
        await records.any_owner("asset_9")


async def test_several_assets_come_in_the_order_asked_for(db, records):
    await add(db, *(asset_row(f"asset_{n}") for n in range(4)))
    found = await records.some("", ["asset_2", "asset_0", "asset_2"])
    assert [row["id"] for row in found] == ["asset_2", "asset_0", "asset_2"]
    assert await records.some("", []) == []


async def test_first_of_several_that_is_missing_is_named(db, records):
    await add(db, asset_row("asset_1"))
    with pytest.raises(NotFound, match="asset_7"):
        await records.some("", ["asset_1", "asset_7", "asset_8"])


async def test_assets_are_grouped_by_generation_in_the_order_of_their_calls(db, records):
    made = {"asset_a": "step_1_02", "asset_b": "step_1_01", "asset_c": "step_1_03"}
    await add(db, *(asset_row(name, generation_id="gen_1", call_id=call) for name, call in made.items()))
    grouped = await records.of_generations(["gen_1", "gen_2"])
    assert [row["id"] for row in grouped["gen_1"]] == ["asset_b", "asset_a", "asset_c"]
    assert grouped["gen_2"] == []


async def test_pages_go_from_the_newest_to_the_oldest(db, records):
    await add(db, *(asset_row(f"asset_{n}") for n in range(5)))
    first = await records.page("", limit=2)
    second = await records.page("", limit=10, before=first[-1]["id"])
    assert [row["id"] for row in first] == ["asset_4", "asset_3"]
    assert [row["id"] for row in second] == ["asset_2", "asset_1", "asset_0"]


async def test_page_shows_one_type(db, records):
    await add(db, asset_row("asset_1"), asset_row("asset_2", type="video"), asset_row("asset_3"))
    assert [row["id"] for row in await records.page("", limit=10, type="image")] == ["asset_3", "asset_1"]


async def test_removed_asset_is_gone(db, records):
    await add(db, asset_row("asset_1"), asset_row("asset_2"))
    await records.remove("asset_1")
    await records.remove("asset_1")
    assert [row["id"] for row in await records.page("", limit=10)] == ["asset_2"]
