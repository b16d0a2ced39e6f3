"""fal.ai: many makers' models behind one queue; every work is a request in it that is polled.

Facts: the official client fal-client 1.0.3 and https://fal.ai/docs. The body is the model's bare input. The queue
itself tries again what fails on fal's side, without charge. No idempotency key exists, so a submit is sent once.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from .base import Family
from .catalogue import Model, load_models
from .drawing_limits import check_count, input_pictures
from .edits import as_drawing, check_edit
from .errors import (
    InvalidRequest,
    JobFailed,
    MalformedAnswer,
    Moderated,
    NotOffered,
    ProviderError,
    QuotaExhausted,
    Unauthorized,
)
from .http import Http, answer_of, before_payment, json_body, open_question, status_of
from .jobs import job_id_in, job_link, kept_link
from .options import fit_options
from .refusals import detail_of
from .shapes import asked_size, fit_size, size_warning
from .types import Done, EditRequest, ImageRequest, Media, MediaRequest, Output, Pending, Ticket

LABEL = "fal"
BLOCKED = re.compile(r"content_policy|content policy|nsfw|safety", re.IGNORECASE)
"""The `type` of a detail, or the `error_type` of a request: https://fal.ai/docs/documentation/model-apis/errors.md"""
NO_CREDIT = re.compile(r"exhausted balance|top up your balance", re.IGNORECASE)
"""Seen as 403: "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."."""
THE_MODELS_OWN = (400, 413, 415, 422)
"""Statuses of a result that are the model's verdict; others are about the question."""
LINKS = {"status_url": "/status", "response_url": "", "cancel_url": "/cancel"}
"""The addresses of a request, and how they end (fal-client 1.0.3, AsyncRequestHandle.from_request_id)."""
FILE_KEYS = ("images", "image", "video", "audio", "audio_file")

Body = dict[str, Any]
Warnings = tuple[str, ...]


class Fal(Family):
    name = "fal"
    key_names = ("FAL_KEY",)
    base_url_name = "FAL_BASE_URL"
    default_base_url = "https://queue.fal.run"

    def __init__(self, environment: Mapping[str, str], http: Http) -> None:
        super().__init__(environment, http)
        self.models = load_models("providers", "fal.toml")

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Ticket:
        if not isinstance(request, ImageRequest | EditRequest):
            raise NotOffered(f"fal draws and edits pictures only here, no {request.kind}.")
        model = self.row_for(request)
        if isinstance(request, EditRequest):
            check_edit(model, request)
            request = as_drawing(request)
        with before_payment():
            body, warnings = await asyncio.to_thread(body_of, model, request, media)
        path = f"{model.wire_id}/{model.limits['edit_path']}" if request.references else model.wire_id
        answer = await self._create(path, body)
        job_id = job_id_in(answer, LABEL, "request_id")
        return Ticket(job_id=job_id, state=self._links(path, job_id, answer), warnings=warnings)

    async def poll(self, ticket: Ticket) -> Done | Pending:
        """HTTP 202 while it is under way. COMPLETED says that it is over, not that it went well."""
        answer = await self.http.ask(LABEL, "GET", self._link(ticket, "status_url"), headers=self._headers)
        match answer.get("status"):
            case "COMPLETED":
                if error := answer.get("error") or answer.get("error_type"):
                    raise failure(f"{answer.get('error_type') or ''} {detail_of({'detail': error})}")
                return await self._result(ticket)
            case status:  # also one that is not known yet: only COMPLETED is an end
                return Pending(waiting=status == "IN_QUEUE")

    async def cancel(self, ticket: Ticket) -> None:
        """What runs already may run on: the model decides."""
        try:
            await self.http.send(LABEL, "PUT", self._link(ticket, "cancel_url"), headers=self._headers)
        except InvalidRequest:
            return  # 400 ALREADY_COMPLETED, 404 NOT_FOUND: nothing is left to cancel

    # ---- the wire ----------------------------------------------------------------------------------------------------

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Key {self.key}"}

    async def _create(self, path: str, body: Body) -> dict[str, Any]:
        """The paid POST, with fal's own refusals told apart."""
        url = f"{self.base_url}/{path}"
        try:
            return await self.http.send_json(LABEL, "POST", url, paid=True, json=body, headers=self._headers)
        except Unauthorized as error:
            if NO_CREDIT.search(detail_of(answer_of(error))):
                raise QuotaExhausted("fal has no credit left for this account.") from error
            raise
        except InvalidRequest as error:
            if BLOCKED.search(types_in(answer_of(error))):
                raise Moderated("fal blocked this for its content; it will be blocked again.") from error
            raise

    async def _result(self, ticket: Ticket) -> Done:
        """What was made. A model's own error is the status of this answer."""
        try:
            answer = await self.http.send(LABEL, "GET", self._link(ticket, "response_url"), headers=self._headers)
        except ProviderError as error:
            if status_of(error) in THE_MODELS_OWN:
                body = answer_of(error)
                raise failure(f"{types_in(body)} {messages_in(body)}") from error
            raise open_question(LABEL, error) from error
        body = json_body(answer)
        if not isinstance(body, dict):
            raise MalformedAnswer("fal says that the work is done but gave no JSON object.")
        return done(body)

    def _links(self, path: str, job_id: str, answer: Mapping[str, Any]) -> str:
        """What a ticket keeps of the addresses in the answer. One that is missing, or at another origin, which the key
        is not for, is what fal's own client would take it to be."""
        app = "/".join(path.split("/")[:2])
        usual = f"/{app}/requests/{quote(job_id, safe='')}"
        links = {name: kept_link(answer.get(name), self.base_url) or usual + end for name, end in LINKS.items()}
        return json.dumps(links, sort_keys=True)

    def _link(self, ticket: Ticket, name: str) -> str:
        links = json.loads(ticket.state or "{}")
        return job_link(str(links.get(name, "")), self.base_url)


# ---- requests --------------------------------------------------------------------------------------------------------


def body_of(model: Model, request: ImageRequest, media: Mapping[str, Media]) -> tuple[Body, Warnings]:
    """The model's input (blocking: it reads its pictures). Raises NotOffered."""
    check_count(model, request.n)
    limits, size = model.limits, asked_size(request)
    options, warnings = fit_options(model, request.options)
    body: Body = {"prompt": request.prompt, "output_format": "png"}  # the default, jpeg, loses quality
    if size is not None:
        if min(size) < 1:
            raise NotOffered(f"There is no picture of {size[0]}x{size[1]} pixels.")
        width, height = fit_size(size, low=limits["width_min"], high=limits["width_max"], step=limits["multiple_of"])
        body["image_size"] = {"width": width, "height": height}
        warnings += size_warning(model.id, size, f"{width}x{height}")
    elif not request.references:
        body["image_size"] = "square_hd"  # 1024x1024, as everywhere here; fal's default is 1024x768
    if request.n > 1:
        body["num_images"] = request.n
    if request.seed is not None:
        body["seed"] = request.seed
    if request.references:
        body["image_urls"] = [picture.data_uri() for picture in input_pictures(model, request.references, media)]
    return body | options, warnings


# ---- answers ---------------------------------------------------------------------------------------------------------


def done(body: Mapping[str, Any]) -> Done:
    """The files of a result. A picture that fal's checker found fault with is black: it is left out.

    Raises Moderated when all are, MalformedAnswer when there are none.
    """
    files = [url for name in FILE_KEYS for url in urls_in(body.get(name))]
    if not files:
        raise MalformedAnswer("fal says that the work is done but gave no file.")
    found = body.get("has_nsfw_concepts")
    blocked = [flag is True for flag in found] if isinstance(found, list) else []
    blocked += [False] * (len(files) - len(blocked))
    shown = [url for url, hidden in zip(files, blocked, strict=False) if not hidden]
    if not shown:
        raise Moderated("fal blocked what was made for its content.")
    hidden = len(files) - len(shown)
    warnings = (f"fal blocked {hidden} of {len(files)} pictures for their content.",) if hidden else ()
    return Done(tuple(Output(url=url) for url in shown), warnings=warnings)


def urls_in(value: Any) -> Iterator[str]:
    """The URLs of a file or of a list of files."""
    for one in value if isinstance(value, list) else [value]:
        url = one.get("url") if isinstance(one, dict) else one
        if isinstance(url, str) and url.startswith(("https://", "http://")):
            yield url


def failure(said: str) -> ProviderError:
    """What an error of a request in the queue means."""
    if BLOCKED.search(said):
        return Moderated("fal blocked this for its content; the same request will be blocked again.")
    return JobFailed(f"fal failed to make it: {' '.join(said.split())[:300].rstrip('.') or 'it gave no reason'}.")


def types_in(body: Any) -> str:
    """The `type` of every detail of an error, and its `error_type`. What was sent is in the details, too: `input`."""
    found = [str(body.get("error_type") or "")] if isinstance(body, dict) else []
    return " ".join([*found, *(str(one.get("type") or "") for one in details_in(body))]).strip()


def messages_in(body: Any) -> str:
    """The sentences of an error, without what was sent."""
    details = details_in(body)
    return "; ".join(str(one.get("msg") or "") for one in details[:3]) if details else detail_of(body)


def details_in(body: Any) -> list[dict[str, Any]]:
    """The list of an error's details: `{loc, msg, type, input}`; empty where it is a sentence."""
    details = body.get("detail") if isinstance(body, dict) else None
    return [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
