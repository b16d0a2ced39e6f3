"""The JSON of the API, described field by field. Money is a decimal string in USD, times are RFC 3339 UTC."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints

from app.generations.service import Generation, Order

Usd = Annotated[Decimal, PlainSerializer(lambda value: format(value, "f"), return_type=str)]
AssetId = Annotated[str, StringConstraints(pattern=r"^asset_[0-9a-z]{26}$")]
GenerationId = Annotated[str, StringConstraints(pattern=r"^gen_[0-9a-z]{26}$")]


def _no_surrogates(value: Any) -> Any:
    """JSON can smuggle lone surrogates into text, which no database and no vendor takes."""
    if isinstance(value, str) and any("\ud800" <= char <= "\udfff" or char == "\x00" for char in value):
        raise ValueError("contains characters that are not text (a lone surrogate or NUL)")
    return value


Text = Annotated[str, BeforeValidator(_no_surrogates)]


class GenerateBody(BaseModel):
    """A request in plain words, and how far the agent may go for it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "prompt": "A post about our new coffee bar: a hero image, a 5 second clip and a narration saying "
                    '"Good mornings start here."'
                },
                {"prompt": "Three images of a red fox in the snow", "max_steps": 4, "metadata": {"post": "42"}},
            ]
        },
    )

    prompt: Text = Field(min_length=1, max_length=32_000, description="What to make, in plain words.")
    max_steps: int = Field(10, ge=1, le=50, description="Model turns the agent may take; the last one only answers.")
    inputs: list[AssetId] = Field(
        default_factory=list, max_length=20, description="Assets to work with: uploads or earlier results."
    )
    previous_id: GenerationId | None = Field(
        None, description="A generation to continue; its conversation and assets are known to the agent."
    )
    models: dict[Literal["chat", "image", "video", "speech"], Annotated[Text, Field(max_length=128)]] = Field(
        default_factory=dict,
        description="Models to insist on, by modality.",
        examples=[{"image": "flux-1.1-pro"}],
    )
    max_cost_usd: Annotated[Decimal, Field(ge=0, le=10_000, max_digits=12, decimal_places=6)] | None = Field(
        None, description="A call that would pass this cap is not made. Default: the server's `MAX_COST_USD`."
    )
    metadata: dict[Annotated[Text, Field(max_length=64)], Annotated[Text, Field(max_length=512)]] = Field(
        default_factory=dict, max_length=16, description="Your own words, kept and returned with the generation."
    )

    def order(self) -> Order:
        """The body as the service takes it."""
        return Order.model_validate({**self.model_dump(), "inputs": tuple(self.inputs)})


class AssetOut(BaseModel):
    """A finished work, or an upload. It lasts until it is deleted."""

    id: str = Field(examples=["asset_01kaj5v3m8f7q2n4d6s8t0w2y4"])
    type: Literal["image", "video", "speech", "audio", "document"]
    url: str = Field(description="The bytes.")
    thumbnail_url: str | None = Field(description="A WebP of at most 512 pixels, for images and videos.")
    media_type: str = Field(description="Decided from the bytes.", examples=["image/png"])
    bytes: int
    sha256: str
    width: int | None = Field(None, description="Pixels.")
    height: int | None = Field(None, description="Pixels.")
    duration_s: float | None = Field(None, description="Seconds, for video and sound.")
    provider: str | None = Field(None, description="The vendor that made it; null for uploads.", examples=["replicate"])
    model: str | None = Field(None, examples=["flux-1.1-pro"])
    prompt: str | None = Field(None, description="The prompt, or the text, really sent.")
    revised_prompt: str | None = Field(None, description="The vendor's rewording, where it tells.")
    voice: str | None = None
    parameters: dict[str, Any] = Field(description="What else was asked of the vendor.")
    cost_usd: Usd | None = Field(
        None, description="Null when it is not known: unknown is not zero.", examples=["0.040000"]
    )
    generation_id: str | None = None
    parent_ids: list[str] = Field(description="The assets it was made from.")
    filename: str | None = Field(None, description="The name an upload came with.")
    created_at: dt.datetime

    @classmethod
    def of(cls, row: Mapping[str, Any], base_url: str) -> AssetOut:
        """A row as JSON, with addresses under `base_url`."""
        url = f"{base_url}/assets/{row['id']}"
        thumbnail = f"{url}/thumbnail" if row["type"] in ("image", "video") else None
        fields = {name: row[name] for name in cls.model_fields if name in row}
        return cls.model_validate({**fields, "url": f"{url}/content", "thumbnail_url": thumbnail})


class StepOut(BaseModel):
    """One model turn, or one tool call."""

    id: str
    kind: Literal["turn", "tool"]
    name: str = Field(description="The model, or the tool.", examples=["generate_image"])
    arguments: dict[str, Any] | None = Field(None, description="What the model asked of the tool.")
    status: Literal["running", "completed", "failed", "cancelled"]
    started_at: dt.datetime
    completed_at: dt.datetime | None = None
    cost_usd: Usd | None = Field(None, description="Null when it is not known.")
    error: str | None = Field(None, description="Why it failed, in one sentence.")
    asset_ids: list[str]


class UsageOut(BaseModel):
    """What the generation used."""

    model_turns: int
    tool_calls: int
    input_tokens: int = Field(description="As far as the vendors reported them.")
    output_tokens: int


class ErrorOut(BaseModel):
    """Why a generation failed or broke off."""

    code: str = Field(examples=["unavailable"])
    message: str


class GenerationOut(BaseModel):
    """A request and everything that came of it."""

    id: str = Field(examples=["gen_01kaj5v3m8f7q2n4d6s8t0w2y4"])
    status: Literal["queued", "running", "completed", "failed", "cancelled"]
    stop_reason: (
        Literal["answered", "max_steps", "budget", "cancelled", "error", "refused", "cut_off", "empty"] | None
    ) = Field(None, description="Why the run ended; null while it runs.")
    prompt: str
    response: str | None = Field(None, description="The agent's answer.")
    assets: list[AssetOut] = Field(description="What was made, in the order it was asked for.")
    steps: list[StepOut] = Field(description="Every model turn and tool call, in order.")
    usage: UsageOut
    cost_usd: Usd | None = Field(None, description="What is known of the cost; null when nothing is.")
    cost_is_complete: bool = Field(description="False while a part of the cost is not known.")
    warnings: list[str] = Field(description="What was done otherwise than asked, and why.")
    error: ErrorOut | None = None
    previous_id: str | None = None
    metadata: dict[str, str]
    created_at: dt.datetime
    started_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None

    @classmethod
    def of(cls, generation: Generation, base_url: str) -> GenerationOut:
        """A generation as JSON, with addresses under `base_url`."""
        row = generation.row
        fields = {name: row[name] for name in cls.model_fields if name in row}
        return cls.model_validate(
            {
                **fields,
                "assets": [AssetOut.of(asset, base_url) for asset in generation.assets],
                "steps": [{**step, "cost_usd": generation.step_cost(step["id"])} for step in generation.steps],
                "usage": generation.usage(),
                "cost_usd": generation.spending.cost_usd,
                "cost_is_complete": generation.spending.complete,
                "metadata": row["request"]["metadata"],
            }
        )


class GenerationPage(BaseModel):
    """Generations, newest first."""

    data: list[GenerationOut]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null at the end.")


class AssetPage(BaseModel):
    """Assets, newest first."""

    data: list[AssetOut]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null at the end.")


class PriceOut(BaseModel):
    """USD for one unit."""

    unit: str = Field(examples=["image"])
    usd: Usd
    when: str | None = Field(None, description="When this one of several prices of a unit holds.")


class ModelOut(BaseModel):
    """One model of the catalogue."""

    id: str = Field(examples=["flux-1.1-pro"])
    name: str = Field(description="The canonical name, `vendor/id`.", examples=["replicate/flux-1.1-pro"])
    vendor: str
    modality: Literal["chat", "image", "video", "speech"]
    aliases: list[str]
    capabilities: list[str]
    limits: dict[str, Any]
    price: list[PriceOut]
    price_is_proxy: bool = Field(description="The price is another vendor's for the same model: an estimate only.")
    status: Literal["live", "deprecated", "retired"]
    shutdown: dt.date | None = Field(None, description="The vendor's date for its end.")
    successor: str | None = None
    retires_soon: bool = Field(description="It will be gone within 60 days.")
    available: bool = Field(description="It works here and now.")
    reason: str | None = Field(None, description="Why it does not, and what to do.")


class ModelList(BaseModel):
    """The catalogue."""

    data: list[ModelOut]
    warnings: list[str] = Field(description="Models in use here that will be retired soon.")


class Health(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether generations can be served."""

    status: Literal["ready"] = "ready"
    agent_model: str = Field(description="The model that plans.")
    tools: list[str] = Field(description="The tools available here and now.")
    version: str
