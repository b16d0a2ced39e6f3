"""Sound on its way to a listener."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.generations.live import Live

pytestmark = pytest.mark.anyio


async def pieces() -> AsyncIterator[bytes]:
    """Three of them."""
    for piece in (b"1", b"2", b"3"):
        yield piece


async def test_listener_hears_all_of_it_and_its_end():
    live = Live()
    with live.opened("gen_1") as channel:
        assert [piece async for piece in live.heard("gen_1", pieces())] == [b"1", b"2", b"3"]
        assert [channel.get_nowait() for _ in range(channel.qsize())] == [b"1", b"2", b"3", None]


async def test_nothing_is_held_for_a_listener_who_is_gone():
    live = Live()
    with live.opened("gen_1") as channel:
        heard = live.heard("gen_1", pieces())
        await anext(heard)
    assert [piece async for piece in heard] == [b"2", b"3"]
    assert channel.qsize() == 1
