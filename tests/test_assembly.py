"""How the parts meet: what each vendor is asked for at a time, and what about its models."""

import asyncio
from pathlib import Path

import pytest

from app.assembly import limits_of
from app.settings import Settings
from providers.base import Family
from providers.catalogue import Correction, Lane, Model
from providers.http import Http
from providers.offline import Offline
from providers.registry import Registry
from tests.houses import house


class Acme(Family):
    name = "acme"
    lanes = {"image": Lane(per_minute=500), "video": Lane(concurrent=2, per_minute=9)}


class Rival(Family):
    name = "rival"


def limits(concurrency: str = "") -> dict[str, Lane]:
    registry = Registry.open({}, Http(), [Acme, Rival])
    return limits_of(registry, Settings(_env_file=None, vendor_concurrency=concurrency))


def test_each_vendor_is_asked_for_what_it_says_itself():
    assert limits() == {"acme.image": Lane(per_minute=500), "acme.video": Lane(concurrent=2, per_minute=9)}


@pytest.mark.parametrize(
    ("concurrency", "lane", "limit"),
    [
        ("acme.video=5", "acme.video", Lane(concurrent=5, per_minute=9)),
        ("acme.image=4", "acme.image", Lane(concurrent=4, per_minute=500)),
        ("rival.chat=3", "rival.chat", Lane(concurrent=3)),
        ("rival.chat = 3, acme.video=1", "acme.video", Lane(concurrent=1, per_minute=9)),
    ],
)
def test_operator_knows_better_how_much_at_a_time(concurrency, lane, limit):
    assert limits(concurrency)[lane] == limit


def test_what_the_operator_does_not_name_stays_as_it_is():
    named = limits("acme.video=5")
    assert named["acme.image"] == limits()["acme.image"]


# ---- which models live -----------------------------------------------------------------------------------------------


class Talkative(Family):
    name = "talkative"
    models = tuple(Model(id=name, vendor="talkative", modality="image") for name in ("old", "new"))

    async def refresh(self) -> Correction:
        return Correction(gone=("old",))


@pytest.mark.anyio
async def test_vendors_are_asked_for_their_models_after_the_start(tmp_path: Path):
    async with house(tmp_path, [Offline, Talkative]) as opened, asyncio.timeout(30):
        while not (tmp_path / "models.json").exists():
            await asyncio.sleep(0.01)
        assert opened.parts.registry.catalogue.named("talkative/old")[0].status == "retired"


@pytest.mark.anyio
async def test_vendors_are_not_asked_when_the_operator_does_not_wish_it(tmp_path: Path):
    async with house(tmp_path, [Offline, Talkative], model_refresh=False) as opened:
        await asyncio.sleep(0.1)
        assert opened.parts.registry.catalogue.named("talkative/old")[0].status == "live"
