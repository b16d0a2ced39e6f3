"""What OpenAI refuses of multipart requests: edits with a mask, and recordings."""

from __future__ import annotations

import io
import re
from typing import Any

from PIL import Image
from starlette.datastructures import FormData, UploadFile

from .openai_rules import MODELS, no_model, refused

TRANSCRIPTION_FIELDS = """
    file model chunking_strategy include[] keywords[] known_speaker_names[] known_speaker_references[] language
    languages[] prompt response_format stream temperature timestamp_granularities[]
"""
SOUNDS = re.compile(r"\.(flac|mp3|mp4|mpeg|mpga|m4a|ogg|wav|webm)$")
MAX_SOUND_BYTES = 26_214_400
MAX_MASK_BYTES = 4 * 1024**2
FORMS = {
    "gpt-transcribe": {"json"},
    "whisper-1": {"json", "text", "srt", "verbose_json", "vtt"},
    "gpt-4o-transcribe-diarize": {"json", "text", "diarized_json"},
}


async def check_mask(mask: Any, image: UploadFile) -> None:
    """Refuse a mask that is no RGBA PNG of the first picture's size with something transparent."""
    if not isinstance(mask, UploadFile):
        raise refused(400, "Invalid type for 'mask': expected a file.", param="mask")
    data, shown = await mask.read(), await image.read()
    await mask.seek(0)
    await image.seek(0)
    if len(data) >= MAX_MASK_BYTES:
        raise refused(400, "Invalid mask image: file size must be less than 4MB.", param="mask")
    try:
        with Image.open(io.BytesIO(data)) as opened, Image.open(io.BytesIO(shown)) as picture:
            form, mode, sizes = opened.format, opened.mode, (opened.size, picture.size)
            clear = opened.convert("RGBA").getchannel("A").getextrema()[0] == 0
    except OSError:
        raise refused(400, "Invalid image file or mode.", param="mask", code="invalid_image_file") from None
    if form != "PNG" or mode not in ("RGBA", "LA"):
        raise refused(400, "Invalid mask image format - mask image must have an alpha channel.", param="mask")
    if sizes[0] != sizes[1]:
        raise refused(400, "Invalid mask image: the mask size does not match the image size.", param="mask")
    if not clear:
        raise refused(400, "Invalid mask image: the mask has no transparent areas.", param="mask")


async def check_recording(form: FormData) -> str:
    """Refuse what the transcription models do not take; the model."""
    if unknown := sorted(set(form) - set(TRANSCRIPTION_FIELDS.split())):
        raise refused(400, f"Unknown parameter: '{unknown[0]}'.", param=unknown[0], code="unknown_parameter")
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise refused(400, "Missing required parameter: 'file'.", param="file", code="missing_required_parameter")
    model = str(form.get("model", ""))
    if model not in MODELS or ("whisper" not in model and "transcribe" not in model):
        raise no_model(model)
    if not SOUNDS.search(file.filename or ""):
        raise refused(400, "Unrecognized file format.", param="file", code="unsupported_value")
    if (file.size or 0) > MAX_SOUND_BYTES:
        text = f"Maximum content size limit ({MAX_SOUND_BYTES}) exceeded ({file.size} bytes read)"
        raise refused(413, text)
    _check_wishes(model, form)
    return model


def _check_wishes(model: str, form: FormData) -> None:
    wanted = str(form.get("response_format", "json"))
    if wanted not in FORMS.get(model, {"json", "text"}):
        text = f"response_format '{wanted}' is not compatible with model '{model}'."
        raise refused(400, text, param="response_format", code="unsupported_value")
    if "timestamp_granularities[]" in form and wanted != "verbose_json":
        raise refused(400, "timestamp_granularities needs response_format verbose_json.", param="response_format")
    only_new = [name for name in ("keywords[]", "languages[]") if name in form and model != "gpt-transcribe"]
    if only_new:
        raise refused(400, f"'{only_new[0]}' is not supported for this model.", param=only_new[0])
    if model.endswith("diarize"):
        if "chunking_strategy" not in form:
            raise refused(400, "chunking_strategy is required for diarization models.", param="chunking_strategy")
        if "prompt" in form:
            raise refused(400, "'prompt' is not supported for this model.", param="prompt")
