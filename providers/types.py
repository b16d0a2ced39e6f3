"""The plain values that cross the boundary between Impresario and a vendor.

Everything here is immutable and, but for `Media`, `Output` and `Done`, small and serialisable: it can be written down
before a call and read back after a crash. Bytes travel only in `Media` (towards a vendor) and `Output` (from one).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from .media import Media as Media

Modality = Literal["chat", "image", "video", "speech", "transcription"]


class Value(BaseModel):
    """Base of the serialisable values: immutable, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# ---- chat ------------------------------------------------------------------------------------------------------------


class ToolCall(Value):
    """One function call the model asked for. `arguments` is the JSON text as the model wrote it, valid or not."""

    id: str
    name: str
    arguments: str = "{}"


class Message(Value):
    """One message of a conversation. `media_ids` name entries of `ChatRequest.media`, in user messages only."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    media_ids: tuple[str, ...] = ()
    """Pictures, and where the model takes them clips, sound and PDFs."""


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
    media: Mapping[str, Media] = field(default_factory=dict)
    """What `Message.media_ids` name: pictures, clips, sound, PDF. A family refuses what it cannot show (NotOffered)."""
    answer_schema: Mapping[str, Any] | None = None
    """A JSON Schema the answer is to follow. A family enforces it where its wire can; the caller checks in any case."""
    detail: Literal["auto", "low", "high"] = "auto"
    """How closely pictures are looked at, where the vendor lets one choose."""
    max_output_tokens: int | None = None


class Usage(Value):
    """What a vendor reports it used, in tokens; None where it reported nothing. Input counts include cached ones."""

    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    image_input_tokens: int | None = None
    audio_input_tokens: int | None = None
    output_tokens: int | None = None
    seconds: Decimal | None = None
    """Of sound or film, where the vendor counts those."""


class ChatReply(Value):
    """What the model answered. A reply with neither text nor calls is possible and is not an error here."""

    content: str = ""
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = ""
    usage: Usage | None = None
    cost_usd: Decimal | None = None


# ---- media requests --------------------------------------------------------------------------------------------------


Options = dict[str, Any]
"""What only some models know, by the names in the model's `options` table: style, quality, voice settings ..."""
Operation = Literal[
    "edit", "inpaint", "erase", "outpaint", "search_replace", "search_recolor", "remove_background", "upscale"
]
"""What is done to a picture. Each word is a capability of the models that can:

`edit` follows an instruction; `inpaint` fills the masked part by the prompt; `erase` removes the masked part;
`outpaint` adds `left`, `right`, `up`, `down` pixels (options); `search_replace` and `search_recolor` find what the
option `search` names and put the prompt in its place, or in its colour; `remove_background`; `upscale`.
"""


class ImageRequest(Value):
    """Make images. `model` is a catalogue id, sizes are pixels (None: the default), references are asset ids."""

    modality: ClassVar[Modality] = "image"
    kind: Literal["image"] = "image"
    model: str
    prompt: str
    width: int | None = None
    height: int | None = None
    n: int = 1
    seed: int | None = None
    references: tuple[str, ...] = ()
    options: Options = Field(default_factory=dict)


class EditRequest(Value):
    """Make a new image from one that is there. `image`, `mask` (white: change this; of the image's size) and
    `references` (further pictures the instruction speaks of) are asset ids."""

    modality: ClassVar[Modality] = "image"
    kind: Literal["edit"] = "edit"
    model: str
    operation: Operation = "edit"
    prompt: str = ""
    image: str
    mask: str | None = None
    references: tuple[str, ...] = ()
    width: int | None = None
    height: int | None = None
    n: int = 1
    seed: int | None = None
    options: Options = Field(default_factory=dict)


class VideoRequest(Value):
    """Make a clip of `duration_s` seconds. `image` is the asset id of a first frame to animate, `references` are those
    of pictures whose characters or products appear, `video` that of a clip to change instead of making a new one."""

    modality: ClassVar[Modality] = "video"
    kind: Literal["video"] = "video"
    model: str
    prompt: str
    duration_s: float = 5.0
    width: int | None = None
    height: int | None = None
    image: str | None = None
    references: tuple[str, ...] = ()
    video: str | None = None
    seed: int | None = None
    options: Options = Field(default_factory=dict)


class SpeechRequest(Value):
    """Read `text` aloud in `voice`: alloy, echo, fable, onyx, nova, shimmer, which every family maps to its own, or one
    of the vendor's own voices. `speed` 1.0 is normal. `stream`: give the sound while it is made, where the vendor can.
    """

    modality: ClassVar[Modality] = "speech"
    kind: Literal["speech"] = "speech"
    model: str
    text: str
    voice: str = "nova"
    format: Literal["mp3", "wav"] = "mp3"
    speed: float = 1.0
    instructions: str | None = None
    stream: bool = False
    options: Options = Field(default_factory=dict)


class TranscriptionRequest(Value):
    """Write down what is said in the sound (or film) with the asset id `audio`. `language` is ISO 639-1, None: found
    out. `timestamps` are wanted for the whole of each `segment`, for each `word`, or for `none`; `speakers`: told
    apart. `duration_s` is what was measured, for the price. `hint`: words and names to expect."""

    modality: ClassVar[Modality] = "transcription"
    kind: Literal["transcription"] = "transcription"
    model: str
    audio: str
    language: str | None = None
    timestamps: Literal["none", "segment", "word"] = "segment"
    speakers: bool = False
    hint: str | None = None
    duration_s: float | None = None
    options: Options = Field(default_factory=dict)


AnyRequest = ImageRequest | EditRequest | VideoRequest | SpeechRequest | TranscriptionRequest
MediaRequest = Annotated[AnyRequest, Field(discriminator="kind")]
media_request: TypeAdapter[AnyRequest] = TypeAdapter(MediaRequest)
"""Reads any media request back from JSON: `media_request.validate_json(text)`."""


def input_ids(request: MediaRequest) -> list[str]:
    """The assets a request works from, each once."""
    single = (getattr(request, name, None) for name in ("image", "mask", "video", "audio"))
    ids = [*(one for one in single if one), *getattr(request, "references", ())]
    return list(dict.fromkeys(ids))


# ---- what a submit and a poll return ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Output:
    """One finished work: bytes in hand, a URL to fetch at once, or bytes that are still coming. `authorised` says that
    the URL needs the vendor's key. `chunks` can be read once, and raises a ProviderError when it breaks off."""

    data: bytes | None = None
    url: str | None = None
    authorised: bool = False
    chunks: AsyncIterator[bytes] | None = None


class Word(Value):
    """One spoken word and when, in seconds. Who said it, where speakers were told apart."""

    text: str
    start_s: float
    end_s: float
    speaker: str | None = None


class Segment(Value):
    """A stretch of speech, a sentence or so, and when, in seconds."""

    text: str
    start_s: float
    end_s: float
    speaker: str | None = None


class Transcript(Value):
    """What was said. `words` and `segments` are empty where the model gives none. `source` says how it was come by,
    where that is not plain recognition."""

    text: str
    language: str | None = None
    duration_s: float | None = None
    segments: tuple[Segment, ...] = ()
    words: tuple[Word, ...] = ()
    source: str | None = None


@dataclass(frozen=True)
class Done:
    """A finished request. `cost_usd` is the vendor's own figure, None when it gave none. A transcription has a
    `transcript` and no outputs."""

    outputs: tuple[Output, ...] = ()
    cost_usd: Decimal | None = None
    usage: Usage | None = None
    revised_prompt: str | None = None
    warnings: tuple[str, ...] = ()
    transcript: Transcript | None = None


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
