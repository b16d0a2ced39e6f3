"""What slow vendors' jobs have in common: their ids, the addresses a vendor gives for them, and how far they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from .addresses import https_host, same_origin
from .errors import MalformedAnswer


def job_id_in(answer: Any, vendor: str, key: str = "id") -> str:
    """The id of the job that a vendor accepted. Raises MalformedAnswer when its answer names none."""
    found = answer.get(key) if isinstance(answer, Mapping) else None
    if not isinstance(found, str) or not found:
        raise MalformedAnswer(f"{vendor} accepted the request but named no job.")
    return found


def kept_link(url: Any, base_url: str, *, domain: str | None = None) -> str | None:
    """What a ticket keeps of an address the vendor gave: its path and query, at the origin of `base_url`; the host
    before them, where that is another https host of the vendor's `domain`. None: not an address the key is for."""
    if not isinstance(url, str):
        return None
    if same_origin(url, base_url):
        return httpx.URL(url).raw_path.decode()
    host = https_host(url)
    if host is not None and domain is not None and f".{host}".endswith(f".{domain}"):
        return host + httpx.URL(url).raw_path.decode()
    return None


def job_link(kept: str, base_url: str) -> str:
    """The address that `kept_link` made `kept` from."""
    base = urlsplit(base_url)
    return f"{base.scheme}://{base.netloc}{kept}" if kept.startswith("/") else f"https://{kept}"


def fraction(progress: Any, whole: float = 1.0) -> float | None:
    """A progress that runs to `whole` as 0 to 1; None when the vendor tells none."""
    if not isinstance(progress, int | float) or isinstance(progress, bool):
        return None
    return min(max(progress / whole, 0.0), 1.0)
