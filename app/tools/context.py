"""What a tool may do to the world, and the plain values that go in and out of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from providers.catalogue import Catalogue
from providers.types import MediaRequest

Prepared = tuple[MediaRequest, tuple[str, ...]]
"""A media request with its model chosen, and what has to be said about the choice."""
Prepare = Callable[[], Awaitable[Prepared]]


@dataclass(frozen=True)
class Made:
    """What came of media requests: one entry of facts per asset (id, type, size ...), and warnings. `transcript` is the
    one of a transcription, as plain JSON."""

    assets: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...] = ()
    transcript: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Given:
    """An asset to work from: an upload, an earlier result, or what was fetched from an address."""

    id: str
    type: str
    media_type: str
    duration_s: float | None = None


@dataclass(frozen=True)
class Question:
    """Something to ask a model that can see, hear or read: `needs` are the capabilities it must have for `media_ids`.

    The answer is to follow `answer_schema`. `wanted` is a model's name, if one is insisted on.
    """

    instructions: str
    text: str
    media_ids: tuple[str, ...]
    needs: frozenset[str]
    answer_schema: Mapping[str, Any]
    detail: Literal["auto", "low", "high"] = "auto"
    wanted: str | None = None


@dataclass(frozen=True)
class Asked:
    """What a model answered, which one it was, and the tokens its pictures were known to cost before the call."""

    text: str
    model: str
    warnings: tuple[str, ...] = ()
    image_tokens: int | None = None


@dataclass(frozen=True)
class Written:
    """A small file a tool made itself, to be kept as an asset."""

    data: bytes
    media_type: str
    filename: str
    parent_ids: tuple[str, ...] = ()


class Context(Protocol):
    """Every effect a tool may have. All of them raise ToolFailed, ProviderError or AppError with a sentence fit for the
    planner: ToolFailed for what was tried and came to nothing."""

    @property
    def catalogue(self) -> Catalogue:
        """What is available here and now."""

    @property
    def streaming(self) -> bool:
        """Whether somebody listens to the sound while it is made."""

    def pinned(self, modality: str) -> str | None:
        """The model the request insists on for this modality (or for "vision"), if any."""

    async def write(self, instructions: str, text: str) -> str:
        """Have the enhancer model rewrite a text."""

    async def ask(self, question: Question) -> Asked:
        """Have a model look, listen or read, and answer."""

    async def begun(self) -> Mapping[int, MediaRequest]:
        """The requests this call has made until now, also before a crash, by their place among those side by side: what
        was chosen then still holds."""

    async def make(self, *prepares: Prepare) -> Made:
        """Hire the vendor of each request's model, side by side, wait, and keep what they made.

        A `prepare` chooses. It is not asked when its call was begun before a crash: then what was chosen holds. Where
        only some of several fail, the others are the result and a warning says so.
        """

    async def input(self, ref: str, *types: str) -> Given:
        """An input by asset id, or by https address, which is fetched and kept. Raises NotFound, and InvalidArguments
        when it is of none of `types` (image, video, speech, audio, document)."""

    async def keep(self, *files: Written) -> list[Mapping[str, Any]]:
        """Keep files as assets; the facts of each."""
