"""Old age: what ended long ago goes with its files, and what is still needed stays."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from dbos import DBOS

from app.assembly import House
from app.db import assets, calls, generations
from app.errors import StoreFailed
from app.generations import retention
from app.generations.files import address_id
from app.generations.orders import Order
from app.generations.retention import NAME, Retention
from tests.databases import Postgres
from tests.e2e.stage import wait_until
from tests.houses import OFFLINE, days_ago, files, house, ids, put_asset, put_call, put_generation
from tests.server import Worker

pytestmark = pytest.mark.anyio
TEN_DAYS = 10
OLD, YOUNG = days_ago(11), days_ago(9)


@pytest.fixture(params=["sqlite", "postgres"])
async def open_house(request, tmp_path: Path, postgres_server: Postgres) -> AsyncIterator[House]:
    """A house without an age limit of its own, on each kind of database."""
    url = None if request.param == "sqlite" else postgres_server.new_database()
    async with house(tmp_path, database_url=url) as opened:
        yield opened


async def age(house: House) -> tuple[int, int]:
    """One pass over everything."""
    return await Retention(house.parts, house.service).once(TEN_DAYS)


# ---- generations -----------------------------------------------------------------------------------------------------


async def test_what_ended_long_ago_goes_with_its_files_and_the_rest_stays(open_house):
    parts = open_house.parts
    for generation_id, ended in (("gen_old", OLD), ("gen_young", YOUNG)):
        await put_generation(parts, generation_id, ended)
        await put_asset(parts, f"asset_{generation_id}", ended, generation_id=generation_id)
        await put_call(parts, f"call_{generation_id}", generation_id, "settled", amount_usd=Decimal("0.04"))
    assert await age(open_house) == (1, 0)
    assert (await ids(parts, generations), await ids(parts, assets)) == (["gen_young"], ["asset_gen_young"])
    assert await files(parts) == ["assets/asset_gen_young", "thumbnails/asset_gen_young.webp"]
    receipts = await parts.db.rows(sa.select(calls).order_by(calls.c.id))
    assert [(str(row["amount_usd"]), row["request"] is None) for row in receipts] == [("0.04", True), ("0.04", False)]


async def test_what_really_was_made_goes_too(open_house):

    parts, service = open_house.parts, open_house.service
    generation_id, _ = await service.start("", Order(prompt="An image of a cat, 256x256"))
    assert (await service.wait("", generation_id, 60)).row["status"] == "completed"
    assert len(await files(parts)) == 1
    backdated = sa.update(generations).values(completed_at=OLD)
    await parts.db.write(lambda connection: connection.execute(backdated))
    assert await age(open_house) == (1, 0)
    assert (await files(parts), await DBOS.get_workflow_status_async(generation_id)) == ([], None)


async def test_what_is_not_over_stays_with_what_it_goes_on_from(open_house):
    parts = open_house.parts
    for generation_id in ("gen_first", "gen_second", "gen_maker", "gen_other"):
        previous = "gen_first" if generation_id == "gen_second" else None
        await put_generation(parts, generation_id, OLD, previous_id=previous)
        await put_asset(parts, f"asset_{generation_id}", OLD, generation_id=generation_id)
    named = {"previous_id": "gen_second", "inputs": ["asset_gen_maker"]}
    await put_generation(parts, "gen_running", None, created_at=OLD, executor=parts.executor, **named)
    assert await age(open_house) == (1, 0)
    assert await ids(parts, generations) == ["gen_first", "gen_maker", "gen_running", "gen_second"]


async def test_its_late_jobs_are_cancelled(open_house):
    parts = open_house.parts
    await put_generation(parts, "gen_old", OLD)
    ticket = {"ticket": {"job_id": "job"}, "job_id": "job", "submitted_at": days_ago(0.01)}
    await put_call(parts, "call_late", "gen_old", "submitted", **ticket)
    await age(open_house)
    assert [row["state"] for row in await parts.db.rows(sa.select(calls))] == ["settled"]


async def test_one_that_cannot_be_deleted_keeps_no_other_from_it(open_house, monkeypatch):
    parts, forget = open_house.parts, open_house.parts.store.forget
    for generation_id in ("gen_a", "gen_b", "gen_c"):
        await put_generation(parts, generation_id, OLD)
        await put_asset(parts, f"asset_{generation_id}", OLD, generation_id=generation_id)

    async def refusing(asset_id: str) -> None:
        if asset_id == "asset_gen_b":
            raise StoreFailed("The asset store refused.")
        await forget(asset_id)

    monkeypatch.setattr(parts.store, "forget", refusing)
    assert await age(open_house) == (2, 0)
    assert await ids(parts, generations) == ["gen_b"]  # out of sight, and the sweep tries again


async def test_more_than_a_page_goes(open_house, monkeypatch):
    monkeypatch.setattr(retention, "PAGE", 2)
    for number in range(5):
        await put_generation(open_house.parts, f"gen_{number}", OLD)
        await put_asset(open_house.parts, f"asset_{number}", OLD)
    assert await age(open_house) == (5, 5)


# ---- uploads ---------------------------------------------------------------------------------------------------------


async def test_uploads_go_when_no_generation_that_is_left_names_them(open_house):
    parts = open_house.parts
    for upload in ("asset_unused", "asset_of_the_old", "asset_of_the_young"):
        await put_asset(parts, upload, OLD)
    await put_asset(parts, "asset_new", YOUNG)
    await put_generation(parts, "gen_old", OLD, inputs=["asset_of_the_old"])
    await put_generation(parts, "gen_young", YOUNG, inputs=["asset_of_the_young"])
    assert await age(open_house) == (1, 2)
    left = ["asset_new", "asset_of_the_young"]
    assert await ids(parts, assets) == left
    assert [key for key in await files(parts) if key.startswith("assets/")] == [f"assets/{each}" for each in left]


async def test_upload_that_came_from_an_address_stays_with_what_was_made_of_it(open_house):
    parts, made = open_house.parts, "gen_01kaj5v3m8f7q2n4d6s8t0w2y4"
    fetched = address_id(made, "https://example.com/cat.png")
    for upload in (fetched, "asset_parent", "asset_unused"):
        await put_asset(parts, upload, OLD)
    await put_generation(parts, made, YOUNG, inputs=["https://example.com/cat.png"])
    await put_asset(parts, "asset_child", YOUNG, generation_id=made, parent_ids=["asset_parent"])
    assert await age(open_house) == (0, 1)
    assert await ids(parts, assets) == sorted(["asset_child", "asset_parent", fetched])


# ---- the schedule ----------------------------------------------------------------------------------------------------


async def passes() -> list[str]:
    """The passes the engine remembers."""
    return [each.workflow_id for each in await DBOS.list_workflows_async(name=NAME)]


async def until(holds, seconds: float = 20.0) -> None:
    """Wait for something."""

    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.05)


async def test_a_house_with_a_limit_is_called_every_hour(tmp_path):
    async with house(tmp_path, retention_days=TEN_DAYS):
        scheduled = await DBOS.get_schedule_async(NAME)
        assert (scheduled["schedule"], scheduled["context"], scheduled["status"]) == ("0 * * * *", TEN_DAYS, "ACTIVE")


async def test_a_house_without_a_limit_is_not_called_any_more(tmp_path):
    async with house(tmp_path, retention_days=TEN_DAYS):
        assert len(await passes()) == 1
    async with house(tmp_path):
        assert (await DBOS.get_schedule_async(NAME), await passes()) == (None, [])


async def test_another_limit_replaces_the_one_before(tmp_path):
    async with house(tmp_path, retention_days=TEN_DAYS):
        pass
    async with house(tmp_path, retention_days=3):
        assert [each["context"] for each in await DBOS.list_schedules_async()] == [3]


async def test_a_start_makes_up_for_the_hour_before_and_forgets_older_passes(tmp_path):
    async with house(tmp_path) as opened:
        await put_generation(opened.parts, "gen_old", OLD)
    async with house(tmp_path, retention_days=TEN_DAYS) as opened:

        async def gone() -> bool:
            return await ids(opened.parts, generations) == []

        await until(gone)
        [first] = await passes()
        hours_later = dt.datetime.fromisoformat(first.removeprefix(f"sched-{NAME}-")) + dt.timedelta(hours=5.5)
        await put_generation(opened.parts, "gen_older", OLD)
        DBOS.backfill_schedule(NAME, hours_later - dt.timedelta(hours=1), hours_later)
        await until(gone)

        async def forgotten() -> bool:
            return len(await passes()) == 1

        await until(forgotten)
        assert await passes() != [first]


@contextmanager
def two_workers(folder: Path, url: str) -> Iterator[None]:
    """Two processes with the same limit."""
    settings = {**OFFLINE, "DATABASE_URL": url, "STORAGE_URL": folder.as_uri(), "RETENTION_DAYS": "10"}
    with Worker(folder / "first", settings), Worker(folder / "second", settings):
        yield


def test_of_several_processes_one_is_called(tmp_path, postgres_server: Postgres):
    url = postgres_server.new_database()
    with two_workers(tmp_path, url), psycopg.connect(url, autocommit=True) as db:
        noted = "SELECT count(*), count(*) FILTER (WHERE status = 'SUCCESS') FROM dbos.workflow_status WHERE name = %s"
        wait_until(lambda: db.execute(noted, [NAME]).fetchone() == (1, 1), "one pass")
