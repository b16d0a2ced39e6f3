"""Replicate's list of predictions, in which one is found again whose id was lost on its way."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from .addresses import same_origin
from .catalogue import Model
from .errors import MalformedAnswer
from .http import Http
from .replicate_schemas import IMAGE_FIELDS
from .types import Media

CLOCK_SKEW = dt.timedelta(minutes=1)
"""How far Replicate's clock may be behind ours."""
MAX_PAGES = 100
"""Of 100 predictions each: a list that is longer is not read to its end."""


class Predictions:
    """The account's predictions, as GET /predictions lists them: newest first, 100 to a page (OpenAPI)."""

    def __init__(self, label: str, http: Http, base_url: str, headers: Mapping[str, str]) -> None:
        self._label = label
        self._http = http
        self._base_url = base_url
        self._headers = headers

    async def since(self, moment: dt.datetime) -> AsyncIterator[dict[str, Any]]:
        """Every prediction made since then, newest first. Raises MalformedAnswer when the list cannot be read to its
        end: what is missing in a part of it may yet exist."""
        since = moment.astimezone(dt.UTC) - CLOCK_SKEW
        after = urlencode({"created_after": since.isoformat(timespec="milliseconds").replace("+00:00", "Z")})
        url: Any = f"{self._base_url}/predictions?{after}"
        for _ in range(MAX_PAGES):
            answer = await self._ask(url)
            records, url = answer.get("results"), answer.get("next")
            if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
                raise MalformedAnswer(f"{self._label}'s list of predictions cannot be understood.")
            for record in records:
                if made_before(record, since):
                    return
                yield record
            if not url:
                return
            if not isinstance(url, str) or not same_origin(url, self._base_url):  # the key goes nowhere else
                raise MalformedAnswer(f"{self._label}'s list of predictions goes on at another address.")
        raise MalformedAnswer(f"{self._label}'s list of predictions is too long.")

    async def does(
        self, record: Mapping[str, Any], model: Model, inputs: Mapping[str, Any], images: Sequence[Media]
    ) -> bool | None:
        """Whether a prediction does with these images what these inputs say; None where its record leaves that open.

        An hour after it was made its input is deleted.
        """
        if not is_of(record, model):
            return False
        given = record.get("input")
        if record.get("data_removed") or not given:
            return None
        if not isinstance(given, dict):
            return False
        # The field had another name perhaps when it was sent: see replicate_schemas.py.
        field = next((name for name in (model.limits.get("image_field"), *IMAGE_FIELDS) if name in given), None)
        if {name: value for name, value in given.items() if name != field} != inputs:
            return False
        links = given.get(field) if field else None
        links = links if isinstance(links, list) else [] if links is None else [links]
        if len(links) != len(images):
            return False
        same = [await self._is(image, link) for image, link in zip(images, links, strict=True)]
        return False if False in same else None if None in same else True

    async def _is(self, image: Media, link: Any) -> bool | None:
        """Whether an input of a prediction is this image: the data URI that was sent, or an upload, whose record holds
        its digest (OpenAPI, files.get). None where the address is another."""
        if not isinstance(link, str):
            return None
        if link.startswith("data:"):
            return link == await asyncio.to_thread(image.data_uri)
        if not same_origin(link, self._base_url) or not link.startswith(f"{self._base_url}/files/"):
            return None
        checksums = (await self._ask(link)).get("checksums")
        given = checksums.get("sha256") if isinstance(checksums, dict) else None
        return None if given is None else given == await asyncio.to_thread(digest, image)

    async def _ask(self, url: str) -> dict[str, Any]:
        return await self._http.ask(self._label, "GET", url, headers=self._headers)


def digest(image: Media) -> str:
    """The SHA-256 of a file's bytes (blocking)."""
    return hashlib.sha256(image.read()).hexdigest()


def made_before(record: Mapping[str, Any], since: dt.datetime) -> bool:
    """Whether a prediction is older than that; one without a readable date is not."""
    try:
        made = dt.datetime.fromisoformat(str(record.get("created_at")))
    except ValueError:
        return False
    return made.replace(tzinfo=made.tzinfo or dt.UTC) < since


def is_of(record: Mapping[str, Any], model: Model) -> bool:
    """Whether a prediction was made by this model, which its record names as `model` or, by its hash, as `version`."""
    name, _, version = model.wire_id.partition(":")
    return record.get("version") == version if version else name in (record.get("model"), record.get("version"))
