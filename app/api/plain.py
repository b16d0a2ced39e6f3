"""What the frameworks answer by themselves in plain text (a body too large, a strange host), as problems."""

from __future__ import annotations

from typing import Any

from .errors import by_status

SENTENCE = "The request is not one this server answers; check its Host header."


class PlainTextProblems:
    """ASGI middleware: a plain-text answer of 400 and above becomes `application/problem+json`."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        replaced = False

        async def translated(message: Any) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] >= 400:
                kind = dict(message["headers"]).get(b"content-type", b"")
                if kind.startswith(b"text/plain"):
                    replaced = True
                    answer = by_status(message["status"], SENTENCE)
                    about_the_text = (b"content-type", b"content-length")
                    answer.raw_headers += [pair for pair in message["headers"] if pair[0] not in about_the_text]
                    await answer(scope, receive, send)
            if not replaced:
                await send(message)

        await self._app(scope, receive, translated)
