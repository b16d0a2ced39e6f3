"""The models as data: what each can do, its limits, its price, how long it lives; and the choice among them.

Rows come from one TOML file per family. A name is looked up as `vendor/id`, as an id or as an alias. A model whose
`shutdown` date has passed is replaced by its successor before any call is made.
"""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any, Literal

from pydantic import Field, field_validator

from .corrections import Correction as Correction
from .corrections import corrected
from .equals import can_replace
from .errors import NotOffered, Unavailable
from .types import (
    EditRequest,
    ImageRequest,
    MediaRequest,
    Modality,
    SpeechRequest,
    TranscriptionRequest,
    Value,
    VideoRequest,
)

RETIRES_SOON_DAYS = 60


class Price(Value):
    """USD for one `unit`. Several prices of one unit are alternatives told apart by `when`; the dearest is reserved."""

    unit: str
    usd: Decimal
    when: str | None = None


class Lane(Value):
    """How much of one modality a vendor may be asked for: at a time, and a minute. None: no limit is known."""

    concurrent: int | None = Field(None, ge=1)
    per_minute: int | None = Field(None, ge=1)


class Model(Value):
    """One row of the catalogue. An absent limit or price means unknown, never zero."""

    id: str
    vendor: str
    modality: Modality
    api_id: str | None = None
    aliases: tuple[str, ...] = ()
    status: Literal["live", "deprecated", "retired"] = "live"
    shutdown: dt.date | None = None
    successor: str | None = None
    capabilities: tuple[str, ...] = ()
    limits: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """What it knows beyond the common fields of a request: name -> the JSON Schema of its value (see `options.py`)."""
    price: tuple[Price, ...] = ()
    price_is_proxy: bool = False
    """The price is another vendor's for the same model: good for a reserve, not for a bill."""
    when: str | None = None
    """One line for the planning model on when to choose this one."""
    rank: int = 100
    """The lowest rank that fits is the default of its modality."""
    source: str | None = None
    note: str | None = None

    @field_validator("options")
    @classmethod
    def _plain_numbers(cls, value: dict[str, Any]) -> dict[str, Any]:
        """TOML is read with exact decimals, for the prices; a JSON Schema has plain numbers."""
        plain: dict[str, Any] = json.loads(json.dumps(value, default=float))
        return plain

    @property
    def name(self) -> str:
        """The canonical name, `vendor/id`."""
        return f"{self.vendor}/{self.id}"

    @property
    def wire_id(self) -> str:
        """What goes on the wire."""
        return self.api_id or self.id

    def retired(self, today: dt.date) -> bool:
        """Whether the vendor no longer serves it on this day."""
        return self.status == "retired" or (self.shutdown is not None and self.shutdown <= today)

    def retires_soon(self, today: dt.date) -> bool:
        """Whether it will be gone within 60 days."""
        if self.shutdown is None or self.retired(today):
            return False
        return (self.shutdown - today).days <= RETIRES_SOON_DAYS

    def can(self, needs: Iterable[str]) -> bool:
        """Whether it has every one of these capabilities, and no need of an input image that will not be there."""
        needed = set(needs)
        if "text_to_image" in needed and "reference_images" not in needed and self.limits.get("min_images_in"):
            return False  # Runway's gen4_image_turbo works from references only
        return needed <= set(self.capabilities)


def load_models(package: str, filename: str) -> tuple[Model, ...]:
    """Read a family's rows from a TOML file that lies in `package`. Raises ValueError (pydantic) on a malformed row."""
    return _models(_toml(package, filename))


def parse_models(text: str) -> tuple[Model, ...]:
    """Read rows from TOML text: a top-level `vendor` and any number of `[[model]]` tables."""
    return _models(tomllib.loads(text, parse_float=Decimal))


@cache
def _toml(package: str, filename: str) -> dict[str, Any]:
    """A family's TOML file. Read once, as it takes milliseconds and is asked for models, lanes and voices."""
    return tomllib.loads((resources.files(package) / filename).read_text(encoding="utf-8"), parse_float=Decimal)


def _models(data: Mapping[str, Any]) -> tuple[Model, ...]:
    return tuple(Model.model_validate({"vendor": data["vendor"], **row}) for row in data["model"])


def load_lanes(package: str, filename: str) -> dict[str, Lane]:
    """Read a family's `[lanes]` by modality from the TOML file its models are in; none is none."""
    data = _toml(package, filename)
    return {modality: Lane.model_validate(lane) for modality, lane in data.get("lanes", {}).items()}


def load_voices(package: str, filename: str) -> dict[str, str]:
    """Read a family's `[voices]` from its TOML file: alloy, echo, fable, onyx, nova, shimmer -> its nearest voice."""
    data = _toml(package, filename)
    return dict(data.get("voices", {}))


def needs_of(request: MediaRequest) -> set[str]:
    """The capabilities a model must have to serve this request."""
    match request:
        case ImageRequest():
            return {"text_to_image"} | ({"reference_images"} if request.references else set())
        case EditRequest():
            masked = {"inpaint"} if request.mask else set()
            return {request.operation} | masked | ({"multi_image"} if request.references else set())
        case VideoRequest():
            start = {"video_to_video"} if request.video else {"image_to_video"} if request.image else set()
            return (start | ({"reference_images"} if request.references else set())) or {"text_to_video"}
        case SpeechRequest():
            return {"tts"}
        case TranscriptionRequest():
            timed = {"timestamps"} if request.timestamps != "none" else set()
            return {"transcribe"} | timed | ({"diarization"} if request.speakers else set())


@dataclass(frozen=True)
class Chosen:
    """A model picked for a call, with the warnings that belong on the generation."""

    model: Model
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """Every model of every family, and which families can be used here and now."""

    models: tuple[Model, ...]
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Vendor -> why it cannot be used, in one sentence. A vendor that is not in it can."""
    today: Callable[[], dt.date] = lambda: dt.datetime.now(dt.UTC).date()

    def __post_init__(self) -> None:
        full: dict[str, Model] = {}
        short: dict[str, list[Model]] = {}
        for model in self.models:
            if full.setdefault(model.name, model) is not model:
                raise ValueError(f"the model {model.name} is described twice")
            for name in dict.fromkeys((model.id, *model.aliases)):
                others = short.setdefault(name, [])
                if rival := next((other for other in others if other.vendor == model.vendor), None):
                    raise ValueError(f"the model name {name!r} is claimed by {rival.name} and {model.name}")
                others.append(model)
        object.__setattr__(self, "_full", full)
        object.__setattr__(self, "_short", short)

    def get(self, name: str) -> Model | None:
        """The row of this name, living or not; None when there is none, or when a short name means several."""
        found = self.named(name)
        return found[0] if len(found) == 1 else None

    def named(self, name: str) -> list[Model]:
        """Every row this name may mean: one for `vendor/id`, for a short name as many as vendors use it."""
        full: dict[str, Model] = self.__dict__["_full"]
        short: dict[str, list[Model]] = self.__dict__["_short"]
        return [full[name]] if name in full else short.get(name, [])

    def shown_name(self, model: Model) -> str:
        """The name to choose a model by: its id, or the full name where another vendor has that id, too."""
        found = self.get(model.id)
        return model.id if found is not None and found.name == model.name else model.name

    def why_not(self, model: Model) -> str | None:
        """Why this model cannot be called here and now, in one sentence; None when it can."""
        if model.vendor in self.unavailable:
            return self.unavailable[model.vendor]
        if model.retired(self.today()):
            on = f" on {model.shutdown}" if model.shutdown else ""
            return f"{model.id} was retired{on}" + (f"; use {model.successor}." if model.successor else ".")
        return None

    def offered(self, modality: Modality, needs: Iterable[str] = ()) -> list[Model]:
        """The models of a modality that work here and now and can do what is needed, best first."""
        fit = [m for m in self.models if m.modality == modality and m.can(needs) and self.why_not(m) is None]
        return sorted(fit, key=lambda model: (model.rank, model.name))

    def choose(self, modality: Modality, wanted: str | None = None, needs: Iterable[str] = ()) -> Chosen:
        """The model to call: the wanted one, its heir when it is retired, or the default when none is named.

        Raises NotOffered (no such model, or it cannot do this) or Unavailable (no key, retired without an heir).
        """
        needs = tuple(needs)
        fit = self.offered(modality, needs)
        if wanted is None:
            if not fit:
                raise Unavailable(f"No {modality} model is available here: {self._missing(modality)}")
            return Chosen(fit[0])
        named = [model for model in self.named(wanted) if model.modality == modality]
        if len(named) > 1:
            names = " or ".join(model.name for model in named)
            raise NotOffered(f"{wanted!r} is a model of several vendors: write {names}.")
        model = named[0] if named else None
        if model is None:
            names = ", ".join(m.id for m in self.offered(modality)) or "none"
            raise NotOffered(f"There is no {modality} model {wanted!r}; available here: {names}.")
        if model.retired(self.today()):
            return self._heir(model, wanted, fit, needs)
        if model in fit:
            return Chosen(model)
        if reason := self.why_not(model):
            raise Unavailable(f"{model.id} cannot be used: {reason}")
        able = ", ".join(m.id for m in fit) or "none"
        raise NotOffered(f"{model.id} cannot do this ({', '.join(needs)}); able and available here: {able}.")

    def equals(self, model: Model, request: MediaRequest) -> list[Model]:
        """Other models that can serve this request as this one can, best first."""
        able = self.offered(model.modality, needs_of(request))
        return [other for other in able if can_replace(other, model, request)]

    def corrected(self, corrections: Mapping[str, Correction]) -> Catalogue:
        """This catalogue as the vendors say it is today: vendor -> what it says."""
        rows: dict[str, tuple[Model, ...]] = {}
        for model in self.models:
            rows[model.vendor] = (*rows.get(model.vendor, ()), model)
        nothing, today = Correction(), self.today()
        said = {vendor: corrected(row, corrections.get(vendor, nothing), today) for vendor, row in rows.items()}
        return replace(self, models=tuple(model for row in said.values() for model in row))

    def _heir(self, model: Model, wanted: str, fit: list[Model], needs: tuple[str, ...]) -> Chosen:
        """The successor, followed until a living one that fits; else the nearest model that can do what was asked."""
        heir: Model | None = model
        seen: set[str] = set()
        while heir is not None and heir.name not in seen and heir not in fit:
            seen.add(heir.name)
            heir = self.get(heir.successor) if heir.successor else None
        if heir is None or heir not in fit:
            same_vendor = [m for m in fit if m.vendor == model.vendor]
            heir = next(iter(same_vendor or fit), None)
        named = f"{wanted} ({model.id})" if wanted not in (model.id, model.name) else model.id
        on = f" on {model.shutdown}" if model.shutdown else ""
        if heir is None:
            raise Unavailable(f"{named} was retired{on} and nothing available here replaces it.")
        return Chosen(heir, (f"{named} was retired by its vendor{on}; {heir.id} was used instead.",))

    def _missing(self, modality: Modality) -> str:
        """Which keys would make this modality available."""
        vendors = sorted({m.vendor for m in self.models if m.modality == modality and m.vendor in self.unavailable})
        return " ".join(self.unavailable[vendor] for vendor in vendors) or "no family offers it."

    def warnings(self) -> list[str]:
        """One sentence for each usable model that will be gone within 60 days."""
        today = self.today()
        return [
            f"{m.id} will be retired by {m.vendor} on {m.shutdown}"
            + (f"; its successor is {m.successor}." if m.successor else ".")
            for m in self.models
            if m.retires_soon(today) and m.vendor not in self.unavailable
        ]
