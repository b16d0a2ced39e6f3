"""OpenAI, Replicate, Runway and Stability as one real process on loopback, and the handle tests hold it by.

`python -m tests.fake_vendors --port 0 --state DIR` prints `READY http://127.0.0.1:PORT` when it listens. It keeps
running and counting while the product under test is killed. What it can be told stands in `control.py`, what it has
counted in `ledger.py`.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    "OPENAI_API_KEY": "sk-fake-openai-key-0001",
    "REPLICATE_API_TOKEN": "r8_fakeReplicateToken0002",
    "RUNWAYML_API_SECRET": "key_" + "fa4e" * 31 + "0003",
}
FURTHER = {
    "google": {"GOOGLE_API_KEY": "AIzaFakeGoogleKey0006", "GOOGLE_BASE_URL": "/google"},
    "stability": {"STABILITY_API_KEY": "sk-fakeStabilityKey0004", "STABILITY_BASE_URL": "/stability"},
    "elevenlabs": {"ELEVENLABS_API_KEY": "sk_fakeElevenLabsKey0005", "ELEVENLABS_BASE_URL": "/elevenlabs"},
}
"""Settings of the vendors a test has to ask for by name; an address is a path here."""


class FakeVendors:
    """The vendors' process: started on construction, stopped by `stop` or at the end of a `with` block.

    The handle uses urllib, which the tests' network guard does not see.
    """

    def __init__(self, state: Path, *, port: int = 0, start_timeout_s: float = 30.0) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self.log_file = state / "fake_vendors.log"
        command = [sys.executable, "-m", "tests.fake_vendors", "--port", str(port), "--state", str(state)]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--parent", str(os.getpid())], cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.pid = self._process.pid
        try:
            self.url = self._await_ready(start_timeout_s)
        except BaseException:
            self.stop()
            raise
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __enter__(self) -> FakeVendors:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def environment(self, *further: str) -> dict[str, str]:
        """The keys and base URLs that send a product's families here: of OpenAI, Replicate and Runway, and of the
        further vendors named."""
        settings = {name: value for vendor in further for name, value in FURTHER[vendor].items()}
        return {
            **KEYS,
            **{name: self.url + value if value.startswith("/") else value for name, value in settings.items()},
            "OPENAI_BASE_URL": f"{self.url}/openai/v1",
            "REPLICATE_BASE_URL": f"{self.url}/replicate/v1",
            "RUNWAYML_BASE_URL": f"{self.url}/runway",
        }

    def control(self, **settings: Any) -> dict[str, Any]:
        """Tell the vendors how to behave from now on (see `control.py`); returns what holds now."""
        return self._call("POST", "/_control", settings)

    def ledger(self) -> dict[str, Any]:
        """What the vendors have counted since the start or the last `reset` (see `ledger.py`)."""
        return self._call("GET", "/_ledger")

    def reset(self) -> None:
        """Forget everything: counts, jobs, files, scripts, latencies and failures."""
        self._call("POST", "/_reset", {})

    def stop(self) -> None:
        """End the process by its own pid."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _await_ready(self, timeout_s: float) -> str:
        assert self._process.stdout is not None
        deadline = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while selector.select(max(0.0, deadline - time.monotonic())):
                line = self._process.stdout.readline()
                if line.startswith("READY "):
                    return line.split()[1]
                if not line:
                    break
        raise RuntimeError(f"The fake vendors did not start:\n{self.log_file.read_text()}")

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"}, method=method)
        try:
            with self._opener.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ValueError(error.read().decode()) from None
