"""Where the processor's time goes: one server under the reference load, sampled by py-spy.

Run: `.venv/bin/python -m benchmarks.profile [--count 100] [--py-spy PATH]`. py-spy is no dependency of the project; put
it into an environment of your own (`pip install py-spy`). Samples are taken of the thread that holds Python's lock, so
time in the kernel and in native code is missing from them; the threads' own counters, which hold all, come first.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from .deployment import SQLITE, deployed
from .load import burst, warm_up
from .reference import LATENCY

RATE_HZ = 100
GROUPS = {
    "DBOS": ("dbos/",),
    "SQLAlchemy and drivers": ("sqlalchemy/", "aiosqlite/", "psycopg", "alembic/"),
    "openai SDK, httpx2": ("openai/", "httpx2/", "httpcore2/"),
    "httpx": ("httpx/", "httpcore/", "h11/"),
    "pydantic, JSON": ("pydantic", "json/"),
    "PyAV, Pillow": ("av/", "PIL/"),
    "uvicorn, FastAPI": ("uvicorn/", "fastapi", "starlette/"),
    "anyio": ("anyio/",),
    "genai-prices": ("genai_prices/",),
    "app": ("app/", "prompts/"),
    "providers": ("providers/",),
}
OURS = ("(app/", "(providers/", "(prompts/")
TOP = 40
Stack = tuple[list[str], int]


def main() -> None:
    """Sample, and print."""
    arguments = read_arguments()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, deployed(SQLITE, Path(folder)) as deployment:
        warm_up(deployment)
        deployment.fakes.control(latency=LATENCY)
        pid = deployment.servers[0].pid
        before = thread_times(pid)
        plain = burst(deployment, arguments.count)
        print(f"CPU {plain.cpu_ms:.0f} ms a generation, p95 {plain.seconds(0.95):.1f} s, {plain.success()}")
        print(f"cores {plain.busy:.0%} busy, {plain.strangers:.0%} by strangers")
        spent = spent_by_thread(pid, before, arguments.py_spy)
        show("CPU by thread, ms a generation", spent, 1000 / arguments.count)
        samples = Path(folder) / "samples"
        with sampling(arguments.py_spy, pid, samples):
            burst(deployment, arguments.count)
        stacks = list(read_stacks(samples.read_text().splitlines()))
    share = 100 / sum(count for _, count in stacks)
    print("\nOf the time that Python's lock was held, in percent:")
    show("by library (the innermost one that is known)", by(stacks, group_of), share)
    show("functions by own time", by(stacks, lambda frames: without_line(frames[-1])), share)
    show("our functions, with the libraries they call", by(stacks, ours), share)
    show("functions by cumulative time", cumulative(stacks), share, 2 * TOP)


# ---- threads ---------------------------------------------------------------------------------------------------------


def thread_times(pid: int) -> dict[int, float]:
    """Seconds of user and system time of each thread so far."""
    return {thread.id: thread.user_time + thread.system_time for thread in psutil.Process(pid).threads()}


def spent_by_thread(pid: int, before: dict[int, float], py_spy: str) -> dict[str, float]:
    """Seconds since then, by the threads' names without their numbers."""
    times = thread_times(pid)
    dump = subprocess.run([py_spy, "dump", "--pid", str(pid)], capture_output=True, text=True, check=True).stdout
    names = {int(found[1]): found[2] for found in re.finditer(r'^Thread (\d+) \(.*?\): "(.*)"$', dump, re.MULTILINE)}
    spent: dict[str, float] = defaultdict(float)
    for thread, seconds in times.items():
        spent[re.sub(r"[-_]?\d+", "", names.get(thread, "native"))] += seconds - before.get(thread, 0.0)
    return spent


# ---- samples ---------------------------------------------------------------------------------------------------------


@contextmanager
def sampling(py_spy: str, pid: int, to: Path) -> Iterator[None]:
    """Sample the process while the block runs."""
    options = ["--pid", str(pid), "--rate", str(RATE_HZ), "--gil", "--format", "raw", "--output", str(to)]
    process = subprocess.Popen(
        [py_spy, "record", *options, "--duration", "3600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(1.0)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def read_stacks(lines: Iterable[str]) -> Iterator[Stack]:
    """Frames from the outermost to the innermost, and how often they were seen; empty ones left out."""
    for line in lines:
        text, _, count = line.rpartition(" ")
        if frames := [frame for frame in text.split(";") if frame]:
            yield frames, int(count)


def by(stacks: Iterable[Stack], name: Callable[[list[str]], str]) -> Counter[str]:
    """The samples by what `name` says of their frames."""
    found: Counter[str] = Counter()
    for frames, count in stacks:
        found[name(frames)] += count
    return found


def cumulative(stacks: Iterable[Stack]) -> Counter[str]:
    """The samples in which a function stands anywhere."""
    found: Counter[str] = Counter()
    for frames, count in stacks:
        for name in set(map(without_line, frames)):
            found[name] += count
    return found


def group_of(frames: list[str]) -> str:
    """The group of the innermost frame that is in one; the standard library is whose caller's it is.

    Under SQLAlchemy it is told apart whose statements they are: DBOS calls it in its own threads.
    """
    for frame in reversed(frames):
        path = frame.rpartition("(")[2]
        for name, prefixes in GROUPS.items():
            if path.startswith(prefixes):
                by_dbos = name.startswith("SQLAlchemy") and any("(dbos/" in each for each in frames)
                return f"{name}, for DBOS" if by_dbos else name
    return "other"


def ours(frames: list[str]) -> str:
    """The innermost function of the project."""
    return next((without_line(frame) for frame in reversed(frames) if any(o in frame for o in OURS)), "none of ours")


def without_line(frame: str) -> str:
    """A function and its file."""
    return re.sub(r":\d+\)$", ")", frame)


def show(title: str, counted: Mapping[str, float], scale: float, most: int = TOP) -> None:
    """The largest parts."""
    print(f"\n{title}")
    for name, value in sorted(counted.items(), key=lambda item: -item[1])[:most]:
        print(f"{value * scale:8.2f}  {name[:140]}")


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.profile", description="Sample a server under load.")
    parser.add_argument("--count", type=int, default=100, help="generations in flight")
    parser.add_argument("--py-spy", default=shutil.which("py-spy"), help="the program, if it is not in the PATH")
    arguments = parser.parse_args()
    if arguments.py_spy is None:
        parser.error("py-spy is missing: pip install py-spy into an environment of your own, and name it by --py-spy")
    return arguments


if __name__ == "__main__":
    main()
