"""xAI's clips on the wire, which are jobs, for the contract every family answers. Its pictures are in `wire_xai.py`."""

import httpx
from contract import Jobs, Wire
from wire_xai import API, EMPTY, KEY

from providers.types import Ticket, VideoRequest
from providers.xai import XAI


def video(status: str, code: int = 200, **fields: object) -> httpx.Response:
    """A clip's job as xAI answers it."""
    return httpx.Response(code, json={"status": status, "model": "grok-imagine-video"} | fields)


WIRE = Wire(
    family=XAI,
    environment={"XAI_API_KEY": KEY},
    key=KEY,
    stack="httpcore",
    request=VideoRequest(model="grok-imagine-video", prompt="a cat yawns"),
    submit=("POST", f"{API}/videos/generations"),
    accepted=httpx.Response(200, json={"request_id": "v1"}),
    moderated=video("done", video={"url": "", "duration": 5, "respect_moderation": False}),
    rate_limited=httpx.Response(429, headers={"retry-after-ms": "1"}, json={"error": "Too many requests"}),
    retry_after=0.001,
    gone=httpx.Response(404, json={"code": "Some requested entity was not found", "error": "Model not found: x"}),
    no_credit=httpx.Response(403, json={"code": "The caller does not have permission", "error": EMPTY}),
    rejected=httpx.Response(400, json={"code": "Client specified an invalid argument", "error": "Bad duration."}),
    broken=httpx.Response(500, json={"error": {"message": "Internal error", "type": "server_error", "code": None}}),
    malformed=httpx.Response(200, json={"queued": True}),
    jobs=Jobs(
        ticket=Ticket(job_id="v1"),
        poll=("GET", f"{API}/videos/v1"),
        cancel=None,
        pending=video("pending", 202, progress=25),
        progress=0.25,
        finished=video(
            "done", video={"url": "https://vidgen.x.ai/clip.mp4", "duration": 5, "respect_moderation": True}
        ),
        failed=video("failed", error={"code": "internal_error", "message": "Something broke."}),
        lost=httpx.Response(404, json={"code": "Some requested entity was not found", "error": "No such request."}),
        cancelled=None,
    ),
)
