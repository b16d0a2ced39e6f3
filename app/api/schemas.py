"""The JSON the API answers with, described field by field. Money is a decimal string in USD, times are RFC 3339 UTC."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, PlainSerializer

from app.generations.files import kept_as
from app.generations.service import Generation
from providers.types import Modality

from .receipts import ErrorOut, ReceiptOut, Usd

Rate = Annotated[Decimal, PlainSerializer(lambda value: format(value, "f"), return_type=str)]
"""A price, with as many decimals as it has."""


class AssetOut(BaseModel):
    """A finished work, or an upload. It lasts until it is deleted."""

    id: str = Field(description="Sorts by time.", examples=["asset_01kaj5v3m8f7q2n4d6s8t0w2y4"])
    type: Literal["image", "video", "speech", "audio", "document"] = Field(
        description="`speech` was spoken here; `audio` is any other sound."
    )
    url: str = Field(
        description="The bytes.", examples=["http://127.0.0.1:8000/assets/asset_01kaj5v3m8f7q2n4d6s8t0w2y4/content"]
    )
    thumbnail_url: str | None = Field(
        description="A WebP of at most 512 pixels a side, for images and videos.",
        examples=["http://127.0.0.1:8000/assets/asset_01kaj5v3m8f7q2n4d6s8t0w2y4/thumbnail"],
    )
    media_type: str = Field(description="Decided from the bytes.", examples=["image/png"])
    bytes: int = Field(description="Size of the file.", examples=[1482213])
    sha256: str = Field(
        description="Of the bytes, in hexadecimal.",
        examples=["866a05c243b723bb9adb373e63c5246cd19018c882fd671c1876e0750568f89d"],
    )
    width: int | None = Field(None, description="Pixels, for images and videos.", examples=[1024])
    height: int | None = Field(None, description="Pixels, for images and videos.", examples=[1024])
    duration_s: float | None = Field(None, description="Seconds, for video and sound.", examples=[None])
    provider: str | None = Field(None, description="The vendor that made it; null for uploads.", examples=["replicate"])
    model: str | None = Field(None, description="The model that made it; null for uploads.", examples=["flux-1.1-pro"])
    prompt: str | None = Field(
        None,
        description="The prompt, or the text, really sent.",
        examples=["A red fox in fresh snow at dawn, soft light, shallow depth of field"],
    )
    revised_prompt: str | None = Field(None, description="The vendor's rewording, where it tells.", examples=[None])
    voice: str | None = Field(None, description="Who speaks, for speech.", examples=[None])
    parameters: dict[str, Any] = Field(description="What else was asked of the vendor.", examples=[{"n": 1}])
    cost_usd: Usd | None = Field(
        None, description="Null when it is not known: unknown is not zero.", examples=["0.040000"]
    )
    generation_id: str | None = Field(
        None, description="The generation it came of; null for uploads.", examples=["gen_01kaj5v3m8f7q2n4d6s8t0w2y4"]
    )
    parent_ids: list[str] = Field(description="The assets it was made from.", examples=[[]])
    reused_from: str | None = Field(
        None,
        description="The earlier asset whose bytes these are, where `reuse` answered an identical call with it.",
        examples=[None],
    )
    filename: str | None = Field(None, description="The name an upload came with.", examples=[None])
    created_at: dt.datetime = Field(description="When it was kept here.", examples=["2026-11-20T12:53:17.299114Z"])

    @classmethod
    def of(cls, row: Mapping[str, Any], base_url: str) -> AssetOut:
        """A row as JSON, with addresses under `base_url`."""
        url = f"{base_url}/assets/{row['id']}"
        thumbnail = f"{url}/thumbnail" if row["type"] in ("image", "video") else None
        fields = {name: row[name] for name in cls.model_fields if name in row}
        return cls.model_validate({**fields, "url": f"{url}/content", "thumbnail_url": thumbnail})


class StepOut(BaseModel):
    """One model turn, or one tool call."""

    id: str = Field(description="Sorts in the order of the steps.", examples=["step_01kaj5v3m8f7q2n4d6s8t0w2y4_01_01"])
    kind: Literal["turn", "tool"] = Field(description="A turn of the model, or a call of a tool.", examples=["tool"])
    name: str = Field(description="The model, or the tool.", examples=["generate_image"])
    arguments: dict[str, Any] | None = Field(
        None,
        description="What the model asked of the tool; null for a turn.",
        examples=[{"prompt": "A red fox in fresh snow at dawn", "size": "1024x1024"}],
    )
    status: Literal["running", "completed", "failed", "cancelled"] = Field(
        description="How far it is.", examples=["completed"]
    )
    started_at: dt.datetime = Field(description="When it began.", examples=["2026-11-20T12:53:14.140530Z"])
    completed_at: dt.datetime | None = Field(
        None, description="When it ended; null while it runs.", examples=["2026-11-20T12:53:17.307797Z"]
    )
    cost_usd: Usd | None = Field(None, description="Null when it is not known.", examples=["0.040000"])
    error: str | None = Field(None, description="Why it failed, in one sentence.", examples=[None])
    asset_ids: list[str] = Field(description="The assets it made.", examples=[["asset_01kaj5v3m8f7q2n4d6s8t0w2y4"]])
    result: dict[str, Any] | None = Field(
        None, description="What it found out: a transcript, an analysis, a document's data.", examples=[None]
    )


class UsageOut(BaseModel):
    """What the generation used."""

    model_turns: int = Field(description="Turns the planning model took.", examples=[2])
    tool_calls: int = Field(description="Tools it called.", examples=[1])
    input_tokens: int = Field(
        description="Tokens the models read, as far as the vendors reported them.", examples=[2398]
    )
    output_tokens: int = Field(description="Tokens they wrote, likewise.", examples=[97])


class GenerationOut(BaseModel):
    """A request and everything that came of it."""

    id: str = Field(description="Sorts by time.", examples=["gen_01kaj5v3m8f7q2n4d6s8t0w2y4"])
    status: Literal["queued", "running", "completed", "failed", "cancelled"] = Field(
        description="`completed` also when some of its tools failed; `failed` when nothing came of it.",
        examples=["completed"],
    )
    stop_reason: (
        Literal["answered", "max_steps", "budget", "cancelled", "error", "refused", "cut_off", "empty"] | None
    ) = Field(None, description="Why the run ended; null while it runs.", examples=["answered"])
    prompt: str = Field(
        description="What was asked for, word for word.", examples=["An image of a red fox in the snow at dawn"]
    )
    response: str | None = Field(None, description="The agent's answer.", examples=["Here is your fox at dawn."])
    tool: str | None = Field(
        None, description="The one tool that was called, where there was no planner.", examples=[None]
    )
    result: dict[str, Any] | None = Field(
        None, description="What that tool found out: a transcript, an analysis, a document's data.", examples=[None]
    )
    assets: list[AssetOut] = Field(description="What was made, in the order it was asked for.")
    steps: list[StepOut] = Field(description="Every model turn and tool call, in order.")
    receipts: list[ReceiptOut] = Field(
        description="Every paid call, oldest first. Their amounts add up to `cost_usd`; one without an amount makes "
        "`cost_is_complete` false."
    )
    usage: UsageOut = Field(description="Turns, calls and tokens.")
    cost_usd: Usd | None = Field(
        None, description="What is known of the cost; null when nothing is.", examples=["0.046965"]
    )
    cost_is_complete: bool = Field(description="False while a part of the cost is not known.", examples=[True])
    warnings: list[str] = Field(description="What was done otherwise than asked, and why.", examples=[[]])
    error: ErrorOut | None = Field(None, description="Why it failed or broke off; null otherwise.", examples=[None])
    previous_id: str | None = Field(None, description="The generation it continues.", examples=[None])
    inputs: list[str] = Field(
        description="The assets it was given; an address is the asset its bytes are kept as.", examples=[[]]
    )
    metadata: dict[str, str] = Field(description="Your own words, as they came.", examples=[{"post": "42"}])
    created_at: dt.datetime = Field(description="When it was asked for.", examples=["2026-11-20T12:53:12.812178Z"])
    started_at: dt.datetime | None = Field(
        None, description="When the work began.", examples=["2026-11-20T12:53:12.837176Z"]
    )
    completed_at: dt.datetime | None = Field(
        None, description="When it ended; null while it runs.", examples=["2026-11-20T12:53:22.159300Z"]
    )

    @classmethod
    def of(cls, generation: Generation, base_url: str) -> GenerationOut:
        """A generation as JSON, with addresses under `base_url`."""
        row = generation.row
        fields = {name: row[name] for name in cls.model_fields if name in row}
        return cls.model_validate(
            {
                **fields,
                "assets": [AssetOut.of(asset, base_url) for asset in generation.assets],
                "tool": (row["request"].get("tool") or {}).get("name"),
                "result": result_of(generation.steps[0]) if row["request"].get("tool") and generation.steps else None,
                "steps": [
                    {**step, "cost_usd": generation.step_cost(step["id"]), "result": result_of(step)}
                    for step in generation.steps
                ],
                "receipts": [ReceiptOut.of(receipt) for receipt in generation.receipts],
                "usage": generation.usage(),
                "cost_usd": generation.spending.cost_usd,
                "cost_is_complete": generation.spending.complete,
                "inputs": [kept_as(row["id"], ref) for ref in row["request"]["inputs"]],
                "metadata": row["request"]["metadata"],
            }
        )


def result_of(step: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a tool found out, beyond what it made."""
    return (step["answer"] or {}).get("result")


class GenerationPage(BaseModel):
    """Generations, newest first."""

    data: list[GenerationOut] = Field(description="The generations of this page.")
    next_cursor: str | None = Field(
        description="Pass it as `cursor` for the next page; null at the end.", examples=[None]
    )


class AssetPage(BaseModel):
    """Assets, newest first."""

    data: list[AssetOut] = Field(description="The assets of this page.")
    next_cursor: str | None = Field(
        description="Pass it as `cursor` for the next page; null at the end.", examples=[None]
    )


class PriceOut(BaseModel):
    """USD for one unit."""

    unit: str = Field(description="What is charged for.", examples=["image"])
    usd: Rate = Field(description="The price of one.", examples=["0.04"])
    when: str | None = Field(None, description="When this one of several prices of a unit holds.", examples=[None])


class ModelOut(BaseModel):
    """One model of the catalogue."""

    id: str = Field(description="The vendor's own name for it.", examples=["flux-1.1-pro"])
    name: str = Field(description="The canonical name, `vendor/id`.", examples=["replicate/flux-1.1-pro"])
    vendor: str = Field(description="Whose it is.", examples=["replicate"])
    modality: Modality = Field(description="What it makes.", examples=["image"])
    aliases: list[str] = Field(description="Other names it answers to.", examples=[["flux"]])
    capabilities: list[str] = Field(description="What it can do, as words to filter by.", examples=[["text_to_image"]])
    limits: dict[str, Any] = Field(description="The bounds of its requests.", examples=[{"max_images_out": 1}])
    options: dict[str, dict[str, Any]] = Field(
        description="What it knows beyond the fields of every request: name, and the JSON Schema of its value.",
        examples=[{"style": {"enum": ["vivid", "natural"]}}],
    )
    when: str | None = Field(None, description="When to choose it.", examples=["Photographs, and text in pictures."])
    price: list[PriceOut] = Field(description="What it costs; empty when that is not known.")
    price_is_proxy: bool = Field(
        description="The price is another vendor's for the same model: an estimate only.", examples=[False]
    )
    status: Literal["live", "deprecated", "retired"] = Field(
        description="A retired model is replaced by its successor before a call.", examples=["live"]
    )
    shutdown: dt.date | None = Field(None, description="The vendor's date for its end.", examples=[None])
    successor: str | None = Field(None, description="The model the vendor names in its place.", examples=[None])
    retires_soon: bool = Field(description="It will be gone within 60 days.", examples=[False])
    available: bool = Field(description="It works here and now.", examples=[True])
    reason: str | None = Field(None, description="Why it does not, and what to do.", examples=[None])


class ModelList(BaseModel):
    """The catalogue."""

    data: list[ModelOut] = Field(description="The models that match.")
    warnings: list[str] = Field(description="Models in use here that will be retired soon.", examples=[[]])
    problems: dict[str, str] = Field(
        description="Providers that were left out for a fault of their own, and why.", examples=[{}]
    )


class Health(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = Field("ok", description="Always this word.")


class Readiness(BaseModel):
    """Whether generations can be served."""

    status: Literal["ready"] = Field("ready", description="Always this word; a server that is not ready answers 503.")
    agent_model: str = Field(description="The model that plans.", examples=["offline-planner"])
    tools: list[str] = Field(
        description="The tools available here and now.",
        examples=[["enhance_prompt", "generate_image", "generate_video", "generate_speech"]],
    )
    problems: list[str] = Field(
        description="Providers that were left out for a fault of their own; `GET /models` says why.", examples=[[]]
    )
    version: str = Field(description="Of this server.", examples=["0.1.0"])
