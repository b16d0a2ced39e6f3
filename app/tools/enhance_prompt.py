"""enhance_prompt: a short idea becomes the prompt a specialist works best from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from prompts import render
from providers.catalogue import Catalogue, Model
from providers.types import Modality

from .base import Arguments, Choice, Result, Tool
from .context import Context

NEEDS: Mapping[Modality, str] = {"image": "text_to_image", "video": "text_to_video", "speech": "tts"}
WORD_LIMITS = {"image": 200, "video": 150}


class EnhanceArguments(Arguments):
    prompt: str = Field(min_length=1, max_length=32_000, description="The idea, or the text to be read aloud.")
    modality: Literal["image", "video", "speech"] = Field(description="What the prompt is for.")
    provider: str | None = Field(None, description="The provider that will get the prompt, if already chosen.")


class EnhancePrompt(Tool[EnhanceArguments]):
    name = "enhance_prompt"
    description = (
        "Rewrite a short idea into a detailed prompt for an image or video model, or prepare a text for reading aloud. "
        "Use it before making something from a short request; skip it when the wording is exact or already detailed."
    )
    Arguments = EnhanceArguments

    def choices(self, catalogue: Catalogue) -> Mapping[str, list[Choice]]:
        return {"modality": [Choice(kind, "") for kind, need in NEEDS.items() if catalogue.offered(kind, {need})]}

    async def run(self, arguments: EnhanceArguments, context: Context) -> Result:
        """Have the enhancer write, and hold it to the word limit."""
        wanted = context.pinned(arguments.modality) or arguments.provider
        target = context.catalogue.choose(arguments.modality, wanted).model
        instructions = render(f"enhance_{arguments.modality}", target=target.id, limit=character_limit(target))
        text = await context.write(instructions, arguments.prompt)
        limit = WORD_LIMITS.get(arguments.modality)
        return Result({"prompt": shorten(text.strip(), limit) if limit else text.strip()})


def character_limit(target: Model) -> str:
    """The target's own limit, as words for the template; empty when it states none."""
    limit = target.limits.get("max_prompt_chars")
    return f" and at most {limit} characters" if limit else ""


def shorten(text: str, words: int) -> str:
    """At most `words` words, ending at a sentence where one ends in the second half."""
    pieces = re.findall(r"\S+\s*", text)
    if len(pieces) <= words:
        return text
    cut = "".join(pieces[:words]).rstrip()
    ends = [match.end() for match in re.finditer(r"[.!?]+[\"')]*(?=\s|$)", cut)]  # the point in 3.5 ends no sentence
    return cut[: ends[-1]] if ends and ends[-1] > len(cut) // 2 else cut
