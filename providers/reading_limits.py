"""What the limits of a model say of a text that is to be read aloud, checked before anything is sent."""

from __future__ import annotations

from .catalogue import Model
from .errors import NotOffered
from .types import SpeechRequest


def check_length(model: Model, text: str) -> None:
    """Raises NotOffered for a text that is longer than the model reads at once."""
    most = model.limits.get("max_prompt_chars")
    if most is not None and len(text) > most:
        raise NotOffered(f"{model.id} takes at most {most} characters of text at once; this request has {len(text)}.")


def fit_speed(model: Model, asked: float) -> tuple[float, tuple[str, ...]]:
    """The speed nearest to `asked` that the model has, and a sentence for the user where it is another."""
    if "speed_min" not in model.limits:
        ignored = f"{model.id} cannot change its speed; the one asked for was ignored."
        return 1.0, () if asked == 1.0 else (ignored,)
    speed = min(max(asked, float(model.limits["speed_min"])), float(model.limits["speed_max"]))
    bent = f"{model.id} cannot speak at speed {asked:g}; {speed:g} was used instead."
    return speed, () if speed == asked else (bent,)


def instructions_warning(model: Model, request: SpeechRequest) -> tuple[str, ...]:
    """A sentence for the user when instructions were given to a model that takes none."""
    return (f"{model.id} takes no instructions; the ones given were ignored.",) if request.instructions else ()
