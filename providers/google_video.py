"""Clips by the Interactions API: a job in the background that is asked about by its id.

Facts: google-genai 3.4.0, _gaos/types/interactions; google-gemini/gemini-skills, gemini-omni-flash-api (2026-08), for
the roles of pictures and for the download. No list of interactions exists, so a lost one cannot be found again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from .catalogue import Model
from .chat_streams import dicts
from .drawing_limits import seed_warning
from .errors import JobFailed, Moderated, NotOffered, ProviderError
from .google_answers import Json, by_modality, count, decoded, mapping, priced_tokens, text
from .google_files import Placed
from .media import attached
from .options import fit_options
from .shapes import (
    Size,
    asked_size,
    duration_warning,
    fit_duration,
    image_size,
    nearest_ratio,
    nearest_tier,
    size_warning,
)
from .types import Done, Media, Output, Pending, Usage, VideoRequest

BLOCKED = re.compile(
    r"safety|policy|policies|blocked|prohibited|moderat|sensitive|filtered|responsible ai", re.IGNORECASE
)
"""Words of a refusal in a failed job. A list of its codes was not found."""
FOUR_K = "2160p"
"""What "4k" is among tiers that are named by their shorter side."""


# ---- the request -----------------------------------------------------------------------------------------------------


def inputs_of(model: Model, request: VideoRequest) -> list[str]:
    """The ids of what a clip is made from, in order: the clip to change or the first frame, then the references.
    Raises NotOffered."""
    if request.video and request.image:
        raise NotOffered(f"{model.id} changes a clip or begins with a picture, not both.")
    names = [one for one in (request.video, request.image) if one] + list(request.references)
    pictures = len(names) - bool(request.video)
    if pictures > (most := model.limits.get("max_images_in", 0)):
        raise NotOffered(f"{model.id} takes at most {most} pictures, {pictures} were given.")
    return names


def check_inputs(model: Model, request: VideoRequest, media: Mapping[str, Media]) -> None:
    """Raises NotOffered for an option the model does not take, and for an input that is not attached or of another kind
    than its place wants: before anything is uploaded."""
    task_of(request, fit_options(model, request.options)[0].get("task"))
    for name in inputs_of(model, request):
        given = attached(name, media).media_type
        kind = "video" if name == request.video else "image"
        if not given.startswith(f"{kind}/"):
            raise NotOffered(f"{name} is {given}; {model.id} wants a file of the kind {kind} there.")


async def video_body(
    model: Model, request: VideoRequest, placed: list[Placed], media: Mapping[str, Media]
) -> tuple[Json, tuple[str, ...]]:
    """The JSON body of an interaction. Raises NotOffered."""
    options, warnings = fit_options(model, request.options)
    task, prompt = task_of(request, options.get("task"))
    made: Json = {"type": "video", "delivery": "uri"}  # inside the answer a clip would be tens of megabytes
    first = media[request.image] if request.image else None
    shape = await asyncio.to_thread(image_size, first) if first and not asked_size(request) else None
    made, bent = _form(model, request, task, made, shape)
    content = [one.block() for one in placed] + ([{"type": "text", "text": prompt}] if prompt else [])
    body = {
        "model": model.wire_id,
        "input": [{"type": "user_input", "content": content}],
        "response_format": made,
        "generation_config": {"video_config": {"task": task}},
        "background": True,
        "store": True,  # a job in the background can only be asked about while it is stored
    }
    return body, bent + warnings + seed_warning(model, request)


def task_of(request: VideoRequest, wanted: str | None) -> tuple[str, str]:
    """What Google calls the work, and the prompt. A first frame together with references is told in the prompt, in the
    words of Google's own guide: the tasks know only one of them."""
    if request.video:
        return wanted or "edit", request.prompt
    if wanted:
        raise NotOffered(f"The task {wanted} changes a clip; give it as `video`.")
    if request.image and request.references:
        roles = " ".join(f"<IMAGE_REF_{n}>@Image{n + 2}" for n in range(len(request.references)))
        lead = f"[# Sources <FIRST_FRAME>@Image1] [# References {roles}]"
        return "reference_to_video", f"{lead} {request.prompt} Use Image1 as the starting frame."
    if request.image:
        return "image_to_video", request.prompt
    return ("reference_to_video" if request.references else "text_to_video"), request.prompt


def _form(
    model: Model, request: VideoRequest, task: str, made: Json, shape: Size | None
) -> tuple[Json, tuple[str, ...]]:
    """Length, shape and tier nearest to the wanted ones. A clip that is changed keeps its shape, and when edited its
    length: neither may be given then."""
    limits, asked = model.limits, asked_size(request)
    offered = [FOUR_K if one == "4k" else one for one in limits.get("resolutions", ())]
    tier = nearest_tier(offered, asked) if asked else None
    if tier:
        made = made | {"resolution": "4k" if tier == FOUR_K else tier}
    if task == "edit":
        return made, (f"{model.id} keeps the length and the shape of a clip that it edits.",)
    duration = fit_duration(request.duration_s, limits)
    made = made | {"duration": f"{duration}s"}
    warnings = duration_warning(model.id, request.duration_s, duration)
    size = asked or shape
    ratio = nearest_ratio(limits.get("ratios", ()), size) if size else None
    if request.video or ratio is None:
        return made, warnings
    return made | {"aspect_ratio": ratio}, warnings + size_warning(model.id, asked, ratio, tier)


# ---- the job ---------------------------------------------------------------------------------------------------------


def outcome(answer: Json, row: Model | None, files_at: str) -> Done | Pending:
    """What an interaction has come to. `files_at` is the address that a bare name of a file is under. Raises JobFailed,
    Moderated."""
    match text(answer.get("status")):
        case "completed" | "incomplete":
            if films := [_film(item, files_at) for item in _content(answer) if _is_film(item)]:
                return Done(tuple(films), usage=_usage(answer, row))
            raise nothing_made(answer)
        case "failed":
            raise failure(answer)
        case "cancelled":
            raise JobFailed("The job was cancelled at Google.")
        case "budget_exceeded":
            raise JobFailed("Google stopped the job at a budget set for it.")
        case "requires_action" | "requires_continuation":
            raise JobFailed("Google waits for a further step, which a clip does not have.")
        case status:  # also one that is not known yet: only those above are an end
            return Pending(waiting=status == "queued")


def _content(answer: Json) -> list[Json]:
    """What the model made in its last turn."""
    found: list[Json] = []
    for step in dicts(answer.get("steps")):
        if step.get("type") == "user_input":
            found = []
        elif step.get("type") == "model_output":
            found += dicts(step.get("content"))
    whole = answer.get("output_video")
    return found or ([{"type": "video", **whole}] if isinstance(whole, dict) else [])


def _is_film(item: Json) -> bool:
    return item.get("type") == "video" and bool(text(item.get("data")) or text(item.get("uri")))


def _film(item: Json, files_at: str) -> Output:
    if data := text(item.get("data")):
        return Output(data=decoded(data))
    uri = text(item.get("uri"))
    if uri.startswith("files/"):
        uri = f"{files_at}/{uri}"
    if "alt=media" not in uri:  # without it the address gives a description of the file
        uri += ("&" if "?" in uri else "?") + "alt=media"
    return Output(url=uri, authorised=True)


def nothing_made(answer: Json) -> ProviderError:
    """The error for a job that ended well without a clip: blocked, as a rule. Google says so with no word, or with a
    sentence in place of the clip; edits of uploaded clips end so in the EEA, Switzerland and the United Kingdom."""
    words = " ".join("".join(text(item.get("text")) for item in _content(answer)).split())[:300]
    if text(answer.get("status")) == "incomplete":
        return JobFailed("Google broke the job off before there was a clip" + (f": {words}" if words else "."))
    if words:
        return Moderated(f"Google made no clip of this: {words}")
    return Moderated("Google made no clip and gave no reason: it was blocked, or is not allowed where the account is.")


def failure(answer: Json) -> ProviderError:
    """What a failed job means. Codes are not for users' eyes."""
    errors = dicts(answer.get("errors"))
    errors += [dict(mapping(step.get("error"))) for step in dicts(answer.get("steps")) if step.get("error")]
    said = " ".join(filter(None, (text(error.get("message")) for error in errors)))[:300]
    if BLOCKED.search(" ".join([said, *(text(error.get("code")) for error in errors)])):
        return Moderated("Google blocked this for its content" + (f": {said}" if said else "."))
    return JobFailed(f"Google failed to make it: {said or 'it gave no reason.'}")


def _usage(answer: Json, row: Model | None) -> Usage | None:
    meta = mapping(answer.get("usage"))
    made, thought = count(meta.get("total_output_tokens")), count(meta.get("total_thought_tokens")) or 0
    if not made or row is None:  # a finished clip has tokens: who says 0 did not count
        return None
    words = by_modality(meta.get("output_tokens_by_modality"), "tokens").get("TEXT", 0) + thought
    return Usage(
        input_tokens=count(meta.get("total_input_tokens")), output_tokens=priced_tokens(made + thought, words, row)
    )
