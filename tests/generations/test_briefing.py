"""The brief: what a run is told of its inputs and of the generations it continues."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.agent.loop import Brief
from app.db import generations
from app.errors import NotFound
from app.generations.briefing import MAX_EARLIER, brief, describe, read_brief
from app.generations.parts import Parts
from prompts import load
from providers.types import Message
from tests.doubles import add_generation, asset_row, open_parts

pytestmark = pytest.mark.anyio


@pytest.fixture
async def parts(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Parts]:
    async with open_parts(tmp_path) as parts:
        yield parts


async def briefed(parts: Parts, generation_id: str = "gen_1") -> Brief:
    """The brief of this generation, as the loop gets it."""
    row = await parts.db.row(sa.select(generations).where(generations.c.id == generation_id))
    assert row is not None
    return read_brief(await brief(parts, row))


async def add_assets(parts: Parts, *rows: dict[str, Any]) -> None:
    def adding(connection: sa.Connection) -> None:
        for row in rows:
            parts.records.add(connection, row)

    await parts.db.write(adding)


def asking_for(*inputs: str, max_steps: int = 10) -> dict[str, Any]:
    return {"inputs": list(inputs), "models": {}, "metadata": {}, "max_steps": max_steps, "max_cost_usd": None}


# ---- the request -----------------------------------------------------------------------------------------------------


async def test_brief_of_a_plain_request_is_its_prompt(parts):
    await add_generation(parts.db, "gen_1", request=asking_for(max_steps=3))
    assert await briefed(parts) == Brief(
        prompt="A cat.", instructions=load("agent"), last_turn=load("last_turn"), max_steps=3
    )


async def test_inputs_are_listed_and_pictures_are_shown(parts):
    picture = asset_row("asset_1", width=640, height=480)
    sound = asset_row("asset_2", type="audio", media_type="audio/wav", duration_s=2.5)
    await add_assets(parts, picture, sound)
    await add_generation(parts.db, "gen_1", request=asking_for("asset_2", "asset_1"))
    found = await briefed(parts)
    assert found.prompt == "A cat.\n\nInputs to work with:\n- asset_2: audio, 2.5 s\n- asset_1: image, 640x480"
    assert found.image_ids == ("asset_1",)


async def test_input_of_another_owner_is_not_there(parts):
    await add_assets(parts, asset_row("asset_1", owner="stranger"))
    await add_generation(parts.db, "gen_1", owner="owner", request=asking_for("asset_1"))
    with pytest.raises(NotFound, match="asset_1"):
        await briefed(parts)


# ---- what came before ------------------------------------------------------------------------------------------------


async def test_continued_generation_is_remembered_with_its_assets(parts):
    await add_generation(parts.db, "gen_1", prompt="A dog.", response="Here is the dog.")
    await add_assets(parts, asset_row("asset_1", generation_id="gen_1", width=64, height=48, prompt="A dog, asleep."))
    await add_generation(parts.db, "gen_2", prompt="Make it blue.", previous_id="gen_1")
    assert (await briefed(parts, "gen_2")).earlier == (
        Message(role="user", content="A dog."),
        Message(
            role="assistant",
            content="Here is the dog.\n\nAssets made:\n- asset_1: image, 64x48, made from: A dog, asleep.",
        ),
    )


async def test_earlier_generation_without_an_answer_says_so(parts):
    await add_generation(parts.db, "gen_1", status="failed", response=None)
    await add_generation(parts.db, "gen_2", previous_id="gen_1")
    assert (await briefed(parts, "gen_2")).earlier[1].content == "(no answer)"


async def test_long_transcript_is_remembered_by_its_beginning(parts):
    await add_generation(parts.db, "gen_1", response="word " * 100_000)
    await add_generation(parts.db, "gen_2", previous_id="gen_1")
    assert len((await briefed(parts, "gen_2")).earlier[1].content) < 30_000


async def test_tool_that_was_called_without_words_is_named(parts):
    asked = {**asking_for(), "tool": {"name": "edit_image", "arguments": {"operation": "upscale"}}}
    await add_generation(parts.db, "gen_1", prompt="", request=asked)
    await add_generation(parts.db, "gen_2", previous_id="gen_1")
    assert (await briefed(parts, "gen_2")).earlier[0].content == "(edit_image)"


async def test_chain_is_told_from_its_beginning(parts):
    for number in range(1, 4):
        previous = f"gen_{number - 1}" if number > 1 else None
        await add_generation(parts.db, f"gen_{number}", prompt=f"Prompt {number}.", previous_id=previous)
    told = [message.content for message in (await briefed(parts, "gen_3")).earlier if message.role == "user"]
    assert told == ["Prompt 1.", "Prompt 2."]


async def test_long_chain_keeps_the_latest(parts):
    last = MAX_EARLIER + 3
    for number in range(last + 1):
        previous = f"gen_{number - 1}" if number else None
        await add_generation(parts.db, f"gen_{number}", prompt=f"Prompt {number}.", previous_id=previous)
    told = [message.content for message in (await briefed(parts, f"gen_{last}")).earlier if message.role == "user"]
    assert told == [f"Prompt {number}." for number in range(last - MAX_EARLIER, last)]


async def test_chain_ends_where_a_generation_was_deleted(parts):
    await add_generation(parts.db, "gen_2", previous_id="gen_1")
    assert (await briefed(parts, "gen_2")).earlier == ()


async def test_chain_ends_at_another_owner(parts):
    await add_generation(parts.db, "gen_1", owner="stranger")
    await add_generation(parts.db, "gen_2", owner="owner", previous_id="gen_1")
    assert (await briefed(parts, "gen_2")).earlier == ()


# ---- one asset in one line -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({}, "asset_1: image"),
        ({"width": 64, "height": 48}, "asset_1: image, 64x48"),
        ({"type": "video", "width": 64, "height": 48, "duration_s": 5.0}, "asset_1: video, 64x48, 5 s"),
        ({"type": "speech", "duration_s": 2.34}, "asset_1: speech, 2.34 s"),
        ({"prompt": "x" * 400}, "asset_1: image, made from: " + "x" * 300),
    ],
)
def test_asset_is_described_by_what_is_known(facts, line):
    nothing = dict.fromkeys(("width", "height", "duration_s", "prompt"))
    assert describe({**nothing, **asset_row("asset_1"), **facts}) == line


async def test_a_continued_generation_is_told_of_the_earlier_ones_uploads(parts):
    await add_assets(parts, asset_row("asset_1", width=640, height=480))
    await add_generation(parts.db, "gen_0", request=asking_for("asset_1"), status="completed")
    await add_generation(parts.db, "gen_1", request=asking_for(), previous_id="gen_0")
    assert "asset_1: image, 640x480" in (await briefed(parts)).earlier[0].content


async def test_an_upload_deleted_since_is_not_told_of(parts):
    await add_generation(parts.db, "gen_0", request=asking_for("asset_1"), status="completed")
    await add_generation(parts.db, "gen_1", request=asking_for(), previous_id="gen_0")
    assert "asset_1" not in (await briefed(parts)).earlier[0].content
