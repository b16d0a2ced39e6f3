"""An S3 stand-in (moto) as a process of its own, for tests.

    with object_store(tmp_path) as s3:
        Server(tmp_path, {**s3.environment(), "STORAGE_URL": s3.new_bucket()})

It keeps everything in memory, and ends with the process that started it, however that one ends.
"""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import HOST, lasting_port

ROOT = Path(__file__).resolve().parents[1]


class ObjectStore:
    """A running S3 stand-in. `object_store()` starts and ends one."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log_file = folder / "object_store.log"
        self._buckets: list[str] = []
        self._port = lasting_port()
        self.url = f"http://{HOST}:{self._port}"
        self._process: subprocess.Popen[str] | None = None
        self.restart()

    def new_bucket(self) -> str:
        """The URL of a new, empty bucket."""
        self._buckets.append(f"test-{secrets.token_hex(6)}")
        self._make(self._buckets[-1])
        return f"s3://{self._buckets[-1]}"

    def environment(self) -> dict[str, str]:
        """What leads S3 clients here, past any proxy of the machine's."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "NO_PROXY": HOST,
        }

    def stop_now(self) -> None:
        """End it at once: every connection breaks, and new ones are refused until `restart`."""
        if self._process:
            self._process.kill()
            self._process.communicate()
        self._process = None

    def restart(self) -> None:
        """Start it again at the same address, with the same buckets, which are empty."""
        self.stop_now()
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.object_store", str(self._port)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout
        if self._process.stdout.readline() != "READY\n":
            self.stop_now()
            raise RuntimeError(f"The object store did not start:\n{self.log()[-5000:]}")
        for bucket in self._buckets:
            self._make(bucket)

    def log(self) -> str:
        """Every request it has answered, over all its lives."""
        return self._log_file.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """The process id, another one after each start."""
        assert self._process
        return self._process.pid

    def _make(self, bucket: str) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(urllib.request.Request(f"{self.url}/{bucket}", method="PUT"), timeout=30).close()


@contextlib.contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """An S3 stand-in on loopback, until the block ends."""
    store = ObjectStore(folder)
    try:
        yield store
    finally:
        store.stop_now()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """One S3 stand-in for the tests of a process."""
    with object_store(tmp_path_factory.mktemp("s3")) as store:
        yield store


@pytest.fixture
def bucket_url(s3: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> str:
    """A fresh bucket for one test, which clients in this process find too."""
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return s3.new_bucket()


def main(port: int) -> None:
    """Serve until stdin ends: then the process at its other end is gone."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    application = DomainDispatcherApplication(create_backend_app)
    server = make_server(HOST, port, application, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("READY", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
