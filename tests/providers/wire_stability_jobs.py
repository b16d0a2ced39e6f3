"""Stability's one job on the wire, for the contract every family answers: the creative upscaler."""

from dataclasses import replace

import httpx
from contract import Jobs
from wire_stability import API, drawn, picture, problem
from wire_stability import WIRE as QUICK

from providers.types import EditRequest, Media, Ticket

WIRE = replace(
    QUICK,
    request=EditRequest(model="stable-image-upscale-creative", operation="upscale", prompt="a cat", image="asset_1"),
    media={"asset_1": Media("image/png", data=drawn(size=(64, 64)))},
    submit=("POST", f"{API}/stable-image/upscale/creative"),
    accepted=httpx.Response(200, json={"id": "j1"}),
    moderated=picture("CONTENT_FILTERED"),
    malformed=httpx.Response(200, json={"status": "in-progress"}),
    jobs=Jobs(
        ticket=Ticket(job_id="j1"),
        poll=("GET", f"{API}/results/j1"),
        cancel=None,
        pending=httpx.Response(202, json={"id": "j1", "status": "in-progress"}),
        progress=None,
        finished=picture(),
        failed=problem(400, "bad_request", "image: could not be upscaled"),
        lost=problem(404, "generation_not_found", "The generation either does not exist or has expired."),
        cancelled=None,
    ),
)
