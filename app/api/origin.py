"""Refuses what other sites' pages send here: a form needs no permission to post, and posting can cost money."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from .errors import problem

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class SameOrigin:
    """ASGI middleware: a changing request from a page must come from this server's own page or an allowed origin.

    Programs send no `Origin` and are not concerned.
    """

    def __init__(self, app: Any, allowed: Sequence[str]) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS or self._welcome(dict(scope["headers"])):
            await self._app(scope, receive, send)
            return
        sentence = "This request comes from a page of another site; name its origin in CORS_ORIGINS to allow it."
        await problem(403, "Forbidden", sentence, "foreign_origin")(scope, receive, send)

    def _welcome(self, headers: dict[bytes, bytes]) -> bool:
        origin = headers.get(b"origin", b"").decode("latin-1")
        if not origin or "*" in self._allowed or origin in self._allowed:
            return True
        return urlsplit(origin).netloc == headers.get(b"host", b"").decode("latin-1")
