"""What slow vendors' jobs have in common: the addresses a vendor gives for a job, and questions it leaves open."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx

from .addresses import https_host, same_origin
from .errors import JobLost, ProviderError, Unanswered
from .http import Http, status_of


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


async def asked(http: Http, vendor: str, method: str, url: str, **content: Any) -> httpx.Response:
    """Any answer below 400 to a question about a job: `Http.ask`, for answers that are not always JSON. Raises JobLost
    when there is no such job, Unanswered whatever else goes wrong, which is no verdict on the job."""
    try:
        return await http.send(vendor, method, url, **content)
    except ProviderError as error:
        raise open_question(vendor, error) from error


def open_question(vendor: str, error: ProviderError) -> ProviderError:
    """What an error of a question about a job means: it is unknown (404, 410), or it must be asked again."""
    if status_of(error) in (404, 410):
        return JobLost(f"{vendor} no longer knows the job.")
    return Unanswered(str(error), retry_after=error.retry_after)
