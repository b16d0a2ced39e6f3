"""Black Forest Labs on the wire, for the contract every family answers."""

from decimal import Decimal

import httpx
from contract import Jobs, Wire

from providers.bfl import BFL
from providers.types import ImageRequest, Ticket

API = "https://api.bfl.ai/v1"
POLL = "https://api.us1.bfl.ai/v1/get_result?id=t1"
KEY = "bfl_secret0123456789"


def task(status: str, **fields: object) -> httpx.Response:
    """A task as the vendor answers it."""
    return httpx.Response(200, json={"id": "t1", "status": status, "result": None, "progress": None} | fields)


WIRE = Wire(
    family=BFL,
    environment={"BFL_API_KEY": KEY},
    key=KEY,
    stack="httpcore",
    request=ImageRequest(model="bfl-flux-2-pro", prompt="a cat"),
    submit=("POST", f"{API}/flux-2-pro"),
    accepted=httpx.Response(200, json={"id": "t1", "polling_url": POLL, "cost": 3.0, "output_mp": 1.05}),
    moderated=task("Content Moderated", details={"Moderation Reasons": ["Derivative Works Filter"]}),
    rate_limited=httpx.Response(429, headers={"retry-after-ms": "1"}, json={"detail": "Too many active tasks"}),
    retry_after=0.001,
    gone=httpx.Response(404, json={"detail": "Not Found"}),
    no_credit=httpx.Response(402, json={"detail": "Insufficient credits."}),
    rejected=httpx.Response(422, json={"detail": [{"loc": ["body", "width"], "msg": "too small", "type": "x"}]}),
    broken=httpx.Response(500, json={"detail": "Internal Server Error"}),
    malformed=httpx.Response(200, json={"status": "Pending"}),
    jobs=Jobs(
        ticket=Ticket(job_id="t1", state="api.us1.bfl.ai/v1/get_result?id=t1", estimated_cost_usd=Decimal("0.03")),
        poll=("GET", POLL),
        cancel=None,
        pending=task("Pending", progress=0.5),
        progress=0.5,
        finished=task("Ready", result={"sample": "https://delivery-us1.bfl.ai/a.png?sig=x", "seed": 7}),
        failed=task("Error"),
        lost=task("Task not found"),
        cancelled=None,
    ),
)
