"""ElevenLabs' history, in which speech is found again whose answer was lost.

It lists what was spoken, newest first, 100 to a page (elevenlabs 2.78.0, history/raw_client.py). An account that keeps
no history (zero retention) has an empty one, which says nothing about what was spoken.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from typing import Any

from .errors import MalformedAnswer
from .http import Http

CLOCK_SKEW_S = 60.0
"""How far ElevenLabs' clock may be behind ours."""
PAGE = 100
MAX_PAGES = 50

Item = dict[str, Any]


class History:
    """The account's history."""

    def __init__(self, label: str, http: Http, base_url: str, headers: Mapping[str, str]) -> None:
        self._label = label
        self._http = http
        self._url = f"{base_url}/v1/history"
        self._headers = headers

    async def that(
        self, body: Mapping[str, Any], voice: str, output_format: str, since: dt.datetime
    ) -> list[str] | None:
        """The ids of the items that say this in this voice and were made since then, oldest first. None where the
        history is empty, so that it is not known whether one is kept. Raises MalformedAnswer."""
        earliest, found, empty = since.timestamp() - CLOCK_SKEW_S, [], True
        async for item in self._items():
            empty = False
            made = item.get("date_unix")
            if not isinstance(made, int | float):
                raise MalformedAnswer(f"{self._label}'s history does not say when its items were made.")
            if made < earliest:
                break
            if says(item, body, voice, output_format):
                found.append(str(item["history_item_id"]))
        return None if empty else found[::-1]

    async def _items(self) -> AsyncIterator[Item]:
        """Every item, newest first."""
        after: str | None = None
        for _ in range(MAX_PAGES):
            params = {"page_size": PAGE} | ({"start_after_history_item_id": after} if after else {})
            answer = await self._http.ask(self._label, "GET", self._url, params=params, headers=self._headers)
            items, after = answer.get("history"), answer.get("last_history_item_id")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise MalformedAnswer(f"{self._label}'s history cannot be understood.")
            for item in items:
                yield item
            if not answer.get("has_more") or not items:
                return
            if not isinstance(after, str):
                raise MalformedAnswer(f"{self._label}'s history cannot be read to its end.")
        raise MalformedAnswer(f"{self._label}'s history is too long.")


def says(item: Item, body: Mapping[str, Any], voice: str, output_format: str) -> bool:
    """Whether an item of the history is what this request asked for. What an item does not tell is taken as equal."""
    if item.get("voice_id") != voice or item.get("model_id") != body["model_id"]:
        return False
    if str(item.get("text") or "").strip() != str(body["text"]).strip():
        return False
    if item.get("output_format") not in (None, output_format) or not item.get("history_item_id"):
        return False
    told = item.get("settings")
    told = told if isinstance(told, dict) else {}
    return all(told.get(name, value) in (None, value) for name, value in body.get("voice_settings", {}).items())
