"""How the parts meet: what each vendor is asked for at a time."""

import pytest

from app.assembly import limits_of
from app.settings import Settings
from providers.base import Family
from providers.catalogue import Lane
from providers.http import Http
from providers.registry import Registry


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
