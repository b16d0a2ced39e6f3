"""OpenAI, and every server that speaks like it (Ollama, vLLM, gateways) at `OPENAI_BASE_URL`: chat, pictures, speech.

Its video service ended on 2026-09-24 without a replacement; those models are here only to be recognised by name.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

import httpx2
import openai
from openai import AsyncOpenAI

from .base import Family
from .catalogue import Model, load_models
from .chat_completions import call_ids, from_answer, to_wire
from .chat_errors import error_inside, named_error
from .chat_prices import chat_cost
from .clients import Clients
from .errors import (
    MalformedAnswer,
    NotOffered,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    Unavailable,
)
from .http import NOTHING_LEFT, Http
from .openai_client import MAX_ANSWER_BYTES, build_client
from .openai_images import nearest_size, read_pictures
from .refusals import error_for
from .shapes import asked_size, size_warning
from .types import (
    ChatReply,
    ChatRequest,
    Done,
    ImageRequest,
    Media,
    MediaRequest,
    Output,
    SpeechRequest,
    Ticket,
    Usage,
)

# Of both stacks: the SDK runs on httpx2 and still passes on what httpx raises (openai 3.52.0, _httpx2.py).
NEVER_LEFT = (
    *NOTHING_LEFT,
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)
IMAGE_TYPES = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}


class OpenAI(Family):
    """Chat Completions, Images and Speech through the openai SDK, which never retries here: each POST is paid for."""

    name: ClassVar[str] = "openai"
    key_names = ("OPENAI_API_KEY",)
    base_url_name = "OPENAI_BASE_URL"
    default_base_url = "https://api.openai.com/v1"
    max_answer_bytes = MAX_ANSWER_BYTES

    def __init__(self, environment: Mapping[str, str], http: Http) -> None:
        super().__init__(environment, http)
        self.models = load_models("providers", "openai.toml")
        self._streams = environment.get("OPENAI_STREAM", "").strip().lower() in ("1", "true", "yes", "on")
        self._organization = environment.get("OPENAI_ORG_ID") or None
        self._project = environment.get("OPENAI_PROJECT_ID") or None
        self._verify: ssl.SSLContext | None = None
        self._clients = Clients(self._build)

    def unavailable(self) -> str | None:
        """See `Family`. Settings the SDK would stumble over in the middle of a call are found here."""
        if self.key and not (self.key.isascii() and self.key.isprintable()):
            return "OPENAI_API_KEY holds a character that no key has; copy it again."
        if not self.base_url.startswith(("http://", "https://")):
            return "OPENAI_BASE_URL must begin with http:// or https://."
        return super().unavailable()

    async def warm_up(self) -> None:
        """Build the client and load the price table: together they take half a second."""
        with self._sdk():
            pass
        await asyncio.to_thread(chat_cost, "gpt-4o", Usage(input_tokens=1, output_tokens=1))

    async def aclose(self) -> None:
        """Close the SDK's clients, as far as they were built."""
        for client in self._clients.all():
            await client.close()
        self._clients = Clients(self._build)

    # ---- chat --------------------------------------------------------------------------------------------------------

    async def complete(self, request: ChatRequest) -> ChatReply:
        """One chat turn with any model: a name that has no row is sent as it is (Ollama, vLLM, gateways).

        `OPENAI_STREAM=true` asks for a stream, which keeps proxies with short idle timeouts from cutting a long answer.
        """
        row = next((m for m in self.models if m.modality == "chat" and request.model in (m.id, *m.aliases)), None)
        name = row.wire_id if row is not None and request.model == row.id else request.model
        extra = _tool_parameters(row) if row is not None and request.tools else {}
        write = partial(to_wire, request, model=name, stream=self._streams, extra=extra)
        body = await asyncio.to_thread(write) if request.media else write()
        async with self._asked() as sdk:
            # Posted as it is, and read whole even when streamed: a gateway may stream unasked, or not when asked.
            answer = await sdk.post("/chat/completions", body=body, cast_to=httpx2.Response)
        content_type = answer.headers.get("content-type", "")
        reply = from_answer(answer.content, content_type, vendor=self.name, taken=call_ids(request))
        cost = chat_cost(name, reply.usage, row)  # the price table is loaded by `warm_up`
        return reply.model_copy(update={"cost_usd": cost})

    # ---- media -------------------------------------------------------------------------------------------------------

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done | Ticket:
        """Draw or speak; both are answered at once, with the bytes."""
        row = self.row(request.model)
        if row.modality != request.kind:
            raise NotOffered(f"{row.id} makes no {request.kind}.")
        if row.status == "retired":
            raise Unavailable(f"{row.id} was retired by OpenAI on {row.shutdown}.")
        if isinstance(request, ImageRequest):
            return await self._draw(row, request, media)
        if isinstance(request, SpeechRequest):
            return await self._speak(row, request)
        raise NotOffered("OpenAI makes no video since 2026-09-24; choose another vendor.")

    async def _draw(self, row: Model, request: ImageRequest, media: Mapping[str, Media]) -> Done:
        _check(row, "max_prompt_chars", len(request.prompt), "characters of prompt")
        _check(row, "max_images_out", request.n, "pictures at once")
        size, warnings = _size(row, request)
        if request.seed is not None:
            warnings.append(f"{row.id} takes no seed; the one given was ignored.")
        # GPT image models reject response_format and style (openai 3.52.0, types/image_generate_params.py).
        given: dict[str, Any] = {"model": row.wire_id, "prompt": request.prompt, "n": request.n, "size": size}
        given["output_format"] = "png"
        files = await asyncio.to_thread(_files, row, request.references, media) if request.references else None
        async with self._asked(sum(len(data) for _, data, _ in files or ())) as sdk:
            images = sdk.images.with_raw_response
            answer = await (images.edit(image=files, **given) if files else images.generate(**given))
        pictures = await asyncio.to_thread(read_pictures, answer.http_response.content, self.name)
        if len(pictures.outputs) < request.n:
            warnings.append(f"{row.id} was asked for {request.n} pictures and made {len(pictures.outputs)}.")
        return Done(pictures.outputs, None, pictures.usage, pictures.revised_prompt, tuple(warnings))

    async def _speak(self, row: Model, request: SpeechRequest) -> Done:
        if "tts" not in row.capabilities:
            raise NotOffered(f"{row.id} speaks only over the Realtime API, which is not used here.")
        _check(row, "max_prompt_chars", len(request.text), "characters of text at once")
        warnings = []
        speed = min(max(request.speed, float(row.limits["speed_min"])), float(row.limits["speed_max"]))
        if speed != request.speed:
            warnings.append(f"{row.id} cannot speak at speed {request.speed:g}; {speed:g} was used instead.")
        given: dict[str, Any] = {"model": row.wire_id, "input": request.text, "voice": request.voice, "speed": speed}
        given["response_format"] = request.format
        if request.instructions and "instructions" in row.capabilities:
            _check(row, "max_instructions_chars", len(request.instructions), "characters of instructions")
            given["instructions"] = request.instructions
        elif request.instructions:
            warnings.append(f"{row.id} takes no instructions; the ones given were ignored.")
        async with self._asked() as sdk:
            answer = await sdk.audio.speech.with_raw_response.create(**given)
        return Done((Output(data=_sound(answer.http_response, self.name)),), warnings=tuple(warnings))

    @contextlib.asynccontextmanager
    async def _asked(self, sent_bytes: int = 0) -> AsyncIterator[AsyncOpenAI]:
        """A client of the SDK for one request, whose time is limited and whose errors are translated."""
        with self._sdk() as sdk, _translated(self.name, self.host):
            async with asyncio.timeout(self.http.limit_s(sent_bytes)):
                yield sdk

    @contextlib.contextmanager
    def _sdk(self) -> Iterator[AsyncOpenAI]:
        """A client of the SDK for one request. Raises Unavailable."""
        if reason := self.unavailable():
            raise Unavailable(reason)
        with self._clients.one() as client:
            yield client

    def _build(self) -> AsyncOpenAI:
        self._verify = self._verify or httpx2.create_ssl_context()  # takes 20 ms, so it is made once
        return build_client(
            key=self.key,
            base_url=self.base_url,
            organization=self._organization,
            project=self._project,
            timeout=httpx2.Timeout(**self.http.timeout.as_dict()),
            verify=self._verify,
            max_answer_bytes=self.max_answer_bytes,
        )


# ---- what a request may hold -----------------------------------------------------------------------------------------


def _tool_parameters(row: Model) -> dict[str, Any]:
    """What function tools need on Chat Completions: from gpt-5.4 on they work only without reasoning, and the models
    that cannot go without take them only on the Responses API.

    Sources: OpenAI's model page of gpt-6-luna; community.openai.com 1386454, where omitting the parameter gave a 400.
    """
    if row.limits.get("tools_api") == "responses":
        raise NotOffered(f"{row.id} cannot call tools on Chat Completions; choose another model, such as gpt-6-luna.")
    effort = row.limits.get("tools_need_reasoning_effort")
    return {"reasoning_effort": effort} if effort else {}


def _check(row: Model, limit: str, amount: int, what: str) -> None:
    if limit in row.limits and amount > row.limits[limit]:
        raise NotOffered(f"{row.id} takes at most {row.limits[limit]} {what}; this request has {amount}.")


def _size(row: Model, request: ImageRequest) -> tuple[str, list[str]]:
    """The size on the wire, and a warning where it is not the wanted one. An edit without a size keeps its shape."""
    asked = asked_size(request)
    if asked is None:
        return ("auto" if request.references else "1024x1024"), []
    if min(asked) < 1:
        raise NotOffered(f"There is no picture of {asked[0]}x{asked[1]} pixels.")
    width, height = nearest_size(row, asked)
    return f"{width}x{height}", list(size_warning(row.id, asked, f"{width}x{height}"))


def _files(row: Model, references: tuple[str, ...], media: Mapping[str, Media]) -> list[tuple[str, bytes, str]]:
    """The pictures to start from, as multipart files (blocking). Limits: openai 3.52.0, types/image_edit_params.py."""
    _check(row, "max_images_in", len(references), "pictures to start from")
    files = []
    for number, name in enumerate(references, 1):
        picture = media.get(name)
        if picture is None:
            raise NotOffered(f"The picture {name} is not attached to the request.")
        if picture.media_type not in IMAGE_TYPES:
            raise NotOffered(f"{row.id} starts from PNG, JPEG or WebP pictures, not from {picture.media_type}.")
        _check(row, "max_input_image_mb", -(-picture.size // 1_000_000), "megabytes of picture to start from")
        files.append((f"image_{number}.{IMAGE_TYPES[picture.media_type]}", picture.read(), picture.media_type))
    return files


def _sound(response: httpx2.Response, vendor: str) -> bytes:
    """The audio of a speech answer. Raises MalformedAnswer, or the error that came in place of audio."""
    content_type = response.headers.get("content-type", "")
    if content_type.startswith(("application/json", "text/")):
        body = _json(response)
        if isinstance(body, dict) and body.get("error"):
            raise error_inside(vendor, body["error"])
        raise MalformedAnswer(f"{vendor} answered with {content_type} in place of audio.")
    if not response.content:
        raise MalformedAnswer(f"{vendor} answered without audio.")
    return response.content


# ---- errors ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _translated(vendor: str, host: str) -> Iterator[None]:
    """Turns what the SDK raises (openai 3.52.0, _exceptions.py) into this project's errors."""
    try:
        yield
    except openai.APIStatusError as error:
        raise _refusal(vendor, error) from error
    except (openai.APIConnectionError, httpx2.HTTPError, OSError) as error:  # APITimeoutError is one of the first
        cause = (isinstance(error, openai.APIConnectionError) and error.__cause__) or error
        if isinstance(cause, NEVER_LEFT):
            raise NotSent(f"{vendor} could not be reached at {host}.") from error
        why = type(cause).__name__
        raise OutcomeUnknown(f"{vendor} gave no answer ({why}); whether the work was done is not known.") from error
    except openai.OpenAIError as error:
        raise MalformedAnswer(f"{vendor}'s answer was not understood ({type(error).__name__}).") from error


def _refusal(vendor: str, error: openai.APIStatusError) -> ProviderError:
    body = _json(error.response)
    inner = body.get("error", body) if isinstance(body, dict) else body
    problem = named_error(vendor, inner)
    return problem or error_for(vendor, error.status_code, error.response.headers, body, paid=True)


def _json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
