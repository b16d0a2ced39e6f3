"""Mosaic answers the contract of every family. `python -m pytest` in this folder, with both packages installed."""

import base64

import httpx
from impresario_mosaic import Mosaic

from providers.testing import FamilyContract, Wire
from providers.types import ImageRequest

KEY = "mosaic_secret"
PNG = base64.b64encode(b"\x89PNG").decode()


class TestMosaic(FamilyContract):
    wire = Wire(
        family=Mosaic,
        environment={"MOSAIC_API_KEY": KEY},
        key=KEY,
        stack="httpcore",
        request=ImageRequest(model="mosaic-1", prompt="a cat", options={"tile": 8}),
        submit=("POST", "https://api.mosaic.example/v1/mosaics"),
        accepted=httpx.Response(200, json={"png": PNG}),
        moderated=httpx.Response(422, json={"code": "blocked", "message": "Not this."}),
        rate_limited=httpx.Response(429, headers={"retry-after-ms": "1"}, json={"message": "Slower, please."}),
        retry_after=0.001,
        gone=httpx.Response(404, json={"message": "No such model."}),
        no_credit=httpx.Response(402, json={"message": "No credit."}),
        rejected=httpx.Response(400, json={"message": "width: too wide"}),
        broken=httpx.Response(500, json={"message": "Sorry."}),
        malformed=httpx.Response(200, json={"queued": True}),
    )
