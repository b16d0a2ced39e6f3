"""What is measured: one server on SQLite, or one or two on one Postgres, with the vendors' fakes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.databases import postgres
from tests.fake_vendors import FakeVendors
from tests.server import Server

SQLITE, POSTGRES, TWO = "SQLite", "Postgres", "Postgres, 2 processes"
KINDS = (SQLITE, POSTGRES, TWO)


@dataclass(frozen=True)
class Deployment:
    """Running servers that share one database, and the vendors they know."""

    name: str
    servers: list[Server]
    fakes: FakeVendors
    database: psutil.Process | None = None

    def server(self, number: int) -> Server:
        """The server the n-th request goes to: the load is spread evenly."""
        return self.servers[number % len(self.servers)]

    def cpu_s(self) -> float:
        """Seconds of user and system time of the servers so far."""
        return sum(cpu_s(psutil.Process(server.pid)) for server in self.servers)

    def vendors_cpu_s(self) -> float:
        """The same of the fakes, which take from the same machine."""
        return cpu_s(psutil.Process(self.fakes.pid))

    def database_cpu_s(self) -> float:
        """The same of Postgres; zero where SQLite works inside the servers."""
        return cpu_s(self.database) if self.database else 0.0

    def rss_bytes(self) -> int:
        """The memory the servers hold now."""
        return sum(server.rss_bytes() for server in self.servers)

    def peak_rss_bytes(self) -> int:
        """The most memory they have held since `reset_peak_rss`."""
        return sum(server.peak_rss_bytes() for server in self.servers)

    def reset_peak_rss(self) -> None:
        """Measure the peak from here on."""
        for server in self.servers:
            server.reset_peak_rss()


def cpu_s(process: psutil.Process) -> float:
    """User and system time of a process and its children, ended ones included as far as they were waited for."""
    found = 0.0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            found += times.user + times.system + times.children_user + times.children_system
    return found


@contextlib.contextmanager
def deployed(kind: str, folder: Path) -> Iterator[Deployment]:
    """Start it; stop it at the end."""
    with contextlib.ExitStack() as stack:
        fakes = stack.enter_context(FakeVendors(folder / "vendors"))
        environment = fakes.environment()
        database = None
        if kind != SQLITE:
            running = stack.enter_context(postgres(folder / "postgres", durable=True))
            database = psutil.Process(running.pid)
            environment["DATABASE_URL"] = running.new_database()
            environment["STORAGE_URL"] = (folder / "assets").as_uri()
        count = 2 if kind == TWO else 1
        servers = [stack.enter_context(started(folder / f"server-{n}", environment)) for n in range(count)]
        yield Deployment(kind, servers, fakes, database)


def started(folder: Path, environment: Mapping[str, str]) -> Server:
    """A server that says little in its log."""
    return Server(folder, {"LOG_LEVEL": "WARNING", **environment})
