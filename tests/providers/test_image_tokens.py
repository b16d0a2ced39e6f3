"""What a picture costs a chat model, and how far it may be scaled down without loss."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.catalogue import Model, load_models
from providers.image_tokens import image_tokens, sent_size

ROWS = {row.id: row for row in load_models("providers", "openai.toml")}
SIDES = st.integers(1, 20_000)


def row(**rule: Any) -> Model:
    return Model(id="m", vendor="v", modality="chat", limits={"image_tokens": rule} if rule else {})


TILES = row(rule="tiles", base=85, tile=170)
PATCHES = row(rule="patches", most=1536, multiplier=Decimal("1.62"))
EDGED = row(rule="patches", most=2500, multiplier=Decimal("1.2"), max_edge=2048)
AREA = row(rule="area", per_token=750, max_edge=1568, most=1600)
CROPS = row(rule="crops", tokens=258)
FLAT = row(rule="flat", tokens=1120)
EVERY = pytest.mark.parametrize("model", [TILES, PATCHES, EDGED, AREA, CROPS, FLAT], ids=str)


@pytest.mark.parametrize(
    ("width", "height", "detail", "tokens"),
    [
        (1024, 1024, "high", 765),  # the guide's own examples
        (2048, 4096, "high", 1105),
        (4096, 8192, "low", 85),
        (512, 512, "auto", 255),
        (100, 100, "auto", 255),
        (513, 512, "auto", 425),
    ],
)
def test_gpt_4o_counts_tiles_of_the_scaled_picture(width: int, height: int, detail: Any, tokens: int) -> None:
    assert image_tokens(ROWS["gpt-4o"], width, height, detail) == tokens


@pytest.mark.parametrize(
    ("model", "width", "height", "tokens"),
    [
        ("gpt-4.1-mini", 1024, 1024, 1659),  # 1024 patches x 1.62
        ("gpt-4.1-mini", 1800, 2400, 2353),  # the guide's example: scaled to 33 x 44 = 1452 patches
        ("gpt-5-mini", 1280, 720, 1104),  # as measured: community.openai.com 1377015 and its like
        ("gpt-5-mini", 2048, 768, 1844),
        ("gpt-5-nano", 32, 32, 2),
    ],
)
def test_newer_small_models_count_patches(model: str, width: int, height: int, tokens: int) -> None:
    assert image_tokens(ROWS[model], width, height) == tokens


@pytest.mark.parametrize(("width", "height", "tokens"), [(1092, 1092, 1590), (200, 200, 54), (5000, 5000, 1600)])
def test_claude_counts_the_area(width: int, height: int, tokens: int) -> None:
    assert image_tokens(AREA, width, height) == pytest.approx(tokens, abs=3)


@pytest.mark.parametrize(
    ("width", "height", "crops"), [(384, 384, 1), (385, 384, 4), (960, 540, 6), (1024, 1024, 4), (3072, 3072, 16)]
)
def test_gemini_counts_crops(width: int, height: int, crops: int) -> None:
    assert image_tokens(CROPS, width, height) == 258 * crops


def test_a_flat_rule_counts_every_picture_alike() -> None:
    assert image_tokens(FLAT, 1, 1) == image_tokens(FLAT, 9000, 9000) == 1120


def test_an_unknown_rule_is_not_guessed() -> None:
    assert image_tokens(row(), 1024, 1024) is None
    assert sent_size(row(), 9000, 100) == (9000, 100)
    assert image_tokens(ROWS["gpt-6-luna"], 1024, 1024) is None


def test_low_detail_needs_no_more_than_512_pixels() -> None:
    assert sent_size(TILES, 4096, 2048, "low") == (512, 256)
    assert sent_size(TILES, 4096, 2048, "high") == (1536, 768)


@EVERY
@given(width=SIDES, height=SIDES, detail=st.sampled_from(["auto", "low", "high"]))
def test_scaling_down_is_without_loss(model: Model, width: int, height: int, detail: Any) -> None:
    sent = sent_size(model, width, height, detail)
    assert 1 <= sent[0] <= width
    assert 1 <= sent[1] <= height
    assert sent_size(model, *sent, detail) == sent
    assert image_tokens(model, *sent, detail) == image_tokens(model, width, height, detail)


@given(width=SIDES, height=SIDES)
def test_no_picture_costs_more_than_the_cap(width: int, height: int) -> None:
    assert 85 < (image_tokens(TILES, width, height) or 0) <= 85 + 170 * 8
    assert 0 < (image_tokens(PATCHES, width, height) or 0) <= 2489
    assert 0 < (image_tokens(EDGED, width, height) or 0) <= 3000
    assert 0 < (image_tokens(AREA, width, height) or 0) <= 1600


@given(width=st.integers(200, 8000), height=st.integers(200, 8000))
def test_scaling_keeps_the_shape(width: int, height: int) -> None:
    for model in (TILES, PATCHES, EDGED, AREA):
        wide, high = sent_size(model, width, height)
        if min(wide, high) >= 100:
            assert wide / high == pytest.approx(width / height, rel=0.02)


@given(width=SIDES, height=SIDES)
def test_a_picture_costs_the_same_lying_and_standing(width: int, height: int) -> None:
    for model in (TILES, AREA, CROPS):
        assert image_tokens(model, width, height) == image_tokens(model, height, width)
