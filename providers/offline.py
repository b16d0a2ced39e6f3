"""The keyless stand-in: plans by rule, draws, films and speaks on this machine, the same bytes for the same request.

It lets one see the whole service work before a key is bought, build a client against it, and test it. It steps back as
soon as a vendor's key is set, so that nobody gets a stand-in for something paid without having asked for it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from typing import TypeVar

from .base import Family
from .catalogue import load_models
from .errors import InvalidRequest, JobLost, NotOffered
from .http import Http
from .offline_media.film import LARGEST as LARGEST_FILM
from .offline_media.film import LONGEST_S, SHORTEST_S, film_scene, film_still, filmable_size
from .offline_media.jobs import Jobs, Render, Work
from .offline_media.picture import LARGEST, describe_picture, draw_picture, drawable_size, open_picture
from .offline_media.voice import WORDS_PER_MINUTE, speak, words_per_minute
from .offline_planner.plan import plan
from .shapes import asked_size, size_warning
from .types import (
    ChatReply,
    ChatRequest,
    Done,
    ImageRequest,
    Media,
    MediaRequest,
    Output,
    Pending,
    SpeechRequest,
    Ticket,
    VideoRequest,
    media_request,
)

T = TypeVar("T")

VENDOR_KEYS = (
    "OPENAI_API_KEY",
    "REPLICATE_API_TOKEN",
    "RUNWAYML_API_SECRET",
    "RUNWAY_API_KEY",
    "STABILITY_API_KEY",
    "GOOGLE_API_KEY",
    "GEMINI_API_KEY",
    "XAI_API_KEY",
    "GROK_API_KEY",
    "ELEVENLABS_API_KEY",
    "ANTHROPIC_API_KEY",
)
YES = ("1", "true", "yes", "on")
FREE = Decimal(0)
TICKET = "offline:"
"""What a ticket's address begins with; the request follows, so that any process can take the job over."""


class Offline(Family):
    name = "offline"
    poll_interval_s = 0.1
    resubmittable = True

    def __init__(self, environment: Mapping[str, str], http: Http) -> None:
        super().__init__(environment, http)
        self.models = load_models("providers", "offline.toml")
        self._unavailable = why_not(environment)
        self._pool: ThreadPoolExecutor | None = None
        self._jobs = Jobs(self._threads)

    def unavailable(self) -> str | None:
        return self._unavailable

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Plan by rule (see `plan`). Pictures are looked at only where no tool could be called instead."""
        seen: dict[str, str] = {}
        if request.media and not request.tools:
            names = list(request.media)
            told = await asyncio.gather(*(self._run(describe_picture, request.media[name]) for name in names))
            seen = dict(zip(names, told, strict=True))
        return await asyncio.to_thread(plan, request, seen)  # a long prompt takes a noticeable time to read

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done | Ticket:
        """Pictures, speech and animated pictures come at once; a clip from text is a job, as at a slow vendor."""
        row = self.row(request.model)
        if row.modality != request.kind:
            raise NotOffered(f"{row.id} makes no {request.kind}.")
        limits = row.limits
        match request:
            case ImageRequest():
                return await self._draw(request, media, int(limits["max_images_out"]))
            case SpeechRequest():
                return await self._speak(request, int(limits["max_prompt_chars"]))
            case VideoRequest() if request.image is None:
                ticket = ticket_for(request)
                self._jobs.begin(ticket.job_id, _render(request))
                return ticket
            case VideoRequest():
                return await self._animate(request, _input(media, request.image))
        raise NotOffered(f"{row.id} does no {request.kind}.")

    async def poll(self, ticket: Ticket) -> Done | Pending:
        """How far a clip is; begins it anew where this process does not know it. Raises JobLost or JobFailed."""
        state = self._jobs.ask(ticket.job_id, _render(request_in(ticket)))
        return state if isinstance(state, Pending) else _done(state)

    async def cancel(self, ticket: Ticket) -> None:
        self._jobs.leave(ticket.job_id)

    async def aclose(self) -> None:
        self._jobs.close()
        if self._pool is not None:
            await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

    # ---- the works ---------------------------------------------------------------------------------------------------

    async def _draw(self, request: ImageRequest, media: Mapping[str, Media], most: int) -> Done:
        if not 1 <= request.n <= most:
            raise InvalidRequest(f"{request.model} makes 1 to {most} pictures at once, not {request.n}.")
        inputs = [_input(media, name) for name in request.references]
        references = [await self._run(open_picture, given, LARGEST // 4) for given in inputs]
        asked = asked_size(request)
        size = drawable_size(asked)
        pictures = await asyncio.gather(
            *(
                self._run(draw_picture, request.prompt, size, (request.seed or 0) + index, references)
                for index in range(request.n)
            )
        )
        return _done(*pictures, warnings=size_warning(request.model, asked, f"{size[0]}x{size[1]}"))

    async def _speak(self, request: SpeechRequest, most: int) -> Done:
        if len(request.text) > most:
            raise InvalidRequest(f"{request.model} reads at most {most} characters, not {len(request.text)}.")
        audio = await self._run(speak, request.text, request.voice, request.speed, request.format)
        speed = words_per_minute(request.speed) / WORDS_PER_MINUTE
        if abs(speed - request.speed) < 0.01:
            return _done(audio)
        return _done(
            audio, warnings=(f"{request.model} cannot speak at speed {request.speed:g}; {speed:.2g} was used.",)
        )

    async def _animate(self, request: VideoRequest, media: Media) -> Done:
        """A still brought to life is filmed at once, because its picture cannot travel in a ticket."""
        still = await self._run(open_picture, media, LARGEST_FILM)
        size = filmable_size(asked_size(request), still.size)
        render = partial(film_still, request.prompt, still, size, filmed_s(request))
        work = Work(self._threads(), render)
        try:
            film = await asyncio.wrap_future(work.future)
        except asyncio.CancelledError:
            work.stop()
            raise
        return _done(film, warnings=film_warnings(request, size))

    # ---- threads -----------------------------------------------------------------------------------------------------

    def _threads(self) -> ThreadPoolExecutor:
        """The few threads all heavy work shares: as many as there are processors, made when first needed."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="offline")
        return self._pool

    async def _run(self, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads(), call, *arguments)


def why_not(environment: Mapping[str, str]) -> str | None:
    """Why the stand-in is off: switched off, or a vendor's key is set and nobody asked to keep it. None: it is on."""
    asked = environment.get("OFFLINE", "").strip().lower()
    if asked in YES:
        return None
    if asked:
        return "The offline stand-in is switched off; set OFFLINE=true to use it."
    if any(environment.get(name) for name in VENDOR_KEYS):
        return "The offline stand-in steps back when a vendor key is set; set OFFLINE=true to keep it."
    return None


def ticket_for(request: VideoRequest) -> Ticket:
    """A ticket that holds the request itself; two equal requests share one, and one rendering."""
    text = request.model_dump_json().encode()
    return Ticket(
        job_id=hashlib.sha256(text).hexdigest()[:32],
        state=TICKET + base64.urlsafe_b64encode(text).decode(),
        estimated_cost_usd=FREE,
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


def _render(request: VideoRequest) -> Render:
    return partial(film_scene, request.prompt, filmable_size(asked_size(request)), filmed_s(request), request.seed or 0)


def _input(media: Mapping[str, Media], name: str | None) -> Media:
    if name is None or name not in media:
        raise InvalidRequest(f"The input {name} was not given.")
    return media[name]


def _done(*files: bytes, warnings: tuple[str, ...] = ()) -> Done:
    return Done(tuple(Output(data=data) for data in files), cost_usd=FREE, warnings=warnings)
