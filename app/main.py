"""create_app(): the HTTP application around an open house."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.trustedhost import TrustedHostMiddleware

from app.api import assets, direct, errors, generations, pages, system, usage
from app.api.origin import SameOrigin
from app.api.plain import PlainTextProblems
from app.api.schema import describe
from app.assembly import House, open_house
from app.settings import Settings, read_environment
from app.telemetry import MeasureRequests, Metrics
from app.telemetry_otel import Otel


def create_app(
    settings: Settings | None = None, environment: Mapping[str, str] | None = None, house: House | None = None
) -> FastAPI:
    """The application, in front of an open house, or of one that is opened when it starts. Settings and keys default to
    the environment and `.env`."""
    settings = settings or Settings()
    keys = read_environment() if environment is None else environment
    metrics = Metrics.configured(settings, keys) if house is None else house.parts.metrics

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_house(settings, keys, metrics) if house is None else nullcontext(house) as opened:
            app.state.parts, app.state.service = opened.parts, opened.service
            yield

    app = FastAPI(
        title="Impresario",
        version=version("impresario"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry=spans_of_requests(metrics.otel),
    )
    errors.install(app)
    small = APIRouter(max_body_size=settings.max_body_bytes)
    large = APIRouter(max_body_size=settings.max_upload_bytes + settings.max_body_bytes)
    for router in (generations.router, direct.router, assets.router, usage.router, system.router):
        small.include_router(router)
    large.include_router(assets.uploads)
    app.include_router(small)
    app.include_router(large)
    pages.mount(app)
    describe(app)
    # A page elsewhere must not reach this server, neither by a name that leads here nor by a form.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=settings.hosts())
    app.add_middleware(SameOrigin, allowed=settings.origins())
    if origins := settings.origins():
        exposed = ["location", "preference-applied", "etag", "content-range", "idempotent-replayed", "x-generation-id"]
        app.add_middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"], expose_headers=exposed
        )
    app.add_middleware(PlainTextProblems)
    app.add_middleware(MeasureRequests, metrics=metrics)
    return app


def spans_of_requests(otel: Otel | None) -> TelemetryConfig:
    """FastAPI's own spans and measurements of requests, where somebody collects them; not of those that only look
    whether it lives. Its logs are off: they carry what a bad request said."""
    quiet = {"/health", "/ready", "/metrics"}
    return {
        "tracing": otel is not None and otel.tracer_provider is not None,
        "metrics": otel is not None and otel.meter_provider is not None,
        "tracer_provider": otel.tracer_provider if otel is not None else None,
        "meter_provider": otel.meter_provider if otel is not None else None,
        "logs": False,
        "operation_spans": False,
        "auto_configure": False,
        "exclude": lambda scope: scope.get("path") in quiet,
    }
