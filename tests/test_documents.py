"""What the README and .env.example say about settings is true and whole."""

import re
from pathlib import Path

import pytest

from app.settings import Settings
from providers.registry import discover

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()


def names() -> list[str]:
    """Every setting, and every name a family reads its key or address under."""
    families = [name for family in discover() for name in (*family.key_names, family.base_url_name) if name]
    return sorted({name.upper() for name in Settings.model_fields} | set(families))


@pytest.mark.parametrize("name", names())
def test_readme_names_the_setting(name: str) -> None:
    assert f"`{name}`" in README


@pytest.mark.parametrize("name", names())
def test_env_example_names_the_setting(name: str) -> None:
    assert re.search(rf"^#{name}=", EXAMPLE, re.MULTILINE)


def test_env_example_is_read_without_effect(tmp_path: Path) -> None:
    settings = Settings(_env_file=ROOT / ".env.example")  # type: ignore[call-arg]
    assert settings.model_fields_set == set()


def test_env_example_shows_the_true_defaults() -> None:
    shown = dict(re.findall(r"^#([A-Z_]+)=(.+)$", EXAMPLE, re.MULTILINE))
    for name, value in shown.items():
        field = Settings.model_fields.get(name.lower())
        if field is not None and name != "DATA_DIR":
            assert str(field.default).lower() == value.lower() or float(field.default) == float(value), name


def test_readme_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
