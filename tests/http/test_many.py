"""A hundred generations at once: none is lost, none is mixed up with another, and the server stays awake."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.http.talk import BACKINGS, OFFLINE, pages, server_and_worker
from tests.server import Server

MANY = 100
PATIENCE_S = 170.0


def prompt(number: int) -> str:
    """A picture or a short sentence, each with a number of its own."""
    return f"An image of house {number}, 256x256" if number % 2 else f'A narration saying "This is number {number}."'


@pytest.fixture(scope="module", params=BACKINGS)
def busy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that did nothing before."""
    folder = tmp_path_factory.mktemp("busy")
    if request.param == "alone":
        with Server(folder, OFFLINE) as running:
            yield running
    else:
        postgres, s3 = request.getfixturevalue("postgres_server"), request.getfixturevalue("s3")
        with server_and_worker(folder, postgres, s3) as running:
            yield running


@pytest.fixture(scope="module")
def hundred(busy: Server) -> list[dict[str, Any]]:
    """What a hundred clients got who asked at once and waited, in the order of their numbers."""

    def client(number: int) -> dict[str, Any]:
        return busy.post("/generate", {"prompt": prompt(number)}, timeout_s=PATIENCE_S).body

    with ThreadPoolExecutor(MANY) as clients:
        return list(clients.map(client, range(MANY)))


def test_everyone_gets_a_work(hundred):
    assert {(each["status"], each["stop_reason"], len(each["assets"])) for each in hundred} == {
        ("completed", "answered", 1)
    }


def test_everyone_gets_a_work_of_their_own(hundred):
    assert len({each["id"] for each in hundred}) == MANY
    assert len({each["assets"][0]["id"] for each in hundred}) == MANY
    assert len({each["assets"][0]["sha256"] for each in hundred}) == MANY


def test_everyone_gets_what_they_asked_for(hundred):
    assert [each["prompt"] for each in hundred] == [prompt(number) for number in range(MANY)]
    assert [each["assets"][0]["type"] for each in hundred] == ["speech", "image"] * (MANY // 2)
    assert [number for number, each in enumerate(hundred) if str(number) not in each["assets"][0]["prompt"]] == []


def test_everyone_is_in_the_list(busy, hundred):
    listed = [each for page in pages(busy, "/generations?status=completed", 30) for each in page]
    assert sorted(listed, key=lambda each: each["id"]) == sorted(hundred, key=lambda each: each["id"])


def test_every_work_is_in_the_gallery_and_can_be_fetched(busy, hundred):
    made = {each["assets"][0]["id"]: each["assets"][0] for each in hundred}
    listed = {asset["id"]: asset for page in pages(busy, "/assets", 30) for asset in page}
    assert listed == made
    assert {busy.get(asset["url"]).status for asset in made.values()} == {200}


def test_every_request_is_counted(busy, hundred):
    numbers = busy.get("/metrics").body.decode().splitlines()
    assert f'impresario_http_requests_total{{method="POST",route="/generate",status="200"}} {MANY}.0' in numbers


def test_nothing_is_logged_about_it(busy, hundred):
    assert [line for line in busy.log().splitlines() if "WARNING" in line or "ERROR" in line] == []
