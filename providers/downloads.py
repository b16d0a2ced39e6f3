"""The guarded download of a finished work or a linked file: where it may come from, how large and slow it may be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urljoin

import httpx

from .addresses import Resolve, is_public, same_origin
from .clients import Clients
from .errors import DownloadFailed, DownloadRefused

CHUNK_BYTES = 256 * 1024
MAX_REDIRECTS = 5
MAX_PORT = 65535
SLOWEST_BYTES_PER_S = 32 * 1024
"""A transfer may take its time limit, and a second more for each of these; a link that drips for ever is given up."""


class Downloads:
    """Fetches works. `timeout_s` is how long one may keep silent, in all its pauses, beside what its length allows."""

    def __init__(
        self, clients: Clients[httpx.AsyncClient], *, timeout_s: float, max_bytes: int, resolve: Resolve
    ) -> None:
        self._clients = clients
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._resolve = resolve

    async def fetch(
        self,
        url: str,
        *,
        vendor_url: str | None,
        headers_for: Callable[[str], Mapping[str, str]],
        max_bytes: int | None = None,
        what: str = "finished work",
    ) -> AsyncIterator[bytes]:
        """The bytes behind a URL, piece by piece; never more than one piece in memory.

        https only, to public addresses only, at every redirect; `vendor_url`, the family's configured base URL, is the
        one exception: its origin may be plain http, its host may be private. `headers_for(url)` is asked at each hop.
        `what` names the thing in the errors. Raises DownloadRefused (a rule is broken) or DownloadFailed (try again).
        """
        for _ in range(MAX_REDIRECTS + 1):
            target, extensions, host_header = await self._vetted(url, vendor_url, what)
            # A pinned connection must not be shared with another host of the same address.
            pinned = {**host_header, "connection": "close"} if host_header else {}
            headers = {**headers_for(url), **pinned}
            try:
                async with AsyncExitStack() as stack:
                    with self._clients.one() as client:
                        stream = client.stream("GET", target, headers=headers, extensions=extensions)
                    async with asyncio.timeout(self._timeout_s):
                        response = await stack.enter_async_context(stream)
                    if response.has_redirect_location:
                        url = urljoin(url, response.headers["location"])
                        continue
                    if not response.is_success:
                        raise DownloadFailed(f"The {what} could not be fetched (HTTP {response.status_code}).")
                    async for chunk in self._pieces(response, max_bytes or self._max_bytes, what):
                        yield chunk
                    return
            except TimeoutError as error:
                raise DownloadFailed(f"The {what} came too slowly to be fetched.") from error
            except httpx.HTTPError as error:
                raise DownloadFailed(f"The {what} could not be fetched ({type(error).__name__}).") from error
        raise DownloadRefused(f"The {what}'s address redirects more than {MAX_REDIRECTS} times.")

    async def _pieces(self, response: httpx.Response, max_bytes: int, what: str) -> AsyncIterator[bytes]:
        """Its bytes. Only the time in which it is waited for counts. Raises TimeoutError, DownloadRefused."""
        chunks = response.aiter_bytes(CHUNK_BYTES)
        received, waited_s = 0, 0.0
        while True:
            begun = time.monotonic()
            async with asyncio.timeout(self._timeout_s + received / SLOWEST_BYTES_PER_S - waited_s):
                chunk = await anext(chunks, None)
            waited_s += time.monotonic() - begun
            if chunk is None:
                return
            received += len(chunk)
            if received > max_bytes:
                raise DownloadRefused(f"The {what} is larger than {max_bytes} bytes.")
            yield chunk

    async def _vetted(
        self, url: str, vendor_url: str | None, what: str
    ) -> tuple[httpx.URL, dict[str, Any], dict[str, str]]:
        """The URL pinned to an address that was checked, so that a second DNS answer cannot point it elsewhere."""
        try:
            parts = httpx.URL(url)
            host, port = parts.host, parts.port or 443
        except (httpx.InvalidURL, UnicodeError) as error:  # UnicodeError: a host that IDNA cannot write
            raise DownloadRefused(f"The {what}'s address is not a URL.") from error
        if parts.scheme not in ("http", "https") or not host or port > MAX_PORT:
            raise DownloadRefused(f"The {what}'s address is not an https URL.")
        if parts.scheme == "http" and not (vendor_url and same_origin(url, vendor_url)):
            raise DownloadRefused(f"The {what}'s address is plain http, which is refused.")
        if vendor_url and host == httpx.URL(vendor_url).host:
            return parts, {}, {}
        try:
            addresses = await self._resolve(host, port)
        except UnicodeError as error:
            raise DownloadRefused(f"The {what}'s address names no possible host.") from error
        except OSError as error:
            raise DownloadFailed(f"The host of the {what}, {host[:253]}, is not known.") from error
        if not addresses or not all(is_public(address) for address in addresses):
            raise DownloadRefused(f"The {what}'s address leads into a private network, which is refused.")
        return (
            parts.copy_with(host=addresses[0]),
            {"sni_hostname": host},
            {"host": parts.netloc.decode()},
        )
