"""The real product as a process: `python -m app.cli serve` on a free port, to be asked, killed and started again.

    with Server(tmp_path, fakes.environment()) as server:
        status, headers, body = server.post("/generate", {"prompt": "a cat"})

A `Worker` is `python -m app.cli worker`, with the same life and nobody to ask. The handle uses http.client, which the
tests' network guard does not see, and no proxy.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import psutil

ROOT = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
FROM_THE_MACHINE = re.compile(r"PATH|HOME|TMPDIR|LANG|LC_\w+|TZ|SSL_CERT_\w+|LD_LIBRARY_PATH|COVERAGE_\w+")
"""The only variables taken over: no key, proxy or setting of the developer's machine reaches the product."""
TIMEOUT_S = 120.0


class Reply(NamedTuple):
    """An answer: JSON bodies parsed, others as bytes; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: Any


class Event(NamedTuple):
    """A server-sent event."""

    id: int | None
    name: str
    data: Any


class Process:
    """A running product. Started on construction; `stop` or the end of a `with` block ends it."""

    command: str
    log_name: str

    def __init__(
        self, folder: Path, environment: Mapping[str, str] | None = None, *, ready_timeout_s: float = 60.0
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data_dir = folder / "data"
        self._folder = folder
        self._log_file = folder / f"{self.log_name}.log"
        self._ready_timeout_s = ready_timeout_s
        self.environment = {
            **{name: value for name, value in os.environ.items() if FROM_THE_MACHINE.fullmatch(name)},
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "DATA_DIR": str(self.data_dir),
            "MODEL_REFRESH": "false",  # a vendor without an address of the tests would be asked at its own
            **(environment or {}),
        }
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---- life --------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        # Not started in the repository, whose `.env` may hold the developer's keys.
        with self._log_file.open("ab") as log:
            self._said_before = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", self.command],
                cwd=self._folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._await_ready()
        except BaseException:
            self.kill()
            raise

    def _await_ready(self) -> None:
        deadline = time.monotonic() + self._ready_timeout_s
        while time.monotonic() < deadline:
            if (code := self._process.poll()) is not None:
                raise RuntimeError(f"The {self.command} ended with {code}:\n{self.log()[-5000:]}")
            if self._is_ready():
                return
            time.sleep(0.05)
        raise RuntimeError(f"No {self.command} was ready after {self._ready_timeout_s:g} s:\n{self.log()[-5000:]}")

    def _is_ready(self) -> bool:
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """The process id, another one after each start."""
        return self._process.pid

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL to it and to what it started."""
        for process in [*self._children(), self._process]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def suspend(self) -> None:
        """Let it sleep, as on a machine that hangs: nothing of it runs until `resume`."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on where it was."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self, timeout_s: float = 30.0) -> int:
        """Ask it to end, insist if it does not; returns the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._process.returncode

    def restart(self) -> None:
        """Start it again on the same port and data, after `kill`, or else after a `stop`."""
        self.stop()
        self._start()

    def log(self) -> str:
        """Everything it has written to stdout and stderr, over all its lives."""
        return self._log_file.read_text(errors="replace")

    # ---- memory ------------------------------------------------------------------------------------------------------

    def rss_bytes(self) -> int:
        """The memory it and its children hold now."""
        found = 0
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                found += process.memory_info().rss
        return found

    def peak_rss_bytes(self) -> int:
        """The most memory it and its children have held since their start or `reset_peak_rss` (on Linux, exactly)."""
        found = 0
        for process in self._family():
            with contextlib.suppress(OSError, psutil.NoSuchProcess):
                status = Path(f"/proc/{process.pid}/status").read_text()
                found += 1024 * int(re.search(r"VmHWM:\s+(\d+)", status)[1])  # type: ignore[index]
        return found or self.rss_bytes()

    def reset_peak_rss(self) -> None:
        """Measure the peak from here on."""
        for process in self._family():
            with contextlib.suppress(OSError):
                Path(f"/proc/{process.pid}/clear_refs").write_text("5")

    def _family(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return [psutil.Process(self.pid), *self._children()]
        return []

    def _children(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.pid).children(recursive=True)
        return []


class Worker(Process):
    """A worker: it makes what servers on the same Postgres have taken in."""

    command = log_name = "worker"

    def _is_ready(self) -> bool:
        said = self._log_file.read_bytes()[self._said_before :]
        return bool(re.search(rb"works on generations, \d+ at once", said))


class Server(Process):
    """A server, to be talked to."""

    command = "serve"
    log_name = "server"

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        port: int | None = None,
        ready_timeout_s: float = 60.0,
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://{HOST}:{self.port}"
        listening = {"HOST": HOST, "PORT": str(self.port), **(environment or {})}
        super().__init__(folder, listening, ready_timeout_s=ready_timeout_s)

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get("/ready", timeout_s=5.0).status == 200
        return False

    # ---- talk --------------------------------------------------------------------------------------------------------

    def get(self, path: str, **options: Any) -> Reply:
        """GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Reply:
        """POST; a body that is not bytes is sent as JSON."""
        return self.request("POST", path, body, **options)

    def delete(self, path: str, **options: Any) -> Reply:
        """DELETE."""
        return self.request("DELETE", path, **options)

    def upload(self, name: str, content: bytes, media_type: str, **options: Any) -> Reply:
        """POST a file to `/files`."""
        boundary = uuid.uuid4().hex
        disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'
        head = f"--{boundary}\r\n{disposition}\r\nContent-Type: {media_type}\r\n\r\n".encode()
        body = head + content + f"\r\n--{boundary}--\r\n".encode()
        headers = {"content-type": f"multipart/form-data; boundary={boundary}", **options.pop("headers", {})}
        return self.post("/files", body, headers=headers, **options)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Reply:
        """One request. `path` may be one of this server's absolute URLs."""
        with self._answer(method, path, body, headers or {}, timeout_s) as answer:
            content = answer.read()
        found = {name.lower(): value for name, value in answer.getheaders()}
        is_json = "json" in found.get("content-type", "") and content
        return Reply(answer.status, found, json.loads(content) if is_json else content)

    def stream(self, path: str, *, piece_bytes: int = 1024**2, timeout_s: float = TIMEOUT_S) -> Iterator[bytes]:
        """The bytes behind a path, piece by piece; fails unless the answer is 200."""
        with self._answer("GET", path, None, {}, timeout_s) as answer:
            assert answer.status == 200, answer.read()
            while piece := answer.read(piece_bytes):
                yield piece

    def events(
        self,
        path: str,
        last_event_id: int | None = None,
        *,
        method: str = "GET",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Iterator[Event]:
        """The server-sent events of a path as they come, until the server ends the stream; comments are left out.

        `timeout_s` bounds the silence between two lines.
        """
        asked = {"accept": "text/event-stream", **(headers or {})}
        if last_event_id is not None:
            asked["last-event-id"] = str(last_event_id)
        with self._answer(method, path, body, asked, timeout_s) as answer:
            assert answer.status == 200, answer.read()
            yield from parse_events(iter(answer.readline, b""))

    @contextlib.contextmanager
    def _answer(
        self, method: str, path: str, body: Any, headers: Mapping[str, str], timeout_s: float
    ) -> Iterator[http.client.HTTPResponse]:
        sent = dict(headers)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout_s)
        with contextlib.closing(connection):
            connection.request(method, path.removeprefix(self.url), body, sent)
            yield connection.getresponse()


def parse_events(lines: Iterator[bytes]) -> Iterator[Event]:
    """The events in the lines of a `text/event-stream`."""
    fields: dict[str, list[str]] = {}
    for line in lines:
        text = line.decode().rstrip("\r\n")
        if text:
            name, _, value = text.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))
            continue
        if "data" in fields:
            yield _event(fields)
        fields = {}


def _event(fields: dict[str, list[str]]) -> Event:
    data = "\n".join(fields["data"])
    with contextlib.suppress(ValueError):
        data = json.loads(data)
    number = fields.get("id", [""])[-1]
    return Event(int(number) if number.isdigit() else None, fields.get("event", ["message"])[-1], data)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])
