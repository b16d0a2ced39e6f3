"""Black Forest Labs: FLUX from its makers; every work is a task that is polled.

Facts: the vendor's OpenAPI document as mirrored by tryAGI/BlackForestLabs (2026-05-01) and its own
black-forest-labs/skills (2026-02-03). No idempotency key, no list of tasks and no way to cancel one exist. No official
SDK was found.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from .base import Family
from .catalogue import Model, load_lanes, load_models
from .drawing_limits import check_count, input_pictures
from .edits import as_drawing, check_edit
from .errors import JobFailed, JobLost, MalformedAnswer, Moderated, NotOffered
from .http import Http, before_payment
from .jobs import fraction, job_id_in, job_link, kept_link
from .masks import png_of, read_mask
from .media import attached
from .options import fit_options
from .shapes import asked_size, fit_size, nearest_ratio, size_warning
from .types import Done, EditRequest, ImageRequest, Media, MediaRequest, Output, Pending, Ticket

LABEL = "Black Forest Labs"
DOMAIN = "bfl.ai"
"""Tasks are asked about at a regional host, such as api.us1.bfl.ai, which the answer to the submit names."""
CREDIT_USD = Decimal("0.01")
SIDES = {"left": "left", "right": "right", "up": "top", "down": "bottom"}
"""Our options of an outpaint, and their names on the wire."""

Body = dict[str, Any]
Warnings = tuple[str, ...]


class BFL(Family):
    name = "bfl"
    key_names = ("BFL_API_KEY",)
    base_url_name = "BFL_BASE_URL"
    default_base_url = "https://api.bfl.ai"

    def __init__(self, environment: Mapping[str, str], http: Http) -> None:
        super().__init__(environment, http)
        self.models = load_models("providers", "bfl.toml")
        self.base_url = self.base_url.removesuffix("/v1")
        if self.is_vendor:
            self.lanes = load_lanes("providers", "bfl.toml")

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Ticket:
        if not isinstance(request, ImageRequest | EditRequest):
            raise NotOffered(f"bfl draws and edits pictures only, no {request.kind}.")
        model = self.row_for(request)
        with before_payment():
            body, warnings = await asyncio.to_thread(body_of, model, request, media)
        url = f"{self.base_url}/v1/{model.wire_id}"
        answer = await self.http.send_json(LABEL, "POST", url, paid=True, json=body, headers=self._headers)
        job_id = job_id_in(answer, LABEL)
        domain = DOMAIN if f".{self.host}".endswith(f".{DOMAIN}") else None  # a gateway's key is for the gateway alone
        link = kept_link(answer.get("polling_url"), self.base_url, domain=domain)
        state = link or f"/v1/get_result?id={quote(job_id, safe='')}"  # the older address, at the host we know
        return Ticket(job_id=job_id, state=state, estimated_cost_usd=usd(answer.get("cost")), warnings=warnings)

    async def poll(self, ticket: Ticket) -> Done | Pending:
        """The URL of a finished picture is good for 10 minutes. What it costs was told when the task was accepted."""
        url = job_link(ticket.state or "", self.base_url)
        answer = await self.http.ask(LABEL, "GET", url, headers=self._headers)
        match answer.get("status"):
            case "Ready":
                result = answer.get("result")
                sample = result.get("sample") if isinstance(result, dict) else None
                if not isinstance(sample, str) or not sample:
                    raise MalformedAnswer(f"{LABEL} says that the work is done but gave no file.")
                return Done((Output(url=sample),), cost_usd=ticket.estimated_cost_usd)
            case "Request Moderated" | "Content Moderated":
                raise Moderated(f"{LABEL} blocked this for its content; the same request will be blocked again.")
            case "Error" | "Failed":  # litellm and vercel/ai know the second, the document does not
                raise JobFailed(f"{LABEL} failed to make it.")
            case "Task not found":
                raise JobLost(f"{LABEL} no longer knows the task.")
            case _:  # also one that is not known yet: only those above are an end
                return Pending(progress=fraction(answer.get("progress")))

    async def cancel(self, ticket: Ticket) -> None:
        """Nothing: there is no call for it. The picture is made, and billed, whether it is fetched or not."""

    @property
    def _headers(self) -> dict[str, str]:
        return {"x-key": self.key or ""}


# ---- requests --------------------------------------------------------------------------------------------------------


def body_of(model: Model, request: ImageRequest | EditRequest, media: Mapping[str, Media]) -> tuple[Body, Warnings]:
    """The JSON body of a request (blocking: it reads its pictures). Raises NotOffered."""
    check_count(model, request.n)
    options, warnings = fit_options(model, request.options)
    body: Body = {"prompt": request.prompt, "output_format": "png"}  # the default, jpeg, loses quality
    if request.seed is not None:
        body["seed"] = request.seed
    if isinstance(request, EditRequest) and request.operation == "outpaint":
        body |= sides_of(model, options) | pictures_of(model, (request.image,), media)
        options = {name: value for name, value in options.items() if name not in SIDES}
    elif isinstance(request, EditRequest) and request.operation == "inpaint":
        check_edit(model, request)
        mask = read_mask(attached(request.mask or "", media), attached(request.image, media))
        body |= pictures_of(model, (request.image, *request.references), media) | {"mask": encoded(png_of(mask))}
    else:
        if isinstance(request, EditRequest):
            check_edit(model, request)
            request = as_drawing(request)
        shape, reshaped = shape_of(model, request)
        body |= shape | pictures_of(model, request.references, media)
        warnings += reshaped
    return body | options, warnings


def shape_of(model: Model, request: ImageRequest) -> tuple[Body, Warnings]:
    """The size or the ratio nearest to the size asked for; none where none is asked for: the vendor then follows the
    picture to change, or takes its default."""
    size, limits = asked_size(request), model.limits
    if size is None:
        return {}, ()
    if min(size) < 1:
        raise NotOffered(f"There is no picture of {size[0]}x{size[1]} pixels.")
    if "ratios" in limits:
        ratio = nearest_ratio(limits["ratios"], size) or "1:1"
        return {"aspect_ratio": ratio}, size_warning(model.id, size, ratio)
    width, height = fit_size(size, low=limits["width_min"], high=limits["width_max"], step=limits["multiple_of"])
    return {"width": width, "height": height}, size_warning(model.id, size, f"{width}x{height}")


def pictures_of(model: Model, names: tuple[str, ...], media: Mapping[str, Media]) -> Body:
    """The pictures under the name the model has for them; further ones are numbered: `input_image`, `input_image_2`."""
    pictures = input_pictures(model, names, media)
    field = model.limits.get("image_field")
    return {f"{field}_{n}" if n > 1 else str(field): encoded(picture) for n, picture in enumerate(pictures, 1)}


def sides_of(model: Model, options: Mapping[str, Any]) -> Body:
    """How many pixels are added on which side. Raises NotOffered when there are none."""
    if "outpaint" not in model.capabilities:
        raise NotOffered(f"{model.id} does not outpaint.")
    sides = {SIDES[name]: pixels for name, pixels in options.items() if name in SIDES and pixels}
    if not sides:
        raise NotOffered("An outpaint needs at least one of the options left, right, up, down, in pixels.")
    return sides


def encoded(media: Media) -> str:
    """A file as bare base64."""
    return base64.b64encode(media.read()).decode()


def usd(credits: Any) -> Decimal | None:
    """Credits in USD, at one cent a credit; None when the vendor did not say."""
    known = isinstance(credits, int | float) and not isinstance(credits, bool)
    return Decimal(str(credits)) * CREDIT_USD if known else None
