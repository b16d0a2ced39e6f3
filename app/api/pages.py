"""The pages for people: the studio at `/` and the API page at `/docs`, both whole without the internet."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles

WEB = Path(str(resources.files("app"))) / "web"
SWAGGER = Path(str(resources.files("fastapi_offline"))) / "static"

router = APIRouter(include_in_schema=False)


@router.get("/")
async def studio() -> FileResponse:
    """The studio page."""
    return FileResponse(WEB / "index.html", headers={"cache-control": "no-cache"})


@router.get("/docs")
async def docs() -> HTMLResponse:
    """The API page."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Impresario API",
        swagger_js_url="/static/swagger/swagger-ui-bundle.js",
        swagger_css_url="/static/swagger/swagger-ui.css",
        swagger_favicon_url="/static/web/icon.svg",
        swagger_ui_parameters={"docExpansion": "list", "tryItOutEnabled": True, "displayRequestDuration": True},
    )


def mount(app: FastAPI) -> None:
    """Serve the pages and the files they need."""
    app.include_router(router)
    app.mount("/static/web", StaticFiles(directory=WEB), name="web")
    app.mount("/static/swagger", StaticFiles(directory=SWAGGER), name="swagger")
