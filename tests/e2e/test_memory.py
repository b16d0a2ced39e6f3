"""A large work goes through the server without ever being in its memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from tests.e2e.stage import Json, Stage, call, turn
from tests.fake_vendors import FakeVendors
from tests.server import Server

MIB = 1024**2
LARGE = 200 * MIB
ALLOWED = 40 * MIB


@pytest.fixture(scope="module")
def warm(vendors: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A server of its own that has made and served a small clip before, so that everything is loaded."""
    with Server(tmp_path_factory.mktemp("memory"), vendors.environment()) as server:
        vendors.reset()
        stage = Stage(server, vendors)
        asset = clip(stage, 8 * MIB)
        stage.content(asset)
        stage.server.get(asset["thumbnail_url"])
        yield stage


def clip(stage: Stage, size: int) -> Json:
    """A generation of one clip of so many bytes."""
    stage.fakes.control(latency={"runway": 0.0}, video_bytes=size)
    stage.script(turn(call("generate_video", prompt="steam over a cup")))
    [asset] = stage.made()["assets"]
    assert asset["bytes"] == size
    return asset


@pytest.fixture(scope="module")
def large(warm: Stage) -> tuple[Stage, Json, int]:
    """A clip of 200 MB, taken in; and how far the memory grew meanwhile."""
    before = warm.server.rss_bytes()
    warm.server.reset_peak_rss()
    asset = clip(warm, LARGE)
    return warm, asset, warm.server.peak_rss_bytes() - before


def test_taking_in_a_large_clip_takes_little_memory(large: tuple[Stage, Json, int]) -> None:
    assert large[2] < ALLOWED


def test_serving_a_large_clip_takes_little_memory(large: tuple[Stage, Json, int]) -> None:
    stage, asset, _ = large
    before = stage.server.rss_bytes()
    stage.server.reset_peak_rss()
    digest, size = hashlib.sha256(), 0
    for piece in stage.server.stream(asset["url"]):
        digest.update(piece)
        size += len(piece)
    assert (size, digest.hexdigest()) == (LARGE, asset["sha256"])
    assert stage.server.peak_rss_bytes() - before < ALLOWED


def test_the_thumbnail_of_a_large_clip_takes_little_memory(large: tuple[Stage, Json, int]) -> None:
    stage, asset, _ = large
    before = stage.server.rss_bytes()
    stage.server.reset_peak_rss()
    assert stage.server.get(asset["thumbnail_url"]).headers["content-type"] == "image/webp"
    assert stage.server.peak_rss_bytes() - before < ALLOWED


def test_uploading_a_large_file_takes_little_memory(large: tuple[Stage, Json, int]) -> None:
    stage, asset, _ = large
    content = b"".join(stage.server.stream(asset["url"]))[: 90 * MIB]
    before = stage.server.rss_bytes()
    stage.server.reset_peak_rss()
    reply = stage.server.upload("clip.mp4", content, "video/mp4")
    assert (reply.status, reply.body["bytes"]) == (201, len(content))
    assert stage.server.peak_rss_bytes() - before < ALLOWED
