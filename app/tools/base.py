"""What a tool is: an argument model that becomes the JSON schema the planner sees, and `run`.

A tool touches the world only through its `Context`. Whatever goes wrong becomes a sentence for the planner, which can
mend its arguments or choose another way: a failed tool never ends a run.
"""

from __future__ import annotations

import copy
import datetime as dt
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from providers.catalogue import Catalogue, needs_of
from providers.types import EditRequest, ImageRequest, MediaRequest, Modality, ToolSpec

from .context import Context, Prepared
from .schemas import plain_schema

NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
MAX_DEPTH = 20
INPUT_NAMES = ("image", "mask", "reference_images", "images", "video", "audio", "document")


class Arguments(BaseModel):
    """Base of the argument models: an unknown argument is refused, so that the planner learns of it."""

    model_config = ConfigDict(extra="forbid")


A = TypeVar("A", bound=Arguments)
Ref = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
"""An input: the id of an asset, or an https address."""


class ToolFailed(Exception):
    """The tool could not do it; the message says why, for the planner and for the user."""

    code = "tool_failed"


class InvalidArguments(ToolFailed):
    """The planner's arguments cannot be used; the message says what to mend."""

    code = "invalid_arguments"


@dataclass(frozen=True)
class Result:
    """What a tool gives back: facts for the planner (plain JSON values), the assets made, pictures it must see.

    `details` is the whole result for the caller, where the planner is told only what it needs; `words` is what a caller
    who asked for this tool alone reads first.
    """

    facts: Mapping[str, Any]
    asset_ids: tuple[str, ...] = ()
    image_ids: tuple[str, ...] = ()
    details: Mapping[str, Any] | None = None
    words: str | None = None


@dataclass(frozen=True)
class Choice:
    """One value of an enumeration the planner sees, with a line on when to choose it."""

    value: str
    when: str


class Tool(Generic[A]):
    """One tool. Subclasses set the class attributes and write `run`."""

    name: ClassVar[str]
    description: ClassVar[str]
    modality: ClassVar[Modality | None] = None
    """The modality that must be available for the tool to be offered; None: always."""
    Arguments: type[A]

    def offered(self, catalogue: Catalogue) -> bool:
        """Whether the tool works here and now."""
        return self.modality is None or bool(catalogue.offered(self.modality))

    def choices(self, catalogue: Catalogue) -> Mapping[str, list[Choice]]:
        """The enumerations that depend on what is available: argument name -> its values."""
        return {}

    def spec(self, catalogue: Catalogue) -> ToolSpec:
        """What the planner is told of this tool, as of now."""
        schema = copy.deepcopy(plain_schema(self.Arguments))
        for argument, choices in self.choices(catalogue).items():
            if not choices:
                continue  # an empty enumeration is no JSON Schema
            field_schema = schema["properties"][argument]
            field_schema["enum"] = [choice.value for choice in choices]
            lines = "; ".join(f"{choice.value}: {choice.when}" for choice in choices if choice.when)
            field_schema["description"] = f"{field_schema.get('description', '')} {lines}".strip()
        return ToolSpec(name=self.name, description=self.description, parameters=schema)

    def parse(self, text: str) -> A:
        """The arguments out of the planner's JSON text. Raises InvalidArguments with a sentence on what to mend."""
        try:
            return self.Arguments.model_validate(read_object(text))
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, problem['loc'])) or 'arguments'}: {problem['msg']}" for problem in error.errors()
            )
            raise InvalidArguments(f"The arguments of {self.name} are not valid: {wrong}.") from error

    def inputs(self, arguments: A) -> list[tuple[str, str]]:
        """The asset ids and addresses among the arguments, each behind its place: `image`, `reference_images.0`."""
        found: list[tuple[str, str]] = []
        for name in INPUT_NAMES:
            given = getattr(arguments, name, None) or ()
            many = [(f"{name}.{position}", ref) for position, ref in enumerate(given)]
            found += [(name, given)] if isinstance(given, str) else many
        return found

    async def run(self, arguments: A, context: Context) -> Result:
        """Do the work."""
        raise NotImplementedError


class Maker(Tool[A]):
    """A tool that hires a vendor for one media request. Subclasses say what to ask for; the rest is common."""

    modality: ClassVar[Modality]
    basic_need: ClassVar[str]
    """The capability a model must have to be listed as a provider of this tool."""

    def offered(self, catalogue: Catalogue) -> bool:
        return bool(catalogue.offered(self.modality, {self.basic_need}))

    async def request(self, arguments: A, context: Context) -> MediaRequest:
        """The media request these arguments ask for, its `model` still empty."""
        raise NotImplementedError

    def choices(self, catalogue: Catalogue) -> Mapping[str, list[Choice]]:
        models = catalogue.offered(self.modality, {self.basic_need})
        return {"provider": [Choice(catalogue.shown_name(model), model.when) for model in models if model.when]}

    async def run(self, arguments: A, context: Context) -> Result:
        """Choose a model that can do it (a pinned one before the planner's), and have it made."""
        counts = await self._counts(arguments, context)
        made = await context.make(
            *(partial(self.prepare, arguments, context, count, sum(counts[:part])) for part, count in enumerate(counts))
        )
        ids = tuple(str(asset["id"]) for asset in made.assets)
        return Result({"assets": made.assets, "warnings": made.warnings}, ids)

    async def prepare(self, arguments: A, context: Context, count: int = 1, before: int = 0) -> Prepared:
        """The request with its model, for `count` of the works after the first `before` of them."""
        request = await self.request(arguments, context)
        wanted = context.pinned(self.modality) or getattr(arguments, "provider", None)
        chosen = context.catalogue.choose(self.modality, wanted, needs_of(request))
        update: dict[str, Any] = {"model": chosen.model.name}
        if isinstance(request, ImageRequest | EditRequest):
            seed = None if request.seed is None else request.seed + before  # else all parts show the same picture
            update |= {"n": count, "seed": seed}
        return request.model_copy(update=update), chosen.warnings

    async def _counts(self, arguments: A, context: Context) -> list[int]:
        """How many works each call is for: a model that makes fewer at once is called several times. Calls begun before
        a crash stay as they are, whatever the model makes at once by now, and only the rest is divided."""
        wanted = int(getattr(arguments, "n", 1))
        if wanted == 1:
            return [1]
        begun = {part: int(getattr(request, "n", 1)) for part, request in (await context.begun()).items()}
        most = max(begun.values()) if begun else await self._most(arguments, context)
        left, counts = wanted - sum(begun.values()), list[int]()
        while left > 0 or len(counts) <= max(begun, default=-1):
            part = len(counts)
            gaps = sum(later not in begun for later in range(part + 1, max(begun, default=0)))
            counts.append(begun.get(part) or max(1, min(most, left - gaps)))
            left -= 0 if part in begun else counts[part]
        return counts

    async def _most(self, arguments: A, context: Context) -> int:
        """How many works the model makes at once."""
        model = context.catalogue.get((await self.prepare(arguments, context))[0].model)
        return int(model.limits.get("max_images_out", 1)) if model is not None else 1


@dataclass(frozen=True)
class Toolbox:
    """The tools of a deployment, by name."""

    tools: Mapping[str, Tool[Any]] = field(default_factory=dict)
    _shown: list[tuple[Catalogue, dt.date, tuple[ToolSpec, ...]]] = field(default_factory=list, repr=False)

    def specs(self, catalogue: Catalogue) -> tuple[ToolSpec, ...]:
        """What the planner is shown: only what works here and now. It changes when a model retires, so it is made once
        a day."""
        today = catalogue.today()
        for known, day, specs in self._shown:
            if known is catalogue and day == today:
                return specs
        specs = tuple(tool.spec(catalogue) for tool in self._offered(catalogue))
        self._shown[:] = [(catalogue, today, specs)]
        return specs

    def _offered(self, catalogue: Catalogue) -> list[Tool[Any]]:
        return [tool for tool in self.tools.values() if tool.offered(catalogue)]

    def get(self, name: str, catalogue: Catalogue) -> Tool[Any]:
        """The tool of that name. Raises InvalidArguments when it is unknown or not available."""
        tool = self.tools.get(name)
        if tool is not None and tool.offered(catalogue):
            return tool
        names = ", ".join(each.name for each in self._offered(catalogue))
        missing = f"There is no tool {name!r}" if tool is None else f"{name} is not available here"
        raise InvalidArguments(f"{missing}; the tools are: {names}.")


def read_object(text: str) -> dict[str, Any]:
    """One JSON object out of what a model wrote as arguments; nothing at all means no arguments.

    Raises InvalidArguments on anything else, several objects one after the other included (seen in the wild).
    """
    if not text.strip():
        return {}
    try:
        value, end = json.JSONDecoder().raw_decode(text.strip())
    except (ValueError, RecursionError) as error:  # also a number of 5,000 digits, and 100,000 open brackets
        raise InvalidArguments(f"The arguments are not valid JSON ({error}); send one JSON object.") from error
    if text.strip()[end:].strip():
        raise InvalidArguments("The arguments hold more than one JSON value; make one call for each object.")
    if not isinstance(value, dict):
        raise InvalidArguments("The arguments must be one JSON object.")
    check_plain(value)
    return value


def check_plain(value: Any, depth: int = 0) -> None:
    """Refuse what JSON can say and databases, vendors or clients cannot take, as the arguments are shown to all."""
    if depth > MAX_DEPTH:
        raise InvalidArguments(f"The arguments are nested more than {MAX_DEPTH} levels deep.")
    if isinstance(value, str) and NOT_TEXT.search(value):
        raise InvalidArguments("The arguments hold NUL or half a surrogate pair, which is not text.")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidArguments("The arguments hold a number that is not finite.")
    if isinstance(value, dict):
        value = [*value, *value.values()]
    for item in value if isinstance(value, list) else ():
        check_plain(item, depth + 1)
