"""Assets: what can be uploaded, how the bytes are served, the gallery."""

from __future__ import annotations

import hashlib
import io
import json
import wave
from typing import Any

import pytest
from PIL import Image

from tests.http.talk import (
    IMAGE,
    MAX_BODY_BYTES,
    MAX_UPLOAD_BYTES,
    NOTHING,
    TIME,
    fields,
    generated,
    pages,
    piecewise,
    problem,
)
from tests.server import Reply, Server

BOUNDARY = "the-line-between"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n\x80"
HTML = b"<!doctype html><script>alert(document.cookie)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


def picture(format: str = "PNG", width: int = 64, height: int = 48) -> bytes:
    """A picture file."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, format)
    return file.getvalue()


def silence(seconds: float = 0.5, rate: int = 8_000) -> bytes:
    """A WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(bytes(2 * int(seconds * rate)))
    return file.getvalue()


def form(content: bytes, name: str = "file", disposition: str = '; filename="a.bin"') -> bytes:
    """A form with one field."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{disposition}\r\n\r\n'.encode()
    return head + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def uploaded(server: Server, content: bytes, name: str = "a.bin") -> dict[str, Any]:
    """An upload that was taken."""
    reply = server.upload(name, content, "application/octet-stream")
    assert reply.status == 201, reply
    return reply.body


@pytest.fixture(scope="module")
def clip(server: Server) -> dict[str, Any]:
    """A clip that was made here."""
    [asset] = generated(server, "A 1 second clip of waves, 640x360")["assets"]
    return asset


@pytest.fixture(scope="module")
def narration(server: Server) -> dict[str, Any]:
    """A narration that was made here."""
    [asset] = generated(server, 'A narration saying "Good morning, everybody."')["assets"]
    return asset


@pytest.fixture(scope="module")
def png(server: Server) -> dict[str, Any]:
    """A picture that was uploaded."""
    return uploaded(server, picture(), "cat.png")


@pytest.fixture(scope="module")
def page(server: Server) -> dict[str, Any]:
    """A page with a script, uploaded as such."""
    return server.upload("page.html", HTML, "text/html").body


# ---- uploads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind", "media_type", "size"),
    [
        (picture("PNG"), "image", "image/png", (64, 48)),
        (picture("JPEG"), "image", "image/jpeg", (64, 48)),
        (picture("WEBP"), "image", "image/webp", (64, 48)),
        (picture("GIF"), "image", "image/gif", (64, 48)),
        (silence(), "audio", "audio/wav", (None, None)),
        (PDF, "document", "application/pdf", (None, None)),
        ("Good morning, größe and 猫.\n".encode(), "document", "text/plain", (None, None)),
    ],
)
def test_an_upload_is_known_by_its_bytes(server, content, kind, media_type, size):
    asset = uploaded(server, content)
    assert (asset["type"], asset["media_type"], (asset["width"], asset["height"])) == (kind, media_type, size)
    assert (asset["bytes"], asset["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert server.get(asset["url"]).body == content


def test_a_clip_can_be_uploaded(server, clip):
    asset = uploaded(server, server.get(clip["url"]).body)
    facts = ("type", "media_type", "width", "height", "duration_s", "bytes", "sha256")
    assert {name: asset[name] for name in facts} == {name: clip[name] for name in facts}


def test_a_spoken_text_that_is_uploaded_is_a_sound(server, narration):
    asset = uploaded(server, server.get(narration["url"]).body)
    assert (asset["type"], asset["media_type"], asset["duration_s"]) == ("audio", "audio/mpeg", narration["duration_s"])


def test_the_length_of_a_sound_is_told(server):
    assert uploaded(server, silence(1.25))["duration_s"] == 1.25


def test_an_upload_comes_of_nobody_and_cost_nothing_known(png):
    unknown = ("provider", "model", "prompt", "revised_prompt", "voice", "cost_usd", "generation_id")
    assert {png[name] for name in unknown} == {None}
    assert (png["parameters"], png["parent_ids"], bool(TIME.fullmatch(png["created_at"]))) == ({}, [], True)


@pytest.mark.parametrize(("name", "declared"), [("cat.exe", "text/html"), ("cat.mp4", "video/mp4"), ("cat", "x/y")])
def test_a_wrong_name_and_a_wrong_type_are_not_believed(server, name, declared):
    assert server.upload(name, picture(), declared).body["media_type"] == "image/png"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("cat.png", "cat.png"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("C:\\\\photos\\\\cat.png", "cat.png"),
        ("größe 猫.png", "größe 猫.png"),
        ("%2e%2e%2fcat.png", "%2e%2e%2fcat.png"),
        ("<img src=x>.png", "<img src=x>.png"),
    ],
)
def test_the_name_of_a_file_is_never_a_path(server, name, kept):
    assert uploaded(server, picture(), name)["filename"] == kept


@pytest.mark.parametrize(
    "content", [bytes(range(256)), b"MZ\x90\0" + bytes(500), b"PK\x03\x04" + bytes(500), picture()[:30], b"\x89PNG\0"]
)
def test_bytes_of_no_known_kind_are_refused(server, content):
    assert problem(server.upload("cat.png", content, "image/png")) == (415, "unsupported_media")


def test_an_empty_file_is_refused(server):
    assert fields(server.upload("cat.png", b"", "image/png")) == ["file"]


@pytest.mark.parametrize(
    "body",
    [b"", form(picture(), name="picture"), form(b"only text", disposition="")],
    ids=["nothing", "another field", "no file"],
)
def test_a_form_without_the_file_is_told_so(server, body):
    assert fields(server.post("/files", body, headers={"content-type": FORM})) == ["file"]


def test_an_upload_that_is_no_form_is_told_so(server):
    assert fields(server.post("/files", picture(), headers={"content-type": "image/png"})) == ["file"]


@pytest.mark.parametrize(("body", "kind"), [(b"no form", FORM), (b"no form", "multipart/form-data")])
def test_a_form_that_cannot_be_read_is_a_problem(server, body, kind):
    assert problem(server.post("/files", body, headers={"content-type": kind})) == (400, "bad_request")


def test_what_is_refused_is_not_kept(server, png):
    before = server.get("/assets?limit=1").body
    server.upload("cat.png", b"\x89PNG\0", "image/png")
    server.upload("cat.png", b"", "image/png")
    assert server.get("/assets?limit=1").body == before
    assert list((server.data_dir / "spool").iterdir()) == []


# ---- too large -------------------------------------------------------------------------------------------------------


def text(size: int) -> bytes:
    """A text of exactly so many bytes."""
    return b"good morning ".ljust(size, b".")


def test_a_file_of_the_largest_size_is_taken(narrow):
    assert uploaded(narrow, text(MAX_UPLOAD_BYTES))["bytes"] == MAX_UPLOAD_BYTES


@pytest.mark.parametrize("further", [1, MAX_BODY_BYTES, 5_000_000])
def test_a_file_that_is_too_large_is_refused(narrow, further):
    reply = narrow.upload("long.txt", text(MAX_UPLOAD_BYTES + further), "text/plain")
    assert problem(reply) == (413, "too_large")


@pytest.mark.parametrize("further", [1, MAX_BODY_BYTES])
def test_a_file_that_turns_out_too_large_is_refused(narrow, further):
    body = form(text(MAX_UPLOAD_BYTES + further))
    status, answer = piecewise(narrow, "/files", [body[:100], body[100:]], FORM)
    assert (status, json.loads(answer)["code"]) == (413, "too_large")


def test_a_file_may_come_piece_by_piece(narrow):
    status, answer = piecewise(narrow, "/files", [form(picture())[at : at + 7] for at in range(0, 500, 7)], FORM)
    assert (status, json.loads(answer)["media_type"]) == (201, "image/png")


# ---- content ---------------------------------------------------------------------------------------------------------


def content(server: Server, asset: dict[str, Any], query: str = "", method: str = "GET", **headers: str) -> Reply:
    """The bytes of an asset; underscores in the names of headers stand for hyphens."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.request(method, f"/assets/{asset['id']}/content{query}", headers=sent)


def test_the_whole_content_is_what_was_uploaded(server, png):
    reply = content(server, png)
    assert (reply.status, reply.body) == (200, picture())
    assert (reply.headers["content-type"], reply.headers["content-length"]) == ("image/png", str(png["bytes"]))
    assert reply.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-9", 0, 9),
        ("bytes=10-19", 10, 19),
        ("bytes=-10", -10, -1),
        ("bytes=20-", 20, -1),
        ("bytes=20-99999", 20, -1),
        ("bytes=-99999", 0, -1),
    ],
)
def test_a_part_of_the_content_can_be_asked_for(server, png, asked, first, last):
    size = png["bytes"]
    first, last = first % size, last % size
    reply = content(server, png, range=asked)
    assert (reply.status, reply.body) == (206, picture()[first : last + 1])
    assert reply.headers["content-range"] == f"bytes {first}-{last}/{size}"
    assert reply.headers["content-length"] == str(last + 1 - first)


@pytest.mark.parametrize("asked", ["bytes=99999-", "bytes=99999-100000", "bytes=-0"])
def test_a_part_outside_the_content_is_told_its_size(server, png, asked):
    reply = content(server, png, range=asked)
    assert problem(reply) == (416, "range_not_satisfiable")
    assert reply.headers["content-range"] == f"bytes */{png['bytes']}"


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,4-5", "bytes=9-2", "bytes=a-b", "bytes", "lines=0-1", "bytes=-", "bytes="]
)
def test_what_is_no_single_range_is_answered_with_everything(server, png, asked):
    reply = content(server, png, range=asked)
    assert (reply.status, reply.body, "content-range" in reply.headers) == (200, picture(), False)


def test_a_large_content_comes_in_parts_that_fit(server):
    made = picture(width=1500, height=900) + bytes(700_000)
    asset = uploaded(server, made)
    parts = [content(server, asset, range=f"bytes={at}-{at + 99_999}").body for at in range(0, len(made), 100_000)]
    assert b"".join(parts) == made


def test_a_part_counts_only_of_the_version_the_client_has(server, png):
    same = content(server, png, range="bytes=0-9", if_range=f'"{png["sha256"]}"')
    other = content(server, png, range="bytes=0-9", if_range='"another"')
    dated = content(server, png, range="bytes=0-9", if_range="Fri, 20 Nov 2026 12:00:00 GMT")
    assert (same.status, other.status, dated.status) == (206, 200, 200)
    assert (len(same.body), other.body, dated.body) == (10, picture(), picture())


@pytest.mark.parametrize("tag", ['"{}"', 'W/"{}"', '"x", "{}"', "*"])
def test_a_client_that_has_the_content_is_not_sent_it(server, png, tag):
    reply = content(server, png, if_none_match=tag.format(png["sha256"]))
    assert (reply.status, reply.body) == (304, b"")
    assert (reply.headers["etag"], "immutable" in reply.headers["cache-control"]) == (f'"{png["sha256"]}"', True)


def test_a_client_that_has_something_else_is_sent_the_content(server, png):
    assert content(server, png, if_none_match='"another"').status == 200


@pytest.mark.parametrize("asked", ["", "bytes=10-19", "bytes=99999-"])
def test_head_tells_what_get_would(server, png, asked):
    got, told = (content(server, png, method=method, range=asked) for method in ("GET", "HEAD"))
    for reply in (got, told):
        del reply.headers["date"]
    assert (told.status, told.headers, told.body) == (got.status, got.headers, b"")


def test_content_is_kept_for_ever_by_the_one_who_asked(server, png):
    kept = content(server, png).headers["cache-control"]
    assert kept == "private, max-age=31536000, immutable"


@pytest.mark.parametrize("query", ["?download=1", "?download=true"])
def test_content_can_be_saved(server, png, query):
    shown = content(server, png, query).headers["content-disposition"]
    assert shown == f"attachment; filename=\"{png['id']}.png\"; filename*=UTF-8''cat.png"


def test_pictures_clips_and_sound_are_shown_in_place(server, png, clip, narration):
    shown = [content(server, asset).headers["content-disposition"] for asset in (png, clip, narration)]
    assert shown == [
        f'inline; filename="{asset["id"]}.{extension}"'
        for asset, extension in ((png, "png"), (clip, "mp4"), (narration, "mp3"))
    ]


@pytest.mark.parametrize("document", [PDF, HTML, SVG, b"plain words"])
def test_documents_are_only_saved(server, document):
    asset = uploaded(server, document)
    assert content(server, asset).headers["content-disposition"].startswith("attachment;")


def test_a_page_is_served_as_text_that_no_browser_runs(server, page):
    reply = content(server, page)
    assert (page["type"], page["media_type"], page["filename"]) == ("document", "text/plain", "page.html")
    assert (reply.body, reply.headers["content-type"]) == (HTML, "text/plain; charset=utf-8")
    assert reply.headers["content-disposition"].startswith(f'attachment; filename="{page["id"]}.txt"')


def test_no_content_is_ever_active(server, png, clip, narration, page):
    for asset in (png, clip, narration, page):
        headers = content(server, asset).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_content_at_an_address_nobody_gave_is_not_found(server):
    paths = [f"/assets/{NOTHING}{rest}" for rest in ("", "/content", "/thumbnail")]
    assert [problem(server.get(path)) for path in paths] == [(404, "not_found")] * 3


@pytest.mark.parametrize("asset_id", ["asset_..", "asset_%2e%2e%2f%2e%2e%2fimpresario.db", "gen_" + "0" * 26, "1"])
def test_an_id_that_is_none_reaches_no_file(server, asset_id):
    assert server.get(f"/assets/{asset_id}/content").status in (404, 422)


# ---- thumbnails ------------------------------------------------------------------------------------------------------


def thumbnail(server: Server, asset: dict[str, Any]) -> Image.Image:
    """The thumbnail of an asset, opened."""
    reply = server.get(asset["thumbnail_url"])
    assert (reply.status, reply.headers["content-type"]) == (200, "image/webp")
    return Image.open(io.BytesIO(reply.body))


@pytest.mark.parametrize(
    ("size", "small"), [((64, 48), (64, 48)), ((2048, 1024), (512, 256)), ((300, 1200), (128, 512))]
)
def test_the_thumbnail_of_a_picture_is_small(server, size, small):
    shown = thumbnail(server, uploaded(server, picture(width=size[0], height=size[1])))
    assert (shown.format, shown.size) == ("WEBP", small)


def test_the_thumbnail_of_a_clip_is_its_first_picture(server, clip):
    shown = thumbnail(server, clip)
    assert (shown.format, shown.size) == ("WEBP", (512, 288))
    assert len(shown.getcolors(512 * 288)) > 10


def test_a_thumbnail_is_kept_and_known_again(server, png):
    first, second = server.get(png["thumbnail_url"]), server.get(png["thumbnail_url"])
    again = server.get(png["thumbnail_url"], headers={"if-none-match": first.headers["etag"]})
    assert (first.body, again.status, again.body) == (second.body, 304, b"")
    assert "immutable" in first.headers["cache-control"]


@pytest.mark.parametrize("made", [silence(), PDF, b"words"])
def test_what_cannot_be_seen_has_no_thumbnail(server, made):
    asset = uploaded(server, made)
    assert asset["thumbnail_url"] is None
    assert problem(server.get(f"/assets/{asset['id']}/thumbnail")) == (415, "unsupported_media")


# ---- the gallery -----------------------------------------------------------------------------------------------------


def test_an_asset_is_fetched_as_it_was_answered(server, png, clip):
    assert server.get(f"/assets/{png['id']}").body == png
    assert server.get(f"/assets/{clip['id']}").body == clip


def test_the_gallery_begins_with_the_newest(server):
    made = [uploaded(server, picture(width=width))["id"] for width in (10, 11, 12)]
    listed = server.get("/assets?limit=3").body
    assert [asset["id"] for asset in listed["data"]] == made[::-1]


def test_the_gallery_holds_works_and_uploads(server, png, clip, narration):
    listed = [asset for page in pages(server, "/assets", 100) for asset in page]
    assert [asset for asset in (png, clip, narration) if asset not in listed] == []


def test_the_cursor_leads_through_the_whole_gallery(server, png, clip, narration):
    ids = [asset["id"] for page in pages(server, "/assets", 2) for asset in page]
    assert ids == sorted(set(ids), reverse=True)
    assert {png["id"], clip["id"], narration["id"]} <= set(ids)


@pytest.mark.parametrize("kind", ["image", "video", "speech", "audio", "document"])
def test_the_gallery_can_be_of_one_kind(server, png, clip, narration, page, kind):
    uploaded(server, silence())
    listed = [asset for found in pages(server, f"/assets?type={kind}", 3) for asset in found]
    assert {asset["type"] for asset in listed} == {kind}


@pytest.mark.parametrize(
    ("query", "field"), [("limit=0", "limit"), ("limit=101", "limit"), ("type=smell", "type"), ("cursor=x", "cursor")]
)
def test_a_wrong_question_about_the_gallery_is_named(server, query, field):
    assert fields(server.get(f"/assets?{query}")) == [f"query.{field}"]


# ---- delete ----------------------------------------------------------------------------------------------------------


def test_a_deleted_asset_is_gone(server):
    asset = uploaded(server, picture())
    server.get(asset["thumbnail_url"])
    reply = server.delete(f"/assets/{asset['id']}")
    assert (reply.status, reply.body, "content-type" in reply.headers) == (204, b"", False)
    paths = [f"/assets/{asset['id']}{rest}" for rest in ("", "/content", "/thumbnail")]
    assert [problem(server.get(path)) for path in paths] == [(404, "not_found")] * 3


def test_a_deleted_asset_leaves_no_file(server):
    asset = uploaded(server, picture())
    server.get(asset["thumbnail_url"])
    server.delete(f"/assets/{asset['id']}")
    assert [path for path in (server.data_dir / "assets").rglob("*") if asset["id"] in path.name] == []


def test_deleting_an_asset_twice_is_not_found(server):
    asset = uploaded(server, picture())
    assert server.delete(f"/assets/{asset['id']}").status == 204
    assert problem(server.delete(f"/assets/{asset['id']}")) == (404, "not_found")


def test_a_deleted_asset_can_be_uploaded_again(server):
    first = uploaded(server, picture())
    server.delete(f"/assets/{first['id']}")
    second = uploaded(server, picture())
    assert (second["id"] != first["id"], content(server, second).body) == (True, picture())


def test_a_generation_outlives_its_assets(server):
    generation = generated(server, IMAGE)
    server.delete(f"/assets/{generation['assets'][0]['id']}")
    left = server.get(f"/generations/{generation['id']}").body
    assert (left["status"], left["assets"]) == ("completed", [])


def test_a_deleted_asset_cannot_be_worked_with(server):
    asset = uploaded(server, picture())
    server.delete(f"/assets/{asset['id']}")
    assert fields(server.post("/generate", {"prompt": "darker", "inputs": [asset["id"]]})) == ["inputs.0"]
