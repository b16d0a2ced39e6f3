"""A server that is told to stop: it begins nothing new, ends what it has begun, and lets nobody hang."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.server import LISTEN_S
from tests.e2e.stage import Stage, call, turn, types_of, wait_until
from tests.fake_vendors import FakeVendors
from tests.http.talk import LONG_CLIP, OFFLINE
from tests.server import Event, Process, Reply, Server


@pytest.fixture
def fakes(tmp_path: Path) -> Iterator[FakeVendors]:
    """The vendors' process."""
    with FakeVendors(tmp_path / "vendors") as running:
        yield running


def errors(process: Process) -> list[str]:
    """What it logged of itself."""
    lines = [line for line in process.log().splitlines() if "Models that will be gone" not in line]
    return [line for line in lines if "WARNING" in line or "ERROR" in line or "Traceback" in line]


class Listener:
    """Somebody with an open stream: the events until it ends."""

    def __init__(self, server: Server, generation_id: str) -> None:
        self.events: list[Event] = []
        self._path = f"/generations/{generation_id}/events"
        self._thread = threading.Thread(target=self._listen, args=(server,), daemon=True)
        self._thread.start()
        wait_until(lambda: self.events, "the first event")

    def _listen(self, server: Server) -> None:
        for event in server.events(self._path):
            self.events.append(event)
        self.ended_at = time.monotonic()

    def last(self) -> str:
        """The name of the last one."""
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.events[-1].name


def test_a_server_with_nothing_to_end_does_not_wait_for_those_who_listen(tmp_path):
    with Server(tmp_path, OFFLINE) as server:
        stage = Stage(server, None)
        generation_id = stage.begin(LONG_CLIP)
        listener = Listener(server, generation_id)
        wait_until(lambda: any(event.name == "tool.started" for event in list(listener.events)))
        begun = time.monotonic()
        assert server.stop() == 0
        assert listener.last().startswith("tool.")
        assert listener.ended_at - begun < LISTEN_S
        assert errors(server) == []


def test_who_waits_for_an_answer_is_told_where_it_goes_on(tmp_path):
    replies: list[Reply] = []
    with Server(tmp_path, OFFLINE) as server:
        asking = threading.Thread(target=lambda: replies.append(server.post("/generate", {"prompt": LONG_CLIP})))
        asking.start()
        [row] = wait_until(lambda: server.get("/generations?status=running").body["data"])
        server.stop()
        asking.join(10)
        assert (replies[0].status, replies[0].headers["location"]) == (202, f"/generations/{row['id']}")
        assert errors(server) == []
        server.restart()
        assert server.get(f"/generations/{row['id']}").body["status"] in ("queued", "running")


def test_a_stopping_server_begins_no_call_while_somebody_listens(tmp_path, fakes):
    picture = turn(call("generate_image", prompt="a cat", provider="flux"))
    fakes.control(latency={"chat": 2.0, "replicate": 0.0}, chat=[picture])
    with Server(tmp_path, fakes.environment()) as server:
        stage = Stage(server, fakes)
        generation_id = stage.begin()
        listener = Listener(server, generation_id)
        stage.until_submitted("openai.chat")
        server.stop()
        assert (stage.submits("openai.chat"), stage.submits("replicate")) == (1, 0)
        assert (listener.last(), errors(server)) == ("turn.completed", [])
        server.restart()
        made = stage.finished(generation_id)
        assert (made["status"], types_of(made), made["warnings"]) == ("completed", ["image"], [])
        assert (stage.submits("openai.chat"), stage.submits("replicate")) == (2, 1)


def test_a_cancelled_or_deleted_run_is_no_error_to_log(tmp_path):
    with Server(tmp_path, OFFLINE) as server:
        stage = Stage(server, None)
        cancelled, deleted = stage.begin(LONG_CLIP), stage.begin(LONG_CLIP)
        wait_until(lambda: len(server.get("/generations?status=running").body["data"]) == 2)
        assert (stage.cancel(cancelled).status, server.delete(f"/generations/{deleted}").status) == (200, 204)
        server.stop()
        assert errors(server) == []


def test_ctrl_c_stops_it_as_well(tmp_path):
    with Server(tmp_path, OFFLINE) as server:
        server._process.send_signal(2)
        assert (server._process.wait(20), errors(server)) == (0, [])
