"""Probe: what a file is by its bytes alone, files that are not what they seem, and thumbnails."""

import io
import math
import struct
import wave
import zlib
from array import array
from pathlib import Path

import av
import pytest
from av.stream import Disposition
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from app.assets.probe import Facts, fitted, probe, thumbnail
from app.errors import UnsupportedMedia

RED, BLUE = (200, 0, 0), (0, 0, 200)
TURNED_RIGHT = 6  # EXIF: to be seen turned a quarter to the right


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test puts its file; the name says nothing."""
    return tmp_path / "file"


# ---- files -----------------------------------------------------------------------------------------------------------


def two_halves(width: int = 64, height: int = 48) -> Image.Image:
    """Blue on the left, red on the right."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(BLUE, (0, 0, width // 2, height))
    return picture


def pictured(format: str, picture: Image.Image | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    (picture or two_halves()).save(buffer, format, **options)
    return buffer.getvalue()


def turned(format: str) -> bytes:
    exif = Image.Exif()
    exif[274] = TURNED_RIGHT
    return pictured(format, exif=exif)


def tone(seconds: float = 2.0, rate: int = 24_000) -> bytes:
    """A WAV."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        samples = (int(6000 * math.sin(n / 20)) for n in range(int(seconds * rate)))
        sound.writeframes(array("h", samples).tobytes())
    return buffer.getvalue()


def sounding(container: str, codec: str, seconds: float = 2.0, rate: int = 24_000) -> bytes:
    buffer = io.BytesIO()
    with av.open(io.BytesIO(tone(seconds, rate))) as source, av.open(buffer, "w", format=container) as target:
        stream = target.add_stream(codec, rate=rate)
        stream.layout = "mono"
        for frame in source.decode(audio=0):
            frame.pts = None
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return buffer.getvalue()


def filmed(container: str, codec: str = "libx264", seconds: float = 2.0, rotation: int = 0) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as target:
        stream = target.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        for _ in range(round(24 * seconds)):
            target.mux(stream.encode(av.VideoFrame.from_image(two_halves())))
        target.mux(stream.encode())
    return buffer.getvalue()


def song_with_cover() -> bytes:
    buffer = io.BytesIO()
    with av.open(io.BytesIO(tone())) as source, av.open(buffer, "w", format="mp4") as target:
        voice = target.add_stream("aac", rate=24_000)
        voice.layout = "mono"
        cover = target.add_stream("png")
        cover.width, cover.height, cover.pix_fmt, cover.disposition = 64, 48, "rgb24", Disposition.attached_pic
        target.start_encoding()
        for frame in source.decode(audio=0):
            frame.pts = None
            target.mux(voice.encode(frame))
        target.mux(voice.encode())
        target.mux(cover.encode(av.VideoFrame.from_image(two_halves())))
    return buffer.getvalue()


def streamed_wav(riff_bytes: int, data_bytes: int) -> bytes:
    """A WAV whose header was written before its length was known."""
    sound = bytearray(tone())
    struct.pack_into("<I", sound, 4, riff_bytes)
    struct.pack_into("<I", sound, 40, data_bytes)
    return bytes(sound)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_claiming(width: int, height: int) -> bytes:
    """A few bytes that unfold into this many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    body = png_chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + body + png_chunk(b"IEND", b"")


def png_with(chunk: bytes) -> bytes:
    """A PNG with a chunk behind its header, as C2PA puts one there."""
    whole = pictured("PNG")
    return whole[:33] + chunk + whole[33:]


def shown(webp: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(webp))
    assert picture.format == "WEBP"
    return picture


def near(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(one - other) < 40 for one, other in zip(pixel, colour, strict=False))


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
def test_picture_is_known_by_its_bytes(file, format, media_type):
    file.write_bytes(pictured(format))
    assert probe(file) == Facts("image", media_type, 64, 48)


@pytest.mark.parametrize(
    ("container", "codec", "media_type"),
    [
        ("mp4", "libx264", "video/mp4"),
        ("mov", "libx264", "video/quicktime"),
        ("webm", "libvpx-vp9", "video/webm"),
        ("matroska", "libx264", "video/x-matroska"),
        ("avi", "mpeg4", "video/x-msvideo"),
    ],
)
def test_clip_is_known_by_its_bytes(file, container, codec, media_type):
    file.write_bytes(filmed(container, codec))
    assert probe(file) == Facts("video", media_type, 64, 48, 2.0)


@pytest.mark.parametrize("seconds", [0.5, 2.0, 7.3])
@pytest.mark.parametrize(
    ("container", "codec", "rate", "media_type"),
    [
        ("wav", "pcm_s16le", 24_000, "audio/wav"),
        ("flac", "flac", 24_000, "audio/flac"),
        ("mp3", "libmp3lame", 24_000, "audio/mpeg"),
        ("mp3", "libmp3lame", 44_100, "audio/mpeg"),
        ("ogg", "libopus", 24_000, "audio/ogg"),
        ("ipod", "aac", 24_000, "audio/mp4"),
        ("adts", "aac", 48_000, "audio/aac"),
        ("webm", "libopus", 24_000, "audio/webm"),
        ("matroska", "libopus", 24_000, "audio/x-matroska"),
    ],
)
def test_sound_is_known_by_its_bytes_and_its_length_within_50_ms(file, container, codec, rate, media_type, seconds):
    file.write_bytes(sounding(container, codec, seconds, rate))
    facts = probe(file)
    assert (facts.kind, facts.media_type, facts.width) == ("audio", media_type, None)
    assert facts.duration_s == pytest.approx(seconds, abs=0.05)


def test_song_with_a_cover_is_a_sound(file):
    file.write_bytes(song_with_cover())
    assert (probe(file).kind, probe(file).media_type) == ("audio", "audio/mp4")


@pytest.mark.parametrize("lengths", [(0xFFFFFFFF, 0xFFFFFFFF), (0x7FFF0048, 0x7FFF0024), (36, 0)])
def test_streamed_wav_is_as_long_as_its_bytes(file, lengths):
    file.write_bytes(streamed_wav(*lengths))
    assert probe(file) == Facts("audio", "audio/wav", duration_s=2.0)


def test_streamed_flac_is_as_long_as_its_bytes(file):
    sound = bytearray(sounding("flac", "flac"))
    sound[21] &= 0xF0  # the number of samples: not known
    sound[22:26] = bytes(4)
    file.write_bytes(sound)
    assert probe(file).duration_s == 2.0


def test_picture_on_its_side_has_the_size_it_is_seen_at(file):
    for format in ("JPEG", "PNG", "WEBP"):
        file.write_bytes(turned(format))
        assert (probe(file).width, probe(file).height) == (48, 64)


def test_picture_with_a_seal_of_origin_is_a_picture(file):
    file.write_bytes(png_with(png_chunk(b"caBX", bytes(5000))))
    assert probe(file) == Facts("image", "image/png", 64, 48)


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj",
        b"%PDF-1.4\nall of it letters",
        b"\0\xffjunk\n%PDF-1.7\n\xe2\xe3\xcf\xd3",
    ],
)
def test_pdf_is_a_document(file, content):
    file.write_bytes(content)
    assert probe(file) == Facts("document", "application/pdf")


@pytest.mark.parametrize(
    "text",
    [
        "A brief.\r\n\tWith tabs, and a page\f",
        "Grüße, 猫, 🦊",
        "<html><script>alert(1)</script></html>",
        '<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>',
        "The big WAVE came over us",
        "The ftyp box of MP4",
        "ID3 tags are old",
        "OggS is a name",
        "A PDF begins with %PDF-1.7",
        "BM is a car",
        "GIF89a is a kind of file",
    ],
)
def test_text_is_plain_text_whatever_it_speaks_of(file, text):
    file.write_text(text, encoding="utf-8")
    assert probe(file) == Facts("document", "text/plain")


def test_playlist_is_text_and_never_followed(file, tmp_path):
    target = tmp_path / "clip.mp4"
    target.write_bytes(filmed("mp4"))
    file.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{target.as_uri()}\n#EXT-X-ENDLIST\n")
    assert probe(file) == Facts("document", "text/plain")


def test_name_says_nothing(tmp_path):
    file = tmp_path / "clip.mp4"
    file.write_bytes(pictured("PNG"))
    assert probe(file).media_type == "image/png"


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \n\t",
        b"PK\x03\x04" + bytes(100),
        b"\x7fELF" + bytes(100),
        "Grüße".encode("utf-16"),
        "Grüße".encode("latin-1"),
        b"words and a \0",
        b"words and a bell \x07",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2",
        b"\x1aE\xdf\xa3 not matroska \0",
        b"\xff\xfb not mp3 \0",
    ],
)
def test_anything_else_is_refused(file, content):
    file.write_bytes(content)
    with pytest.raises(UnsupportedMedia):
        probe(file)


def test_truncated_mp4_is_refused(file):
    whole = filmed("mp4")
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnsupportedMedia, match="damaged"):
        probe(file)


def test_text_too_long_to_read_is_refused(file):
    file.write_bytes(b"word " * (3 * 1024**2))
    with pytest.raises(UnsupportedMedia):
        probe(file)


@pytest.mark.parametrize("size", [(12_000, 8_000), (60_000, 60_000)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_picture_that_unfolds_into_too_many_pixels_is_refused(file, size):
    file.write_bytes(png_claiming(*size))
    with pytest.raises(UnsupportedMedia, match="more pixels than this server handles"):
        probe(file)
    with pytest.raises(UnsupportedMedia, match="more pixels than this server handles"):
        thumbnail(file, "image")


def test_picture_whose_text_unfolds_without_end_is_refused(file):
    file.write_bytes(png_with(png_chunk(b"zTXt", b"c\0\0" + zlib.compress(bytes(50_000_000)))))
    with pytest.raises(UnsupportedMedia):
        probe(file)


SEEDS = [
    *(pictured(format) for format in ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP", "TIFF")),
    *(turned(format) for format in ("PNG", "JPEG", "WEBP")),
    tone(0.1),
    filmed("mp4", seconds=0.2),
    filmed("webm", "libvpx", seconds=0.2),
]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    seed=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=5),
    length=st.integers(1, 4000),
)
def test_damaged_file_is_described_or_refused(file, seed, changes, length):
    damaged = bytearray(seed[:length])
    for place, value in changes:
        damaged[place % len(damaged)] = value
    file.write_bytes(damaged)
    try:
        facts = probe(file)
        if facts.kind == "image":
            fitted(file, 32)
        thumbnail(file, facts.kind)
    except UnsupportedMedia:
        return


# ---- thumbnails ------------------------------------------------------------------------------------------------------


def test_thumbnail_fits_512_pixels_and_keeps_the_shape(file):
    file.write_bytes(pictured("PNG", two_halves(2000, 1000)))
    assert shown(thumbnail(file, "image")).size == (512, 256)


def test_thumbnail_of_a_small_picture_is_not_blown_up(file):
    file.write_bytes(pictured("PNG"))
    assert shown(thumbnail(file, "image")).size == (64, 48)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_thumbnail_of_a_picture_on_its_side_stands_upright(file, format):
    file.write_bytes(turned(format))
    small = shown(thumbnail(file, "image"))
    assert small.size == (48, 64)
    assert near(small.getpixel((24, 8)), BLUE)  # what lay on the left is on top
    assert near(small.getpixel((24, 56)), RED)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF"])
def test_thumbnail_of_a_transparent_picture_is_transparent(file, format):
    picture = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    picture.paste((*RED, 255), (32, 0, 64, 48))
    file.write_bytes(pictured(format, picture))
    small = shown(thumbnail(file, "image"))
    assert small.mode == "RGBA"
    assert [small.getpixel((place, 24))[3] for place in (8, 56)] == [0, 255]


@pytest.mark.parametrize(
    ("format", "mode"), [("PNG", "I;16"), ("PNG", "1"), ("JPEG", "CMYK"), ("TIFF", "F"), ("TIFF", "LAB"), ("GIF", "P")]
)
def test_thumbnail_is_made_of_every_mode(file, format, mode):
    file.write_bytes(pictured(format, Image.new(mode, (64, 48))))
    assert shown(thumbnail(file, "image")).size == (64, 48)


@pytest.mark.parametrize(("container", "codec"), [("mp4", "libx264"), ("webm", "libvpx"), ("matroska", "libx264")])
def test_thumbnail_of_a_clip_is_its_first_frame(file, container, codec):
    file.write_bytes(filmed(container, codec))
    small = shown(thumbnail(file, "video"))
    assert small.size == (64, 48)
    assert near(small.getpixel((8, 24)), BLUE)
    assert near(small.getpixel((56, 24)), RED)


def test_thumbnail_of_a_clip_held_upright_stands_upright(file):
    file.write_bytes(filmed("mp4", rotation=-90))
    small = shown(thumbnail(file, "video"))
    assert small.size == (48, 64)
    assert near(small.getpixel((24, 8)), BLUE)
    assert near(small.getpixel((24, 56)), RED)


@pytest.mark.parametrize("kind", ["audio", "document"])
def test_sound_and_documents_have_no_thumbnail(file, kind):
    file.write_bytes(tone(0.1))
    with pytest.raises(UnsupportedMedia, match=f"no thumbnail of a file of type {kind}"):
        thumbnail(file, kind)


def test_playlist_said_to_be_a_clip_is_not_opened(file, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(filmed("mp4"))
    file.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nclip.mp4\n#EXT-X-ENDLIST\n")
    with pytest.raises(UnsupportedMedia, match="it is no video"):
        thumbnail(file, "video")


def test_truncated_picture_has_no_thumbnail(file):
    file.write_bytes(pictured("PNG", Image.effect_noise((64, 48), 80))[:300])
    with pytest.raises(UnsupportedMedia):
        thumbnail(file, "image")


# ---- what a model sees -----------------------------------------------------------------------------------------------


def test_fitted_picture_is_a_jpeg_scaled_down(file):
    file.write_bytes(pictured("PNG", two_halves(2000, 1000)))
    picture = Image.open(io.BytesIO(fitted(file, 100)))
    assert (picture.format, picture.size) == ("JPEG", (100, 50))


def test_fitted_picture_stands_upright(file):
    file.write_bytes(turned("PNG"))
    assert Image.open(io.BytesIO(fitted(file, 100))).size == (48, 64)


def test_damaged_picture_is_refused_when_a_model_is_to_see_it(file):
    file.write_bytes(pictured("PNG", Image.effect_noise((64, 48), 80))[:300])
    with pytest.raises(UnsupportedMedia, match="damaged"):
        fitted(file, 100)
