"""Several small HTTP clients in place of a large one.

httpcore goes through all connections of a pool at every request, asking the idle ones whether they still live: with a
hundred connections that was a third of the processor time of a busy server (measured; httpcore 1.0.9 and httpcore2
2.16.2, `_assign_requests_to_connections`). So a client gets a few requests at a time, and a further one is made when
all have theirs. In quiet times there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

C = TypeVar("C")
EACH = 4
"""Requests at a time that one client gets."""
IDLE_S = 2.0
"""How long a connection is kept for the next request. Servers close theirs after 5 s and more; a paid request written
to a connection that is being closed has an unknown outcome."""


class Clients(Generic[C]):
    """The clients of one kind, made as they are needed."""

    def __init__(self, make: Callable[[], C]) -> None:
        self._make = make
        self._made: list[C] = []
        self._busy: list[int] = []

    @contextmanager
    def one(self) -> Iterator[C]:
        """A client for one request."""
        number = next((number for number, busy in enumerate(self._busy) if busy < EACH), len(self._busy))
        if number == len(self._made):
            self._made.append(self._make())
            self._busy.append(0)
        self._busy[number] += 1
        try:
            yield self._made[number]
        finally:
            self._busy[number] -= 1

    def all(self) -> list[C]:
        """Every client made so far."""
        return list(self._made)
