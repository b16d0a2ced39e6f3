"""The models as data: what each can do, its limits, its price, how long it lives; and the choice among them.

Rows come from one TOML file per family. A name is looked up as `vendor/id`, as an id or as an alias. A model whose
`shutdown` date has passed is replaced by its successor before any call is made.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal
from importlib import resources
from typing import Any, Literal

from pydantic import Field

from .equals import can_replace
from .errors import NotOffered, Unavailable
from .shapes import fit_duration
from .types import (
    EditRequest,
    ImageRequest,
    MediaRequest,
    Modality,
    SpeechRequest,
    TranscriptionRequest,
    Usage,
    Value,
    VideoRequest,
    input_ids,
)

RETIRES_SOON_DAYS = 60
MICRO_USD = Decimal("0.000001")
CHARACTERS_PER_S = 15
"""How fast text is read aloud, roughly: for a reserve, not for a bill."""
SECONDS_IN = {"second": 1, "minute": 60, "hour": 3600}
OUTPUT_UNITS = ("1M_image_output_tokens", "1M_audio_output_tokens", "1M_video_output_tokens", "1M_output_tokens")


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
    text = (resources.files(package) / filename).read_text(encoding="utf-8")
    return parse_models(text)


def parse_models(text: str) -> tuple[Model, ...]:
    """Read rows from TOML text: a top-level `vendor` and any number of `[[model]]` tables."""
    data = tomllib.loads(text, parse_float=Decimal)
    return tuple(Model.model_validate({"vendor": data["vendor"], **row}) for row in data["model"])


def load_lanes(package: str, filename: str) -> dict[str, Lane]:
    """Read a family's `[lanes]` by modality from the TOML file its models are in; none is none."""
    data = tomllib.loads((resources.files(package) / filename).read_text(encoding="utf-8"))
    return {modality: Lane.model_validate(lane) for modality, lane in data.get("lanes", {}).items()}


def load_voices(package: str, filename: str) -> dict[str, str]:
    """Read a family's `[voices]` from its TOML file: alloy, echo, fable, onyx, nova, shimmer -> its nearest voice."""
    data = tomllib.loads((resources.files(package) / filename).read_text(encoding="utf-8"))
    return dict(data.get("voices", {}))


def needs_of(request: MediaRequest) -> set[str]:
    """The capabilities a model must have to serve this request."""
    match request:
        case ImageRequest():
            return {"text_to_image"} | ({"reference_images"} if request.references else set())
        case EditRequest():
            return {request.operation} | ({"multi_image"} if request.references else set())
        case VideoRequest(video=str()):
            return {"video_to_video"}
        case VideoRequest():
            start = {"image_to_video"} if request.image else set()
            return (start | ({"reference_images"} if request.references else set())) or {"text_to_video"}
        case SpeechRequest():
            return {"tts"}
        case TranscriptionRequest():
            timed = {"timestamps"} if request.timestamps != "none" else set()
            return {"transcribe"} | timed | ({"diarization"} if request.speakers else set())


def media_price(model: Model, request: MediaRequest) -> Decimal | None:
    """What the catalogue's prices say this request costs in USD, or None where no row of the model fits.

    Token prices are not known before the call: `limits.reserve_output_tokens` (of a picture) and
    `limits.audio_tokens_per_s` reserve them, usage bills them. A clip is priced at the duration the model can make, an
    input image at one megapixel, speech at 15 characters a second.
    """
    prices: dict[str, Decimal] = {}
    for price in model.price:
        prices[price.unit] = max(price.usd, prices.get(price.unit, price.usd))
    amount = _unit_price(model, request, prices)
    return Decimal(0) if amount is None and "free" in model.capabilities else amount


def _unit_price(model: Model, request: MediaRequest, prices: Mapping[str, Decimal]) -> Decimal | None:
    inputs = len(input_ids(request))
    match request:
        case ImageRequest() | EditRequest():
            megapixels = Decimal((request.width or 1024) * (request.height or 1024)) / 1_000_000
            if "image" in prices:
                return prices["image"] * request.n + inputs * prices.get("input_image", Decimal(0))
            if "first_output_megapixel" in prices:
                further = max(megapixels - 1, Decimal(0)) * prices.get("further_output_megapixel", Decimal(0))
                given = inputs * prices.get("input_megapixel", Decimal(0))
                return (prices["first_output_megapixel"] + further + given) * request.n
            if "megapixel" in prices:
                return prices["megapixel"] * megapixels * request.n
            if "1M_image_output_tokens" in prices and "reserve_output_tokens" in model.limits:
                tokens = Decimal(model.limits["reserve_output_tokens"]) * max(megapixels, Decimal(1))
                return prices["1M_image_output_tokens"] * tokens * request.n / 1_000_000
        case VideoRequest():
            if "second" in prices:
                length = fit_duration(request.duration_s, model.limits)
                return prices["second"] * length + inputs * prices.get("input_image", Decimal(0))
        case SpeechRequest():
            for unit, characters in (("1M_characters", 1_000_000), ("1K_characters", 1_000)):
                if unit in prices:
                    return prices[unit] * len(request.text) / characters
            seconds = Decimal(len(request.text)) / CHARACTERS_PER_S
            return _by_audio_tokens(model, prices.get("1M_audio_output_tokens"), seconds)
        case TranscriptionRequest():
            if request.duration_s is None:
                return None
            seconds = Decimal(str(request.duration_s))
            for unit, length_s in SECONDS_IN.items():
                if unit in prices:
                    return prices[unit] * seconds / length_s
            return _by_audio_tokens(model, prices.get("1M_input_tokens"), seconds)
    return None


def _by_audio_tokens(model: Model, price: Decimal | None, seconds: Decimal) -> Decimal | None:
    if price is None or "audio_tokens_per_s" not in model.limits:
        return None
    return price * seconds * Decimal(str(model.limits["audio_tokens_per_s"])) / 1_000_000


def media_cost(model: Model, request: MediaRequest, usage: Usage | None) -> Decimal | None:
    """What a finished request cost where the vendor gave no figure: usage x price, else units x price, else None."""
    prices = {price.unit: price.usd for price in model.price}
    if usage is not None and (total := _token_cost(prices, usage)) is not None:
        return round_up(total)
    if isinstance(request, TranscriptionRequest) and usage is not None and usage.seconds is not None:
        request = request.model_copy(update={"duration_s": float(usage.seconds)})
    if model.price_is_proxy or any(price.unit.startswith("1M_") and "tokens" in price.unit for price in model.price):
        return None
    amount = media_price(model, request)
    return None if amount is None else round_up(amount)


def _token_cost(prices: Mapping[str, Decimal], usage: Usage) -> Decimal | None:
    """Tokens x price; None where the output was not counted or has no price."""
    out = next((prices[unit] for unit in OUTPUT_UNITS if unit in prices), None)
    if usage.output_tokens is None or out is None:
        return None
    text = prices.get("1M_text_input_tokens", prices.get("1M_input_tokens", Decimal(0)))
    pictures, sound = usage.image_input_tokens or 0, usage.audio_input_tokens or 0
    total = usage.output_tokens * out
    total += pictures * prices.get("1M_image_input_tokens", text) + sound * prices.get("1M_audio_input_tokens", text)
    return (total + max((usage.input_tokens or 0) - pictures - sound, 0) * text) / 1_000_000


def round_up(amount: Decimal) -> Decimal:
    """To the micro-dollar, never downwards."""
    return amount.quantize(MICRO_USD, rounding=ROUND_UP)


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
