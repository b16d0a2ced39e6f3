"""A hundred generations at once on the offline family: none lost, and how `/health` fares meanwhile.

Run: `.venv/bin/python -m benchmarks.hundred`. Everything is on loopback.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.server import Server

COUNT = 100
PROMPTS = (
    "An image of a red fox in the snow and a narration saying 'The fox walks home.'",
    "A 2 second clip of waves at sunset",
    "Three images of lighthouses",
    "Read this aloud: 'Good mornings start here.'",
)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as directory, Server(Path(directory), {"OFFLINE": "true"}) as server:
        server.post("/generate", {"prompt": PROMPTS[0]})
        over = threading.Event()
        with ThreadPoolExecutor(COUNT + 1) as pool:
            watching = pool.submit(watch_health, server, over)
            started = time.perf_counter()
            try:
                results = list(pool.map(lambda number: ask(server, number), range(COUNT)))
            finally:
                over.set()
            elapsed = time.perf_counter() - started
            latencies = watching.result()
    complete = sum(status == 200 and bool(body["assets"]) for status, body in results)
    print(f"{complete} of {COUNT} generations complete, {elapsed:.1f} s in all")
    print(
        f"/health meanwhile, {len(latencies)} requests: median {statistics.median(latencies) * 1000:.0f} ms, "
        f"p99 {statistics.quantiles(latencies, n=100)[98] * 1000:.0f} ms, worst {max(latencies) * 1000:.0f} ms"
    )


def ask(server: Server, number: int) -> tuple[int, Any]:
    """One generation, waited for."""
    status, _, body = server.post("/generate", {"prompt": PROMPTS[number % len(PROMPTS)]}, timeout_s=600)
    return status, body


def watch_health(server: Server, over: threading.Event) -> list[float]:
    """Seconds each `/health` took, asked every 20 ms."""
    latencies = []
    while not over.is_set():
        started = time.perf_counter()
        server.get("/health")
        latencies.append(time.perf_counter() - started)
        time.sleep(0.02)
    return latencies


if __name__ == "__main__":
    main()
