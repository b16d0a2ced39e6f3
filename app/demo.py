"""`impresario demo`: a real server, one prompt over HTTP, three files; without keys and without cost."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console

from app.progress import Progress

PROMPT = (
    "A post about our new coffee bar by the sea: a wide hero image of a steaming cup at sunrise, a 5 second clip of "
    'waves and a narration saying "Good mornings start here. Come in, sit down, and watch the sun rise over the bay."'
)
START_TIMEOUT_S = 45.0


def run_demo(directory: Path, console: Console) -> int:
    """Run it; the exit code."""
    directory.mkdir(parents=True, exist_ok=True)
    with _server(directory) as address:
        console.print(f"[bold]Impresario[/] listens at {address} (offline stand-in, nothing is paid)", highlight=False)
        console.print(f"POST /generate: [italic]{PROMPT}[/]\n", highlight=False)
        generation = _generate(address, console)
        console.print(f"\n{generation['response'] or generation['error']}", highlight=False, markup=False)
        cost = "not known" if generation["cost_usd"] is None else f"${generation['cost_usd']}"
        complete = "" if generation["cost_is_complete"] else " (not complete)"
        console.print(f"\ncost: {cost}{complete}", highlight=False)
        for asset in generation["assets"]:
            path = _fetch(asset, directory)
            facts = f"{asset['media_type']}, {asset['bytes']:,} bytes"
            console.print(f"  {asset['type']:<6} {path}  ({facts})", highlight=False, markup=False, soft_wrap=True)
    made = {asset["type"] for asset in generation["assets"]}
    return 0 if generation["status"] == "completed" and {"image", "video", "speech"} <= made else 1


@contextmanager
def _server(directory: Path) -> Iterator[str]:
    """The server in a process of its own, with the offline family and nothing else, until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = directory.resolve()
    kept_out = ("_API_KEY", "_API_TOKEN", "_API_SECRET", "DATABASE_URL", "STORAGE_URL", "PUBLIC_URL")
    inherited = {name: value for name, value in os.environ.items() if not name.endswith(kept_out)}
    own = {"OFFLINE": "true", "AGENT_MODEL": "offline-planner", "DATA_DIR": str(data), "LOG_LEVEL": "WARNING"}
    command = [sys.executable, "-m", "app.cli", "serve", "--host", "127.0.0.1", "--port", str(port)]
    with (data / "server.log").open("wb") as log:
        # Not started where the user is, whose `.env` may hold keys: vendors would be hired, and paid.
        process = subprocess.Popen(command, cwd=data, env={**inherited, **own}, stdout=log, stderr=log)  # noqa: S603
    try:
        _wait_until_ready(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(15)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise SystemExit("The server did not start; its server.log in the demo's directory says why.")


def _generate(address: str, console: Console) -> dict[str, Any]:
    """Post the prompt, show the events as they come, and return the finished generation."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=120)
    headers = {"content-type": "application/json", "accept": "text/event-stream"}
    connection.request("POST", "/generate", json.dumps({"prompt": PROMPT}), headers)
    response = connection.getresponse()
    if response.status != 200:
        raise SystemExit(response.read().decode())
    generation: dict[str, Any] = {}
    with Progress(console) as progress:
        for name, data in _events(response):
            progress.show(name, data)
            if name.startswith("generation.") and name != "generation.created":
                generation = data
    connection.close()
    return generation


def _events(response: http.client.HTTPResponse) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and data of each server-sent event."""
    name, data = "", ""
    for raw in response:
        line = raw.decode().rstrip("\r\n")
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data += line.removeprefix("data: ")
        elif not line and name:
            yield name, json.loads(data)
            name, data = "", ""


def _fetch(asset: dict[str, Any], directory: Path) -> Path:
    """Download an asset under the name the server gives it."""
    parts = urlsplit(asset["url"])
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request("GET", f"{parts.path}?download=1")
    response = connection.getresponse()
    name = (response.getheader("content-disposition") or "").split('filename="')[-1].rstrip('"')
    path = directory / Path(name).name
    path.write_bytes(response.read())
    connection.close()
    return path
