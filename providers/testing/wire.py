"""A vendor as it looks on the wire: what the contract must know of it to ask every family the same questions.

Answers are `httpx.Response` on both stacks, as respx wants them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import httpx

from ..base import Family
from ..types import ChatRequest, Media, MediaRequest, Ticket


@dataclass(frozen=True)
class Listing:
    """How a vendor lists its jobs."""

    ask: tuple[str, str]
    """Method and URL, without its query."""
    listed: httpx.Response
    """The answer when there is one job, which does what `Wire.request` asks ..."""
    nothing: httpx.Response
    """... and when there is none."""


@dataclass(frozen=True)
class Jobs:
    """The life of a job at a slow vendor. `(method, url)` pairs are what the family must send."""

    ticket: Ticket
    """What `submit` must return for `Wire.accepted`, field for field."""
    poll: tuple[str, str]
    cancel: tuple[str, str] | None
    """None: the vendor has no such call, so that a cancel must send nothing."""
    pending: httpx.Response
    """A poll's answer for a job that runs ..."""
    progress: float | None
    """... and the progress it tells, None where the vendor tells none."""
    finished: httpx.Response
    """A poll's answer for a job that is done, with at least one output."""
    failed: httpx.Response
    """A poll's answer for a job that failed for a reason other than its content."""
    lost: httpx.Response
    """A poll's or a cancel's answer for a job the vendor does not know."""
    cancelled: httpx.Response | None
    """The answer to a cancel that worked; None where there is no such call."""
    listing: Listing | None = None
    """None: the vendor cannot be asked which jobs it has."""
    result: tuple[str, httpx.Response] | None = None
    """The URL and the answer that hold the works of a finished job; None where the poll itself holds them."""


@dataclass(frozen=True)
class Kept:
    """What a quick vendor keeps of its works, so that one whose answer was lost can be fetched again."""

    ticket: Ticket
    """What the list gives for `Wire.request`, field for field."""
    listing: Listing


@dataclass(frozen=True)
class Wire:
    """One vendor on the wire."""

    family: type[Family]
    environment: Mapping[str, str]
    """Settings the family is opened with: its key, and nothing that the default base URL does not need."""
    key: str
    """The secret inside `environment`, to look for where it must not be."""
    stack: Literal["httpcore", "httpcore2"]
    """"httpcore": our own httpx client. "httpcore2": an SDK on httpx2 (openai)."""
    request: MediaRequest | ChatRequest
    """A chat turn for a family that only chats: then the paid call is `complete`."""
    submit: tuple[str, str]
    """Method and URL of the paid call that `request` becomes."""
    accepted: httpx.Response
    """The answer to the submit: the finished work of a quick vendor, the accepted job of a slow one."""
    moderated: httpx.Response
    """Content was blocked: a quick vendor's answer to the submit, a slow vendor's answer to a poll."""
    rate_limited: httpx.Response
    """A 429 of this vendor that waiting cures, asking for `retry_after` seconds. Tests wait it out: a millisecond."""
    retry_after: float
    gone: httpx.Response
    """The vendor's answer for a model it does not serve, or no longer."""
    no_credit: httpx.Response
    """The vendor's answer for an account that is empty."""
    rejected: httpx.Response
    """The vendor's answer for parameters it does not accept."""
    broken: httpx.Response
    """A 5xx answer to the submit, in this vendor's shape."""
    malformed: httpx.Response
    """A 2xx answer to the submit that cannot be understood."""
    media: Mapping[str, Media] = field(default_factory=dict)
    jobs: Jobs | None = None
    """None: a quick vendor, whose `submit` returns `Done`."""
    kept: Kept | None = None
    """None: a slow vendor, or a quick one that cannot be asked what it has made."""

    @property
    def listing(self) -> Listing | None:
        """How the vendor lists its jobs or works."""
        source = self.jobs or self.kept
        return source.listing if source else None

    @property
    def listed_ticket(self) -> Ticket | None:
        """The ticket of what is listed."""
        source = self.jobs or self.kept
        return source.ticket if source else None
