"""Keeping what was made: beside what is there already."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from app.db import calls, now, steps
from app.generations.keeping import Keeper
from tests.doubles import add_generation, asset_row, open_parts
from tests.houses import put, put_call

pytestmark = pytest.mark.anyio


async def test_work_that_comes_late_is_put_beside_the_others_of_its_step(tmp_path: Path):
    async with open_parts(tmp_path) as parts:
        await add_generation(parts.db, "gen_1")
        place = {"generation_id": "gen_1", "turn": 1, "position": 1, "kind": "tool", "name": "generate_image"}
        row = {"id": "step_1", **place, "status": "completed", "asset_ids": ["asset_1"], "started_at": now()}
        await put(parts, steps, row)
        await put_call(parts, "step_1.1.1", "gen_1", "submitted")
        receipt = await parts.db.row(sa.select(calls))
        await Keeper(parts).record(receipt, [asset_row("asset_2", generation_id="gen_1")], None, None, [])
        assert (await parts.db.row(sa.select(steps)))["asset_ids"] == ["asset_1", "asset_2"]
