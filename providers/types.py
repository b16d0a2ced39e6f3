"""The plain values that cross the boundary between Impresario and a vendor.

Everything here is immutable and, but for `Media`, `Output` and `Done`, small and serialisable: it can be written down
before a call and read back after a crash. Bytes travel only in `Media` (towards a vendor) and `Output` (from one).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Modality = Literal["chat", "image", "video", "speech"]


class Value(BaseModel):
    """Base of the serialisable values: immutable, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# ---- media -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Media:
    """A file on its way to a vendor, held as bytes or as a path, with the media type read from its bytes."""

    media_type: str
    data: bytes | None = None
    path: Path | None = None

    @property
    def size(self) -> int:
        """Length in bytes."""
        if self.data is not None:
            return len(self.data)
        return self.path.stat().st_size if self.path is not None else 0

    def read(self) -> bytes:
        """The bytes; reads the file where the media is a path (blocking: call it off the event loop)."""
        if self.data is not None:
            return self.data
        return self.path.read_bytes() if self.path is not None else b""

    def data_uri(self) -> str:
        """The media as an RFC 2397 `data:` URI (blocking, see `read`)."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.read()).decode()}"


# ---- chat ------------------------------------------------------------------------------------------------------------


class ToolCall(Value):
    """One function call the model asked for. `arguments` is the JSON text as the model wrote it, valid or not."""

    id: str
    name: str
    arguments: str = "{}"


class Message(Value):
    """One message of a conversation. `image_ids` name entries of `ChatRequest.images`, in user messages only."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    image_ids: tuple[str, ...] = ()


class ToolSpec(Value):
    """A function the model may call: `parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class ChatRequest:
    """One model turn. `tools_allowed=False` shows the tools but forbids calling them (the last turn)."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tools_allowed: bool = True
    images: Mapping[str, Media] = field(default_factory=dict)
    max_output_tokens: int | None = None


class Usage(Value):
    """What a vendor reports it used, in tokens; None where it reported nothing. Input counts include cached ones."""

    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    image_input_tokens: int | None = None
    output_tokens: int | None = None


class ChatReply(Value):
    """What the model answered. A reply with neither text nor calls is possible and is not an error here."""

    content: str = ""
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = ""
    usage: Usage | None = None
    cost_usd: Decimal | None = None


# ---- media requests --------------------------------------------------------------------------------------------------


class ImageRequest(Value):
    """Make images. `model` is a catalogue id, sizes are pixels (None: the default), references are asset ids."""

    kind: Literal["image"] = "image"
    model: str
    prompt: str
    width: int | None = None
    height: int | None = None
    n: int = 1
    seed: int | None = None
    references: tuple[str, ...] = ()


class VideoRequest(Value):
    """Make a clip of `duration_s` seconds. `image` is the asset id of a first frame to animate."""

    kind: Literal["video"] = "video"
    model: str
    prompt: str
    duration_s: float = 5.0
    width: int | None = None
    height: int | None = None
    image: str | None = None
    seed: int | None = None


class SpeechRequest(Value):
    """Read `text` aloud in `voice` (alloy, echo, fable, onyx, nova or shimmer). `speed` 1.0 is normal."""

    kind: Literal["speech"] = "speech"
    model: str
    text: str
    voice: str = "nova"
    format: Literal["mp3", "wav"] = "mp3"
    speed: float = 1.0
    instructions: str | None = None


MediaRequest = Annotated[ImageRequest | VideoRequest | SpeechRequest, Field(discriminator="kind")]
media_request: TypeAdapter[ImageRequest | VideoRequest | SpeechRequest] = TypeAdapter(MediaRequest)
"""Reads any media request back from JSON: `media_request.validate_json(text)`."""


# ---- what a submit and a poll return ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Output:
    """One finished work: bytes in hand, or a URL to fetch at once. `authorised` says the URL needs the vendor's key."""

    data: bytes | None = None
    url: str | None = None
    authorised: bool = False


@dataclass(frozen=True)
class Done:
    """A finished request. `cost_usd` is the vendor's own figure, None when it gave none."""

    outputs: tuple[Output, ...]
    cost_usd: Decimal | None = None
    usage: Usage | None = None
    revised_prompt: str | None = None
    warnings: tuple[str, ...] = ()


class Ticket(Value):
    """A job the vendor accepted: enough to poll or cancel it from another process; kept before the first poll."""

    job_id: str
    state: str | None = None
    """What else the family needs to find the job again. Not an address that the id leads to: none is kept."""
    estimated_cost_usd: Decimal | None = None
    warnings: tuple[str, ...] = ()


class Pending(Value):
    """A job still under way. `progress` is 0 to 1, None when the vendor does not tell; `waiting`: not started yet."""

    progress: float | None = None
    waiting: bool = False
