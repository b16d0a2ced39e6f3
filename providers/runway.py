"""Runway: video and images from its own models and from other makers'; every work is a task that is polled.

Facts: the official SDK runwayml 5.24 and https://docs.dev.runwayml.com. No idempotency key and no list of tasks exist,
so a submit is sent once and a lost one cannot be found again. JSON names are camelCase; each model accepts only the
fields of its own schema, so what a row of `runway.toml` does not allow is not sent.
"""

from __future__ import annotations

import asyncio
import mimetypes
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from .addresses import same_origin
from .base import Family
from .catalogue import Model, load_models
from .errors import (
    InvalidRequest,
    JobFailed,
    MalformedAnswer,
    Moderated,
    NotOffered,
    ProviderError,
    QuotaExhausted,
    RateLimited,
)
from .http import Http, answer_of, before_payment
from .refusals import detail_of
from .shapes import (
    Size,
    asked_size,
    at_area_of,
    duration_warning,
    fit_duration,
    image_size,
    nearest_ratio,
    nearest_tier,
    size_warning,
)
from .types import Done, ImageRequest, Media, MediaRequest, Output, Pending, Ticket, VideoRequest

LABEL = "Runway"
VERSION = "2024-11-06"
CREDIT_USD = Decimal("0.01")
MAX_DATA_URI_CHARS = 5_242_880
"""https://docs.dev.runwayml.com/assets/inputs/: larger inputs must be uploaded."""
DEFAULT_IMAGE: Size = (1024, 1024)
DEFAULT_VIDEO: Size = (1280, 720)
DAILY_CAP = re.compile(r"daily|per day|24.?hours?|quota", re.IGNORECASE)
NO_CREDIT = re.compile(r"enough credits|insufficient credits", re.IGNORECASE)
CODE = re.compile(r"\b[A-Z_]+(?:\.[A-Z0-9_]+)+\b")

Body = dict[str, Any]
Warnings = tuple[str, ...]


class Runway(Family):
    name = "runway"
    key_names = ("RUNWAYML_API_SECRET", "RUNWAY_API_KEY")
    base_url_name = "RUNWAYML_BASE_URL"
    default_base_url = "https://api.dev.runwayml.com"
    poll_interval_s = 5.0
    """The specification asks for no more than one question in five seconds."""

    def __init__(self, environment: Mapping[str, str], http: Http) -> None:
        super().__init__(environment, http)
        self.models = load_models("providers", "runway.toml")
        self.base_url = self.base_url.removesuffix("/v1")  # the vendor's own variable has no /v1, others' habits do

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Ticket:
        if not isinstance(request, ImageRequest | VideoRequest):
            raise NotOffered(f"runway does no {request.kind} here.")
        model = self.row(request.model)
        check_prompt(model, request.prompt)
        with before_payment():
            if isinstance(request, ImageRequest):
                path, (body, warnings) = "text_to_image", await self._image_body(model, request, media)
            else:
                path = "image_to_video" if request.image else "text_to_video"
                body, warnings = await self._video_body(model, request, media)
        answer = await self._create(path, body)
        if not isinstance(answer.get("id"), str):
            raise MalformedAnswer("Runway accepted the request but named no task.")
        return Ticket(job_id=answer["id"], estimated_cost_usd=usd(answer.get("estimatedCost")), warnings=warnings)

    async def poll(self, ticket: Ticket) -> Done | Pending:
        """The URLs in a finished task's answer are signed anew each time, for a day or two."""
        answer = await self.http.ask(LABEL, "GET", self._task(ticket), headers=self._headers)
        cost = usd(answer.get("cost"))
        match answer.get("status"):
            case "SUCCEEDED":
                output = answer.get("output")
                links = [link for link in output if isinstance(link, str)] if isinstance(output, list) else []
                if not links:
                    raise MalformedAnswer("Runway says that the work is done but gave no file.")
                return Done(outputs=tuple(Output(url=link) for link in links), cost_usd=cost)
            case "FAILED":
                raise failure(str(answer.get("failureCode") or ""), str(answer.get("failure") or ""), cost)
            case "CANCELLED":
                raise JobFailed("The task was cancelled at Runway.", cost_usd=cost)
            case "RUNNING":
                progress = number(answer.get("progress"))
                return Pending(progress=None if progress is None else min(max(float(progress), 0.0), 1.0))
            case status:  # also one that is not known yet: only the three above are an end
                return Pending(waiting=status in ("PENDING", "THROTTLED"))

    async def cancel(self, ticket: Ticket) -> None:
        """DELETE cancels a task under way and deletes one that is over; either way a later poll is answered 404."""
        try:
            await self.http.send(LABEL, "DELETE", self._task(ticket), headers=self._headers)
        except InvalidRequest:
            return  # 404: there is nothing left to cancel

    # ---- bodies ------------------------------------------------------------------------------------------------------

    async def _image_body(
        self, model: Model, request: ImageRequest, media: Mapping[str, Media]
    ) -> tuple[Body, Warnings]:
        limits, given = model.limits, len(request.references)
        if request.n > limits.get("max_images_out", 1):
            raise NotOffered(f"{model.id} makes one image in one call, {request.n} were asked for.")
        least, most = limits.get("min_images_in", 0), limits.get("max_images_in", 0)
        if not least <= given <= most:
            raise NotOffered(f"{model.id} takes {least} to {most} reference images, {given} were given.")
        images = [media[name] for name in request.references]
        ratio, warnings = await ratio_for(model, request, images, DEFAULT_IMAGE)
        body: Body = {"model": model.wire_id, "promptText": request.prompt} | ratio
        if images:
            body["referenceImages"] = [{"uri": await self._uri(image)} for image in images]
        seed, seed_warnings = seed_for(model, request)
        return body | seed, warnings + seed_warnings

    async def _video_body(
        self, model: Model, request: VideoRequest, media: Mapping[str, Media]
    ) -> tuple[Body, Warnings]:
        images = [media[request.image]] if request.image else []
        ratio, warnings = await ratio_for(model, request, images, DEFAULT_VIDEO)
        duration = fit_duration(request.duration_s, model.limits)
        body: Body = {"model": model.wire_id, "duration": duration} | ratio
        if request.prompt:
            body["promptText"] = request.prompt
        for image in images:
            uri = await self._uri(image)
            # Models that also take reference images read a bare string as one; `position` makes it the first frame.
            body["promptImage"] = [{"uri": uri, "position": "first"}] if model.limits.get("keyframes") else uri
        seed, seed_warnings = seed_for(model, request)
        return body | seed, warnings + duration_warning(model.id, request.duration_s, duration) + seed_warnings

    # ---- the wire ----------------------------------------------------------------------------------------------------

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}", "x-runway-version": VERSION}

    def _task(self, ticket: Ticket) -> str:
        return f"{self.base_url}/v1/tasks/{quote(ticket.job_id, safe='')}"

    async def _create(self, path: str, body: Body) -> dict[str, Any]:
        """The paid POST, with Runway's own refusals told apart."""
        url = f"{self.base_url}/v1/{path}"
        try:
            return await self.http.send_json(LABEL, "POST", url, paid=True, json=body, headers=self._headers)
        except RateLimited as error:
            # No limit on requests exists, but one on generations in 24 hours: https://docs.dev.runwayml.com/usage/tiers
            if DAILY_CAP.search(str(error)):
                raise QuotaExhausted("Runway's limit of generations per day is reached for this account.") from error
            raise
        except InvalidRequest as error:
            answer = answer_of(error)
            if NO_CREDIT.search(detail_of(answer)):  # seen as a 400: https://github.com/runwayml/sdk-node/issues/28
                raise QuotaExhausted("Runway has no credit left for this account.") from error
            if issues := issues_in(answer):
                raise InvalidRequest(f"{error} ({issues})") from error
            raise

    async def _uri(self, image: Media) -> str:
        """The image as a data URI, or, where that would be too long, as the address of an upload."""
        if image.size * 4 / 3 + 100 <= MAX_DATA_URI_CHARS:
            return await asyncio.to_thread(image.data_uri)
        name = "input" + (mimetypes.guess_extension(image.media_type) or ".png")
        place = await self.http.send_json(
            LABEL,
            "POST",
            f"{self.base_url}/v1/uploads",
            json={"filename": name, "type": "ephemeral"},
            headers=self._headers,
        )
        target, fields, uri = place.get("uploadUrl"), place.get("fields"), place.get("runwayUri")
        if not isinstance(target, str) or not isinstance(fields, dict) or not isinstance(uri, str):
            raise MalformedAnswer("Runway offered no place for an input file.")
        if not target.startswith("https://") and not same_origin(target, self.base_url):
            raise MalformedAnswer("Runway offered a place for an input file that is not safe.")
        files = {"file": (name, await asyncio.to_thread(image.read), image.media_type)}
        await self.http.send(LABEL, "POST", target, data=fields, files=files)  # signed by its fields: never our key
        return uri


# ---- requests --------------------------------------------------------------------------------------------------------


def check_prompt(model: Model, prompt: str) -> None:
    """Raises NotOffered for a prompt over the model's limit, which Runway counts in UTF-16 units."""
    most, units = model.limits.get("max_prompt_chars"), len(prompt.encode("utf-16-le")) // 2
    if most is not None and units > most:
        raise NotOffered(f"{model.id} takes a prompt of at most {most} characters, this one has {units}: shorten it.")


async def ratio_for(
    model: Model, request: ImageRequest | VideoRequest, images: list[Media], default: Size
) -> tuple[Body, Warnings]:
    """The `ratio` nearest to the size asked for; where none is asked for, to the shape of the input image."""
    limits, asked = model.limits, asked_size(request)
    offered = limits.get("ratios", ())
    if request.kind == "video" and images:
        offered = limits.get("ratios_image_to_video", offered)
    size = asked
    if size is None and images:
        shape = await asyncio.to_thread(image_size, images[0])
        size = at_area_of(shape, default) if shape else None
    if ratio := nearest_ratio(offered, size or default):
        return {"ratio": ratio}, size_warning(model.id, asked, ratio)
    tier = nearest_tier(offered, size or default)  # "auto_720p": the clip follows the image's shape
    return ({"ratio": tier} if tier else {}), ()


def seed_for(model: Model, request: ImageRequest | VideoRequest) -> tuple[Body, Warnings]:
    """The seed, for the models that have one: to the others an unknown field is an error."""
    if request.seed is None:
        return {}, ()
    return ({"seed": request.seed}, ()) if model.limits.get("seed") else ({}, (f"{model.id} takes no seed.",))


# ---- answers ---------------------------------------------------------------------------------------------------------


def usd(cost: Any) -> Decimal | None:
    """`{"credits": n}` in USD, at one cent a credit; None when Runway did not say."""
    credits = number(cost.get("credits")) if isinstance(cost, dict) else None
    return None if credits is None else credits * CREDIT_USD


def number(value: Any) -> Decimal | None:
    """A JSON number, exactly as it was written; None for anything else."""
    return Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else None


def issues_in(answer: Any) -> str:
    """The complaints of a 400, `issues: [{path, message}]`, as one line."""
    issues = answer.get("issues") if isinstance(answer, dict) else None
    found = [issue for issue in issues if isinstance(issue, dict)] if isinstance(issues, list) else []
    return "; ".join(
        f"{'.'.join(map(str, issue.get('path') or ())) or 'body'}: {issue.get('message')}" for issue in found[:3]
    )


def failure(code: str, said: str, cost: Decimal | None) -> ProviderError:
    """What a FAILED task means. Codes are told apart by their prefix and are not for users' eyes:
    https://docs.dev.runwayml.com/errors/task-failures/"""
    said = CODE.sub("", said).strip(" .:")
    if "SAFETY" in code or "moderation" in said.lower():
        return Moderated("Runway blocked this for its content.", cost_usd=cost)
    if code.startswith(("INPUT_PREPROCESSING", "ASSET")):
        return JobFailed(f"Runway could not use the input file. {said}".strip(), cost_usd=cost)
    return JobFailed(f"Runway failed to make it: {said or 'it gave no reason'}.", cost_usd=cost)
