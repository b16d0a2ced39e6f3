"""Runway on the wire, for the contract every family answers."""

from decimal import Decimal

import httpx
from contract import Jobs, Wire

from providers.runway import Runway
from providers.types import Ticket, VideoRequest

API = "https://api.dev.runwayml.com/v1"
KEY = "key_secret"


def task(status: str, **fields: object) -> httpx.Response:
    """A task as Runway answers it."""
    return httpx.Response(200, json={"id": "t1", "createdAt": "2026-11-20T00:00:00Z", "status": status} | fields)


WIRE = Wire(
    family=Runway,
    environment={"RUNWAYML_API_SECRET": KEY},
    key=KEY,
    stack="httpcore",
    request=VideoRequest(model="gen4.5", prompt="a cat yawns"),
    submit=("POST", f"{API}/text_to_video"),
    accepted=httpx.Response(200, json={"id": "t1", "estimatedCost": {"credits": 60}}),
    moderated=task("FAILED", failure="Blocked.", failureCode="SAFETY.INPUT.TEXT", cost={"credits": 0}),
    rate_limited=httpx.Response(429, headers={"retry-after-ms": "1"}, json={"error": "Too many requests"}),
    retry_after=0.001,
    gone=httpx.Response(410, json={"error": "This model is no longer available."}),
    no_credit=httpx.Response(400, json={"error": "You do not have enough credits to run this task."}),
    rejected=httpx.Response(400, json={"error": "Validation failed", "issues": [{"path": ["ratio"], "message": "?"}]}),
    broken=httpx.Response(503, json={"error": "Service unavailable"}),
    malformed=httpx.Response(200, json={"queued": True}),
    jobs=Jobs(
        ticket=Ticket(job_id="t1", estimated_cost_usd=Decimal("0.60")),
        poll=("GET", f"{API}/tasks/t1"),
        cancel=("DELETE", f"{API}/tasks/t1"),
        pending=task("RUNNING", progress=0.25, estimatedCost={"credits": 60}),
        progress=0.25,
        finished=task("SUCCEEDED", output=["https://cdn.test/clip.mp4?_jwt=x"], cost={"credits": 60}),
        failed=task("FAILED", failure="Failed.", failureCode="INTERNAL.BAD_OUTPUT.CODE01", cost={"credits": 0}),
        lost=httpx.Response(404, json={"error": "Could not find Task with id t1"}),
        cancelled=httpx.Response(204),
    ),
)
