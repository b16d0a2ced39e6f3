"""What the fakes' requests and answers have in common."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Refused(Exception):
    """A request the vendor does not accept, with the answer it gives."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers


async def refusal(_: Request, refused: Exception) -> Response:
    """The answer to a refused request."""
    assert isinstance(refused, Refused)
    return JSONResponse(refused.body, refused.status, refused.headers)


async def json_object(request: Request) -> dict[str, Any] | None:
    """The body, when it is a JSON object."""
    try:
        body = json.loads(await request.body())
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def bearer(request: Request) -> str:
    """The key of the Authorization header, or an empty string."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def origin(request: Request) -> str:
    """Scheme, host and port the client reached this process at."""
    return f"http://{request.headers.get('host', '127.0.0.1')}"


def rfc3339(moment: float) -> str:
    """A moment as vendors write it: UTC with milliseconds and a Z."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def token(length: int, alphabet: str = "abcdefghijklmnopqrstuvwxyz0123456789") -> str:
    """A random id."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


def now() -> float:
    """Seconds since the epoch."""
    return time.time()
