"""The JSON the API takes, described field by field and checked before anything else sees it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from app.generations.orders import Order

AssetId = Annotated[str, StringConstraints(pattern=r"^asset_[0-9a-z]{26}$")]
REF = r"^(asset_[0-9a-z]{26}|https://[!-~]{3,2000})$"
InputRef = Annotated[str, StringConstraints(pattern=REF)]
Pin = Literal["chat", "vision", "image", "video", "speech", "transcription"]
GenerationId = Annotated[str, StringConstraints(pattern=r"^gen_[0-9a-z]{26}$")]


def _no_surrogates(value: Any) -> Any:
    """JSON can smuggle lone surrogates into text, which no database and no vendor takes."""
    if isinstance(value, str) and any("\ud800" <= char <= "\udfff" or char == "\x00" for char in value):
        raise ValueError("contains characters that are not text (a lone surrogate or NUL)")
    return value


TEXT = r"^[^\u0000]*$"
Name = Annotated[str, BeforeValidator(_no_surrogates)]
Text = Annotated[Name, Field(json_schema_extra={"pattern": TEXT})]


def _names_are_text(schema: dict[str, Any]) -> None:
    """The pattern of a `Name`, which Pydantic would take for one that sorts the properties."""
    schema["propertyNames"]["pattern"] = TEXT


def _no_lookalikes(value: Any) -> Any:
    """JSON has one kind of number, so 3.0 is whole; but "3" and true are none, whatever Python takes them for."""
    if isinstance(value, str | bool):
        raise ValueError("is not a whole number")
    return value


WholeNumber = Annotated[int, BeforeValidator(_no_lookalikes)]
MAX_CAP = 10_000
PLAIN_CAP = r"^([0-9]{1,4}(\.[0-9]{1,6})?|10000(\.0{1,6})?)$"


def _plain_number(value: Any) -> Any:
    """A decimal string as money is written here: what else Python reads as a number is not taken."""
    if isinstance(value, str) and not re.fullmatch(PLAIN_CAP, value):
        raise ValueError(f"is not a plain decimal number from 0 to {MAX_CAP}")
    return value


CAP_SCHEMA = {"anyOf": [{"type": "number", "minimum": 0, "maximum": MAX_CAP}, {"type": "string", "pattern": PLAIN_CAP}]}
Cap = Annotated[Decimal, BeforeValidator(_plain_number), Field(ge=0, le=MAX_CAP), WithJsonSchema(CAP_SCHEMA)]


class Terms(BaseModel):
    """What every request for works may say of money and of itself."""

    model_config = ConfigDict(extra="forbid")

    max_cost_usd: Cap | None = Field(
        None,
        description="A call that would pass this cap is not made. Default: the server's `MAX_COST_USD`.",
        examples=["2.50"],
    )
    reuse: bool = Field(
        False,
        strict=True,
        description="Answer identical calls (same model, same frozen request, same inputs) from what was made before "
        "instead of buying them again; such works are marked `reused_from` and cost 0. Model turns are taken anew.",
    )
    metadata: dict[Annotated[Name, Field(max_length=64)], Annotated[Text, Field(max_length=512)]] = Field(
        default_factory=dict,
        max_length=16,
        description="Your own words, kept and returned with the generation.",
        json_schema_extra=_names_are_text,
    )


class GenerateBody(Terms):
    """A request in plain words, and how far the agent may go for it."""

    prompt: Text = Field(
        min_length=1,
        max_length=32_000,
        description="What to make, in plain words.",
        examples=["An image of a red fox in the snow at dawn"],
    )
    max_steps: WholeNumber = Field(
        10, ge=1, le=50, description="Model turns the agent may take; the last one only answers."
    )
    inputs: list[InputRef] = Field(
        default_factory=list,
        max_length=20,
        description="What to work with: ids of uploads or earlier results, or https addresses, which are fetched.",
        examples=[[]],
    )
    previous_id: GenerationId | None = Field(
        None,
        description="A generation to continue; its conversation and assets are known to the agent, also to edit.",
    )
    models: dict[Pin, Annotated[Text, Field(max_length=128)]] = Field(
        default_factory=dict,
        description='Models to insist on, by modality: `{"image": "flux-1.1-pro"}`. `GET /models` has their names. '
        "`chat` plans, `vision` looks, listens and reads.",
    )

    def order(self) -> Order:
        """The body as the service takes it."""
        return Order.model_validate({**self.model_dump(), "inputs": tuple(self.inputs)})
