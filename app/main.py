"""create_app(): the HTTP application around an open house."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from app.api import assets, errors, generations, pages, system, usage
from app.api.origin import SameOrigin
from app.api.plain import PlainTextProblems
from app.api.schema import describe
from app.assembly import House, open_house
from app.settings import Settings, read_environment
from app.telemetry import MeasureRequests, Metrics


def create_app(
    settings: Settings | None = None, environment: Mapping[str, str] | None = None, house: House | None = None
) -> FastAPI:
    """The application, in front of an open house, or of one that is opened when it starts. Settings and keys default to
    the environment and `.env`."""
    settings = settings or Settings()
    keys = read_environment() if environment is None else environment
    metrics = Metrics() if house is None else house.parts.metrics

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
    )
    errors.install(app)
    small = APIRouter(max_body_size=settings.max_body_bytes)
    large = APIRouter(max_body_size=settings.max_upload_bytes + settings.max_body_bytes)
    for router in (generations.router, assets.router, usage.router, system.router):
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
        exposed = ["location", "preference-applied", "etag", "content-range", "idempotent-replayed"]
        app.add_middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"], expose_headers=exposed
        )
    app.add_middleware(PlainTextProblems)
    app.add_middleware(MeasureRequests, metrics=metrics)
    return app
