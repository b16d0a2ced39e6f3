"""Replicate at `/replicate/v1`: predictions that are computed from the clock, and kept until they are asked about."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .control import Control
from .ledger import Ledger
from .media import Files, Work
from .replicate_rules import (
    INPUTS,
    SIZES,
    authorise,
    bound,
    check,
    deadline_s,
    invalid,
    named,
    not_found,
    problem,
    wait_s,
)
from .wire import json_object, now, origin, rfc3339, token

PAGE = 100
MAX_FILE_BYTES = 100_000_000
STARTING_SHARE = 0.2
CLIPS = {"16:9": (1280, 720), "9:16": (720, 1280), "1:1": (960, 960)}
FILMS = re.compile(r"video|hailuo|kling|wan-|veo|seedance|ray-|pixverse|gen4-turbo|gen-4\.5|flux-3")
LISTS = re.compile(r"flux-schnell|flux-dev|sdxl|stable-diffusion")


@dataclass
class Prediction:
    """A prediction; what it looks like follows from the time."""

    model: str
    version: str
    input: dict[str, Any]
    works: list[str]
    latency: float
    deadline: float | None = None
    outcome: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: token(26, "abcdefghjkmnpqrstvwxyz0123456789"))
    created: float = field(default_factory=now)
    canceled: float | None = None

    @property
    def starts(self) -> float:
        return self.created + self.latency * STARTING_SHARE

    @property
    def ends(self) -> float:
        """When it is over, one way or another."""
        return min(each for each in (self.created + self.latency, self.deadline, self.canceled) if each is not None)

    def status(self, moment: float) -> str:
        """The word for a moment."""
        if moment < self.ends:
            return "starting" if moment < self.starts else "processing"
        if self.canceled == self.ends:
            return "canceled"
        if self.deadline == self.ends:
            return "aborted" if self.ends < self.starts else "canceled"
        return str(self.outcome.get("status", "succeeded"))

    def output(self, base: str) -> Any:
        """A URL, or a list of them, as the model has it."""
        urls = [base + path for path in self.works]
        return urls if LISTS.search(self.model) else urls[0]

    def view(self, base: str, moment: float) -> dict[str, Any]:
        """The object of the API."""
        status, api = self.status(moment), f"{base}/replicate/v1/predictions/{self.id}"
        over = moment >= self.ends
        made: dict[str, Any] = {
            "id": self.id,
            "model": self.model,
            "version": self.version,
            "input": self.input,
            "logs": "",
            "output": self.output(base) if status == "succeeded" else None,
            "data_removed": False,
            "error": None,
            "source": "api",
            "status": status,
            "created_at": rfc3339(self.created),
            "urls": {"cancel": f"{api}/cancel", "get": api, "web": f"https://replicate.com/p/{self.id}"},
        }
        if self.deadline:
            made["deadline"] = rfc3339(self.deadline)
        if status != "starting" and self.starts <= self.ends:
            made["started_at"] = rfc3339(self.starts)
        if over:
            made["completed_at"] = rfc3339(self.ends)
            made["metrics"] = {
                "predict_time": max(0.0, self.ends - self.starts),
                "total_time": self.ends - self.created,
            }
            made |= {} if status in ("canceled", "aborted") else self.outcome
        return made


class Replicate:
    """The endpoints."""

    def __init__(self, control: Control, ledger: Ledger, files: Files) -> None:
        self._control, self._ledger, self._files = control, ledger, files
        self.reset()

    def reset(self) -> None:
        """Forget every prediction."""
        self._predictions: dict[str, Prediction] = {}
        self._uploads: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[Route]:
        """Relative to the base URL."""
        return [
            Route("/account", self.account),
            Route("/predictions", self.create, methods=["POST"]),
            Route("/predictions", self.list),
            Route("/predictions/{id}", self.get),
            Route("/predictions/{id}/cancel", self.cancel, methods=["POST"]),
            Route("/files", self.upload, methods=["POST"]),
            Route("/files/{id}", self.file),
            Route("/models/{owner}/{name}", self.model),
            Route("/models/{owner}/{name}/predictions", self.create, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        """Accept a prediction; with `Prefer: wait` hold the answer until it is done, or for as long as asked."""
        authorise(request)
        body = await json_object(request)
        model, version = named(request, body or {})
        check(body, model, with_version="owner" not in request.path_params)
        assert body is not None
        wait, deadline = wait_s(request), deadline_s(request)
        prediction = self._accept(request, model, version, body["input"], deadline, await request.body())
        if not wait:
            return JSONResponse(prediction.view(origin(request), prediction.created), 201)
        await asyncio.sleep(min(wait, prediction.ends - prediction.created))
        return _waited(prediction, origin(request))

    def _accept(
        self, request: Request, model: str, version: str, given: dict[str, Any], deadline: float | None, raw: bytes
    ) -> Prediction:
        made = Prediction(model, version, given, [], self._control.latency["replicate"])
        made.deadline = made.created + deadline if deadline else None
        made.outcome = self._control.outcome(request.url.path, raw)
        salts = self._ledger.accept(request, "replicate")
        for place in range(given.get("num_outputs", 1) if LISTS.search(model) else 1):
            work = _work(model, given)
            path = f"/files/replicate/{made.id}/out-{place}.{work.format}"
            self._files.publish(path, work)
            made.works.append(path)
            salts.append(work.salt)
        self._predictions[made.id] = made
        self._ledger.begin("replicate", lambda: now() >= made.ends)
        return made

    async def get(self, request: Request) -> Response:
        """A prediction now."""
        prediction = self._find(request)
        self._ledger.polls["replicate"] += 1
        return JSONResponse(prediction.view(origin(request), now()))

    async def cancel(self, request: Request) -> Response:
        """End it now; one that is over stays as it is."""
        prediction = self._find(request)
        self._ledger.cancels["replicate"] += 1
        if now() < prediction.ends:
            prediction.canceled = now()
        return JSONResponse(prediction.view(origin(request), now()))

    async def list(self, request: Request) -> Response:
        """Newest first, 100 to a page."""
        authorise(request)
        self._ledger.lists["replicate"] += 1
        asked = request.query_params
        after, before = bound(asked.get("created_after"), 0.0), bound(asked.get("created_before"), 9e15)
        start = int(asked.get("cursor", "0") or 0)
        found = [each for each in reversed(self._predictions.values()) if after <= each.created < before]
        if asked.get("source") == "web":
            found = []

        def page(place: int) -> str:
            return str(request.url.replace(netloc=request.headers["host"]).include_query_params(cursor=place))

        return JSONResponse(
            {
                "previous": page(max(0, start - PAGE)) if start else None,
                "next": page(start + PAGE) if len(found) > start + PAGE else None,
                "results": [each.view(origin(request), now()) for each in found[start : start + PAGE]],
            }
        )

    async def model(self, request: Request) -> Response:
        """A model with its schema, as far as it is documented."""
        authorise(request)
        owner, name = request.path_params["owner"], request.path_params["name"]
        properties = INPUTS.get(f"{owner}/{name}")
        if properties is None:
            raise not_found()
        url = {"type": "string", "format": "uri"}
        schemas = {
            "Input": {"type": "object", "required": ["prompt"], "properties": properties},
            "Output": {"type": "array", "items": url} if LISTS.search(name) else url,
        }
        latest = {"id": "f" * 64, "openapi_schema": {"openapi": "3.0.2", "components": {"schemas": schemas}}}
        return JSONResponse({"owner": owner, "name": name, "visibility": "public", "latest_version": latest})

    async def upload(self, request: Request) -> Response:
        """Take an input file; only its digest is kept."""
        authorise(request)
        content = (await request.form()).get("content")
        if not isinstance(content, UploadFile):
            raise invalid("content is required")
        data = await content.read()
        if len(data) >= MAX_FILE_BYTES:
            raise problem(413, "Content too large", "The file must be less than 100MB.")
        self._ledger.uploads["replicate"] += 1
        digest, id = hashlib.sha256(data).hexdigest(), token(24)
        self._uploads[id] = {
            "id": id,
            "name": content.filename,
            "etag": digest[:32],
            "content_type": content.content_type,
            "size": len(data),
            "checksums": {"sha256": digest},
            "metadata": {},
            "created_at": rfc3339(now()),
            "expires_at": rfc3339(now() + 3600),
            "urls": {"get": f"{origin(request)}/replicate/v1/files/{id}"},
        }
        return JSONResponse(self._uploads[id], 201)

    async def file(self, request: Request) -> Response:
        """What is known of an input file."""
        authorise(request)
        found = self._uploads.get(request.path_params["id"])
        if found is None:
            raise not_found()
        return JSONResponse(found)

    async def account(self, request: Request) -> Response:
        """Whose key it is."""
        authorise(request)
        return JSONResponse({"type": "organization", "username": "fake", "name": "Fake"})

    def _find(self, request: Request) -> Prediction:
        authorise(request)
        prediction = self._predictions.get(request.path_params["id"])
        if prediction is None:
            raise not_found()
        return prediction


def _work(model: str, given: dict[str, Any]) -> Work:
    ratio = str(given.get("aspect_ratio", "16:9" if FILMS.search(model) else "1:1"))
    if FILMS.search(model):
        width, height = CLIPS.get(ratio, CLIPS["16:9"])
        return Work("mp4", width, height, seconds=float(given.get("duration") or 5))
    width, height = SIZES.get(ratio, SIZES["1:1"])
    if ratio == "custom":
        width, height = given.get("width", width), given.get("height", height)
    default = "png" if "kontext" in model else "jpg" if "ultra" in model else "webp"
    return Work(str(given.get("output_format") or default), width, height)


def _waited(prediction: Prediction, base: str) -> Response:
    """The caveat of the blocking mode: the output is there, the status is still `processing`."""
    view = prediction.view(base, now())
    if view["status"] != "succeeded":
        return JSONResponse(view, 201 if now() >= prediction.ends else 202)
    unfinished = {key: value for key, value in view.items() if key not in ("completed_at", "metrics")}
    return JSONResponse({**unfinished, "status": "processing"}, 201)
