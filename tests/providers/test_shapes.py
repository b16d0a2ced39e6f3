"""Fitting what was asked to what is offered: durations, ratios, tiers, sizes, and the sentences that say so."""

import io
from pathlib import Path

import pytest
from PIL import Image

from providers.shapes import (
    asked_size,
    at_area_of,
    fit_duration,
    fit_size,
    image_size,
    nearest_ratio,
    nearest_tier,
    size_warning,
)
from providers.types import ImageRequest, Media


@pytest.mark.parametrize(
    ("asked", "limits", "seconds"),
    [
        (5.0, {}, 5),
        (5.5, {}, 6),
        (0.2, {}, 1),
        (1, {"duration_min": 2, "duration_max": 10}, 2),
        (60, {"duration_min": 2, "duration_max": 10}, 10),
        (5, {"durations": [4, 6, 8]}, 6),
        (4.9, {"durations": [4, 6, 8]}, 4),
        (7, {"durations": [5, 10]}, 5),
    ],
)
def test_duration_is_the_nearest_allowed(asked, limits, seconds):
    assert fit_duration(asked, limits) == seconds


@pytest.mark.parametrize(
    ("offered", "size", "ratio"),
    [
        (["1:1", "16:9", "9:16"], (1920, 1080), "16:9"),
        (["1:1", "16:9", "9:16"], (1000, 1100), "1:1"),
        (["1280:720", "1920:1080"], (1920, 1080), "1920:1080"),
        (["1280:720", "960:960"], (1000, 600), "1280:720"),
        (["640:640", "1440:1440"], (1200, 1200), "1440:1440"),
        (["adaptive", "auto_720p"], (1920, 1080), None),
        ([], (1920, 1080), None),
    ],
)
def test_ratio_is_nearest_in_shape_then_in_area(offered, size, ratio):
    assert nearest_ratio(offered, size) == ratio


@pytest.mark.parametrize(
    ("offered", "size", "tier"),
    [
        (["480p", "720p", "1080p"], (720, 1280), "720p"),
        (["480p", "720p", "1080p"], (4096, 4096), "1080p"),
        (["auto_720p", "auto_1080p"], (1280, 720), "auto_720p"),
        (["2k", "adaptive"], (1280, 720), None),
    ],
)
def test_tier_is_nearest_to_the_shorter_side(offered, size, tier):
    assert nearest_tier(offered, size) == tier


@pytest.mark.parametrize(
    ("asked", "made"),
    [((1024, 1024), (1024, 1024)), ((1792, 1024), (1440, 832)), ((128, 256), (256, 512)), ((100, 9000), (256, 1440))],
)
def test_size_keeps_its_shape_within_the_bounds(asked, made):
    assert fit_size(asked, low=256, high=1440, step=32) == made


@pytest.mark.parametrize(
    ("given", "tier", "warned"),
    [
        ("1920:1080", None, False),
        ("16:9", None, False),
        ("16:9", "1080p", False),
        ("16:9", "720p", True),
        ("4:3", None, True),
        ("1280:720", None, True),
    ],
)
def test_other_size_than_1920x1080_is_warned_about(given, tier, warned):
    assert bool(size_warning("m", (1920, 1080), given, tier)) is warned
    assert size_warning("m", None, given, tier) == ()


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(None, None, None), (640, None, (640, 640)), (None, 480, (480, 480)), (640, 480, (640, 480))],
)
def test_missing_side_is_taken_from_the_other(width, height, size):
    assert asked_size(ImageRequest(model="m", prompt="x", width=width, height=height)) == size


def test_shape_at_the_area_of_another_size():
    assert at_area_of((4000, 2250), (1280, 720)) == (1280, 720)
    assert at_area_of((10_000, 1), (1280, 720)) == (96_000, 10)


def test_image_size_minds_a_turned_photograph(tmp_path: Path):
    exif = Image.Exif()
    exif[274] = 6
    file = tmp_path / "photo.jpg"
    Image.new("RGB", (40, 30)).save(file, exif=exif)
    assert image_size(Media("image/jpeg", path=file)) == (30, 40)


def test_size_of_something_else_is_not_known():
    upright = io.BytesIO()
    Image.new("1", (4, 3)).save(upright, "PNG")
    assert image_size(Media("image/png", data=upright.getvalue())) == (4, 3)
    assert image_size(Media("image/png", data=b"no picture")) is None
    assert image_size(Media("image/png")) is None
