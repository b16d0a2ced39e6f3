"""Where a run may be when its process ends, and what is expected to come of it: the rows of docs/crash-matrix.md.

A run is held at its place from outside: by a vendor that keeps it waiting, or by a database that refuses its next row.
So many runs, each at a place of its own, go through one crash together.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.ground import Ground
from tests.e2e.stage import Json, Stage, call, hang, refuse, turn

CHAT, DRAWING, VOICE = "/chat/completions", "/images/generations", "/audio/speech"
FLUX, CLIP = "/replicate/v1/predictions", "/runway/v1/text_to_video"
FINISHED, FOUND, UNKNOWN = "finished", "found again, finished", "unknown"
TAKEN_AGAIN = "finished; the lost turn is unknown and taken again"
ANY = "finished or unknown"
KILL, STOP = "SIGKILL", "SIGTERM"
SLOW_ENOUGH_TO_HIT = {"chat": 0.15, "speech": 0.2, "replicate": 0.4, "runway": 0.8, "files": 0.1}
GRACE_S = 2.0
"""How long a stopped server lets requests end here."""


@dataclass(frozen=True)
class Kind:
    """What a run asks for, and how its vendor sells it."""

    name: str
    counted: str
    path: str
    calls: Callable[[str], list[Json]] | None = None
    """What the planner asks for, given the words; without it one work of each kind."""
    poll: str = ""
    works: tuple[str, ...] = ("image", "video", "speech")
    models: Json = field(default_factory=dict)


def picture(words: str) -> Json:
    return call("generate_image", prompt=words, provider="flux-1.1-pro")


PLANNER = Kind("a turn of the planner (OpenAI)", "openai.chat", CHAT)
THREE = Kind("a picture, a clip and speech", "", "")
LISTED = Kind(
    "a job, vendor lists its jobs (Replicate)",
    "replicate",
    FLUX,
    lambda words: [picture(words)],
    poll=FLUX,
    works=("image",),
)
FIVE = Kind(
    "five jobs of one turn (Replicate)",
    "replicate",
    FLUX,
    lambda words: [picture(f"{words} number {number}") for number in range(5)],
    poll=FLUX,
    works=("image",) * 5,
)
UNLISTED = Kind(
    "a job, vendor does not list (Runway)",
    "runway",
    CLIP,
    lambda words: [call("generate_video", prompt=words, duration=5)],
    poll="/runway/v1/tasks",
    works=("video",),
)
DRAWN = Kind(
    "a picture at once (OpenAI)",
    "openai.images",
    DRAWING,
    lambda words: [call("generate_image", prompt=words)],
    works=("image",),
    models={"image": "gpt-image-2.6-flare"},
)
SPOKEN = Kind(
    "speech at once (OpenAI)",
    "openai.speech",
    VOICE,
    lambda words: [call("generate_speech", text=words)],
    works=("speech",),
)


class Run:
    """One generation on its way to the place it is to be found at."""

    def __init__(self, scenario: Scenario, stage: Stage, ground: Ground) -> None:
        self.scenario, self.kind, self.place = scenario, scenario.kind, scenario.place
        self.words = f"{scenario.ending} {self.place.name}, {self.kind.name}"
        self._stage, self._ground = stage, ground
        self._stored = ground.stored() if self.place.counts_the_store else 0

    def begin(self) -> None:
        """Start it."""
        self.id = self.begin_again(self._stage)

    def begin_again(self, stage: Stage) -> str:
        """The id a client gets who sends the same once more."""
        return stage.begin(self.words, key=self.words, models=self.kind.models)

    def script(self) -> list[Json]:
        """What the planner says in the first turn, as often as that is taken."""
        asked = self.kind.calls(self.words) if self.kind.calls else []
        return [turn(*asked, match=self.words)] if asked else []

    def asked(self) -> list[str]:
        """The words of each work, in order."""
        if self.kind.calls is None:
            return [self.words] * len(self.kind.works)
        arguments = [each["arguments"] for each in self.kind.calls(self.words)]
        return [each.get("prompt") or each["text"] for each in arguments]

    # ---- where it is ----

    def now(self) -> Json:
        """The generation as it stands."""
        return self._stage.get(self.id)

    def stored(self) -> bool:
        """Whether a work has come into the store since it began."""
        return self._ground.stored() > self._stored

    def accepted(self) -> Counter[tuple[str, str]]:
        """What the vendors have taken on for it, by kind and words."""
        works = self._stage.fakes.ledger()["works"]
        return Counter((work["kind"], work["words"]) for work in works if work["words"].startswith(self.words))

    def submits(self) -> int:
        """How much of its own kind that is."""
        return sum(count for (kind, _), count in self.accepted().items() if self.kind.counted in ("", kind))

    def posts(self, status: int = 0) -> int:
        """How many of its submits were answered so; 0 is not yet."""
        rows = self._stage.requests(self.kind.path)
        return sum(row["status"] == status and self.words in str(row["body"]) for row in rows)

    def gets(self, path: str, status: int = 0) -> int:
        """How many questions about its jobs, or for their files, were answered so."""
        jobs = [receipt["job_id"] for receipt in self.now()["receipts"] if receipt["job_id"]]
        rows = self._stage.requests(path, "GET")
        return sum(row["status"] == status and any(job in row["path"] for job in jobs) for row in rows)


@dataclass(frozen=True)
class Place:
    """A place of a run: how it is held there, and how one sees that it has come so far."""

    name: str
    reached: Callable[[Run], Any]
    rule: Callable[[Run], Json] | None = None
    """What a vendor does about it."""
    latency: Json = field(default_factory=dict)
    refusal: tuple[str, str, str] | None = None
    """A row the database refuses: table, event, condition."""
    counts_the_store: bool = False
    lasts: bool = False
    """Whether the vendor stays like that while other runs are brought to their places."""


@dataclass(frozen=True)
class Scenario:
    """A run of some kind at some place when its process ends; how much is submitted in all, and what it comes to."""

    ending: str
    place: Place
    kind: Kind
    submits: int | None
    outcome: str

    @property
    def id(self) -> str:
        return f"{self.ending}-{self.place.name}-{self.kind.name}".replace(" ", "-")


# ---- places ----------------------------------------------------------------------------------------------------------


def is_polled(run: Run) -> bool:
    return run.gets(run.kind.poll, 200) >= 2 * len(run.kind.works)


def turn_ended(run: Run) -> bool:
    return any((step["kind"], step["status"]) == ("turn", "completed") for step in run.now()["steps"])


def waits_in_line(run: Run) -> Json:
    return refuse(run.kind.path, 429, match=run.words, headers={"retry-after": "3"}, times=None)


def at_random(number: int) -> Place:
    """Where 0 to 0.3 s lead that follow from the number."""
    pause_s = random.Random(number).uniform(0.0, 0.3)
    return Place(f"at a random moment {number}", lambda run: time.sleep(pause_s) or True, latency=SLOW_ENOUGH_TO_HIT)


NOT_BEGUN = Place(
    "accepted, not begun",
    lambda run: run.now()["status"] == "queued",
    refusal=("generations", "UPDATE", "NEW.status = 'running'"),
)
IN_THE_FIRST_TURN = Place("in the first turn", Run.posts, lambda run: hang(CHAT, match=run.words))
BEFORE_THE_TOOLS = Place("between turn and tools", turn_ended, refusal=("steps", "INSERT", "NEW.kind = 'tool'"))
IN_LINE = Place("in line, request not sent", lambda run: run.posts(429), waits_in_line, lasts=True)
ANSWER_LOST = Place(
    "in the submit, accepted",
    lambda run: run.submits() and run.posts(),
    lambda run: hang(run.kind.path, match=run.words),
)
NOT_ACCEPTED = Place(
    "in the submit, not accepted",
    Run.posts,
    lambda run: refuse(run.kind.path, 500, match=run.words, hang_s=300.0),
)
BEFORE_THE_POLLS = Place(
    "job accepted, not asked about",
    lambda run: run.gets(run.kind.poll),
    lambda run: refuse(f"{run.kind.poll}/", 500, "GET", hang_s=300.0),
)
IN_A_POLL = Place(
    "in a poll",
    lambda run: run.gets(run.kind.poll),
    lambda run: hang(f"{run.kind.poll}/", "GET"),
)
BETWEEN_POLLS = Place("between polls", is_polled, latency={"replicate": 8.0, "runway": 8.0})
IN_THE_DOWNLOAD = Place(
    "in the download",
    lambda run: run.gets("/files/"),
    lambda run: hang("/files/", "GET"),
)
IN_THE_STORE = Place(
    "in the store, receipt not settled",
    lambda run: run.submits() and run.stored(),
    refusal=("calls", "UPDATE", "NEW.modality <> 'chat' AND NEW.state IN ('settled', 'unknown')"),
    counts_the_store=True,
)
BEFORE_THE_TOOLS_END = Place(
    "asset there, tool not ended",
    lambda run: run.now()["assets"],
    refusal=("steps", "UPDATE", "NEW.kind = 'tool' AND NEW.status = 'completed'"),
)
IN_THE_LAST_TURN = Place(
    "in the last turn",
    lambda run: run.submits() == 2 and run.posts(),
    lambda run: hang(CHAT, match=run.words, skip=1),
)
ENDED = Place("after the end", lambda run: run.now()["status"] == "completed")

ANSWERED_SOON = Place(
    "in the submit, answered within the grace",
    lambda run: run.submits(),
    lambda run: {**hang(run.kind.path, match=run.words), "hang_s": 1.5},
)
TURN_ANSWERED_SOON = Place(
    "in the first turn, answered within the grace",
    Run.posts,
    lambda run: {**hang(CHAT, match=run.words), "hang_s": 1.5},
)

# ---- what is expected ------------------------------------------------------------------------------------------------

KILLS = [
    # First those whose questions are held whoever asks them; last those whose lanes are held.
    *(
        Scenario(KILL, place, kind, 1, FINISHED)
        for kind in (LISTED, UNLISTED)
        for place in (BEFORE_THE_POLLS, IN_A_POLL, IN_THE_DOWNLOAD)
    ),
    Scenario(KILL, NOT_BEGUN, PLANNER, 2, FINISHED),
    Scenario(KILL, IN_THE_FIRST_TURN, PLANNER, 3, TAKEN_AGAIN),
    Scenario(KILL, BEFORE_THE_TOOLS, PLANNER, 2, FINISHED),
    Scenario(KILL, IN_THE_LAST_TURN, PLANNER, 3, TAKEN_AGAIN),
    Scenario(KILL, ENDED, PLANNER, 2, FINISHED),
    Scenario(KILL, ANSWER_LOST, LISTED, 1, FOUND),
    Scenario(KILL, NOT_ACCEPTED, LISTED, 1, FINISHED),
    *(Scenario(KILL, ANSWER_LOST, kind, 1, UNKNOWN) for kind in (UNLISTED, DRAWN, SPOKEN)),
    *(Scenario(KILL, NOT_ACCEPTED, kind, 0, UNKNOWN) for kind in (UNLISTED, DRAWN, SPOKEN)),
    *(Scenario(KILL, BEFORE_THE_TOOLS_END, kind, 1, FINISHED) for kind in (LISTED, UNLISTED, DRAWN, SPOKEN)),
    *(Scenario(KILL, IN_THE_STORE, kind, 1, FINISHED) for kind in (LISTED, UNLISTED)),
    *(Scenario(KILL, IN_THE_STORE, kind, 1, UNKNOWN) for kind in (DRAWN, SPOKEN)),
    *(Scenario(KILL, BETWEEN_POLLS, kind, 1, FINISHED) for kind in (LISTED, UNLISTED)),
    Scenario(KILL, BETWEEN_POLLS, FIVE, 5, FINISHED),
    *(Scenario(KILL, IN_LINE, kind, 1, FINISHED) for kind in (LISTED, UNLISTED, DRAWN, SPOKEN)),
    Scenario(KILL, IN_LINE, PLANNER, 2, FINISHED),
]
STOPS = [
    *(Scenario(STOP, IN_THE_DOWNLOAD, kind, 1, FINISHED) for kind in (LISTED, UNLISTED)),
    *(Scenario(STOP, BETWEEN_POLLS, kind, 1, FINISHED) for kind in (LISTED, UNLISTED)),
    Scenario(STOP, BEFORE_THE_TOOLS, PLANNER, 2, FINISHED),
    Scenario(STOP, TURN_ANSWERED_SOON, PLANNER, 2, FINISHED),
    *(Scenario(STOP, ANSWERED_SOON, kind, 1, FINISHED) for kind in (LISTED, UNLISTED, DRAWN, SPOKEN)),
    *(Scenario(STOP, IN_LINE, kind, 1, FINISHED) for kind in (LISTED, UNLISTED, DRAWN, SPOKEN)),
    Scenario(STOP, IN_LINE, PLANNER, 2, FINISHED),
]
RANDOM = [Scenario(KILL, at_random(number), THREE, None, ANY) for number in range(10)]
BATCHES = (KILLS, STOPS, RANDOM)
DATABASES = {"sqlite": "SQLite", "postgres": "Postgres and S3"}
