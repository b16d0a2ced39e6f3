"""The prompts: every file loads, places are filled exactly, and a wording can be told by its hash."""

import re
from pathlib import Path

import pytest

from prompts import content_hash, load, render

NAMES = sorted(path.stem for path in (Path(__file__).parents[1] / "prompts").glob("*.md"))


def test_prompts_the_agent_needs_are_there():
    assert {"agent", "last_turn", "enhance_image", "enhance_video", "enhance_speech"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_prompt_loads_without_white_space_around_it(name):
    text = load(name)
    assert text
    assert text == text.strip()


@pytest.mark.parametrize("name", NAMES)
def test_prompt_rendered_has_no_place_left(name):
    values = dict.fromkeys(re.findall(r"\{\{\s*(\w+)\s*\}\}", load(name)), "VALUE")
    text = render(name, **values)
    assert "{{" not in text
    assert "}}" not in text
    assert text.count("VALUE") >= len(values)


def test_values_are_taken_as_they_are():
    text = render("enhance_image", target=r"a \1 model {{ limit }}", limit="")
    assert r"read by a \1 model {{ limit }}." in text


def test_missing_value_fails():
    with pytest.raises(ValueError, match=r"'enhance_image': missing values \['limit', 'target'\], unknown values \[\]"):
        render("enhance_image")


def test_unknown_value_fails():
    with pytest.raises(ValueError, match=r"missing values \[\], unknown values \['colour'\]"):
        render("enhance_image", target="x", limit="", colour="red")


def test_value_for_a_prompt_without_places_fails():
    with pytest.raises(ValueError, match=r"unknown values \['limit'\]"):
        render("agent", limit="")


def test_unknown_prompt_fails():
    with pytest.raises(FileNotFoundError):
        load("no_such_prompt")


def test_hash_is_stable_and_tells_wordings_apart():
    hashes = {name: content_hash(name) for name in NAMES}
    assert hashes == {name: content_hash(name) for name in NAMES}
    assert len(set(hashes.values())) == len(NAMES)
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in hashes.values())
