"""How a run begins: taken on first, and only then with what it was given fetched."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
import respx
import sqlalchemy as sa

from app.db import generations
from app.generations.orders import Order
from tests.houses import house

pytestmark = pytest.mark.anyio


async def test_run_is_taken_on_before_its_inputs_are_fetched(tmp_path: Path):
    asked, let_go = asyncio.Event(), asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        asked.set()
        await let_go.wait()
        return httpx.Response(200, content=b"Once upon a time.")

    with respx.mock(using="httpcore") as web:
        web.get("https://93.184.216.34/a.txt").mock(side_effect=slow)
        async with house(tmp_path) as opened:
            order = Order(prompt="Read it.", inputs=("https://93.184.216.34/a.txt",))
            generation_id, _ = await opened.service.start("", order)
            await asyncio.wait_for(asked.wait(), 10)
            row = await opened.parts.db.row(sa.select(generations))
            let_go.set()
            await opened.service.wait("", generation_id, 10)
    assert (row["status"], row["executor"], row["attempts"]) == ("running", opened.parts.executor, 1)
