"""What a chat turn cost: the library's price, else the row's; and unknown is not zero."""

from decimal import Decimal
from typing import Any

import pytest

from providers.catalogue import Model, Price
from providers.chat_prices import chat_cost
from providers.types import Usage

READ_AND_WRITTEN = Usage(input_tokens=1000, output_tokens=100)


def row(**units: str) -> Model:
    price = tuple(Price(unit=f"1M_{unit}", usd=Decimal(usd)) for unit, usd in units.items())
    return Model(id="house-model", vendor="openai", modality="chat", price=price)


def test_a_known_model_is_priced_by_its_name() -> None:
    assert chat_cost("gpt-4o", READ_AND_WRITTEN) == Decimal("0.0035")


def test_cached_tokens_are_cheaper() -> None:
    usage = Usage(input_tokens=1000, cached_input_tokens=100, output_tokens=100)
    assert chat_cost("gpt-4o", usage) == Decimal("0.003375")


def test_a_dated_snapshot_has_the_price_of_its_model() -> None:
    assert chat_cost("gpt-4o-2024-11-20", READ_AND_WRITTEN) == Decimal("0.0035")


def test_a_model_the_library_does_not_know_is_priced_by_its_row() -> None:
    usage = Usage(input_tokens=1000, cached_input_tokens=400, output_tokens=100)
    priced = row(input_tokens="2", cached_input_tokens="1", output_tokens="10")
    assert chat_cost("house-model", usage, priced) == Decimal("0.0026")


def test_without_a_cached_price_cached_tokens_cost_as_others() -> None:
    usage = Usage(input_tokens=1000, cached_input_tokens=400, output_tokens=0)
    assert chat_cost("house-model", usage, row(input_tokens="2", output_tokens="10")) == Decimal("0.002")


@pytest.mark.parametrize("priced", [None, row(), row(input_tokens="2")])
def test_a_model_without_a_price_costs_an_unknown_amount(priced: Model | None) -> None:
    assert chat_cost("house-model", READ_AND_WRITTEN, priced) is None


@pytest.mark.parametrize(
    "usage",
    [None, Usage(), Usage(input_tokens=5), Usage(output_tokens=5), Usage(input_tokens=0, output_tokens=0)],
)
def test_without_both_counts_the_cost_is_unknown(usage: Usage | None) -> None:
    assert chat_cost("gpt-4o", usage) is None


def test_a_price_of_zero_is_unknown_and_logged(caplog: Any) -> None:
    """genai-prices bills tts-1 by characters, so it gives 0 for tokens."""
    assert chat_cost("tts-1", READ_AND_WRITTEN) is None
    assert "came out as zero" in caplog.text


def test_more_cached_tokens_than_tokens_do_not_break_the_price() -> None:
    usage = Usage(input_tokens=1000, cached_input_tokens=5000, output_tokens=0)
    assert chat_cost("gpt-4o", usage) == Decimal("0.00125")


def test_a_part_of_a_micro_dollar_is_rounded_up() -> None:
    assert chat_cost("gpt-6-luna", Usage(input_tokens=1, output_tokens=0)) == Decimal("0.000001")
