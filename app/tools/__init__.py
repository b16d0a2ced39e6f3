"""The tools a planner may call, one file each, named as the model calls them."""

from typing import Any

from .analyze_audio import AnalyzeAudio
from .analyze_image import AnalyzeImage
from .analyze_video import AnalyzeVideo
from .base import Tool, Toolbox
from .edit_image import EditImage
from .enhance_prompt import EnhancePrompt
from .extract_document import ExtractDocument
from .generate_image import GenerateImage
from .generate_speech import GenerateSpeech
from .generate_video import GenerateVideo
from .transcribe_audio import TranscribeAudio


def built_in() -> Toolbox:
    """The tools every deployment has."""
    tools: tuple[Tool[Any], ...] = (
        EnhancePrompt(),
        GenerateImage(),
        EditImage(),
        GenerateVideo(),
        GenerateSpeech(),
        AnalyzeImage(),
        AnalyzeVideo(),
        AnalyzeAudio(),
        TranscribeAudio(),
        ExtractDocument(),
    )
    return Toolbox({tool.name: tool for tool in tools})
