"""The gate paid requests pass through, so that nothing tears one apart: neither a cancellation nor a stopping process.

A request cut off in the middle is paid for and lost; one not begun is made after the restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class Gate:
    """Knows the paid requests under way in this process, and the runs that make them."""

    def __init__(self) -> None:
        self._closed = False
        self._inside: dict[asyncio.Task[Any], str] = {}
        self._runs: dict[str, asyncio.Task[Any]] = {}
        self._leased_until: float | None = None
        """None where this process is alone with its data."""
        self._lease_news = asyncio.Event()

    def lease(self, seconds: float) -> None:
        """This process has said that it lives, so for so long nobody else takes its work over."""
        self._leased_until = time.monotonic() + seconds
        self._lease_news.set()

    async def leased(self, still_mine: Callable[[], Awaitable[None]]) -> None:
        """Before a paid request: wait until it is certain that nobody takes this process for dead. One that was frozen,
        or cut off from the database, asks first whether the work is `still_mine`, which raises what it finds."""
        if self._leased_until is None or time.monotonic() < self._leased_until:
            return
        while time.monotonic() >= self._leased_until:
            self._lease_news.clear()
            await self._lease_news.wait()
        await still_mine()

    @property
    def closed(self) -> bool:
        """Whether this process is leaving, so that it takes nothing on any more."""
        return self._closed

    def busy(self, generation_id: str) -> bool:
        """Whether anything in this process works on a generation, if only a request on its way."""
        return generation_id in self._runs or generation_id in self._inside.values()

    def runs(self) -> list[str]:
        """The generations this process works on."""
        return list(self._runs)

    async def shielded(self, generation_id: str, work: Coroutine[Any, Any, T]) -> T:
        """Await a paid request and the writing down of its outcome; it goes on to its end when the caller is cancelled.

        Behind a closed gate nothing begins any more: the caller waits to be cancelled.
        """
        if self._closed:
            work.close()
            await asyncio.get_running_loop().create_future()
        task = asyncio.create_task(work)
        self._inside[task] = generation_id
        task.add_done_callback(self._out)
        return await asyncio.shield(task)

    def _out(self, task: asyncio.Task[Any]) -> None:
        del self._inside[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.debug("a request to a vendor ended badly", exc_info=error)  # its caller, if any is left, says more

    @contextmanager
    def working(self, generation_id: str) -> Iterator[bool]:
        """Around one run: remembers its task until it has ended. Gives False when this process runs it already.

        Behind a closed gate no run begins: to the engine it is cancelled, which is not over.
        """
        if self._closed:
            raise asyncio.CancelledError
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a run needs a task")
        if generation_id in self._runs:
            yield False
            return
        self._runs[generation_id] = task
        task.add_done_callback(lambda _: self._runs.pop(generation_id))
        yield True

    def give_up(self, generation_id: str) -> None:
        """Stop working on a generation; requests to vendors that are on their way end first."""
        if (task := self._runs.get(generation_id)) is not None:
            task.cancel()

    async def at_rest(self, generation_id: str, timeout_s: float) -> bool:
        """Wait until nothing in this process works on a generation; False when it still does after that time."""
        run = self._runs.get(generation_id)
        tasks = [task for task, worked_on in self._inside.items() if worked_on == generation_id]
        tasks += [run] if run is not None else []
        return not tasks or not (await asyncio.wait(tasks, timeout=timeout_s))[1]

    async def close(self, grace_s: float) -> None:
        """Let the requests under way end, for `grace_s` seconds at most; then cancel every run of this process.

        Cancelled runs are not over: they go on where they were, here after a restart or in another process.
        """
        self._closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while self._inside:
                    await asyncio.wait(list(self._inside))
        tasks = [*self._runs.values(), *self._inside]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
