"""How single generations fare: their overhead, and how soon their first event comes."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from .deployment import Deployment
from .load import burst, generate, quantile
from .reference import IDEAL_S, LATENCY, prompt
from .report import Report

OVERHEAD_AIM_S = 0.12
PROBES = 20
BESIDE = 100


def overhead(deployment: Deployment, report: Report, runs: int = 5) -> None:
    """How much longer one generation takes than its critical path."""
    deployment.fakes.control(latency=LATENCY)
    outcomes = [generate(deployment, number) for number in range(runs)]
    lost = [outcome.seconds - IDEAL_S for outcome in outcomes]
    median, complete = statistics.median(lost), sum(outcome.fault is None for outcome in outcomes)
    note = f"worst {max(lost):.3f} s; ratio {1 + median / IDEAL_S:.3f}; {complete} of {runs} complete"
    report.add(f"overhead of one generation of {IDEAL_S:g} s, median", median, "s", OVERHEAD_AIM_S, note=note)


def first_event(deployment: Deployment, report: Report, in_flight: int = BESIDE) -> None:
    """From the request for an event stream to the first event, idle and under load; and how `/health` fares there."""
    deployment.fakes.control(latency=LATENCY)
    _report_seconds(
        report, "first event, idle, median", [until_first_event(deployment, number) for number in range(PROBES)]
    )
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(burst, deployment, in_flight)
        seconds, health = [], []
        for number in range(PROBES):
            time.sleep(IDEAL_S / PROBES / 2)
            seconds.append(until_first_event(deployment, number))
            health.append(until_healthy(deployment, number))
        load.result()
    _report_seconds(report, f"first event, beside {in_flight} in flight, median", seconds)
    _report_seconds(report, f"/health beside {in_flight} in flight, median", health)


def _report_seconds(report: Report, what: str, seconds: list[float]) -> None:
    note = f"p95 {1000 * quantile(seconds, 0.95):.0f} ms, worst {1000 * max(seconds):.0f} ms of {len(seconds)}"
    report.add(what, 1000 * statistics.median(seconds), "ms", note=note)


def until_first_event(deployment: Deployment, number: int) -> float:
    """Start a generation as a stream, read one event, hang up, and cancel the rest."""
    server = deployment.server(number)
    started = time.perf_counter()
    event = next(server.events("/generate", method="POST", body={"prompt": prompt()}))
    seconds = time.perf_counter() - started
    server.post(f"/generations/{event.data['generation_id']}/cancel")
    return seconds


def until_healthy(deployment: Deployment, number: int) -> float:
    """Seconds until a server answers that it is alive."""
    started = time.perf_counter()
    deployment.server(number).get("/health")
    return time.perf_counter() - started
