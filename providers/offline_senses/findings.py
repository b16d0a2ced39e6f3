"""Which of the senses answers a question of a known shape, by the title of the schema that its answer is to follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..types import ChatRequest
from .documents import document_type, extraction
from .films import analysis as watched
from .pictures import analysis as looked_at
from .sounds import analysis as listened_to

Finder = Callable[[ChatRequest], dict[str, Any]]

FINDERS: dict[str, Finder] = {
    "ImageAnalysis": looked_at,
    "VideoAnalysis": watched,
    "AudioAnalysis": listened_to,
    "DocumentType": document_type,
    "Extraction": extraction,
}


def finder_for(request: ChatRequest) -> Finder | None:
    """What answers a request that wants an answer of a known shape; None for one that wants another, or none."""
    return FINDERS.get(str((request.answer_schema or {}).get("title")))
