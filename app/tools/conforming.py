"""Whether data follows a JSON Schema that a caller or a model wrote, found out within bounds.

Python's `re` takes for ever over some patterns, and holds the whole process meanwhile; so patterns are read by the Rust
engine that Pydantic brings, whose time grows with the text alone. A schema whose definitions fan out is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache, lru_cache
from itertools import count, islice
from typing import Any

import jsonschema
import referencing
from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

MOST_STEPS = 50_000
"""Keywords looked at; a page of an invoice takes some hundreds. This many take some seconds, beside everything else."""
MOST_ERRORS = 20


steps: ContextVar[Iterator[int]] = ContextVar("steps")


class NotChecked(ValueError):
    """The data could not be checked; the message says why."""


def faults(data: Any, schema: Mapping[str, Any]) -> list[str]:
    """Where the data does not follow the schema (blocking). Raises NotChecked."""
    counting = steps.set(count())
    try:  # the empty registry: a `$ref` to an address is not resolved
        errors = list(islice(bounded()(schema, registry=referencing.Registry()).iter_errors(data), MOST_ERRORS))
    except (RecursionError, ArithmeticError, ValueError, referencing.exceptions.Unresolvable) as error:
        raise NotChecked(str(error)) from error  # such as a definition of itself, or a number of 500 digits
    finally:
        steps.reset(counting)
    return [f"{error.json_path.removeprefix('$.')}: {error.message}"[:300] for error in errors]


@cache
def bounded() -> Any:
    """The class of validators that count their steps."""
    keywords = {**jsonschema.Draft202012Validator.VALIDATORS, "pattern": matches}
    return jsonschema.validators.extend(
        jsonschema.Draft202012Validator, {name: counted(check) for name, check in keywords.items()}
    )


def counted(check: Callable[..., Any]) -> Callable[..., Any]:
    """The check of a keyword, as one step."""

    def checking(*said: Any) -> Any:
        if next(steps.get()) > MOST_STEPS:
            raise NotChecked("the schema takes too long")
        return check(*said)

    return checking


def matches(validator: Any, pattern: str, text: Any, schema: Mapping[str, Any]) -> Iterator[jsonschema.ValidationError]:
    """The keyword `pattern`."""
    if isinstance(text, str):
        try:
            compiled(pattern).validate_python(text)
        except SchemaError as error:
            raise NotChecked(f"the pattern {pattern!r}") from error
        except ValidationError:
            yield jsonschema.ValidationError(f"{text!r} does not match {pattern!r}")


@lru_cache(maxsize=256)
def compiled(pattern: str) -> SchemaValidator:
    """What matches a pattern. Raises SchemaError where it looks around or back, or is too large."""
    return SchemaValidator(core_schema.str_schema(pattern=pattern))


def unbounded(node: Any, *, top: bool = True) -> str | None:
    """What keeps a schema from being checked within bounds; None when nothing does."""
    if isinstance(node, Mapping):
        if not top and isinstance(node.get("$schema"), str):
            return "the schema names another $schema inside"
        if isinstance(node.get("patternProperties"), Mapping):
            return "patternProperties cannot be used here; name the properties, or use additionalProperties"
        if isinstance(pattern := node.get("pattern"), str):
            try:
                compiled(pattern)
            except SchemaError:
                return f"the pattern {pattern[:100]!r} cannot be used here: it looks around or back, or is too large"
    inner = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    return next(filter(None, (unbounded(one, top=False) for one in inner)), None)
