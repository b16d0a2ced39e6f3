"""The gate paid requests pass through, so that a process that stops lets those under way end, and begins no more.

A request cut off in the middle is paid for and lost; one not begun is made after the restart.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any


class Gate:
    """Counts the paid requests under way, and knows the workflow tasks of this process."""

    def __init__(self) -> None:
        self._closed = False
        self._inside = 0
        self._empty = asyncio.Event()
        self._tasks: dict[asyncio.Task[Any], str] = {}

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """Around one paid request. Behind a closed gate nothing begins any more: it waits to be cancelled."""
        if self._closed:
            await asyncio.get_running_loop().create_future()
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            if self._inside == 0:
                self._empty.set()

    @contextmanager
    def working(self, generation_id: str) -> Iterator[None]:
        """Around one workflow: remembers its task until the engine, too, is done with it."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a workflow runs in a task")
        self._tasks[task] = generation_id
        task.add_done_callback(self._tasks.pop)
        yield

    async def at_rest(self, generation_id: str, timeout_s: float) -> bool:
        """Wait until nothing in this process works on a generation; False when it still does after that time."""
        tasks = [task for task, worked_on in self._tasks.items() if worked_on == generation_id]
        return not tasks or not (await asyncio.wait(tasks, timeout=timeout_s))[1]

    async def close(self, grace_s: float) -> None:
        """Let the requests under way end, for `grace_s` seconds at most; then cancel every workflow of this process.

        Cancelled workflows are not over: they go on where they were when the application is next started.
        """
        self._closed = True
        self._empty.clear()
        if self._inside:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), grace_s)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
