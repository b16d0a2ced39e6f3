"""The vendors' process for all end-to-end tests, and the servers in front of it that tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

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
def server(vendors: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with every vendor's key, shared by the tests that leave it running."""
    with Server(tmp_path_factory.mktemp("server"), vendors.environment()) as running:
        yield running


@pytest.fixture(scope="session")
def impatient_server(vendors: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A shared server that gives a vendor two seconds to answer, and a clip two seconds to be made."""
    settings = {"VENDOR_TIMEOUT_S": "2", "VIDEO_DEADLINE_S": "2"}
    with Server(tmp_path_factory.mktemp("impatient"), {**vendors.environment(), **settings}) as running:
        yield running


@pytest.fixture
def stage(server: Server, fakes: FakeVendors) -> Stage:
    """The shared server and the vendors as new."""
    return Stage(server, fakes)


@pytest.fixture
def impatient(impatient_server: Server, fakes: FakeVendors) -> Stage:
    """The impatient server and the vendors as new."""
    return Stage(impatient_server, fakes)


@pytest.fixture
def stage_with(fakes: FakeVendors, tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Starts one test's own server with some settings."""
    with ExitStack() as running:

        def start(**settings: str) -> Stage:
            server = Server(tmp_path, {**fakes.environment(), **settings})
            return Stage(running.enter_context(server), fakes)

        yield start
