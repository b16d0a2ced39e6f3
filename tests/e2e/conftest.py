"""The vendors' process for all end-to-end tests, and the servers in front of it that tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.stage import Stage
from tests.fake_vendors import FakeVendors
from tests.server import Server

QUICK = {"replicate": 0.0, "runway": 0.0}


@pytest.fixture(scope="session")
def vendors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeVendors]:
    """The vendors' process, which outlives every server."""
    with FakeVendors(tmp_path_factory.mktemp("vendors")) as running:
        yield running


@pytest.fixture
def fakes(vendors: FakeVendors) -> FakeVendors:
    """The vendors as new, and quick."""
    vendors.reset()
    vendors.control(latency=QUICK)
    return vendors


@pytest.fixture(scope="session")
def open_server(vendors: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts a server with some settings, once for each set of them; all are stopped at the end."""
    running: dict[tuple[tuple[str, str], ...], Server] = {}

    def start(**settings: str) -> Server:
        wanted = tuple(sorted(settings.items()))
        if wanted not in running:
            folder = tmp_path_factory.mktemp("server")
            running[wanted] = Server(folder, {**vendors.environment(), **settings})
        return running[wanted]

    yield start
    for server in running.values():
        server.stop()


@pytest.fixture
def stage(open_server: Callable[..., Server], fakes: FakeVendors) -> Stage:
    """A server with every vendor's key, shared by the tests that leave it running."""
    return Stage(open_server(), fakes)


@pytest.fixture
def impatient(open_server: Callable[..., Server], fakes: FakeVendors) -> Stage:
    """A shared server that gives a vendor two seconds to answer, and a clip two seconds to be made."""
    return Stage(open_server(VENDOR_TIMEOUT_S="2", VIDEO_DEADLINE_S="2"), fakes)
