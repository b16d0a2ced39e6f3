"""analyze_video: what happens in a clip, and when."""

from __future__ import annotations

from pydantic import Field

from prompts import load
from providers.catalogue import Catalogue

from .base import Arguments, Ref, Result, Tool
from .context import Context, Question
from .looking import Answer, ask_for, finding, headed, schema_of


class Moment(Answer):
    at_s: float = Field(ge=0)
    what: str


class VideoAnalysis(Answer):
    description: str
    answer: str | None = None
    moments: list[Moment] = Field(default_factory=list)
    objects: list[str] = Field(default_factory=list)
    scene: str = ""
    style: str = ""
    sound: str | None = None


class WatchFields(Arguments):
    video: Ref = Field(description="The id (asset_...) or https address of the clip.")
    question: str | None = Field(None, max_length=8000, description="What is to be found out; left out: a description.")


class WatchArguments(WatchFields):
    provider: str | None = Field(None, description="The model that watches; leave it out for the default.")


class AnalyzeVideo(Tool[WatchArguments]):
    name = "analyze_video"
    description = "Watch a clip: what happens and at which second, or the answer to a question about it."
    Arguments = WatchArguments

    def offered(self, catalogue: Catalogue) -> bool:
        return bool(catalogue.offered("chat", {"video_input"}))

    async def run(self, arguments: WatchArguments, context: Context) -> Result:
        """One look at the whole clip."""
        clip = await context.input(arguments.video, "video")
        question = Question(
            instructions=load("analyze_video"),
            text=headed(question=arguments.question),
            media_ids=(clip.id,),
            needs=frozenset({"video_input"}),
            answer_schema=schema_of(VideoAnalysis),
            wanted=arguments.provider,
        )
        seen, asked = await ask_for(VideoAnalysis, question, context)
        if clip.duration_s is not None:  # models place moments behind the end now and then
            kept = [moment for moment in seen.moments if moment.at_s <= clip.duration_s]
            seen = seen.model_copy(update={"moments": kept})
        return finding(seen, asked)
