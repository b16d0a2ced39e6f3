"""Runway at `/runway/v1`: tasks that are computed from the clock."""

from __future__ import annotations

import asyncio
import re
import uuid
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .control import Control
from .ledger import Ledger
from .media import Files, Work, speech_seconds
from .runway_rules import DOCS, authorise, issues_of, shapes_of
from .wire import Refused, json_object, now, origin, rfc3339, token

PENDING_SHARE = 0.2
SUBMITS = {
    "text_to_video": "mp4",
    "image_to_video": "mp4",
    "video_to_video": "mp4",
    "character_performance": "mp4",
    "text_to_image": "png",
    "text_to_speech": "mp3",
    "sound_effect": "mp3",
}
CREDITS_PER_S = {
    "gen4_turbo": 5,
    "gen4.5": 12,
    "aleph2": 28,
    "act_two": 5,
    "veo3.1": 40,
    "veo3.1_fast": 15,
    "seedance2": 36,
    "seedance2_fast": 29,
    "seedance2_mini": 16,
    "seedance2_5": 30,
    "hailuo3": 10,
    "gemini_omni_flash": 10,
}
SILENT_CREDITS_PER_S = {"veo3.1": 20, "veo3.1_fast": 10}
CREDITS_PER_IMAGE = {"gen4_image": 5, "gen4_image_turbo": 2, "muse_image": 1, "gemini_2.5_flash": 5}
DEFAULT_CREDITS = 10
Json = dict[str, Any]


@dataclass
class Task:
    """A task; what it looks like follows from the time."""

    work: str
    credits: int
    latency: float
    outcome: Json = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: float = field(default_factory=now)

    def view(self, base: str, files: Files, moment: float) -> Json:
        """The object of the API, with a fresh URL of the work."""
        made: Json = {"id": self.id, "createdAt": rfc3339(self.created)}
        passed = (moment - self.created) / self.latency if self.latency else 1.0
        if passed < PENDING_SHARE:
            return {**made, "status": "PENDING", "estimatedCost": {"credits": self.credits}}
        if passed < 1:
            progress = round((passed - PENDING_SHARE) / (1 - PENDING_SHARE), 3)
            return {**made, "status": "RUNNING", "progress": progress, "estimatedCost": {"credits": self.credits}}
        if self.outcome.get("status", "FAILED") == "FAILED" and self.outcome:
            made |= {"status": "FAILED", "failure": "Something went wrong.", "cost": {"credits": 0}}
        else:
            url = base + files.sign(self.work)
            made |= {"status": "SUCCEEDED", "output": [url], "cost": {"credits": self.credits}}
        return made | self.outcome


class Runway:
    """The endpoints."""

    def __init__(self, control: Control, ledger: Ledger, files: Files) -> None:
        self._control, self._ledger, self._files = control, ledger, files
        self.reset()

    def reset(self) -> None:
        """Forget every task and upload."""
        self._tasks: dict[str, Task] = {}
        self._uploads: dict[str, str] = {}

    def routes(self) -> list[Route]:
        """Relative to the base URL, which is without `/v1`."""
        return [
            *(Route(f"/v1/{kind}", self.submit, methods=["POST"], name=kind) for kind in SUBMITS),
            Route("/v1/tasks/{id}", self.get),
            Route("/v1/tasks/{id}", self.delete, methods=["DELETE"]),
            Route("/v1/uploads", self.offer_upload, methods=["POST"]),
            Route("/uploads/{id}", self.upload, methods=["POST"]),
            Route("/v1/organization", self.organization),
        ]

    async def submit(self, request: Request) -> Response:
        """Accept a task."""
        authorise(request)
        kind = request.url.path.rpartition("/")[2]
        body = await json_object(request)
        if body is None:
            raise Refused(400, {"error": "Invalid JSON in the request body.", "docUrl": DOCS})
        shapes = await asyncio.to_thread(shapes_of, kind)
        if issues := issues_of(body, shapes):
            found = [{"path": path, "code": code, "message": message} for path, code, message in issues]
            raise Refused(400, {"error": "Validation of body failed", "issues": found, "docUrl": DOCS})
        task = Task("", _credits(kind, body), self._control.latency["runway"])
        task.outcome = self._control.outcome(request.url.path, await request.body())
        task.work = f"/files/runway/{task.id}.{SUBMITS[kind]}"
        work = _work(kind, body)
        self._files.publish(task.work, work, signed=True)
        self._tasks[task.id] = task
        self._ledger.accept(request, "runway").append(work.salt)
        self._ledger.begin("runway", lambda: task.id not in self._tasks or now() >= task.created + task.latency)
        return JSONResponse({"id": task.id, "estimatedCost": {"credits": task.credits}})

    async def get(self, request: Request) -> Response:
        """A task now."""
        task = self._find(request)
        self._ledger.polls["runway"] += 1
        return JSONResponse(task.view(origin(request), self._files, now()))

    async def delete(self, request: Request) -> Response:
        """Cancel or delete: either way the task is gone."""
        task = self._find(request)
        self._ledger.cancels["runway"] += 1
        del self._tasks[task.id]
        return Response(status_code=204)

    async def offer_upload(self, request: Request) -> Response:
        """Name a place for an input file."""
        authorise(request)
        body = await json_object(request) or {}
        if set(body) != {"filename", "type"} or not re.fullmatch(r".{1,250}\.\w{2,5}", str(body.get("filename"))):
            issue = {"code": "custom", "path": ["filename"], "message": "Must be a name with a valid extension"}
            raise Refused(400, {"error": "Validation of body failed", "issues": [issue], "docUrl": DOCS})
        id, policy = str(uuid.uuid4()), token(40)
        self._uploads[id] = policy
        fields = {"key": f"ephemeral/{id}", "policy": policy, "x-amz-signature": token(64)}
        place = f"{origin(request)}/runway/uploads/{id}"
        return JSONResponse({"uploadUrl": place, "fields": fields, "runwayUri": f"runway://{id}"})

    async def upload(self, request: Request) -> Response:
        """Take the file where it was told to go: signed by the form's fields, without a key."""
        if "authorization" in request.headers:
            return PlainTextResponse("Only one auth mechanism allowed", 400)
        form = await request.form()
        if form.get("policy") != self._uploads.get(request.path_params["id"], "") or form.get("file") is None:
            return PlainTextResponse("AccessDenied", 403)
        self._ledger.uploads["runway"] += 1
        return Response(status_code=204)

    async def organization(self, request: Request) -> Response:
        """The account."""
        authorise(request)
        tier: Json = {"maxMonthlyCreditSpend": 10_000, "models": {}}
        return JSONResponse({"creditBalance": 100_000, "tier": tier, "usage": {"models": {}}})

    def _find(self, request: Request) -> Task:
        authorise(request)
        task = self._tasks.get(request.path_params["id"])
        if task is None:
            raise Refused(404, {"error": "Could not find Task"})
        return task


def _credits(kind: str, body: Json) -> int:
    model = body["model"]
    if SUBMITS[kind] == "png":
        each = CREDITS_PER_IMAGE.get(model, DEFAULT_CREDITS)
        if model == "gen4_image" and "1080" in body["ratio"]:
            each = 8
        return each * int(body.get("outputCount", 1))
    if SUBMITS[kind] == "mp3":
        return max(1, -(-len(body.get("promptText", "")) // 50))
    per_s = CREDITS_PER_S.get(model, DEFAULT_CREDITS)
    if body.get("audio") is False:
        per_s = SILENT_CREDITS_PER_S.get(model, per_s)
    return round(per_s * _seconds(body))


def _seconds(body: Json) -> float:
    duration = body.get("duration", 8 if body["model"].startswith("veo") else 5)
    return float(duration) if isinstance(duration, int | float) else 5.0


def _work(kind: str, body: Json) -> Work:
    if SUBMITS[kind] == "mp3":
        return Work("mp3", seconds=speech_seconds(body.get("promptText", "")))
    match = re.fullmatch(r"(\d{3,}):(\d{3,})", str(body.get("ratio", "")))
    width, height = (int(match[1]), int(match[2])) if match else (1280, 720)
    return Work(SUBMITS[kind], width, height, seconds=_seconds(body))
