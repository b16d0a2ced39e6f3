"""Renderings under way: shared, handed over, stopped, and never kept for ever."""

from concurrent.futures import Executor, Future

import pytest

from providers.errors import InvalidRequest, JobFailed
from providers.offline_media.jobs import ABANDONED_AFTER_S, Jobs, Stopped
from providers.types import Pending


class ByHand(Executor):
    """Runs nothing until told."""

    def __init__(self):
        self.waiting = []

    def submit(self, call, *arguments):
        self.waiting.append((future := Future(), call, arguments))
        return future

    def run(self):
        for future, call, arguments in self.waiting:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call(*arguments))
                except Exception as error:
                    future.set_exception(error)
        self.waiting.clear()


@pytest.fixture
def pool():
    return ByHand()


@pytest.fixture
def jobs(pool):
    return Jobs(lambda: pool)


def test_job_waits_then_is_handed_over_and_forgotten(jobs, pool):
    assert jobs.ask("a", lambda report: b"film") == Pending(progress=0.0, waiting=True)
    pool.run()
    assert jobs.ask("a", lambda report: b"film") == b"film"
    assert len(jobs) == 0


def test_job_asked_about_often_runs_once(jobs, pool):
    for _ in range(5):
        jobs.ask("a", lambda report: b"film")
    assert len(pool.waiting) == 1


def test_result_is_kept_until_everyone_who_began_it_has_it(jobs, pool):
    jobs.begin("a", lambda report: b"film")
    jobs.begin("a", lambda report: b"film")
    pool.run()
    assert [jobs.ask("a", lambda report: b"again") for _ in range(2)] == [b"film", b"film"]
    assert len(jobs) == 0


def test_progress_is_told(jobs):
    jobs.begin("a", lambda report: b"film")
    jobs._jobs["a"].work._report(0.4)
    assert jobs.ask("a", lambda report: b"film") == Pending(progress=0.4)


def test_one_who_leaves_does_not_stop_the_job_for_another(jobs, pool):
    jobs.begin("a", lambda report: b"film")
    jobs.begin("a", lambda report: b"film")
    jobs.leave("a")
    pool.run()
    assert jobs.ask("a", lambda report: b"film") == b"film"


def test_last_one_who_leaves_stops_the_rendering(jobs, pool):
    jobs.begin("a", lambda report: b"film")
    work = jobs._jobs["a"].work
    jobs.leave("a")
    with pytest.raises(Stopped):
        work._report(0.5)
    assert len(jobs) == 0


def test_job_nobody_asks_about_is_forgotten(pool):
    now = 0.0
    jobs = Jobs(lambda: pool, clock=lambda: now)
    jobs.begin("a", lambda report: b"film")
    now = ABANDONED_AFTER_S + 1
    jobs.begin("b", lambda report: b"film")
    assert list(jobs._jobs) == ["b"]


@pytest.mark.parametrize(("raised", "expected"), [(MemoryError(), JobFailed), (InvalidRequest("no"), InvalidRequest)])
def test_rendering_that_fails_fails_the_job(jobs, pool, raised, expected):
    def render(report):
        raise raised

    jobs.begin("a", render)
    pool.run()
    with pytest.raises(expected):
        jobs.ask("a", render)
