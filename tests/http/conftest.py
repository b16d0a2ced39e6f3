"""The servers the HTTP tests share.

The contract is the same on one machine and on many. So each test with `server` runs twice: against one process on
SQLite and files, and against a server that only answers, with a worker behind it, on Postgres and S3.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import Postgres
from tests.http.talk import (
    BACKINGS,
    CLIENT,
    MAX_BODY_BYTES,
    MAX_UPLOAD_BYTES,
    OFFLINE,
    begun,
    long_clip,
    server_and_worker,
)
from tests.object_store import ObjectStore
from tests.server import Server


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The product without keys, with its offline stand-in and every default."""
    with Server(tmp_path_factory.mktemp("server"), OFFLINE) as running:
        yield running


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, postgres_server: Postgres, s3: ObjectStore) -> Iterator[Server]:
    """The same with the work done elsewhere."""
    with server_and_worker(tmp_path_factory.mktemp("shared"), postgres_server, s3) as running:
        yield running


@pytest.fixture(scope="session", params=BACKINGS)
def server(request: pytest.FixtureRequest) -> Server:
    """One of them, and then the other."""
    running: Server = request.getfixturevalue(request.param)
    return running


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server alone with small limits, and with web clients that may call it from elsewhere."""
    settings = {
        "MAX_BODY_BYTES": str(MAX_BODY_BYTES),
        "MAX_UPLOAD_BYTES": str(MAX_UPLOAD_BYTES),
        "CORS_ORIGINS": f"{CLIENT}, http://localhost:5173",
    }
    with Server(tmp_path_factory.mktemp("narrow"), {**OFFLINE, **settings}) as running:
        yield running


@pytest.fixture
def clip(server: Server) -> Iterator[str]:
    """A generation that films for far longer than any test takes; it is cancelled behind the test."""
    generation_id = begun(server, long_clip())
    yield generation_id
    server.post(f"/generations/{generation_id}/cancel")
