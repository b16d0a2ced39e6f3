"""The servers the HTTP tests share: one with every default, one with small limits and a web client elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.http.talk import CLIENT, LONG_CLIP, MAX_BODY_BYTES, MAX_UPLOAD_BYTES, OFFLINE, begun
from tests.server import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The product without keys, with its offline stand-in."""
    with Server(tmp_path_factory.mktemp("server"), OFFLINE) as running:
        yield running


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same with small limits, and with web clients that may call it from elsewhere."""
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
    generation_id = begun(server, LONG_CLIP)
    yield generation_id
    server.post(f"/generations/{generation_id}/cancel")
