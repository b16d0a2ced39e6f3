"""The process: binds loopback only, says READY, and ends with its parent."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .app import create_app
from .runway_rules import warm_up

HOST = "127.0.0.1"


class Protocol(HttpToolsProtocol):
    """Lets the application close a connection without an answer."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["transport"] = self.transport  # type: ignore[typeddict-unknown-key]


class Server(uvicorn.Server):
    """Says on stdout when it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets
        print(f"READY http://{HOST}:{sockets[0].getsockname()[1]}", flush=True)
        asyncio.get_running_loop().run_in_executor(None, warm_up)

    async def end_with(self, parent: int) -> None:
        """Stop when the process that started this one is gone."""
        while os.getppid() == parent:
            await asyncio.sleep(0.5)
        self.should_exit = True


async def serve(port: int, state: Path, parent: int | None) -> None:
    """Listen until told to stop."""
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # a socket of protocol 0 would get no TCP_NODELAY
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    settings: dict[str, Any] = {"log_level": "warning", "access_log": False, "lifespan": "off"}
    config = uvicorn.Config(create_app(state), http=Protocol, ws="none", timeout_graceful_shutdown=1, **settings)
    server = Server(config)
    watch = asyncio.create_task(server.end_with(parent)) if parent else None
    await server.serve([listener])
    if watch:
        watch.cancel()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="tests.fake_vendors", description="OpenAI, Replicate and Runway, faked.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--state", type=Path, required=True, help="folder for the media made so far")
    parser.add_argument("--parent", type=int, help="stop when this parent process is gone")
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(arguments.port, arguments.state, arguments.parent))


if __name__ == "__main__":
    main()
