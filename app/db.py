"""The tables, the engine and the migrations.

Small facts only: no bytes of media and no vendor URL is ever written here. Times are UTC; money is exact text.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from psycopg import sql
from sqlalchemy.dialects import postgresql, sqlite

from app.writer import Writer, first_line, is_passing

log = logging.getLogger(__name__)

T = TypeVar("T")
MIGRATIONS = Path(__file__).parent / "migrations"
READERS = 4
"""Threads that read. A read takes a fraction of a millisecond, so more would only take turns."""


READ_PAUSES_S = (0.1, 0.4, 1.0, 1.5)
ALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}
"""A server that has vanished without a word is noticed within half a minute (libpq; milliseconds for the last one)."""
LIMITS = ("idle_in_transaction_session_timeout = '10s'", "lock_timeout = '10s'")
"""A process that was frozen in the middle of a transaction must not hold its locks against all the others."""


class Utc(sa.TypeDecorator[dt.datetime]):
    """An aware UTC time; SQLite has none of its own, so it is kept there as ISO text that sorts."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return sa.String(32) if dialect.name == "sqlite" else sa.DateTime(timezone=True)

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(dt.UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> dt.datetime | None:
        return dt.datetime.fromisoformat(value) if isinstance(value, str) else value


class Money(sa.TypeDecorator[Decimal]):
    """An exact amount in USD, kept as text."""

    impl = sa.String(32)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else format(value, "f")

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


metadata = sa.MetaData()
Json = sa.JSON(none_as_null=True)

generations = sa.Table(
    "generations",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("owner", sa.String(64), nullable=False, default=""),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("stop_reason", sa.String(16)),
    sa.Column("prompt", sa.Text, nullable=False),
    sa.Column("request", Json, nullable=False),
    sa.Column("previous_id", sa.String(40)),
    sa.Column("idempotency_key", sa.String(255)),
    sa.Column("request_digest", sa.String(64), nullable=False),
    sa.Column("response", sa.Text),
    sa.Column("error", Json),
    sa.Column("warnings", Json, nullable=False, default=list),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("started_at", Utc),
    sa.Column("completed_at", Utc),
    sa.Column("frame", Json),
    sa.Column("executor", sa.String(40)),
    sa.Column("attempts", sa.Integer, nullable=False, default=0, server_default="0"),
    sa.Column("deleted_at", Utc),
    sa.UniqueConstraint("owner", "idempotency_key"),
    sa.Index("ix_generations_owner_id", "owner", "id"),
    sa.Index("ix_generations_status", "status"),
)

steps = sa.Table(
    "steps",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("generation_id", sa.String(40), nullable=False, index=True),
    sa.Column("turn", sa.Integer, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("arguments", Json),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("asset_ids", Json, nullable=False, default=list),
    sa.Column("answer", Json),
    sa.Column("started_at", Utc, nullable=False),
    sa.Column("completed_at", Utc),
)

calls = sa.Table(
    "calls",
    metadata,
    sa.Column("id", sa.String(80), primary_key=True),
    sa.Column("generation_id", sa.String(40), nullable=False, index=True),
    sa.Column("step_id", sa.String(64), nullable=False),
    sa.Column("owner", sa.String(64), nullable=False, default="", server_default=""),
    sa.Column("lane", sa.String(80), nullable=False, default="", server_default=""),
    sa.Column("vendor", sa.String(64), nullable=False),
    sa.Column("model", sa.String(128), nullable=False),
    sa.Column("modality", sa.String(16), nullable=False),
    sa.Column("request_digest", sa.String(64), nullable=False),
    sa.Column("request", Json),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("estimate_usd", Money),
    sa.Column("amount_usd", Money),
    sa.Column("amount_source", sa.String(16)),
    sa.Column("job_id", sa.String(255)),
    sa.Column("ticket", Json),
    sa.Column("warnings", Json),
    sa.Column("result", Json),
    sa.Column("usage", Json),
    sa.Column("error", Json),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("admitted_at", Utc),
    sa.Column("not_before", Utc),
    sa.Column("submitted_at", Utc),
    sa.Column("settled_at", Utc),
    sa.Index("ix_calls_lane_state", "lane", "state"),
    sa.Index("ix_calls_vendor_job_id", "vendor", "job_id"),
    sa.Index("ix_calls_owner_request_digest", "owner", "request_digest"),
    sa.Index("ix_calls_owner_created_at", "owner", "created_at"),
)

assets = sa.Table(
    "assets",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("owner", sa.String(64), nullable=False, default=""),
    sa.Column("generation_id", sa.String(40), index=True),
    sa.Column("call_id", sa.String(80)),
    sa.Column("type", sa.String(16), nullable=False),
    sa.Column("media_type", sa.String(128), nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("width", sa.Integer),
    sa.Column("height", sa.Integer),
    sa.Column("duration_s", sa.Float),
    sa.Column("provider", sa.String(64)),
    sa.Column("model", sa.String(128)),
    sa.Column("prompt", sa.Text),
    sa.Column("revised_prompt", sa.Text),
    sa.Column("voice", sa.String(64)),
    sa.Column("parameters", Json, nullable=False, default=dict),
    sa.Column("cost_usd", Money),
    sa.Column("parent_ids", Json, nullable=False, default=list),
    sa.Column("filename", sa.String(255)),
    sa.Column("reused_from", sa.String(40)),
    sa.Column("created_at", Utc, nullable=False),
    sa.Index("ix_assets_owner_id", "owner", "id"),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("generation_id", sa.String(40), nullable=False),
    sa.Column("key", sa.String(128), nullable=False),
    sa.Column("name", sa.String(32), nullable=False),
    sa.Column("data", Json, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.UniqueConstraint("generation_id", "key"),
    sa.Index("ix_events_generation_id_id", "generation_id", "id"),
    sqlite_autoincrement=True,
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("started_at", Utc, nullable=False),
    sa.Column("seen_at", Utc, nullable=False),
)


def now() -> dt.datetime:
    """The time, aware, in UTC."""
    return dt.datetime.now(dt.UTC)


def driver_url(url: str) -> sa.URL:
    """A plain SQLAlchemy URL (`sqlite:///`, `postgresql://`) with the driver this application uses."""
    parsed = sa.make_url(url)
    driver = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
    return parsed.set(drivername=driver.get(parsed.drivername.split("+")[0], parsed.drivername))


class Database:
    """The open database, spoken to by functions that take a connection and run on its threads (docs/decisions/0007).

    What a process writes goes through one thread, which commits together what has come together: so a busy server
    waits for the disk once for many receipts, and never for a lock of its own.
    """

    def __init__(self, url: str) -> None:
        target = driver_url(url)
        self.dialect = target.get_backend_name()
        if self.dialect == "sqlite" and target.database:
            Path(target.database).parent.mkdir(parents=True, exist_ok=True)
        self._writing = create_engine(target, read_only=False)
        self._reading = create_engine(target, read_only=True)
        self._writer = Writer(self._writing)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="db-read")
        self._inserts: dict[str, Any] = {}

    async def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` in a transaction that is committed when this returns; nothing of it stays when it raises.

        `work` may run more than once before it succeeds, so it must touch nothing but its connection.
        """
        return await self._writer.write(work)

    async def insist(self, work: Callable[[sa.Connection], T], what: str) -> T:
        """`write`, as long as the database is away: for what a vendor has answered, which is nowhere else."""
        while True:
            try:
                return await self.write(work)
            except sa.exc.SQLAlchemyError as error:
                if not is_passing(error):
                    raise
                log.error("%s is not written down yet, trying on: %s", what, first_line(error))

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work`, which only reads; each of its queries sees what is committed by then. A database that refuses is
        asked again for a few seconds."""

        def reading() -> T:
            with self._reading.connect() as connection:
                return work(connection)

        for pause_s in READ_PAUSES_S:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._readers, reading)
            except sa.exc.SQLAlchemyError as error:
                if not is_passing(error):
                    raise
                await asyncio.sleep(pause_s)
        return await asyncio.get_running_loop().run_in_executor(self._readers, reading)

    async def rows(self, query: sa.Select[Any]) -> list[Mapping[str, Any]]:
        """Every row of a query, as mappings."""
        return await self.read(lambda connection: rows_of(connection, query))

    async def row(self, query: sa.Select[*tuple[Any, ...]]) -> Mapping[str, Any] | None:
        """The first row of a query, or None."""
        return await self.read(lambda connection: row_of(connection, query))

    def insert_once(self, connection: sa.Connection, table: sa.Table, values: Mapping[str, Any]) -> bool:
        """Insert a row, or do nothing where a unique row is there already; whether it is new."""
        if table.name not in self._inserts:  # built once: to build a statement takes longer than to run it
            dialect: Any = sqlite if self.dialect == "sqlite" else postgresql
            statement = dialect.insert(table).on_conflict_do_nothing()
            # Without this psycopg's cursor is closed, and has forgotten how many rows there were, before it is asked.
            self._inserts[table.name] = statement.execution_options(preserve_rowcount=True)
        return bool(connection.execute(self._inserts[table.name], dict(values)).rowcount)

    async def notifications(self, channel: str) -> AsyncIterator[str]:
        """What other processes tell on a channel of Postgres, for ever; connects again when the line breaks."""
        url = self._writing.url.set(drivername="postgresql").render_as_string(hide_password=False)
        heard = True
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                    heard = True
                    async for notice in connection.notifies():
                        yield notice.payload
            except psycopg.OperationalError as error:
                if heard:  # said once for each time that it goes away
                    log.warning("the database's notices are not heard, trying again: %s", first_line(error))
                heard = False
            await asyncio.sleep(1.0)

    async def migrate(self) -> None:
        """Bring the tables up to date. Safe to call from several processes at once."""
        await asyncio.to_thread(self._migrate)

    def _migrate(self) -> None:
        with self._writing.begin() as connection:
            _upgrade(connection)

    async def aclose(self) -> None:
        """Let what is being written be written, and close every connection."""
        await asyncio.to_thread(self._writer.close)
        self._readers.shutdown()
        self._writing.dispose()
        self._reading.dispose()


def rows_of(connection: sa.Connection, query: sa.Select[Any]) -> list[Mapping[str, Any]]:
    """Every row of a query, as mappings."""
    return [dict(row) for row in connection.execute(query).mappings()]


def row_of(connection: sa.Connection, query: sa.Select[Any]) -> Mapping[str, Any] | None:
    """The first row of a query, or None."""
    found = connection.execute(query).mappings().first()
    return None if found is None else dict(found)


def create_engine(target: sa.URL, *, read_only: bool) -> sa.Engine:
    """An engine for writing (transactions) or for reading (each query by itself)."""
    if target.get_backend_name() != "sqlite":
        options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "pool_size": READERS} if read_only else {}
        # libpq by itself would wait two minutes for a host that is silent
        wanted = {"connect_timeout": 10, **ALIVE}
        options["connect_args"] = {name: value for name, value in wanted.items() if name not in target.query}
        engine = sa.create_engine(target, pool_pre_ping=read_only, **options)
        sa.event.listen(engine, "connect", _limit_postgres)
        return engine
    engine = sa.create_engine(target)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    if not read_only:
        sa.event.listen(engine, "begin", _begin_immediate)
    return engine


def _limit_postgres(connection: Any, record: Any) -> None:
    with connection.cursor() as cursor:
        for limit in LIMITS:
            cursor.execute(f"SET {limit}")
    connection.commit()


def _prepare_sqlite(connection: Any, record: Any) -> None:
    """WAL so that readers never wait for the writer; FULL because receipts must outlive a power cut."""
    connection.isolation_level = None  # transactions are begun by _begin_immediate, not by the driver
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    _switch_to_wal(cursor)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _switch_to_wal(cursor: sqlite3.Cursor) -> None:
    """Of those that open a new file at the same moment one may be refused at once, whatever the busy timeout."""
    for pause_s in (0.01, 0.03, 0.1, 0.3, 1.0):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            time.sleep(pause_s)
    cursor.execute("PRAGMA journal_mode=WAL")


def _begin_immediate(connection: sa.Connection) -> None:
    """A writer takes the write lock at its start, so that it never fails half-way with "database is locked"."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _upgrade(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7465302)")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
