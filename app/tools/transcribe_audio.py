"""transcribe_audio: what is said in a recording, with times, as text and as subtitles; and in another language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

from pydantic import Field

from prompts import render
from providers.catalogue import Chosen, needs_of
from providers.errors import NotOffered, Unavailable
from providers.types import Segment, Transcript, TranscriptionRequest

from .base import Arguments, Maker, Ref, Result, ToolFailed
from .context import Context, Prepared
from .generate_image import OPTIONS_WORDS
from .subtitles import subtitles

MOST_TOLD = 24_000
"""Characters of a transcript the planner is told; the caller gets it whole."""


class TranscribeFields(Arguments):
    audio: Ref = Field(description="The id (asset_...) or https address of the recording, or of a clip with sound.")
    language: str | None = Field(
        None,
        pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$",
        description="What is spoken, as en or de.",
    )
    timestamps: Literal["segment", "word", "none"] = Field(
        "segment", description="segment: each sentence or so, and subtitles; word: also each word."
    )
    speakers: bool = Field(False, description="Tell the speakers apart.")
    translate: str | None = Field(
        None, min_length=2, max_length=40, description='A language to translate into, such as "German".'
    )
    hint: str | None = Field(None, max_length=1000, description="Names and unusual words to expect.")
    options: dict[str, Any] = Field(default_factory=dict, description=OPTIONS_WORDS)


class TranscribeArguments(TranscribeFields):
    provider: str | None = Field(None, description="The transcription model; leave it out for the default.")


class TranscribeAudio(Maker[TranscribeArguments]):
    name = "transcribe_audio"
    description = (
        "Write down what is said in a recording or a clip, with times and speakers, as text and as SRT and VTT "
        "subtitles; translate it where asked."
    )
    modality = "transcription"
    basic_need = "transcribe"
    Arguments = TranscribeArguments

    async def request(self, arguments: TranscribeArguments, context: Context) -> TranscriptionRequest:
        given = await context.input(arguments.audio, "speech", "audio", "video")
        said = arguments.model_dump(include={"language", "timestamps", "speakers", "hint", "options"})
        return TranscriptionRequest(model="", audio=given.id, duration_s=given.duration_s, **said)

    async def prepare(
        self, arguments: TranscribeArguments, context: Context, count: int = 1, before: int = 0
    ) -> Prepared:
        """Times for each segment are a courtesy: where no model gives them, the text alone is better than nothing."""
        request = await self.request(arguments, context)
        wanted = context.pinned(self.modality) or arguments.provider
        try:
            chosen = context.catalogue.choose(self.modality, wanted, needs_of(request))
        except (NotOffered, Unavailable):
            if request.timestamps != "segment":
                raise
            request = request.model_copy(update={"timestamps": "none"})
            untimed = context.catalogue.choose(self.modality, wanted, needs_of(request))
            said = f"{untimed.model.id} gives no times, so there are no subtitles."
            chosen = Chosen(untimed.model, (*untimed.warnings, said))
        return request.model_copy(update={"model": chosen.model.name}), chosen.warnings

    async def run(self, arguments: TranscribeArguments, context: Context) -> Result:
        """Have it written down, and keep subtitles of it."""
        made = await context.make(partial(self.prepare, arguments, context))
        if made.transcript is None:
            raise ToolFailed("The vendor gave no transcript.")
        heard = Transcript.model_validate(made.transcript)
        request = (await context.begun()).get(0)
        # The recording itself may be deleted by the time a run is taken up again.
        audio = request.audio if isinstance(request, TranscriptionRequest) else arguments.audio
        files = subtitles(heard.segments, "transcript", audio)
        found: dict[str, Any] = heard.model_dump(mode="json", exclude_none=True)
        words, warnings = heard.text, made.warnings
        if arguments.translate and heard.text.strip():
            try:
                translated, lines = await translation(heard, arguments.translate, context)
            except ToolFailed as failure:  # the transcript is there, and paid for
                warnings += (f"It could not be translated: {failure}",)
            else:
                found |= {"translation": translated, "translated_into": arguments.translate}
                files += subtitles(lines, "translation", audio)
                words = translated
        kept = await context.keep(*files) if files else []
        facts = {"assets": kept, "warnings": warnings}
        ids = tuple(str(asset["id"]) for asset in kept)
        return Result({**told(found), **facts}, ids, details=found, words=words)


async def translation(heard: Transcript, language: str, context: Context) -> tuple[str, Sequence[Segment]]:
    """The text in another language, and its segments with their times, where the lines still answer each other."""
    lines = [segment.text.replace("\n", " ") for segment in heard.segments]
    written = await context.write(render("translate", language=language), "\n".join(lines) or heard.text)
    translated = [line.strip() for line in written.strip().split("\n") if line.strip()]
    if len(translated) != len(lines):
        return written.strip(), ()
    pairs = zip(heard.segments, translated, strict=True)
    return " ".join(translated), [segment.model_copy(update={"text": line}) for segment, line in pairs]


def told(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the planner is told: all of a short transcript, the beginning of a long one, and never the single words."""
    facts = {name: value for name, value in found.items() if name != "words"}
    if sum(len(segment["text"]) + 40 for segment in found.get("segments", ())) > MOST_TOLD:
        facts["segments"] = "too many to list here"
    for name in ("text", "translation"):
        if len(facts.get(name, "")) > MOST_TOLD:
            facts[name] = f"{facts[name][:MOST_TOLD]} ... (cut off here; the caller has it whole)"
    return facts
