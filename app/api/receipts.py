"""Receipts as JSON: what each paid call was for, how far it is, what it cost. No words of the request are in them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, PlainSerializer

from providers.prices import round_up
from providers.types import Modality

Usd = Annotated[Decimal, PlainSerializer(lambda value: format(round_up(value), "f"), return_type=str)]
"""An amount, to the micro-dollar, so that equal amounts look equal."""


class ErrorOut(BaseModel):
    """Why something failed or broke off."""

    code: str = Field(description="A stable word for programs.", examples=["unavailable"])
    message: str = Field(
        description="What happened, in one sentence.", examples=["replicate: the service is not available."]
    )


class TokensOut(BaseModel):
    """The tokens a vendor reported for a call; null where it reported nothing."""

    input_tokens: int | None = Field(None, description="Read, cached ones and pictures included.", examples=[1180])
    cached_input_tokens: int | None = Field(None, description="Those of them that were cached.", examples=[1024])
    image_input_tokens: int | None = Field(None, description="Those of them that were pictures.", examples=[None])
    output_tokens: int | None = Field(None, description="Written.", examples=[52])


class ReceiptOut(BaseModel):
    """One paid call to a vendor, written down before its request leaves."""

    id: str = Field(
        description="The call's own; the same when it is taken up again after a crash.",
        examples=["step_01kaj5v3m8f7q2n4d6s8t0w2y4_01_01.1"],
    )
    step_id: str = Field(
        description="The step that made it: one of `steps`.", examples=["step_01kaj5v3m8f7q2n4d6s8t0w2y4_01_01"]
    )
    vendor: str = Field(description="Who was hired.", examples=["runway"])
    model: str = Field(description="The model that was asked for.", examples=["gen4.5"])
    modality: Modality = Field(
        description="What it makes; a model turn and the wording of a prompt are `chat`.", examples=["video"]
    )
    state: Literal["reserved", "submitted", "settled", "released", "unknown"] = Field(
        description="`reserved`: written down, and perhaps on its way. `submitted`: the vendor has accepted the job. "
        "`settled`: over, and owed (with `error`: it failed there). `released`: definitely not accepted, so nothing is "
        "owed. `unknown`: it left and its outcome was lost; it may be owed, and is not sent again by itself.",
        examples=["settled"],
    )
    waiting: bool = Field(description="It stands in the vendor's line, and has not left.", examples=[False])
    estimate_usd: Usd | None = Field(
        description="What was reserved for it, or the vendor's own estimate: what it may cost while nothing better is "
        "known. Null without a price.",
        examples=["0.600000"],
    )
    amount_usd: Usd | None = Field(
        description="What it cost. Null while, or where, that is not known: unknown is not zero.",
        examples=["0.600000"],
    )
    amount_source: Literal["vendor", "usage", "estimate", "reused"] | None = Field(
        description="Whose figure that is: the `vendor`'s own; its `usage` at the listed price; an `estimate`; or "
        "nothing, since an equal call was `reused`. Null without an amount, and where nothing was owed.",
        examples=["vendor"],
    )
    job_id: str | None = Field(
        description="The vendor's name for the job, to be asked about there; null where it answers at once.",
        examples=["6a1c8f1e-90c7-4b53-8d6e-2f7a1c0f4b9d"],
    )
    request_digest: str = Field(
        description="SHA-256 of the frozen request: equal requests to one model have the same.",
        examples=["9f2b6c0d1e8a47735c5d0f3be1a94c6270d8e5b4a3f21c09687d5e4f3a2b1c0d"],
    )
    usage: TokensOut | None = Field(description="The tokens it used; null where the vendor counts none.")
    error: ErrorOut | None = Field(description="Why it was refused, failed or lost; null otherwise.", examples=[None])
    created_at: dt.datetime = Field(description="When it was written down.", examples=["2026-11-20T12:53:14.151033Z"])
    admitted_at: dt.datetime | None = Field(
        description="When it came through the line; null before, and where it never left.",
        examples=["2026-11-20T12:53:14.151033Z"],
    )
    submitted_at: dt.datetime | None = Field(
        description="When the vendor had accepted the job; null for calls answered at once.",
        examples=["2026-11-20T12:53:14.402118Z"],
    )
    settled_at: dt.datetime | None = Field(
        description="When its outcome was known, and with it what is owed; null before.",
        examples=["2026-11-20T12:54:02.730941Z"],
    )

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> ReceiptOut:
        """A row of the calls as JSON."""
        fields = {name: row[name] for name in cls.model_fields if name in row}
        if row["amount_source"] == "reused":
            fields["job_id"] = None  # the column says which call it was answered from
        return cls.model_validate(
            {
                **fields,
                "step_id": row["step_id"].split(".")[0],  # a call inside a tool has a name below the tool's
                "waiting": row["state"] == "reserved" and row["admitted_at"] is None,
            }
        )
