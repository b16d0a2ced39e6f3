"""The tests' Postgres: databases apart, crashes that lose nothing committed, and an end that comes with its parent."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.databases import Postgres, postgres

ROOT = Path(__file__).resolve().parents[1]
STARTS_ONE = """
import sys, pathlib, tests.databases
server = tests.databases.Postgres(pathlib.Path(sys.argv[1]))
print(server.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


def run(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_databases_are_apart(server):
    one, other = server.new_database(), server.new_database()
    run(one, "CREATE TABLE here (n int)")
    with pytest.raises(psycopg.errors.UndefinedTable):
        run(other, "SELECT * FROM here")


def test_copy_of_a_database_has_what_it_has(server):
    template = server.new_database()
    run(template, "SELECT 7 AS n INTO here")
    assert run(server.new_database(template), "SELECT n FROM here") == [(7,)]


def test_dropped_database_is_gone_although_someone_uses_it(server):
    url = server.new_database()
    with contextlib.closing(psycopg.connect(url)):
        server.drop_database(url)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_crash_refuses_until_the_restart_and_loses_nothing_committed(server):
    url = server.new_database()
    run(url, "SELECT 7 AS n INTO here")
    server.stop_now()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(url)
    server.restart()
    assert run(url, "SELECT n FROM here") == [(7,)]


def test_it_ends_with_the_process_that_started_it(tmp_path: Path):
    command = [sys.executable, "-c", STARTS_ONE, str(tmp_path)]
    parent = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with parent, contextlib.suppress(psutil.NoSuchProcess):
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        child.wait(10)
