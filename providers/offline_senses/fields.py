"""The labelled fields of a document's text: `Invoice No: 123`, `Total 42.00`, rows of items, dates, amounts."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from ..offline_media.text import words_of

Items = list[dict[str, object]]

MONEY = r"-?(?:[$€£¥]\s?)?-?\d{1,3}(?:[,.' ]\d{3})*(?:[.,]\d{2})(?:\s?(?:[$€£¥]|[A-Z]{3}\b))?"
AMOUNT = re.compile(rf"(?<![\w.,]){MONEY}(?![\w.,]\d)")
LABELLED = re.compile(r"^(?P<label>[^\W\d_][^:\n]{0,40}?)\s*:\s*(?P<value>.*)$")
NUMBERED = re.compile(
    r"^(?P<label>[^\W\d_][\w ]{1,30}?)\s*(?:#|\bno\.?|\bnr\.?|\bnumber)\s*(?P<value>[A-Z0-9][\w/-]*)$", re.IGNORECASE
)
SUMMED = re.compile(
    r"^(?P<label>(?:grand |sub-?\s?|net |gross )?total(?: due| amount)?|subtotal|amount due|balance(?: due)?|sales tax|"
    r"tax|vat|gst|discount|shipping|delivery|tip|change|cash|paid)\b[^\d\n-]*?(?:\(?\d{1,2}(?:[.,]\d)?\s?%\)?)?"
    rf"[^\d\n-]*?(?P<value>{MONEY})$",
    re.IGNORECASE,
)
ITEM = re.compile(
    rf"^(?P<description>.*?[^\W\d_].*?)\s+(?P<quantity>\d{{1,5}}(?:[.,]\d{{1,3}})?)\s*(?:x|×|pcs|h)?\s+(?P<unit_price>{MONEY})\s+"  # noqa: RUF001
    rf"(?P<amount>{MONEY})$"
)
COUNTED = re.compile(rf"^(?P<quantity>\d{{1,4}})\s*(?:x|×)\s+(?P<description>.*?[^\W\d_].*?)\s+(?P<amount>{MONEY})$")  # noqa: RUF001
BOUGHT = re.compile(rf"^(?P<description>[^\W\d_][^:]*?)\s+(?P<amount>{MONEY})$")
APART = re.compile(r"\t+|[ ]{3,}")
FURTHER = re.compile(
    r"\s+(?=(?:(?:Due|Invoice|Order|Customer|Account|Phone|Bill|Ship|Payment|Delivery|Tax|Total|VAT|PO|Issue)\s)?"
    r"[A-Z][\w.-]*:\s|(?:Due|Invoice|Order|Payment|Delivery|Issue)\s(?:date|due|no|number):\s)"
)
"""Where a second label may begin in a line."""
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
PHONE = re.compile(r"(?<!\w)\+?\d[\d ()/-]{7,}\d(?!\w)")
CURRENCY = re.compile(r"[$€£¥]|\b(?:USD|EUR|GBP|CHF|JPY|CAD|AUD|SEK|NOK|DKK|PLN|INR)\b")
SIGNS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}
_MONTHS = "january february march april may june july august september october november december"
MONTHS = {name: number for number, month in enumerate(words_of(_MONTHS), 1) for name in (month, month[:3], month[:4])}
DATE = re.compile(
    r"\b(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})\b|\b(?P<a>\d{1,2})[./](?P<b>\d{1,2})[./](?P<c>\d{4}|\d{2})\b|"
    r"\b(?P<d1>\d{1,2})(?:st|nd|rd|th|\.)?\s+(?P<m1>[A-Za-z]{3,9})\.?,?\s+(?P<y1>\d{4})\b|"
    r"\b(?P<m2>[A-Za-z]{3,9})\.?\s+(?P<d2>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<y2>\d{4})\b"
)
DAY_LABEL = re.compile(r"[^:\d]*\b(?:date|dated|due|issued|expires)\b[^:\d]*:", re.IGNORECASE)


def _apart(line: str) -> Iterator[str]:
    """The fields that stand side by side in a line."""
    for piece in APART.split(line):
        first = piece.find(":")
        cuts = [match.start() for match in FURTHER.finditer(piece) if 0 <= first < match.start()]
        yield from (piece[start:end] for start, end in zip([0, *cuts], [*cuts, len(piece)], strict=True))


def columns_of_dates(lines: list[str]) -> dict[int, str]:
    """Labels of dates one below the other, with the dates below them all: the number of a label's line -> its date.

    Where there are fewer dates than labels, none is told, as it might be that of any label.
    """
    found: dict[int, str] = {}
    first = 0
    while first < len(lines):
        end = next((n for n in range(first, len(lines)) if not DAY_LABEL.fullmatch(lines[n])), len(lines))
        dates = [line for line in lines[end : 2 * end - first] if DATE.fullmatch(line)]
        if end - first > 1 and dates:
            known = dates if len(dates) == end - first else [""] * (end - first)
            found |= dict(zip(range(first, end), known, strict=True))
        first = end + 1
    return found


@dataclass(frozen=True)
class Document:
    """A document as text, and the fields found in it."""

    text: str
    lines: list[str] = field(init=False)

    def __post_init__(self) -> None:
        whole = (line.strip() for line in self.text.replace("\r", "\n").split("\n"))
        object.__setattr__(self, "lines", [line for line in whole if line])

    @cached_property
    def fields(self) -> list[tuple[str, str]]:
        """Labels and values, in order, each label once."""
        found: dict[str, str] = {}
        for label, value in self._fields():
            plain = re.sub(r"\([^)]*\)|[*_]+", "", label).strip(" .-#")
            if plain and value and len(words_of(plain)) <= 5:
                found.setdefault(plain, value)
        return list(found.items())

    def _fields(self) -> Iterator[tuple[str, str]]:
        columns = columns_of_dates(self.lines)
        for n, line in enumerate(self.lines):
            if n in columns:
                yield line.rstrip(" :"), columns[n]
                continue
            if ITEM.match(line):
                continue
            if summed := SUMMED.match(line):
                yield summed["label"], summed["value"]
                continue
            for part in filter(None, map(str.strip, _apart(line))):
                if labelled := LABELLED.match(part):
                    below = self.lines[n + 1] if n + 1 < len(self.lines) else ""
                    spare = below if part == line and ":" not in below and not ITEM.match(below) else ""
                    if labelled["value"] or (DAY_LABEL.fullmatch(line) and not DATE.match(below)):
                        spare = ""  # a line to fill in is empty, and so is a day with something else below it
                    yield labelled["label"], labelled["value"].strip(" _.") or spare
                elif numbered := NUMBERED.match(part):
                    yield f"{numbered['label']} number", numbered["value"]

    @cached_property
    def items(self) -> Items:
        """The rows of a list of goods: description, quantity, unit price, amount; fewer where the row has fewer."""
        rows = [match for line in self.lines if (match := ITEM.match(line) or COUNTED.match(line))]
        if not rows and "total" in self.text.lower():
            plain = [line for line in self.lines if not SUMMED.match(line)]
            rows = [match for line in plain if (match := BOUGHT.match(line))]
        names = ("description", "quantity", "unit_price", "amount")
        return [
            {
                name: row[name].strip() if name == "description" else number_in(row[name])
                for name in names
                if name in row.re.groupindex
            }
            for row in rows
        ]

    @property
    def currency(self) -> str | None:
        """The currency of the amounts, ISO 4217."""
        found = CURRENCY.search(self.text)
        return SIGNS.get(found[0], found[0]) if found else None


def number_in(text: str) -> float | None:
    """The first number in a text, whichever way its decimals and thousands are marked."""
    found = re.search(r"-?\s?(?:[$€£¥]\s?)?-?\d[\d.,' ]*", text)
    if found is None:
        return None
    digits = re.sub(r"[^\d.,-]", "", found[0]).strip(".,")
    mark = max(digits.rfind("."), digits.rfind(","))
    behind = len(digits) - mark - 1
    only = digits.count(".") + digits.count(",") == 1
    if mark >= 0 and (behind != 3 or not only or digits[:mark].lstrip("-") in ("", "0")) and behind <= 4:
        digits = re.sub(r"[.,]", "", digits[:mark]) + "." + digits[mark + 1 :]
    else:
        digits = re.sub(r"[.,]", "", digits)
    try:
        return float(digits)
    except ValueError:
        return None


def date_in(text: str) -> tuple[str, float] | None:
    """The first date in a text as YYYY-MM-DD, and how sure that is: in 03/04/2026 the day may be either."""
    for found in DATE.finditer(text):
        sure = 1.0
        if found["y"]:
            year, month, day = int(found["y"]), int(found["m"]), int(found["d"])
        elif found["a"]:
            day, month, year = int(found["a"]), int(found["b"]), int(found["c"])
            year += 2000 if year < 100 else 0
            if month > 12 or (day > 12 and month > 12):
                day, month = month, day
            elif day <= 12 and day != month and "/" in found[0]:
                sure = 0.6
        else:
            named = found["m1"] or found["m2"]
            month = MONTHS.get(named.lower(), 0)
            day, year = int(found["d1"] or found["d2"]), int(found["y1"] or found["y2"])
        try:
            return dt.date(year, month, day).isoformat(), sure
        except ValueError:
            continue
    return None
