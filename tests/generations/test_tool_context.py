"""What tools may do to the world: several works side by side, inputs from addresses, files of their own, questions."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest
import respx
import sqlalchemy as sa
from PIL import Image

from app.db import assets, calls, generations, now, steps
from app.errors import Conflict, NotFound
from app.generations.files import address_id, written_id
from app.generations.journal import Frame
from app.generations.parts import Parts, StepFailed, problem_of
from app.generations.steps import ToolContext
from app.generations.sweep import purge
from app.generations.works import Works
from app.tools.base import InvalidArguments, ToolFailed
from app.tools.context import Prepared, Question, Written
from app.tools.generate_image import GenerateImage
from providers.base import Family
from providers.catalogue import parse_models
from providers.errors import DownloadRefused, InvalidRequest, ModelGone
from providers.http import Http
from providers.registry import Registry
from providers.types import ChatReply, ChatRequest, Done, ImageRequest, Media, MediaRequest, Output
from tests.doubles import add_generation, open_parts

pytestmark = pytest.mark.anyio

GENERATION = "gen_01kaj5v3m8f7q2n4d6s8t0w2y4"
STEP = "step_01kaj5v3m8f7q2n4d6s8t0w2y4_01_01"
FRAME = Frame(GENERATION, "", ("acme", "eye"), {}, None)
ROWS = """
vendor = "acme"
[[model]]
id = "brush"
modality = "image"
capabilities = ["text_to_image", "free"]
[[model]]
id = "eye"
modality = "chat"
capabilities = ["vision", "free"]
limits = { image_tokens = { rule = "tiles", base = 85, tile = 170 } }
"""
PNG = io.BytesIO()
Image.new("RGB", (3000, 1500), "red").save(PNG, "PNG")


class Acme(Family):
    """Draws what it is asked for, but nothing blue; and says how large the pictures are that it is shown."""

    name = "acme"
    models = parse_models(ROWS)

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done:
        if "blue" in getattr(request, "prompt", ""):
            raise InvalidRequest("acme has no blue.")
        return Done((Output(data=PNG.getvalue()),) * getattr(request, "n", 1))

    async def complete(self, request: ChatRequest) -> ChatReply:
        sizes = [Image.open(io.BytesIO(media.read())).size for media in request.media.values()]
        return ChatReply(content=f"{sizes} {request.messages[1].content}")


class Wide(Acme):
    """The same, when its brush makes four pictures at once."""

    models = parse_models(ROWS.replace('"free"]\n[[model]]', '"free"]\nlimits = { max_images_out = 4 }\n[[model]]'))


class Shy(Acme):
    """The same, when its only brush cannot start."""

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done:
        raise ModelGone("acme's brush is gone.")


class Bolt(Acme):
    """Another one that can do the same."""

    name = "bolt"
    models = parse_models(ROWS.replace("acme", "bolt"))


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with open_parts(tmp_path) as opened:
        await add_generation(opened.db, GENERATION, status="running", executor="worker_1")
        http = Http(resolve=public)
        yield replace(opened, registry=Registry([Acme({}, http)]), http=http)
        await http.aclose()


async def public(host: str, port: int) -> list[str]:
    """Every name leads to one public address."""
    return ["93.184.216.34"]


def context(parts: Parts, *, again: bool = False) -> ToolContext:
    """The context of one call, of the first attempt or of a later one."""
    return ToolContext(parts, Works(parts), replace(FRAME, again=again), STEP)


async def asked(prompt: str) -> Prepared:
    """A request with its model chosen."""
    return ImageRequest(model="acme/brush", prompt=prompt), ()


async def receipts(parts: Parts) -> list[str]:
    """The ids of all paid calls."""
    return sorted(row["id"] for row in await parts.db.rows(sa.select(calls)))


# ---- several works ---------------------------------------------------------------------------------------------------


async def test_works_of_one_call_have_identities_of_their_own(parts):
    made = await context(parts).make(partial(asked, "a red cat"), partial(asked, "a green cat"))
    assert len(made.assets) == 2
    assert await receipts(parts) == [f"{STEP}.1", f"{STEP}.1.1"]


async def test_works_asked_for_again_after_a_crash_are_not_bought_again(parts):
    prepares = (partial(asked, "a red cat"), partial(asked, "a green cat"))
    first = await context(parts).make(*prepares)
    assert await context(parts, again=True).make(*prepares) == first
    assert len(await receipts(parts)) == 2


async def test_part_that_fails_leaves_the_others_and_a_warning(parts):
    made = await context(parts).make(partial(asked, "a red cat"), partial(asked, "a blue cat"))
    assert len(made.assets) == 1
    assert made.warnings == ("1 of 2 calls failed: acme has no blue.",)


async def test_call_whose_every_part_fails_has_failed(parts):
    with pytest.raises(StepFailed, match="no blue"):
        await context(parts).make(partial(asked, "a blue cat"), partial(asked, "a blue dog"))


async def test_part_that_cannot_be_prepared_leaves_the_others_and_a_warning(parts):
    async def gone() -> Prepared:
        raise NotFound("There is no asset 'asset_1'.")

    made = await context(parts).make(partial(asked, "a red cat"), gone)
    assert len(made.assets) == 1
    assert made.warnings == ("1 of 2 calls failed: There is no asset 'asset_1'.",)


@pytest.mark.parametrize(("before", "now", "calls_made"), [(Acme, Wide, 3), (Wide, Acme, 1)])
async def test_variants_begun_before_a_crash_stay_as_they_were(parts, before, now, calls_made):
    tool = GenerateImage()
    arguments = tool.parse('{"prompt": "a red cat", "n": 3}')
    first, later = (replace(parts, registry=Registry([family({}, parts.http)])) for family in (before, now))
    made = await tool.run(arguments, context(first))
    assert await tool.run(arguments, context(later, again=True)) == made
    assert (len(made.asset_ids), len(await receipts(parts))) == (3, calls_made)


async def test_variant_not_begun_before_a_crash_is_made_beside_the_others(parts):
    tool = GenerateImage()
    prepared = partial(tool.prepare, tool.parse('{"prompt": "a red cat"}'), context(parts))
    await context(parts).make(prepared, prepared)
    result = await tool.run(tool.parse('{"prompt": "a red cat", "n": 3}'), context(parts, again=True))
    assert (len(set(result.asset_ids)), len(await receipts(parts))) == (3, 3)


async def test_work_of_another_vendor_is_found_again_when_that_is_not_offered_any_more(parts):
    both = replace(parts, registry=Registry([Shy({}, parts.http), Bolt({}, parts.http)]))
    made = await context(both).make(partial(asked, "a red cat"))
    without = replace(parts, registry=Registry([Shy({}, parts.http)]))
    assert (await context(without, again=True).make(partial(asked, "a red cat"))).assets == made.assets


async def test_variants_are_not_answered_with_one_picture_of_before(parts):
    frame = replace(FRAME, reuse=True)
    first = ToolContext(parts, Works(parts), frame, STEP)
    made = await first.make(partial(asked, "a red cat"), partial(asked, "a red cat"))
    again = ToolContext(parts, Works(parts), frame, f"{STEP[:-1]}2")
    reused = await again.make(partial(asked, "a red cat"), partial(asked, "a red cat"))
    assert {one["reused_from"] for one in reused.assets} == {one["id"] for one in made.assets}


# ---- inputs ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def web():
    with respx.mock(using="httpcore") as router:
        yield router


async def test_address_becomes_an_upload_once(parts, web):
    route = web.get("https://93.184.216.34/a/cat.png").respond(content=PNG.getvalue())
    first = await context(parts).input("https://example.com/a/cat.png", "image")
    again = await context(parts, again=True).input("https://example.com/a/cat.png", "image")
    assert (first, route.call_count) == (again, 1)
    row = await parts.records.get("", first.id)
    assert (row["type"], row["filename"], row["generation_id"], row["width"]) == ("image", "cat.png", None, 3000)


async def test_address_that_leads_inside_is_refused(parts):
    async def private(host: str, port: int) -> list[str]:
        return ["10.0.0.1"]

    http = Http(resolve=private)
    with pytest.raises(DownloadRefused):
        await context(replace(parts, http=http)).input("https://example.com/cat.png")
    await http.aclose()


@pytest.mark.parametrize("address", ["http://example.com/cat.png", "file:///etc/passwd", "s3://bucket/key"])
async def test_address_of_another_kind_is_refused(parts, address):
    with pytest.raises(InvalidArguments, match="only https addresses"):
        await context(parts).input(address)


async def test_input_of_the_wrong_type_is_refused(parts, web):
    web.get("https://93.184.216.34/cat.png").respond(content=PNG.getvalue())
    with pytest.raises(InvalidArguments, match="is of type image; here it must be sound or video"):
        await context(parts).input("https://example.com/cat.png", "speech", "audio", "video")


async def test_asset_of_another_owner_is_not_there(parts):
    with pytest.raises(NotFound):
        await context(parts).input("asset_01kaj5v3m8f7q2n4d6s8t0w2y4")


async def test_address_asked_for_twice_at_once_is_fetched_once(parts, web):
    route = web.get("https://93.184.216.34/cat.png").respond(content=PNG.getvalue())
    one, other = await asyncio.gather(
        context(parts).input("https://example.com/cat.png"), context(parts).input("https://example.com/cat.png")
    )
    assert (one, route.call_count) == (other, 1)


# ---- files of their own ----------------------------------------------------------------------------------------------


async def test_file_a_tool_wrote_is_an_asset_of_the_generation_once(parts):
    file = Written(b"1\n", "application/x-subrip", "talk.srt", ("asset_1",))
    [facts] = await context(parts).keep(file)
    await context(parts, again=True).keep(file)
    [row] = await parts.db.rows(sa.select(assets))
    assert (row["id"], row["media_type"], row["generation_id"]) == (facts["id"], "application/x-subrip", GENERATION)
    assert b"".join([chunk async for chunk in parts.store.stream(row["id"])]) == b"1\n"


async def test_file_written_for_a_generation_that_is_gone_is_not_left_in_the_store(parts):
    gone = sa.update(generations).values(deleted_at=now())
    await parts.db.write(lambda connection: connection.execute(gone))
    with pytest.raises(Conflict):
        await context(parts).keep(Written(b"1\n", "application/x-subrip", "talk.srt", ()))
    assert [page async for page in parts.store.listing() if page] == []


async def test_file_whose_row_was_not_written_goes_with_its_generation(parts):
    step = {"id": STEP, "generation_id": GENERATION, "turn": 1, "position": 1, "kind": "tool", "name": "x"}
    values = {**step, "status": "cancelled", "asset_ids": [], "started_at": now()}
    await parts.db.write(lambda connection: connection.execute(sa.insert(steps), values))
    await parts.store.keep(written_id(GENERATION, STEP, 0), b"1\n")
    await purge(parts, GENERATION, forget=nothing)
    assert [page async for page in parts.store.listing() if page] == []


async def nothing(generation_id: str) -> None:
    """The engine has noted nothing."""


async def test_failure_of_an_effect_is_one_a_tool_may_answer(parts):
    with pytest.raises(ToolFailed) as caught:
        await context(parts).make(partial(asked, "a blue cat"))
    assert problem_of(caught.value)["code"] == "invalid_request"


# ---- questions -------------------------------------------------------------------------------------------------------


def question(*ids: str, **more: object) -> Question:
    """A question about pictures."""
    return Question("Look.", "What is it?", ids, frozenset({"vision"}), {}, **more)


async def look(parts: Parts, web: respx.MockRouter, **more: object) -> str:
    web.get("https://93.184.216.34/cat.png").respond(content=PNG.getvalue())
    await context(parts).input("https://example.com/cat.png")
    asked = await context(parts).ask(question(address_id(GENERATION, "https://example.com/cat.png"), **more))
    return f"{asked.text} {asked.image_tokens}"


async def test_picture_is_scaled_down_to_what_the_model_looks_at(parts, web):
    # 3000x1500 fits 2048x1024 and then 1536x768, which is 1024x512 for a look that is not for small print: 2x1 tiles
    assert await look(parts, web) == "[(1024, 512)] What is it? 425"


async def test_quick_look_gets_a_small_picture_at_the_flat_price(parts, web):
    assert await look(parts, web, detail="low") == "[(512, 256)] What is it? 85"


async def test_close_look_gets_all_the_model_can_see(parts, web):
    assert await look(parts, web, detail="high") == "[(1536, 768)] What is it? 1105"


async def test_answer_had_before_a_crash_is_given_again_when_nobody_could_be_asked_any_more(parts, web):
    first = await look(parts, web)
    gone = replace(parts, registry=Registry([]))
    asked = await context(gone, again=True).ask(question(address_id(GENERATION, "https://example.com/cat.png")))
    assert first.startswith(asked.text)
    assert asked.model == "acme/eye"


async def test_text_is_a_part_of_the_question(parts, web):
    web.get("https://93.184.216.34/a.txt").mock(return_value=httpx.Response(200, content=b"Once upon a time."))
    given = await context(parts).input("https://example.com/a.txt", "document")
    asked = await context(parts).ask(question(given.id))
    assert asked.text == "[] What is it?\n\nOnce upon a time."
