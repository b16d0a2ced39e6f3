"""The registry: every family through the same door, those that fail reported, and those nobody wants left out."""

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


class Broken(Family):
    name = "broken"

    def __init__(self, environment, http):
        raise RuntimeError(f"it needs sk-{'1' * 30} at least")


class Impostor(Family):
    name = "impostor"
    models = (Model(id="brush", vendor="acme", modality="image"),)


class Twins(Family):
    name = "twins"
    models = (Model(id="one", vendor="twins", modality="image"), Model(id="one", vendor="twins", modality="image"))


FAMILY = "from providers.base import Family\n\nclass Stranger(Family):\n    name = {name!r}\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch):
    """Install a stranger's package, for one test: an entry point, where it leads, and the module's source."""

    def install(entry: str, target: str, source: str) -> None:
        (tmp_path / f"{target.split(':')[0]}.py").write_text(source)
        info = tmp_path / f"{entry}_package-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {entry}-package\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[impresario.providers]\n{entry} = {target}\n")
        monkeypatch.syspath_prepend(tmp_path)

    return install


# ---- plugins ---------------------------------------------------------------------------------------------------------


def test_families_are_found_through_entry_points():
    assert {"replicate", "runway"} <= {family.name for family in discover()}


def test_strangers_family_comes_through_the_same_door(install):
    install("fresh", "fresh_paint:Stranger", FAMILY.format(name="fresh"))
    problems: dict[str, str] = {}
    assert "fresh" in {family.name for family in discover(problems)}
    assert problems == {}


def test_built_in_family_keeps_its_name_and_the_stranger_is_reported(install):
    install("aaa", "second_runway:Stranger", FAMILY.format(name="runway"))
    problems: dict[str, str] = {}
    [runway] = [family for family in discover(problems) if family.name == "runway"]
    assert runway.__module__ == "providers.runway"
    assert list(problems) == ["aaa (aaa-package)"]
    assert "'runway'" in problems["aaa (aaa-package)"]


@pytest.mark.parametrize(
    ("target", "source", "reason"),
    [
        ("plugin_a:Stranger", "import a_library_nobody_has\n", "ModuleNotFoundError"),
        ("plugin_b:Stranger", "class Stranger:\n    name = 'b'\n", "not to a subclass"),
        ("plugin_c:Missing", "", "AttributeError"),
        ("plugin_d:Stranger", "raise SystemExit(3)\n", "SystemExit"),
        ("plugin_e:Stranger", "class Stranger(\n", "SyntaxError"),
        ("plugin_f:Stranger", "from providers import Family\nclass Stranger(Family): pass\n", "its name is None"),
        ("plugin_g:Stranger", FAMILY.format(name="Open AI!"), "small letters"),
    ],
)
def test_plugin_that_cannot_be_loaded_is_reported_and_the_others_work(install, target, source, reason):
    install("plugin", target, source)
    registry = Registry.open({}, Http())
    assert reason in registry.problems["plugin (plugin-package)"]
    assert "offline" in registry.families


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(Broken, "RuntimeError"), (Impostor, "their vendor is 'acme'"), (Twins, "described twice")],
)
def test_family_that_cannot_be_opened_is_reported_and_the_others_work(kind, reason, caplog):
    registry = Registry.open({}, Http(), [Acme, kind])
    assert list(registry.families) == ["acme"]
    assert reason in registry.problems[kind.name]
    assert registry.problems[kind.name] in caplog.text


def test_reported_problem_holds_no_key():
    assert "sk-1" not in str(Registry.open({}, Http(), [Broken]).problems)


def test_malformed_rows_are_reported(install):
    source = FAMILY.format(name="wrong") + (
        "    def __init__(self, environment, http):\n"
        "        super().__init__(environment, http)\n"
        "        from providers.catalogue import parse_models\n"
        '        self.models = parse_models(\'vendor = "wrong"\\n[[model]]\\nmodality = "image"\')\n'
    )
    install("wrong", "wrong_rows:Stranger", source)
    assert "ValidationError" in Registry.open({}, Http()).problems["wrong"]


# ---- which are wanted ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "kept"),
    [
        ("", ["acme", "rival"]),
        ("acme", ["acme"]),
        (" Acme , rival,", ["acme", "rival"]),
        ("-acme", ["rival"]),
        ("!acme", ["rival"]),
        ("acme,rival,-acme", ["rival"]),
        ("-acme,-rival", []),
    ],
)
def test_providers_says_which_families_are_wanted(setting, kept):
    registry = Registry.open({"PROVIDERS": setting, "ACME_KEY": "a"}, Http(), [Acme, Rival])
    assert ([family.name for family in registry.available()], registry.problems) == (kept, {})


def test_family_that_is_switched_off_says_so_and_can_still_be_asked_for_its_jobs():
    registry = Registry.open({"PROVIDERS": "-rival"}, Http(), [Acme, Rival])
    assert registry.catalogue.unavailable["rival"] == (
        "rival is switched off here: the setting PROVIDERS leaves it out."
    )
    assert registry.family("rival").name == "rival"


@pytest.mark.parametrize("setting", ["acme,opnai", "-opnai"])
def test_unknown_name_in_providers_is_reported(setting):
    registry = Registry.open({"PROVIDERS": setting}, Http(), [Acme, Rival])
    assert registry.problems == {"PROVIDERS": "There is no provider named opnai; there are: acme, rival."}


def test_plugin_that_is_switched_off_is_not_even_imported(install):
    install("boom", "boom_plugin:Stranger", "raise RuntimeError\n")
    registry = Registry.open({"PROVIDERS": "-boom"}, Http())
    assert registry.problems == {}


# ---- the registry ----------------------------------------------------------------------------------------------------


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


class Fragile(Acme):
    name = "fragile"
    models = ()
    key_names = ()

    async def warm_up(self):
        raise RuntimeError("cold")

    async def aclose(self):
        raise RuntimeError("stuck")


async def test_family_that_fails_beside_its_work_does_not_stop_the_others(caplog):
    warmed = []

    class Sound(Acme):
        async def warm_up(self):
            warmed.append("warm")

        async def aclose(self):
            warmed.append("closed")

    registry = Registry.open({"ACME_KEY": "k"}, Http(), [Fragile, Sound])
    await registry.warm_up()
    await registry.aclose()
    assert warmed == ["warm", "closed"]
    assert "cold" in caplog.text
