"""What routes ask for in their signatures."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request

from app.generations.parts import Parts
from app.generations.service import Service


def service_of(request: Request) -> Service:
    """The service of this application."""
    service: Service = request.app.state.service
    return service


def parts_of(request: Request) -> Parts:
    """The parts of this application."""
    parts: Parts = request.app.state.parts
    return parts


def owner_of(request: Request) -> str:
    """Who asks. Without keys there is one owner, whose name is empty."""
    return ""


def base_url_of(request: Request) -> str:
    """The address asset URLs start with: `PUBLIC_URL`, or the one this request came to."""
    parts: Parts = request.app.state.parts
    return (parts.settings.public_url or str(request.base_url)).rstrip("/")


ServiceDep = Annotated[Service, Depends(service_of)]
PartsDep = Annotated[Parts, Depends(parts_of)]
OwnerDep = Annotated[str, Depends(owner_of)]
BaseUrlDep = Annotated[str, Depends(base_url_of)]
Limit = Annotated[int, Query(ge=1, le=100, description="How many to return at most.")]
Cursor = Annotated[
    str | None,
    Query(
        pattern="^(asset|gen)_[0-9a-z]{26}$",
        description="`next_cursor` of the page before; leave it out for the first.",
    ),
]
