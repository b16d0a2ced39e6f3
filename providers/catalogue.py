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
from .types import ImageRequest, MediaRequest, Modality, SpeechRequest, Usage, Value, VideoRequest

RETIRES_SOON_DAYS = 60
MICRO_USD = Decimal("0.000001")


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


def needs_of(request: MediaRequest) -> set[str]:
    """The capabilities a model must have to serve this request."""
    match request:
        case ImageRequest():
            return {"text_to_image"} | ({"reference_images"} if request.references else set())
        case VideoRequest():
            return {"image_to_video"} if request.image else {"text_to_video"}
        case SpeechRequest():
            return {"tts"}


def media_price(model: Model, request: MediaRequest) -> Decimal | None:
    """What the catalogue's prices say this request costs in USD, or None where no row of the model fits.

    Token prices are not known before the call: `limits.reserve_output_tokens` reserves them, usage bills them. A clip
    is priced at the duration the model can make, an input image at one megapixel.
    """
    prices: dict[str, Decimal] = {}
    for price in model.price:
        prices[price.unit] = max(price.usd, prices.get(price.unit, price.usd))
    match request:
        case ImageRequest():
            megapixels = Decimal((request.width or 1024) * (request.height or 1024)) / 1_000_000
            if "image" in prices:
                return prices["image"] * request.n
            if "first_output_megapixel" in prices:
                further = max(megapixels - 1, Decimal(0)) * prices.get("further_output_megapixel", Decimal(0))
                inputs = len(request.references) * prices.get("input_megapixel", Decimal(0))
                return (prices["first_output_megapixel"] + further + inputs) * request.n
            if "megapixel" in prices:
                return prices["megapixel"] * megapixels * request.n
            if "1M_image_output_tokens" in prices and "reserve_output_tokens" in model.limits:
                tokens = Decimal(model.limits["reserve_output_tokens"]) * max(megapixels, Decimal(1))
                return prices["1M_image_output_tokens"] * tokens * request.n / 1_000_000
        case VideoRequest():
            if "second" in prices:
                return prices["second"] * fit_duration(request.duration_s, model.limits)
        case SpeechRequest():
            if "1M_characters" in prices:
                return prices["1M_characters"] * len(request.text) / 1_000_000
            if "1K_characters" in prices:
                return prices["1K_characters"] * len(request.text) / 1_000
    return Decimal(0) if "free" in model.capabilities else None


def media_cost(model: Model, request: MediaRequest, usage: Usage | None) -> Decimal | None:
    """What a finished request cost where the vendor gave no figure: usage x price, else units x price, else None."""
    prices = {price.unit: price.usd for price in model.price}
    if usage is not None and usage.output_tokens is not None and "1M_image_output_tokens" in prices:
        images_in = usage.image_input_tokens or 0
        text_in = max((usage.input_tokens or 0) - images_in, 0)
        total = (
            usage.output_tokens * prices["1M_image_output_tokens"]
            + images_in * prices.get("1M_image_input_tokens", Decimal(0))
            + text_in * prices.get("1M_text_input_tokens", Decimal(0))
        )
        return round_up(total / 1_000_000)
    if model.price_is_proxy or any(price.unit.startswith("1M_") and "tokens" in price.unit for price in model.price):
        return None
    amount = media_price(model, request)
    return None if amount is None else round_up(amount)


def round_up(amount: Decimal) -> Decimal:
    """To the micro-dollar, never downwards."""
    return amount.quantize(MICRO_USD, rounding=ROUND_UP)


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
        index: dict[str, Model] = {}
        for model in self.models:
            for name in (model.name, model.id, *model.aliases):
                if name in index and index[name] is not model:
                    raise ValueError(f"the model name {name!r} is claimed by {index[name].name} and {model.name}")
                index[name] = model
        object.__setattr__(self, "_index", index)

    def get(self, name: str) -> Model | None:
        """The row of this name, living or not; None when there is none."""
        index: dict[str, Model] = self.__dict__["_index"]
        return index.get(name)

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
        model = self.get(wanted)
        if model is None or model.modality != modality:
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
