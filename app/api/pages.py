"""The pages for people: the studio at `/` and the API page at `/docs`, both whole without the internet."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

WEB = Path(str(resources.files("app"))) / "web"
SWAGGER = Path(str(resources.files("fastapi_offline"))) / "static"

# Everything comes from this server and no script stands in the page, so text that looks like markup stays text.
HERE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
STUDIO_POLICY = f"{HERE}; require-trusted-types-for 'script'; trusted-types 'none'"
# Swagger UI draws its icons from data: URLs, and shows a downloaded picture or sound from a blob: URL.
DOCS_POLICY = HERE.replace("img-src 'self'", "img-src 'self' data: blob:").replace(
    "media-src 'self'", "media-src 'self' blob:"
)
HEADERS = {
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}

router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=["GET", "HEAD"])
async def studio() -> FileResponse:
    """The studio page."""
    return FileResponse(WEB / "index.html", headers={**HEADERS, "content-security-policy": STUDIO_POLICY})


@router.api_route("/docs", methods=["GET", "HEAD"])
async def docs() -> FileResponse:
    """The API page."""
    return FileResponse(WEB / "docs.html", headers={**HEADERS, "content-security-policy": DOCS_POLICY})


class Files(StaticFiles):
    """Files that browsers ask about each time, so that a page never meets a script of another version."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update({name: HEADERS[name] for name in ("cache-control", "x-content-type-options")})
        return response


def mount(app: FastAPI) -> None:
    """Serve the pages and the files they need."""
    app.include_router(router)
    app.mount("/static/web", Files(directory=WEB), name="web")
    app.mount("/static/swagger", Files(directory=SWAGGER), name="swagger")
