"""Every setting, with its default and what it is for. Environment first, then `.env`.

The vendors' own keys and base URLs are not here: each family reads its own names (DESIGN 5) from `read_environment()`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa
from dotenv import dotenv_values
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
STORES = ("file", "s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss", "memory")


class Settings(BaseSettings):
    """The settings of one process. Names are the environment variables', in lower case."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True, frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    data_dir: Path = Field(Path("data"), description="Where the SQLite files and, by default, the assets lie.")
    database_url: str | None = Field(None, description="sqlite:/// or postgresql:// URL; default SQLite in DATA_DIR.")
    storage_url: str | None = Field(None, description="Where assets lie: file://, s3://, gs://, az:// or memory://.")
    public_url: str | None = Field(None, description="Address clients reach this server at, for absolute asset URLs.")
    cors_origins: str = Field("", description="Origins of web clients allowed to call, comma-separated; * for any.")
    allowed_hosts: str = Field("", description="Host names answered to, comma-separated; * for any. See README.")
    allow_anonymous: bool = Field(False, description="Answer without keys on addresses other than loopback.")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="Where a worker tells its numbers; default nowhere."
    )
    telemetry_content: bool = Field(False, description="Record what was said in spans, too: prompts and answers.")

    agent_model: str = Field("gpt-4o", description="The model that plans.")
    enhancer_model: str = Field("gpt-4o-mini", description="The cheaper model that enhances prompts.")
    max_cost_usd: Decimal | None = Field(None, ge=0, description="Cap on each generation that names none itself.")

    model_refresh: bool = Field(True, description="Ask vendors once a day which of their models live.")

    max_calls_per_turn: int = Field(16, ge=1, description="How many tools the planner may call in one turn.")

    vendor_timeout_s: float = Field(300.0, gt=0, description="How long a vendor may take to answer one request.")
    vendor_max_wait_s: float = Field(120.0, ge=0, description="How long a vendor's requests to wait may add up to.")
    image_deadline_s: float = Field(600.0, gt=0, description="How long an image job may run.")
    video_deadline_s: float = Field(1800.0, gt=0, description="How long a video job may run.")
    speech_deadline_s: float = Field(600.0, gt=0, description="How long a speech or transcription job may run.")

    max_running: int = Field(500, ge=0, description="Generations this process works on at once; 0: it only answers.")
    vendor_concurrency: str = Field(
        "", description="Calls a vendor is asked for at once, by lane: runway.video=3,openai.image=5."
    )
    worker_silent_s: float = Field(10.0, gt=0.5, description="How long a process is silent until it counts as dead.")
    sweep_every_s: float = Field(60.0, gt=0, description="How often late works and leftovers are looked after.")
    retention_days: int | None = Field(
        None, ge=1, description="Days after which ended generations and unused uploads are deleted; default never."
    )

    shutdown_grace_s: float = Field(30.0, ge=0, description="How long a stopping process lets requests end.")

    max_upload_bytes: int = Field(100 * 1024**2, gt=0, description="Largest file POST /files takes.")
    max_download_bytes: int = Field(2 * 1024**3, gt=0, description="Largest finished work fetched from a vendor.")
    max_body_bytes: int = Field(1024**2, gt=0, description="Largest JSON body.")

    def directory(self) -> Path:
        """`DATA_DIR` as an absolute path."""
        return self.data_dir.expanduser().resolve()

    def notes_file(self) -> Path:
        """Where it is kept what the vendors said of their models."""
        return self.directory() / "models.json"

    def shared(self) -> bool:
        """Whether several processes may work on the database at once: on Postgres they may, on SQLite not."""
        return not self.sql_url().startswith("sqlite")

    def sql_url(self) -> str:
        """The SQLAlchemy URL of the tables, without a driver in the scheme."""
        return self.database_url or f"sqlite:///{self.directory() / 'impresario.db'}"

    def sqlite_file(self) -> Path:
        """Where the database lies when it is SQLite."""
        return Path(sa.make_url(self.sql_url()).database or "").resolve()

    def store_url(self) -> str:
        """The URL of the asset store."""
        return self.storage_url or (self.directory() / "assets").as_uri()

    def origins(self) -> list[str]:
        """The origins of web clients allowed to call."""
        return [origin.strip() for origin in self.cors_origins.split(",") if origin.strip()]

    def hosts(self) -> list[str]:
        """The host names answered to: those named, else any where strangers are allowed, else this machine's own."""
        named = [host.strip() for host in self.allowed_hosts.split(",") if host.strip()]
        own = ["127.0.0.1", "localhost", "[::1]", urlsplit(self.public_url or "").hostname or "localhost"]
        return named or (["*"] if self.allow_anonymous else own)

    @field_validator("database_url")
    @classmethod
    def _database(cls, url: str | None) -> str | None:
        """Nothing of the value is said again: there is a password in it."""
        if url is None:
            return None
        try:
            found = sa.make_url(url)
        except (sa.exc.ArgumentError, ValueError) as error:
            raise ValueError("it is no URL, such as postgresql://user:password@host/name") from error
        if found.drivername.split("+")[0] not in ("sqlite", "postgresql", "postgres"):
            raise ValueError("it begins neither with sqlite:/// nor with postgresql://")
        if found.database in (None, "", ":memory:"):
            raise ValueError("it names no database, as in postgresql://user:password@host/name")
        return url

    @field_validator("storage_url")
    @classmethod
    def _storage(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(tuple(f"{scheme}://" for scheme in STORES)):
            raise ValueError("it begins with none of file://, s3://, gs://, az:// and memory://")
        return url

    @field_validator("vendor_concurrency")
    @classmethod
    def _lanes(cls, text: str) -> str:
        for part in filter(None, (part.strip() for part in text.split(","))):
            if not re.fullmatch(r"[a-z0-9_]+\.(chat|image|video|speech|transcription)\s*=\s*[1-9]\d{0,5}", part):
                raise ValueError(f"{part!r} is not vendor.modality=number, for example runway.video=3")
        return text

    def concurrency(self) -> dict[str, int]:
        """`VENDOR_CONCURRENCY` by lane."""
        parts = [part.split("=") for part in self.vendor_concurrency.split(",") if part.strip()]
        return {lane.strip(): int(number) for lane, number in parts}

    def deadline_s(self, modality: str) -> float:
        """Seconds a job of this modality may run before it is left to itself."""
        return {"image": self.image_deadline_s, "video": self.video_deadline_s}.get(modality, self.speech_deadline_s)

    def loopback_only(self) -> bool:
        """Whether only this machine may be answered (no keys are configured and nobody allowed more)."""
        return not self.allow_anonymous


def read_environment(env_file: Path = Path(".env")) -> Mapping[str, str]:
    """The environment the families read their keys and base URLs from: the process's, then `.env`."""
    from_file = {name: value for name, value in dotenv_values(env_file).items() if value}
    return {**from_file, **{name: value for name, value in os.environ.items() if value}}
