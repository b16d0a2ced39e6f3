"""An answer that is read while it is made: what fails before its first byte, what after it, and what is left behind."""

from collections.abc import AsyncIterator

import httpx
import pytest
from drip import Drip

from providers.errors import (
    InvalidRequest,
    MalformedAnswer,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    Unanswered,
)
from providers.http import Http, answer_of

pytestmark = pytest.mark.anyio

SPEECH = "https://api.vendor.test/v1/speech"


class Spoken(httpx.AsyncByteStream):
    """These pieces, then an error where there is one; remembers that it was closed."""

    def __init__(self, *pieces: bytes, then: Exception | None = None) -> None:
        self._pieces, self._then = pieces, then
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        if self._then is not None:
            raise self._then

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    http = Http(timeout_s=0.3, max_answer_bytes=1000)
    yield http
    await http.aclose()


def said(vendor, body: httpx.AsyncByteStream, **more):
    return vendor.post(SPEECH).mock(return_value=httpx.Response(200, stream=body, **more))


# ---- all is well -----------------------------------------------------------------------------------------------------


async def test_answer_is_read_piece_by_piece_with_its_headers(http, vendor):
    said(vendor, Spoken(b"one", b"two"), headers={"content-type": "audio/mpeg"})
    answer = await http.stream("Vendor", "POST", SPEECH, paid=True, json={"text": "hi"})
    assert (answer.headers["content-type"], answer.pieces.head) == ("audio/mpeg", b"one")
    assert [piece async for piece in answer.pieces] == [b"one", b"two"]


async def test_end_of_the_answer_closes_the_connection(http, vendor):
    body = Spoken(b"one")
    said(vendor, body)
    answer = await http.stream("Vendor", "POST", SPEECH)
    assert [piece async for piece in answer.pieces] == [b"one"]
    assert body.closed
    assert [piece async for piece in answer.pieces] == []


async def test_closing_closes_the_connection_read_or_not(http, vendor):
    body = Spoken(b"one", b"two")
    said(vendor, body)
    answer = await http.stream("Vendor", "POST", SPEECH, paid=True)
    await answer.pieces.aclose()
    await answer.pieces.aclose()
    assert body.closed
    assert [piece async for piece in answer.pieces] == []


# ---- before the first byte -------------------------------------------------------------------------------------------


async def test_refused_connection_sent_nothing(http, vendor):
    vendor.post(SPEECH).mock(side_effect=httpx.ConnectError("refused"))
    with pytest.raises(NotSent):
        await http.stream("Vendor", "POST", SPEECH, paid=True)


@pytest.mark.parametrize(("paid", "error"), [(True, OutcomeUnknown), (False, Unanswered)])
async def test_lost_answer_is_as_with_an_answer_that_is_read_whole(http, vendor, paid, error):
    route = vendor.post(SPEECH).mock(side_effect=httpx.ReadTimeout("slow"))
    with pytest.raises(error):
        await http.stream("Vendor", "POST", SPEECH, paid=paid)
    assert route.call_count == 1


@pytest.mark.parametrize(("status", "error"), [(422, InvalidRequest), (429, RateLimited), (500, OutcomeUnknown)])
async def test_refusal_is_told_with_its_answer_and_leaves_no_connection(http, vendor, status, error):
    body = Spoken(b'{"detail":', b' "no"}')
    vendor.post(SPEECH).mock(return_value=httpx.Response(status, stream=body))
    with pytest.raises(error, match="no") as caught:
        await http.stream("Vendor", "POST", SPEECH, paid=True)
    assert (answer_of(caught.value), body.closed) == ({"detail": "no"}, True)


@pytest.mark.parametrize("body", [Spoken(then=httpx.ReadError("gone")), Drip(pause_s=5.0)], ids=["breaks", "silent"])
async def test_answer_without_a_first_byte_is_an_unknown_outcome(http, vendor, body):
    said(vendor, body)
    with pytest.raises(OutcomeUnknown) as caught:
        await http.stream("Vendor", "POST", SPEECH, paid=True)
    assert caught.value.charged is None


async def test_empty_answer_is_malformed(http, vendor):
    said(vendor, Spoken())
    with pytest.raises(MalformedAnswer, match="empty"):
        await http.stream("Vendor", "POST", SPEECH, paid=True)


# ---- after it --------------------------------------------------------------------------------------------------------


async def heard(http: Http, *, paid: bool = True) -> tuple[bytes, ProviderError]:
    """What came before the break, and the break."""
    answer, received = await http.stream("Vendor", "POST", SPEECH, paid=paid), b""
    try:
        async for piece in answer.pieces:
            received += piece
    except ProviderError as error:
        return received, error
    raise AssertionError("the answer ended well")


@pytest.mark.parametrize(("paid", "error"), [(True, OutcomeUnknown), (False, Unanswered)])
async def test_break_in_the_middle_is_told_from_the_end(http, vendor, paid, error):
    body = Spoken(b"one", then=httpx.RemoteProtocolError("gone"))
    said(vendor, body)
    received, problem = await heard(http, paid=paid)
    assert (received, type(problem), body.closed) == (b"one", error, True)


async def test_silence_in_the_middle_is_a_break(http, vendor):
    class Halting(Spoken):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"one"
            async for piece in Drip(pause_s=5.0):
                yield piece

    body = Halting()
    said(vendor, body)
    received, problem = await heard(http)
    assert (received, type(problem), body.closed) == (b"one", OutcomeUnknown, True)


async def test_answer_without_an_end_is_given_up(http, vendor):
    said(vendor, Drip(piece=b"x" * 300, pause_s=0.0))
    received, problem = await heard(http)
    assert (len(received), type(problem)) == (900, MalformedAnswer)
