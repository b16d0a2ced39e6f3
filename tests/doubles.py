"""Small doubles, and builders of the real thing where that is as easy. A double is a function or a tiny class."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.accounts.budgets import Budgets, Intent
from app.accounts.lanes import Lanes
from app.agent.history import Answer
from app.assets.records import Records
from app.assets.store import Store
from app.db import Database, generations, now
from app.errors import NotFound
from app.generations.events import Events
from app.generations.gate import Gate
from app.generations.parts import Parts
from app.settings import Settings
from app.telemetry import Metrics
from app.tools import built_in
from app.tools.base import InvalidArguments
from app.tools.context import Asked, Given, Made, Prepare, Question, Written
from providers.catalogue import Catalogue, load_models
from providers.http import Http
from providers.registry import Registry
from providers.types import ChatReply, MediaRequest, Message, ToolCall

TODAY = dt.date(2026, 11, 20)
KEYS = {"openai": "OPENAI_API_KEY", "replicate": "REPLICATE_API_TOKEN", "runway": "RUNWAYML_API_SECRET"}
ROWS = tuple(row for vendor in KEYS for row in load_models("providers", f"{vendor}.toml"))


# ---- the loop --------------------------------------------------------------------------------------------------------


def call(call_id: str = "call_1", name: str = "generate_image", arguments: str = "{}") -> ToolCall:
    """A call a model asks for."""
    return ToolCall(id=call_id, name=name, arguments=arguments)


def asks(*calls: ToolCall, **more: Any) -> ChatReply:
    """A reply that asks for tool calls."""
    return ChatReply(**{"tool_calls": calls, "finish_reason": "tool_calls", **more})


def says(text: str, **more: Any) -> ChatReply:
    """A reply in words."""
    return ChatReply(**{"content": text, "finish_reason": "stop", **more})


class Script:
    """Effects that play back model turns and remember what they were asked. An exception in the script is raised."""

    def __init__(
        self,
        *turns: ChatReply | Exception,
        answer: Callable[[ToolCall], Answer] = lambda call: Answer(f"answer to {call.id}"),
    ) -> None:
        self._turns = iter(turns)
        self._answer = answer
        self.seen: list[tuple[Message, ...]] = []
        """The conversation at each model turn."""
        self.allowed: list[bool] = []
        """Whether tools were allowed at each model turn."""
        self.called: list[tuple[ToolCall, ...]] = []
        """The calls of each `call_tools`."""

    async def complete(self, turn: int, messages: Sequence[Message], *, tools_allowed: bool) -> ChatReply:
        self.seen.append(tuple(messages))
        self.allowed.append(tools_allowed)
        assert turn == len(self.seen)
        reply = next(self._turns)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def call_tools(self, turn: int, calls: Sequence[ToolCall]) -> Sequence[Answer]:
        assert turn == len(self.seen)
        self.called.append(tuple(calls))
        return [self._answer(call) for call in calls]


# ---- tools -----------------------------------------------------------------------------------------------------------


def catalogue(*vendors: str, today: dt.date = TODAY) -> Catalogue:
    """The real models, those of these vendors available and the others without a key."""
    unavailable = {vendor: f"Set {key} to use {vendor}." for vendor, key in KEYS.items() if vendor not in vendors}
    return Catalogue(ROWS, unavailable, today=lambda: today)


class Recorder:
    """A tool's Context that does nothing but remember what was asked of it."""

    streaming = False

    def __init__(
        self,
        *vendors: str,
        pins: Mapping[str, str] | None = None,
        written: str = "A finer prompt.",
        answers: Sequence[Mapping[str, Any] | str] = (),
        assets: Mapping[str, str] | None = None,
        heard: Mapping[str, Any] | None = None,
        today: dt.date = TODAY,
    ) -> None:
        self.catalogue = catalogue(*(vendors or KEYS), today=today)
        self._pins = pins or {}
        self._written = written
        self._answers = list(answers)
        self._assets = assets or {}
        self._heard = heard
        self.instructions: list[str] = []
        self.questions: list[Question] = []
        self.requests: list[MediaRequest] = []
        self.files: list[Written] = []

    def pinned(self, modality: str) -> str | None:
        return self._pins.get(modality)

    async def write(self, instructions: str, text: str) -> str:
        self.instructions.append(instructions)
        return self._written

    async def ask(self, question: Question) -> Asked:
        self.questions.append(question)
        answer = self._answers.pop(0)
        return Asked(answer if isinstance(answer, str) else json.dumps(answer), "openai/gpt-4o", image_tokens=765)

    async def begun(self) -> Mapping[int, MediaRequest]:
        return dict(enumerate(self.requests))

    async def make(self, *prepares: Prepare) -> Made:
        made, warnings = [], []
        for prepare in prepares:
            request, said = await prepare()
            self.requests.append(request)
            made.append({"id": f"asset_{len(self.requests)}", "type": request.modality})
            warnings += said
        return Made(() if self._heard else tuple(made), tuple(dict.fromkeys(warnings)), self._heard)

    async def input(self, ref: str, *types: str) -> Given:
        """`assets` says of which type each is, with its media type behind a blank where that matters."""
        if ref not in self._assets:
            raise NotFound(f"There is no asset {ref!r}.")
        kind, _, media_type = self._assets[ref].partition(" ")
        if types and kind not in types:
            raise InvalidArguments(f"{ref} is of type {kind}; here it must be {' or '.join(types)}.")
        return Given(ref, kind, media_type, 8.0)

    async def keep(self, *files: Written) -> list[Mapping[str, Any]]:
        self.files += files
        return [{"id": f"asset_{file.filename}", "type": "document"} for file in files]


# ---- the parts -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def database(where: Path | str) -> AsyncIterator[Database]:
    """A migrated database: the one at a URL, or a SQLite file in a folder."""
    db = Database(where if isinstance(where, str) else f"sqlite:///{where / 'test.db'}")
    await db.migrate()
    yield db
    await db.aclose()


@asynccontextmanager
async def open_parts(folder: Path) -> AsyncIterator[Parts]:
    """The parts of an application without a family, on SQLite and a directory."""
    settings = Settings(_env_file=None, data_dir=folder)
    store, http, metrics = Store(settings.store_url(), folder / "spool"), Http(), Metrics()
    async with database(folder) as db:
        yield Parts(
            settings=settings,
            db=db,
            events=Events(db, poll_s=0.01),
            budgets=Budgets(db, metrics),
            lanes=Lanes(db, {}),
            records=Records(db),
            store=store,
            http=http,
            registry=Registry([]),
            toolbox=built_in(),
            metrics=metrics,
            gate=Gate(),
            executor="worker_1",
        )
    await http.aclose()
    await store.aclose()


async def add_generation(db: Database, generation_id: str, **values: Any) -> None:
    """A row of the generations, completed unless told otherwise."""
    row = {
        "id": generation_id,
        "owner": "",
        "status": "completed",
        "prompt": "A cat.",
        "request": {"inputs": [], "models": {}, "metadata": {}, "max_steps": 10, "max_cost_usd": None},
        "request_digest": "digest",
        "warnings": [],
        "created_at": now(),
    }
    await db.write(lambda connection: connection.execute(sa.insert(generations), {**row, **values}))


def asset_row(asset_id: str, **values: Any) -> dict[str, Any]:
    """The values of an asset's row, a small PNG unless told otherwise."""
    row = {
        "id": asset_id,
        "owner": "",
        "type": "image",
        "media_type": "image/png",
        "bytes": 3,
        "sha256": "f" * 64,
        "parameters": {},
        "parent_ids": [],
        "created_at": now(),
    }
    return {**row, **values}


def intent(call_id: str = "call_1", estimate: str | None = "0.04", **values: Any) -> Intent:
    """A paid call about to be made, of the generation gen_1."""
    fields = {
        "generation_id": "gen_1",
        "step_id": "step_1",
        "owner": "",
        "lane": "openai.image",
        "vendor": "openai",
        "model": "gpt-image-2",
        "modality": "image",
        "request_digest": "digest",
        "request": {"prompt": "a cat"},
        "estimate_usd": None if estimate is None else Decimal(estimate),
    }
    return Intent(**{"id": call_id, **fields, **values})
