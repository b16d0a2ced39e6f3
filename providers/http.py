"""The one httpx client of the vendors: its limits in time and size, and what is tried again.

A paid POST is never repeated once its bytes may have left. Tried again are only a refused connection, a 429, and a 503
that says when to come back: each of them says that nothing was accepted.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from .addresses import Resolve, system_resolve
from .clients import EACH, IDLE_S, Clients
from .downloads import SLOWEST_BYTES_PER_S, Downloads
from .errors import JobLost, MalformedAnswer, NotSent, OutcomeUnknown, ProviderError, Unanswered
from .refusals import error_for
from .streamed import Pieces, Streamed

T = TypeVar("T")

USER_AGENT = "impresario/0.1"  # some media hosts answer 403 to a client without a name
CONNECT_S = 10.0
MAX_ANSWER_BYTES = 64 * 1024**2
"""Of JSON. The largest there is, a page of Replicate's list, holds 100 requests with pictures of 340 kB in each."""
OF_THE_WIRE = ("content-encoding", "content-length", "transfer-encoding")  # untrue of a body that was decoded
MAX_CONNECT_TRIES = 4
PATIENT_TRIES = 5
NOTHING_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


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
        when there is to be none: the error will not pass, the waits add up to too much, or 4 tries found no way.

        From the fifth try on it is never less than ours: who says "at once" again and again does not mean it.
        """
        self._tries += 1
        if error.permanent or error.charged is not False:
            return None
        if isinstance(error, NotSent) and self._tries >= MAX_CONNECT_TRIES:
            return None
        ours_s = min(0.5 * 2 ** (self._tries - 1), 8.0) * random.uniform(0.75, 1.25)
        wait_s = ours_s if error.retry_after is None else error.retry_after
        if self._tries >= PATIENT_TRIES:
            wait_s = max(wait_s, ours_s)
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


# ---- answers ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def before_payment() -> Iterator[None]:
    """For what has to be done before the paid request, such as handing over its inputs: nothing of it is owed."""
    try:
        yield
    except ProviderError as error:
        error.charged = False
        raise


def status_of(error: ProviderError) -> int | None:
    """The HTTP status behind an error of `Http.send`; None when no answer came."""
    return error.response.status_code if isinstance(error.response, httpx.Response) else None


def answer_of(error: ProviderError) -> Any:
    """The JSON body behind an error raised by `Http.send`; None when no answer came or it was not JSON."""
    return json_body(error.response) if isinstance(error.response, httpx.Response) else None


def json_body(response: httpx.Response) -> Any:
    """The body as JSON, or None when it is not JSON."""
    try:
        return response.json()
    except (ValueError, UnicodeDecodeError):
        return None


def open_question(vendor: str, error: ProviderError) -> ProviderError:
    """What an error of a question about a job means. Whatever goes wrong with the question is no verdict on the job:
    it must be asked again, after the delay the vendor asked for; but a job may be unknown (404, 410)."""
    if status_of(error) in (404, 410):
        return JobLost(f"{vendor} no longer knows the job.")
    return Unanswered(str(error), retry_after=error.retry_after)


@contextlib.contextmanager
def _reached(vendor: str, url: str, *, paid: bool) -> Iterator[None]:
    """Turns what httpx raises into NotSent, and into OutcomeUnknown (paid) or Unanswered once bytes may have left."""
    try:
        yield
    except NOTHING_LEFT as error:
        raise NotSent(f"{vendor} could not be reached at {urlsplit(url).hostname}.") from error
    except (httpx.HTTPError, TimeoutError) as error:
        why = type(error).__name__
        if paid:
            raise OutcomeUnknown(
                f"{vendor} gave no answer ({why}); whether the work was started is not known."
            ) from error
        raise Unanswered(f"{vendor} gave no answer ({why}).") from error


def _accepted(vendor: str, response: httpx.Response, *, paid: bool) -> httpx.Response:
    """An answer below 400. Raises what `error_for` makes of any other, with the answer on it as `response`."""
    if response.status_code >= 400:
        problem = error_for(vendor, response.status_code, response.headers, json_body(response), paid=paid)
        problem.response = response
        raise problem
    return response


# ---- the client ------------------------------------------------------------------------------------------------------


class Http:
    """Speaks HTTP for every family that has no SDK worth using, and fetches finished works for all of them.

    `timeout_s` bounds the time until an answer is whole, `max_wait_s` the sum of the waits a vendor may ask for,
    `max_answer_bytes` the size of an answer, `max_bytes` that of a download.
    """

    def __init__(
        self,
        client: httpx.AsyncClient | None = None,
        *,
        timeout_s: float = 300.0,
        max_wait_s: float = 120.0,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        max_bytes: int = 2 * 1024**3,
        resolve: Resolve = system_resolve,
    ) -> None:
        self.timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_S))
        self.timeout_s = timeout_s
        self.max_wait_s = max_wait_s
        self.max_answer_bytes = max_answer_bytes
        self._verify: ssl.SSLContext | None = None
        self._clients = Clients(lambda: client or self._client())
        self._downloads = Downloads(self._clients, timeout_s=timeout_s, max_bytes=max_bytes, resolve=resolve)

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

        Returns any answer below 400. Raises NotSent, OutcomeUnknown (paid) or Unanswered (not paid), MalformedAnswer
        when it is too long, or what `error_for` makes of the status; the raw answer hangs on the error as `response`
        where there was one.
        """
        with _reached(vendor, url, paid=paid), self._clients.one() as client:
            response = await self._answer(vendor, client, client.build_request(method, url, **content))
        return _accepted(vendor, response, paid=paid)

    async def stream(self, vendor: str, method: str, url: str, *, paid: bool = False, **content: Any) -> Streamed:
        """Like `send`, with an answer that is read while it is made.

        Until its first byte has come it raises what `send` raises; after that its pieces raise OutcomeUnknown (paid) or
        Unanswered when they break off, and MalformedAnswer when they are too many.
        """
        with _reached(vendor, url, paid=paid), self._clients.one() as client:
            request = client.build_request(method, url, **content)
            async with asyncio.timeout(self.limit_s(int(request.headers.get("content-length", 0)))):
                response = await client.send(request, stream=True)
                if response.status_code >= 400:
                    _accepted(vendor, await self._whole(vendor, response, request), paid=paid)
                most, timeout_s = self.max_answer_bytes, self.timeout_s
                pieces = Pieces(vendor, response, paid=paid, timeout_s=timeout_s, max_bytes=most)
                await pieces.begin()
        return Streamed(response.headers, pieces)

    def limit_s(self, sent_bytes: int) -> float:
        """How long a request may take until its answer is whole. The clients' own limits bound each silence alone, so
        that a byte now and then would keep a call for ever."""
        return min(self.timeout_s, CONNECT_S) + self.timeout_s + sent_bytes / SLOWEST_BYTES_PER_S

    async def _answer(self, vendor: str, client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
        """The whole answer to a request. Raises TimeoutError, MalformedAnswer."""
        async with asyncio.timeout(self.limit_s(int(request.headers.get("content-length", 0)))):
            return await self._whole(vendor, await client.send(request, stream=True), request)

    async def _whole(self, vendor: str, response: httpx.Response, request: httpx.Request) -> httpx.Response:
        """An answer read to its end, or, of a refusal, as far as the cap. Raises MalformedAnswer."""
        try:
            pieces, received = [], 0
            async for piece in response.aiter_bytes():
                received += len(piece)
                if received > self.max_answer_bytes:
                    break
                pieces.append(piece)
        finally:
            await response.aclose()
        if received > self.max_answer_bytes and response.status_code < 400:  # of a refusal the beginning will do
            raise MalformedAnswer(f"{vendor} sent an answer of more than {self.max_answer_bytes} bytes.")
        headers = {name: text for name, text in response.headers.items() if name not in OF_THE_WIRE}
        return httpx.Response(response.status_code, headers=headers, content=b"".join(pieces), request=request)

    async def send_json(
        self, vendor: str, method: str, url: str, *, paid: bool = False, **content: Any
    ) -> dict[str, Any]:
        """Like `send`, and the answer's JSON object. Raises MalformedAnswer when it is none."""
        response = await self.send(vendor, method, url, paid=paid, **content)
        body = json_body(response)
        if not isinstance(body, dict):
            raise MalformedAnswer(f"{vendor} answered something that is not a JSON object.")
        return body

    async def asked(self, vendor: str, method: str, url: str, **content: Any) -> httpx.Response:
        """Any answer below 400 to a question about a job. Raises what `open_question` makes of an error."""
        try:
            return await self.send(vendor, method, url, **content)
        except ProviderError as error:
            raise open_question(vendor, error) from error

    async def ask(self, vendor: str, method: str, url: str, **content: Any) -> dict[str, Any]:
        """A question about a job, and the answer's JSON object. Raises as `asked` does, and Unanswered when it is none:
        that is no verdict on the job either."""
        body = json_body(await self.asked(vendor, method, url, **content))
        if not isinstance(body, dict):
            raise Unanswered(f"{vendor} answered something that is not a JSON object.")
        return body

    def download(
        self, url: str, *, vendor_url: str, headers_for: Callable[[str], Mapping[str, str]] = lambda url: {}
    ) -> AsyncIterator[bytes]:
        """The bytes behind a vendor's URL, piece by piece; see `Downloads.fetch`."""
        return self._downloads.fetch(url, vendor_url=vendor_url, headers_for=headers_for)

    async def fetch(self, url: str, *, max_bytes: int | None = None) -> AsyncIterator[bytes]:
        """The bytes behind a URL that a user names, piece by piece: https only, and public addresses only, at every
        redirect; no host is trusted. `max_bytes` None: what a download may have. Raises DownloadRefused (a rule is
        broken) or DownloadFailed (try again); nothing is owed for either."""
        pieces = self._downloads.fetch(
            url, vendor_url=None, headers_for=lambda url: {}, max_bytes=max_bytes, what="linked file"
        )
        with before_payment():
            async for piece in pieces:
                yield piece
