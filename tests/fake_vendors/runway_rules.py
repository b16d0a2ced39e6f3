"""What Runway refuses: bodies are checked as strictly as zod checks them.

Their shapes are read from the types of Runway's own SDK, which were generated from its OpenAPI document.
"""

from __future__ import annotations

import functools
import importlib
import re
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Required, Union, get_args, get_origin, get_type_hints

from starlette.requests import Request
from typing_extensions import is_typeddict

from .wire import Refused, bearer

VERSION = "2024-11-06"
DOCS = "https://docs.dev.runwayml.com/api"
PROMPTS = {"hailuo3": 6000, "seedance2": 3500, "seedance2_fast": 3500, "seedance2_mini": 3500, "seedance2_5": 15_000}
PROMPTS |= {"gemini_omni_flash": 4000, "gpt_image_2": 32_000, "eleven_v3": 5000, "seed_audio": 2048}
DEFAULT_PROMPT = 1000
DURATIONS = {"gen4.5": (2, 10), "gen4_turbo": (2, 10), "hailuo3": (5, 15), "seedance2": (4, 15), "seedance2_5": (4, 30)}
REFERENCES = {"gen4_image": (0, 3), "gen4_image_turbo": (1, 3)}
DATA_URI_CHARACTERS = {"image": 5_242_880, "video": 16_777_216, "audio": 16_777_216}
URL_CHARACTERS = 2048

Json = dict[str, Any]
Issue = tuple[list[str | int], str, str]
"""Where, which code, what."""


def authorise(request: Request) -> None:
    """Refuse a request without a key, with another vendor's, or without the version."""
    if not bearer(request).startswith("key_"):
        raise Refused(401, {"error": "Unauthorized: the API key is missing or invalid.", "docUrl": DOCS})
    if request.headers.get("x-runway-version") != VERSION:
        raise Refused(400, {"error": f"The X-Runway-Version header must be {VERSION}.", "docUrl": DOCS})


@functools.cache
def shapes_of(kind: str) -> dict[str, Any]:
    """The body of each model an endpoint takes."""
    module = importlib.import_module(f"runwayml.types.{kind}_create_params")
    union = getattr(module, module.__all__[0])
    found = {}
    for shape in get_args(union) or (union,):
        model = _bare(_hints(shape)["model"])[0]
        found |= dict.fromkeys(get_args(model), shape)
    return found


@functools.cache
def _hints(shape: Any) -> Mapping[str, Any]:
    return get_type_hints(shape, include_extras=True)


def warm_up() -> None:
    """Import the SDK (most of a second) before the first task comes."""
    shapes_of("text_to_video")


def issues_of(body: Json, shapes: dict[str, Any]) -> list[Issue]:
    """Everything zod would find wrong."""
    model = body.get("model")
    if model not in shapes:
        return [(["model"], "invalid_union_discriminator", f"Invalid discriminator value. Expected {sorted(shapes)}")]
    return _object_issues(body, shapes[model], []) or _limit_issues(body, model) or _media_issues(body)


def _bare(hint: Any) -> tuple[Any, str | None, bool]:
    """A type without its wrapping, the name on the wire, and whether it must be there."""
    alias, required = None, False
    while (wrapping := get_origin(hint)) in (Required, Annotated):
        if wrapping is Required:
            required = True
        else:
            alias = next((each.alias for each in hint.__metadata__ if getattr(each, "alias", None)), alias)
        hint = get_args(hint)[0]
    return hint, alias, required


def _object_issues(body: Any, shape: Any, path: list[str | int]) -> list[Issue]:
    if not isinstance(body, dict):
        return [(path, "invalid_type", "Expected object")]
    issues: list[Issue] = []
    known = set()
    for field_name, hint in _hints(shape).items():
        kind, alias, required = _bare(hint)
        name = alias or field_name
        known.add(name)
        if name in body:
            issues += _value_issues(body[name], kind, [*path, name])
        elif required:
            issues.append(([*path, name], "invalid_type", "Required"))
    if unknown := sorted(set(body) - known):
        issues.append((path, "unrecognized_keys", f"Unrecognized key(s) in object: {', '.join(unknown)}"))
    return issues


def _value_issues(value: Any, kind: Any, path: list[str | int]) -> list[Issue]:
    wrapping = get_origin(kind)
    if wrapping is Literal:
        taken = [choice for choice in get_args(kind) if choice == value and type(choice) is type(value)]
        return [] if taken else [(path, "invalid_enum_value", f"Expected one of {list(get_args(kind))}")]
    if wrapping in (Union, types.UnionType):
        tries = [_value_issues(value, each, path) for each in get_args(kind)]
        return [] if [] in tries else tries[-1]
    if is_typeddict(kind):
        return _object_issues(value, kind, path)
    if wrapping is not None and issubclass(wrapping, Iterable) and not issubclass(wrapping, Mapping):
        if not isinstance(value, list):
            return [(path, "invalid_type", "Expected array")]
        inner = get_args(kind)[0]
        return [issue for place, each in enumerate(value) for issue in _value_issues(each, inner, [*path, place])]
    plain = {str: str, bool: bool, int: int, float: (int, float)}.get(kind, object)
    fits = isinstance(value, plain) and (kind is bool or not isinstance(value, bool) or plain is object)
    return [] if fits else [(path, "invalid_type", f"Expected {getattr(kind, '__name__', kind)}")]


def _limit_issues(body: Json, model: str) -> list[Issue]:
    """The limits the types do not state."""
    issues: list[Issue] = []
    text, longest = body.get("promptText"), PROMPTS.get(model, DEFAULT_PROMPT)
    if text is not None and not 1 <= len(text.encode("utf-16-le")) // 2 <= longest:
        issues.append((["promptText"], "too_big" if text else "too_small", f"Must have 1 to {longest} characters"))
    low, high = DURATIONS.get(model, (1, 60))
    if isinstance(body.get("duration"), int) and not low <= body["duration"] <= high:
        issues.append((["duration"], "too_big", f"Must be from {low} to {high}"))
    if not 0 <= body.get("seed", 0) <= 4_294_967_295:
        issues.append((["seed"], "too_big", "Must be from 0 to 4294967295"))
    low, high = REFERENCES.get(model, (0, 30))
    if not low <= len(body.get("referenceImages", [None] * low)) <= high:
        issues.append((["referenceImages"], "too_big", f"Must have {low} to {high} elements"))
    return issues


def _media_issues(body: Json) -> list[Issue]:
    """Inputs are https URLs with a domain name, data URIs or uploads."""
    found: list[tuple[list[str | int], str, str]] = []
    if isinstance(body.get("promptImage"), str):
        found.append((["promptImage"], "image", body["promptImage"]))
    elif "promptImage" in body:
        found += [(["promptImage", n, "uri"], "image", each["uri"]) for n, each in enumerate(body["promptImage"])]
    references = enumerate(body.get("referenceImages", ()))
    found += [(["referenceImages", n, "uri"], "image", each["uri"]) for n, each in references]
    found += [([name], "video", body[name]) for name in ("videoUri", "promptVideo") if name in body]
    return [(path, "custom", fault) for path, kind, uri in found if (fault := _uri_fault(uri, kind))]


def _uri_fault(uri: str, kind: str) -> str | None:
    if uri.startswith("runway://"):
        return None
    if uri.startswith(f"data:{kind}/"):
        return None if len(uri) <= DATA_URI_CHARACTERS[kind] else "The data URI is too long"
    if re.match(r"https://[a-zA-Z][^/]*\.[a-zA-Z]+(/|$)", uri) and len(uri) <= URL_CHARACTERS:
        return None
    return f"Must be an HTTPS URL with a domain name, a data:{kind}/ URI or a Runway upload URI"
