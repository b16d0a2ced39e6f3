"""Identifiers: prefixed, sortable by time of birth, and the same again when a step is replayed."""

from __future__ import annotations

import datetime as dt
import hashlib

from ulid import ULID


def new_id(prefix: str) -> str:
    """A fresh id such as `gen_01jd...`."""
    return f"{prefix}_{str(ULID()).lower()}"


def born(identifier: str) -> dt.datetime | None:
    """When an id was made; None where it does not tell."""
    try:
        return ULID.from_str(identifier.rpartition("_")[2].upper()).datetime
    except ValueError:
        return None


def derived_id(prefix: str, born: dt.datetime, *parts: object) -> str:
    """The id that follows from its parts: equal parts and birth give the equal id, also after a crash."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    milliseconds = int(born.timestamp() * 1000).to_bytes(6, "big")
    return f"{prefix}_{str(ULID.from_bytes(milliseconds + digest[:10])).lower()}"
