"""The guarded download: where a work may come from, how large it may be, and how slowly it may come."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from drip import Drip

from providers.downloads import CHUNK_BYTES, MAX_REDIRECTS
from providers.errors import DownloadFailed, DownloadRefused
from providers.http import Http

pytestmark = pytest.mark.anyio

PUBLIC, PRIVATE = "93.184.216.34", "10.0.0.7"
VENDOR_URL = "https://api.vendor.test/v1"
WORK = "https://cdn.test/work.png"
PINNED = f"https://{PUBLIC}/work.png"


async def resolve(host: str, port: int) -> list[str]:
    """A resolver without a network."""
    if host == "unknown.test":
        raise OSError("no such host")
    return {"inner.test": [PRIVATE], "mixed.test": [PUBLIC, PRIVATE], "empty.test": []}.get(host, [PUBLIC])


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    http = Http(resolve=resolve, max_bytes=1000)
    yield http
    await http.aclose()


async def fetched(http: Http, url: str = WORK, vendor_url: str = VENDOR_URL, **more) -> bytes:
    return b"".join([chunk async for chunk in http.download(url, vendor_url=vendor_url, **more)])


# ---- where it may come from ------------------------------------------------------------------------------------------


async def test_download_goes_to_the_address_that_was_checked(http, vendor):
    route = vendor.get(f"https://{PUBLIC}/work.png").respond(content=b"bytes")
    assert await fetched(http) == b"bytes"
    request = route.calls.last.request
    assert request.headers["host"] == "cdn.test"
    assert request.extensions["sni_hostname"] == "cdn.test"
    assert request.headers["user-agent"].startswith("impresario/")


async def test_download_keeps_port_and_query(http, vendor):
    route = vendor.get(f"https://{PUBLIC}:8443/work.png?sig=1").respond(content=b"bytes")
    assert await fetched(http, "https://cdn.test:8443/work.png?sig=1") == b"bytes"
    assert route.calls.last.request.headers["host"] == "cdn.test:8443"


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.test/work.png",
        "http://api.vendor.test/work.png",
        "ftp://cdn.test/work.png",
        "file:///etc/passwd",
        "https://inner.test/work.png",
        "https://mixed.test/work.png",
        "https://empty.test/work.png",
        "https://[::1/work.png",
        "work.png",
    ],
)
async def test_unsafe_address_is_refused(http, vendor, url):
    anything = vendor.route().respond(content=b"secret")
    with pytest.raises(DownloadRefused):
        await fetched(http, url)
    assert not anything.called


async def test_redirect_into_a_private_network_is_refused(http, vendor):
    vendor.get(f"https://{PUBLIC}/work.png").respond(302, headers={"location": "https://inner.test/secret"})
    inner = vendor.get(f"https://{PRIVATE}/secret").respond(content=b"secret")
    with pytest.raises(DownloadRefused, match="private"):
        await fetched(http)
    assert not inner.called


async def test_redirect_to_plain_http_is_refused(http, vendor):
    vendor.get(f"https://{PUBLIC}/work.png").respond(302, headers={"location": "http://cdn.test/work.png"})
    with pytest.raises(DownloadRefused, match="plain http"):
        await fetched(http)


async def test_redirect_is_followed_and_headers_chosen_anew(http, vendor):
    vendor.get(f"https://{PUBLIC}/work.png").respond(302, headers={"location": "https://other.test/b.png"})
    second = vendor.get(f"https://{PUBLIC}/b.png").respond(content=b"bytes")
    asked = []

    def headers_for(url: str) -> dict[str, str]:
        asked.append(url)
        return {"authorization": "Bearer key"} if url == WORK else {}

    assert await fetched(http, headers_for=headers_for) == b"bytes"
    assert asked == [WORK, "https://other.test/b.png"]
    assert "authorization" not in second.calls.last.request.headers


async def test_endless_redirects_are_refused(http, vendor):
    route = vendor.get(f"https://{PUBLIC}/work.png").respond(302, headers={"location": "/work.png"})
    with pytest.raises(DownloadRefused, match="redirects"):
        await fetched(http)
    assert route.call_count == MAX_REDIRECTS + 1


async def test_configured_vendor_may_be_private_and_plain(http, vendor):
    vendor.get("http://localhost:9/out.png").respond(content=b"bytes")
    assert await fetched(http, "http://localhost:9/out.png", "http://localhost:9/v1") == b"bytes"


async def test_configured_vendors_other_port_is_not_excused_from_https(http, vendor):
    with pytest.raises(DownloadRefused):
        await fetched(http, "http://localhost:10/out.png", "http://localhost:9/v1")


async def test_download_over_the_cap_is_stopped(http, vendor):
    vendor.get(f"https://{PUBLIC}/work.png").respond(content=b"x" * 1001)
    with pytest.raises(DownloadRefused, match="larger than 1000 bytes"):
        await fetched(http)


@pytest.mark.parametrize("status", [304, 403, 404, 500])
async def test_download_that_is_not_answered_may_be_tried_again(http, vendor, status):
    vendor.get(f"https://{PUBLIC}/work.png").respond(status)
    with pytest.raises(DownloadFailed) as caught:
        await fetched(http)
    assert not caught.value.permanent


async def test_host_that_is_not_known_may_be_tried_again(http):
    with pytest.raises(DownloadFailed) as caught:
        await fetched(http, "https://unknown.test/work.png")
    assert not caught.value.permanent


async def test_connection_lost_on_the_way_may_be_tried_again(http, vendor):
    vendor.get(f"https://{PUBLIC}/work.png").mock(side_effect=httpx.ReadError("gone"))
    with pytest.raises(DownloadFailed, match="ReadError"):
        await fetched(http)


async def test_redirect_to_no_url_is_not_followed(http, vendor):
    vendor.get(PINNED).respond(302, headers={"location": "https://[::1/work.png"})
    with pytest.raises(DownloadFailed):
        await fetched(http)


# ---- what a user names -----------------------------------------------------------------------------------------------


async def named(http: Http, url: str = WORK, **more) -> bytes:
    return b"".join([chunk async for chunk in http.fetch(url, **more)])


async def test_linked_file_comes_from_the_address_that_was_checked(http, vendor):
    route = vendor.get(PINNED).respond(content=b"bytes")
    assert await named(http) == b"bytes"
    assert route.calls.last.request.headers["host"] == "cdn.test"


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.test/work.png",
        "http://localhost:9/out.png",
        "https://inner.test/work.png",
        "https://mixed.test/work.png",
        "https://cdn.test:99999999/work.png",
        "https://xn--/work.png",
        "data:image/png;base64,AA==",
        "",
    ],
)
async def test_no_host_is_trusted_for_a_linked_file_and_nothing_is_owed(http, vendor, url):
    anything = vendor.route().respond(content=b"secret")
    with pytest.raises(DownloadRefused, match="linked file") as caught:
        await named(http, url)
    assert (anything.called, caught.value.charged) == (False, False)


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "a..test", "."])
async def test_host_name_that_cannot_be_is_refused(host):
    with pytest.raises(DownloadRefused):
        await named(Http(), f"https://{host}/work.png")


@pytest.mark.parametrize("location", ["https://inner.test/secret", "http://cdn.test/work.png"])
async def test_linked_file_is_not_followed_into_a_private_network_or_to_plain_http(http, vendor, location):
    vendor.get(PINNED).respond(302, headers={"location": location})
    with pytest.raises(DownloadRefused):
        await named(http)


async def test_linked_file_has_a_cap_of_its_own(http, vendor):
    vendor.get(PINNED).respond(content=b"x" * 11)
    with pytest.raises(DownloadRefused, match="larger than 10 bytes"):
        await named(http, max_bytes=10)


# ---- how slowly it may come ------------------------------------------------------------------------------------------


@pytest.fixture
async def impatient() -> AsyncIterator[Http]:
    http = Http(resolve=resolve, timeout_s=1.0)
    yield http
    await http.aclose()


async def test_download_that_drips_for_ever_is_given_up_and_may_be_tried_again(impatient, vendor):
    vendor.get(PINNED).mock(return_value=httpx.Response(200, stream=Drip(b"x", 0.01)))
    with pytest.raises(DownloadFailed, match="too slowly") as caught:
        await fetched(impatient)
    assert not caught.value.permanent


async def test_download_that_does_not_begin_is_given_up(impatient, vendor):
    async def silence(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(600)
        raise AssertionError

    vendor.get(PINNED).mock(side_effect=silence)
    with pytest.raises(DownloadFailed, match="too slowly"):
        await fetched(impatient)


async def test_large_download_has_the_time_its_length_needs(impatient, vendor):
    vendor.get(PINNED).mock(return_value=httpx.Response(200, stream=Drip(bytes(CHUNK_BYTES), 0.25, count=6)))
    assert len(await fetched(impatient)) == 6 * CHUNK_BYTES


async def test_time_in_which_we_ourselves_are_busy_is_not_the_vendors(impatient, vendor):
    vendor.get(PINNED).mock(return_value=httpx.Response(200, stream=Drip(b"x" * 2 * CHUNK_BYTES, 0, count=1)))
    received = 0
    async for piece in impatient.download(WORK, vendor_url=VENDOR_URL):
        await asyncio.sleep(1.2)
        received += len(piece)
    assert received == 2 * CHUNK_BYTES
