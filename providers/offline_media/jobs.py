"""Renderings under way in this process: each runs once in a thread, however often it is asked about."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..errors import JobFailed, ProviderError
from ..types import Pending
from .film import Report

ABANDONED_AFTER_S = 120.0

T = TypeVar("T")
Render = Callable[[Report], bytes]
"""Makes a file, telling of its progress; runs in a thread."""


class Stopped(Exception):
    """Raised inside a rendering that is no longer wanted."""


class Work(Generic[T]):
    """One rendering, begun when it is built."""

    def __init__(self, pool: Executor, render: Callable[[Report], T]) -> None:
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


@dataclass
class Job:
    """A rendering, how many want it, and when it was last asked about, in seconds of the clock."""

    work: Work[bytes]
    wanted: int = 0
    asked_at: float = 0.0


class Jobs:
    """Renderings by key. A result is forgotten once everyone who began the job has it, and so is a job nobody asks
    about any more; asking again starts again, which gives the same bytes."""

    def __init__(self, pool: Callable[[], Executor], clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._jobs: dict[str, Job] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def begin(self, key: str, render: Render) -> None:
        """Begin a job, or share the one under way."""
        self._forget_abandoned()
        job = self._jobs.get(key)
        if job is None:
            job = self._jobs[key] = Job(Work(self._pool(), render))
        job.wanted += 1
        job.asked_at = self._clock()

    def ask(self, key: str, render: Render) -> bytes | Pending:
        """The file when it is ready, else how far it is; begins it when it is not known. Raises JobFailed."""
        if key not in self._jobs:
            self.begin(key, render)
        job = self._jobs[key]
        job.asked_at = self._clock()
        if not job.work.future.done():
            return Pending(progress=job.work.progress or 0.0, waiting=job.work.progress is None)
        self.leave(key)
        try:
            return job.work.future.result()
        except ProviderError:
            raise
        except (Exception, CancelledError) as error:
            raise JobFailed(f"The offline stand-in failed at the clip ({type(error).__name__}).") from error

    def leave(self, key: str) -> None:
        """One of those who began a job does not want it any more; the last one stops it. Idempotent."""
        job = self._jobs.get(key)
        if job is None:
            return
        job.wanted -= 1
        if job.wanted <= 0:
            job.work.stop()
            del self._jobs[key]

    def close(self) -> None:
        """Stop and forget every job."""
        for job in self._jobs.values():
            job.work.stop()
        self._jobs.clear()

    def _forget_abandoned(self) -> None:
        """A ticket may never be polled again: its server stopped, its generation was deleted."""
        now = self._clock()
        for key in [key for key, job in self._jobs.items() if now - job.asked_at > ABANDONED_AFTER_S]:
            self._jobs.pop(key).work.stop()
