"""The workflow engine: how it is opened and closed, and what of its log is news."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer
from dbos import error as dbos_error

from app.errors import NotReady
from app.settings import Settings
from app.writer import first_line

from .crew import QUEUE
from .workflows import APPLICATION_VERSION

POOL = 8
"""Connections of the engine to Postgres, per process. It takes few notes, and a server of 100 is soon used up."""


async def launch_engine(settings: Settings, executor: str) -> None:
    """Start the workflow engine, and the queue of runs that no process had room for. Raises NotReady."""
    config: DBOSConfig = {
        "name": "impresario",
        "application_version": APPLICATION_VERSION,
        "executor_id": executor,
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "WARNING",
        "run_migrations": True,
        "sys_db_pool_size": POOL,
        "system_database_url": _url(settings),
    }
    if not settings.shared():
        _check_sqlite()
        config["system_database_engine"] = _sqlite_engine(_url(settings))
    DBOS(config=config)
    engine_log = logging.getLogger("dbos")  # speaks with everybody else's format
    engine_log.handlers.clear()
    engine_log.propagate = True
    engine_log.filters[:] = [News()]
    DBOS.listen_queues([QUEUE] if settings.max_running else [])
    try:
        DBOS.launch()
        await DBOS.register_queue_async(
            QUEUE,
            worker_concurrency=max(settings.max_running, 1),
            polling_interval_sec=0.25 if settings.shared() else 1.0,
            on_conflict="always_update" if settings.max_running else "never_update",
        )
    except (sa.exc.SQLAlchemyError, dbos_error.DBOSException) as error:
        raise NotReady(f"The workflow engine could not start: {first_line(error)}") from error


def stop_engine() -> None:
    """Stop the workflow engine, and give the event loop back the thread pool that goes down with it."""
    DBOS.destroy()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())


@contextmanager
def engine_at_rest(settings: Settings) -> Iterator[DBOSClient]:
    """The engine's notes without the engine: nothing is run, and no queue is listened to."""
    own = None if settings.shared() else _sqlite_engine(_url(settings))
    client = DBOSClient(
        system_database_url=_url(settings),
        system_database_engine=own,
        serializer=DBOSPortableJSONSerializer(),
        lazy=True,
        retry_connection_errors=False,
    )
    try:
        yield client
    finally:
        client.destroy()
        if own is not None:
            own.dispose()


class News(logging.Filter):
    """What the engine says that is news. A workflow that was cancelled is what was asked for, and a start that failed
    is told of by who wanted it. Each of its threads complains of a database that is away, every second and at length:
    that is said once a minute, in a line."""

    def __init__(self) -> None:
        super().__init__()
        self._quiet_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log it."""
        error, said = record.exc_info[1] if record.exc_info else None, record.getMessage()
        if isinstance(error, dbos_error.DBOSAwaitedWorkflowCancelledError | dbos_error.DBOSWorkflowCancelledError):
            return False
        if found := re.search(r"(?:psycopg\.OperationalError\W+|Notification listener error: )(.*)", said):
            record.msg, record.args = f"the database does not answer the engine: {found[1]}", ()
            if record.created < self._quiet_until:
                return False
            self._quiet_until = record.created + 60
        return not said.startswith(("Asyncio task cancelled", "DBOS failed to launch"))


def _url(settings: Settings) -> str:
    """Where the engine keeps its notes: in a file of its own, or in a schema of its own on Postgres."""
    return settings.sql_url() if settings.shared() else f"sqlite:///{settings.directory() / 'workflows.db'}"


def _check_sqlite() -> None:
    """Refuse a SQLite that DBOS cannot work with from Python 3.12 on (measured: 3.40.1 on 3.13 fails, on 3.11 works).

    Raises NotReady with what to do; otherwise the start would end in a puzzling IntegrityError.
    """
    if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < (3, 42):
        raise NotReady(
            f"This Python brings SQLite {sqlite3.sqlite_version}; from Python 3.12 on 3.42 or newer is needed. "
            "Use another Python, or set DATABASE_URL to Postgres."
        )


def _sqlite_engine(url: str) -> sa.Engine:
    """DBOS's own engine settings, in WAL mode, which it does not choose by itself."""
    engine = sa.create_engine(url, pool_size=16, max_overflow=16)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("busy_timeout=30000", "foreign_keys=ON", "journal_mode=WAL", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
