"""What the frameworks answer by themselves in plain text (a body too large, a strange host), as problems."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from .errors import MEDIA_TYPE

SENTENCES = {
    400: "The request is not one this server answers; check its Host header.",
    413: "The body is larger than this server takes; see MAX_BODY_BYTES and MAX_UPLOAD_BYTES.",
}


class PlainTextProblems:
    """ASGI middleware: a plain-text answer of 400 and above becomes `application/problem+json`."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        replaced = False

        async def translated(message: Any) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start":
                headers = dict(message["headers"])
                plain = headers.get(b"content-type", b"").startswith(b"text/plain")
                if message["status"] >= 400 and plain:
                    replaced = True
                    await _send_problem(send, message["status"])
                    return
            if not replaced:
                await send(message)

        await self._app(scope, receive, translated)


async def _send_problem(send: Any, status: int) -> None:
    title = HTTPStatus(status).phrase
    problem = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": SENTENCES.get(status, title),
        "code": title.lower().replace(" ", "_"),
    }
    body = json.dumps(problem).encode()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
