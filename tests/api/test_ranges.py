"""What the routes read out of headers and names, and what they answer when the bytes, or the news, are at an end."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.api import assets, errors, generations
from app.api.answers import preference
from app.api.assets import EXTENSIONS, byte_range, disposition, matches
from app.api.errors import path_of
from app.assets.probe import PICTURES
from app.assets.records import plain_name
from app.generations.parts import Parts
from app.generations.service import Service
from providers.media_types import CONTAINERS
from tests.doubles import add_generation, asset_row, open_parts

pytestmark = pytest.mark.anyio

ASSET, GENERATION = "asset_" + "0" * 26, "gen_" + "0" * 26
CONTENT = b"0123456789"
ETAG = f'"{hashlib.sha256(CONTENT).hexdigest()}"'


# ---- Range -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-4", (0, 5)),
        ("bytes=2-", (2, 10)),
        ("bytes=9-", (9, 10)),
        ("bytes=5-99", (5, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes = 2 - 4 ", (2, 5)),
        ("bytes=000000000000000000000002-000000000000000000000004", (2, 5)),
        ("bytes=5-" + "9" * 40, (5, 10)),
    ],
)
def test_range_is_read(header, found):
    assert byte_range(header, 10) == found


@pytest.mark.parametrize(
    "header", ["", "bytes", "bytes=", "bytes=-", "bytes=4-2", "bytes=0-1,4-5", "lines=0-1", "bytes=a-b", "bytes=1-2-3"]
)
def test_range_that_is_not_understood_is_ignored(header):
    assert byte_range(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99-", "bytes=" + "9" * 5000 + "-"])
def test_range_outside_is_an_error(header):
    with pytest.raises(ValueError, match=r"outside|digits"):
        byte_range(header, 10)


def test_range_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="outside"):
        byte_range("bytes=0-", 0)


@given(st.from_regex(r"bytes=\d{0,3}-\d{0,3}", fullmatch=True), st.integers(0, 200))
def test_range_is_never_larger_than_the_asset(header, size):
    try:
        found = byte_range(header, size)
    except ValueError:
        return
    assert found is None or 0 <= found[0] < found[1] <= size


# ---- If-None-Match, Prefer, names ------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ['"a"', 'W/"a"', '"x", "a"', '"x",W/"a"', "*"])
def test_version_in_hand_matches(header):
    assert matches(header, '"a"')


@pytest.mark.parametrize("header", [None, "", '"b"', "a", '"ab"', '"a'])
def test_other_versions_do_not_match(header):
    assert not matches(header, '"a"')


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, (None, None)),
        ("", (None, None)),
        ("return=minimal", (None, None)),
        ("respond-async", (0.0, "respond-async")),
        ("Respond-Async", (0.0, "respond-async")),
        ("respond-async; x=y", (0.0, "respond-async")),
        ("wait=30", (30.0, "wait=30")),
        ("wait = 30", (30.0, "wait=30")),
        ('wait="30"', (30.0, "wait=30")),
        ("wait=0", (0.0, "wait=0")),
        ("respond-async, wait=10", (10.0, "wait=10")),
        ("wait=-1", (None, None)),
        ("wait=1.5", (None, None)),
        ("wait=99999999", (None, None)),
    ],
)
def test_preference_is_read(header, found):
    assert preference(header) == found


@pytest.mark.parametrize(
    ("media_type", "download", "shown"),
    [
        ("image/png", False, f'inline; filename="{ASSET}.png"'),
        ("video/mp4", False, f'inline; filename="{ASSET}.mp4"'),
        ("audio/mpeg", False, f'inline; filename="{ASSET}.mp3"'),
        ("image/png", True, f'attachment; filename="{ASSET}.png"'),
        ("application/pdf", False, f'attachment; filename="{ASSET}.pdf"'),
        ("text/plain", False, f'attachment; filename="{ASSET}.txt"'),
        ("application/x-unheard-of", False, f'attachment; filename="{ASSET}.bin"'),
    ],
)
def test_only_pictures_films_and_sound_are_shown_in_place(media_type, download, shown):
    assert disposition({"id": ASSET, "media_type": media_type, "filename": None}, download) == shown


@pytest.mark.parametrize(
    ("name", "saved"),
    [('größe "1".txt', "gr%C3%B6%C3%9Fe%20%221%22.txt"), ("page.html", "page.txt"), ("notes", "notes.txt")],
)
def test_a_file_is_saved_under_its_own_name_with_the_ending_of_what_it_is(name, saved):
    row = {"id": ASSET, "media_type": "text/plain", "filename": name}
    assert disposition(row, True).endswith(f"; filename*=UTF-8''{saved}")


def test_every_kind_of_file_taken_has_an_extension():
    Image.init()
    kinds = {kind for *_, video, audio in CONTAINERS for kind in (video, audio) if kind}
    kinds |= {Image.MIME[format] for format in PICTURES} | {"video/quicktime", "application/pdf", "text/plain"}
    assert kinds - EXTENSIONS.keys() == set()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cat.png", "cat.png"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\cat.png", "cat.png"),
        ("../", None),
        ("a\r\nb\0c\u202egnp.exe", "abcgnp.exe"),
        ("猫.png", "猫.png"),
        ("x" * 300, "x" * 255),
        ("", None),
        (None, None),
    ],
)
def test_name_of_a_client_is_never_a_path(name, shown):
    assert plain_name(name) == shown


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (("body", "prompt"), "prompt"),
        (("body", "inputs", 0), "inputs.0"),
        (("query", "limit"), "query.limit"),
        (("body",), "body"),
        ((), "body"),
    ],
)
def test_place_of_an_error_is_a_path(location, path):
    assert path_of(location) == path


# ---- answers ---------------------------------------------------------------------------------------------------------


@pytest.fixture
async def parts(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Parts]:
    async with open_parts(tmp_path) as parts:
        yield parts


@pytest.fixture
async def client(parts: Parts) -> AsyncIterator[httpx.AsyncClient]:
    """The routes that need no workflow."""
    app = FastAPI()
    errors.install(app)
    app.include_router(assets.router)
    app.include_router(generations.router)
    app.state.parts, app.state.service = parts, Service(parts, cast(Any, None), cast(Any, None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.fixture
async def asset(parts: Parts) -> str:
    """The address of an asset's bytes."""
    row = asset_row(ASSET, bytes=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
    await parts.db.write(lambda connection: parts.records.add(connection, row))
    await parts.store.keep(ASSET, CONTENT)
    return f"/assets/{ASSET}/content"


async def test_whole_asset_may_be_cached_for_ever(client, asset):
    answer = await client.get(asset)
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (200, CONTENT, ETAG)
    assert "immutable" in answer.headers["cache-control"]


async def test_part_of_an_asset_is_206(client, asset):
    answer = await client.get(asset, headers={"range": "bytes=2-4"})
    assert (answer.status_code, answer.content) == (206, b"234")
    assert (answer.headers["content-range"], answer.headers["content-length"]) == ("bytes 2-4/10", "3")


async def test_part_outside_is_416(client, asset):
    answer = await client.get(asset, headers={"range": "bytes=10-"})
    assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == "bytes */10"


@pytest.mark.parametrize(
    ("if_range", "status"), [(ETAG, 206), ('"other"', 200), ("Fri, 20 Nov 2026 12:00:00 GMT", 200)]
)
async def test_part_of_another_version_is_the_whole(client, asset, if_range, status):
    answer = await client.get(asset, headers={"range": "bytes=2-4", "if-range": if_range})
    assert answer.status_code == status


async def test_head_tells_everything_but_the_bytes(client, asset):
    answer = await client.head(asset)
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "10", b"")


async def test_version_in_hand_is_304(client, asset):
    answer = await client.get(asset, headers={"if-none-match": ETAG})
    assert (answer.status_code, answer.content) == (304, b"")


async def test_bytes_that_are_gone_are_404(client, asset, parts):
    await parts.store.forget(ASSET)
    answer = await client.get(asset)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_body_that_is_no_json_is_the_bodys_fault(client):
    answer = await client.post("/generate", content=b"{not json", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body")


@pytest.mark.parametrize("address", ["/assets", "/generations"])
@pytest.mark.parametrize("cursor", ["nonsense", "%00", ASSET + "%00", "%ed%a0%80", "' OR 1=1"])
async def test_cursor_that_is_none_is_refused(client, address, cursor):
    answer = await client.get(f"{address}?cursor={cursor}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.cursor")


async def test_cursor_leads_to_the_next_page(client, parts):
    for number in range(3):
        row = asset_row(f"asset_{number:026d}")
        await parts.db.write(lambda connection, row=row: parts.records.add(connection, row))
    first = (await client.get("/assets?limit=2")).json()
    second = (await client.get(f"/assets?limit=2&cursor={first['next_cursor']}")).json()
    assert [asset["id"][-1] for asset in first["data"] + second["data"]] == ["2", "1", "0"]
    assert second["next_cursor"] is None


async def test_stream_seen_to_its_end_is_not_opened_again(client, parts):
    await add_generation(parts.db, GENERATION)
    await parts.db.write(lambda connection: parts.events.add(connection, GENERATION, "generation.completed", "end", {}))
    (last,) = await parts.events.after(GENERATION, 0)
    address = f"/generations/{GENERATION}/events"
    assert (await client.get(address)).text.startswith("event: generation.completed\n")
    with anyio.fail_after(30):
        assert (await client.get(address, headers={"last-event-id": str(last.id)})).status_code == 204
