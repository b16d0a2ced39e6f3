"""The doctor: what is out of order is found, named and mended; what is under way is left alone."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.assembly import House
from app.db import assets, calls, driver_url, generations, now, workers
from app.errors import StoreFailed
from app.generations import doctor as doctors
from app.generations.sweep import Sweep
from tests.databases import Postgres
from tests.e2e.stage import Stage, types_of, wait_until
from tests.houses import OFFLINE, days_ago, doctor, files, house, ids, put_asset, put_call, put_generation
from tests.http.talk import LONG_CLIP
from tests.object_store import ObjectStore
from tests.server import Server
from tests.test_cli import IMAGE, impresario

pytestmark = pytest.mark.anyio
LONG_AGO = days_ago(2)
BEGUN_LONG_AGO = "created_at = '2026-01-01T00:00:00.000000+00:00'"


class Patient:
    """An open house, and a doctor beside it who is told the same settings."""

    def __init__(self, house: House, folder: Path, settings: dict[str, Any]) -> None:
        self.parts = house.parts
        self._folder = folder
        self._settings = settings

    async def examined(self, *, mend: bool = True) -> list[tuple[str, str, bool]]:
        """What the doctor finds: what, which, and whether it is left."""
        async with doctor(self._folder, **self._settings) as called:
            return [(each.what, each.which, each.left) for each in await called.examine(mend=mend)]


@pytest.fixture(params=["sqlite and files", "postgres and s3"])
async def patient(
    request,
    tmp_path: Path,
    postgres_server: Postgres,
    s3: ObjectStore,
    monkeypatch,
) -> AsyncIterator[Patient]:
    """A house without a sweep of its own, in which everything in the store is older than an hour."""

    async def idle(sweep: Sweep) -> None:
        pass

    monkeypatch.setattr(Sweep, "run", idle)
    settings: dict[str, Any] = {}
    if request.param == "postgres and s3":
        for name, value in s3.environment().items():
            monkeypatch.setenv(name, value)
        settings |= {"database_url": postgres_server.new_database(), "storage_url": f"{s3.new_bucket()}/works"}
    monkeypatch.setattr(doctors, "UNDER_WAY", dt.timedelta(seconds=-60))
    async with house(tmp_path, **settings) as opened:
        yield Patient(opened, tmp_path, settings)


def lost(name: str) -> tuple[str, str, bool]:
    """An asset that was found without bytes, and mended."""
    return ("an asset without bytes", f"asset_{name} (upload)", False)


def orphan(key: str) -> tuple[str, str, bool]:
    """Bytes that were found without an asset, and deleted."""
    return ("bytes without an asset", key, False)


async def rows(patient: Patient, table: sa.Table) -> list[dict[str, Any]]:
    """A table as it stands."""
    return [dict(row) for row in await patient.parts.db.rows(sa.select(table).order_by(table.c.id))]


# ---- assets ----------------------------------------------------------------------------------------------------------


async def test_nothing_is_found_where_all_is_well(patient):
    await put_generation(patient.parts, "gen_a", LONG_AGO)
    await put_asset(patient.parts, "asset_a", LONG_AGO, generation_id="gen_a")
    assert await patient.examined() == []


async def test_an_asset_without_bytes_loses_its_row_and_thumbnail(patient):
    for name in ("a", "b"):
        await put_asset(patient.parts, f"asset_{name}", LONG_AGO)
    await patient.parts.store.forget("asset_a")
    await patient.parts.store._put("thumbnails/asset_a.webp", b"RIFF")
    assert await patient.examined() == [lost("a")]
    assert await ids(patient.parts, assets) == ["asset_b"]
    assert await files(patient.parts) == ["assets/asset_b", "thumbnails/asset_b.webp"]
    assert await patient.examined() == []


async def test_bytes_without_an_asset_go(patient):
    await put_asset(patient.parts, "asset_a", LONG_AGO)
    for key in ("assets/asset_x", "thumbnails/asset_y.webp", "assets/letter.txt"):
        await patient.parts.store._put(key, b"?")
    found = await patient.examined()
    assert found == [orphan("assets/asset_x"), orphan("thumbnails/asset_y.webp")]
    assert await files(patient.parts) == ["assets/asset_a", "thumbnails/asset_a.webp"]
    assert await patient.parts.store._store.head_async("assets/letter.txt")  # nobody knows whose that is


async def test_young_bytes_may_still_get_their_row(patient, monkeypatch):
    monkeypatch.setattr(doctors, "UNDER_WAY", dt.timedelta(hours=1))
    await patient.parts.store._put("assets/asset_x", b"?")
    assert await patient.examined() == []


async def test_more_than_a_page_is_looked_at(patient, monkeypatch):
    monkeypatch.setattr(doctors, "PAGE", 3)
    for number in range(10):
        await put_asset(patient.parts, f"asset_{number}", LONG_AGO)
    await patient.parts.store.forget("asset_0")
    await patient.parts.store.forget("asset_9")
    assert await patient.examined() == [lost("0"), lost("9")]


async def test_a_store_without_any_of_the_assets_is_the_wrong_one(patient):
    for number in range(2):
        await put_asset(patient.parts, f"asset_{number}", LONG_AGO)
        await patient.parts.store.forget(f"asset_{number}")
    assert await patient.examined() == [("an asset without bytes", "2 of 2 assets", True)]
    assert len(await ids(patient.parts, assets)) == 2


async def test_a_database_without_any_of_the_files_is_the_wrong_one(patient):
    for number in range(2):
        await patient.parts.store._put(f"assets/asset_{number}", b"?")
    assert await patient.examined() == [("bytes without an asset", "2 of 2 files", True)]
    assert len(await files(patient.parts)) == 2


@pytest.mark.parametrize(
    ("lost", "seen", "wrong"), [(1, 1, False), (5, 6, False), (5, 5, True), (6, 12, False), (7, 13, True)]
)
def test_all_of_several_or_most_of_many_is_no_loss(lost, seen, wrong):
    assert doctors.suspicious(lost, seen) is wrong


async def test_a_store_that_does_not_answer_is_no_store_without_bytes(patient, monkeypatch):
    await put_asset(patient.parts, "asset_a", LONG_AGO)

    async def refusing(store: Any, path: str) -> None:
        raise PermissionError

    monkeypatch.setattr("app.assets.store.obstore.head_async", refusing)
    with pytest.raises(StoreFailed):
        await patient.examined()
    assert await ids(patient.parts, assets) == ["asset_a"]


# ---- money -----------------------------------------------------------------------------------------------------------


async def test_reservations_nobody_will_use_are_judged(patient):
    await put_generation(patient.parts, "gen_over", LONG_AGO)
    await put_generation(patient.parts, "gen_running", None, executor=patient.parts.executor)
    await put_call(patient.parts, "call_1_in_line", "gen_over", "reserved")
    await put_call(patient.parts, "call_2_left", "gen_over", "reserved", admitted_at=LONG_AGO)
    await put_call(patient.parts, "call_3_just_left", "gen_over", "reserved", admitted_at=now())
    await put_call(patient.parts, "call_4_of_nobody", "gen_gone", "reserved")
    await put_call(patient.parts, "call_5_running", "gen_running", "reserved", admitted_at=LONG_AGO)
    found = await patient.examined()
    assert [which for what, which, left in found if what == "a reservation without a call" and not left] == [
        "call_1_in_line",
        "call_2_left",
        "call_4_of_nobody",
    ]
    states = ["released", "unknown", "reserved", "released", "reserved"]
    assert [row["state"] for row in await rows(patient, calls)] == states


async def test_a_job_whose_generation_is_gone_is_cancelled(patient):
    job = {"ticket": {"job_id": "job_1"}, "job_id": "job_1", "submitted_at": LONG_AGO}
    await put_call(patient.parts, "call_1", "gen_gone", "submitted", **job)
    assert await patient.examined() == [("a job nobody waits for", "offline job_1", False)]
    assert [row["state"] for row in await rows(patient, calls)] == ["settled"]


async def test_a_job_that_cannot_be_cancelled_is_left(patient):
    job = {"ticket": {"job_id": "job_1"}, "job_id": "job_1", "submitted_at": LONG_AGO, "model": "gone"}
    await put_call(patient.parts, "call_1", "gen_gone", "submitted", **job)
    assert await patient.examined() == [("a job nobody waits for", "offline job_1", True)]


# ---- generations -----------------------------------------------------------------------------------------------------


async def test_a_deletion_that_broke_off_is_finished(patient):
    await put_generation(patient.parts, "gen_a", LONG_AGO, deleted_at=LONG_AGO)
    await put_generation(patient.parts, "gen_b", LONG_AGO, deleted_at=now())
    await put_asset(patient.parts, "asset_a", LONG_AGO, generation_id="gen_a")
    await put_call(patient.parts, "call_a", "gen_a", "settled")
    assert await patient.examined() == [("a deletion that broke off", "gen_a", False)]
    assert (await ids(patient.parts, generations), await files(patient.parts)) == (["gen_b"], [])
    assert [row["request"] for row in await rows(patient, calls)] == [None]


async def test_who_is_in_line_behind_others_is_in_order(patient):
    await put_generation(patient.parts, "gen_running", None, executor=patient.parts.executor)
    await put_generation(patient.parts, "gen_waiting", None, status="queued")
    assert await patient.examined() == []


async def test_what_nobody_works_on_is_told(tmp_path):
    async with house(tmp_path):
        pass
    async with doctor(tmp_path) as called:
        parts = called._parts
        await put_generation(parts, "gen_a", None, executor="worker_gone")
        await put_generation(parts, "gen_b", None, status="queued")
        await put_generation(parts, "gen_new", None, status="queued", created_at=now())
        found = await called.examine(mend=True)
    assert [(each.what, each.which, each.left) for each in found] == [
        ("a running generation nobody works on", "gen_a", True),
        ("a queued generation nobody works on", "gen_b", True),
    ]


async def test_what_a_silent_process_holds_is_told(tmp_path, postgres_server: Postgres):
    settings = {"database_url": postgres_server.new_database()}
    async with doctor(tmp_path, **settings) as called:
        parts = called._parts
        for worker, seen in (("worker_dead", LONG_AGO), ("worker_alive", now())):
            values = {"id": worker, "version": "1", "started_at": LONG_AGO, "seen_at": seen}
            await parts.db.write(lambda connection, values=values: connection.execute(sa.insert(workers), values))
            await put_generation(parts, f"gen_of_{worker}", None, executor=worker)
        found = await called.examine(mend=True)
    assert [each.which for each in found] == ["gen_of_worker_dead"]


# ---- the rest --------------------------------------------------------------------------------------------------------


async def test_what_lies_in_the_spool_for_a_day_goes(patient, tmp_path):
    for name, age_s in (("old", 2 * 86400), ("young", 3600)):
        file = tmp_path / "spool" / name
        file.touch()
        os.utime(file, (time.time() - age_s, time.time() - age_s))
    assert await patient.examined() == [("a file left in the spool", "old", False)]
    assert [file.name for file in (tmp_path / "spool").iterdir()] == ["young"]


async def test_a_dry_run_finds_the_same_and_changes_nothing(patient, tmp_path):
    await put_asset(patient.parts, "asset_a", LONG_AGO)
    await patient.parts.store.forget("asset_a")
    await patient.parts.store._put("assets/asset_x", b"?")
    await put_generation(patient.parts, "gen_a", LONG_AGO, deleted_at=LONG_AGO)
    await put_call(patient.parts, "call_a", "gen_gone", "reserved")
    job = {"ticket": {"job_id": "job_1"}, "job_id": "job_1", "submitted_at": LONG_AGO}
    await put_call(patient.parts, "call_b", "gen_gone", "submitted", **job)

    async def everything() -> list[Any]:
        return [await files(patient.parts), *[await rows(patient, each) for each in (generations, calls, assets)]]

    before = await everything()
    found = await patient.examined(mend=False)
    assert (len(found), {left for *_, left in found}, await everything() == before) == (5, {True}, True)
    assert [each[:2] for each in await patient.examined()] == [each[:2] for each in found]
    assert await patient.examined() == []


# ---- the command -----------------------------------------------------------------------------------------------------


def altered(url: str, statement: str) -> None:
    """Change a house's rows from outside."""
    engine = sa.create_engine(driver_url(url))
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def test_the_command_mends_and_says_what(tmp_path):
    assert impresario(tmp_path, "run", IMAGE, "--out", "made").returncode == 0
    assert impresario(tmp_path, "doctor").stdout.strip() == "All is well."
    [work] = (tmp_path / "data" / "assets" / "assets").iterdir()
    work.unlink()
    looked = impresario(tmp_path, "doctor", "--dry-run")
    mended = impresario(tmp_path, "doctor")
    again = impresario(tmp_path, "doctor")
    assert (looked.returncode, mended.returncode, again.returncode) == (1, 0, 0)
    assert (work.name in looked.stdout, work.name in mended.stdout) == (True, True)
    assert ("to be done" in looked.stdout, again.stdout.strip()) == (True, "All is well.")


def test_the_command_ends_with_1_when_something_is_left(tmp_path):
    assert impresario(tmp_path, "run", "hello").returncode == 0
    altered(f"sqlite:///{tmp_path}/data/impresario.db", f"UPDATE generations SET status = 'running', {BEGUN_LONG_AGO}")
    done = impresario(tmp_path, "doctor")
    assert (done.returncode, "when a server or worker is started" in done.stdout) == (1, True)


def test_the_command_where_nobody_has_worked_says_so(tmp_path):
    done = impresario(tmp_path, "doctor")
    assert (done.returncode, "There is nothing to look after" in done.stdout) == (2, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shared", [False, True], ids=["sqlite", "postgres"])
def test_a_generation_that_runs_is_left_alone(tmp_path, shared, postgres_server: Postgres):
    url = postgres_server.new_database() if shared else f"sqlite:///{tmp_path}/data/impresario.db"
    with Server(tmp_path, {**OFFLINE, "DATABASE_URL": url}) as server:
        stage = Stage(server, None)
        made, generation_id = stage.made(IMAGE), stage.begin(LONG_CLIP)
        wait_until(lambda: stage.get(generation_id)["steps"])
        altered(url, f"UPDATE generations SET {BEGUN_LONG_AGO}")  # everything looks as if it had been left
        done = impresario(tmp_path, "doctor", DATABASE_URL=url)
        assert (done.stdout.strip(), done.returncode) == ("All is well.", 0), done.stderr
        assert stage.get(generation_id)["status"] == "running"
        assert stage.content(stage.get(made["id"])["assets"][0])
        stage.cancel(generation_id)


def test_a_generation_goes_on_while_the_doctor_looks(tmp_path):
    with Server(tmp_path, OFFLINE) as server:
        stage = Stage(server, None)
        running = [stage.begin("A 5 second clip of waves") for _ in range(4)]
        while not all(stage.get(each)["completed_at"] for each in running):
            assert impresario(tmp_path, "doctor").returncode == 0
        ended = [stage.finished(each) for each in running]
        assert [(each["status"], types_of(each)) for each in ended] == [("completed", ["video"])] * 4
        assert all(stage.content(each["assets"][0]) for each in ended)


def test_provider_that_was_left_out_is_named_with_the_reason(tmp_path: Path):
    impresario(tmp_path, "run", IMAGE, "--out", str(tmp_path))
    done = impresario(tmp_path, "doctor", PROVIDERS="offline,opnai")
    assert (done.returncode, "There is no provider named opnai" in done.stdout) == (1, True)
