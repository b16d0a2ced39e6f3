"""Every test runs on asyncio, and no test reaches the network: an unmocked call on either HTTP stack fails."""

from collections.abc import Iterator

import pytest
import pytest_httpx2  # noqa: F401  registers the respx mocker named "httpcore2"
import respx

from tests.databases import database_url as database_url
from tests.databases import db as db
from tests.databases import migrated_url as migrated_url
from tests.databases import postgres_server as postgres_server
from tests.databases import where as where
from tests.object_store import bucket_url as bucket_url
from tests.object_store import s3 as s3

collect_ignore = ["sample_plugin"]  # a package of its own: `test_plugin.py` installs it and runs its tests


QUICK = ("accounts", "agent", "api", "assets", "generations", "providers", "tools")
"""Folders whose files take seconds at most."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first, so that at the end of a run no process is left alone with one."""
    items.sort(key=lambda item: item.path.parent.name in QUICK)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """Refuse every unmocked call on httpx (our own client) and on httpx2 (the openai SDK)."""
    with (
        respx.mock(using="httpcore", assert_all_called=False),
        respx.mock(using="httpcore2", assert_all_called=False),
    ):
        yield


@pytest.fixture
def vendor() -> Iterator[respx.MockRouter]:
    """Mocks our own httpx client, and the replicate and runwayml SDKs."""
    with respx.mock(using="httpcore", assert_all_called=False) as router:
        yield router


@pytest.fixture
def openai_api() -> Iterator[respx.MockRouter]:
    """Mocks the openai SDK, which runs on httpx2."""
    with respx.mock(using="httpcore2", assert_all_called=False) as router:
        yield router
