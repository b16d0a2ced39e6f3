"""Stability AI: pictures, made and changed. All but one come with the answer; the creative upscaler takes a job.

Facts: the vendor's OpenAPI document of v2beta (see `stability.toml`). Pictures are asked for as `image/*`: the bytes as
they are, a quarter smaller than in JSON, with the verdict in the headers. A blocked one comes as HTTP 200 too, blurred.
No idempotency key and no list of works exist, so a submit is sent once and a lost one cannot be found again. The
package stability-sdk speaks an older protocol (gRPC); there is no newer one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx

from .base import Family
from .catalogue import load_lanes, load_models
from .errors import (
    InvalidRequest,
    JobFailed,
    MalformedAnswer,
    Moderated,
    NotOffered,
    ProviderError,
    RateLimited,
    without_keys,
)
from .http import Http, answer_of, before_payment, json_body, open_question, status_of
from .jobs import job_id_in
from .media_types import media_type_of
from .refusals import told_apart
from .stability_form import form_of
from .types import Done, EditRequest, ImageRequest, Media, MediaRequest, Output, Pending, Ticket

LABEL = "Stability"
LOCKED_OUT_S = 60.0
"""Who makes more than 150 requests in 10 seconds is locked out for this long; no header says so."""
BLOCKED = ("content_moderation", "public_figure")
"""Names of errors (403, 422) that are about the content. The vendor then says "you were not charged"."""
IN_PROGRESS = 202

Warnings = tuple[str, ...]


class Stability(Family):
    name = "stability"
    key_names = ("STABILITY_API_KEY",)
    base_url_name = "STABILITY_BASE_URL"
    default_base_url = "https://api.stability.ai"
    poll_interval_s = 10.0
    """"Rate-limiting or other errors may occur if you poll more than once every 10 seconds" (OpenAPI document)."""

    def __init__(self, environment: Mapping[str, str], http: Http) -> None:
        super().__init__(environment, http)
        self.models = load_models("providers", "stability.toml")
        self.base_url = self.base_url.removesuffix("/v2beta")
        if self.is_vendor:
            self.lanes = load_lanes("providers", "stability.toml")

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done | Ticket:
        model = self.row_for(request)
        if not isinstance(request, ImageRequest | EditRequest):
            raise NotOffered(f"stability makes and changes pictures only, no {request.kind}.")
        with before_payment():
            form = await asyncio.to_thread(form_of, model, request, media)
            parts = await asyncio.to_thread(form.parts)
        url = f"{self.base_url}/v2beta/stable-image/{model.wire_id}"
        takes_a_job = "async" in model.capabilities
        headers = self._headers("application/json" if takes_a_job else "image/*")
        with told_apart(named):  # the content-type is httpx's: it holds the boundary
            answer = await self.http.send(LABEL, "POST", url, paid=True, files=parts, headers=headers)
        warnings = tuple(form.warnings)
        if not takes_a_job:
            return finished(answer, warnings)
        return Ticket(job_id=job_id_in(json_body(answer), LABEL), warnings=warnings)

    async def poll(self, ticket: Ticket) -> Done | Pending:
        """202 is under way, 200 is the work. It is kept for 24 hours, for the key that ordered it."""
        url = f"{self.base_url}/v2beta/results/{quote(ticket.job_id, safe='')}"
        try:
            answer = await self.http.send(LABEL, "GET", url, headers=self._headers("image/*"))
            return Pending() if answer.status_code == IN_PROGRESS else finished(answer)
        except (JobFailed, Moderated):
            raise
        except ProviderError as error:
            raise verdict(error) from error

    async def cancel(self, ticket: Ticket) -> None:
        """Nothing: Stability has no call for it, so the job runs to its end and is billed."""

    def _headers(self, accept: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}", "accept": accept}


# ---- answers ---------------------------------------------------------------------------------------------------------


def finished(answer: httpx.Response, warnings: Warnings = ()) -> Done:
    """The picture in an answer. Raises Moderated for a blurred one, JobFailed for any end that is no success, and
    MalformedAnswer when there is no picture."""
    reason = answer.headers.get("finish-reason")
    if reason == "CONTENT_FILTERED":  # called a successful generation, so it is probably billed
        raise Moderated("Stability blurred the picture for its content.")
    if reason not in (None, "SUCCESS"):
        raise JobFailed(f"Stability ended with {without_keys(reason)[:100]} in place of a picture.")
    if not (media_type_of(answer.content) or "").startswith("image/"):
        raise MalformedAnswer("Stability answered without a picture.")
    if reason is None:  # a gateway may have dropped the header
        warnings = (*warnings, "Stability did not say whether this picture was blurred for its content; look at it.")
    return Done(outputs=(Output(data=answer.content),), warnings=warnings)


# ---- errors ----------------------------------------------------------------------------------------------------------


def complaint_in(body: Any) -> tuple[str, str]:
    """The name and the sentences of an error, `{"id", "name", "errors": [...]}`; v1's has a `message`."""
    if not isinstance(body, dict):
        return "", ""
    errors = body.get("errors")
    said = "; ".join(str(one) for one in errors[:3]) if isinstance(errors, list) else str(body.get("message") or "")
    return str(body.get("name") or ""), without_keys(said.strip(" ."))[:400]


def named(error: ProviderError) -> ProviderError | None:
    """The error a refusal stands for, where Stability's own words tell more than its status; else None."""
    name, said = complaint_in(answer_of(error))
    if status_of(error) in (403, 422) and name in BLOCKED:
        # A 403 of another name, such as permission_denied, is about the key.
        about = "for the likeness of a public figure" if name == "public_figure" else "for its content"
        blocked: ProviderError = Moderated(f"Stability blocked this {about}.", cost_usd=Decimal(0))
        blocked.charged = False
        return blocked
    if isinstance(error, RateLimited) and error.retry_after is None:
        return RateLimited(str(error), retry_after=LOCKED_OUT_S)
    if type(error) is InvalidRequest and said:
        rejected = InvalidRequest(f"{LABEL} did not accept the request: {said}.")
        rejected.elsewhere = name == "invalid_language"  # it reads English only, others read more
        return rejected
    return None


def verdict(error: ProviderError) -> ProviderError:
    """What an error of a question about a job says of the job. An answer that cannot be read, and an internal error
    (500), say nothing: both may pass."""
    problem = named(error) or error
    if isinstance(problem, Moderated):
        return problem
    if status_of(error) in (400, 422):
        said = complaint_in(answer_of(error))[1]
        return JobFailed(f"Stability failed to make it: {said or 'it gave no reason'}.", cost_usd=Decimal(0))
    unanswered = open_question(LABEL, error)
    unanswered.retry_after = problem.retry_after
    return unanswered
