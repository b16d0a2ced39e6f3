"""How soon the events of a generation come from a process that does not run it."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from tests.server import Server

from .deployment import Deployment
from .load import TIMEOUT_S, quantile
from .recovery import begin, happened
from .reference import LATENCY
from .report import Report

COUNT = 25
AIM_MS = 250.0


def elsewhere(deployment: Deployment, report: Report, count: int = COUNT) -> None:
    """Start generations at one process and follow them at the other."""
    deployment.fakes.control(latency=LATENCY)
    here, there = deployment.servers
    with ThreadPoolExecutor(count) as pool:
        found = list(pool.map(lambda _: delays(here, there), range(count)))
    milliseconds = [1000 * delay for each in found for delay in each]
    p95 = quantile(milliseconds, 0.95)
    note = f"median {statistics.median(milliseconds):.0f} ms, worst {max(milliseconds):.0f} ms"
    note += f" of {len(milliseconds)} events, {count} in flight"
    report.add("events from another process, p95", p95, "ms", AIM_MS, note=note)


def delays(here: Server, there: Server) -> list[float]:
    """Seconds from the writing of each event to its arrival, for those written while somebody listened."""
    generation_id = begin(here)
    listening = time.time()
    found = []
    for event in there.events(f"/generations/{generation_id}/events", timeout_s=TIMEOUT_S):
        written = happened(event)
        if written > listening:
            found.append(time.time() - written)
    return found
