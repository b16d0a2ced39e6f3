"""Inputs on their way to Google: small ones inside the request, larger ones through its Files API.

Facts: google-genai 3.4.0, _api_client.py (the resumable upload) and the media types of _gaos/types/interactions. A
request may hold 100 MB inside since 2026-01-08. Uploaded files expire by themselves; after how long was not found.
"""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from .addresses import same_origin
from .errors import InvalidRequest, MalformedAnswer, NotOffered, Unanswered
from .google_answers import LABEL, Json, mapping, text
from .http import Http
from .media import attached
from .types import Media

INLINE_BYTES = 16 * 1000 * 1000
"""What is sent inside one request, all its files together: a third more as base64."""
PIECE_BYTES = 1024 * 1024
TYPES = {
    "image/png": "image/png",
    "image/jpeg": "image/jpeg",
    "image/webp": "image/webp",
    "image/heic": "image/heic",
    "image/heif": "image/heif",
    "image/gif": "image/gif",
    "image/bmp": "image/bmp",
    "image/tiff": "image/tiff",
    "audio/wav": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/mpeg": "audio/mpeg",
    "audio/mp3": "audio/mpeg",
    "audio/mp4": "audio/m4a",
    "audio/aac": "audio/aac",
    "audio/ogg": "audio/ogg",
    "audio/flac": "audio/flac",
    "audio/webm": "audio/webm",
    "audio/aiff": "audio/aiff",
    "video/mp4": "video/mp4",
    "video/webm": "video/webm",
    "video/mpeg": "video/mpeg",
    "video/quicktime": "video/mov",
    "video/x-msvideo": "video/avi",
    "application/pdf": "application/pdf",
    "text/plain": "text/plain",
}
"""The media types of files -> what Google calls them."""


def wire_type(name: str, media: Media) -> str:
    """What Google calls the type of a file. Raises NotOffered for one it does not take."""
    if media.media_type not in TYPES:
        raise NotOffered(f"{LABEL} does not take {media.media_type} ({name}): give PNG, JPEG, MP4, WAV, MP3 or PDF.")
    return TYPES[media.media_type]


@dataclass(frozen=True)
class Placed:
    """An input as a request names it: its bytes in base64, or the address of an upload."""

    media_type: str
    data: str | None = None
    uri: str | None = None

    def part(self) -> Json:
        """As a part of generateContent."""
        if self.uri is not None:
            return {"fileData": {"mimeType": self.media_type, "fileUri": self.uri}}
        return {"inlineData": {"mimeType": self.media_type, "data": self.data}}

    def block(self) -> Json:
        """As a content block of an interaction."""
        kind = self.media_type.partition("/")[0]
        place = {"data": self.data} if self.uri is None else {"uri": self.uri}
        return {"type": kind, **place, "mime_type": self.media_type}


class Inputs:
    """The inputs of one request. `pause_s` is how long to wait between two looks at an upload that is prepared, and
    `ready_within_s` for how long in all."""

    def __init__(
        self,
        http: Http,
        base_url: str,
        version: str,
        headers: Mapping[str, str],
        *,
        pause_s: float,
        ready_within_s: float,
    ) -> None:
        self._http, self._base_url, self._version = http, base_url, version
        self._headers, self._pause_s, self._ready_within_s = dict(headers), pause_s, ready_within_s
        self._left = INLINE_BYTES

    async def place(self, name: str, media: Mapping[str, Media]) -> Placed:
        """The input of that id, inside the request while there is room, else uploaded. Raises NotOffered, and what an
        upload raises; nothing of it is paid for."""
        one = attached(name, media)
        media_type = wire_type(name, one)
        if one.size > self._left:
            return Placed(media_type, uri=await self._upload(one, media_type))
        self._left -= one.size
        return Placed(media_type, data=base64.b64encode(await asyncio.to_thread(one.read)).decode())

    async def _upload(self, media: Media, media_type: str) -> str:
        """Upload a file and wait until it can be used; its address. Raises InvalidRequest, MalformedAnswer,
        Unanswered."""
        size = str(media.size)
        about = {"x-goog-upload-header-content-length": size, "x-goog-upload-header-content-type": media_type}
        offer = await self._http.send(
            LABEL,
            "POST",
            f"{self._base_url}/upload/{self._version}/files",
            json={"file": {"mimeType": media_type, "sizeBytes": media.size}},
            headers={**self._headers, "x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start", **about},
        )
        target = offer.headers.get("x-goog-upload-url", "")
        if not target.startswith("https://") and not same_origin(target, self._base_url):
            raise MalformedAnswer(f"{LABEL} offered no safe place for an input file.")
        answer = await self._http.send_json(  # the address itself says who may write there: never our key
            LABEL,
            "POST",
            target,
            content=pieces_of(media),
            headers={"content-length": size, "x-goog-upload-offset": "0", "x-goog-upload-command": "upload, finalize"},
        )
        return await self._ready(mapping(answer.get("file")))

    async def _ready(self, file: Mapping[str, object]) -> str:
        name, begun = text(file.get("name")), time.monotonic()
        if not re.fullmatch(r"files/[\w-]+", name):
            raise MalformedAnswer(f"{LABEL} stored an input file but gave no name for it.")
        while file.get("state") == "PROCESSING":
            if time.monotonic() - begun > self._ready_within_s:
                raise Unanswered(f"{LABEL} takes too long to prepare an input file.")
            await asyncio.sleep(self._pause_s)
            url = f"{self._base_url}/{self._version}/{name}"
            file = await self._http.ask(LABEL, "GET", url, headers=self._headers)
        if file.get("state") == "FAILED":
            raise InvalidRequest(f"{LABEL} cannot read an input file.")
        if not (uri := text(file.get("uri"))):
            raise MalformedAnswer(f"{LABEL} stored an input file but gave no address for it.")
        return uri


async def pieces_of(media: Media) -> AsyncIterator[bytes]:
    """The bytes of a file, piece by piece, so that a long clip is never in memory as a whole."""
    if media.path is None:
        yield media.read()
        return
    with await asyncio.to_thread(media.path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece
