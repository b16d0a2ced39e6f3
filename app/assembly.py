"""How the parts meet: opened in order (settings, database, store, registry, the engine), closed in reverse."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic.util import CommandError

from app.accounts.budgets import Budgets
from app.accounts.lanes import Lanes
from app.assets.records import Records
from app.assets.store import Store
from app.db import Database
from app.errors import NotReady
from app.generations.crew import Crew
from app.generations.doctor import Doctor
from app.generations.endings import Endings
from app.generations.engine import engine_at_rest, launch_engine, stop_engine
from app.generations.events import Events
from app.generations.gate import Gate
from app.generations.jobs import Jobs
from app.generations.parts import Parts
from app.generations.retention import Retention
from app.generations.service import Service
from app.generations.sweep import Sweep
from app.generations.workflows import Workflows
from app.ids import new_id
from app.settings import Settings
from app.telemetry import Metrics
from app.tools import built_in
from app.writer import first_line
from providers.base import Family
from providers.catalogue import Lane
from providers.http import Http
from providers.registry import Registry

log = logging.getLogger(__name__)

PATIENCE_S = 30.0
"""How long a start waits for a database that is not up yet."""


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
    """Open everything, take up what a crash interrupted, and close it all at the end. Raises NotReady, StoreFailed."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(metrics.aclose)
        if not settings.shared():
            for directory in sorted({settings.directory(), settings.sqlite_file().parent}):
                stack.enter_context(sole_use(directory))
        parts = await stack.enter_async_context(open_parts(settings, environment, metrics, families))
        parts.store.sweep_spool()
        workflows = Workflows(parts)
        crew = Crew(parts, workflows)
        jobs = workflows.works.jobs
        service = Service(parts, jobs, crew)
        sweep, retention = Sweep(parts, jobs), Retention(parts, service)
        stack.callback(stop_engine)
        await crew.sign_in()  # before the engine listens: what nobody alive has is taken from who has it
        await launch_engine(settings, parts.executor)
        await retention.schedule()
        stack.push_async_callback(crew.sign_out)
        background(stack, crew.live())  # also while the gate closes, lest another process takes it for dead
        stack.push_async_callback(parts.gate.close, settings.shutdown_grace_s)
        await crew.take_up()
        if ending := parts.registry.catalogue.warnings():
            log.warning("Models that will be gone within 60 days:\n  %s", "\n  ".join(ending))
        for work in (parts.registry.warm_up(), crew.hear(), sweep.run(), retention.run()):
            background(stack, work)
        if settings.model_refresh:
            background(stack, parts.registry.keep_fresh(settings.notes_file()))
        yield House(settings, parts, service)


@asynccontextmanager
async def open_doctor(settings: Settings, environment: Mapping[str, str]) -> AsyncIterator[Doctor]:
    """The one who looks for what is out of order, beside whoever works. Raises NotReady, StoreFailed."""
    if not settings.shared() and not settings.sqlite_file().exists():
        raise NotReady(f"There is nothing to look after: no server has worked in {settings.directory()} yet.")
    async with open_parts(settings, environment, Metrics()) as parts:
        with engine_at_rest(settings) as engine:
            yield Doctor(
                parts,
                Jobs(parts, Endings(parts)),
                engine,
                taken=not settings.shared() and is_taken(settings.directory()),
            )


@asynccontextmanager
async def open_parts(
    settings: Settings,
    environment: Mapping[str, str],
    metrics: Metrics,
    families: Iterable[type[Family]] | None = None,
) -> AsyncIterator[Parts]:
    """Everything but the engine."""
    async with AsyncExitStack() as stack:
        directory = settings.directory()
        directory.mkdir(parents=True, exist_ok=True)
        store = Store(settings.store_url(), directory / "spool")
        stack.push_async_callback(store.aclose)
        db = Database(settings.sql_url())
        stack.push_async_callback(db.aclose)
        await migrate(db)
        http = Http(
            timeout_s=settings.vendor_timeout_s,
            max_wait_s=settings.vendor_max_wait_s,
            max_bytes=settings.max_download_bytes,
        )
        stack.push_async_callback(http.aclose)
        registry = Registry.open(environment, http, families, metrics.hooks())
        stack.push_async_callback(registry.aclose)
        yield Parts(
            settings=settings,
            db=db,
            events=Events(db),
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


async def migrate(db: Database) -> None:
    """Bring the tables up to date, once the database answers. Raises NotReady with what is wrong."""
    deadline, waiting = time.monotonic() + PATIENCE_S, False
    while True:
        try:
            return await db.migrate()
        except sa.exc.OperationalError as error:
            if db.dialect == "sqlite" or time.monotonic() > deadline:
                raise NotReady(f"The database cannot be used: {said_by(error)}") from error
            if not waiting:
                log.warning("the database does not answer yet, waiting up to %g s: %s", PATIENCE_S, said_by(error))
            waiting = True
        except sa.exc.SQLAlchemyError as error:
            raise NotReady(f"The database cannot be used: {said_by(error)}") from error
        except CommandError as error:
            raise NotReady(f"The database is of another version of Impresario than this one: {error}") from error
        await asyncio.sleep(0.5)


def said_by(error: Exception) -> str:
    """What a database said, in a line."""
    return first_line(getattr(error, "orig", None) or error)


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
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as file:
        for patience in (True, True, False):  # `is_taken` of another process may hold it for a moment
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if not patience:
                    raise NotReady(
                        f"Another Impresario works in {directory}; ask it over HTTP, or give this one a DATA_DIR of "
                        "its own."
                    ) from error
                time.sleep(0.05)
        yield


def is_taken(directory: Path) -> bool:
    """Whether a process works in a data directory now."""
    try:
        with sole_use(directory):
            return False
    except NotReady:
        return True


def background(stack: AsyncExitStack, work: Coroutine[None, None, None]) -> None:
    """Do something beside, until the stack is unwound; nothing depends on its success."""
    task = asyncio.create_task(work)
    task.add_done_callback(report)
    stack.callback(task.cancel)


def report(task: asyncio.Task[None]) -> None:
    """Log what went wrong in a background task."""
    if not task.cancelled() and (error := task.exception()):
        log.warning("a task in the background failed: %s", error)
