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
from .catalogue import load_models
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
from .jobs import job_id_in
from .refusals import detail_of, place_of
from .runway_orders import Body, order_of
from .types import Done, Media, MediaRequest, Output, Pending, Ticket

LABEL = "Runway"
VERSION = "2024-11-06"
CREDIT_USD = Decimal("0.01")
MAX_DATA_URI_CHARS = 5_242_880
"""https://docs.dev.runwayml.com/assets/inputs/: larger inputs must be uploaded ..."""
MAX_UPLOAD_BYTES = 200 * 1000 * 1000
"""... and may have no more than this. For clips the page says 16 MB as a data URI, the SDK 5 MB: the smaller holds."""
DAILY_CAP = re.compile(r"daily|per day|24.?hours?|quota", re.IGNORECASE)
NO_CREDIT = re.compile(r"enough credits|insufficient credits", re.IGNORECASE)
CODE = re.compile(r"\b[A-Z_]+(?:\.[A-Z0-9_]+)+\b")


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
        model = self.row_for(request)
        with before_payment():
            order = await order_of(model, request, media, self._link)
        answer = await self._create(order.path, order.body)
        cost = usd(answer.get("estimatedCost"))
        return Ticket(job_id=job_id_in(answer, LABEL), estimated_cost_usd=cost, warnings=order.warnings)

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

    async def _link(self, file: Media) -> str:
        """A file as a data URI, or, where that would be too long, as the address of an upload. Raises NotOffered."""
        if file.size * 4 / 3 + 100 <= MAX_DATA_URI_CHARS:
            return await asyncio.to_thread(file.data_uri)
        if file.size > MAX_UPLOAD_BYTES:
            raise NotOffered(f"Runway takes input files of at most {MAX_UPLOAD_BYTES // 10**6} MB.")
        name = "input" + (mimetypes.guess_extension(file.media_type) or ".png")
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
        files = {"file": (name, await asyncio.to_thread(file.read), file.media_type)}
        await self.http.send(LABEL, "POST", target, data=fields, files=files)  # signed by its fields: never our key
        return uri


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
    return "; ".join(f"{place_of(issue.get('path')) or 'body'}: {issue.get('message')}" for issue in found[:3])


def failure(code: str, said: str, cost: Decimal | None) -> ProviderError:
    """What a FAILED task means. Codes are told apart by their prefix and are not for users' eyes:
    https://docs.dev.runwayml.com/errors/task-failures/"""
    said = CODE.sub("", said).strip(" .:")
    if "SAFETY" in code or "moderation" in said.lower():
        return Moderated("Runway blocked this for its content.", cost_usd=cost)
    if code.startswith(("INPUT_PREPROCESSING", "ASSET")):
        return JobFailed(f"Runway could not use the input file. {said}".strip(), cost_usd=cost)
    return JobFailed(f"Runway failed to make it: {said or 'it gave no reason'}.", cost_usd=cost)
