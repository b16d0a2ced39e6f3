"""analyze_audio: how something sounds, who speaks, what was asked in it."""

from __future__ import annotations

from pydantic import Field

from prompts import load
from providers.catalogue import Catalogue

from .base import Arguments, Ref, Result, Tool
from .context import Context, Question
from .looking import Answer, ask_for, finding, headed, schema_of


class Speaker(Answer):
    name: str
    description: str = ""


class AudioAnalysis(Answer):
    description: str
    answer: str | None = None
    tone: str = ""
    speakers: list[Speaker] = Field(default_factory=list)
    language: str | None = None
    sounds: list[str] = Field(default_factory=list)


class ListenFields(Arguments):
    audio: Ref = Field(description="The id (asset_...) or https address of the sound.")
    question: str | None = Field(
        None, max_length=8000, description="What is to be found out; left out: a description, or the spoken question."
    )


class ListenArguments(ListenFields):
    provider: str | None = Field(None, description="The model that listens; leave it out for the default.")


class AnalyzeAudio(Tool[ListenArguments]):
    name = "analyze_audio"
    description = (
        "Listen to a recording: its tone, who speaks and how, what else is heard; answers a question about it, or the "
        "question that is spoken in it. For the exact words use transcribe_audio."
    )
    Arguments = ListenArguments

    def offered(self, catalogue: Catalogue) -> bool:
        return bool(catalogue.offered("chat", {"audio_input"}))

    async def run(self, arguments: ListenArguments, context: Context) -> Result:
        """Listen once."""
        sound = await context.input(arguments.audio, "speech", "audio")
        question = Question(
            instructions=load("analyze_audio"),
            text=headed(question=arguments.question),
            media_ids=(sound.id,),
            needs=frozenset({"audio_input"}),
            answer_schema=schema_of(AudioAnalysis),
            wanted=arguments.provider,
        )
        return finding(*await ask_for(AudioAnalysis, question, context))
