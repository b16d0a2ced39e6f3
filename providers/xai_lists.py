"""What xAI lists: its models, by modality, and its voices.

Sources: https://docs.x.ai/developers/rest-api-reference/inference/models; xai-sdk, src/xai_sdk/tts.py for the voices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .catalogue import Model
from .errors import MalformedAnswer
from .xai_answers import LABEL

LISTS = {"chat": "language-models", "image": "image-generation-models", "video": "video-generation-models"}
"""Modality -> path of the list of its models."""


def gone_of(rows: Iterable[Model], answer: Mapping[str, Any]) -> list[str]:
    """The rows that a list of models does not hold; none where the list is empty: that speaks of the key alone.

    Raises MalformedAnswer.
    """
    listed = answer.get("models")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise MalformedAnswer(f"{LABEL}'s list of models cannot be understood.")
    names = {str(one.get("id")) for one in listed}
    names |= {str(alias) for one in listed for alias in one.get("aliases") or ()}
    living = (row for row in rows if row.status != "retired")
    return [row.id for row in living if names and not names & {row.wire_id, *row.aliases}]


def voices_of(answer: Mapping[str, Any]) -> dict[str, str]:
    """Every voice by its name and by its id -> what goes on the wire. Raises MalformedAnswer."""
    listed = answer.get("voices")
    if not isinstance(listed, list):
        raise MalformedAnswer(f"{LABEL}'s list of voices cannot be understood.")
    found: dict[str, str] = {}
    for voice in listed:
        voice_id, name = (str(voice.get(key) or "") if isinstance(voice, dict) else "" for key in ("voice_id", "name"))
        if voice_id:
            found |= {voice_id: voice_id} | ({name: voice_id} if name else {})
    return found
