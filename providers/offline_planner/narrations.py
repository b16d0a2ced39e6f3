"""A narration that is read anew: in another voice or manner, faster or slower, or with other words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .grammar import MARKER, Quotes
from .words import ADVERB, find_manner, find_voice
from .works import Known

PACES = {"faster": 1.25, "slower": 0.8}
"""Words of a manner -> the speed; 1.0 is normal."""
Q = MARKER.pattern
INSTEAD = re.compile(rf"{Q}\s+instead\s+of\s+{Q}")
REPLACED = re.compile(rf"{Q}\s+(?:with|by|to|into|becomes)\s+{Q}")


def retold(change: str, narration: Known) -> dict[str, object]:
    """The facts of a narration as it was but for a change; one that is not understood is told as the manner."""
    quotes = Quotes(change)
    voice, manner = find_voice(change), _manner(quotes.text)
    text = narration.made_from
    if (instead := INSTEAD.search(quotes.text)) or (replaced := REPLACED.search(quotes.text)):
        new, old = instead.groups() if instead else reversed(replaced.groups()) if replaced else ("0", "0")
        text = text.replace(quotes.said[int(old)], quotes.said[int(new)])
    elif quotes.said:
        text = quotes.said[0]
    elif not voice and not manner:
        manner = change
    return {"text": text, "voice": voice or narration.voice, "manner": manner}


def _manner(text: str) -> str | None:
    """How it is to be read, in words that stand by themselves: "slower and sad"."""
    return find_manner(f"in a {ADVERB.sub(lambda found: found[0].lower() + ' ', MARKER.sub(' ', text))} voice")


def at_a_pace(facts: Mapping[str, object]) -> dict[str, object]:
    """The facts with "faster" and "slower" as a speed, for a tool that has one."""
    manners = str(facts.get("manner") or "").split(" and ")
    speeds = [PACES[word] for word in manners if word in PACES]
    left = " and ".join(word for word in manners if word not in PACES) or None
    return {**facts, "manner": left, "speed": speeds[0]} if speeds else dict(facts)
