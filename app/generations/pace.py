"""When to ask about a job: often where it is likely to end, seldom before.

A vendor's jobs of one model take about as long as the last ones did. So a job is asked about a few times on the way,
for its progress, and closely around the time the last ones ended: it is found done sooner, with fewer questions.
"""

from __future__ import annotations

from collections import deque

REMEMBERED = 12
NEAR = (0.98, 1.1)
"""The time around a remembered one, as parts of it, in which a job is asked about closely."""
CLOSE = 0.0125
"""Of the remembered time, between two questions near it."""
ON_THE_WAY = 0.5
"""Of the remembered time, between two questions before it."""
NEW = 0.05
"""Of the remembered time, for which a job cannot well have come to anything."""
MET_S = 0.5
"""Up to this age a job counts as watched from its beginning, however short it is."""
MOST_S = 15.0
"""Between two questions before it, so that a job that fails early is not noticed late."""


class Pace:
    """What is remembered of how long the jobs of each model took, in seconds."""

    def __init__(self) -> None:
        self._took: dict[str, deque[float]] = {}

    def learn(self, model: str, took_s: float, met_s: float = 0.0) -> None:
        """A job of this model was seen to have ended well after so long. One that was only met at an age of `met_s`, as
        those are that a restart has left, may have ended long before."""
        if met_s > max(NEW * took_s, MET_S):
            return
        self._took.setdefault(model, deque(maxlen=REMEMBERED)).append(took_s)

    def first_s(self, model: str, elapsed_s: float, usual_s: float, least_s: float) -> float:
        """Seconds until the first question: none where nothing is known, or when the job was begun a while ago."""
        new = any(elapsed_s < NEW * time for time in self._took.get(model, ()))
        return self.pause_s(model, elapsed_s, usual_s, least_s) if new else 0.0

    def pause_s(self, model: str, elapsed_s: float, usual_s: float, least_s: float) -> float:
        """Seconds until the next question: `usual_s` where nothing is known, never less than `least_s`."""
        took = self._took.get(model, ())
        if near := [time for time in took if NEAR[0] * time <= elapsed_s < NEAR[1] * time]:
            return max(least_s, min(CLOSE * min(near), usual_s))
        ahead = [time for time in took if elapsed_s < NEAR[0] * time]
        if not ahead:
            return usual_s
        soonest = min(ahead)
        return max(least_s, min(NEAR[0] * soonest - elapsed_s, max(usual_s, min(ON_THE_WAY * soonest, MOST_S))))
