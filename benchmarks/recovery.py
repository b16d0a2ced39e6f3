"""What a kill costs: the time until the work goes on, and until all of it is done; nothing is bought twice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.server import Event, Server

from .deployment import Deployment
from .load import TIMEOUT_S
from .reference import IDEAL_S, LATENCY, bought_twice, is_complete, prompt, turns_taken_again
from .report import Report

COUNT = 25
SPREAD_S = 4.0
"""The generations start over this time, so that the kill finds them at every stage."""
TAKEOVER_AIM_S = 30.0
TERMINAL = ("generation.completed", "generation.failed", "generation.cancelled")


@dataclass(frozen=True)
class Story:
    """The events of one generation up to its end, as the server tells them afterwards."""

    events: Sequence[Event]

    @property
    def final(self) -> Any:
        """The generation as it ended."""
        return self.events[-1].data

    def first_after(self, moment: float) -> float:
        """Seconds from a moment to the first event behind it; 0 when it was over by then."""
        return min((at - moment for at in map(happened, self.events) if at > moment), default=0.0)

    def ended_after(self, moment: float) -> float:
        """Seconds from a moment to the end."""
        return happened(self.events[-1]) - moment


def happened(event: Event) -> float:
    """When the server wrote an event, in seconds since the epoch."""
    text = event.data["completed_at"] if event.name in TERMINAL else event.data["created_at"]
    return datetime.fromisoformat(text).timestamp()


def begin(server: Server) -> str:
    """Start a generation and do not wait; its id."""
    reply = server.post("/generate", {"prompt": prompt()}, headers={"prefer": "respond-async"})
    assert reply.status == 202, reply
    return str(reply.body["id"])


def stories(server: Server, ids: Sequence[str]) -> list[Story]:
    """Follow all of them to their ends."""

    def follow(generation_id: str) -> Story:
        return Story(list(server.events(f"/generations/{generation_id}/events", timeout_s=TIMEOUT_S)))

    with ThreadPoolExecutor(len(ids)) as pool:
        return list(pool.map(follow, ids))


def recovery(deployment: Deployment, report: Report, count: int = COUNT) -> None:
    """Kill the first server in the middle of its work; restart it, or let the other one take over."""
    deployment.fakes.reset()
    deployment.fakes.control(latency=LATENCY)
    ids = []
    for number in range(count):
        ids.append(begin(deployment.server(number)))
        time.sleep(SPREAD_S / count)
    victim = deployment.servers[0]
    victim.kill()
    killed = time.time()
    if len(deployment.servers) == 1:
        _restart(victim, ids, report)
    else:
        _take_over(deployment, ids, killed, report)
    ledger = deployment.fakes.ledger()
    note = f"{turns_taken_again(ledger)} model turns were lost and taken again"
    report.add("works bought twice over a kill", bought_twice(ledger), "", 0, note=note)


def _restart(server: Server, ids: Sequence[str], report: Report) -> None:
    started = time.time()
    server.restart()
    ready_s = time.time() - started
    told = stories(server, ids)
    first = min(story.first_after(started) for story in told if story.ended_after(started) > 0)
    report.add("after SIGKILL: process start to /ready", ready_s, "s", note=f"{len(ids)} generations in flight")
    report.add("after SIGKILL: process start to the first progress", first, "s")
    _report_end("after SIGKILL: process start to the end of all", told, started, report)


def _take_over(deployment: Deployment, ids: Sequence[str], killed: float, report: Report) -> None:
    told = stories(deployment.servers[1], ids)
    orphans = told[:: len(deployment.servers)]
    waits = sorted(story.first_after(killed) for story in orphans)
    note = f"the first event of the last of {len(orphans)}; of the first one {waits[0]:.1f} s"
    report.add("takeover of a killed process's work", waits[-1], "s", TAKEOVER_AIM_S, note=note)
    _report_end("kill to the end of all, by takeover", told, killed, report)


def _report_end(what: str, told: Sequence[Story], since: float, report: Report) -> None:
    whole = sum(is_complete(story.final) for story in told)
    ended = sum(story.final["status"] == "completed" for story in told)
    unknown = sum(step["status"] == "failed" for story in told for step in story.final["steps"])
    note = f"{ended} of {len(told)} completed, {whole} with all works; {unknown} calls of unknown outcome"
    last = max(story.ended_after(since) for story in told)
    report.add(what, last, "s", note=f"{note}; one generation takes {IDEAL_S:g} s")
