"""generate_speech: a text read aloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from providers.catalogue import Catalogue
from providers.types import SpeechRequest

from .base import Arguments, Choice, Maker
from .context import Context

VOICES = {
    "alloy": "neutral",
    "echo": "warm, male",
    "fable": "storyteller",
    "onyx": "deep, male",
    "nova": "bright, female",
    "shimmer": "soft, female",
}


class SpeechFields(Arguments):
    text: str = Field(min_length=1, max_length=32_000, description="The exact words to be read aloud.")
    voice: str = Field(
        "nova",
        min_length=1,
        max_length=64,
        description="alloy, echo, fable, onyx, nova or shimmer, which every model has in its way; or a model's own.",
    )
    format: Literal["mp3", "wav"] = Field("mp3", description="The audio format.")
    speed: float = Field(1.0, ge=0.25, le=4.0, description="1.0 is normal.")
    instructions: str | None = Field(
        None, max_length=4096, description='Tone and manner, such as "sad and slow", where the model can follow.'
    )
    options: dict[str, Any] = Field(default_factory=dict, description="What only some models know: voice settings.")


class SpeechArguments(SpeechFields):
    provider: str | None = Field(None, description="The speech model; leave it out for the default.")


class GenerateSpeech(Maker[SpeechArguments]):
    name = "generate_speech"
    description = "Read a text aloud. Pass the final words, without markdown or stage directions."
    modality = "speech"
    basic_need = "tts"
    Arguments = SpeechArguments

    def choices(self, catalogue: Catalogue) -> Mapping[str, list[Choice]]:
        voices = [Choice(voice, when) for voice, when in VOICES.items()]
        return {**super().choices(catalogue), "voice": voices}

    async def request(self, arguments: SpeechArguments, context: Context) -> SpeechRequest:
        return SpeechRequest(model="", stream=context.streaming, **arguments.model_dump(exclude={"provider"}))
