"""extract_document: a picture, PDF or text becomes JSON that can be relied on, or that says where it cannot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

import jsonschema
from pydantic import Field, field_validator

from prompts import render
from providers.catalogue import Catalogue

from .base import Arguments, InvalidArguments, Ref, Result, Tool, ToolFailed, check_plain
from .conforming import NotChecked, faults, unbounded
from .context import Asked, Context, Given, Question
from .looking import Answer, Unreadable, ask_for, read_json, schema_of, told
from .rules import Rule, usual

SURE = 0.7
"""Below this a field is to be looked at by a person."""
SURE_OF_TYPE = 0.5
MOST_SCHEMA_CHARS = 50_000
WITH_A_SCHEMA = "`schema_json` is null: what is to be read is known."
WITHOUT_A_SCHEMA = (
    "`schema_json` is a JSON Schema, as text, of an object that holds all the content of this document that a program "
    "would want: plain snake_case names, numbers for amounts, arrays for lists of items, required for what is there."
)
ANYTHING: Mapping[str, Any] = {"type": "object"}
DEFINITIONS = ("$defs", "definitions")
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


class DocumentType(Answer):
    type: Literal["invoice", "receipt", "form", "contract", "letter", "statement", "report", "identity", "other"]
    language: str | None = None
    confidence: float = Field(0.0, ge=0, le=1)
    proposal: str | None = Field(None, alias="schema_json")


class ExtractFields(Arguments):
    document: Ref = Field(description="The id (asset_...) or https address of a PDF, a picture of a page, or a text.")
    schema_: dict[str, Any] | None = Field(
        None, alias="schema", description="The JSON Schema the data must follow; left out: one that fits is proposed."
    )
    rules: list[Rule] = Field(
        default_factory=list,
        max_length=20,
        description='What must hold, as {"total": "total", "sum_of": ["items[].amount", "tax"]}; left out: the usual '
        "sums of invoices and receipts.",
    )

    @field_validator("schema_")
    @classmethod
    def _schema(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is not None and (problem := unusable(value)):
            raise ValueError(problem)
        return value


class ExtractArguments(ExtractFields):
    provider: str | None = Field(None, description="The model that reads; leave it out for the default.")


class ExtractDocument(Tool[ExtractArguments]):
    name = "extract_document"
    description = (
        "Read a document (PDF, picture of a page, text) into JSON: an invoice, receipt, form, contract. With a schema "
        "the data follows it. Says how sure it is of each field, what is missing, and whether a person should look."
    )
    Arguments = ExtractArguments

    def offered(self, catalogue: Catalogue) -> bool:
        return any(catalogue.offered("chat", {need}) for need in ("vision", "documents"))

    async def run(self, arguments: ExtractArguments, context: Context) -> Result:
        """Classify, read, check; read once more where the first reading does not follow the schema."""
        document = await context.input(arguments.document, "image", "document")
        needs = needs_for(document)
        asking = WITH_A_SCHEMA if arguments.schema_ else WITHOUT_A_SCHEMA
        question = Question(
            instructions=render("classify_document", schema=asking),
            text="Document:",
            media_ids=(document.id,),
            needs=needs,
            answer_schema=schema_of(DocumentType),
            detail="high",
            wanted=arguments.provider,
        )
        kind, asked = await ask_for(DocumentType, question, context)
        schema = arguments.schema_ or proposed(kind)
        instructions = render("extract_document", type=kind.type, schema=json.dumps(schema, ensure_ascii=False))
        read = replace(question, instructions=instructions, answer_schema=wrapped(schema))
        answer, problems, reader = await reading(read, schema, context)
        report = judged(answer, problems, kind, schema, arguments.rules)
        report |= {"schema": schema, "model": reader.model}
        if reader.image_tokens is not None:
            report["image_tokens"] = (asked.image_tokens or 0) + reader.image_tokens
        facts = {name: value for name, value in report.items() if name != "schema"}
        return Result({**facts, "warnings": tuple(dict.fromkeys((*asked.warnings, *reader.warnings)))}, details=report)


async def reading(
    question: Question, schema: Mapping[str, Any], context: Context
) -> tuple[dict[str, Any], list[str], Asked]:
    """The answer, and what is wrong with it. One that will not do is asked for again, once; where that fails, it is
    better than nothing."""
    first = await context.ask(question)
    answer, problems = await asyncio.to_thread(checked, first.text, schema)
    if not problems:
        return answer, [], first
    try:
        second = await context.ask(told(question, first.text, "; ".join(problems)))
    except ToolFailed:
        return answer, problems, first
    return *(await asyncio.to_thread(checked, second.text, schema)), second


def needs_for(document: Given) -> frozenset[str]:
    """What a model must be able to do to read it: a text is simply part of the question."""
    if document.type == "image":
        return frozenset({"vision"})
    return frozenset({"documents"}) if document.media_type == "application/pdf" else frozenset()


# ---- schemas ---------------------------------------------------------------------------------------------------------


def unusable(schema: Mapping[str, Any]) -> str | None:
    """Why this cannot be the schema of a document's data; None when it can."""
    try:
        text = json.dumps(schema)
    except RecursionError:
        return "the schema is nested too deeply"
    return (
        f"the schema is longer than {MOST_SCHEMA_CHARS} characters" if len(text) > MOST_SCHEMA_CHARS else _why_not(text)
    )


@lru_cache(maxsize=64)
def _why_not(text: str) -> str | None:
    """The same of a schema as text. A long one takes a second to look at, and is asked about again when it is used."""
    schema = json.loads(text)
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        return f"this is not a JSON Schema: {error.message}"
    except RecursionError:
        return "the schema is nested too deeply"
    if problem := unbounded(schema):
        return problem
    if any(not within(schema, ref) for ref in references(schema)):
        return "the schema refers to something outside of it; put it under $defs"
    return None if schema.get("type", "object") == "object" else "the schema must be that of an object"


def references(node: Any) -> Iterator[str]:
    """What a schema refers to."""
    if isinstance(node, Mapping):
        yield from (node[name] for name in REFERENCES if isinstance(node.get(name), str))
    for inner in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ():
        yield from references(inner)


def within(schema: Mapping[str, Any], reference: str) -> bool:
    """Whether it leads to a definition, which is what stays in its place when the schema becomes part of another."""
    steps = reference.split("/")
    if len(steps) != 3 or steps[0] != "#" or steps[1] not in DEFINITIONS:
        return False
    return isinstance(schema.get(steps[1], {}).get(steps[2]), Mapping | bool)


def proposed(kind: DocumentType) -> dict[str, Any]:
    """The schema the model proposes, or any object where what it proposes is not one."""
    try:
        schema = read_json(kind.proposal or "")
        check_plain(schema)
    except (Unreadable, InvalidArguments):
        return dict(ANYTHING)
    return dict(ANYTHING) if unusable(schema) else schema


def wrapped(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of the whole answer: the data, how sure the model is of each field, what is missing."""
    shared = {name: schema[name] for name in DEFINITIONS if name in schema}
    data = {name: value for name, value in schema.items() if name not in shared and name != "$schema"}
    properties = {
        "data": data,
        "confidence": {"type": "object", "additionalProperties": {"type": "number"}},
        "missing": {"type": "array", "items": {"type": "string"}},
    }
    return {"title": "Extraction", "type": "object", "properties": properties, "required": list(properties), **shared}


# ---- judgement -------------------------------------------------------------------------------------------------------


def checked(text: str, schema: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The answer as JSON, and where it does not follow the schema (blocking: a schema may be heavy to check)."""
    try:
        answer = read_json(text)
    except Unreadable as error:
        return {}, [str(error)]
    if not isinstance(answer.get("data"), dict):
        return answer, ["The answer has no object under data."]
    try:
        return answer, faults(answer["data"], schema)
    except NotChecked as error:
        return answer, [f"The data cannot be checked against the schema: {error}"[:300]]


def judged(
    answer: Mapping[str, Any],
    problems: Sequence[str],
    kind: DocumentType,
    schema: Mapping[str, Any],
    rules: Sequence[Rule],
) -> dict[str, Any]:
    """The data with everything that tells whether it can be relied on."""
    data = answer.get("data") if isinstance(answer.get("data"), dict) else None
    sure = confidences(answer.get("confidence"))
    named = answer.get("missing")
    said = {str(path) for path in named} if isinstance(named, list) else set()
    fields = dict(leaves(data or {}))
    empty = {path for path, value in fields.items() if value is None or value == ""}
    missing = sorted(empty | (said - set(fields)) | (set(schema.get("required", ())) - set(data or {})))
    usually = usual(data or {}) if kind.type in ("invoice", "receipt") else ()
    verdicts = [rule.check(data) for rule in rules or usually]
    doubtful = sorted(path for path in set(fields) - empty if sure.get(path, 0.0) < SURE)
    reasons = [
        *(["the data does not follow the schema"] if problems else []),
        *(f"the rule does not hold: {verdict['rule']}" for verdict in verdicts if verdict["holds"] is False),
        *([f"a required field is missing: {name}" for name in schema.get("required", ()) if name in missing]),
        *([f"the model is not sure of: {', '.join(doubtful[:10])}"] if doubtful else []),
        *(["the kind of document is not certain"] if kind.confidence < SURE_OF_TYPE else []),
    ]
    return {
        "type": kind.type,
        "type_confidence": kind.confidence,
        "language": kind.language,
        "data": data,
        "valid": not problems,
        "problems": list(problems),
        "confidence": {path: sure[path] for path in fields if path in sure},
        "missing": missing,
        "rules": verdicts,
        "needs_review": bool(reasons),
        "review_reasons": reasons,
    }


def confidences(value: Any) -> dict[str, float]:
    """The numbers from 0 to 1 by field path; anything else is no confidence."""
    if not isinstance(value, Mapping):
        return {}
    plain = {str(path): number for path, number in value.items() if isinstance(number, int | float)}
    return {path: float(number) for path, number in plain.items() if 0 <= number <= 1}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each single value with its path: `total`, `items[0].amount`."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{position}]")
    else:
        yield path, value
