"""What only some models know: options, checked against the schemas in the catalogue before anything is sent.

An option a model does not know is refused with a sentence that lists what it knows. One that changes nothing of what
was asked for when it is left out is dropped with a warning instead. Nothing is swallowed in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jsonschema

from .errors import NotOffered

if TYPE_CHECKING:
    from .catalogue import Model

HARMLESS = ("seed", "user", "quality", "output_format")
"""Wishes about how, not about what: another model fulfils them in its own way."""


def fit_options(model: Model, options: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The options the model knows, and a warning for each that was dropped. Raises NotOffered for one it does not know
    that matters, and for a value it does not take."""
    taken: dict[str, Any] = {}
    warnings: list[str] = []
    for name, value in options.items():
        if name in model.options:
            problem = next(jsonschema.Draft202012Validator(model.options[name]).iter_errors(value), None)
            if problem is not None:
                raise NotOffered(f"{model.id} does not take this {name}: {problem.message}.")
            taken[name] = value
        elif name in HARMLESS:
            warnings.append(f"{model.id} knows no option {name}; it was ignored.")
        else:
            known = ", ".join(sorted(model.options)) or "none"
            raise NotOffered(f"{model.id} knows no option {name!r}; it knows: {known}.")
    return taken, tuple(warnings)
