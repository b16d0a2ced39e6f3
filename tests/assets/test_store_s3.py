"""An S3 store that refuses, is gone or breaks off: each is said, in time, and none passes for a missing asset."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from app.assets.store import Store
from app.errors import StoreFailed
from tests.databases import HOST, lasting_port

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store_at(anyio_backend: str, bucket_url: str, tmp_path: Path) -> AsyncIterator[Callable[[str], Store]]:
    """Opens stores in this test's environment."""
    opened = []

    def open_store(url: str) -> Store:
        opened.append(Store(url, tmp_path / "spool"))
        return opened[-1]

    yield open_store
    for store in opened:
        await store.aclose()


async def read(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in stream])


async def test_bucket_that_is_not_there_refuses(store_at):
    with pytest.raises(StoreFailed, match="refused assets/asset_1"):
        await store_at("s3://no-such-bucket").keep("asset_1", b"bytes")


async def test_store_that_is_gone_says_so_in_time(store_at, bucket_url, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{lasting_port()}")
    store = store_at(bucket_url)
    begun = time.monotonic()
    uses = (read(store.stream("asset_1")), store.keep("asset_1", b"bytes"), store.forget("asset_1"))
    outcomes = await asyncio.gather(*uses, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreFailed] * 3
    assert time.monotonic() - begun < 60


async def test_store_that_breaks_off_says_so_and_is_used_again_when_it_is_back(store_at, s3, bucket_url):
    store = store_at(bucket_url)
    await store.keep("asset_1", bytes(32 * 1024**2))
    stream = store.stream("asset_1")
    await anext(stream)
    s3.stop_now()
    with pytest.raises(StoreFailed, match="did not give assets/asset_1"):
        await read(stream)
    s3.restart()
    await store.keep("asset_1", b"bytes")
    assert await read(store.stream("asset_1")) == b"bytes"
