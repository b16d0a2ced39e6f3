"""What the tools that look, listen and read have in common: a question to a model, and an answer of a known shape."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from .base import NOT_TEXT, Result, ToolFailed
from .context import Asked, Context, Question

FENCE = re.compile(r"^\s*```(?:json)?\s*(.*?)\s*```\s*$", re.DOTALL)
Seen = TypeVar("Seen", bound="Answer")


class Answer(BaseModel):
    """Base of the answers' shapes. What a model adds beyond them is dropped, what it leaves out is empty."""

    model_config = ConfigDict(extra="ignore")


class Unreadable(ToolFailed):
    """A model's answer is not what it was asked for; the message says how."""

    code = "unreadable_answer"


def schema_of(answer: type[Answer]) -> dict[str, Any]:
    """The JSON schema a model is to follow: closed, and with every property required, as strict modes want it."""
    schema: dict[str, Any] = closed(answer.model_json_schema())
    return schema


def closed(schema: Any) -> Any:
    """A schema whose objects name all their properties and take no others."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    shut = {name: closed(value) for name, value in schema.items() if name != "default"}
    if isinstance(shut.get("properties"), dict) and shut.get("type") == "object":
        shut |= {"additionalProperties": False, "required": list(shut["properties"])}
    return shut


def read_json(text: str) -> dict[str, Any]:
    """The JSON object in an answer, also inside a code fence. Raises Unreadable."""
    fenced = FENCE.match(text)
    try:
        value = clean(json.loads(fenced[1] if fenced else text))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"The answer is not JSON ({error}).") from error
    if not isinstance(value, dict):
        raise Unreadable("The answer is not a JSON object.")
    return value


def clean(value: Any) -> Any:
    """The value without NUL and half surrogate pairs, which JSON can say and no database or client takes. Raises
    ValueError for a number that is not finite."""
    if isinstance(value, str):
        return NOT_TEXT.sub("", value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it holds a number that is not finite")
    if isinstance(value, dict):
        return {clean(name): clean(inner) for name, inner in value.items()}
    return [clean(inner) for inner in value] if isinstance(value, list) else value


def read_answer(text: str, answer: type[Seen]) -> Seen:
    """An answer of a known shape. Raises Unreadable."""
    try:
        return answer.model_validate(read_json(text))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5])
        raise Unreadable(f"The answer does not have the shape asked for ({wrong}).") from error


async def ask_for(answer: type[Seen], question: Question, context: Context) -> tuple[Seen, Asked]:
    """Ask, and ask once more, with what was wrong, where the answer cannot be read. Raises Unreadable."""
    asked = await context.ask(question)
    try:
        return read_answer(asked.text, answer), asked
    except Unreadable as error:
        again = await context.ask(told(question, asked.text, str(error)))
        return read_answer(again.text, answer), again


def told(question: Question, answered: str, problem: str) -> Question:
    """The question again, with the answer that would not do and why."""
    text = (
        f"{question.text}\n\nYour earlier answer:\n{answered[:8000]}\n\nWhat is wrong with it: {problem}\nAnswer again."
    )
    return replace(question, text=text)


def headed(**parts: str | None) -> str:
    """The parts of a question that are there, under plain headings."""
    return "\n\n".join(f"{title.capitalize()}:\n{text}" for title, text in parts.items() if text) or "Describe it."


def finding(seen: Answer, asked: Asked) -> Result:
    """A look, as a tool's result."""
    found = {**seen.model_dump(exclude_none=True), "model": asked.model}
    if asked.image_tokens is not None:
        found["image_tokens"] = asked.image_tokens
    said = getattr(seen, "answer", None) or getattr(seen, "description", None)
    return Result({**found, "warnings": asked.warnings}, details=found, words=said)
