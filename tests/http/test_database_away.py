"""A database that goes away for a while: who asks is told so, what was begun goes on, and the log stays readable."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.databases import postgres
from tests.e2e.stage import wait_until
from tests.http.talk import NOBODY, OFFLINE, WORDS, begun, ended, events, problem
from tests.server import Event, Reply, Server

CLIP = "A 20 second clip of waves"


class Outage(NamedTuple):
    """A server whose database was away, and what was heard of it meanwhile."""

    server: Server
    clip: str
    """A generation that was under way."""
    heard: list[Event]
    """What somebody heard of it who listened before, until the stream ended."""
    asked: Reply
    """The answer to a question that only the database could have answered."""
    waited: list[Reply]
    """The answer to who had some patience when it went away."""
    made: list[Reply]
    """The answer to who asked for something new meanwhile, and waited for that."""


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outage]:
    """The database goes away while a clip is made, and comes again when something has been asked for."""
    folder = tmp_path_factory.mktemp("outage")
    heard, waited, made = list[Event](), list[Reply](), list[Reply]()
    with (
        postgres(folder / "postgres") as database,
        Server(folder, {**OFFLINE, "DATABASE_URL": database.new_database()}) as server,
    ):
        clip = begun(server, CLIP)

        def listen() -> None:
            for event in server.events(f"/generations/{clip}/events"):
                heard.append(event)

        def wait() -> None:
            body, headers = {"prompt": CLIP}, {"idempotency-key": "clip", "prefer": "wait=4"}
            waited.append(server.post("/generate", body, headers=headers))

        def ask() -> None:
            made.append(server.post("/generate", {"prompt": WORDS}))

        before = [threading.Thread(target=each) for each in (listen, wait)]
        for thread in before:
            thread.start()
        wait_until(lambda: "tool.started" in [event.name for event in list(heard)])
        wait_until(lambda: len(server.get("/generations?status=running").body["data"]) == 2)
        database.stop_now()
        asked = server.get(f"/generations/{NOBODY}")
        asking = threading.Thread(target=ask)
        asking.start()
        for thread in before:
            thread.join(30)
        database.restart()
        asking.join(60)
        yield Outage(server, clip, heard, asked, waited, made)


def test_a_question_that_cannot_be_answered_is_put_off(outage):
    assert problem(outage.asked) == (503, "not_ready")
    assert "database" in outage.asked.body["detail"]


def test_who_waits_is_told_what_to_fetch_later(outage):
    [reply] = outage.waited
    assert problem(reply) == (503, "not_ready")
    assert ended(outage.server, reply.body["generation_id"])["status"] == "completed"
    again = outage.server.post("/generate", {"prompt": CLIP}, headers={"idempotency-key": "clip"})
    assert (again.status, again.body["id"]) == (200, reply.body["generation_id"])


def test_what_was_asked_for_meanwhile_is_made(outage):
    assert [(reply.status, reply.body["status"]) for reply in outage.made] == [(200, "completed")]


def test_what_was_under_way_goes_on_and_is_followed_without_gap_or_repetition(outage):
    rest = events(outage.server, outage.clip, outage.heard[-1].id)
    every = events(outage.server, outage.clip)
    assert [each.id for each in outage.heard + rest] == [each.id for each in every]
    assert (every[-1].name, every[-1].data["warnings"]) == ("generation.completed", [])


def test_the_log_tells_of_it_in_sentences(outage):
    log = outage.server.log()
    assert [word for word in ("Traceback", "Background on this error", "sqlalche.me") if word in log] == []
    assert log.count("the database does not answer the engine") == 1
