"""What the end-to-end tests do and see: a real server in front of the vendors' fakes.

A test says what the vendors will do (`fakes.control`), starts a generation, waits for the moment it is about, and looks
at what came back and at what the vendors have counted.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.fake_vendors import FakeVendors
from tests.server import Event, Reply, Server

Json = dict[str, Any]
PROMPT = "A social media post about our new coffee bar"
TERMINAL = ("generation.completed", "generation.failed", "generation.cancelled")
DEADLINE_S = 45.0
FOR_EVER_S = 300.0
"""A vendor that hangs this long does not answer before the test is over."""


def wait_until(holds: Callable[[], Any], what: str = "it", seconds: float = DEADLINE_S) -> Any:
    """The first true value of `holds`, which is asked again and again; fails when none comes in time."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, f"{what} did not come about in {seconds:g} s"
        time.sleep(0.02)
    return found


# ---- what the vendors are told ---------------------------------------------------------------------------------------


def call(name: str, arguments: str | None = None, **values: Any) -> Json:
    """A tool call of a scripted turn; `arguments` is sent as it is written."""
    return {"name": name, "arguments": values if arguments is None else arguments}


def turn(*calls: Json, **reply: Any) -> Json:
    """A scripted turn that asks for these calls, or answers with what `reply` says (see `control.Reply`)."""
    return {"tool_calls": list(calls), **reply}


def hang(path: str, method: str = "POST", **rule: Any) -> Json:
    """The vendor does the work, and is not heard of again."""
    return {"path": path, "method": method, "hang_s": FOR_EVER_S, **rule}


def refuse(path: str, status: int, method: str = "POST", **rule: Any) -> Json:
    """The vendor answers with an error and does no work."""
    return {"path": path, "method": method, "status": status, **rule}


# ---- what happened ---------------------------------------------------------------------------------------------------


class Watch:
    """Collects the events of a generation beside the test: until it ends, the server does, or `close` is called.

    A silent connection is given up and made again with the last event's id, as a browser on a bad line does.
    """

    def __init__(self, server: Server, generation_id: str) -> None:
        self.events: list[Event] = []
        self._closed = False
        self._thread = threading.Thread(target=self._follow, args=(server, generation_id), daemon=True)
        self._thread.start()

    def _follow(self, server: Server, generation_id: str) -> None:
        while not self._closed:
            last = self.events[-1].id if self.events else None
            with contextlib.suppress(TimeoutError):
                try:
                    for event in server.events(f"/generations/{generation_id}/events", last, timeout_s=0.3):
                        self.events.append(event)
                except (ConnectionError, http.client.HTTPException):
                    pass  # the server was killed
                return

    def until(self, name: str, count: int = 1) -> None:
        """Wait for the n-th event of that name."""
        wait_until(lambda: sum(event.name == name for event in list(self.events)) >= count, f"{count} {name}")

    def close(self) -> list[Event]:
        """Stop watching, and give what was seen."""
        self._closed = True
        self._thread.join(DEADLINE_S)
        return self.events


class Stage:
    """One server and the vendors it knows."""

    def __init__(self, server: Server, fakes: FakeVendors) -> None:
        self.server = server
        self.fakes = fakes

    # ---- act ----

    def script(self, *turns: Json) -> None:
        """What the planner says, turn by turn; behind the last one it follows its own rule."""
        self.fakes.control(chat=list(turns))

    def generate(self, prompt: str = PROMPT, *, headers: Mapping[str, str] | None = None, **body: Any) -> Reply:
        """`POST /generate`, waited for."""
        return self.server.post("/generate", {"prompt": prompt, **body}, headers=headers)

    def made(self, prompt: str = PROMPT, **body: Any) -> Json:
        """A generation that ended well enough to be answered with 200."""
        reply = self.generate(prompt, **body)
        assert reply.status == 200, reply
        return reply.body

    def begin(self, prompt: str = PROMPT, *, key: str | None = None, **body: Any) -> str:
        """Start a generation and do not wait; its id."""
        headers = {"prefer": "respond-async", **({"idempotency-key": key} if key else {})}
        reply = self.generate(prompt, headers=headers, **body)
        assert reply.status in (200, 202), reply
        return reply.body["id"]

    def watch(self, generation_id: str) -> Watch:
        """Its events, collected beside the test."""
        return Watch(self.server, generation_id)

    def finished(self, generation_id: str) -> Json:
        """The generation, once it has ended."""
        self.events(generation_id)
        return self.get(generation_id)

    def get(self, generation_id: str) -> Json:
        """The generation as it stands."""
        return self.server.get(f"/generations/{generation_id}").body

    def events(self, generation_id: str) -> list[Event]:
        """Every event up to the end, which is waited for."""
        return list(self.server.events(f"/generations/{generation_id}/events", timeout_s=DEADLINE_S))

    def cancel(self, generation_id: str) -> Reply:
        """`POST /generations/{id}/cancel`."""
        return self.server.post(f"/generations/{generation_id}/cancel")

    def content(self, asset: Json) -> bytes:
        """The bytes behind an asset's own address."""
        reply = self.server.get(asset["url"])
        assert reply.status == 200, reply
        return reply.body

    # ---- look ----

    def submits(self, *kinds: str) -> Any:
        """How many works a vendor has accepted; for several kinds a list."""
        counted = self.fakes.ledger()["submits"]
        return counted[kinds[0]] if len(kinds) == 1 else [counted[kind] for kind in kinds]

    def requests(self, path: str, method: str = "POST") -> list[Json]:
        """The requests whose path has this part, oldest first."""
        return [row for row in self.fakes.ledger()["requests"] if path in row["path"] and row["method"] == method]

    def chats(self) -> list[Json]:
        """The bodies of the conversations with the planner, oldest first."""
        bodies = [row["body"] for row in self.requests("/chat/completions")]
        return [body for body in bodies if body and (body.get("tools") or any_tool_message(body))]

    def until_submitted(self, kind: str, count: int = 1) -> None:
        """Wait until a vendor has accepted the n-th work of a kind."""
        wait_until(lambda: self.submits(kind) >= count, f"submit {count} of {kind}")


def any_tool_message(body: Json) -> bool:
    """Whether a conversation holds an answer to a call."""
    return any(message["role"] == "tool" for message in body["messages"])


def answers(body: Json) -> list[str]:
    """What the tools answered in a conversation, in order."""
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]


def receipts_of(generation: Json, modality: str) -> list[Json]:
    """The receipts for works of that kind, oldest first."""
    return [receipt for receipt in generation["receipts"] if receipt["modality"] == modality]


def pictures(*prompts: str, provider: str = "flux-1.1-pro") -> Json:
    """A scripted turn that asks for these pictures, side by side."""
    return turn(*(call("generate_image", prompt=prompt, provider=provider) for prompt in prompts))


def steps_of(generation: Json, name: str) -> list[Json]:
    """The steps of that tool."""
    return [step for step in generation["steps"] if step["name"] == name]


def step_of(generation: Json, name: str) -> Json:
    """The one step of that tool."""
    [step] = steps_of(generation, name)
    return step


def types_of(generation: Json) -> list[str]:
    """The types of what was made, in order."""
    return [asset["type"] for asset in generation["assets"]]
