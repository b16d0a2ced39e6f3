"""A stranger's package: installed beside the product, it is found, listed, used and tested like what comes along."""

from __future__ import annotations

import base64
import http.server
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv
from PIL import Image

from tests.server import ROOT, Server
from tests.test_cli import impresario

SOURCE = Path(__file__).parent / "sample_plugin"
KEY = "mosaic_secret"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's folder, as its author has it."""
    return Path(shutil.copytree(SOURCE, tmp_path_factory.mktemp("author") / "mosaic"))


@pytest.fixture(scope="module")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The import path of a process in which both packages are installed."""
    target = tmp_path_factory.mktemp("site")
    command = [uv.find_uv_bin(), "pip", "install", "--offline", "--no-cache", "--no-deps", "--python", sys.executable]
    subprocess.run([*command, "--target", str(target), str(source)], check=True, capture_output=True)
    return f"{ROOT}{os.pathsep}{target}"


class Studio(http.server.BaseHTTPRequestHandler):
    """The vendor, on this machine: every mosaic is one stone of the size asked for."""

    orders: list[dict[str, object]]

    def do_POST(self) -> None:
        order = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.orders.append({**order, "path": self.path, "key": self.headers["authorization"]})
        picture = io.BytesIO()
        Image.new("RGB", (order["width"], order["height"]), (200, 120, 40)).save(picture, "PNG")
        body = json.dumps({"png": base64.b64encode(picture.getvalue()).decode()}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def studio() -> Iterator[type[Studio]]:
    """The vendor, listening."""
    kind = type("Open", (Studio,), {"orders": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        kind.url = f"http://127.0.0.1:{server.server_port}/v1"  # type: ignore[attr-defined]
        yield kind
        server.shutdown()


@pytest.fixture(scope="module")
def server(installed: str, studio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {
        "OFFLINE": "true",
        "PYTHONPATH": installed,
        "MOSAIC_API_KEY": KEY,
        "MOSAIC_BASE_URL": studio.url,
        "PROVIDERS": "offline,mosaic,opnai",
    }
    with Server(tmp_path_factory.mktemp("plugged"), environment) as running:
        yield running


# ---- found and listed ------------------------------------------------------------------------------------------------


def test_plugin_is_listed_as_what_it_lacks_its_key_for(installed, tmp_path):
    listed = json.loads(impresario(tmp_path, "models", "--json", "--modality", "image", PYTHONPATH=installed).stdout)
    rows = {row["name"]: row for row in listed["data"]}
    assert rows["mosaic/mosaic-1"]["reason"] == "Set MOSAIC_API_KEY to use mosaic."
    assert listed["problems"] == {}


def test_server_lists_the_plugins_models_with_all_they_have(server):
    rows = {row["id"]: row for row in server.get("/models?modality=image").body["data"]}
    mosaic = rows["mosaic-1"]
    assert (mosaic["vendor"], mosaic["available"], mosaic["reason"]) == ("mosaic", True, None)
    assert [(price["unit"], float(price["usd"])) for price in mosaic["price"]] == [("image", 0.01)]
    assert mosaic["options"] == {"tile": {"type": "integer", "minimum": 4, "maximum": 64}}
    assert mosaic["limits"]["width_max"] == 2048
    assert (rows["mosaic-0"]["shutdown"], rows["mosaic-0"]["successor"]) == ("2026-01-31", "mosaic-1")


def test_server_has_the_families_that_are_wanted_and_says_which_it_has_not(server):
    listed = server.get("/models").body
    assert {row["vendor"] for row in listed["data"] if row["available"]} == {"offline", "mosaic"}
    assert "opnai" in listed["problems"]["PROVIDERS"]
    assert server.get("/ready").body["problems"] == ["PROVIDERS"]


# ---- used ------------------------------------------------------------------------------------------------------------


def test_plugin_makes_what_a_prompt_asks_for(server, studio):
    made = server.post("/generate", {"prompt": "An image of a lighthouse, 256x256"}).body
    [asset] = made["assets"]
    assert (asset["provider"], asset["model"], asset["width"], asset["height"]) == ("mosaic", "mosaic-1", 256, 256)
    assert (asset["media_type"], float(asset["cost_usd"])) == ("image/png", 0.01)
    [order] = studio.orders
    assert (order["path"], order["key"], order["model"]) == ("/v1/mosaics", f"Bearer {KEY}", "mosaic-1")


def test_plugins_retired_model_is_served_by_its_successor(server):
    body = {"prompt": "An image of a harbour, 128x128", "models": {"image": "mosaic/mosaic-0"}}
    made = server.post("/generate", body).body
    assert [asset["model"] for asset in made["assets"]] == ["mosaic-1"]
    assert any("mosaic-0 was retired" in warning for warning in made["warnings"])


# ---- tested ----------------------------------------------------------------------------------------------------------


def run_by_its_author(folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    """The author's tests, run by the author."""
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=90)


def test_plugin_runs_the_contract_of_every_family(installed, source):
    done = run_by_its_author(source, installed)
    assert done.returncode == 0, done.stdout
    assert "test_server_error_on_a_paid_post_is_an_unknown_outcome_sent_once PASSED" in done.stdout
    assert "test_job_is_polled_until_done" not in done.stdout  # it has no jobs


def test_contract_finds_what_a_plugin_does_wrong(installed, source, tmp_path):
    folder = Path(shutil.copytree(source, tmp_path / "mosaic"))
    module = folder / "impresario_mosaic" / "__init__.py"
    module.write_text(module.read_text().replace("paid=True", "paid=False"))
    done = run_by_its_author(folder, f"{folder}{os.pathsep}{installed}")
    assert "FAILED" in done.stdout
    assert (
        "test_lost_answer_to_a_paid_post_is_an_unknown_outcome_sent_once" in done.stdout.split("short test summary")[1]
    )
