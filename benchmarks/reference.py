"""The generation that is measured: what is asked, how long the vendors take, and how long it takes at best.

Turn 1 asks for two enhanced prompts, turn 2 for an image (Replicate), a clip (Runway) and a narration (OpenAI speech),
each made side by side; turn 3 answers. The fakes' planner follows this plan for a prompt with the marker.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

LATENCY = {"chat": 0.5, "speech": 1.0, "replicate": 2.0, "runway": 4.0}
QUICK = dict.fromkeys(LATENCY, 0.0)
IDEAL_S = 3 * LATENCY["chat"] + LATENCY["chat"] + max(LATENCY["speech"], LATENCY["replicate"], LATENCY["runway"])
"""The critical path: three turns, the enhancements, the slowest of the works."""
ASSETS = 3

_numbers = itertools.count(1)


def prompt() -> str:
    """A prompt of its own for each generation, so that a request sent twice shows in the vendors' ledger."""
    return f"[reference] A post about coffee bar number {next(_numbers)}: a hero image, a clip and a narration"


def is_complete(generation: Any) -> bool:
    """Whether everything that was asked for was made."""
    if not isinstance(generation, dict) or generation.get("stop_reason") != "answered":
        return False
    return len(generation["assets"]) == ASSETS


def bought_twice(ledger: dict[str, Any], kinds: Iterable[str] = ("openai.speech", "replicate", "runway")) -> int:
    """How many works were bought more than once."""
    return sum(row["times"] - 1 for row in ledger["duplicates"] if row["kind"] in kinds)


def turns_taken_again(ledger: dict[str, Any]) -> int:
    """How many model turns were asked for again, as those are that a crash lost."""
    return bought_twice(ledger, ("openai.chat",))
