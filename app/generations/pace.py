"""When to ask about a job: often where it is likely to end, seldom before.

A vendor's jobs of one model take about as long as the last ones did. So a job is asked about a few times on the way,
for its progress, and closely around the time the last ones ended: it is found done sooner, with fewer questions.
"""

from __future__ import annotations

from collections import deque

REMEMBERED = 20
CLOSE = 0.02
"""Of the expected time, between two questions while the end is near."""
ON_THE_WAY = 0.2
"""Of the expected time, between two questions before that."""


class Pace:
    """What is remembered of how long the jobs of each model took, in seconds."""

    def __init__(self) -> None:
        self._took: dict[str, deque[float]] = {}

    def learn(self, model: str, took_s: float) -> None:
        """A job of this model ended well after so long."""
        self._took.setdefault(model, deque(maxlen=REMEMBERED)).append(took_s)

    def pause_s(self, model: str, elapsed_s: float, usual_s: float, least_s: float) -> float:
        """Seconds until the next question: `usual_s` where nothing is known, never less than `least_s`."""
        took = self._took.get(model)
        if not took:
            return usual_s
        soonest, latest = min(took), max(took)
        if elapsed_s < 0.95 * soonest:
            return max(least_s, min(ON_THE_WAY * soonest, 0.97 * soonest - elapsed_s))
        if elapsed_s < 1.2 * latest:
            return max(least_s, min(CLOSE * soonest, usual_s))
        return usual_s
