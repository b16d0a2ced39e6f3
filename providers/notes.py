"""The vendors' word on their models: asked for once a day, and kept on disk between two starts."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from .base import Family
from .catalogue import Correction
from .types import Value

log = logging.getLogger(__name__)

FRESH = dt.timedelta(days=1)
"""How long a vendor's word is not asked for again ..."""
BELIEVED = dt.timedelta(days=7)
"""... and how long it holds while the vendor does not answer."""
ASK_S = 60.0
"""How long a vendor may take to tell."""


class Note(Value):
    """One vendor's word, when it was given, and to whom (a few digits of a checksum of address and key)."""

    at: AwareDatetime
    to: str
    correction: Correction


NOTES: TypeAdapter[dict[str, Note]] = TypeAdapter(dict[str, Note])


def read_notes(path: Path) -> dict[str, Note]:
    """The notes in a file, by vendor; none when there is no file or it cannot be read (blocking)."""
    try:
        return NOTES.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        log.warning("what vendors said of their models cannot be read from %s: %s", path, type(error).__name__)
        return {}


def write_notes(path: Path, notes: Mapping[str, Note]) -> None:
    """Keep the notes, whole or not at all (blocking)."""
    new = path.with_suffix(".new")
    try:
        new.write_bytes(NOTES.dump_json(dict(notes), indent=1))
        new.replace(path)
    except OSError as error:
        log.warning("what vendors said of their models cannot be written to %s: %s", path, error)
        with contextlib.suppress(OSError):
            new.unlink()


# ---- asking ----------------------------------------------------------------------------------------------------------


def remembered(families: Iterable[Family], notes: Mapping[str, Note], now: dt.datetime) -> dict[str, Note]:
    """The notes that hold for these families: told to the same account, and not too long ago."""
    pairs = ((family, notes[family.name]) for family in families if family.name in notes)
    return {
        family.name: note
        for family, note in pairs
        if note.to == _asking(family) and dt.timedelta(0) <= now - note.at < BELIEVED
    }


async def told(families: Iterable[Family], notes: Mapping[str, Note], now: dt.datetime) -> dict[str, Note]:
    """The notes of these families, after asking those whose word is a day old: each for itself, all side by side. One
    that does not answer is logged, and what it said before holds for a week."""

    async def tell(family: Family) -> Note | None:
        note = remembered([family], notes, now).get(family.name)
        if not tells(family) or (note is not None and now - note.at < FRESH):
            return note
        try:
            async with asyncio.timeout(ASK_S):
                return Note(at=now, to=_asking(family), correction=await family.refresh())
        except Exception as error:
            log.warning("%s does not say which of its models live: %s", family.name, error or type(error).__name__)
            return note

    families = list(families)
    said = await asyncio.gather(*(tell(family) for family in families))
    return {family.name: note for family, note in zip(families, said, strict=True) if note is not None}


def tells(family: Family) -> bool:
    """Whether a family's vendor can be asked about its models: at its own address only. A gateway or a fake speaks for
    itself alone; what it lacks, the vendor may have."""
    silent = getattr(family.refresh, "__func__", None) is Family.refresh  # asked of the instance, which may be watched
    return not silent and (family.is_vendor or not family.base_url)


def _asking(family: Family) -> str:
    """Who asks whom, in a few digits that tell neither: another key may see other models and voices."""
    return hashlib.sha256(f"{family.base_url}\n{family.key or ''}".encode()).hexdigest()[:8]
