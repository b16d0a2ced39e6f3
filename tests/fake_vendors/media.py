"""Real pictures, clips and voices, made once per kind; every copy handed out is unique by a few harmless bytes."""

from __future__ import annotations

import asyncio
import hashlib
import io
import math
import secrets
import struct
import wave
import zlib
from array import array
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import av
from PIL import Image, ImageDraw
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from .control import Control
from .ledger import Ledger
from .wire import now

PIECE_BYTES = 256 * 1024
FPS = 24
SPEECH_HZ = 24_000
CHARACTERS_PER_S = 15.0
UNKNOWN_LENGTH = 0xFFFFFFFF
MEDIA_TYPES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "mp4": "video/mp4",
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}


@dataclass(frozen=True)
class Work:
    """A finished work, described; its bytes are made when they are asked for."""

    format: str
    width: int = 1024
    height: int = 1024
    seconds: float = 5.0
    salt: str = field(default_factory=lambda: secrets.token_hex(8))


class Media:
    """Makes each kind of work once, beside the event loop, and keeps it: clips on disk, the rest in memory."""

    def __init__(self, folder: Path, control: Control) -> None:
        self._folder = folder
        self._control = control
        self._made: dict[tuple[Any, ...], asyncio.Task[Any]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    async def image(self, work: Work) -> bytes:
        """A picture of exactly the asked size; a PNG is filled up to the `image_bytes` of the control."""
        picture = await self._once(("image", work.format, work.width, work.height), _draw)
        if work.format != "png":
            return _salted_picture(picture, work)
        return _salted_png(picture, work.salt.encode(), self._control.image_bytes or 0)

    async def speech(self, work: Work) -> bytes:
        """A tone of the asked length."""
        voice = await self._once(("speech", work.format, math.ceil(work.seconds * 2) / 2), _speak)
        return _id3(work.salt.encode()) + voice if work.format == "mp3" else voice

    async def video(self, work: Work) -> Path:
        """A clip of the asked size and length, as a file."""
        width, height = (max(16, side - side % 2) for side in (work.width, work.height))
        path = self._folder / f"{width}x{height}-{work.seconds:g}s.mp4"
        return await self._once(("video", path, width, height, work.seconds), _film)

    async def _once(self, key: tuple[Any, ...], make: Callable[..., Any]) -> Any:
        if key not in self._made:
            self._made[key] = asyncio.create_task(asyncio.to_thread(make, *key[1:]))
        return await asyncio.shield(self._made[key])


class Files:
    """Finished works at `/files/...`."""

    def __init__(self, media: Media, control: Control, ledger: Ledger) -> None:
        self._media, self._control, self._ledger = media, control, ledger
        self._secret = secrets.token_bytes(16)
        self.reset()

    def reset(self) -> None:
        """Forget every work."""
        self._works: dict[str, tuple[Work, bool]] = {}

    def publish(self, path: str, work: Work, *, signed: bool = False) -> None:
        """Serve a work; a signed one only to a URL of `sign`."""
        self._works[path] = (work, signed)

    def sign(self, path: str) -> str:
        """The path with a fresh signature."""
        return f"{path}?_jwt={self._signature(path)}.{now():.6f}"

    def _signature(self, path: str) -> str:
        return hashlib.sha256(self._secret + path.encode()).hexdigest()

    async def serve(self, request: Request) -> Response:
        """The bytes of a work."""
        path = request.url.path
        work, signed = self._works.get(path, (None, False))
        if work is None:
            return PlainTextResponse("Not Found", 404)
        given = parse_qs(request.url.query).get("_jwt", [""])[0]
        if signed and given.partition(".")[0] != self._signature(path):
            return PlainTextResponse("Access denied", 403)
        if request.method == "GET":
            self._ledger.downloads += 1
        await asyncio.sleep(self._control.latency["files"])
        if work.format == "mp4":
            return await self._clip(request, work)
        make = self._media.speech if work.format in ("mp3", "wav") else self._media.image
        return Response(await make(work), media_type=MEDIA_TYPES[work.format])

    async def _clip(self, request: Request, work: Work) -> Response:
        path = await self._media.video(work)
        salt = _free_box(len(work.salt), work.salt.encode())
        size = path.stat().st_size + len(salt)
        padding = max(16, (self._control.video_bytes or 0) - size) if self._control.video_bytes else 0
        headers = {"content-length": str(size + padding), "content-type": MEDIA_TYPES["mp4"]}
        if request.method == "HEAD":
            return Response(headers=headers)
        return StreamingResponse(_pieces(path, salt, padding), headers=headers)


async def _pieces(path: Path, salt: bytes, padding: int) -> AsyncIterator[bytes]:
    """A clip, its salt, and a box of zeros, piece by piece."""
    with path.open("rb") as clip:
        while piece := clip.read(PIECE_BYTES):
            yield piece
    yield salt
    if not padding:
        return
    head = _free_box(padding - 16)
    yield head
    zeros = bytes(PIECE_BYTES)
    left = padding - len(head)
    while left > 0:
        yield zeros if left >= PIECE_BYTES else zeros[:left]
        left -= PIECE_BYTES


def _free_box(size: int, content: bytes = b"") -> bytes:
    """The head of an MP4 box that players skip, with a 64-bit length, and its content as far as given."""
    return struct.pack(">I4sQ", 1, b"free", size + 16) + content


# ---- pictures --------------------------------------------------------------------------------------------------------


def _draw(format: str, width: int, height: int) -> bytes:
    ramp = Image.linear_gradient("L").resize((width, height))
    picture = Image.merge("RGB", (ramp, Image.new("L", (width, height), 96), ramp.rotate(180)))
    inset = (width // 4, height // 4, width - width // 4, height - height // 4)
    ImageDraw.Draw(picture).ellipse(inset, fill=(250, 200, 60))
    file = io.BytesIO()
    picture.save(file, {"jpg": "jpeg"}.get(format, format), **({"method": 0} if format == "webp" else {}))
    return file.getvalue()


def _salted_png(picture: bytes, salt: bytes, total: int) -> bytes:
    """A PNG with a `caBX` chunk (as OpenAI's have) after the header, which also fills it up to `total` bytes."""
    after_header = 8 + 25
    salt += bytes(max(0, total - len(picture) - 12 - len(salt)))
    chunk = b"caBX" + salt
    framed = struct.pack(">I", len(salt)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return picture[:after_header] + framed + picture[after_header:]


def _salted_picture(picture: bytes, work: Work) -> bytes:
    """A JPEG with a comment, or a WebP with bytes after its end."""
    salt = work.salt.encode()
    if work.format == "webp":
        return picture + salt
    return picture[:2] + b"\xff\xfe" + struct.pack(">H", len(salt) + 2) + salt + picture[2:]


# ---- clips -----------------------------------------------------------------------------------------------------------


def _film(path: Path, width: int, height: int, seconds: float) -> Path:
    """Encode a clip, unless an earlier process left it; whole or not at all."""
    if path.exists():
        return path
    part = path.with_suffix(f".{secrets.token_hex(4)}.part")
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    with av.open(str(part), "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "crf": "35"}
        for number in range(max(1, round(seconds * FPS))):
            container.mux(stream.encode(_frame(width, height, number)))
        container.mux(stream.encode())
    part.replace(path)
    return path


def _frame(width: int, height: int, number: int) -> av.VideoFrame:
    picture = Image.new("RGB", (width, height), (40, 40, 90))
    side = min(width, height) // 4
    left = number * 8 % (width - side)
    picture.paste((250, 200, 60), (left, side, left + side, 2 * side))
    return av.VideoFrame.from_image(picture)


# ---- voices ----------------------------------------------------------------------------------------------------------


def speech_seconds(text: str, speed: float = 1.0) -> float:
    """How long a voice takes to say the text."""
    return max(0.5, len(text) / CHARACTERS_PER_S / speed)


def _speak(format: str, seconds: float) -> bytes:
    """A tone as speech of that format. The WAV's lengths are unknown, as OpenAI's are."""
    second = array("h", (int(6000 * math.sin(2 * math.pi * 220 * n / SPEECH_HZ)) for n in range(SPEECH_HZ)))
    whole, rest = divmod(int(seconds * SPEECH_HZ), SPEECH_HZ)
    samples = second.tobytes() * whole + second[:rest].tobytes()
    if format == "pcm":
        return samples
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SPEECH_HZ)
        sound.writeframes(samples)
    if format == "wav":
        head = bytearray(file.getvalue()[:44])
        struct.pack_into("<I", head, 4, UNKNOWN_LENGTH)
        struct.pack_into("<I", head, 40, UNKNOWN_LENGTH)
        return bytes(head) + samples
    return _encoded(file.getvalue(), format)


def _encoded(sound: bytes, format: str) -> bytes:
    containers = {"mp3": "mp3", "opus": "ogg", "aac": "adts", "flac": "flac"}
    codec = {"mp3": "libmp3lame", "opus": "libopus"}.get(format, format)
    file = io.BytesIO()
    with av.open(io.BytesIO(sound)) as source, av.open(file, "w", format=containers[format]) as target:
        stream = target.add_stream(codec, rate=SPEECH_HZ)
        stream.layout = "mono"
        for frame in source.decode(audio=0):
            frame.pts = None
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return file.getvalue()


def _id3(salt: bytes) -> bytes:
    """An ID3 tag that holds the salt."""
    frame = b"PRIV" + struct.pack(">I", len(salt) + 1) + b"\0\0" + b"\0" + salt
    return b"ID3\x04\0\0" + struct.pack(">I", len(frame)) + frame
