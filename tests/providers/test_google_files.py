"""Inputs on their way to Google: inside the request while they are small, through the Files API when they are not."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from google_sdk import sent_by_sdk
from wire_google import API, FILE, KEY, WIRE

from providers.errors import InvalidRequest, MalformedAnswer, NotOffered, NotSent, Unanswered
from providers.google import Google
from providers.google_files import INLINE_BYTES
from providers.http import Http
from providers.types import Media, VideoRequest

pytestmark = pytest.mark.anyio

HOST = "https://generativelanguage.googleapis.com"
START = f"{HOST}/upload/v1/files"
PLACE = f"{HOST}/upload/v1/places/u1"  # a query alone would not tell it from the start
LONG = Media("video/quicktime", data=b"\0" * (INLINE_BYTES + 1))
EDIT = VideoRequest(model="gemini-omni-1.1-flash", prompt="at night", video="v")


class Hasty(Google):
    """Google to a client without patience."""

    poll_interval_s = 0.001
    inputs_ready_within_s = 0.05


@pytest.fixture
async def family() -> AsyncIterator[Google]:
    http = Http()
    yield Hasty({"GOOGLE_API_KEY": KEY}, http)
    await http.aclose()


@pytest.fixture
def create(vendor):
    return vendor.post(f"{API}/interactions").mock(return_value=WIRE.accepted)


@pytest.fixture
def offer(vendor):
    return vendor.post(START).respond(headers={"x-goog-upload-url": PLACE}, json={})


def stored(state: str = "ACTIVE", **fields: object) -> httpx.Response:
    file = {"name": "files/f1", "uri": FILE, "state": state} | fields
    return httpx.Response(200, json={"file": file})


async def test_small_input_is_inside_the_request(family, create, offer):
    await family.submit(EDIT, {"v": Media("video/mp4", data=b"abc")})
    assert not offer.called
    block = json.loads(create.calls.last.request.content)["input"][0]["content"][0]
    assert block == {"type": "video", "data": "YWJj", "mime_type": "video/mp4"}


async def test_large_input_is_uploaded_and_named_by_its_address(family, create, offer, vendor, tmp_path):
    path = tmp_path / "clip"
    path.write_bytes(LONG.read())
    upload = vendor.post(PLACE).mock(return_value=stored())
    await family.submit(EDIT, {"v": Media("video/quicktime", path=path)})
    assert upload.calls.last.request.content == path.read_bytes()
    block = json.loads(create.calls.last.request.content)["input"][0]["content"][0]
    assert block == {"type": "video", "uri": FILE, "mime_type": "video/mov"}


async def test_upload_equals_the_official_clients(family, create, offer, vendor, tmp_path):
    path = tmp_path / "clip.mov"
    path.write_bytes(LONG.read())
    vendor.post(PLACE).mock(return_value=stored())
    await family.submit(EDIT, {"v": LONG})
    config = {"mime_type": "video/mov"}

    def call(client) -> None:
        with pytest.raises(KeyError):  # the answer of this transport offers no place
            client.files.upload(file=path.open("rb"), config=config)

    ours, theirs = offer.calls.last.request, sent_by_sdk(call, store=None)
    assert (ours.method, str(ours.url)) == (theirs.method, str(theirs.url))
    assert json.loads(ours.content) == {"file": {"mimeType": "video/mov", "sizeBytes": LONG.size}}
    assert json.loads(theirs.content)["file"].items() >= {"mime_type": "video/mov", "size_bytes": LONG.size}.items()
    for name in ("protocol", "command", "header-content-length", "header-content-type"):
        assert ours.headers[f"x-goog-upload-{name}"] == theirs.headers[f"x-goog-upload-{name}"]


async def test_bytes_go_to_their_place_without_the_key(family, create, offer, vendor):
    upload = vendor.post(PLACE).mock(return_value=stored())
    await family.submit(EDIT, {"v": LONG})
    headers = upload.calls.last.request.headers
    assert "x-goog-api-key" not in headers
    assert (headers["x-goog-upload-command"], headers["x-goog-upload-offset"]) == ("upload, finalize", "0")
    assert headers["content-length"] == str(LONG.size)


async def test_upload_is_waited_for_until_it_can_be_used(family, create, offer, vendor):
    vendor.post(PLACE).mock(return_value=stored("PROCESSING"))
    get = vendor.get(FILE)
    get.side_effect = [httpx.Response(200, json=stored(state).json()["file"]) for state in ("PROCESSING", "ACTIVE")]
    await family.submit(EDIT, {"v": LONG})
    assert (get.call_count, create.call_count) == (2, 1)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (stored("FAILED"), InvalidRequest),
        (stored(uri=None), MalformedAnswer),
        (stored(name="../../elsewhere"), MalformedAnswer),
        (httpx.Response(200, json={}), MalformedAnswer),
        (httpx.Response(500), Unanswered),
    ],
)
async def test_upload_that_fails_cost_nothing_and_nothing_was_ordered(family, create, offer, vendor, answer, error):
    vendor.post(PLACE).mock(return_value=answer)
    with pytest.raises(error) as caught:
        await family.submit(EDIT, {"v": LONG})
    assert (caught.value.charged, create.called) == (False, False)


async def test_upload_that_is_never_ready_is_given_up(family, create, offer, vendor):
    vendor.post(PLACE).mock(return_value=stored("PROCESSING"))
    vendor.get(FILE).mock(side_effect=lambda request: httpx.Response(200, json=stored("PROCESSING").json()["file"]))
    with pytest.raises(Unanswered, match="too long") as caught:
        await family.submit(EDIT, {"v": LONG})
    assert (caught.value.charged, create.called) == (False, False)


@pytest.mark.parametrize("place", ["", "http://10.0.0.1/up", "ftp://generativelanguage.googleapis.com/up"])
async def test_upload_to_an_unsafe_address_is_refused(family, create, vendor, place):
    vendor.post(START).respond(headers={"x-goog-upload-url": place}, json={})
    with pytest.raises(MalformedAnswer, match="no safe place"):
        await family.submit(EDIT, {"v": LONG})
    assert not create.called


async def test_unreachable_upload_was_not_sent(family, create, vendor):
    vendor.post(START).mock(side_effect=httpx.ConnectError("refused"))
    with pytest.raises(NotSent):
        await family.submit(EDIT, {"v": LONG})


async def test_kind_google_does_not_take_is_refused(family, create):
    with pytest.raises(NotOffered, match="video/x-matroska"):
        await family.submit(EDIT, {"v": Media("video/x-matroska", data=b"x")})
    assert not create.called


async def test_what_no_longer_fits_into_the_request_is_uploaded(family, create, offer, vendor):
    vendor.post(PLACE).mock(return_value=stored())
    half = Media("image/png", data=b"\0" * (INLINE_BYTES // 2 + 1))
    request = VideoRequest(model=EDIT.model, prompt="x", references=("a", "b"))
    await family.submit(request, {"a": half, "b": half})
    content = json.loads(create.calls.last.request.content)["input"][0]["content"]
    assert ["uri" in block for block in content] == [False, True, False]


async def test_nothing_is_uploaded_for_a_wish_that_is_refused(family, create, offer):
    request = EDIT.model_copy(update={"options": {"task": "upscale"}})
    with pytest.raises(NotOffered):
        await family.submit(request, {"v": LONG})
    assert not offer.called
