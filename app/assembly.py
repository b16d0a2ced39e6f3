"""How the parts meet: opened in order (settings, database, store, registry, DBOS), closed in reverse."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer
from dbos import error as dbos_error

from app.accounts.budgets import Budgets
from app.accounts.lanes import Lanes
from app.assets.records import Records
from app.assets.store import Store
from app.db import Database
from app.errors import NotReady
from app.generations.crew import QUEUE, Crew
from app.generations.events import Events
from app.generations.gate import Gate
from app.generations.parts import Parts
from app.generations.service import Service
from app.generations.sweep import Sweep
from app.generations.workflows import APPLICATION_VERSION, Workflows
from app.ids import new_id
from app.settings import Settings
from app.telemetry import Metrics
from app.tools import built_in
from providers.base import Family
from providers.catalogue import Lane
from providers.http import Http
from providers.registry import Registry

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class House:
    """The open application."""

    settings: Settings
    parts: Parts
    service: Service


@asynccontextmanager
async def open_house(
    settings: Settings,
    environment: Mapping[str, str],
    metrics: Metrics,
    families: Iterable[type[Family]] | None = None,
) -> AsyncIterator[House]:
    """Open everything, take up what a crash interrupted, and close it all at the end."""
    async with AsyncExitStack() as stack:
        directory = settings.directory()
        directory.mkdir(parents=True, exist_ok=True)
        stack.enter_context(sole_use(directory))
        db = Database(settings.sql_url())
        stack.push_async_callback(db.aclose)
        await db.migrate()
        store = Store(settings.store_url(), directory / "spool")
        stack.push_async_callback(store.aclose)
        store.sweep_spool()
        http = Http(
            timeout_s=settings.vendor_timeout_s,
            max_wait_s=settings.vendor_max_wait_s,
            max_bytes=settings.max_download_bytes,
        )
        stack.push_async_callback(http.aclose)
        registry = Registry.open(environment, http, families)
        stack.push_async_callback(registry.aclose)
        events = Events(db)
        parts = Parts(
            settings=settings,
            db=db,
            events=events,
            budgets=Budgets(db, metrics),
            lanes=Lanes(db, limits_of(registry, settings)),
            records=Records(db),
            store=store,
            http=http,
            registry=registry,
            toolbox=built_in(),
            metrics=metrics,
            gate=Gate(),
            executor=new_id("worker"),
        )
        workflows = Workflows(parts)
        crew, sweep = Crew(parts, workflows), Sweep(parts, workflows.works)
        service = Service(parts, workflows.works, crew)
        await launch_dbos(settings, parts.executor)
        stack.callback(stop_dbos)
        stack.push_async_callback(crew.sign_out)
        stack.push_async_callback(parts.gate.close, settings.shutdown_grace_s)
        await crew.sign_in()
        if ending := registry.catalogue.warnings():
            log.warning("Models that will be gone within 60 days:\n  %s", "\n  ".join(ending))
        for work in (registry.warm_up(), crew.live(), crew.hear(), sweep.run()):
            task = asyncio.create_task(work)
            task.add_done_callback(report)
            stack.callback(task.cancel)
        yield House(settings, parts, service)


def limits_of(registry: Registry, settings: Settings) -> dict[str, Lane]:
    """How much each vendor is asked for: what it says itself, and what the operator knows better."""
    limits = {
        f"{family.name}.{modality}": lane
        for family in registry.families.values()
        for modality, lane in family.lanes.items()
    }
    for name, concurrent in settings.concurrency().items():
        limits[name] = limits.get(name, Lane()).model_copy(update={"concurrent": concurrent})
    return limits


@contextmanager
def sole_use(directory: Path) -> Iterator[None]:
    """Hold a data directory for this process alone, until the block ends or the process dies.

    A second process would take the first one's unfinished work for a crashed one's. Raises NotReady.
    """
    with (directory / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NotReady(
                f"Another Impresario works in {directory}; ask it over HTTP, or give this one a DATA_DIR of its own."
            ) from error
        yield


def report(task: asyncio.Task[None]) -> None:
    """Log what went wrong in a background task; nothing depends on its success."""
    if not task.cancelled() and (error := task.exception()):
        log.warning("a task in the background failed: %s", error)


def check_sqlite() -> None:
    """Refuse a SQLite that DBOS cannot work with from Python 3.12 on (measured: 3.40.1 on 3.13 fails, on 3.11 works).

    Raises NotReady with what to do; otherwise the start would end in a puzzling IntegrityError.
    """
    if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < (3, 42):
        raise NotReady(
            f"This Python brings SQLite {sqlite3.sqlite_version}; from Python 3.12 on 3.42 or newer is needed. "
            "Use another Python, or set DATABASE_URL to Postgres."
        )


async def launch_dbos(settings: Settings, executor: str) -> None:
    """Start the workflow engine, and the queue of runs that no process had room for."""
    config: DBOSConfig = {
        "name": "impresario",
        "application_version": APPLICATION_VERSION,
        "executor_id": executor,
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "WARNING",
        "run_migrations": True,
    }
    shared = settings.database_url is not None and not settings.database_url.startswith("sqlite")
    if not shared:
        url = f"sqlite:///{settings.directory() / 'workflows.db'}"
        check_sqlite()
        config["system_database_engine"] = _sqlite_engine(url)
    else:
        url = str(settings.database_url)
    config["system_database_url"] = url
    DBOS(config=config)
    engine_log = logging.getLogger("dbos")  # speaks with everybody else's format
    engine_log.handlers.clear()
    engine_log.propagate = True
    engine_log.addFilter(is_news)
    DBOS.listen_queues([QUEUE] if settings.max_running else [])
    DBOS.launch()
    await DBOS.register_queue_async(
        QUEUE,
        worker_concurrency=max(settings.max_running, 1),
        polling_interval_sec=0.25 if shared else 1.0,
        on_conflict="always_update" if settings.max_running else "never_update",
    )


def stop_dbos() -> None:
    """Stop the workflow engine, and give the event loop back the thread pool that goes down with it."""
    DBOS.destroy()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())


def is_news(record: logging.LogRecord) -> bool:
    """A cancelled workflow is what was asked for, not an error to log with a traceback."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, dbos_error.DBOSAwaitedWorkflowCancelledError | dbos_error.DBOSWorkflowCancelledError)


def _sqlite_engine(url: str) -> sa.Engine:
    """DBOS's own engine settings, in WAL mode, which it does not choose by itself."""
    engine = sa.create_engine(url, pool_size=16, max_overflow=16)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("busy_timeout=30000", "foreign_keys=ON", "journal_mode=WAL", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
