"""The keyless stand-in: plans by rule, draws, films, speaks and measures on this machine, the same bytes for the same
request.

It lets one see the whole service work before a key is bought, build a client against it, and test it. It steps back as
soon as a vendor's key is set, so that nobody gets a stand-in for something paid without having asked for it.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from .base import Family
from .catalogue import Model, load_models
from .errors import InvalidRequest, NotOffered
from .http import Http
from .offline_media.editor import edit_picture
from .offline_media.film import LARGEST as LARGEST_FILM
from .offline_media.film import Report, film_scene, film_still, filmable_size
from .offline_media.jobs import Jobs, Work
from .offline_media.manner import read_manner
from .offline_media.picture import LARGEST, describe_picture, draw_picture, drawable_size, open_picture
from .offline_media.refilm import refilm
from .offline_media.tickets import film_warnings, filmed_s, rendering, request_in, ticket_for
from .offline_media.transcribing import transcribe
from .offline_media.voice import WORDS_PER_MINUTE, Pieces, speak, speak_in_pieces, words_per_minute
from .offline_planner.plan import plan, reply
from .offline_senses.findings import finder_for
from .options import fit_options
from .shapes import asked_size, size_warning
from .types import (
    ChatReply,
    ChatRequest,
    Done,
    EditRequest,
    ImageRequest,
    Media,
    MediaRequest,
    Output,
    Pending,
    SpeechRequest,
    Ticket,
    TranscriptionRequest,
    VideoRequest,
    input_ids,
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
    "BFL_API_KEY",
    "FAL_KEY",
)
USED_OPTIONS = {"outpaint": ("left", "right", "up", "down"), "upscale": ("factor",)}
YES = ("1", "true", "yes", "on")
FREE = Decimal(0)


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
        self._listening = asyncio.Lock()

    def unavailable(self) -> str | None:
        return self._unavailable

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Plan by rule (see `plan`), or answer from what can be measured where an answer of a known shape is wanted.
        Without one, pictures are looked at only where no tool could be called instead."""
        if finder := finder_for(request):
            return reply(request, json.dumps(await self._run(finder, request), ensure_ascii=False))
        seen: dict[str, str] = {}
        pictures = [name for name, media in request.media.items() if media.media_type.startswith("image/")]
        if pictures and not request.tools:
            told = await asyncio.gather(*(self._run(describe_picture, request.media[name]) for name in pictures))
            seen = dict(zip(pictures, told, strict=True))
        return await asyncio.to_thread(plan, request, seen)  # a long prompt takes a noticeable time to read

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done | Ticket:
        """All but a clip from text comes at once: what is made from files cannot travel in a ticket. A clip from text
        is a job, as at a slow vendor."""
        row = self.row(request.model)
        if row.modality != request.modality:
            raise NotOffered(f"{row.id} makes no {request.kind}.")
        options, dropped = fit_options(row, request.options)
        used = USED_OPTIONS.get(request.operation, ()) if isinstance(request, EditRequest) else ()
        dropped += tuple(f"{name} has no meaning for this; it was ignored." for name in options if name not in used)
        done = await self._begun(request, media, row, options)
        return replace(done, warnings=(*done.warnings, *dropped)) if isinstance(done, Done) else done

    async def _begun(
        self, request: MediaRequest, media: Mapping[str, Media], row: Model, options: Mapping[str, Any]
    ) -> Done | Ticket:
        inputs = {name: _input(media, name) for name in input_ids(request)}
        references = [inputs[name] for name in getattr(request, "references", ())]
        if len(references) > row.limits.get("max_images_in", 0):
            raise NotOffered(f"{row.id} takes at most {row.limits['max_images_in']} references, not {len(references)}.")
        match request:
            case ImageRequest():
                return await self._draw(request, references, int(row.limits["max_images_out"]))
            case EditRequest():
                return await self._edit(request, inputs, references, options, int(row.limits["max_images_out"]))
            case SpeechRequest():
                return await self._speak(request, int(row.limits["max_prompt_chars"]))
            case TranscriptionRequest():
                return await self._write_down(request, inputs[request.audio], float(row.limits["max_duration_s"]))
            case VideoRequest() if inputs:
                return await self._film(request, inputs, references)
            case VideoRequest():
                ticket = ticket_for(request)
                self._jobs.begin(ticket.job_id, rendering(request))
                return ticket

    async def poll(self, ticket: Ticket) -> Done | Pending:
        """How far a clip is; begins it anew where this process does not know it. Raises JobLost or JobFailed."""
        state = self._jobs.ask(ticket.job_id, rendering(request_in(ticket)))
        return state if isinstance(state, Pending) else _done(state)

    async def cancel(self, ticket: Ticket) -> None:
        self._jobs.leave(ticket.job_id)

    async def aclose(self) -> None:
        self._jobs.close()
        if self._pool is not None:
            await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

    # ---- the works ---------------------------------------------------------------------------------------------------

    async def _draw(self, request: ImageRequest, inputs: Sequence[Media], most: int) -> Done:
        _check_count(request, most)
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

    async def _edit(
        self,
        request: EditRequest,
        inputs: Mapping[str, Media],
        references: Sequence[Media],
        options: Mapping[str, Any],
        most: int,
    ) -> Done:
        _check_count(request, most)
        if request.operation not in self.row(request.model).capabilities:
            raise NotOffered(f"{request.model} does no {request.operation}: it cannot tell one thing from another.")
        image, mask = inputs[request.image], inputs[request.mask] if request.mask else None
        variants = [
            partial(edit_picture, request, image, mask, references, options, variant) for variant in range(request.n)
        ]
        made = await asyncio.gather(*(self._run(variant) for variant in variants))
        said = dict.fromkeys(warning for _, warnings in made for warning in warnings)
        if request.n > 1 and len({data for data, _ in made}) < request.n:
            said["Some of the variants are alike: there is one way to do this."] = None
        return _done(*(data for data, _ in made), warnings=tuple(said))

    async def _speak(self, request: SpeechRequest, most: int) -> Done:
        if len(request.text) > most:
            raise InvalidRequest(f"{request.model} reads at most {most} characters, not {len(request.text)}.")
        manner, warnings = read_manner(request.instructions)
        speed = words_per_minute(request.speed) / WORDS_PER_MINUTE
        if abs(speed - request.speed) >= 0.01:
            warnings += (f"{request.model} cannot speak at speed {request.speed:g}; {speed:.2g} was used.",)
        told = (request.text, request.voice, request.speed, request.format, manner)
        if not request.stream:
            return _done(await self._run(speak, *told), warnings=warnings)
        pieces = speak_in_pieces(*told)
        first = await self._run(next, pieces, None)  # what is wrong with the request shows here
        return Done((Output(chunks=self._heard(first, pieces)),), cost_usd=FREE, warnings=warnings)

    async def _heard(self, first: bytes | None, pieces: Pieces) -> AsyncIterator[bytes]:
        """A narration while it is spoken."""
        piece = first
        try:
            while piece is not None:
                yield piece
                piece = await self._run(next, pieces, None)
        finally:
            with suppress(ValueError):  # a piece is being made at this moment: then it ends with that piece
                await asyncio.to_thread(pieces.close)

    async def _write_down(self, request: TranscriptionRequest, audio: Media, most_s: float) -> Done:
        if request.speakers:
            raise NotOffered(f"{request.model} does not tell speakers apart; ask without speakers.")
        async with self._listening:  # one at a time, so that drawing need not wait for listening
            heard = await self._run(transcribe, audio, most_s, request.language)
        warnings = ("It takes no hints: what to expect was not told to the recogniser.",) if request.hint else ()
        update: dict[str, Any] = {}
        if request.timestamps != "word":
            update["words"] = ()
        if request.timestamps == "none":
            update["segments"] = ()
        return Done(cost_usd=FREE, warnings=warnings, transcript=heard.model_copy(update=update))

    async def _film(self, request: VideoRequest, inputs: Mapping[str, Media], references: Sequence[Media]) -> Done:
        """A clip that starts from files."""
        prints = [await self._run(open_picture, given, LARGEST_FILM) for given in references]
        asked, length = asked_size(request), filmed_s(request)
        if request.video is not None:
            film, told = await self._rendered(partial(refilm, inputs[request.video], request.prompt, asked))
            return _done(film, warnings=told)
        if request.image is not None:
            still = await self._run(open_picture, inputs[request.image], LARGEST_FILM)
            size = filmable_size(asked, still.size)
            render = partial(film_still, request.prompt, still, size, length, references=prints)
        else:
            size = filmable_size(asked)
            render = partial(film_scene, request.prompt, size, length, request.seed or 0, references=prints)
        return _done(await self._rendered(render), warnings=film_warnings(request, size))

    async def _rendered(self, render: Callable[[Report], T]) -> T:
        """A rendering that is waited for, and stopped when nobody waits any more."""
        work = Work(self._threads(), render)
        try:
            return await asyncio.wrap_future(work.future)
        except asyncio.CancelledError:
            work.stop()
            raise

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


def _check_count(request: ImageRequest | EditRequest, most: int) -> None:
    if not 1 <= request.n <= most:
        raise InvalidRequest(f"{request.model} makes 1 to {most} pictures at once, not {request.n}.")


def _input(media: Mapping[str, Media], name: str) -> Media:
    if name not in media:
        raise InvalidRequest(f"The input {name} was not given.")
    return media[name]


def _done(*files: bytes, warnings: tuple[str, ...] = ()) -> Done:
    return Done(tuple(Output(data=data) for data in files), cost_usd=FREE, warnings=warnings)
