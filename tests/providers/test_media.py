"""Media: made from bytes, a file, a data: URI or a URL, and what it is read from its bytes."""

import base64
import io
import wave
from pathlib import Path

import av
import pytest
from PIL import Image

from providers.errors import DownloadRefused, NotOffered
from providers.http import Http
from providers.media import Media
from providers.media_types import HEAD_BYTES, media_type_of

pytestmark = pytest.mark.anyio

PUBLIC, PRIVATE = "93.184.216.34", "10.0.0.7"


def pictured(format: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6)).save(buffer, format)
    return buffer.getvalue()


def filmed(container: str, codec: str) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as target:
        stream = target.add_stream(codec, rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(2):
            target.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", (64, 48)))))
        target.mux(stream.encode())
    return buffer.getvalue()


def tone() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(24_000)
        sound.writeframes(bytes(48_000))
    return buffer.getvalue()


def sounding(container: str, codec: str) -> bytes:
    buffer = io.BytesIO()
    with av.open(io.BytesIO(tone())) as source, av.open(buffer, "w", format=container) as target:
        stream = target.add_stream(codec, rate=24_000)
        stream.layout = "mono"
        for frame in source.decode(audio=0):
            frame.pts = None
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return buffer.getvalue()


PNG = pictured("PNG")


# ---- what it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "media_type"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("WEBP", "image/webp"),
        ("GIF", "image/gif"),
        ("AVIF", "image/avif"),
        ("BMP", "image/bmp"),
        ("TIFF", "image/tiff"),
    ],
)
def test_picture_is_known_by_its_bytes(format, media_type):
    assert Media.from_bytes(pictured(format)).media_type == media_type


@pytest.mark.parametrize(
    ("container", "codec", "media_type"),
    [
        ("mp4", "libx264", "video/mp4"),
        ("mov", "libx264", "video/quicktime"),
        ("webm", "libvpx-vp9", "video/webm"),
        ("matroska", "libx264", "video/x-matroska"),
        ("avi", "libx264", "video/x-msvideo"),
    ],
)
def test_film_is_known_by_its_bytes(container, codec, media_type):
    assert Media.from_bytes(filmed(container, codec)).media_type == media_type


@pytest.mark.parametrize(
    ("container", "codec", "media_type"),
    [
        ("mp3", "libmp3lame", "audio/mpeg"),
        ("flac", "flac", "audio/flac"),
        ("ogg", "libopus", "audio/ogg"),
        ("adts", "aac", "audio/aac"),
        ("ipod", "aac", "audio/mp4"),
        ("wav", "pcm_s16le", "audio/wav"),
    ],
)
def test_sound_is_known_by_its_bytes(container, codec, media_type):
    assert Media.from_bytes(sounding(container, codec)).media_type == media_type


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"%PDF-1.7\n", "application/pdf"),
        (b"\0\0junk%PDF-1.4", "application/pdf"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "image/heic"),
        ("Grüße, Welt\n".encode(), "text/plain"),
        (b"GIF89a is a format of 1989.", "text/plain"),
        (b"x" * (HEAD_BYTES - 1) + "é".encode(), "text/plain"),
        (b"", None),
        (b"  \n", None),
        (b"\0\1\2\3", None),
        (b"PK\x03\x04\x14\x00", None),
    ],
)
def test_document_is_known_by_its_bytes_and_anything_else_is_not(data, media_type):
    assert media_type_of(data) == media_type


# ---- how it is made --------------------------------------------------------------------------------------------------


def test_bytes_that_are_nothing_known_are_refused():
    with pytest.raises(NotOffered, match="not a picture"):
        Media.from_bytes(b"\0\1\2")


def test_file_is_read_only_when_it_is_needed(tmp_path: Path):
    path = tmp_path / "named.jpg"
    path.write_bytes(PNG)
    media = Media.from_file(path)
    assert (media.media_type, media.data, media.size, media.read()) == ("image/png", None, len(PNG), PNG)


def test_data_uri_is_believed_for_its_bytes_and_not_for_its_type():
    media = Media.from_data_uri("data:text/html;base64," + base64.b64encode(PNG).decode())
    assert media == Media("image/png", PNG)


@pytest.mark.parametrize("text", ["data:,Hello%20there", "DATA:text/plain;charset=utf-8,Hello there"])
def test_data_uri_may_be_plain(text):
    assert Media.from_data_uri(text) == Media("text/plain", b"Hello there")


def test_data_uri_survives_there_and_back():
    assert Media.from_data_uri(Media("image/png", PNG).data_uri()) == Media("image/png", PNG)


@pytest.mark.parametrize("text", ["", "https://a.test/b.png", "data:image/png;base64", "data:image/png;base64,@@@"])
def test_what_is_no_data_uri_is_refused(text):
    with pytest.raises(NotOffered, match="data: URI"):
        Media.from_data_uri(text)


async def resolve(host: str, port: int) -> list[str]:
    return [PRIVATE if host == "inner.test" else PUBLIC]


async def test_url_gives_what_lies_there(vendor):
    vendor.get(f"https://{PUBLIC}/a").respond(content=PNG, headers={"content-type": "text/html"})
    assert await Media.from_url(Http(resolve=resolve), "https://cdn.test/a") == Media("image/png", PNG)


@pytest.mark.parametrize("url", ["http://cdn.test/a", "https://inner.test/a", "file:///etc/hostname"])
async def test_url_that_leads_astray_is_refused(vendor, url):
    with pytest.raises(DownloadRefused):
        await Media.from_url(Http(resolve=resolve), url)


async def test_url_has_a_cap(vendor):
    vendor.get(f"https://{PUBLIC}/a").respond(content=PNG)
    with pytest.raises(DownloadRefused, match="larger than 8 bytes"):
        await Media.from_url(Http(resolve=resolve), "https://cdn.test/a", max_bytes=8)
