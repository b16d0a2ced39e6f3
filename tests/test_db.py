"""The database: what goes in comes out, transactions hold, and the migrations make the tables the code knows."""

import asyncio
import datetime as dt
import threading
from decimal import Decimal
from functools import partial

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from app.db import Database, assets, calls, driver_url, events, generations, metadata, now, rows_of
from tests.doubles import add_generation, asset_row, database, intent

pytestmark = pytest.mark.anyio


async def insert(db: Database, table: sa.Table, *rows: dict[str, object]) -> None:
    await db.write(lambda connection: connection.execute(sa.insert(table), rows))


async def stored(db: Database, table: sa.Table, **values: object) -> dict[str, object]:
    """The row that comes out when this one goes in."""
    await insert(db, table, values)
    row = await db.row(sa.select(table))
    assert row is not None
    return dict(row)


# ---- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:////tmp/x.db", "sqlite"),
        ("sqlite+pysqlite:////tmp/x.db", "sqlite"),
        ("postgres://u:p@host/db", "postgresql+psycopg"),
        ("postgresql://u:p@host/db", "postgresql+psycopg"),
        ("postgresql+asyncpg://u:p@host/db", "postgresql+psycopg"),
    ],
)
def test_driver_is_the_one_that_comes_along(url, driver):
    assert driver_url(url).drivername == driver


def test_password_survives_the_change_of_driver():
    assert driver_url("postgres://u:p%40ss@host:5433/db?sslmode=require").password == "p@ss"


async def test_directory_of_the_file_is_made(tmp_path):
    async with database(tmp_path / "new" / "place"):
        assert (tmp_path / "new" / "place" / "test.db").exists()


# ---- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", ["0", "0.000001", "0.1", "1E-7", "1E+3", "12345678901234567890.123456"])
async def test_money_is_exact(db, amount):
    row = await stored(db, assets, **asset_row("asset_1", cost_usd=Decimal(amount)))
    assert row["cost_usd"] == Decimal(amount)
    assert "E" not in str(await db.row(sa.select(sa.literal_column("cost_usd")).select_from(assets)))


async def test_money_not_known_is_null(db):
    assert (await stored(db, assets, **asset_row("asset_1", cost_usd=None)))["cost_usd"] is None


async def test_time_comes_back_aware_and_equal(db):
    moment = dt.datetime(2026, 11, 20, 12, 30, 15, 123_456, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    row = await stored(db, assets, **asset_row("asset_1", created_at=moment))
    assert row["created_at"] == moment
    assert row["created_at"].utcoffset() == dt.timedelta(0)


async def test_times_sort_as_they_pass(db):
    early = dt.datetime(2026, 11, 20, 23, 0, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    late = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)
    await insert(db, assets, asset_row("asset_late", created_at=late), asset_row("asset_early", created_at=early))
    rows = await db.rows(sa.select(assets.c.id).order_by(assets.c.created_at))
    assert [row["id"] for row in rows] == ["asset_early", "asset_late"]


async def test_json_that_is_none_is_null(db):
    values = {**intent().__dict__, "request": None, "state": "reserved", "created_at": now()}
    await stored(db, calls, **values)
    assert await db.row(sa.select(calls.c.id).where(calls.c.request.is_(None))) == {"id": "call_1"}


async def test_text_of_any_script_comes_back(db):
    await add_generation(db, "gen_1", prompt="猫 🦊 \u202e ñ")
    row = await db.row(sa.select(generations))
    assert row is not None
    assert row["prompt"] == "猫 🦊 \u202e ñ"


# ---- transactions ----------------------------------------------------------------------------------------------------


async def test_transaction_that_raises_leaves_nothing(db):
    def broken_off(connection: sa.Connection) -> None:
        connection.execute(sa.insert(assets), asset_row("asset_1"))
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        await db.write(broken_off)
    assert await db.rows(sa.select(assets)) == []


async def test_reader_does_not_wait_for_a_writer(db):
    inserted, seen = threading.Event(), threading.Event()

    def writing(connection: sa.Connection) -> None:
        connection.execute(sa.insert(assets), asset_row("asset_1"))
        inserted.set()
        seen.wait(30)

    written = asyncio.create_task(db.write(writing))
    await asyncio.to_thread(inserted.wait, 30)
    assert await asyncio.wait_for(db.rows(sa.select(assets)), 5) == []
    seen.set()
    await written
    assert len(await db.rows(sa.select(assets))) == 1


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
async def test_writers_side_by_side_take_turns(db, where):
    def adding(connection: sa.Connection, name: str) -> None:
        before = connection.execute(sa.select(sa.func.count()).select_from(assets)).scalar_one()
        connection.execute(sa.insert(assets), asset_row(name, bytes=before))

    async with database(where) as another:
        names = [(writer, f"asset_{number}") for number, writer in enumerate([db, another] * 4)]
        await asyncio.gather(*(writer.write(partial(adding, name=name)) for writer, name in names))
    rows = await db.rows(sa.select(assets.c.bytes).order_by(assets.c.bytes))
    assert [row["bytes"] for row in rows] == list(range(8))


async def test_insert_once_keeps_the_row_that_is_there(db):
    rows = [asset_row("asset_1", type=kind) for kind in ("image", "video")]
    new = [await db.write(partial(db.insert_once, table=assets, values=row)) for row in rows]
    assert new == [True, False]
    assert [row["type"] for row in await db.rows(sa.select(assets))] == ["image"]


async def test_event_ids_are_never_used_again(db):
    async def add(key: str) -> int:
        values = {"generation_id": "gen_1", "key": key, "name": "x", "data": {}, "created_at": now()}
        inserting = sa.insert(events).returning(events.c.id)
        return await db.write(lambda connection: int(connection.execute(inserting, values).scalar_one()))

    first = await add("a")
    await db.write(lambda connection: connection.execute(sa.delete(events)))
    assert await add("b") > first


async def test_row_that_is_not_there_is_none(db):
    assert await db.row(sa.select(assets)) is None


# ---- migrations ------------------------------------------------------------------------------------------------------


async def test_migrations_make_the_tables_the_code_knows(db):
    def differences(connection: sa.Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))

    assert await db.read(differences) == []


async def test_migrating_again_changes_nothing(db):
    await add_generation(db, "gen_1")
    await db.migrate()
    assert len(await db.rows(sa.select(generations))) == 1


async def test_migrating_side_by_side_is_migrating_once(tmp_path):
    databases = [Database(f"sqlite:///{tmp_path / 'test.db'}") for _ in range(3)]
    await asyncio.gather(*(db.migrate() for db in databases))
    assert await databases[0].rows(sa.select(generations)) == []
    await asyncio.gather(*(db.aclose() for db in databases))


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
async def test_receipts_outlive_a_power_cut(db):
    def pragmas(connection: sa.Connection) -> list[object]:
        names = ("journal_mode", "synchronous")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert await db.write(pragmas) == ["wal", 2]  # 2: FULL


async def test_each_query_of_a_reader_sees_what_is_committed_by_then(db):
    looked, written = threading.Event(), threading.Event()

    def reading(connection: sa.Connection) -> list[int]:
        first = rows_of(connection, sa.select(assets))
        looked.set()
        written.wait(30)
        return [len(first), len(rows_of(connection, sa.select(assets)))]

    found = asyncio.create_task(db.read(reading))
    await asyncio.to_thread(looked.wait, 30)
    await insert(db, assets, asset_row("asset_1"))
    written.set()
    assert await found == [0, 1]


async def test_closing_lets_what_is_asked_for_be_written(tmp_path):
    async with database(tmp_path) as db:
        writes = [asyncio.create_task(insert(db, assets, asset_row(f"asset_{number}"))) for number in range(5)]
        await asyncio.sleep(0)
    await asyncio.gather(*writes)
    async with database(tmp_path) as db:
        assert len(await db.rows(sa.select(assets))) == 5
