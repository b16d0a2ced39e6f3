"""The route about what was spent."""

from __future__ import annotations

import datetime as dt
import re
from functools import partial
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from app.accounts.usage import NAMES, Figures, usage
from app.db import now
from app.errors import InvalidInput

from .deps import OwnerDep, PartsDep
from .errors import responses
from .receipts import Usd

router = APIRouter(tags=["Usage"])

MOST_DAYS = 366
USUAL_DAYS = 30
ONE_NAME = f"({'|'.join(NAMES)})"


def _plain_day(value: Any) -> Any:
    """A day as it is written here: what else Python reads as a date is not taken."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("is not a day like 2026-11-20")
    return value


def _names(value: str) -> str:
    if value and not set(value.split(",")) <= set(NAMES):
        raise ValueError(f"takes {', '.join(NAMES)}, with commas between")
    return value


Day = Annotated[dt.date, BeforeValidator(_plain_day)]
BY_SCHEMA = {"type": "string", "pattern": f"^({ONE_NAME}(,{ONE_NAME})*)?$", "maxLength": 100}
By = Annotated[str, Field(max_length=100), AfterValidator(_names), WithJsonSchema(BY_SCHEMA)]


class Words(BaseModel):
    """What the calls of a group have in common."""

    day: dt.date | None = Field(None, description="The UTC day the calls were begun.", examples=["2026-11-20"])
    vendor: str | None = Field(None, description="Who was hired.", examples=["runway"])
    model: str | None = Field(None, description="The model that was asked for.", examples=["gen4.5"])
    key: str | None = Field(
        None, description="Whose calls they were; `anonymous` for those made without a key.", examples=["anonymous"]
    )
    modality: str | None = Field(None, description="`chat`, `image`, `video` or `speech`.", examples=[None])


class FiguresOut(BaseModel):
    """What some calls add up to. What is not known is counted apart: unknown is not zero."""

    calls: int = Field(description="Paid calls begun, whatever became of them.", examples=[14])
    cost_usd: Usd | None = Field(
        description="What is known of the cost; null when nothing of it is.", examples=["1.246965"]
    )
    cost_is_complete: bool = Field(
        description="False while there are `open_calls`, `unknown_calls` or `unpriced_calls`.", examples=[False]
    )
    open_calls: int = Field(description="Calls under way.", examples=[0])
    open_up_to_usd: Usd | None = Field(
        description="What they may cost, by their estimates; null when one has none.", examples=["0.000000"]
    )
    unknown_calls: int = Field(
        description="Calls whose outcome was lost: they may be owed, and are not in `cost_usd`.", examples=[1]
    )
    unknown_up_to_usd: Usd | None = Field(
        description="What they may have cost, by their estimates; null when one has none.", examples=["0.600000"]
    )
    unpriced_calls: int = Field(
        description="Calls that are over and cost what no one tells: not in `cost_usd` either.", examples=[2]
    )
    unpriced_up_to_usd: Usd | None = Field(
        description="What they may have cost, by their estimates; null when one has none.", examples=["0.080000"]
    )
    released_calls: int = Field(description="Calls that were definitely not accepted: they cost nothing.", examples=[1])
    reused_calls: int = Field(description="Calls answered from earlier works: they cost nothing.", examples=[0])
    input_tokens: int = Field(description="Tokens read, as far as the vendors reported them.", examples=[16520])
    output_tokens: int = Field(description="Tokens written, likewise.", examples=[728])

    @classmethod
    def of(cls, figures: Figures, **words: str) -> Self:
        """Figures as JSON, under the words that name their group."""
        doubts = {"open": figures.open, "unknown": figures.unknown, "unpriced": figures.unpriced}
        return cls.model_validate(
            {
                **words,
                "calls": figures.calls,
                "cost_usd": figures.spending.cost_usd,
                "cost_is_complete": figures.spending.complete,
                **{f"{name}_calls": doubt.calls for name, doubt in doubts.items()},
                **{f"{name}_up_to_usd": doubt.up_to_usd for name, doubt in doubts.items()},
                "released_calls": figures.released_calls,
                "reused_calls": figures.reused_calls,
                "input_tokens": figures.input_tokens,
                "output_tokens": figures.output_tokens,
            }
        )


class UsageGroup(FiguresOut, Words):
    """The calls that have the words of `by` in common; words it does not name are null."""


class UsageReport(BaseModel):
    """What was spent on some days."""

    from_: dt.date = Field(
        alias="from", description="The first day, UTC.", examples=["2026-11-01"], json_schema_extra={"title": "from"}
    )
    to: dt.date = Field(description="The last day, which is included.", examples=["2026-11-30"])
    by: list[str] = Field(description="What `data` is added up by.", examples=[list(NAMES[:4])])
    data: list[UsageGroup] = Field(description="One entry for each group that has calls, sorted by the words of `by`.")
    total: FiguresOut = Field(description="All of it together.")


@router.get("/usage", summary="What was spent", responses=responses(422))
async def get_usage(
    parts: PartsDep,
    owner: OwnerDep,
    first: Annotated[
        Day | None, Query(alias="from", description="The first day, UTC. Default: 29 days before the last.")
    ] = None,
    last: Annotated[
        Day | None, Query(alias="to", description="The last day, which is included. Default: today, UTC.")
    ] = None,
    by: Annotated[
        By, Query(description="What to add up by, in this order, with commas between. Empty: the total only.")
    ] = "day,vendor,model,key",
) -> UsageReport:
    """The receipts of up to 366 days added up, those of deleted generations too. A call counts on the day it was begun.

    What is known stands in `cost_usd`. Calls that are under way, were lost, or have no price are counted beside it,
    each kind with what it may come to.
    """
    last = last or now().date()
    first = first or last - min(dt.timedelta(days=USUAL_DAYS - 1), last - dt.date.min)
    if first > last:
        raise InvalidInput(f"The first day, {first}, comes after the last, {last}.", "query.from")
    if (last - first).days >= MOST_DAYS:
        raise InvalidInput(f"From {first} to {last} are more than {MOST_DAYS} days; ask for fewer.", "query.from")
    names = list(dict.fromkeys(filter(None, by.split(","))))
    found = await parts.db.read(partial(usage, owner=owner, first=first, last=last, by=names))
    data = [
        UsageGroup.of(figures, **dict(zip(names, words, strict=True)))
        for words, figures in sorted(found.groups.items(), key=lambda group: group[0])
    ]
    return UsageReport.model_validate(
        {"from": first, "to": last, "by": names, "data": data, "total": FiguresOut.of(found.total)}
    )
