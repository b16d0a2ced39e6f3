"""An open application inside a test's own process, with the offline stand-in; and rows and files to put into it."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dbos import _dbos

from app.assembly import House, open_doctor, open_house
from app.db import assets, calls, generations, now
from app.generations.doctor import Doctor
from app.generations.parts import Parts
from app.settings import Settings
from app.telemetry import Metrics
from providers.base import Family
from tests.doubles import asset_row

OFFLINE = {"OFFLINE": "true"}
Row = dict[str, Any]


def settings_of(folder: Path, **settings: Any) -> Settings:
    """The settings of a house in a folder, and none of the machine's."""
    return Settings(_env_file=None, data_dir=folder, **settings)


@asynccontextmanager
async def house(
    folder: Path,
    families: Iterable[type[Family]] | None = None,
    metrics: Metrics | None = None,
    **settings: Any,
) -> AsyncIterator[House]:
    """An open house. There is one in a process at a time."""
    _dbos._get_or_create_dbos_registry().instance_info_map.clear()  # a program opens one only once
    async with open_house(settings_of(folder, **settings), OFFLINE, metrics or Metrics(), families) as opened:
        yield opened


@asynccontextmanager
async def doctor(folder: Path, **settings: Any) -> AsyncIterator[Doctor]:
    """The doctor of a house, which may be open."""
    async with open_doctor(settings_of(folder, **settings), OFFLINE) as opened:
        yield opened


def days_ago(days: float) -> dt.datetime:
    """A time that long gone."""
    return now() - dt.timedelta(days=days)


async def put(parts: Parts, table: sa.Table, values: Row) -> None:
    """Write a row."""
    await parts.db.write(lambda connection: connection.execute(sa.insert(table), values))


async def put_generation(parts: Parts, generation_id: str, ended: dt.datetime | None, **values: Any) -> None:
    """A generation that ended then, or that is not over."""
    inputs = values.pop("inputs", [])
    row = {
        "id": generation_id,
        "owner": "",
        "status": "running" if ended is None else "completed",
        "prompt": "A cat.",
        "request": {"inputs": inputs, "models": {}, "metadata": {}, "max_steps": 10, "max_cost_usd": None},
        "request_digest": "digest",
        "warnings": [],
        "created_at": ended or days_ago(1),
        "completed_at": ended,
    }
    await put(parts, generations, {**row, **values})


async def put_asset(parts: Parts, asset_id: str, made: dt.datetime, **values: Any) -> None:
    """An asset with bytes and a thumbnail; an upload unless it is told of which generation it is."""
    for key in (f"assets/{asset_id}", f"thumbnails/{asset_id}.webp"):
        await parts.store._put(key, b"\x89PNG")
    await put(parts, assets, asset_row(asset_id, created_at=made, **values))


async def put_call(parts: Parts, call_id: str, generation_id: str, state: str, **values: Any) -> None:
    """A receipt."""
    row = {
        "id": call_id,
        "generation_id": generation_id,
        "step_id": "step_1",
        "vendor": "offline",
        "model": "offline-video",
        "modality": "video",
        "request_digest": "digest",
        "request": {"prompt": "A secret wish."},
        "state": state,
        "created_at": days_ago(1),
    }
    await put(parts, calls, {**row, **values})


async def ids(parts: Parts, table: sa.Table) -> list[str]:
    """The ids in a table, sorted."""
    return sorted(row["id"] for row in await parts.db.rows(sa.select(table.c.id)))


async def files(parts: Parts) -> list[str]:
    """What lies in the store, sorted."""
    return sorted([kept.key async for page in parts.store.listing() for kept in page])
