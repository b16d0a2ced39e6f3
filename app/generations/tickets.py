"""A job's ticket as it is written down: no vendor's address in it.

An address at the vendor's configured base URL is kept as its path alone, and completed again when it is read. So a job
can also be polled when the vendor is reached at another host after a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from providers.base import Family
from providers.http import same_origin
from providers.types import Ticket

ADDRESSES = ("poll_url", "cancel_url")


def write_ticket(ticket: Ticket, family: Family) -> dict[str, Any]:
    """A ticket as plain JSON for its receipt."""
    written = ticket.model_dump(mode="json")
    for name in ADDRESSES:
        if written[name] and same_origin(written[name], family.base_url):
            written[name] = urlsplit(written[name])._replace(scheme="", netloc="").geturl()
    return written


def read_ticket(written: Mapping[str, Any], family: Family) -> Ticket:
    """The ticket of a receipt."""
    addresses = {name: urljoin(family.base_url, written[name]) for name in ADDRESSES if written.get(name)}
    return Ticket.model_validate({**written, **addresses})
