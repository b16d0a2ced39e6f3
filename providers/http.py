"""The one httpx client of the vendors: time limits, retry rules, the error table, and the guarded download.

A paid POST is never repeated once its bytes may have left. Tried again are only a refused connection, a 429, and a 503
that says when to come back: each of them says that nothing was accepted.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import json
import random
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx

from .clients import EACH, IDLE_S, Clients
from .errors import (
    DownloadFailed,
    DownloadRefused,
    InvalidRequest,
    JobLost,
    MalformedAnswer,
    ModelGone,
    NotSent,
    OutcomeUnknown,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Unanswered,
    Unauthorized,
    without_keys,
)

T = TypeVar("T")
Resolve = Callable[[str, int], Awaitable[list[str]]]

USER_AGENT = "impresario/0.1"  # some media hosts answer 403 to a client without a name
CHUNK_BYTES = 256 * 1024
MAX_REDIRECTS = 5
MAX_CONNECT_TRIES = 4
NOTHING_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


# ---- patience --------------------------------------------------------------------------------------------------------


class Patience:
    """How long one call is tried again while its vendor says that nothing was accepted and a later try may help.

    `max_wait_s` bounds the sum of its waits.
    """

    def __init__(self, max_wait_s: float = 120.0) -> None:
        self._left_s = max_wait_s
        self._tries = 0

    def after(self, error: ProviderError) -> float | None:
        """Seconds to wait before the next try: what the vendor asked for, else 0.5 doubling to 8 with jitter. None
        when there is to be none: the error will not pass, the waits add up to too much, or 4 tries found no way."""
        self._tries += 1
        if error.permanent or error.charged is not False:
            return None
        if isinstance(error, NotSent) and self._tries >= MAX_CONNECT_TRIES:
            return None
        wait_s = error.retry_after
        if wait_s is None:
            wait_s = min(0.5 * 2 ** (self._tries - 1), 8.0) * random.uniform(0.75, 1.25)
        if wait_s > self._left_s:
            return None
        self._left_s -= wait_s
        return wait_s


async def patiently(call: Callable[[], Awaitable[T]], *, max_wait_s: float = 120.0) -> T:
    """Await `call`, again and again as `Patience` has it; raises its last error."""
    patience = Patience(max_wait_s)
    while True:
        try:
            return await call()
        except ProviderError as error:
            wait_s = patience.after(error)
            if wait_s is None:
                raise
            await asyncio.sleep(wait_s)


def retry_after(headers: Mapping[str, str], body: Any = None) -> float | None:
    """The delay in seconds a vendor asked for, wherever it put it; None when it did not say.

    Azure sends `retry-after: 1` beside `retry-after-ms: 0`, so the longest of all answers counts. Replicate puts it
    in a `retry_after` field or in the sentence, Google in `error.details[].retryDelay`, OpenRouter in epoch ms.
    """
    found: list[float] = []
    if (text := headers.get("retry-after-ms")) and _number(text) is not None:
        found.append(float(text) / 1000)
    if text := headers.get("retry-after"):
        if _number(text) is not None:
            found.append(float(text))
        else:
            with contextlib.suppress(ValueError, TypeError):  # not a date either: nothing usable was said
                found.append((parsedate_to_datetime(text) - dt.datetime.now(dt.UTC)).total_seconds())
    reset = _number(headers.get("x-ratelimit-reset", ""))
    if reset is not None and reset > 1e12 and not found:
        found.append(reset / 1000 - dt.datetime.now(dt.UTC).timestamp())
    if isinstance(body, dict):
        if isinstance(body.get("retry_after"), int | float):
            found.append(float(body["retry_after"]))
        if isinstance(body.get("detail"), str) and (match := re.search(r"in ~?(\d+(?:\.\d+)?) ?s", body["detail"])):
            found.append(float(match[1]))
        error = body.get("error")
        for detail in error.get("details") or () if isinstance(error, dict) else ():
            delay = str(detail.get("retryDelay", "")) if isinstance(detail, dict) else ""
            if delay.endswith("s") and _number(delay[:-1]) is not None:
                found.append(float(delay[:-1]))
    return max(0.0, *found) if found else None


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text.strip()) else None


# ---- the error table -------------------------------------------------------------------------------------------------


def detail_of(body: Any) -> str:
    """The vendor's own sentence inside an error body of any of the usual shapes, shortened; may be empty."""
    text: Any = body
    if isinstance(body, dict):
        error = body.get("error")
        text = (error.get("message") if isinstance(error, dict) else error) or body.get("detail") or body.get("message")
        text = text or body.get("title")
    if text is not None and not isinstance(text, str):
        text = json.dumps(text)
    return without_keys((text or "").strip())[:400]  # masked first: half a key is still a secret


def error_for(vendor: str, status: int, headers: Mapping[str, str], body: Any, *, paid: bool) -> ProviderError:
    """The error an HTTP status of 400 or more stands for. A vendor whose codes mean something else maps them first."""
    said = detail_of(body)
    tail = f": {said}" if said else "."
    wait = retry_after(headers, body)
    if status == 429:
        return RateLimited(f"{vendor} limits the rate of requests{tail}", retry_after=wait)
    if status == 503 and wait is not None:
        return Overloaded(f"{vendor} is overloaded{tail}", retry_after=wait)
    if status in (401, 403):  # the vendor's sentence may quote the key, so it is left out
        return Unauthorized(f"{vendor} refused the key (HTTP {status}); check that it is right and may use this model.")
    if status == 402:
        return QuotaExhausted(f"{vendor} has no credit left for this account{tail}")
    if paid and status in (404, 410):
        return ModelGone(f"{vendor} does not know this model, or no longer (HTTP {status}){tail}")
    if status < 500 and status != 408:
        return InvalidRequest(f"{vendor} did not accept the request (HTTP {status}){tail}")
    if paid:
        return OutcomeUnknown(f"{vendor} answered HTTP {status}{tail} Whether the work was started is not known.")
    return Unanswered(f"{vendor} answered HTTP {status}{tail}", retry_after=wait)


def status_of(error: ProviderError) -> int | None:
    """The HTTP status behind an error raised by `Http.send`; None when no answer came."""
    response = getattr(error, "response", None)
    return response.status_code if isinstance(response, httpx.Response) else None


def answer_of(error: ProviderError) -> Any:
    """The JSON body behind an error raised by `Http.send`; None when no answer came or it was not JSON."""
    response = getattr(error, "response", None)
    return json_body(response) if isinstance(response, httpx.Response) else None


def same_origin(url: str, other: str) -> bool:
    """Whether two URLs have scheme, host and port in common; False when either is not a URL."""
    try:
        one, two = httpx.URL(url), httpx.URL(other)
    except httpx.InvalidURL:
        return False
    return (one.scheme, one.host, one.port) == (two.scheme, two.host, two.port)


def json_body(response: httpx.Response) -> Any:
    """The body as JSON, or None when it is not JSON."""
    try:
        return response.json()
    except (ValueError, UnicodeDecodeError):
        return None


# ---- the client ------------------------------------------------------------------------------------------------------


async def system_resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, by the operating system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class Http:
    """Speaks HTTP for every family that has no SDK worth using, and fetches finished works for all of them.

    `timeout_s` bounds the wait for an answer, `max_wait_s` the sum of the waits a vendor may ask for, `max_bytes` the
    size of a download.
    """

    def __init__(
        self,
        client: httpx.AsyncClient | None = None,
        *,
        timeout_s: float = 300.0,
        max_wait_s: float = 120.0,
        max_bytes: int = 2 * 1024**3,
        resolve: Resolve = system_resolve,
    ) -> None:
        self.timeout = httpx.Timeout(timeout_s, connect=10.0)
        self.max_wait_s = max_wait_s
        self.max_bytes = max_bytes
        self._resolve = resolve
        self._verify: ssl.SSLContext | None = None
        self._clients = Clients(lambda: client or self._client())

    def _client(self) -> httpx.AsyncClient:
        self._verify = self._verify or httpx.create_ssl_context()  # takes 20 ms, so it is made once
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=EACH, keepalive_expiry=IDLE_S)
        headers = {"user-agent": USER_AGENT}
        return httpx.AsyncClient(timeout=self.timeout, headers=headers, limits=limits, verify=self._verify)

    async def aclose(self) -> None:
        """Close every client."""
        for client in self._clients.all():
            await client.aclose()

    async def send(self, vendor: str, method: str, url: str, *, paid: bool = False, **content: Any) -> httpx.Response:
        """One request, sent once. `content` is httpx's (`json`, `files`, `headers`, `params`).

        Returns any answer below 400. Raises NotSent, OutcomeUnknown (paid) or Unanswered (not paid), or what
        `error_for` makes of the status; the raw answer hangs on the error as `response` where there was one.
        """
        try:
            with self._clients.one() as client:
                response = await client.request(method, url, **content)
        except NOTHING_LEFT as error:
            raise NotSent(f"{vendor} could not be reached at {urlsplit(url).hostname}.") from error
        except httpx.HTTPError as error:
            if paid:
                raise OutcomeUnknown(
                    f"{vendor} gave no answer ({type(error).__name__}); whether the work was started is not known."
                ) from error
            raise Unanswered(f"{vendor} gave no answer ({type(error).__name__}).") from error
        if response.status_code >= 400:
            problem = error_for(vendor, response.status_code, response.headers, json_body(response), paid=paid)
            problem.response = response  # type: ignore[attr-defined]
            raise problem
        return response

    async def send_json(
        self, vendor: str, method: str, url: str, *, paid: bool = False, **content: Any
    ) -> dict[str, Any]:
        """Like `send`, and the answer's JSON object. Raises MalformedAnswer when it is none."""
        response = await self.send(vendor, method, url, paid=paid, **content)
        body = json_body(response)
        if not isinstance(body, dict):
            raise MalformedAnswer(f"{vendor} answered something that is not a JSON object.")
        return body

    async def ask(self, vendor: str, method: str, url: str, **content: Any) -> dict[str, Any]:
        """A question about a job, and the answer's JSON object.

        Whatever goes wrong with the question is no verdict on the job: Unanswered, with the delay the vendor asked for.
        Raises JobLost when the vendor answers that there is no such job (404, 410).
        """
        try:
            return await self.send_json(vendor, method, url, **content)
        except ProviderError as error:
            if status_of(error) in (404, 410):
                raise JobLost(f"{vendor} no longer knows the job.") from error
            raise Unanswered(str(error), retry_after=error.retry_after) from error

    async def download(
        self, url: str, *, vendor_url: str, headers_for: Callable[[str], Mapping[str, str]] = lambda host: {}
    ) -> AsyncIterator[bytes]:
        """The bytes behind a vendor's URL, piece by piece; never more than one piece in memory.

        https only, to public addresses only, at every redirect; `vendor_url`, the family's configured base URL, is the
        one exception: its origin may be plain http, its host may be private. `headers_for(host)` is asked at each hop.
        Raises DownloadRefused (a rule is broken) or DownloadFailed (try again).
        """
        for _ in range(MAX_REDIRECTS + 1):
            target, extensions, host_header = await self._vetted(url, vendor_url)
            # A pinned connection must not be shared with another host of the same address.
            pinned = {**host_header, "connection": "close"} if host_header else {}
            headers = {**headers_for(urlsplit(url).hostname or ""), **pinned}
            try:
                with self._clients.one() as client:
                    stream = client.stream("GET", target, headers=headers, extensions=extensions)
                async with stream as response:
                    if response.has_redirect_location:
                        url = urljoin(url, response.headers["location"])
                        continue
                    if not response.is_success:
                        raise DownloadFailed(f"The finished work could not be fetched (HTTP {response.status_code}).")
                    received = 0
                    async for chunk in response.aiter_bytes(CHUNK_BYTES):
                        received += len(chunk)
                        if received > self.max_bytes:
                            raise DownloadRefused(f"The finished work is larger than {self.max_bytes} bytes.")
                        yield chunk
                    return
            except httpx.HTTPError as error:
                raise DownloadFailed(f"The finished work could not be fetched ({type(error).__name__}).") from error
        raise DownloadRefused(f"The finished work's address redirects more than {MAX_REDIRECTS} times.")

    async def _vetted(self, url: str, vendor_url: str) -> tuple[httpx.URL, dict[str, Any], dict[str, str]]:
        """The URL pinned to an address that was checked, so that a second DNS answer cannot point it elsewhere."""
        try:
            parts = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise DownloadRefused("The finished work's address is not a URL.") from error
        if parts.scheme not in ("http", "https") or not parts.host:
            raise DownloadRefused("The finished work's address is not an https URL.")
        if parts.scheme == "http" and not same_origin(url, vendor_url):
            raise DownloadRefused("The finished work's address is plain http, which is refused.")
        if parts.host == httpx.URL(vendor_url).host:
            return parts, {}, {}
        port = parts.port or 443
        try:
            addresses = await self._resolve(parts.host, port)
        except OSError as error:
            raise DownloadFailed(f"The host of the finished work, {parts.host}, is not known.") from error
        if not addresses or not all(is_public(address) for address in addresses):
            raise DownloadRefused("The finished work's address leads into a private network, which is refused.")
        return (
            parts.copy_with(host=addresses[0]),
            {"sni_hostname": parts.host},
            {"host": parts.netloc.decode()},
        )


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, judging also the IPv4 address an IPv6 one may wrap."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour
        if ip in NAT64:
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if wrapped is not None and not is_public(str(wrapped)):
            return False
        if ip.ipv4_mapped is not None:
            return True
    return ip.is_global and not ip.is_multicast
