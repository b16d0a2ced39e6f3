"""Being told to stop: a process ends what it has begun, begins nothing new, and lets go of who still listens."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import uvicorn

from app.assembly import House

SIGNALS = (signal.SIGTERM, signal.SIGINT)
ANSWER_S = 5
"""How long answers may still take when the server is told to stop; then they are cut off."""
LISTEN_S = 4.0
"""How long those who listen hear of calls that end meanwhile."""


def collect_seldom() -> None:
    """Spare the garbage collector what is loaded by now, and have it look more seldom. With 100 generations in flight
    each of its full rounds stopped everything for 170 ms, and all of them took a tenth of the processor's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 10, 10)


class Told:
    """What happens at the first signal."""

    def __init__(self, stop: Callable[[], object]) -> None:
        self.stop = stop

    def then(self, stop: Callable[[], object]) -> None:
        """From now on this."""
        self.stop = stop


@contextmanager
def until_told() -> Iterator[Told]:
    """At the first SIGTERM or SIGINT the current task is cancelled, or what `then` says is done. The second insists."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    told = Told(task.cancel)

    def first() -> None:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
        told.stop()

    for number in SIGNALS:
        loop.add_signal_handler(number, first)
    try:
        yield told
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


class Server(uvicorn.Server):
    """The HTTP server in front of an open house. When it leaves, the gate closes at once; when the calls behind it have
    ended, open streams end too, and who waits for a generation is told where it goes on."""

    def __init__(self, config: uvicorn.Config, house: House) -> None:
        super().__init__(config)
        self._house = house

    def leave(self) -> None:
        """Begin to leave."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals come to `until_told`, because the house has to be closed behind the server."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what was asked, while the house ends its calls."""
        leaving = asyncio.create_task(self._leave())
        await super().shutdown(sockets)
        await leaving

    async def _leave(self) -> None:
        parts = self._house.parts
        closing = asyncio.create_task(parts.gate.close(self._house.settings.shutdown_grace_s))
        await asyncio.wait([closing], timeout=LISTEN_S)
        parts.events.bell.close()
        await closing
