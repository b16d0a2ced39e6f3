"""The registry: every family through the same door, and no two of one name."""

from pathlib import Path

import pytest

from providers.base import Family
from providers.catalogue import Model
from providers.errors import NotOffered
from providers.http import Http
from providers.registry import Registry, discover

pytestmark = pytest.mark.anyio


class Acme(Family):
    name = "acme"
    key_names = ("ACME_KEY", "ACME_TOKEN")
    base_url_name = "ACME_BASE_URL"
    default_base_url = "https://api.acme.test/v1"
    models = (Model(id="brush", vendor="acme", modality="image"),)


class Rival(Family):
    name = "rival"
    models = (Model(id="brush", vendor="rival", modality="image"),)


def test_families_are_found_through_entry_points():
    assert {"replicate", "runway"} <= {family.name for family in discover()}


def test_two_packages_with_a_family_of_one_name_are_an_error(tmp_path: Path, monkeypatch):
    (tmp_path / "second_runway.py").write_text(
        "from providers.base import Family\n\nclass Runway(Family):\n    name = 'runway'\n"
    )
    info = tmp_path / "stranger-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[impresario.providers]\nstranger = second_runway:Runway\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="'runway'"):
        discover()


def test_two_families_may_have_a_model_of_one_name():
    catalogue = Registry.open({}, Http(), [Acme, Rival]).catalogue
    assert [model.name for model in catalogue.named("brush")] == ["acme/brush", "rival/brush"]


@pytest.mark.parametrize(
    ("environment", "key", "unavailable"),
    [
        ({}, None, {"acme": "Set ACME_KEY to use acme."}),
        ({"ACME_KEY": ""}, None, {"acme": "Set ACME_KEY to use acme."}),
        ({"ACME_TOKEN": "b"}, "b", {}),
        ({"ACME_KEY": "a", "ACME_TOKEN": "b"}, "a", {}),
    ],
)
def test_family_takes_its_key_from_the_first_name_that_is_set(environment, key, unavailable):
    registry = Registry.open(environment, Http(), [Acme])
    assert registry.family("acme").key == key
    assert registry.catalogue.unavailable == unavailable


def test_base_url_is_the_vendors_own_unless_configured():
    assert Acme({}, Http()).base_url == "https://api.acme.test/v1"
    assert Acme({"ACME_BASE_URL": "http://localhost:9/v1/"}, Http()).base_url == "http://localhost:9/v1"


async def test_family_without_a_verb_does_not_offer_it():
    registry = Registry.open({}, Http(), [Acme])
    with pytest.raises(NotOffered):
        registry.family("rival")
    with pytest.raises(NotOffered, match="no model 'crayon'"):
        registry.family("acme").row("crayon")
    await registry.aclose()
