"""fal on the wire, for the contract every family answers."""

import json

import httpx
from contract import Jobs, Wire

from providers.fal import Fal
from providers.types import ImageRequest, Ticket

API = "https://queue.fal.run"
JOB = "/fal-ai/flux-1/requests/r1"
KEY = "0f1e2d3c-secret:4b5a6978"
LINKS = {"status_url": f"{JOB}/status", "response_url": JOB, "cancel_url": f"{JOB}/cancel"}
STATE = json.dumps(LINKS, sort_keys=True)


def queued(status: str, code: int = 202, **fields: object) -> httpx.Response:
    """A request in the queue as fal answers it; the addresses are left without the endpoint's path."""
    links = {name: API + path for name, path in LINKS.items()}
    return httpx.Response(code, json={"status": status, "request_id": "r1", "logs": None} | links | fields)


WIRE = Wire(
    family=Fal,
    environment={"FAL_KEY": KEY},
    key=KEY,
    stack="httpcore",
    request=ImageRequest(model="fal-ai/flux-1/schnell", prompt="a cat"),
    submit=("POST", f"{API}/fal-ai/flux-1/schnell"),
    accepted=queued("IN_QUEUE", 200, queue_position=0),
    moderated=queued("COMPLETED", 200, error="Unprocessable Entity", error_type="content_policy_violation"),
    rate_limited=httpx.Response(429, headers={"retry-after-ms": "1"}, json={"detail": "Rate limited"}),
    retry_after=0.001,
    gone=httpx.Response(404, json={"detail": "Application 'flux-1' not found"}),
    no_credit=httpx.Response(403, json={"detail": "User is locked. Reason: Exhausted balance. Top up your balance."}),
    rejected=httpx.Response(422, json={"detail": [{"loc": ["body", "prompt"], "msg": "?", "type": "missing"}]}),
    broken=httpx.Response(502, text="Bad gateway"),
    malformed=httpx.Response(200, json={"status": "IN_QUEUE"}),
    jobs=Jobs(
        ticket=Ticket(job_id="r1", state=STATE),
        poll=("GET", f"{API}{JOB}/status"),
        cancel=("PUT", f"{API}{JOB}/cancel"),
        pending=queued("IN_PROGRESS"),
        progress=None,
        finished=queued("COMPLETED", 200, metrics={"inference_time": 0.7}),
        failed=queued("COMPLETED", 200, error="Runner failed", error_type="runner_server_error"),
        lost=httpx.Response(404, json={"detail": "Request not found"}),
        cancelled=httpx.Response(202, json={"status": "CANCELLATION_REQUESTED"}),
        result=(
            API + JOB,
            httpx.Response(
                200,
                json={
                    "images": [{"url": "https://v3.fal.media/a.png", "width": 1024, "height": 1024}],
                    "seed": 7,
                    "has_nsfw_concepts": [False],
                },
            ),
        ),
    ),
)
