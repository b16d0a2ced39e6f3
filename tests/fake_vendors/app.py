"""All vendors in one ASGI application, behind a gate that writes every request down and can make it fail."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .control import Control, Failure
from .elevenlabs import ElevenLabs
from .google import Google
from .ledger import Entry, Ledger
from .media import Files, Media
from .openai import OpenAI
from .replicate import Replicate
from .runway import Runway
from .stability import Stability
from .wire import Refused, refusal


def create_app(state: Path) -> ASGIApp:
    """The vendors, the files they made, and the tests' own `/_control`, `/_ledger` and `/_reset`."""
    control, ledger = Control(), Ledger()
    media = Media(state / "media", control)
    files = Files(media, control, ledger)
    replicate, runway = Replicate(control, ledger, files), Runway(control, ledger, files)
    stability = Stability(control, ledger, media)
    elevenlabs = ElevenLabs(control, ledger, media)
    google = Google(control, ledger, files, media)

    async def set_control(request: Request) -> Response:
        try:
            control.apply(await request.json())
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(control.state())

    async def get_control(_: Request) -> Response:
        return JSONResponse(control.state())

    async def get_ledger(_: Request) -> Response:
        return JSONResponse(ledger.state())

    async def reset(_: Request) -> Response:
        for part in (control, ledger, files, replicate, runway, stability, elevenlabs, google):
            part.reset()
        return JSONResponse({})

    routes = [
        Route("/_control", set_control, methods=["POST"]),
        Route("/_control", get_control),
        Route("/_ledger", get_ledger),
        Route("/_reset", reset, methods=["POST"]),
        Route("/files/{path:path}", files.serve),
        Mount("/openai/v1", routes=OpenAI(control, ledger, media).routes()),
        Mount("/replicate/v1", routes=replicate.routes()),
        Mount("/runway", routes=runway.routes()),
        Mount("/google", routes=google.routes()),
        Mount("/stability", routes=stability.routes()),
        Mount("/elevenlabs", routes=elevenlabs.routes()),
    ]
    return Gate(Starlette(routes=routes, exception_handlers={Refused: refusal}), control, ledger)


class Gate:
    """Every request of a product passes here."""

    def __init__(self, app: ASGIApp, control: Control, ledger: Ledger) -> None:
        self._app, self._control, self._ledger = app, control, ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write the request down; answer it, or let it fail as a rule says."""
        if scope["type"] != "http" or scope["path"].startswith("/_"):
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        entry = self._ledger.record(dict(scope), body)
        scope.setdefault("state", {})["entry"] = entry
        failure = self._control.failure(scope["method"], scope["path"], body)
        if failure is None:
            await self._app(scope, _again(body, receive), _noted(send, entry))
            return
        self._ledger.failures += 1
        await self._fail(failure, scope, body, receive, _noted(send, entry))

    async def _fail(self, failure: Failure, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        if failure.drop or failure.status is not None:
            if failure.accepted:
                await self._app(scope, _again(body, receive), _nowhere)
            await asyncio.sleep(failure.hang_s)
            if failure.drop:
                await _drop(scope, receive)
            else:
                await _answer(failure)(scope, receive, send)
            return

        async def late(message: Message) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep(failure.hang_s)
            await send(message)

        await self._app(scope, _again(body, receive), late)


def _answer(failure: Failure) -> Response:
    assert failure.status is not None
    body: Any = failure.body if failure.body is not None else {}
    text = body if isinstance(body, str) else json.dumps(body)
    return Response(text, failure.status, {"content-type": "application/json", **failure.headers})


async def _read(receive: Receive) -> bytes:
    pieces = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


def _again(body: bytes, receive: Receive) -> Receive:
    """Hands a body out that was already read."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def once() -> Message:
        return messages.pop() if messages else await receive()

    return once


def _noted(send: Send, entry: Entry) -> Send:
    """Writes the status of the answer into the entry."""

    async def noting(message: Message) -> None:
        if message["type"] == "http.response.start":
            entry.status = message["status"]
        await send(message)

    return noting


async def _nowhere(_: Message) -> None:
    """The client hears nothing."""


async def _drop(scope: Scope, receive: Receive) -> None:
    """Close the connection without an answer."""
    scope["transport"].close()
    while (await receive())["type"] != "http.disconnect":
        pass
