"""generate_speech: a text read aloud."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from providers.types import SpeechRequest

from .base import Arguments, Context, Maker


class SpeechArguments(Arguments):
    text: str = Field(min_length=1, max_length=32_000, description="The exact words to be read aloud.")
    voice: Literal["alloy", "echo", "fable", "onyx", "nova", "shimmer"] = Field(
        "nova",
        description="alloy: neutral; echo: warm, male; fable: storyteller; onyx: deep, male; nova: bright, female; "
        "shimmer: soft, female.",
    )
    provider: str | None = Field(None, description="The speech model; leave it out for the default.")
    format: Literal["mp3", "wav"] = Field("mp3", description="The audio format.")
    speed: float = Field(1.0, ge=0.25, le=4.0, description="1.0 is normal.")
    instructions: str | None = Field(None, max_length=4096, description="Tone and manner, where the model can follow.")


class GenerateSpeech(Maker[SpeechArguments]):
    name = "generate_speech"
    description = "Read a text aloud. Pass the final words, without markdown or stage directions."
    modality = "speech"
    basic_need = "tts"
    Arguments = SpeechArguments

    async def request(self, arguments: SpeechArguments, context: Context) -> SpeechRequest:
        return SpeechRequest(model="", **arguments.model_dump(exclude={"provider"}))
