"""Small doubles, and builders of the real thing where that is as easy. A double is a function or a tiny class."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
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
from app.tools.base import Made, Prepared
from providers.catalogue import Catalogue, load_models
from providers.http import Http
from providers.registry import Registry
from providers.types import ChatReply, MediaRequest, Message, Modality, ToolCall

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

    def __init__(
        self,
        *vendors: str,
        pins: Mapping[str, str] | None = None,
        written: str = "A finer prompt.",
        assets: Mapping[str, str] | None = None,
        today: dt.date = TODAY,
    ) -> None:
        self.catalogue = catalogue(*(vendors or KEYS), today=today)
        self._pins = pins or {}
        self._written = written
        self._assets = assets or {}
        self.instructions: list[str] = []
        self.requests: list[MediaRequest] = []

    def pinned(self, modality: Modality) -> str | None:
        return self._pins.get(modality)

    async def write(self, instructions: str, text: str) -> str:
        self.instructions.append(instructions)
        return self._written

    async def make(self, prepare: Callable[[], Awaitable[Prepared]]) -> Made:
        request, warnings = await prepare()
        self.requests.append(request)
        return Made(({"id": f"asset_{len(self.requests)}", "type": request.kind},), warnings)

    async def asset_type(self, asset_id: str) -> str:
        if asset_id not in self._assets:
            raise NotFound(f"There is no asset {asset_id!r}.")
        return self._assets[asset_id]


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
