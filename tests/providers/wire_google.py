"""Google on the wire, for the contract every family answers: a clip, which is a job of the Interactions API."""

from typing import Any

import httpx
from contract import Jobs, Wire

from providers.google import Google
from providers.types import Ticket, VideoRequest

API = "https://generativelanguage.googleapis.com/v1"
KEY = "AIzaSyFake-secret"
FILE = f"{API}/files/f1"


def problem(code: int, status: str, *details: dict[str, Any], message: str = "It went wrong.") -> httpx.Response:
    """An error in Google's envelope."""
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return httpx.Response(code, json={"error": error})


def retry_info(delay: str) -> dict[str, Any]:
    """How long a 429 asks to wait."""
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def interaction(status: str, *content: dict[str, Any], **fields: Any) -> httpx.Response:
    """An interaction as Google answers it."""
    steps = [{"type": "model_output", "content": list(content)}] if content else []
    made = {"id": "i1", "object": "interaction", "model": "gemini-omni-1.1-flash", "status": status, "steps": steps}
    return httpx.Response(200, json=made | fields)


WIRE = Wire(
    family=Google,
    environment={"GOOGLE_API_KEY": KEY},
    key=KEY,
    stack="httpcore",
    request=VideoRequest(model="gemini-omni-1.1-flash", prompt="a cat yawns"),
    submit=("POST", f"{API}/interactions"),
    accepted=interaction("in_progress"),
    moderated=interaction("completed", usage={"total_output_tokens": 0}),
    rate_limited=problem(429, "RESOURCE_EXHAUSTED", retry_info("0.001s")),
    retry_after=0.001,
    gone=problem(404, "NOT_FOUND"),
    no_credit=problem(402, "RESOURCE_EXHAUSTED"),  # trap 10: the status says rate limit
    rejected=problem(400, "INVALID_ARGUMENT"),
    broken=problem(500, "INTERNAL"),
    malformed=httpx.Response(200, json={"status": "in_progress"}),
    jobs=Jobs(
        ticket=Ticket(job_id="i1"),
        poll=("GET", f"{API}/interactions/i1"),
        cancel=("POST", f"{API}/interactions/i1/cancel"),
        pending=interaction("in_progress"),
        progress=None,
        finished=interaction("completed", {"type": "video", "uri": FILE, "mime_type": "video/mp4"}),
        failed=interaction("failed", errors=[{"code": "internal", "message": "Something broke."}]),
        lost=problem(404, "NOT_FOUND"),
        cancelled=interaction("cancelled"),
    ),
)
