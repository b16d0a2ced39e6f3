"""Fills a JSON Schema from the labelled fields of a document: which is meant by a property, and how sure that is."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..offline_media.text import words_of
from .days import day_in, other_day, own_day_in
from .fields import EMAIL, PHONE, Document, date_in, number_in

SAME_WORDS = {
    word: meant
    for meant, words in {
        "number": "no nr num nbr id ref reference nummer numero",
        "quantity": "qty count units menge pieces",
        "amount": "amt betrag price sum value",
        "tax": "vat gst mwst ust taxes",
        "email": "mail",
        "phone": "tel telephone mobile telefon",
        "date": "datum dated day",
        "seller": "vendor supplier from issuer merchant store shop company",
        "buyer": "customer client to billed recipient",
        "total": "gesamt summe grand",
        "invoice": "rechnung bill",
        "due": "payable deadline",
        "description": "item product article name text service",
    }.items()
    for word in words.split()
}
EMPTY_WORDS = frozenset(words_of("amount invoice receipt document the of value field full issue issued"))
LEAST = 0.5
"""Below this a label is another one."""
BY_KIND = 0.85
"""How sure a value is that was found by its own shape, such as an e-mail address, without a label."""
FIRST_LINE = 0.4
MOST_DEPTH = 6
NO_TEXT = "(all of it: there is no text in the file, and the offline stand-in does not recognise letters in pictures)"


class Filling:
    """The data for one schema, with how sure each field is, and the fields that were not found."""

    def __init__(self, document: Document, schema: Mapping[str, Any], root: Mapping[str, Any]) -> None:
        self.document = document
        self.root = root
        self.confidence: dict[str, float] = {}
        self.missing: list[str] = []
        self.data = self._object(schema, "", frozenset(), 0)
        if not document.text.strip():
            self.missing.append(NO_TEXT)

    def _object(self, schema: Mapping[str, Any], path: str, of: frozenset[str], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        if not properties and not path:
            return self._anything()
        data: dict[str, Any] = {}
        for name, raw in (properties or {}).items():
            place = f"{path}.{name}" if path else name
            kinds, inner = self._resolved(raw)
            value = self._value(name, inner, kinds, place, of, depth)
            if value is not None:
                data[name] = value
            elif "null" in kinds:
                data[name] = None
        return data

    def _value(
        self, name: str, schema: Mapping[str, Any], kinds: set[str], place: str, of: frozenset[str], depth: int
    ) -> Any:
        if "object" in kinds and depth < MOST_DEPTH:
            return self._object(schema, place, of | meant(name), depth + 1) or ({} if "null" not in kinds else None)
        if "array" in kinds:
            return self._list(name, schema, place, "null" in kinds)
        value, sure = self._single(name, schema, kinds, of)
        if value is None:
            self.missing.append(place)
            self.confidence[place] = 0.0
        else:
            self.confidence[place] = round(sure, 2)
        return value

    def _list(self, name: str, schema: Mapping[str, Any], place: str, nullable: bool) -> list[Any] | None:
        kinds, inner = self._resolved(schema.get("items", {}))
        found: list[Any] = []
        if "object" in kinds and inner.get("properties"):
            found = [self._row(row, inner, f"{place}[{n}]") for n, row in enumerate(self.document.items)]
        elif meant(name) & {"email", "emails"}:
            found = list(dict.fromkeys(EMAIL.findall(self.document.text)))
            self.confidence |= {f"{place}[{n}]": BY_KIND for n in range(len(found))}
        if not found:
            self.missing.append(place)
            self.confidence[place] = 0.0
        return found if found or not nullable else None

    def _row(self, row: Mapping[str, Any], schema: Mapping[str, Any], place: str) -> dict[str, Any]:
        """One item, by the columns that are known."""
        data: dict[str, Any] = {}
        for name, raw in schema["properties"].items():
            kinds, _ = self._resolved(raw)
            column = column_for(name)
            value = row.get(column) if column else None
            if value is not None and not kinds & {"number", "integer"}:
                value = str(value)
            elif value is not None and "number" not in kinds:
                value = round(value)
            if value is not None:
                data[name], self.confidence[f"{place}.{name}"] = value, 0.9
            else:
                self.missing.append(f"{place}.{name}")
                if "null" in kinds:
                    data[name] = None
        return data

    def _single(self, name: str, schema: Mapping[str, Any], kinds: set[str], of: frozenset[str]) -> tuple[Any, float]:
        """The value of a property and how sure it is; None and 0 where there is none."""
        names = [(meant(name), 1.0), (meant(name) | of, 1.0), (meant(str(schema.get("title", ""))), 0.95)]
        names.append((meant(str(schema.get("description", ""))[:60]), 0.8))
        best: tuple[Any, float] = (None, 0.0)
        dated = "date" in names[1][0] or is_date(schema)
        day = other_day(names[1][0] | names[2][0]) if dated else None
        for label, text in self.document.fields:
            if dated and day != other_day(meant(label)):
                continue  # the date of an invoice is not the day it is due
            score = max(alike(words, meant(label)) * factor for words, factor in names if words)
            score = max(score, BY_KIND) if day and date_in(text) else score
            if score < LEAST or score <= best[1]:
                continue
            value, sure = self._parsed(text, schema, kinds)
            if value is not None and score * sure > best[1]:
                best = value, score * sure
        return best if best[0] is not None else self._by_kind(meant(name) | of, kinds, schema)

    def _by_kind(self, words: frozenset[str], kinds: set[str], schema: Mapping[str, Any]) -> tuple[Any, float]:
        """A value that is known by its own shape."""
        text = self.document.text
        if kinds & {"number", "integer", "boolean"}:
            return None, 0.0
        if "email" in words or schema.get("format") == "email":
            found = EMAIL.search(text)
            return (found[0], BY_KIND) if found else (None, 0.0)
        if "phone" in words:
            found = PHONE.search(text)
            return (found[0], BY_KIND) if found else (None, 0.0)
        if "currency" in words and self.document.currency:
            return self.document.currency, BY_KIND
        if "date" in words:
            day = other_day(words)
            dated = day_in(text, day) if day else own_day_in(text)
            return (dated[0], dated[1] * (BY_KIND if day else 0.6)) if dated else (None, 0.0)
        if "seller" in words and self.document.lines:
            return self.document.lines[0][:200], FIRST_LINE
        return None, 0.0

    def _parsed(self, text: str, schema: Mapping[str, Any], kinds: set[str]) -> tuple[Any, float]:
        """A value as the schema wants it, and how sure that is; None where it cannot be."""
        if choices := schema.get("enum"):
            same = next((one for one in choices if str(one).lower() in text.lower()), None)
            return same, 0.9
        if kinds & {"number", "integer"}:
            number = number_in(text)
            if number is None:
                return None, 0.0
            return (number, 1.0) if "number" in kinds else (round(number), 1.0 if number == round(number) else 0.5)
        if "boolean" in kinds:
            word = next(iter(words_of(text)), "")
            return (word in YES, 0.9) if word in YES | NO else (None, 0.0)
        if is_date(schema):
            return date_in(text) or (None, 0.0)
        pattern = schema.get("pattern")
        if isinstance(pattern, str) and not _fits(pattern, text):
            return None, 0.0
        return text, 1.0

    def _anything(self) -> dict[str, Any]:
        """Every field there is, for a schema that names none."""
        found = {snake(label): value for label, value in self.document.fields}
        self.confidence |= dict.fromkeys(found, 0.8)
        return found

    def _resolved(self, raw: Any) -> tuple[set[str], Mapping[str, Any]]:
        """The types a schema takes, and the schema itself without its references and alternatives."""
        schema = raw if isinstance(raw, Mapping) else {}
        for _ in range(8):
            if "$ref" in schema:
                name = str(schema["$ref"]).rsplit("/", 1)[-1]
                schema = {**self.root.get("$defs", {}), **self.root.get("definitions", {})}.get(name, {})
            else:
                break
        kinds: set[str] = set()
        for choice in [one for key in ("anyOf", "oneOf") for one in schema.get(key, ())]:
            more, inner = self._resolved(choice)
            kinds |= more
            if "null" not in more:
                schema = {**{key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}, **inner}
        said = schema.get("type", ())
        kinds |= {said} if isinstance(said, str) else set(said)
        if not kinds:
            kinds = {"object"} if "properties" in schema else {"string"}
        return kinds, schema


YES = frozenset(words_of("yes true x checked ja oui si on"))
NO = frozenset(words_of("no false unchecked nein non off none"))


def meant(name: str) -> frozenset[str]:
    """The words of a property's name or of a label, each in the one form it is compared in."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.replace("e-mail", "email").replace("E-mail", "email"))
    return frozenset(SAME_WORDS.get(word, word) for word in words_of(apart.replace("#", " number ").replace("_", " ")))


def alike(one: frozenset[str], other: frozenset[str]) -> float:
    """How surely two names mean the same, 0 to 1."""
    if one == other:
        return 1.0
    bare, plain = one - EMPTY_WORDS, other - EMPTY_WORDS
    if bare and bare == plain:
        return 0.9
    one, other = bare or one, plain or other
    if one <= other or other <= one:
        return 0.85 * math.sqrt(min(len(one), len(other)) / max(len(one), len(other)))
    return 0.9 * len(one & other) / len(one | other)


def column_for(name: str) -> str | None:
    """The column of an item that a property means."""
    words = meant(name)
    if "quantity" in words:
        return "quantity"
    if "unit" in words or (name.lower() in ("price", "rate", "cost")):
        return "unit_price"
    if words & {"amount", "total"}:
        return "amount"
    return "description" if words & {"description"} else None


def snake(label: str) -> str:
    """A label as the name of a property: "invoice_number" of "Invoice No."."""
    numbers = ("no", "nr", "num", "#")
    words = ["number" if word in numbers else word for word in words_of(label.replace("#", " no "))]
    return "_".join(words)[:60] or "field"


def is_date(schema: Mapping[str, Any]) -> bool:
    """Whether a schema asks for a day."""
    return schema.get("format") == "date" or "YYYY-MM-DD" in str(schema.get("description", ""))


def _fits(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True


def proposed_schema(document: Document) -> dict[str, Any] | None:
    """A schema of what was found in a document; None where nothing was."""
    if not document.fields and not document.items:
        return None
    properties: dict[str, Any] = {}
    for label, value in document.fields[:40]:
        properties.setdefault(snake(label), _kind_of(label, value))
    if document.items:
        columns = _columns(document.items)
        rows = {"type": "object", "properties": columns, "required": list(columns), "additionalProperties": False}
        properties["items"] = {"type": "array", "items": rows}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _columns(rows: Sequence[Mapping[str, object]]) -> dict[str, Any]:
    return {name: {"type": "string" if name == "description" else "number"} for name in rows[0]}


def _kind_of(label: str, value: str) -> dict[str, Any]:
    if "number" in meant(label) or "phone" in meant(label):
        return {"type": "string"}
    if re.fullmatch(r"[-$€£¥\s]*\d[\d.,' ]*(?:\s?[$€£¥%]|\s?[A-Z]{3})?", value):
        return {"type": "number"}
    if (dated := date_in(value)) and len(value) < 24 and dated[0]:
        return {"type": "string", "format": "date"}
    return {"type": "string"}
