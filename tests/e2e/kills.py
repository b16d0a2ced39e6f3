"""Servers killed again and again at random moments while generations keep coming, and what is left in the end.

`python -m tests.e2e.kills` does so on each database, `KILLS` times (200), and writes docs/kills.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.databases import postgres
from tests.e2e.crashes import DATABASES
from tests.e2e.ground import Ground, postgres_ground, sqlite_ground
from tests.e2e.stage import TERMINAL, Json, Stage, wait_until
from tests.fake_vendors import FakeVendors
from tests.object_store import object_store
from tests.server import Event, Server, Worker

CLIENTS = 5
"""How many generations are open at a time: each client asks for one, follows it to its end, and asks for the next."""
MOST_WORKS = 4
LIVES_S = (0.3, 3.0)
"""How long a server that is ready lives until the next one is killed."""
DRAIN_S = 120.0
SILENCE_S = 5.0
LATENCY = {"chat": 0.1, "image": 0.3, "speech": 0.2, "replicate": 0.5, "runway": 1.0, "files": 0.05}
GONE = (OSError, http.client.HTTPException)
"""What a client meets whose server is killed."""
LOST = "is not known. It was not sent again."


@dataclass(frozen=True)
class Kind:
    """A kind of work, as the vendors' ledger counts it, and how it is asked for."""

    counted: str
    shown: str
    modality: str
    arguments: Json = field(default_factory=dict)


KINDS = (
    Kind("replicate", "pictures, jobs a vendor lists (Replicate)", "image", {"provider": "flux-1.1-pro"}),
    Kind("runway", "clips, jobs a vendor does not list (Runway)", "video", {"duration": 5}),
    Kind("openai.images", "pictures at once (OpenAI)", "image", {"provider": "gpt-image-2.6-flare"}),
    Kind("openai.speech", "speech at once (OpenAI)", "speech"),
)
TURNS = Kind("openai.chat", "turns of the planner (OpenAI)", "chat")


@dataclass(frozen=True)
class Work:
    """One work that is asked for, in words of its own."""

    kind: Kind
    words: str

    def call(self) -> str:
        """As a line of a prompt that the planner follows to the letter."""
        said = "text" if self.kind.modality == "speech" else "prompt"
        return f"generate_{self.kind.modality} {json.dumps({said: self.words, **self.kind.arguments})}"


@dataclass
class Wish:
    """A generation as its client meets it."""

    key: str
    works: list[Work]
    id: str = ""
    events: list[Event] = field(default_factory=list)
    """What the client was told, over all its connections."""

    @property
    def prompt(self) -> str:
        return "\n".join(work.call() for work in self.works)

    @property
    def told_of_its_end(self) -> bool:
        return bool(self.events) and self.events[-1].name in TERMINAL


@dataclass(frozen=True)
class Fate:
    """What came of a wish: the generation, its events as the database has them, where its key leads, its bytes."""

    wish: Wish
    made: Json
    events: list[tuple[int, str]]
    key: str
    contents: dict[str, bytes]

    def steps(self) -> Iterator[tuple[Work, Json | None, list[Json]]]:
        """Each work, its step, and the step's assets."""
        steps = [step for step in self.made["steps"] if step["kind"] == "tool"]
        assets = {asset["id"]: asset for asset in self.made["assets"]}
        for place, work in enumerate(self.wish.works):
            step = steps[place] if place < len(steps) else None
            yield work, step, [assets[name] for name in step["asset_ids"] if name in assets] if step else []

    def receipts(self, state: str, step: Json | None = None, *, chat: bool = False) -> list[Json]:
        """The receipts in a state, of the turns or else of the works, or of one step's."""
        found = [each for each in self.made["receipts"] if each["state"] == state]
        found = [each for each in found if (each["modality"] == "chat") == chat]
        return [each for each in found if step is None or each["step_id"] == step["id"]]


class Aftermath:
    """What is left when all is over. Each list names what should not be, and is empty."""

    def __init__(self, kills: int, errors: list[str], fates: list[Fate], ledger: Json, ground: Ground) -> None:
        self.kills = kills
        self.errors = errors
        """What the clients and the servers met that they should not."""
        self.fates = fates
        works = ledger["works"]
        self._accepted = Counter((work["kind"], work["words"]) for work in works)
        self._salts = {(work["kind"], work["words"]): work["salts"] for work in works}
        self._submits = ledger["submits"]
        [row] = ground.rows("SELECT count(*) AS kept, max(attempts) AS most FROM generations")
        self.kept, self.most_attempts = row["kept"], row["most"]
        self.taken_up = ground.rows("SELECT count(*) AS again FROM generations WHERE attempts > 1")[0]["again"]
        self.open_receipts = ground.rows("SELECT id, state FROM calls WHERE state NOT IN ('settled', 'unknown')")

    # ---- what should not be ----

    def unfinished(self) -> list[str]:
        """Generations that did not end as they should."""
        well = ("completed", "answered", "Here is your post.")
        ends = ((fate, (fate.made["status"], fate.made["stop_reason"], fate.made["response"])) for fate in self.fates)
        return [f"{fate.wish.id}: {end}" for fate, end in ends if end != well]

    def sent_twice(self) -> list[str]:
        """Works a vendor took on more than once."""
        media = {key: count for key, count in self._accepted.items() if key[0] != TURNS.counted}
        return [f"{kind} {words}: {count}" for (kind, words), count in media.items() if count > 1]

    def turns_too_many(self) -> list[str]:
        """Generations with turns taken again that were not lost."""
        turns = ((fate, self._turns(fate), 2 + len(fate.receipts("unknown", chat=True))) for fate in self.fates)
        return [f"{fate.wish.id}: {taken} turns, {most} accounted for" for fate, taken, most in turns if taken > most]

    def lost(self) -> list[str]:
        """What a vendor took on, and neither an asset nor a receipt as unknown answers for."""
        found = []
        for fate in self.fates:
            for work, step, assets in fate.steps():
                answered = assets or (step and fate.receipts("unknown", step))
                if self._accepted[work.kind.counted, work.words] and not answered:
                    found.append(f"{fate.wish.id}: {work}")
            known = sum(len(fate.receipts(state, chat=True)) for state in ("settled", "unknown"))
            if self._turns(fate) > known:
                found.append(f"{fate.wish.id}: {self._turns(fate)} turns, {known} receipts")
        return found

    def misplaced(self) -> list[str]:
        """Steps that have not exactly what was asked for there, with the very bytes the vendor made for these words;
        and those that have nothing, without a receipt as unknown that says why."""
        found = []
        for fate in self.fates:
            for work, step, assets in fate.steps():
                right = [asset for asset in assets if self._is_right(fate, work, asset)]
                if step is not None and step["status"] == "failed":
                    fine = not assets and LOST in step["error"] and len(fate.receipts("unknown", step)) == 1
                else:
                    fine = step is not None and len(assets) == len(right) == 1
                if not fine:
                    found.append(f"{fate.wish.id}: {work} {step}")
        return found

    def not_asked_for(self) -> list[str]:
        """Generations with other steps or assets than those."""
        return [
            fate.wish.id
            for fate in self.fates
            if len(fate.made["assets"]) != sum(len(assets) for *_, assets in fate.steps())
            or sum(step["kind"] == "tool" for step in fate.made["steps"]) != len(fate.wish.works)
        ]

    def torn(self) -> list[str]:
        """Generations whose events reached the client with a gap, a repetition or no end."""
        return [fate.wish.id for fate in self.fates if not told_well(fate)]

    def strayed(self) -> list[str]:
        """Keys that lead to another generation than they did."""
        return [fate.wish.key for fate in self.fates if fate.key != fate.wish.id]

    def given_up_though_listed(self) -> list[str]:
        """Jobs given up as unknown at a vendor that can be asked about them."""
        return [each["id"] for each in self._unknown("replicate", chat=False)]

    # ---- the record ----

    def rows(self) -> list[list[Any]]:
        """Of each kind: calls, what the vendor took on, finished, unknown, bought twice, lost."""
        lost, twice = " ".join(self.lost()), self.sent_twice()
        rows: list[list[Any]] = []
        for kind in KINDS:
            works = [(work, assets) for fate in self.fates for work, _, assets in fate.steps() if work.kind == kind]
            finished = sum(len(assets) for _, assets in works)
            unknown = len(works) - finished
            doubled = sum(each.startswith(f"{kind.counted} ") for each in twice)
            rows.append([kind.shown, len(works), self._submits[kind.counted], finished, unknown, doubled])
            rows[-1].append(lost.count(kind.counted))
        turns, unknown = 2 * len(self.fates), len(self._unknown("openai", chat=True))
        rows.append([TURNS.shown, turns, self._submits[TURNS.counted], turns, unknown, len(self.turns_too_many())])
        rows[-1].append(lost.count(" turns, "))
        return rows

    def _turns(self, fate: Fate) -> int:
        return self._accepted[TURNS.counted, fate.wish.prompt]

    def _unknown(self, vendor: str, *, chat: bool) -> list[Json]:
        every = [each for fate in self.fates for each in fate.receipts("unknown", chat=chat)]
        return [each for each in every if each["vendor"] == vendor]

    def _is_right(self, fate: Fate, work: Work, asset: Json) -> bool:
        content = fate.contents[asset["id"]]
        salts = self._salts.get((work.kind.counted, work.words), [])
        same = (asset["type"], asset["prompt"]) == (work.kind.modality, work.words)
        whole = hashlib.sha256(content).hexdigest() == asset["sha256"] and len(content) == asset["bytes"]
        return same and whole and len(salts) == 1 and salts[0].encode() in content


def told_well(fate: Fate) -> bool:
    """Whether a client was told what has happened: all of it, once, in order, and of the end last."""
    told = [(event.id, event.name) for event in fate.wish.events]
    ids = [number for number, _ in fate.events]
    ends = [name in TERMINAL for _, name in fate.events]
    return told == fate.events and ids == sorted(set(ids)) and sum(ends) == 1 and ends[-1]


class Storm:
    """The servers on one ground, the clients in front of them, and who kills the servers."""

    def __init__(self, ground: Ground, folder: Path, fakes: FakeVendors, running: ExitStack) -> None:
        self._ground, self._fakes = ground, fakes
        self._random = random.Random()
        self._wishes: list[Wish] = []
        self._calm = threading.Event()
        self._late = threading.Event()
        fakes.reset()
        fakes.control(latency=LATENCY)
        environment = {**fakes.environment(), **ground.environment}
        names = ("first", "second") if ground.is_postgres else ("first",)
        self._servers = [running.enter_context(Server(folder / name, environment)) for name in names]

    def rage(self, kills: int, lives_s: tuple[float, float] = LIVES_S) -> Aftermath:
        """Kill a server that many times, let everything come to its end, and look."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(self._ask_again_and_again, name) for name in "abcdefgh"[:CLIENTS]]
            try:
                killed = self._kill(kills, lives_s, clients)
            finally:
                self._calm.set()
                wait(clients, DRAIN_S)
                self._late.set()
        errors = [str(client.exception()) for client in clients if client.exception()]
        errors += [line for server in self._servers for line in server.log().splitlines() if "unforeseen" in line]
        with ThreadPoolExecutor(4) as pool:
            fates = list(pool.map(self._fate, (wish for wish in self._wishes if wish.id)))
        return Aftermath(killed, errors, fates, self._fakes.ledger(), self._ground)

    def _kill(self, kills: int, lives_s: tuple[float, float], clients: list[Future[None]]) -> int:
        for number in range(kills):
            time.sleep(self._random.uniform(*lives_s))
            if any(client.done() for client in clients):
                return number
            server = self._random.choice(self._servers)
            server.kill()
            server.restart()
        return kills

    # ---- clients ----

    def _ask_again_and_again(self, client: str) -> None:
        number = 0
        while not self._calm.is_set():
            number += 1
            wish = self._wish(f"storm {client}{number}")
            self._wishes.append(wish)
            wish.id = self._post(wish)
            self._follow(wish)

    def _wish(self, key: str) -> Wish:
        kinds = self._random.choices(KINDS, k=self._random.randint(1, MOST_WORKS))
        return Wish(key, [Work(kind, f"{key} work {place}.") for place, kind in enumerate(kinds, 1)])

    def _post(self, wish: Wish) -> str:
        headers = {"prefer": "respond-async", "idempotency-key": wish.key}
        while True:
            with contextlib.suppress(*GONE):
                server, body = self._random.choice(self._servers), {"prompt": wish.prompt}
                reply = server.post("/generate", body, headers=headers, timeout_s=SILENCE_S)
                assert reply.status in (200, 202), reply
                return str(reply.body["id"])
            assert not self._late.is_set(), f"{wish.key} was not accepted"
            time.sleep(0.05)

    def _follow(self, wish: Wish) -> None:
        while not wish.told_of_its_end:
            assert not self._late.is_set(), f"{wish.id} did not end"
            with contextlib.suppress(*GONE):
                last = wish.events[-1].id if wish.events else None
                told = self._random.choice(self._servers).events(
                    f"/generations/{wish.id}/events", last, timeout_s=SILENCE_S
                )
                wish.events += told_so_far(told)
            time.sleep(0.05)

    def _fate(self, wish: Wish) -> Fate:
        stage = Stage(self._servers[-1], self._fakes)
        made = stage.get(wish.id)
        contents = {asset["id"]: stage.content(asset) for asset in made["assets"]}
        query = "SELECT id, name FROM events WHERE generation_id = :id ORDER BY id"
        events = [(row["id"], row["name"]) for row in self._ground.rows(query, id=wish.id)]
        return Fate(wish, made, events, stage.begin(wish.prompt, key=wish.key), contents)


def told_so_far(told: Iterator[Event]) -> list[Event]:
    """What came until the connection broke."""
    found = []
    with contextlib.suppress(*GONE):
        for event in told:
            found.append(event)
    return found


@contextlib.contextmanager
def storm(database: str, folder: Path, fakes: FakeVendors, *servers: Any) -> Iterator[Storm]:
    """A storm on a database; on Postgres `servers` are the database's and the store's."""
    with ExitStack() as running:
        ground = sqlite_ground(folder / "first") if database == "sqlite" else postgres_ground(*servers)
        yield Storm(running.enter_context(ground), folder, fakes, running)


# ---- one that is gone for good ---------------------------------------------------------------------------------------


def takeover_s(ground: Ground, folder: Path, fakes: FakeVendors) -> float:
    """Seconds from the end of a worker until another one works on its generation, as processes are by default."""
    fakes.reset()
    fakes.control(latency={"runway": 30.0})
    settings = {name: value for name, value in ground.environment.items() if name != "WORKER_SILENT_S"}
    settings |= fakes.environment()

    def at_work() -> str | None:
        return str(ground.rows("SELECT executor FROM generations WHERE id = :id", id=generation_id)[0]["executor"])

    with (
        Server(folder / "server", {**settings, "MAX_RUNNING": "0"}) as server,
        Worker(folder / "first", settings) as first,
    ):
        stage = Stage(server, fakes)
        generation_id = stage.begin(Work(KINDS[1], "a clip that outlives its worker").call())
        stage.until_submitted("runway")
        wait_until(lambda: stage.get(generation_id)["receipts"][-1]["job_id"], "the job's id")
        with Worker(folder / "second", settings):
            gone = at_work()
            first.kill()
            begun = time.monotonic()
            wait_until(lambda: at_work() not in (gone, "None"), "the takeover")
            taken_s = time.monotonic() - begun
            made = stage.finished(generation_id)
        assert (made["status"], len(made["assets"]), stage.submits("runway")) == ("completed", 1, 1)
    return taken_s


# ---- docs/kills.md ---------------------------------------------------------------------------------------------------

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "docs" / "kills.md"
HEAD = """\
<!-- Written by `make kills`; do not edit. -->
# Killed again and again

Servers are killed (SIGKILL) at random moments, {lives[0]:g} to {lives[1]:g} s after they are ready, and started
again, while {clients} clients ask for one generation after the other: one to {works} works each, at vendors that take
0.1 to 1 s. On SQLite it is one server; on Postgres and S3 one of two is killed, and the other goes on. In the end every
generation has ended; every step has exactly the bytes its vendor made for it, or a receipt as unknown; no receipt is
left open; what a client was told over all its connections is what has happened, once and in order; and every
Idempotency-Key leads where it led.

*Unknown* is a call whose answer was lost at a vendor that cannot be asked about it: it is never sent again by itself. A
turn lost that way is taken again ([why](decisions/0002-a-lost-model-turn-is-taken-again.md)). A call that had not yet
reached its vendor may be unknown, too, so there may be fewer submissions than calls. *Twice* are works bought more than
once, and turns taken again that were not lost; *lost* is what a vendor took on and nothing answers for.

"""
HEADS = ["What", "Calls", "Submissions", "Finished", "Unknown", "Twice", "Lost"]
TAKEOVER = """
A worker that is killed for good: with the settings as they are by default, another one worked on its generation
{seconds:.1f} s later (at most 30 s are promised), and bought nothing twice.
"""


def section(database: str, found: Aftermath) -> str:
    """One database's part of the record."""
    said = f"{found.kills} kills, {len(found.fates)} generations; {found.taken_up} were taken up again, "
    said += f"one of them {found.most_attempts - 1} times."
    lines = [HEADS, ["---", *["---:"] * (len(HEADS) - 1)], *found.rows()]
    table = "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
    return f"## {DATABASES[database]}\n\n{said}\n\n{table}\n"


def faults(found: Aftermath) -> list[str]:
    """Everything that should not be."""
    wrong = [
        *found.errors,
        *found.unfinished(),
        *found.sent_twice(),
        *found.turns_too_many(),
        *found.lost(),
        *found.misplaced(),
        *found.not_asked_for(),
        *(f"events of {each}" for each in found.torn()),
        *(f"key {each}" for each in found.strayed()),
        *found.given_up_though_listed(),
        *map(str, found.open_receipts),
    ]
    return wrong + ([] if found.kept == len(found.fates) else [f"{found.kept} generations are kept"])


def main() -> int:
    """Kill on each database and write the record; 1 when something was not as it should be."""
    kills, wrong = int(os.environ.get("KILLS") or 200), []
    record = HEAD.format(lives=LIVES_S, clients=CLIENTS, works=MOST_WORKS)
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        fakes = running.enter_context(FakeVendors(folder / "vendors"))
        servers = [running.enter_context(each) for each in (postgres(folder / "postgres"), object_store(folder / "s3"))]
        for database in DATABASES:
            with storm(database, folder / database, fakes, *servers) as raging:
                found = raging.rage(kills)
            record += section(database, found)
            wrong += faults(found)
            print(section(database, found), flush=True)
        with postgres_ground(*servers) as ground:
            record += TAKEOVER.lstrip().format(seconds=takeover_s(ground, folder / "takeover", fakes))
    print("\n".join(wrong) or "nothing lost, nothing bought twice")
    if not wrong:
        RECORD.write_text(record)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
