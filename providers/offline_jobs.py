"""Renderings under way in this process: each runs once in a thread, however often it is asked about."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor

from .errors import JobFailed, ProviderError
from .offline_film import Report
from .types import Pending

ABANDONED_AFTER_S = 120.0

Render = Callable[[Report], bytes]
"""Makes a file, telling of its progress; runs in a thread."""


class Stopped(Exception):
    """Raised inside a rendering that is no longer wanted."""


class Work:
    """One rendering, begun when it is built."""

    def __init__(self, pool: Executor, render: Render) -> None:
        self.progress: float | None = None
        """0 to 1; None until it begins."""
        self._wanted = True
        self.future = pool.submit(render, self._report)

    def stop(self) -> None:
        """End it after the frame it is at. Idempotent."""
        self._wanted = False
        self.future.cancel()

    def _report(self, progress: float) -> None:
        if not self._wanted:
            raise Stopped
        self.progress = progress


class Jobs:
    """Renderings by key. A result is handed over once and then forgotten, and so is a job nobody asks about any more;
    asking again starts again, which gives the same bytes."""

    def __init__(self, pool: Callable[[], Executor], clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._works: dict[str, Work] = {}
        self._asked: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._works)

    def ask(self, key: str, render: Render) -> bytes | Pending:
        """The file when it is ready, else how far it is; begins it when it is not known. Raises JobFailed."""
        self._forget_abandoned()
        self._asked[key] = self._clock()
        work = self._works.get(key)
        if work is None:
            work = self._works[key] = Work(self._pool(), render)
        if not work.future.done():
            return Pending(progress=work.progress or 0.0, waiting=work.progress is None)
        self._forget(key)
        try:
            return work.future.result()
        except ProviderError:
            raise
        except (Exception, CancelledError) as error:
            raise JobFailed(f"The offline stand-in failed at the clip ({type(error).__name__}).") from error

    def cancel(self, key: str) -> None:
        """Stop and forget a job. Idempotent."""
        if key in self._works:
            self._works[key].stop()
            self._forget(key)

    def close(self) -> None:
        """Stop and forget every job."""
        for key in list(self._works):
            self.cancel(key)

    def _forget(self, key: str) -> None:
        del self._works[key], self._asked[key]

    def _forget_abandoned(self) -> None:
        """A ticket may never be polled again: its server stopped, its generation was deleted."""
        now = self._clock()
        for key in [key for key, asked in self._asked.items() if now - asked > ABANDONED_AFTER_S]:
            self.cancel(key)
