"""Stability on the wire, for the contract every family answers: pictures that come with the answer."""

import io

import httpx
from contract import Wire
from PIL import Image

from providers.stability import Stability
from providers.types import ImageRequest

API = "https://api.stability.ai/v2beta"
KEY = "sk-secret"


def drawn(form: str = "PNG", size: tuple[int, int] = (4, 4)) -> bytes:
    """A small picture in this format."""
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, form)
    return file.getvalue()


def picture(reason: str | None = "SUCCESS", data: bytes | None = None, **headers: str) -> httpx.Response:
    """A picture as Stability answers it: the bytes, and the verdict in the headers."""
    told = {"content-type": "image/png", "seed": "343940597", "x-request-id": "r1"} | headers
    told |= {} if reason is None else {"finish-reason": reason}
    return httpx.Response(200, headers=told, content=drawn() if data is None else data)


def problem(status: int, name: str, *errors: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """An error in Stability's envelope."""
    body = {"id": "a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4", "name": name, "errors": list(errors) or ["It went wrong."]}
    return httpx.Response(status, headers=headers, json=body)


FLAGGED = problem(403, "content_moderation", "Your request was flagged by our content moderation system.")
LOCKED_OUT = "You have exceeded the rate limit of 150 requests within a 10 second period."
PAID_OUT = "You lack sufficient credits to make this request."

WIRE = Wire(
    family=Stability,
    environment={"STABILITY_API_KEY": KEY},
    key=KEY,
    stack="httpcore",
    request=ImageRequest(model="stable-image-core", prompt="a cat"),
    submit=("POST", f"{API}/stable-image/generate/core"),
    accepted=picture(),
    moderated=FLAGGED,
    rate_limited=problem(429, "rate_limit_exceeded", LOCKED_OUT, headers={"retry-after-ms": "1"}),
    retry_after=0.001,
    gone=problem(404, "not_found", "The requested resource was not found."),
    no_credit=problem(402, "payment_required", PAID_OUT),
    rejected=problem(400, "bad_request", "aspect_ratio: must be one of 1:1, 16:9"),
    broken=problem(500, "internal_error", "An unexpected server error has occurred, please try again later."),
    malformed=httpx.Response(200, text="<html>"),
)
