"""The routes about the server itself: models, health, readiness, numbers."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib.metadata import version
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response

from app.errors import NotReady
from providers.catalogue import Catalogue, Model
from providers.errors import ProviderError
from providers.registry import Registry
from providers.types import Modality

from .deps import PartsDep
from .errors import responses
from .schemas import Health, ModelList, ModelOut, Readiness

router = APIRouter(tags=["Server"])


@router.get("/models", summary="The models and what they can do", responses=responses(422))
async def models(
    parts: PartsDep,
    modality: Annotated[Modality | None, Query(description="Only these.")] = None,
    capability: Annotated[str | None, Query(max_length=64, description="Only those that can do this.")] = None,
    available: Annotated[bool | None, Query(description="Only those that work here, or that do not.")] = None,
) -> ModelList:
    """The catalogue: capabilities, limits, price, lifecycle, and whether each model is available here, or why not."""
    return listed(parts.registry, modality, capability, available)


def listed(
    registry: Registry, modality: Modality | None = None, capability: str | None = None, available: bool | None = None
) -> ModelList:
    """The rows that match. None matches all."""
    catalogue = registry.catalogue
    data = [
        shaped(catalogue, model)
        for model in catalogue.models
        if modality in (None, model.modality) and (capability is None or capability in model.capabilities)
    ]
    data = [model for model in data if available in (None, model.available)]
    return ModelList(data=data, warnings=catalogue.warnings(), problems=dict(registry.problems))


def shaped(catalogue: Catalogue, model: Model) -> ModelOut:
    """A row of the catalogue as JSON."""
    reason = catalogue.why_not(model)
    fields = model.model_dump(include=set(ModelOut.model_fields))
    return ModelOut.model_validate(
        {
            **fields,
            "limits": json.loads(json.dumps(model.limits, default=plain)),
            "name": model.name,
            "retires_soon": model.retires_soon(catalogue.today()),
            "available": reason is None,
            "reason": reason,
        }
    )


def plain(value: object) -> float | str:
    """What TOML has and JSON has not: exact decimals, dates."""
    return float(value) if isinstance(value, Decimal) else str(value)


@router.get("/health", summary="Alive?")
async def health() -> Health:
    """Answers while the process lives."""
    return Health()


@router.get("/ready", summary="Ready?", responses=responses(503))
async def ready(parts: PartsDep) -> Readiness:
    """Whether the database answers and the planning model is available."""
    try:
        await parts.db.row(sa.select(1))
    except sa.exc.SQLAlchemyError as error:
        raise NotReady("The database does not answer; check DATABASE_URL.") from error
    catalogue, planner = parts.registry.catalogue, parts.agent_model()
    try:
        parts.planner(planner)
    except ProviderError as error:
        raise NotReady(f"The planning model cannot be used. {error}") from error
    tools = [tool.name for tool in parts.toolbox.specs(catalogue)]
    problems = sorted(parts.registry.problems)
    return Readiness(agent_model=planner, tools=tools, problems=problems, version=version("impresario"))


@router.get("/metrics", summary="Numbers for Prometheus", response_class=Response)
async def metrics(parts: PartsDep) -> Response:
    """The text exposition format. The numbers are those of this process since its start; generations and paid calls are
    counted where they are made."""
    return Response(parts.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
