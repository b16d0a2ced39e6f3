"""The tools a planner may call, one file each, named as the model calls them."""

from .base import Toolbox
from .enhance_prompt import EnhancePrompt
from .generate_image import GenerateImage
from .generate_speech import GenerateSpeech
from .generate_video import GenerateVideo


def built_in() -> Toolbox:
    """The tools every deployment has."""
    tools = (EnhancePrompt(), GenerateImage(), GenerateVideo(), GenerateSpeech())
    return Toolbox({tool.name: tool for tool in tools})
