"""analyze_image: what pictures show."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from prompts import load
from providers.catalogue import Catalogue

from .base import Arguments, Ref, Result, Tool
from .context import Context, Question
from .looking import Answer, ask_for, finding, headed, schema_of


class ImageAnalysis(Answer):
    description: str
    answer: str | None = None
    objects: list[str] = Field(default_factory=list)
    scene: str = ""
    style: str = ""
    colors: list[str] = Field(default_factory=list)
    text_in_image: str | None = None
    summary: str | None = None
    key_themes: list[str] = Field(default_factory=list)


class LookFields(Arguments):
    images: list[Ref] = Field(
        min_length=1, max_length=16, description="Ids (asset_...) or https addresses of pictures."
    )
    question: str | None = Field(None, max_length=8000, description="What is to be found out; left out: a description.")
    text: str | None = Field(
        None, max_length=100_000, description="A text the pictures belong to; it is summed up together with them."
    )
    detail: Literal["auto", "low", "high"] = Field(
        "auto", description="low: a quick, cheap look; high: small print and fine detail."
    )


class LookArguments(LookFields):
    provider: str | None = Field(None, description="The model that looks; leave it out for the default.")


class AnalyzeImage(Tool[LookArguments]):
    name = "analyze_image"
    description = "Look at one or several pictures at once: describe them, compare them, answer a question about them."
    Arguments = LookArguments

    def offered(self, catalogue: Catalogue) -> bool:
        return bool(catalogue.offered("chat", {"vision"}))

    async def run(self, arguments: LookArguments, context: Context) -> Result:
        """One look at all pictures."""
        pictures = [await context.input(ref, "image") for ref in arguments.images]
        question = Question(
            instructions=load("analyze_image"),
            text=headed(question=arguments.question, text=arguments.text),
            media_ids=tuple(picture.id for picture in pictures),
            needs=frozenset({"vision"}),
            answer_schema=schema_of(ImageAnalysis),
            detail=arguments.detail,
            wanted=arguments.provider,
        )
        return finding(*await ask_for(ImageAnalysis, question, context))
