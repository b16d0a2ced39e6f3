"""How much longer a social-media post takes than its critical path: one model turn, the slowest tool, one more turn.

Run: `.venv/bin/python -m benchmarks.social_post`. The vendors are fakes of set latencies on loopback.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from tests.fake_vendors import FakeVendors
from tests.server import Server

LATENCY = {"chat": 0.5, "speech": 1.0, "replicate": 3.0, "runway": 5.0}
PROMPT = "A social-media post: a hero image by Flux, a 5 second clip, and a narration"
RUNS = 5


def main() -> None:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory() as directory,
        FakeVendors(Path(directory) / "vendors") as fakes,
        Server(Path(directory) / "server", fakes.environment()) as server,
    ):
        server.post("/generate", {"prompt": PROMPT})  # the fakes film their first clip, which takes a second
        fakes.control(latency=LATENCY)
        critical = 2 * LATENCY["chat"] + max(LATENCY[name] for name in ("speech", "replicate", "runway"))
        ratios = []
        for _ in range(RUNS):
            started = time.perf_counter()
            status, _, generation = server.post("/generate", {"prompt": PROMPT})
            elapsed = time.perf_counter() - started
            if status != 200 or len(generation["assets"]) != 3:
                raise SystemExit(f"incomplete: {status} {generation}")
            ratios.append(elapsed / critical)
    print(f"critical path {critical:.1f} s; makespan / critical path over {RUNS} runs:")
    print(f"  median {statistics.median(ratios):.3f}, worst {max(ratios):.3f}")


if __name__ == "__main__":
    main()
