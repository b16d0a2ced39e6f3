"""Replicate on the wire, for the contract every family answers."""

import httpx
from contract import Jobs, Listing, Wire

from providers.replicate import Replicate
from providers.types import ImageRequest, Ticket

API = "https://api.replicate.com/v1"
KEY = "r8_secret"


def prediction(status: str, **fields: object) -> httpx.Response:
    """A prediction as Replicate answers it."""
    urls = {"get": f"{API}/predictions/p1", "cancel": f"{API}/predictions/p1/cancel"}
    body = {"id": "p1", "model": "black-forest-labs/flux-1.1-pro", "version": "hidden", "status": status, "input": {}}
    body |= {"output": None, "error": None, "logs": "", "urls": urls}
    return httpx.Response(201 if status == "starting" else 200, json=body | fields)


def listed(*records: httpx.Response, further: str | None = None) -> httpx.Response:
    """A page of the list of predictions."""
    return httpx.Response(200, json={"previous": None, "next": further, "results": [each.json() for each in records]})


WIRE = Wire(
    family=Replicate,
    environment={"REPLICATE_API_TOKEN": KEY},
    key=KEY,
    stack="httpcore",
    request=ImageRequest(model="flux-1.1-pro", prompt="a cat"),
    submit=("POST", f"{API}/predictions"),
    accepted=prediction("starting"),
    moderated=prediction("failed", error="NSFW content detected. Try a different prompt."),
    rate_limited=httpx.Response(429, json={"detail": "Request was throttled. Your rate limit resets in ~0s."}),
    retry_after=0.0,
    gone=httpx.Response(404, json={"title": "Not found", "detail": "The requested resource could not be found."}),
    no_credit=httpx.Response(402, json={"title": "Insufficient credit", "status": 402}),
    rejected=httpx.Response(422, json={"title": "Invalid", "detail": "- input.seed: wrong", "status": 422}),
    broken=httpx.Response(502, json={"title": "Bad gateway", "status": 502}),
    malformed=httpx.Response(201, text="<html>"),
    jobs=Jobs(
        ticket=Ticket(job_id="p1"),
        poll=("GET", f"{API}/predictions/p1"),
        cancel=("POST", f"{API}/predictions/p1/cancel"),
        pending=prediction("processing", logs="  0%|          | 0/28\n 50%|█████     | 14/28"),
        progress=0.5,
        finished=prediction("succeeded", output="https://replicate.delivery/x/out.png", error=""),
        failed=prediction("failed", error="CUDA out of memory"),
        lost=httpx.Response(404, json={"title": "Not found", "detail": "The requested resource could not be found."}),
        cancelled=prediction("canceled"),
        listing=Listing(
            ask=("GET", f"{API}/predictions"),
            listed=listed(prediction("processing", input={"prompt": "a cat", "output_format": "png"})),
            nothing=listed(),
        ),
    ),
)
