"""What a request costs: before it is made, by the catalogue's prices; and after, by what was used.

A price that is not known is None, never zero. Sources of the prices: the `source` of each row in the TOML files.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_UP, Decimal

from .catalogue import Model
from .shapes import fit_duration
from .types import (
    EditRequest,
    ImageRequest,
    MediaRequest,
    SpeechRequest,
    TranscriptionRequest,
    Usage,
    VideoRequest,
    input_ids,
)

MICRO_USD = Decimal("0.000001")
CHARACTERS_PER_S = 15
"""How fast text is read aloud, roughly: for a reserve, not for a bill."""
SECONDS_IN = {"second": 1, "minute": 60, "hour": 3600}
OUTPUT_UNITS = ("1M_image_output_tokens", "1M_audio_output_tokens", "1M_video_output_tokens", "1M_output_tokens")


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
