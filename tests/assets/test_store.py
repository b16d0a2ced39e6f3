"""The store: streamed in and out, nothing left behind, and each way it can fail told apart."""

import asyncio
import hashlib
import io
import os
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from app.assets.probe import Facts
from app.assets.store import CHUNK_BYTES, STALE_SPOOL_S, Store
from app.errors import NotFound, StoreFailed, TooLarge, UnsupportedMedia

pytestmark = pytest.mark.anyio


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture(params=["memory", "file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        return request.getfixturevalue("bucket_url")
    return "memory://" if request.param == "memory" else (tmp_path / "My Wörks #1" / "assets").as_uri()


@pytest.fixture
async def store(anyio_backend: str, url: str, spool: Path) -> AsyncIterator[Store]:
    store = Store(url, spool)
    yield store
    await store.aclose()


@pytest.fixture
async def on_disk(anyio_backend: str, tmp_path: Path, spool: Path) -> AsyncIterator[Store]:
    """A store whose files a test can get at, in `tmp_path / "store"`."""
    store = Store((tmp_path / "store").as_uri(), spool)
    yield store
    await store.aclose()


def png(side: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (200, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def read(store: Store, asset_id: str = "asset_1", *bounds: int) -> bytes:
    return b"".join([chunk async for chunk in store.stream(asset_id, *bounds)])


# ---- in --------------------------------------------------------------------------------------------------------------


async def test_file_comes_in_by_pieces_and_is_described(store, spool):
    whole = png()
    async with store.spooled(pieces(whole[:10], whole[10:], b""), max_bytes=1000) as file:
        assert file.path.read_bytes() == whole
        assert (file.bytes, file.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
        assert file.facts == Facts("image", "image/png", 8, 8)
    assert list(spool.iterdir()) == []


async def test_spool_is_emptied_after_an_error_of_the_user(store, spool):
    async def kept_badly() -> None:
        async with store.spooled(pieces(png()), max_bytes=1000):
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        await kept_badly()
    assert list(spool.iterdir()) == []


async def test_spool_is_emptied_when_the_source_breaks_off(store, spool):
    async def broken() -> AsyncIterator[bytes]:
        yield png()
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await store.spooled(broken(), max_bytes=1000).__aenter__()
    assert list(spool.iterdir()) == []


async def test_spool_is_emptied_when_the_bytes_are_of_no_known_kind(store, spool):
    with pytest.raises(UnsupportedMedia):
        await store.spooled(pieces(b"PK\x03\x04", bytes(100)), max_bytes=1000).__aenter__()
    assert list(spool.iterdir()) == []


async def test_spool_is_emptied_when_the_task_is_cancelled(store, spool):
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield png()
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(store.spooled(endless(), max_bytes=1000).__aenter__())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(spool.iterdir()) == []


async def test_file_too_large_stops_at_the_first_byte_too_many(store, spool):
    taken = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            taken.append(1)
            yield bytes(100)

    with pytest.raises(TooLarge, match="larger than 250 bytes"):
        await store.spooled(endless(), max_bytes=250).__aenter__()
    assert len(taken) == 3
    assert list(spool.iterdir()) == []


async def test_file_of_exactly_the_limit_is_taken(store):
    async with store.spooled(pieces(png()), max_bytes=len(png())) as file:
        assert file.bytes == len(png())


async def test_files_side_by_side_do_not_mix(store):
    async def taken(side: int) -> tuple[int | None, str]:
        whole = png(side)
        async with store.spooled(
            pieces(*(whole[n : n + 7] for n in range(0, len(whole), 7))), max_bytes=10_000
        ) as file:
            return file.facts.width, file.sha256

    found = await asyncio.gather(*(taken(side) for side in range(10, 20)))
    assert found == [(side, hashlib.sha256(png(side)).hexdigest()) for side in range(10, 20)]


# ---- out -------------------------------------------------------------------------------------------------------------


async def test_bytes_come_out_as_they_went_in(store, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(random.Random(1).randbytes(12 * 1024**2))  # several parts of a multipart upload
    await store.keep("asset_1", file)
    assert await read(store) == file.read_bytes()


async def test_bytes_come_out_by_pieces(on_disk):
    await on_disk.keep("asset_1", bytes(6 * 1024**2))
    sizes = [len(chunk) async for chunk in on_disk.stream("asset_1")]
    assert sum(sizes) == 6 * 1024**2
    assert max(sizes) < 4 * CHUNK_BYTES


@pytest.mark.parametrize(
    ("bounds", "part"),
    [((2, 5), b"234"), ((4,), b"456789"), ((0, 10), b"0123456789"), ((9, 10), b"9"), ((3, 3), b""), ((5, 2), b"")],
)
async def test_range_is_read_alone(store, bounds, part):
    await store.keep("asset_1", b"0123456789")
    assert await read(store, "asset_1", *bounds) == part


async def test_kept_again_is_the_newer_one(store):
    await store.keep("asset_1", b"old")
    await store.keep("asset_1", b"new")
    assert await read(store) == b"new"


async def test_missing_bytes_are_not_found(store):
    with pytest.raises(NotFound, match="The bytes of asset_9 are not in the store"):
        await read(store, "asset_9")


async def test_local_copy_is_gone_when_the_block_ends(store, spool):
    await store.keep("asset_1", b"0123456789")
    async with store.local("asset_1") as path:
        assert path.read_bytes() == b"0123456789"
    assert list(spool.iterdir()) == []


async def test_local_copy_of_missing_bytes_leaves_nothing(store, spool):
    with pytest.raises(NotFound):
        await store.local("asset_9").__aenter__()
    assert list(spool.iterdir()) == []


async def test_store_that_does_not_answer_is_no_missing_asset(on_disk, tmp_path):
    (tmp_path / "store" / "assets").write_text("a file where a directory should be")
    with pytest.raises(StoreFailed, match="did not give assets/asset_1"):
        await read(on_disk)


async def test_store_that_refuses_says_so(on_disk, tmp_path):
    (tmp_path / "store" / "assets").write_text("a file where a directory should be")
    with pytest.raises(StoreFailed, match="refused assets/asset_1"):
        await on_disk.keep("asset_1", b"bytes")
    with pytest.raises(StoreFailed, match="refused to delete assets/asset_1"):
        await on_disk.forget("asset_1")


async def test_disk_that_refuses_is_no_missing_asset(store, spool):
    await store.keep("asset_1", b"0123456789")
    spool.rmdir()
    with pytest.raises(StoreFailed, match="The local disk refused the file"):
        await store.local("asset_1").__aenter__()
    with pytest.raises(StoreFailed, match="The local disk refused the file"):
        await store.spooled(pieces(png()), max_bytes=1000).__aenter__()


# ---- thumbnails ------------------------------------------------------------------------------------------------------


async def test_thumbnail_is_made_once(store):
    await store.keep("asset_1", png(2000))
    made = await store.thumbnail("asset_1", "image")
    await store.keep("asset_1", b"no picture any more")
    assert await store.thumbnail("asset_1", "image") == made
    assert Image.open(io.BytesIO(made)).size == (512, 512)


async def test_thumbnails_asked_for_together_are_the_same(store):
    await store.keep("asset_1", png())
    made = await asyncio.gather(*(store.thumbnail("asset_1", "image") for _ in range(4)))
    assert len(set(made)) == 1


async def test_thumbnail_of_missing_bytes_is_not_found(store):
    with pytest.raises(NotFound):
        await store.thumbnail("asset_9", "image")


async def test_thumbnail_of_sound_is_refused_and_leaves_nothing(store, spool):
    await store.keep("asset_1", b"sound")
    with pytest.raises(UnsupportedMedia):
        await store.thumbnail("asset_1", "audio")
    assert list(spool.iterdir()) == []


# ---- the end ---------------------------------------------------------------------------------------------------------


async def test_forgotten_asset_is_gone_with_its_thumbnail(store):
    await store.keep("asset_1", png())
    await store.thumbnail("asset_1", "image")
    await store.forget("asset_1")
    with pytest.raises(NotFound):
        await read(store)
    with pytest.raises(NotFound):
        await store.thumbnail("asset_1", "image")


async def test_forgetting_again_changes_nothing(store):
    await store.keep("asset_1", png())
    for _ in range(2):
        await store.forget("asset_1")
    await store.forget("asset_9")


async def test_sweep_drops_only_what_is_old(store, spool):
    (spool / "old").write_bytes(b"left by a crash")
    (spool / "new").write_bytes(b"under way")
    long_ago = time.time() - STALE_SPOOL_S - 60
    os.utime(spool / "old", (long_ago, long_ago))
    store.sweep_spool()
    assert [path.name for path in spool.iterdir()] == ["new"]
