"""The text the models read, as Markdown files beside this one; no logic."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib import resources

PLACE = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}")


@cache
def load(name: str) -> str:
    """The text of `<name>.md`. Raises FileNotFoundError when there is none."""
    return (resources.files(__package__) / f"{name}.md").read_text(encoding="utf-8").strip()


def render(name: str, **values: str) -> str:
    """The text with each `{{ place }}` filled. Raises ValueError on a missing or an unknown value."""
    text = load(name)
    places = set(PLACE.findall(text))
    if places != set(values):
        missing, unknown = sorted(places - set(values)), sorted(set(values) - places)
        raise ValueError(f"prompt {name!r}: missing values {missing}, unknown values {unknown}")
    return PLACE.sub(lambda match: values[match[1]], text)


def content_hash(name: str) -> str:
    """SHA-256 of the text, to tell which wording a model was given."""
    return hashlib.sha256(load(name).encode()).hexdigest()
