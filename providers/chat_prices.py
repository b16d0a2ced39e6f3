"""What a chat turn cost, by the model's name and the tokens the vendor reported.

Prices come from genai-prices, else from the catalogue's row. At a gateway the same name is priced the same: what the
gateway itself charges is not known here, so there the figure is an estimate.
"""

from __future__ import annotations

import logging
from decimal import Decimal

from .catalogue import Model
from .prices import round_up
from .types import Usage

log = logging.getLogger(__name__)


def chat_cost(model: str, usage: Usage | None, row: Model | None = None, *, provider: str = "openai") -> Decimal | None:
    """USD, or None where the tokens or the price are not known: unknown is not zero.

    The first call takes about 0.4 s (measured with genai-prices 0.2.3: half of it the import, half its price table):
    call it off the event loop.
    """
    if usage is None or not usage.input_tokens or usage.output_tokens is None:
        return None  # no turn reads nothing: servers that do not count say 0
    amount = _library_cost(model, usage, provider)
    if amount is None and row is not None:
        amount = _row_cost(row, usage)
    if amount is None:
        return None
    if not amount:
        # genai-prices gives 0 where a model is billed in a unit that the usage does not name
        log.error("the price of %s came out as zero; the cost of this turn is recorded as unknown", model)
        return None
    return round_up(amount)


def _library_cost(model: str, usage: Usage, provider: str) -> Decimal | None:
    from genai_prices import Usage as Tokens  # here, because importing it takes 0.2 s
    from genai_prices import calc_price

    tokens = Tokens(
        input_tokens=usage.input_tokens,  # includes the cached ones, as OpenAI's prompt_tokens do
        cache_read_tokens=min(usage.cached_input_tokens or 0, usage.input_tokens or 0),
        input_audio_tokens=min(usage.audio_input_tokens or 0, usage.input_tokens or 0),
        output_tokens=usage.output_tokens,
    )
    try:
        return calc_price(tokens, model, provider_id=provider).total_price
    except LookupError:
        return None


def _row_cost(row: Model, usage: Usage) -> Decimal | None:
    prices = {price.unit: price.usd for price in row.price}
    if "1M_input_tokens" not in prices or "1M_output_tokens" not in prices or row.price_is_proxy:
        return None
    read, written = usage.input_tokens or 0, usage.output_tokens or 0
    cached = min(usage.cached_input_tokens or 0, read)
    total = (
        (read - cached) * prices["1M_input_tokens"]
        + cached * prices.get("1M_cached_input_tokens", prices["1M_input_tokens"])
        + written * prices["1M_output_tokens"]
    )
    return total / 1_000_000
