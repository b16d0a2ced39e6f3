"""What a vendor says of its models today, which goes before the TOML's word."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from pydantic import Field

from .types import Value

if TYPE_CHECKING:
    from .catalogue import Model


class Correction(Value):
    """What a vendor says of its models today, which goes before the TOML's word."""

    shutdowns: dict[str, dt.date] = Field(default_factory=dict)
    """Model id -> the last day."""
    gone: tuple[str, ...] = ()
    """Ids of models in the TOML that the vendor does not serve (any more)."""
    limits: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Model id -> limits that replace those of the same name."""
    voices: dict[str, str] = Field(default_factory=dict)
    """The account's own voices: name -> what goes on the wire."""


def corrected(models: tuple[Model, ...], correction: Correction, today: dt.date) -> tuple[Model, ...]:
    """One vendor's rows as it says they are. What it says of models without a row is not heard."""
    living = {model.id for model in models if not model.retired(today)}
    gone = living & set(correction.gone)
    if gone == living:  # a list without any of them says more about the account that asked than about the models
        gone = set()
    return tuple(_corrected(model, correction, model.id in gone, today) for model in models)


def _corrected(model: Model, correction: Correction, gone: bool, today: dt.date) -> Model:
    changed: dict[str, Any] = {}
    if limits := correction.limits.get(model.id):
        changed["limits"] = {**model.limits, **limits}
    if correction.voices and "tts" in model.capabilities:
        known = changed.get("limits", model.limits)
        if "voices" in known:  # where no voices are listed, any is taken
            changed["limits"] = {**known, "voices": list(dict.fromkeys([*known["voices"], *correction.voices]))}
    if shutdown := correction.shutdowns.get(model.id):
        changed["shutdown"] = shutdown
        changed["status"] = "deprecated" if model.status == "live" else model.status
    if gone:
        told = changed.get("shutdown", model.shutdown)
        changed["status"] = "retired"
        changed["shutdown"] = told if told and told <= today else None  # it went before its day
    return model.model_copy(update=changed) if changed else model
