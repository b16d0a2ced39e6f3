"""xAI's pictures on the wire, which are answered at once, for the contract every family answers."""

import httpx
from contract import Wire

from providers.types import ImageRequest
from providers.xai import XAI

API = "https://api.x.ai/v1"
KEY = "xai-secret0123456789"
EMPTY = (
    "Your team 16f2151a has either used all available credits or reached its monthly spending limit. To continue "
    "making API requests, please purchase more credits or raise your spending limit."
)
PICTURE = {"b64_json": "AAAA", "mime_type": "image/jpeg", "revised_prompt": ""}


def pictures(*items: dict[str, object], ticks: int | None = 600_000_000) -> httpx.Response:
    """An answer with these items; it has no `created` (trap 15)."""
    return httpx.Response(200, json={"data": list(items), "usage": {"cost_in_usd_ticks": ticks}})


WIRE = Wire(
    family=XAI,
    environment={"XAI_API_KEY": KEY},
    key=KEY,
    stack="httpcore",
    request=ImageRequest(model="grok-imagine-image-2.0", prompt="a cat"),
    submit=("POST", f"{API}/images/generations"),
    accepted=pictures(PICTURE),
    moderated=pictures(),
    rate_limited=httpx.Response(429, headers={"retry-after-ms": "1"}, json={"error": "Too many requests"}),
    retry_after=0.001,
    gone=httpx.Response(404, json={"code": "Some requested entity was not found", "error": "Model not found: x"}),
    no_credit=httpx.Response(429, json={"code": "Some resource has been exhausted", "error": EMPTY}),
    rejected=httpx.Response(400, json={"code": "Client specified an invalid argument", "error": "Bad aspect ratio."}),
    broken=httpx.Response(500, json={"error": {"message": "Internal error", "type": "server_error", "code": None}}),
    malformed=httpx.Response(200, json={"data": [{"mime_type": "image/jpeg"}]}),
)
