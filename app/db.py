"""The tables, the engine and the migrations.

Small facts only: no bytes of media and no vendor URL is ever written here. Times are UTC; money is exact text.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

MIGRATIONS = Path(__file__).parent / "migrations"


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
    sa.Column("started_at", Utc, nullable=False),
    sa.Column("completed_at", Utc),
)

calls = sa.Table(
    "calls",
    metadata,
    sa.Column("id", sa.String(80), primary_key=True),
    sa.Column("generation_id", sa.String(40), nullable=False, index=True),
    sa.Column("step_id", sa.String(64), nullable=False),
    sa.Column("vendor", sa.String(64), nullable=False),
    sa.Column("model", sa.String(128), nullable=False),
    sa.Column("modality", sa.String(16), nullable=False),
    sa.Column("request_digest", sa.String(64), nullable=False),
    sa.Column("request", Json),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("estimate_usd", Money),
    sa.Column("amount_usd", Money),
    sa.Column("amount_source", sa.String(16)),
    sa.Column("ticket", Json),
    sa.Column("result", Json),
    sa.Column("usage", Json),
    sa.Column("error", Json),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("submitted_at", Utc),
    sa.Column("settled_at", Utc),
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


def now() -> dt.datetime:
    """The time, aware, in UTC."""
    return dt.datetime.now(dt.UTC)


def driver_url(url: str) -> sa.URL:
    """A plain SQLAlchemy URL (`sqlite:///`, `postgresql://`) with the asynchronous driver this application uses."""
    parsed = sa.make_url(url)
    driver = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
    return parsed.set(drivername=driver.get(parsed.drivername.split("+")[0], parsed.drivername))


class Database:
    """The open database. `transaction()` commits when its block ends and rolls back when it raises."""

    def __init__(self, url: str) -> None:
        target = driver_url(url)
        self.dialect = target.get_backend_name()
        if self.dialect == "sqlite" and target.database:
            Path(target.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine: AsyncEngine = create_async_engine(target, pool_pre_ping=self.dialect != "sqlite")
        if self.dialect == "sqlite":
            sa.event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine.sync_engine, "begin", _begin_immediate)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection inside one transaction that may write."""
        async with self.engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading: it takes no write lock."""
        async with self.engine.connect() as plain:
            connection = await plain.execution_options(read_only=True)
            yield connection

    async def rows(self, query: sa.Select[Any]) -> list[Mapping[str, Any]]:
        """Every row of a query, as mappings."""
        async with self.reading() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def row(self, query: sa.Select[Any]) -> Mapping[str, Any] | None:
        """The first row of a query, or None."""
        async with self.reading() as connection:
            found = (await connection.execute(query)).mappings().first()
            return None if found is None else dict(found)

    def insert_once(self, table: sa.Table, **values: Any) -> sa.Insert:
        """An insert that does nothing where a unique row is there already."""
        dialect = sqlite if self.dialect == "sqlite" else postgresql
        statement: sa.Insert = dialect.insert(table).values(**values).on_conflict_do_nothing()
        return statement

    async def migrate(self) -> None:
        """Bring the tables up to date. Safe to call from several processes at once."""
        async with self.engine.begin() as connection:
            await connection.run_sync(_upgrade)

    async def aclose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def _prepare_sqlite(connection: Any, record: Any) -> None:
    """WAL so that readers never wait for the writer; FULL because receipts must outlive a power cut."""
    connection.isolation_level = None  # transactions are begun by _begin_immediate, not by the driver
    cursor = connection.cursor()
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: sa.Connection) -> None:
    """A writer takes the write lock at its start, so that it never fails half-way with "database is locked"."""
    read_only = connection.get_execution_options().get("read_only")
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _upgrade(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7465302)")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
