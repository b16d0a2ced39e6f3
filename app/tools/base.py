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
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from providers.catalogue import Catalogue, needs_of
from providers.types import MediaRequest, Modality, ToolSpec

NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
MAX_DEPTH = 20


class Arguments(BaseModel):
    """Base of the argument models: an unknown argument is refused, so that the planner learns of it."""

    model_config = ConfigDict(extra="forbid")


A = TypeVar("A", bound=Arguments)
Prepared = tuple[MediaRequest, tuple[str, ...]]
"""A media request with its model chosen, and what has to be said about the choice."""


class InvalidArguments(Exception):
    """The planner's arguments cannot be used; the message says what to mend."""


@dataclass(frozen=True)
class Made:
    """What came of a media request: one entry of facts per asset (id, type, size ...), and warnings."""

    assets: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What a tool gives back: facts for the planner (plain JSON values), the assets made, pictures it must see."""

    facts: Mapping[str, Any]
    asset_ids: tuple[str, ...] = ()
    image_ids: tuple[str, ...] = ()


class Context(Protocol):
    """Every effect a tool may have. All of them raise ProviderError or AppError with a sentence fit for the planner."""

    @property
    def catalogue(self) -> Catalogue:
        """What is available here and now."""

    def pinned(self, modality: Modality) -> str | None:
        """The model the request insists on for this modality, if any."""

    async def write(self, instructions: str, text: str) -> str:
        """Have the enhancer model rewrite a text."""

    async def make(self, prepare: Callable[[], Awaitable[Prepared]]) -> Made:
        """Hire the vendor of the request's model, wait, and keep what it made.

        `prepare` chooses it. It is not asked when the call was begun before a crash: then what was chosen holds.
        """

    async def asset_type(self, asset_id: str) -> str:
        """The type (image, video, ...) of an asset of this owner. Raises NotFound."""


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
        return {"provider": [Choice(model.id, model.when) for model in models if model.when]}

    async def run(self, arguments: A, context: Context) -> Result:
        """Choose a model that can do it (a pinned one before the planner's), and have it made."""

        async def prepare() -> Prepared:
            request = await self.request(arguments, context)
            wanted = context.pinned(self.modality) or getattr(arguments, "provider", None)
            chosen = context.catalogue.choose(self.modality, wanted, needs_of(request))
            return request.model_copy(update={"model": chosen.model.name}), chosen.warnings

        made = await context.make(prepare)
        ids = tuple(str(asset["id"]) for asset in made.assets)
        return Result({"assets": made.assets, "warnings": made.warnings}, ids)


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
    _check_plain(value)
    return value


def _check_plain(value: Any, depth: int = 0) -> None:
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
        _check_plain(item, depth + 1)


@cache
def plain_schema(arguments: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of an argument model, without the titles and `anyOf null` that small models stumble on.

    Made once for each model (it takes milliseconds), so callers copy what they change.
    """
    schema = arguments.model_json_schema()
    properties = {}
    for name, value in schema.get("properties", {}).items():
        field_schema = {key: item for key, item in value.items() if key != "title"}
        kinds = [kind for kind in field_schema.pop("anyOf", ()) if kind.get("type") != "null"]
        if len(kinds) == 1:
            field_schema = {**kinds[0], **field_schema}
        if field_schema.get("default", ...) is None:
            del field_schema["default"]
        properties[name] = field_schema
    return {
        "type": "object",
        "properties": properties,
        "required": schema.get("required", []),
        "additionalProperties": False,
    }
