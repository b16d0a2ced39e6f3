"""What a generation is asked for, and whether it can work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.budgets import canonical_json
from app.db import generations
from app.errors import Conflict, InvalidInput, NotFound
from app.tools.base import ToolFailed
from providers.catalogue import Catalogue
from providers.errors import ProviderError
from providers.types import Modality

from .files import ADDRESS
from .parts import Parts

TERMINAL = ("completed", "failed", "cancelled")
NEEDS_OF_CHAT: Mapping[str, tuple[str, ...]] = {"chat": ("tools",), "vision": ()}
"""The kinds of model that are pinned and chat: the planner, and who looks, listens and reads."""
NEEDS_OF_HEIRS: Mapping[str, tuple[str, ...]] = {"image": ("text_to_image",), "speech": ("tts",)}
OWN = sa.select(generations).where(
    generations.c.id == sa.bindparam("which"), generations.c.owner == sa.bindparam("whose")
)


class Alone(BaseModel):
    """A tool to be called alone: its name and its arguments, as a planner would write them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    arguments: dict[str, Any]


class Order(BaseModel):
    """A generation as it is asked for; the HTTP body is this and its descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str
    max_steps: int = 10
    inputs: tuple[str, ...] = ()
    previous_id: str | None = None
    models: dict[str, str] = Field(default_factory=dict)
    max_cost_usd: Decimal | None = None
    reuse: bool = False
    stream: bool = False
    tool: Alone | None = None
    """The one tool to call, without a planner."""
    metadata: dict[str, Any] = Field(default_factory=dict)

    def digest(self) -> str:
        """What tells one body from another under the same Idempotency-Key. A field that came later is in it only where
        it is used, so that a digest of before stays the same."""
        said = self.model_dump(mode="json")
        later = {name: said.pop(name) for name in ("stream", "tool")}
        said |= {name: value for name, value in later.items() if value}
        return hashlib.sha256(canonical_json(said).encode()).hexdigest()


async def vet(parts: Parts, owner: str, order: Order) -> tuple[Order, list[str]]:
    """Refuse what cannot work before anything is written. The order, with what a tool that is called alone works from
    as its inputs, and the warnings a pinned model brings."""
    warnings: list[str] = []
    for position, ref in enumerate(order.inputs):
        await check_input(parts, owner, ref, f"inputs.{position}")
    if order.tool is not None:
        order = order.model_copy(update={"inputs": await check_tool(parts, owner, order.tool)})
    for modality, name in order.models.items():
        try:
            if modality in NEEDS_OF_CHAT:
                parts.planner(name, () if order.tool else NEEDS_OF_CHAT[modality])
            else:
                warnings += pin_warnings(parts.registry.catalogue, cast(Modality, modality), name)
        except ProviderError as error:
            raise InvalidInput(str(error), f"models.{modality}") from error
    if order.previous_id is not None:
        try:
            previous = await generation_row(parts, owner, order.previous_id)
        except NotFound as error:
            raise InvalidInput(str(error), "previous_id") from error
        if previous["status"] not in TERMINAL:
            raise Conflict("The earlier generation still runs; continue it when it has ended.")
    return order, warnings


def pin_warnings(catalogue: Catalogue, modality: Modality, name: str) -> tuple[str, ...]:
    """What has to be said of a pinned model. Raises NotOffered, Unavailable.

    A retired one must have an heir that works. Which one makes a clip depends on the call, because only some start from
    words: so that is said when it is made.
    """
    retired = any(model.retired(catalogue.today()) for model in catalogue.named(name))
    needs = NEEDS_OF_HEIRS.get(modality, ()) if retired else ()
    chosen = catalogue.choose(modality, name, needs)
    return chosen.warnings if needs else ()


async def generation_row(parts: Parts, owner: str, generation_id: str) -> Mapping[str, Any]:
    """The row of an owner's generation. Raises NotFound."""
    named = {"which": generation_id, "whose": owner}
    row = await parts.db.read(lambda connection: connection.execute(OWN, named).mappings().first())
    if row is None or row["deleted_at"] is not None:
        raise NotFound(f"There is no generation {generation_id!r}.")
    return dict(row)


async def check_input(parts: Parts, owner: str, ref: str, field: str) -> None:
    """An address is looked at when the run begins: here it would hold the caller up."""
    if ref.startswith(ADDRESS):
        return
    try:
        await parts.records.get(owner, ref)
    except NotFound as error:
        raise InvalidInput(str(error), field) from error


async def check_tool(parts: Parts, owner: str, alone: Alone) -> tuple[str, ...]:
    """What a tool that is called alone works from; its caller is told here what is wrong with the arguments."""
    try:
        tool = parts.toolbox.get(alone.name, parts.registry.catalogue)
        arguments = tool.parse(json.dumps(alone.arguments))
    except ToolFailed as error:
        raise InvalidInput(str(error)) from error
    refs = tool.inputs(arguments)
    for name, ref in refs:
        await check_input(parts, owner, ref, name)
    return tuple(ref for _, ref in refs)
