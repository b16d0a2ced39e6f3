"""Where the bytes lie: any object store behind one URL, streamed in and out, with a spool on the local disk.

A file arrives in the spool piece by piece, is probed there, and then moves into the store; so a video of any size is
never in memory, and nothing half-written is ever in the store.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import os
import re
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from app.errors import NotFound, StoreFailed, TooLarge

from .probe import Facts, probe, thumbnail

T = TypeVar("T")
CHUNK_BYTES = 256 * 1024
HELD_BYTES = 1024**2
PART_BYTES = 5 * 1024**2  # the least S3 takes for a part of a multipart upload
REMOTE: dict[str, Any] = {
    # Measured with obstore 0.12: its own 30 s `timeout` covers the body, so it would cut every long download; what must
    # not take long is a single read. Plain http goes to endpoints that are configured so, and to no others.
    "client_options": {"allow_http": True, "connect_timeout": "5s", "read_timeout": "30s", "timeout": "1day"},
    "retry_config": {"max_retries": 2, "backoff": {"max_backoff": dt.timedelta(seconds=2)}},
}
STALE_SPOOL_S = 24 * 3600
KEY = re.compile(r"assets/(?P<asset>asset_\w+)|thumbnails/(?P<thumbnail>asset_\w+)\.webp")
LISTED_AT_ONCE = 1000


@dataclass(frozen=True)
class Spooled:
    """A whole file in the spool, with what its bytes say."""

    path: Path
    bytes: int
    sha256: str
    facts: Facts


@dataclass(frozen=True)
class Kept:
    """An object in the store: of which asset, and since when."""

    key: str
    asset_id: str
    since: dt.datetime


class Store:
    """The asset store. `url` is `file://`, `s3://`, `gs://`, `az://` or `memory://`; `spool` a local directory.

    Raises StoreFailed when the URL leads to no store.
    """

    def __init__(self, url: str, spool: Path) -> None:
        local = {"file:": {"mkdir": True}, "memory:": {}}
        options: dict[str, Any] = local.get(url.partition("//")[0], REMOTE)
        try:
            self._store = from_url(url, **options)
        except (BaseError, OSError, ValueError) as error:
            raise StoreFailed(f"STORAGE_URL leads to no store: {str(error).splitlines()[0]}") from error
        self._spool = spool
        self._spool.mkdir(parents=True, exist_ok=True)
        self._decoding = asyncio.Semaphore(1)
        """One large picture in memory at a time."""
        self._workers = ThreadPoolExecutor(os.cpu_count() or 2, thread_name_prefix="assets")

    async def aclose(self) -> None:
        """Let the workers finish."""
        self._workers.shutdown(cancel_futures=True)

    async def off_loop(self, work: Callable[..., T], *args: Any) -> T:
        """Run blocking work on the store's few threads."""
        return await asyncio.get_running_loop().run_in_executor(self._workers, work, *args)

    def stale_spool(self) -> list[Path]:
        """What a crash left in the spool more than a day ago. Others may be using it at the same time."""
        stale = []
        for path in self._spool.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > STALE_SPOOL_S:
                    stale.append(path)
        return stale

    def sweep_spool(self) -> None:
        """Drop it."""
        for path in self.stale_spool():
            path.unlink(missing_ok=True)

    @asynccontextmanager
    async def spooled(self, chunks: AsyncIterator[bytes], *, max_bytes: int) -> AsyncIterator[Spooled]:
        """Take a file in and probe it; it is gone from the spool when the block ends.

        Raises TooLarge past `max_bytes`, UnsupportedMedia when the bytes are of no known kind, StoreFailed when the
        disk refuses.
        """
        async with self._spool_file() as (path, write):
            digest, size, held = hashlib.sha256(), 0, bytearray()

            def take(piece: bytes) -> None:
                digest.update(piece)
                write(piece)

            def finish(piece: bytes) -> Facts:
                take(piece)
                return probe(path)

            async for chunk in chunks:
                size += len(chunk)
                if size > max_bytes:
                    raise TooLarge(f"The file is larger than {max_bytes} bytes.")
                held += chunk
                if len(held) >= HELD_BYTES:  # a thread is asked for a small file once, not for each piece of it
                    await self.off_loop(take, bytes(held))
                    held.clear()
            facts = await self.off_loop(finish, bytes(held))
            yield Spooled(path, size, digest.hexdigest(), facts)

    @asynccontextmanager
    async def _spool_file(self) -> AsyncIterator[tuple[Path, Callable[[bytes], None]]]:
        """A file in the spool, and what writes to it, on a thread; gone when the block ends. The writer raises
        StoreFailed."""
        path, over, one_at_a_time = self._spool / uuid.uuid4().hex, threading.Event(), threading.Lock()

        def write(piece: bytes) -> None:
            with one_at_a_time, refusals_of_the_disk():
                if not over.is_set():  # a write that was torn may come to its thread behind the removal
                    with path.open("ab") as file:
                        file.write(piece)

        def remove() -> None:
            with one_at_a_time:
                over.set()
                path.unlink(missing_ok=True)

        try:
            yield path, write
        finally:
            try:
                await self.off_loop(remove)
            except BaseException:  # cancelled once more, or the threads take nothing on any more
                remove()
                raise

    async def keep(self, asset_id: str, file: Path | bytes, *, tries: int = 1) -> None:
        """Put a file into the store under its asset's id. Raises StoreFailed when the store refuses so many times."""
        for attempt in range(1, tries):
            try:
                return await self._put(f"assets/{asset_id}", file)
            except StoreFailed:
                await asyncio.sleep(min(0.5 * attempt, 5.0))
        return await self._put(f"assets/{asset_id}", file)

    async def _put(self, key: str, file: Path | bytes) -> None:
        try:
            await obstore.put_async(self._store, key, file, chunk_size=PART_BYTES, max_concurrency=2)
        except (BaseError, OSError) as error:
            raise StoreFailed(f"The asset store refused {key} ({type(error).__name__}).") from error

    async def copy(self, asset_id: str, new_id: str) -> None:
        """The bytes of one asset as another's, inside the store. Raises NotFound, StoreFailed."""
        try:
            await obstore.copy_async(self._store, f"assets/{asset_id}", f"assets/{new_id}")
        except FileNotFoundError as error:
            raise NotFound(f"The bytes of {asset_id} are not in the store.") from error
        except (BaseError, OSError) as error:
            raise StoreFailed(f"The asset store refused to copy {asset_id} ({type(error).__name__}).") from error

    async def stream(self, asset_id: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of an asset from `start` up to, not including, `end`.

        Raises NotFound when they are gone, StoreFailed when the store does not give them.
        """
        async for chunk in self._stream(f"assets/{asset_id}", start, end):
            yield chunk

    async def _stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        if end is not None and end <= start:
            return
        options: Any = {"range": (start, end)} if end is not None else {"range": {"offset": start}} if start else {}
        try:
            found = await obstore.get_async(self._store, key, options=options)
            async for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)
        except FileNotFoundError as error:
            raise NotFound(f"The bytes of {key.split('/')[-1]} are not in the store.") from error
        except (BaseError, OSError) as error:
            raise StoreFailed(f"The asset store did not give {key} ({type(error).__name__}).") from error

    @asynccontextmanager
    async def local(self, asset_id: str) -> AsyncIterator[Path]:
        """An asset as a file on the local disk, for decoders that must seek; gone when the block ends. Raises NotFound,
        StoreFailed."""
        async with self._spool_file() as (path, write):
            async for chunk in self.stream(asset_id):
                await self.off_loop(write, chunk)
            yield path

    async def thumbnail(self, asset_id: str, kind: Any) -> bytes:
        """The WebP thumbnail of an image or a video, made at the first call and kept. Raises UnsupportedMedia."""
        key = f"thumbnails/{asset_id}.webp"
        try:
            return b"".join([chunk async for chunk in self._stream(key)])
        except NotFound:
            async with self._decoding:
                async with self.local(asset_id) as path:
                    made = await self.off_loop(thumbnail, path, kind)
                await self._put(key, made)
            return made

    async def exists(self, asset_id: str) -> bool:
        """Whether an asset's bytes are there. Raises StoreFailed when the store does not say."""
        try:
            await obstore.head_async(self._store, f"assets/{asset_id}")
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as error:
            raise StoreFailed(f"The asset store does not answer ({type(error).__name__}).") from error
        return True

    async def listing(self) -> AsyncIterator[list[Kept]]:
        """Everything there is of assets and thumbnails, page by page. Raises StoreFailed."""
        for prefix in ("assets", "thumbnails"):
            try:
                async for page in obstore.list(self._store, prefix, chunk_size=LISTED_AT_ONCE):
                    found = [(item, KEY.fullmatch(item["path"])) for item in page]
                    yield [
                        Kept(item["path"], match["asset"] or match["thumbnail"], item["last_modified"])
                        for item, match in found
                        if match
                    ]
            except (BaseError, OSError) as error:
                raise StoreFailed(f"The asset store does not list what it holds ({type(error).__name__}).") from error

    async def forget(self, asset_id: str) -> None:
        """Delete an asset's bytes and thumbnail; what is gone already is no error."""
        for key in (f"assets/{asset_id}", f"thumbnails/{asset_id}.webp"):
            try:
                await obstore.delete_async(self._store, key)
            except FileNotFoundError:
                continue
            except (BaseError, OSError) as error:
                raise StoreFailed(f"The asset store refused to delete {key} ({type(error).__name__}).") from error


@contextmanager
def refusals_of_the_disk() -> Iterator[None]:
    """What the local disk refuses, in one sentence."""
    try:
        yield
    except OSError as error:
        raise StoreFailed(f"The local disk refused the file ({error.strerror or error}).") from error
