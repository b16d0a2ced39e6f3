"""Tickets of clips made from text: each holds the request itself, so that any process can take the job over."""

from __future__ import annotations

import base64
import hashlib
from decimal import Decimal
from functools import partial

from ..errors import JobLost
from ..shapes import asked_size, size_warning
from ..types import Ticket, VideoRequest, media_request
from .film import LONGEST_S, SHORTEST_S, film_scene, filmable_size
from .jobs import Render

TICKET = "offline:"
"""What a ticket's address begins with."""


def ticket_for(request: VideoRequest) -> Ticket:
    """A ticket that holds the request itself; two equal requests share one, and one rendering."""
    text = request.model_dump_json().encode()
    return Ticket(
        job_id=hashlib.sha256(text).hexdigest()[:32],
        state=TICKET + base64.urlsafe_b64encode(text).decode(),
        estimated_cost_usd=Decimal(0),
        warnings=film_warnings(request, filmable_size(asked_size(request))),
    )


def request_in(ticket: Ticket) -> VideoRequest:
    """The request a ticket holds. Raises JobLost when it holds none."""
    try:
        text = base64.urlsafe_b64decode((ticket.state or "").removeprefix(TICKET))
        request = media_request.validate_json(text)
    except ValueError as error:
        raise JobLost(f"The offline stand-in knows no job {ticket.job_id}.") from error
    if not isinstance(request, VideoRequest):
        raise JobLost(f"The offline stand-in knows no job {ticket.job_id}.")
    return request


def filmed_s(request: VideoRequest) -> float:
    """The seconds that will be filmed."""
    return max(SHORTEST_S, min(LONGEST_S, request.duration_s))


def film_warnings(request: VideoRequest, size: tuple[int, int]) -> tuple[str, ...]:
    """What of the request the clip will not follow."""
    warnings = size_warning(request.model, asked_size(request), f"{size[0]}x{size[1]}")
    if filmed_s(request) != request.duration_s:
        asked = f"{request.model} was asked for {request.duration_s:g} s and makes {filmed_s(request):g} s,"
        warnings += (f"{asked} the nearest it can.",)
    return warnings


def rendering(request: VideoRequest) -> Render:
    """What films the clip a request without files asks for."""
    return partial(film_scene, request.prompt, filmable_size(asked_size(request)), filmed_s(request), request.seed or 0)
