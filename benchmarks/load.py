"""The load: many generations at once, each waited for by a thread of its own with one POST."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import psutil

from tests.server import Reply

from .deployment import Deployment
from .reference import LATENCY, is_complete, prompt

TIMEOUT_S = 300.0
CORES = psutil.cpu_count() or 1


@dataclass(frozen=True)
class Outcome:
    """One generation."""

    seconds: float
    fault: str | None = None
    """What it lacks, or why it failed."""


class Used(NamedTuple):
    """Seconds of CPU time used, and of all cores' time not used, from one reading to another."""

    servers: float
    database: float
    vendors: float
    load: float
    """Of this process, which makes the load."""
    idle: float


@dataclass(frozen=True)
class Run:
    """What a number of generations in flight have taken."""

    outcomes: Sequence[Outcome]
    elapsed_s: float
    used: Used
    grown_bytes: int
    """The servers' peak memory over what they held before."""

    @property
    def count(self) -> int:
        """How many generations."""
        return len(self.outcomes)

    @property
    def complete(self) -> int:
        """How many brought everything that was asked for."""
        return sum(outcome.fault is None for outcome in self.outcomes)

    def success(self) -> str:
        """How many are complete, and what ailed most of the others, in words."""
        faults = Counter(outcome.fault for outcome in self.outcomes if outcome.fault)
        worst = f" ({faults.most_common(1)[0][0]})" if faults else ""
        return f"{self.complete} of {self.count} complete{worst}"

    def seconds(self, share: float) -> float:
        """The time within which that share of the generations was done."""
        return quantile([outcome.seconds for outcome in self.outcomes], share)

    @property
    def per_second(self) -> float:
        """Generations a second."""
        return self.count / self.elapsed_s

    @property
    def cpu_ms(self) -> float:
        """The servers' CPU time for one generation."""
        return 1000 * self.used.servers / self.count

    @property
    def database_cpu_ms(self) -> float:
        """Postgres's CPU time for one generation."""
        return 1000 * self.used.database / self.count

    @property
    def vendors_cpu_ms(self) -> float:
        """The fakes' CPU time for one generation."""
        return 1000 * self.used.vendors / self.count

    @property
    def busy(self) -> float:
        """The share of all cores' time that was used by anything."""
        return max(0.0, 1 - self.used.idle / self._cores_s)

    @property
    def strangers(self) -> float:
        """The share of all cores' time that was used by what has nothing to do with the measurement."""
        return max(0.0, self.busy - self._known_s / self._cores_s)

    @property
    def most_per_second(self) -> float:
        """Generations a second if all cores worked for this alone: vendors' fakes, Postgres and load included."""
        return self.count / (self._known_s / CORES)

    @property
    def _known_s(self) -> float:
        return self.used.servers + self.used.database + self.used.vendors + self.used.load

    @property
    def _cores_s(self) -> float:
        return self.elapsed_s * CORES


def generate(deployment: Deployment, number: int) -> Outcome:
    """One generation, waited for."""
    started = time.perf_counter()
    reply = deployment.server(number).post("/generate", {"prompt": prompt()}, timeout_s=TIMEOUT_S)
    return Outcome(time.perf_counter() - started, fault(reply))


def fault(reply: Reply) -> str | None:
    """What is wrong with an answer, in a few words; None when everything was made."""
    if reply.status != 200:
        return f"{reply.status}: {reply.body.get('detail') if isinstance(reply.body, dict) else reply.body}"
    if is_complete(reply.body):
        return None
    errors = [step["error"] for step in reply.body["steps"] if step["error"]]
    return str(next(iter(errors), reply.body["stop_reason"]))


def burst(deployment: Deployment, count: int, at_once: int | None = None) -> Run:
    """That many generations, all at once or so many at a time, and what they took of the machine."""
    with ThreadPoolExecutor(at_once or count) as pool:
        deployment.reset_peak_rss()
        before, held = reading(deployment), deployment.rss_bytes()
        started = time.perf_counter()
        outcomes = list(pool.map(lambda number: generate(deployment, number), range(count)))
        elapsed = time.perf_counter() - started
        used = Used(*(new - old for old, new in zip(before, reading(deployment), strict=True)))
    return Run(outcomes, elapsed, used, deployment.peak_rss_bytes() - held)


def reading(deployment: Deployment) -> Used:
    """The CPU time used since the processes, and the machine, were started."""
    machine = psutil.cpu_times()
    return Used(
        servers=deployment.cpu_s(),
        database=deployment.database_cpu_s(),
        vendors=deployment.vendors_cpu_s(),
        load=time.process_time(),
        idle=machine.idle + getattr(machine, "iowait", 0.0),
    )


def warm_up(deployment: Deployment) -> None:
    """Have everything loaded, and the fakes' media made, before anything is measured; and the server know how long its
    vendors take, as one that has served for a while does: it asks about jobs accordingly."""
    deployment.fakes.control(latency=LATENCY)
    generate(deployment, 0)
    burst(deployment, 15 * len(deployment.servers))


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
