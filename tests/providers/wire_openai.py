"""OpenAI on the wire, for the contract every family answers: a quick vendor, through its SDK on httpx2."""

import httpx
from contract import Wire

from providers.openai import OpenAI
from providers.types import ImageRequest

API = "https://api.openai.com/v1"
KEY = "sk-secret"


def problem(status: int, kind: str, code: str | None, headers: dict[str, str] | None = None) -> httpx.Response:
    """An error in OpenAI's envelope."""
    error = {"message": "It went wrong.", "type": kind, "param": None, "code": code}
    return httpx.Response(status, headers={"x-request-id": "req_1", **(headers or {})}, json={"error": error})


WIRE = Wire(
    family=OpenAI,
    environment={"OPENAI_API_KEY": KEY},
    key=KEY,
    stack="httpcore2",
    request=ImageRequest(model="gpt-image-2.6-flare", prompt="a cat"),
    submit=("POST", f"{API}/images/generations"),
    accepted=httpx.Response(200, json={"created": 1, "data": [{"b64_json": "iVBORw0KGgo="}]}),
    moderated=problem(400, "image_generation_user_error", "moderation_blocked"),
    rate_limited=problem(429, "requests", "rate_limit_exceeded", {"retry-after-ms": "1"}),
    retry_after=0.001,
    gone=problem(404, "invalid_request_error", "model_not_found"),
    no_credit=problem(429, "insufficient_quota", "insufficient_quota"),
    rejected=problem(400, "invalid_request_error", "invalid_value"),
    broken=problem(500, "server_error", None),
    malformed=httpx.Response(200, json={"created": 1, "data": []}),
)
