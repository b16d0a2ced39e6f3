"""What a file is, read from its bytes: media type, size in pixels, length in seconds; and its thumbnail.

Names and headers lie (DESIGN 8), so neither is looked at. The container format is told to the decoder, never guessed by
it: FFmpeg's guess includes playlists, which would make it read other files and addresses.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import av
import av.error
from av.stream import Disposition
from PIL import Image, ImageOps, UnidentifiedImageError

from app.errors import UnsupportedMedia
from providers.media_types import HEAD_BYTES, container_of

Kind = Literal["image", "video", "audio", "document"]
PICTURES = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP", "TIFF")
MAX_PIXELS = 90_000_000
MAX_TEXT_BYTES = 10 * 1024**2
THUMBNAIL = 512
EXIF_ORIENTATION = 274
TURNED = (5, 6, 7, 8)  # the orientations that lay an upright picture on its side, as phones write them


@dataclass(frozen=True)
class Facts:
    """What a file is. Pixels and seconds are None where they have no meaning."""

    kind: Kind
    media_type: str
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None


def probe(path: Path) -> Facts:
    """Read the facts of a file (blocking). Raises UnsupportedMedia when it is none of the kinds served here."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(b"%PDF-"):
        return Facts("document", "application/pdf")
    if b"\0" not in head and _is_text(path):  # first, because text may begin with the letters of a container
        return Facts("document", "text/plain")
    if (container := container_of(head)) is not None:
        return _probe_container(path, *container, head)
    if (picture := _probe_picture(path)) is not None:
        return picture
    if b"%PDF-" in head[:1024]:  # some writers put a few bytes before it
        return Facts("document", "application/pdf")
    raise UnsupportedMedia("The file is not an image, video, audio, PDF or plain text this server knows.")


def _probe_picture(path: Path) -> Facts | None:
    try:
        with _opened_picture(path) as picture:
            media_type = Image.MIME.get(picture.format or "", "application/octet-stream")
            exif = Image.Image.getexif(picture)  # the one of PNG would decode the whole picture
            turned = exif.get(EXIF_ORIENTATION) in TURNED
            width, height = reversed(picture.size) if turned else picture.size
            return Facts("image", media_type, width, height)
    except UnidentifiedImageError:
        return None


@contextmanager
def _opened_picture(path: Path) -> Iterator[Image.Image]:
    """An image file opened with a bound on its pixels, so that a small file cannot unfold into a huge picture.

    Raises UnidentifiedImageError when it is no picture, UnsupportedMedia when it is a damaged one: on such bytes Pillow
    raises what its decoders happen to stumble on (OSError, SyntaxError, ValueError, RuntimeError ...).
    """
    try:
        with Image.open(path, formats=PICTURES) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise Image.DecompressionBombError  # Pillow itself raises it at twice as many
            yield picture
    except Image.DecompressionBombError as error:
        raise UnsupportedMedia("The picture has more pixels than this server handles.") from error
    except UnidentifiedImageError:
        raise
    except Exception as error:
        raise UnsupportedMedia("The picture is damaged or of a kind this server does not know.") from error


def _probe_container(path: Path, container: str, video_type: str, audio_type: str, head: bytes) -> Facts:
    if container == "matroska" and b"webm" not in head:
        video_type, audio_type = "video/x-matroska", "audio/x-matroska"
    try:
        with av.open(str(path), format=container) as media:
            video = next(filter(_shows_pictures, media.streams.video), None)
            if video is not None and video_type:
                if container == "mp4" and head[8:12] == b"qt  ":
                    video_type = "video/quicktime"
                width, height = video.codec_context.width, video.codec_context.height
                return Facts("video", video_type, width, height, _duration(media))
            if media.streams.audio and audio_type:
                return Facts("audio", audio_type, duration_s=_measured_duration(media))
    except (av.error.FFmpegError, ValueError) as error:
        raise UnsupportedMedia("The media file is damaged or of a kind this server does not know.") from error
    raise UnsupportedMedia("The media file holds neither pictures nor sound.")


def _shows_pictures(stream: Any) -> bool:
    """Whether a video stream is one: the cover of a song is not."""
    cover = stream.disposition & Disposition.attached_pic
    return bool(stream.codec_context and stream.codec_context.width and not cover)


def _duration(media: Any) -> float | None:
    """Seconds by the container's word, measured where it gives none."""
    if media.duration:
        return round(float(media.duration) / 1_000_000, 3)
    return _measured_duration(media)


def _measured_duration(media: Any) -> float | None:
    """Seconds by the packets, because streamed WAV headers claim 0xFFFFFFFF bytes and streamed FLAC no samples.

    Counted from the stream's start: what lies before it is the silence an encoder puts first.
    """
    stream = next(iter(media.streams.audio or media.streams.video))
    start = stream.start_time or 0
    end = 0.0
    for packet in media.demux(stream):
        if packet.pts is not None and packet.time_base is not None:
            end = max(end, float((packet.pts + (packet.duration or 0) - start) * packet.time_base))
    return round(end, 3) or None


def _is_text(path: Path) -> bool:
    """UTF-8 without control characters, of a size worth reading."""
    if path.stat().st_size > MAX_TEXT_BYTES:
        return False
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return False
    return bool(text.strip()) and not any(ord(char) < 32 and char not in "\t\r\n\f" for char in text)


def thumbnail(path: Path, kind: Kind) -> bytes:
    """A WebP of at most 512 pixels a side: of a picture, or of a video's first frame (blocking).

    Raises UnsupportedMedia for sound and documents, and for a file that cannot be decoded.
    """
    try:
        if kind == "image":
            with _opened_picture(path) as picture:
                picture.draft("RGB", (THUMBNAIL, THUMBNAIL))
                return _small(picture, turned=True)
        if kind == "video":
            with path.open("rb") as file:
                container = container_of(file.read(64))
            if container is None:
                raise UnsupportedMedia("No thumbnail can be made of this file: it is no video.")
            with av.open(str(path), format=container[0]) as media:
                frame: Any = next(media.decode(video=0))
                return _small(frame.to_image().rotate(frame.rotation, expand=True))
    except (OSError, av.error.FFmpegError, StopIteration) as error:
        raise UnsupportedMedia("No thumbnail can be made of this file: it cannot be decoded.") from error
    raise UnsupportedMedia(f"There is no thumbnail of a file of type {kind}.")


def _small(picture: Image.Image, *, turned: bool = False) -> bytes:
    transparent = picture.has_transparency_data
    if picture.mode in ("P", "1"):
        picture = picture.convert("RGBA" if transparent else "RGB")  # a palette cannot be blended
    picture.thumbnail((THUMBNAIL, THUMBNAIL))  # before all else: each copy of a large picture takes as much again
    small = ImageOps.exif_transpose(picture) if turned else picture
    small = small.convert("RGBA" if transparent else "RGB")
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80, method=2)
    return buffer.getvalue()


def fitted(path: Path, side: int) -> bytes:
    """A picture as JPEG, scaled down to fit `side` pixels, for a model to look at (blocking).

    Raises UnsupportedMedia for a damaged one.
    """
    with _opened_picture(path) as picture:
        picture.draft("RGB", (side, side))
        if picture.mode in ("P", "1"):
            picture = picture.convert("RGB")
        picture.thumbnail((side, side))
        small = ImageOps.exif_transpose(picture).convert("RGB")
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=85)
        return buffer.getvalue()
