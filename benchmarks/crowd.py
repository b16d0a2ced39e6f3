"""How many generations at once fare: their times, and what they take of the processor and of memory."""

from __future__ import annotations

from collections.abc import Sequence

from .deployment import Deployment
from .load import Run, burst
from .reference import IDEAL_S, LATENCY, QUICK, bought_twice
from .report import Report

LEVELS = (1, 25, 100, 300)
AIMED_AT = 100
RATIO_AIM = 1.25
CPU_AIM_MS = 60.0
MEMORY_AIM_MB = 0.5
MEMORY_FROM = 100
TOO_SLOW_S = 45.0
"""After a level that took this long the next one is left out."""
LINEAR = 0.9
"""The share of what is possible that counts as linear."""
BURST, BURST_AT_ONCE = 200, 50


def in_flight(deployment: Deployment, report: Report, levels: Sequence[int] = LEVELS) -> None:
    """That many at once, each level after the other."""
    deployment.fakes.control(latency=LATENCY)
    for count in levels:
        run = burst(deployment, count)
        aimed = count == AIMED_AT
        _report_times(report, run, RATIO_AIM if aimed else None)
        _report_cpu(report, f"CPU per generation, {count} in flight", run, CPU_AIM_MS if aimed else None)
        if count >= MEMORY_FROM:
            grown = max(0.0, run.grown_bytes / count / 1e6)
            report.add(f"peak memory per generation, {count} in flight", grown, "MB", MEMORY_AIM_MB)
        if run.elapsed_s > TOO_SLOW_S:
            break
    twice = bought_twice(deployment.fakes.ledger())
    report.add("works bought twice under load", twice, "", 0)


def _report_times(report: Report, run: Run, aim: float | None) -> None:
    p95 = run.seconds(0.95)
    note = f"p95 {p95:.2f} s, median {run.seconds(0.5):.2f} s; {run.success()}"
    note += f"; {run.per_second:.1f} generations/s"
    report.add(f"p95 over the ideal {IDEAL_S:g} s, {run.count} in flight", p95 / IDEAL_S, "", aim, note=note)


def _report_cpu(report: Report, what: str, run: Run, aim: float | None = None) -> None:
    note = f"vendors' fakes {run.vendors_cpu_ms:.0f} ms"
    note += f", Postgres {run.database_cpu_ms:.0f} ms" if run.used.database else ""
    note += f"; cores {run.busy:.0%} busy, {run.strangers:.0%} by strangers"
    report.add(what, run.cpu_ms, "ms", aim, note=note)


def throughput(deployment: Deployment, report: Report, count: int = BURST) -> Run:
    """Generations a second when the vendors take no time, so that the processor alone is the limit."""
    deployment.fakes.control(latency=QUICK)
    run = burst(deployment, count, BURST_AT_ONCE)
    note = f"{BURST_AT_ONCE} at once; {run.success()}"
    report.add("throughput with instant vendors", run.per_second, "/s", note=note)
    _report_cpu(report, "CPU per generation, instant vendors", run)
    return run


def scaling(one: Run, two: Run, report: Report) -> None:
    """What a second process brings: twice as much, or what the cores allow."""
    allowed = min(2.0, two.most_per_second / one.per_second)
    note = f"{one.per_second:.1f} and {two.per_second:.1f} generations/s; the cores allow {allowed:.2f}"
    note += f"; strangers took {two.strangers:.0%} of them"
    ratio = two.per_second / one.per_second
    report.add("throughput of two processes over one", ratio, "", LINEAR * allowed, least=True, note=note)
