"""A real server and a real browser. Whatever a test does, no page may ask another server or run into its own policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright

from tests.fake_vendors import FakeVendors
from tests.server import Server

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
OFFLINE = {"OFFLINE": "true", "AGENT_MODEL": "offline-planner"}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The product without keys, with its offline stand-in."""
    with Server(tmp_path_factory.mktemp("offline"), OFFLINE) as running:
        yield running


@pytest.fixture(scope="module")
def vendors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeVendors]:
    """Vendors that can be slow and can fail."""
    with FakeVendors(tmp_path_factory.mktemp("vendors")) as running:
        yield running


@pytest.fixture(scope="module")
def hired(vendors: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The product with keys, in front of `fakes`."""
    with Server(tmp_path_factory.mktemp("hired"), vendors.environment()) as running:
        yield running


@pytest.fixture
def fakes(vendors: FakeVendors) -> FakeVendors:
    """The vendors as new."""
    vendors.reset()
    return vendors


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Ends with the module: while it runs, no other test of this process could start an event loop."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Debian's Chromium."""
    running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield running
    running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page; fails the test when it asked a stranger, logged an error or threw one."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(60_000)
    asked: list[str] = []
    errors: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda message: errors.append(message.text) if broken(message) else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    opened.close()
    assert [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))] == []
    assert errors == []


def broken(message: ConsoleMessage) -> bool:
    """Whether it tells of a defect. That the API refused a request is noted by the browser too, and is none."""
    of_the_api = "/static/" not in message.location["url"] and message.text.startswith("Failed to load resource:")
    return message.type == "error" and not of_the_api
