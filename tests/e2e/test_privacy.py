"""What never leaves its place: vendors' addresses, keys and the bytes of works."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.conftest import QUICK
from tests.e2e.stage import Json, Stage, call, refuse, turn
from tests.fake_vendors import KEYS, FakeVendors
from tests.server import Server

CALLS = [
    call("enhance_prompt", prompt="a cup of coffee", modality="image"),
    call("generate_image", prompt="a cup", provider="flux"),
    call("generate_image", prompt="a cup", provider="gpt-image-2.6-flare"),
    call("generate_image", prompt="a cup", provider="gen4_image"),
    call("generate_video", prompt="steam", provider="gen4.5"),
    call("generate_video", prompt="steam", provider="seedance-1-pro"),
    call("generate_speech", text="Good mornings start here."),
]


class Run(NamedTuple):
    """A run with every vendor, and everything it left behind."""

    fakes: FakeVendors
    made: Json
    works: list[bytes]
    places: dict[str, bytes]
    """Where it is looked at -> what was found there."""


@pytest.fixture(scope="module")
def run(vendors: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Every vendor at work, with failures among it: a refused key, a job that failed, an address that expired."""
    vendors.reset()
    broken = [refuse("/files/runway/", 403, method="GET"), refuse("/audio/speech", 401, match="Never heard")]
    failing = [{"path": "/replicate", "match": "explode", "fields": {"status": "failed", "error": "It exploded."}}]
    vendors.control(latency=QUICK, fail=broken, outcomes=failing)
    folder = tmp_path_factory.mktemp("private")
    with Server(folder, {**vendors.environment(), "LOG_LEVEL": "DEBUG"}) as server:
        stage = Stage(server, vendors)
        unlucky = [
            call("generate_image", prompt="explode", provider="flux"),
            call("generate_speech", text="Never heard"),
        ]
        stage.script(turn(*CALLS, *unlucky), {"content": "All there."})
        made = stage.made()
        works = [stage.content(asset) for asset in made["assets"]]
        events = json.dumps([event.data for event in stage.events(made["id"])]).encode()
        told = json.dumps([row["body"] for row in stage.requests("/chat/completions")]).encode()
        databases = b"".join(path.read_bytes() for path in files_of_databases(server.data_dir))
        shown = json.dumps([made, server.get("/models").body, server.get("/ready").body]).encode()
        shown += server.get("/metrics").body
        places = {"databases": databases, "log": server.log().encode(), "events": events, "model": told, "api": shown}
        yield Run(vendors, made, works, places)


def files_of_databases(folder: Path) -> list[Path]:
    """The SQLite files with their logs."""
    found = sorted(folder.glob("*.db*"))
    assert [path for path in found if path.name.endswith(".db-wal")], "the write-ahead logs are looked at, too"
    return found


every_place = pytest.mark.parametrize("place", ["databases", "log", "events", "model", "api"])


def test_the_run_had_to_do_with_every_vendor(run: Run) -> None:
    assert [asset["provider"] for asset in run.made["assets"]] == [
        "replicate",
        "openai",
        "runway",
        "runway",
        "replicate",
        "openai",
    ]
    assert [step["status"] for step in run.made["steps"]].count("failed") == 2


@every_place
def test_no_vendors_address_is_there(run: Run, place: str) -> None:
    found = [
        word
        for word in (run.fakes.url, "/files/runway", "/files/replicate", "_jwt=")
        if word.encode() in run.places[place]
    ]
    assert found == []


@every_place
def test_no_key_is_there(run: Run, place: str) -> None:
    assert [name for name, key in KEYS.items() if key.encode() in run.places[place]] == []


@every_place
def test_no_bytes_of_a_work_are_there(run: Run, place: str) -> None:
    found = run.places[place]
    for work in run.works:
        middle = len(work) // 2
        assert work[middle : middle + 48] not in found
        assert all(piece not in found for piece in encoded_pieces(work))


def encoded_pieces(work: bytes) -> list[bytes]:
    """A piece of a work in base64, as it reads at each of the three ways its bytes can fall."""
    middle = len(work) // 2
    return [base64.b64encode(work[middle + shift : middle + shift + 48])[:60] for shift in range(3)]


def test_each_key_goes_to_its_own_vendor_only(run: Run) -> None:
    last = {vendor: KEYS[name][-4:] for vendor, name in zip(("openai", "replicate", "runway"), KEYS, strict=True)}
    sent = {(row["path"].split("/")[1], row["authorization"]) for row in run.fakes.ledger()["requests"]}
    assert {pair for pair in sent if pair[0] != "files"} == set(last.items())


def test_a_signed_address_is_asked_without_a_key(run: Run) -> None:
    signed = [row for row in run.fakes.ledger()["requests"] if row["path"].startswith("/files/runway/")]
    assert {row["authorization"] for row in signed} == {None}


def test_a_key_in_a_vendors_error_is_not_passed_on(stage: Stage) -> None:
    said = {"error": {"message": f"Incorrect API key provided: {KEYS['OPENAI_API_KEY']}.", "code": "invalid_api_key"}}
    stage.fakes.control(fail=[refuse("/audio/speech", 401, body=said)])
    made = stage.made()
    assert [step["status"] for step in made["steps"]].count("failed") == 1
    seen = json.dumps([made, stage.chats(), [event.data for event in stage.events(made["id"])]]) + stage.server.log()
    assert KEYS["OPENAI_API_KEY"] not in seen
