"""A file on its way to a vendor: one small value, made from bytes, a file, a `data:` URI or a URL."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote_to_bytes

from .errors import NotOffered
from .media_types import HEAD_BYTES, media_type_of

MAX_LINKED_BYTES = 100 * 1024**2
"""How much `Media.from_url` holds in memory, unless it is told otherwise; what may be larger is streamed to a file."""


class Fetcher(Protocol):
    """What fetches a URL: `providers.http.Http`, which this value does not know, being pure."""

    def fetch(self, url: str, *, max_bytes: int | None = None) -> AsyncIterator[bytes]: ...


@dataclass(frozen=True)
class Media:
    """A file on its way to a vendor, held as bytes or as a path, with the media type read from its bytes."""

    media_type: str
    data: bytes | None = None
    path: Path | None = None

    @classmethod
    def from_bytes(cls, data: bytes) -> Media:
        """These bytes. Raises NotOffered when they are no picture, clip, sound, PDF or UTF-8 text known here."""
        return cls(_known(data), data=data)

    @classmethod
    def from_file(cls, path: Path | str) -> Media:
        """The file at this path, which is read when it is needed (blocking). Raises NotOffered, OSError."""
        path = Path(path)
        with path.open("rb") as file:
            return cls(_known(file.read(HEAD_BYTES)), path=path)

    @classmethod
    def from_data_uri(cls, text: str) -> Media:
        """What an RFC 2397 `data:` URI holds; the type it claims is not looked at. Raises NotOffered."""
        head, comma, body = text.strip().partition(",")
        if head[:5].lower() != "data:" or not comma:
            raise NotOffered("This is not a data: URI; it looks like data:image/png;base64,iVBORw0...")
        data = unquote_to_bytes(body)
        if head.lower().endswith(";base64"):
            try:
                data = base64.b64decode(b"".join(data.split()), validate=True)
            except binascii.Error as error:
                raise NotOffered("The data: URI is not valid base64.") from error
        return cls.from_bytes(data)

    @classmethod
    async def from_url(cls, http: Fetcher, url: str, *, max_bytes: int = MAX_LINKED_BYTES) -> Media:
        """The file behind a URL that a user names, fetched as `Http.fetch` does: over https, from public addresses.

        Raises NotOffered, DownloadRefused (a rule is broken), DownloadFailed (try again).
        """
        return cls.from_bytes(b"".join([piece async for piece in http.fetch(url, max_bytes=max_bytes)]))

    @property
    def size(self) -> int:
        """Length in bytes."""
        if self.data is not None:
            return len(self.data)
        return self.path.stat().st_size if self.path is not None else 0

    def read(self) -> bytes:
        """The bytes; reads the file where the media is a path (blocking: call it off the event loop)."""
        if self.data is not None:
            return self.data
        return self.path.read_bytes() if self.path is not None else b""

    def data_uri(self) -> str:
        """The media as an RFC 2397 `data:` URI (blocking, see `read`)."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.read()).decode()}"


def attached(name: str, media: Mapping[str, Media]) -> Media:
    """The input of that id. Raises NotOffered when it is not there."""
    if name not in media:
        raise NotOffered(f"The file {name} is not attached to the request.")
    return media[name]


def _known(head: bytes) -> str:
    media_type = media_type_of(head)
    if media_type is None:
        raise NotOffered("The file is not a picture, clip, sound, PDF or plain text that is known here.")
    return media_type
