"""The JSON the routes to single tools take: the tool's own arguments, the model by name, and the terms."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from types import NoneType
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    PrivateAttr,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema

from app.generations.orders import Alone, Order
from app.tools.analyze_audio import ListenFields
from app.tools.analyze_image import LookFields
from app.tools.analyze_video import WatchFields
from app.tools.base import INPUT_NAMES, Arguments, InvalidArguments, Ref, check_plain
from app.tools.edit_image import NEED_MASK, NEED_NO_WORDS, EditFields
from app.tools.extract_document import ExtractFields
from app.tools.generate_image import ImageFields
from app.tools.generate_speech import SpeechFields
from app.tools.generate_video import VideoFields
from app.tools.transcribe_audio import TranscribeFields

from .bodies import REF, TEXT, Terms

Json = dict[str, Any]
PIXELS = "(1[6-9]|[2-9][0-9]|[1-9][0-9]{2,3})"
SIZE = rf"^(auto|square|landscape|portrait|[1-9][0-9]?:[1-9][0-9]?|{PIXELS}x{PIXELS})$"
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=TEXT)]
SENSES: dict[str, tuple[str, type[Arguments]]] = {
    "images": ("analyze_image", LookFields),
    "video": ("analyze_video", WatchFields),
    "audio": ("analyze_audio", ListenFields),
}


OF_AN_OBJECT: Json = {
    "type": {"const": "object", "description": "It is the schema of an object."},
    "required": {
        "type": "array",
        "items": {"type": "string"},
        "uniqueItems": True,
        "description": "The fields that must be there.",
    },
}


class ToolBody(Terms):
    """Base of the bodies: `tool` is called with the fields of `arguments`.

    What a planner may write in many ways a program writes in one: ids and sizes have patterns here.
    """

    _tool: str = PrivateAttr()
    _pin: ClassVar[str]
    """What `model` pins."""
    _arguments: type[Arguments] = PrivateAttr()
    _words: ClassVar[str] = "prompt"
    """The field that is the generation's prompt, to be found again by."""

    model: ModelName | None = Field(None, description="The model by name; leave it out for the default.")

    @model_validator(mode="before")
    @classmethod
    def _text(cls, data: Any) -> Any:
        """JSON can say what no database takes."""
        try:
            check_plain(data)
        except InvalidArguments as error:
            raise ValueError(str(error)) from error
        return data

    @field_validator("*", mode="before")
    @classmethod
    def _no_lookalikes(cls, value: Any, info: ValidationInfo) -> Any:
        """3.0 is whole; but "3" and true are no numbers, and 1 is not true, whatever Python says."""
        kinds = kinds_of(cls, info.field_name or "")
        if kinds and kinds <= {int, float} and isinstance(value, str | bool):
            raise ValueError("is not a number")
        if kinds == {bool} and not isinstance(value, bool):
            raise ValueError("is not true or false")
        return value

    @field_validator(*INPUT_NAMES, check_fields=False)
    @classmethod
    def _refs(cls, value: Any) -> Any:
        for ref in [value] if isinstance(value, str) else value or ():
            if not re.fullmatch(REF, ref):
                raise ValueError("is neither an asset's id (asset_...) nor an https address")
        return value

    @field_validator("size", check_fields=False)
    @classmethod
    def _size(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(SIZE, value):
            raise ValueError("must be WIDTHxHEIGHT (16 to 9999 pixels), W:H, square, landscape or portrait")
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        """The schema, with the patterns of all strings."""
        schema = handler.resolve_ref_schema(super().__get_pydantic_json_schema__(core_schema, handler))
        for name, about in schema["properties"].items():
            pattern = REF if name in INPUT_NAMES else SIZE if name == "size" else TEXT
            for string in strings(about):
                string.setdefault("pattern", pattern)
        return schema

    def order(self) -> Order:
        """The body as the service takes it."""
        said = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        names = [field.alias or name for name, field in self._arguments.model_fields.items()]
        return Order(
            prompt=str(said.get(self._words) or ""),
            tool=Alone(name=self._tool, arguments={name: said[name] for name in names if said.get(name) is not None}),
            models={self._pin: self.model} if self.model else {},
            max_cost_usd=self.max_cost_usd,
            reuse=self.reuse,
            metadata=self.metadata,
        )


def kinds_of(body: type[ToolBody], name: str) -> set[Any]:
    """The types a field may have, but for null."""
    field = body.model_fields.get(name)
    return set(get_args(field.annotation) or (field.annotation,)) - {NoneType} if field else set()


def strings(schema: Json) -> Iterator[Json]:
    """The strings in the schema of a field, but for those of which each is named."""
    if schema.get("type") == "string" and "enum" not in schema:
        yield schema
    for inner in [*schema.get("anyOf", ()), schema.get("items"), schema.get("propertyNames")]:
        if isinstance(inner, dict):
            yield from strings(inner)


class ImageBody(ToolBody, ImageFields):
    """A picture to make."""

    _tool: str = "generate_image"
    _pin: ClassVar[str] = "image"
    _arguments: type[Arguments] = ImageFields


class EditBody(ToolBody, EditFields):
    """A picture to change."""

    _tool: str = "edit_image"
    _pin: ClassVar[str] = "image"
    _arguments: type[Arguments] = EditFields
    _words: ClassVar[str] = "instruction"

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        """Which operations need a mask, and which need no words."""
        schema = super().__get_pydantic_json_schema__(core_schema, handler)
        masked = {"properties": {"mask": {"type": "string"}}, "required": ["mask"]}
        told = {"properties": {"instruction": {"pattern": r"\S"}}, "required": ["instruction"]}
        schema["allOf"] = [{"if": is_one(NEED_MASK), "then": masked}, {"if": is_one(NEED_NO_WORDS), "else": told}]
        return schema


def is_one(operations: tuple[str, ...]) -> Json:
    """The schema of an edit that names one of these operations."""
    return {"properties": {"operation": {"enum": list(operations)}}, "required": ["operation"]}


class VideoBody(ToolBody, VideoFields):
    """A clip to make."""

    _tool: str = "generate_video"
    _pin: ClassVar[str] = "video"
    _arguments: type[Arguments] = VideoFields

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        """A clip that is changed starts from nothing else."""
        schema = super().__get_pydantic_json_schema__(core_schema, handler)
        nothing_else = {"image": {"type": "null"}, "reference_images": {"maxItems": 0}}
        schema["anyOf"] = [{"properties": {"video": {"type": "null"}}}, {"properties": nothing_else}]
        return schema


class SpeechBody(ToolBody, SpeechFields):
    """A text to read aloud."""

    _tool: str = "generate_speech"
    _pin: ClassVar[str] = "speech"
    _arguments: type[Arguments] = SpeechFields
    _words: ClassVar[str] = "text"

    stream: bool = Field(
        False, description="Answer with the sound itself, while it is made; `x-generation-id` says where it is kept."
    )

    def order(self) -> Order:
        """The body as the service takes it."""
        return super().order().model_copy(update={"stream": self.stream})


class TranscriptionBody(ToolBody, TranscribeFields):
    """A recording to write down."""

    _tool: str = "transcribe_audio"
    _pin: ClassVar[str] = "transcription"
    _arguments: type[Arguments] = TranscribeFields
    _words: ClassVar[str] = "audio"


class ExtractionBody(ToolBody, ExtractFields):
    """A document to read."""

    _tool: str = "extract_document"
    _pin: ClassVar[str] = "vision"
    _arguments: type[Arguments] = ExtractFields
    _words: ClassVar[str] = "document"

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        """As much of what a JSON Schema is as fits here."""
        schema = super().__get_pydantic_json_schema__(core_schema, handler)
        of_an_object, _ = schema["properties"]["schema"]["anyOf"]
        of_an_object["properties"] = copy.deepcopy(OF_AN_OBJECT)
        return schema


class AnalysisBody(ToolBody):
    """Pictures, a clip or a recording to look at or listen to: one of the three."""

    _pin: ClassVar[str] = "vision"
    _words: ClassVar[str] = "question"

    images: list[Ref] | None = Field(
        None,
        min_length=1,
        max_length=16,
        description="Ids or https addresses of pictures, for one look.",
    )
    video: Ref | None = Field(None, description="The id or https address of a clip.")
    audio: Ref | None = Field(None, description="The id or https address of a recording.")
    question: str | None = Field(None, max_length=8000, description="What is to be found out; left out: a description.")
    text: str | None = Field(
        None,
        max_length=100_000,
        description="With pictures: a text to be summed up together with them.",
    )
    detail: Literal["auto", "low", "high"] = Field(
        "auto", description="With pictures. low: a quick, cheap look; high: small print and fine detail."
    )

    @model_validator(mode="after")
    def _one(self) -> AnalysisBody:
        given = [name for name in SENSES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("name one of images, video and audio")
        self._tool, self._arguments = SENSES[given[0]]
        if given != ["images"] and (self.text is not None or self.detail != "auto"):
            raise ValueError("text and detail go with images only")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        """One of the three, and what goes with pictures only."""
        schema = super().__get_pydantic_json_schema__(core_schema, handler)
        schema["oneOf"] = [
            {
                "required": [name],
                "properties": {other: {"type": "null"} for other in SENSES if other != name}
                | {name: {"type": "array" if name == "images" else "string"}}
                | ({} if name == "images" else {"text": {"type": "null"}, "detail": {"const": "auto"}}),
            }
            for name in SENSES
        ]
        return schema
