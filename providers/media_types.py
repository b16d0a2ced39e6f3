"""What a file is by its first bytes. Names and headers lie (DESIGN 8), so neither is looked at.

The one table of containers, for what goes to a vendor and for what is kept (`app/assets/probe.py`, which also decodes).
"""

from __future__ import annotations

import codecs

HEAD_BYTES = 4096
"""How much of a file is enough to tell."""

# Offset, bytes, FFmpeg's name of the container, and the media types of its video and audio forms.
CONTAINERS = (
    (4, b"ftyp", "mp4", "video/mp4", "audio/mp4"),
    (0, b"\x1aE\xdf\xa3", "matroska", "video/webm", "audio/webm"),
    (8, b"WAVE", "wav", "", "audio/wav"),
    (8, b"AVI ", "avi", "video/x-msvideo", ""),
    (0, b"OggS", "ogg", "video/ogg", "audio/ogg"),
    (0, b"fLaC", "flac", "", "audio/flac"),
    (0, b"ID3", "mp3", "", "audio/mpeg"),
    (0, b"\xff\xf1", "aac", "", "audio/aac"),
    (0, b"\xff\xf9", "aac", "", "audio/aac"),
    (0, b"\xff\xfb", "mp3", "", "audio/mpeg"),
    (0, b"\xff\xf3", "mp3", "", "audio/mpeg"),
    (0, b"\xff\xf2", "mp3", "", "audio/mpeg"),
    (0, b"\xff\xfa", "mp3", "", "audio/mpeg"),
)
PICTURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (8, b"WEBP", "image/webp"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
)
# Brands of the `ftyp` box, which AVIF, HEIF and QuickTime share with MP4.
PICTURE_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
}
OTHER_BRANDS = {b"qt  ": "video/quicktime", b"M4A ": "audio/mp4", b"M4B ": "audio/mp4"}
FILMED_IN_OGG = (b"\x80theora", b"BBCD\0")  # the first packets of Theora and Dirac


def media_type_of(data: bytes) -> str | None:
    """The media type of a file by its first bytes (`HEAD_BYTES` are enough); None for a kind that is not known.

    A container may hold sound alone: where its first bytes do not tell, it is called a video.
    """
    head = data[:HEAD_BYTES]
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    if _is_text(head):  # early, because text may begin with the letters of something else
        return "text/plain"
    if (container := container_of(head)) is not None:
        return _contained(head, *container)
    if head[4:8] == b"ftyp" and head[8:12] in PICTURE_BRANDS:
        return PICTURE_BRANDS[head[8:12]]
    for offset, magic, media_type in PICTURES:
        if head[offset : offset + len(magic)] == magic:
            return media_type
    return "application/pdf" if b"%PDF-" in head[:1024] else None  # some writers put a few bytes before it


def container_of(head: bytes) -> tuple[str, str, str] | None:
    """FFmpeg's name of a container of film or sound and its video and audio media types, by the first bytes."""
    if head[8:12] in PICTURE_BRANDS:
        return None
    for offset, magic, container, video_type, audio_type in CONTAINERS:
        if head[offset : offset + len(magic)] == magic:
            return container, video_type, audio_type
    return None


def _contained(head: bytes, container: str, video_type: str, audio_type: str) -> str:
    match container:
        case "mp4":
            return OTHER_BRANDS.get(head[8:12], video_type)
        case "matroska":
            return video_type if b"webm" in head else "video/x-matroska"
        case "ogg":
            return video_type if any(codec in head for codec in FILMED_IN_OGG) else audio_type
        case _:
            return video_type or audio_type


def _is_text(head: bytes) -> bool:
    """UTF-8 without control characters; a character may be cut off at the end."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text.strip()) and not any(ord(char) < 32 and char not in "\t\r\n\f" for char in text)
