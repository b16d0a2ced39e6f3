"""Rules the data of a document must keep, such as: the total is the sum of the items. Checked here, not by the model.

A rule names fields by JMESPath (`items[].amount`). What is not there cannot be checked, which is neither kept nor
broken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import Field, StringConstraints, field_validator

from .base import Arguments

TOTALS = ("total", "total_amount", "amount_due", "grand_total")
SUBTOTALS = ("subtotal", "sub_total", "net_amount", "net_total")
TAXES = ("tax", "vat", "tax_amount", "vat_amount", "total_tax")
LISTS = ("items", "line_items", "lines", "positions")
AMOUNTS = ("amount", "line_total", "total", "price")


Path = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\u0000]*$")]


class Rule(Arguments):
    """The number at `total` is the sum of the numbers at `sum_of`, to within `tolerance`."""

    total: Path = Field(description="A JMESPath, such as total.")
    sum_of: list[Path] = Field(min_length=1, max_length=20, description='JMESPaths, such as ["items[].amount", "tax"].')
    tolerance: float = Field(0.01, ge=0, strict=True, description="How much it may be off, for rounding.")

    @field_validator("total", "sum_of")
    @classmethod
    def _paths(cls, value: str | list[str]) -> str | list[str]:
        for path in [value] if isinstance(value, str) else value:
            try:
                parsed = jmespath.compile(path).parsed
            except JMESPathError as error:
                raise ValueError(f"{path!r} is not a JMESPath") from error
            if _multiplies(parsed):
                raise ValueError(f"{path!r} makes lists of its own; name what is there")
        return value

    @property
    def words(self) -> str:
        """The rule, to be read."""
        return f"{self.total} = {' + '.join(self.sum_of)}"

    def check(self, data: Any) -> dict[str, Any]:
        """`holds`: true, false, or null where a number is missing; and what was found and expected."""
        found = _numbers(data, self.total)
        parts = [_numbers(data, path) for path in self.sum_of]
        verdict: dict[str, Any] = {"rule": self.words, "holds": None}
        if len(found) != 1 or not all(parts):
            return verdict
        expected = sum((number for part in parts for number in part), Decimal(0))
        holds = abs(found[0] - expected) <= Decimal(str(self.tolerance))
        return {**verdict, "holds": holds, "found": format(found[0], "f"), "expected": format(expected, "f")}


def usual(data: Mapping[str, Any]) -> Sequence[Rule]:
    """The rules invoices and receipts keep, as far as the data has the fields."""
    total, subtotal, tax = (_first(data, names) for names in (TOTALS, SUBTOTALS, TAXES))
    lines = _first(data, LISTS)
    entries = [entry for entry in (data.get(lines) if lines else None) or () if isinstance(entry, dict)]
    amount = _first(entries[0], AMOUNTS) if entries else None
    items = [f"{lines}[].{amount}"] if amount else []
    extra = [tax] if tax else []
    rules = []
    if subtotal and items:
        rules.append(Rule(total=subtotal, sum_of=items))
    if total and subtotal:
        rules.append(Rule(total=total, sum_of=[subtotal, *extra]))
    elif total and items:
        rules.append(Rule(total=total, sum_of=[*items, *extra]))
    return rules


def _multiplies(node: Mapping[str, Any]) -> bool:
    """Whether a path makes more than there is: `[@, @][]` again and again doubles the data each time."""
    inner = [child for child in node.get("children", ()) if isinstance(child, Mapping)]
    return node["type"] in ("multi_select_list", "multi_select_dict") or any(map(_multiplies, inner))


def _first(data: Mapping[str, Any], names: Sequence[str]) -> str | None:
    return next((name for name in names if data.get(name) is not None), None)


def _numbers(data: Any, path: str) -> list[Decimal]:
    """The numbers at a path; none where anything there is not a number."""
    try:
        found = jmespath.search(path, data)
    except JMESPathError:  # a function that does not exist, or not for what is there
        return []
    numbers = []
    for value in found if isinstance(found, list) else [found]:
        try:
            numbers.append(Decimal(str(value).replace(",", "")) if not isinstance(value, bool) else Decimal("nan"))
        except InvalidOperation:
            return []
    return numbers if all(number.is_finite() for number in numbers) else []
