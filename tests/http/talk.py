"""What the HTTP tests say to a server, how they read what it answers, and who stands behind it."""

from __future__ import annotations

import contextlib
import http.client
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.databases import Postgres
from tests.object_store import ObjectStore
from tests.server import HOST, Event, Reply, Server, Worker

Json = dict[str, Any]

OFFLINE = {"OFFLINE": "true"}
BACKINGS = ["alone", "shared"]
"""One process on SQLite and files; a server and a worker on Postgres and S3."""
WORDS = "hello"
"""A prompt the stand-in answers at once, without making anything."""
IMAGE = "An image of a lighthouse, 256x256"
LONG_CLIP = "A 60 second clip of waves"
CLIENT = "https://studio.example"
MAX_BODY_BYTES, MAX_UPLOAD_BYTES = 2_000, 20_000

NOBODY = "gen_" + "0" * 26
NOTHING = "asset_" + "0" * 26
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
MONEY = re.compile(r"\d+(\.\d+)?")


def long_clip(size: str = "320x180") -> str:
    """A prompt that films for longer than a test takes. It has words of its own, and is small: the stand-in films on in
    a worker when its generation is cancelled elsewhere, and keeps what it has filmed."""
    return f'{LONG_CLIP}, {size}, with the words "{uuid4().hex[:8]}"'


def generated(server: Server, prompt: str = WORDS, **body: Any) -> Json:
    """A generation that was waited for and came out well."""
    reply = server.post("/generate", {"prompt": prompt, **body})
    assert reply.status == 200, reply
    return reply.body


def begun(server: Server, prompt: str = WORDS, *, key: str | None = None, **body: Any) -> str:
    """The id of a generation that is not waited for."""
    headers = {"prefer": "respond-async", **({"idempotency-key": key} if key else {})}
    reply = server.post("/generate", {"prompt": prompt, **body}, headers=headers)
    assert reply.status in (200, 202), reply
    return reply.body["id"]


def events(server: Server, generation_id: str, behind: int | None = None) -> list[Event]:
    """The events of a generation up to its end, which is waited for."""
    return list(server.events(f"/generations/{generation_id}/events", behind))


def ended(server: Server, generation_id: str) -> Json:
    """The generation once it has ended."""
    return events(server, generation_id)[-1].data


def arrived(server: Server, prompt: str) -> str:
    """The id of the generation with this prompt, as soon as it is the newest there is."""
    while True:
        newest = server.get("/generations?limit=1").body["data"]
        if newest and newest[0]["prompt"] == prompt:
            return newest[0]["id"]


def until(server: Server, generation_id: str, name: str) -> Event:
    """The first event of that name, as soon as it happens."""
    return next(event for event in server.events(f"/generations/{generation_id}/events") if event.name == name)


def pages(server: Server, path: str, limit: int) -> list[list[Json]]:
    """Every page of a list, followed by its cursor."""
    found, cursor = [], ""
    while cursor is not None:
        page = server.get(f"{path}{'&' if '?' in path else '?'}limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        found.append(page.body["data"])
        cursor = page.body["next_cursor"]
    return found


def problem(reply: Reply) -> tuple[int, str]:
    """Status and code of a problem, which is checked to be a whole one."""
    assert reply.headers["content-type"] == "application/problem+json", reply
    assert reply.body["type"] == "about:blank"
    assert reply.body["status"] == reply.status
    assert reply.body["title"]
    assert len(reply.body["detail"].split()) > 2, f"no sentence: {reply.body['detail']!r}"
    return reply.status, reply.body["code"]


def fields(reply: Reply) -> list[str]:
    """The fields an invalid request is told to mend."""
    assert problem(reply) == (422, "invalid_input")
    return [error["field"] for error in reply.body["errors"]]


def members(node: Any, name: str) -> list[Any]:
    """Every value under that name, or under a name that ends so, however deep in a JSON document."""
    if isinstance(node, list):
        return [found for each in node for found in members(each, name)]
    if not isinstance(node, dict):
        return []
    own = [value for key, value in node.items() if key.endswith(name)]
    return own + [found for each in node.values() for found in members(each, name)]


@contextlib.contextmanager
def connected(server: Server) -> Iterator[http.client.HTTPConnection]:
    """A connection of one's own: to send what no client library would, or to hang up."""
    connection = http.client.HTTPConnection(HOST, server.port, timeout=60)
    with contextlib.closing(connection):
        yield connection


def piecewise(server: Server, path: str, pieces: Iterable[bytes], content_type: str) -> tuple[int, bytes]:
    """POST a body that does not say how long it will be."""
    with connected(server) as connection:
        headers = {"content-type": content_type, "transfer-encoding": "chunked"}
        connection.request("POST", path, iter(pieces), headers, encode_chunked=True)
        answer = connection.getresponse()
        return answer.status, answer.read()


@contextlib.contextmanager
def server_and_worker(folder: Path, postgres: Postgres, s3: ObjectStore) -> Iterator[Server]:
    """A server that only answers, and who works for it."""
    places = {"DATABASE_URL": postgres.new_database(), "STORAGE_URL": f"{s3.new_bucket()}/works"}
    shared = {**OFFLINE, **s3.environment(), **places}
    with (
        Server(folder, {**shared, "MAX_RUNNING": "0"}) as server,
        Worker(folder / "worker", shared),
    ):
        yield server
