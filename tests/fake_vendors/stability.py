"""Stability at `/stability/v2beta`: pictures that come with the answer, and the jobs of the creative upscaler."""

from __future__ import annotations

import asyncio
import base64
import math
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .control import Control
from .ledger import Ledger
from .media import MEDIA_TYPES, Media, Work
from .openai_rules import form_digest
from .stability_rules import MAX_SEED, Order, authorise, read_order, refused
from .wire import now, token

MEGAPIXEL = 1024**2
PIXELS = {"generate/core": 1.5, "generate/ultra": 1, "generate/sd3": 1, "upscale/creative": 8}
PIXELS |= dict.fromkeys(("edit/inpaint", "edit/erase", "edit/search-and-replace", "upscale/conservative"), 4)
"""Megapixels of what an endpoint makes, where it does not follow from the size of the picture given."""
FAST_FACTOR = 4
HEX = "0123456789abcdef"


@dataclass
class Job:
    """An upscale under way. It is never done at the first question."""

    key: str
    work: Work
    seed: str
    reason: str
    due: float
    asked: int = 0
    id: str = field(default_factory=lambda: token(64, HEX))


class Stability:
    """The endpoints."""

    def __init__(self, control: Control, ledger: Ledger, media: Media) -> None:
        self._control, self._ledger, self._media = control, ledger, media
        self.reset()

    def reset(self) -> None:
        """Forget every job."""
        self._jobs: dict[str, Job] = {}

    def routes(self) -> list[Route]:
        """Relative to the base URL, which is without `/v2beta`."""
        return [
            Route("/v2beta/stable-image/{path:path}", self.submit, methods=["POST"]),
            Route("/v2beta/results/{id}", self.result),
        ]

    async def submit(self, request: Request) -> Response:
        """Make a picture, or accept a job. An outcome of the control may set the `finish_reason`."""
        key, path = authorise(request), request.path_params["path"]
        order = await read_order(request, path)
        request.state.entry.body = dict(order.texts)
        request.state.entry.body_digest = await form_digest((await request.form()).multi_items())
        width, height = size_of(path, order)
        work = Work(order.texts.get("output_format", "png"), width, height)
        seed = order.texts.get("seed", "0")
        seed = str(int.from_bytes(work.salt.encode()) % MAX_SEED + 1) if seed == "0" else seed
        outcome: dict[str, Any] = self._control.outcome(request.url.path, await request.body())
        reason = str(outcome.get("finish_reason", "SUCCESS"))
        self._ledger.accept(request, "stability").append(work.salt)
        if path == "upscale/creative":
            job = Job(key, work, seed, reason, now() + self._control.latency["image"])
            self._jobs[job.id] = job
            return JSONResponse({"id": job.id})
        await asyncio.sleep(self._control.latency["image"])
        return await self._picture(request, work, seed, reason)

    async def result(self, request: Request) -> Response:
        """A job now. Another key than the one that ordered it does not find it."""
        job = self._jobs.get(request.path_params["id"])
        if authorise(request) != getattr(job, "key", None) or job is None:
            raise refused(404, "generation_not_found", "id: the generation either does not exist or has expired.")
        job.asked += 1
        if now() < job.due or job.asked == 1:
            return JSONResponse({"id": job.id, "status": "in-progress"}, 202)
        return await self._picture(request, job.work, job.seed, job.reason)

    async def _picture(self, request: Request, work: Work, seed: str, reason: str) -> Response:
        """The answer as it was asked for: the bytes with the verdict beside them, or both in JSON."""
        picture, media_type = await self._media.image(work), MEDIA_TYPES[work.format]
        headers = {"x-request-id": token(32, HEX)}
        if request.headers.get("accept") == "application/json":
            body = {"image": base64.b64encode(picture).decode(), "finish_reason": reason, "seed": int(seed)}
            return JSONResponse(body, headers=headers, media_type=f"application/json; type={media_type}")
        return Response(picture, media_type=media_type, headers=headers | {"finish-reason": reason, "seed": seed})


def size_of(path: str, order: Order) -> tuple[int, int]:
    """The size of what an endpoint makes."""
    width, height = order.pictures.get("image", (1, 1))
    texts = order.texts
    if path == "edit/outpaint":
        added = {side: int(texts.get(side, 0)) for side in ("left", "right", "up", "down")}
        return width + added["left"] + added["right"], height + added["up"] + added["down"]
    if path == "upscale/fast":
        return FAST_FACTOR * width, FAST_FACTOR * height
    if path not in PIXELS:
        return width, height
    if "aspect_ratio" in texts:
        width, height = map(int, texts["aspect_ratio"].split(":"))
    scale = math.sqrt(PIXELS[path] * MEGAPIXEL / (width * height))
    return max(64, round(width * scale / 64) * 64), max(64, round(height * scale / 64) * 64)
