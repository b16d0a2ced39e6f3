"""The keyless family at its boundary: when it is there, what it returns at once, and how its jobs go."""

import asyncio
import importlib
import io
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image

import providers
from providers.base import Family
from providers.errors import InvalidRequest, JobLost, NotOffered
from providers.http import Http
from providers.offline import VENDOR_KEYS, Offline
from providers.registry import Registry
from providers.types import (
    ChatRequest,
    Done,
    ImageRequest,
    Media,
    Message,
    Pending,
    SpeechRequest,
    Ticket,
    VideoRequest,
)

pytestmark = pytest.mark.anyio

CLIP = VideoRequest(model="offline-video", prompt="waves at dawn", duration_s=1, width=320, height=180)
FOX = ImageRequest(model="offline-image", prompt="a red fox", width=96, height=64)


@pytest.fixture
async def offline():
    http = Http()
    family = Offline({"OFFLINE": "true"}, http)
    yield family
    await family.aclose()
    await http.aclose()


def photo(width: int = 80, height: int = 60, colour: str = "navy") -> Media:
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "PNG")
    return Media("image/png", out.getvalue())


async def finished(family: Offline, ticket: Ticket) -> Done:
    while isinstance(state := await family.poll(ticket), Pending):
        await asyncio.sleep(0.01)
    return state


# ---- when it is there ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("environment", [{}, {"OFFLINE": ""}, {"OFFLINE": "TRUE", "OPENAI_API_KEY": "k"}])
async def test_stand_in_is_available_without_keys_or_when_asked_for(environment):
    assert Offline(environment, Http()).unavailable() is None


@pytest.mark.parametrize("key", VENDOR_KEYS)
async def test_stand_in_steps_back_for_any_vendor_key(key):
    assert "OFFLINE=true" in (Offline({key: "k"}, Http()).unavailable() or "")


async def test_key_of_every_family_here_is_known():
    for path in Path(providers.__file__).parent.glob("*.py"):
        importlib.import_module(f"providers.{path.stem}")
    ours = [family for family in Family.__subclasses__() if family.__module__.startswith("providers.")]
    assert {name for family in ours for name in family.key_names} <= set(VENDOR_KEYS)


async def test_stand_in_can_be_switched_off():
    assert "switched off" in (Offline({"OFFLINE": "no"}, Http()).unavailable() or "")


async def test_every_modality_has_a_model_that_comes_after_any_vendor(offline):
    catalogue = Registry([offline]).catalogue
    assert {m.modality for m in catalogue.models} == {"chat", "image", "video", "speech", "transcription"}
    assert all(model.rank == 900 and model.when and "free" in model.capabilities for model in catalogue.models)


# ---- at once ---------------------------------------------------------------------------------------------------------


async def test_picture_comes_at_once_in_the_size_asked_for_and_free(offline):
    done = await offline.submit(FOX, {})
    assert isinstance(done, Done)
    assert done.cost_usd == Decimal(0)
    assert Image.open(io.BytesIO(done.outputs[0].data)).size == (96, 64)
    assert done.warnings == ()


async def test_pictures_of_one_request_differ(offline):
    done = await offline.submit(FOX.model_copy(update={"n": 3}), {})
    assert len({output.data for output in done.outputs}) == 3


async def test_picture_that_is_too_large_is_made_smaller_with_a_warning(offline):
    done = await offline.submit(FOX.model_copy(update={"width": 9000, "height": 900}), {})
    assert Image.open(io.BytesIO(done.outputs[0].data)).size == (4096, 410)
    assert "9000x900" in done.warnings[0]


async def test_reference_shows_in_the_picture(offline):
    plain = await offline.submit(FOX, {})
    pinned = await offline.submit(FOX.model_copy(update={"references": ("a",)}), {"a": photo()})
    assert plain.outputs != pinned.outputs


async def test_speech_comes_at_once_as_mp3(offline):
    done = await offline.submit(SpeechRequest(model="offline-speech", text="Hello."), {})
    assert done.outputs[0].data.startswith((b"ID3", b"\xff\xf3"))


async def test_speed_beyond_the_voice_is_told(offline):
    done = await offline.submit(SpeechRequest(model="offline-speech", text="Hi", speed=4, format="wav"), {})
    assert "2.7" in done.warnings[0]


async def test_animated_picture_comes_at_once_in_its_own_shape(offline):
    request = VideoRequest(model="offline-video", prompt="a door", duration_s=0.5, image="a")
    done = await offline.submit(request, {"a": photo(60, 120)})
    assert isinstance(done, Done)
    assert b"ftyp" in done.outputs[0].data[:16]


@pytest.mark.parametrize(
    "request_",
    [
        FOX.model_copy(update={"n": 11}),
        FOX.model_copy(update={"references": ("gone",)}),
        SpeechRequest(model="offline-speech", text="?!"),
        SpeechRequest(model="offline-speech", text="Hello", voice="nobody"),
        SpeechRequest(model="offline-speech", text="a" * 5000),
        VideoRequest(model="offline-video", prompt="x", image="broken"),
    ],
)
async def test_request_that_cannot_be_met_is_refused(offline, request_):
    with pytest.raises(InvalidRequest):
        await offline.submit(request_, {"broken": Media("image/png", b"no picture")})


async def test_model_of_another_modality_is_not_offered(offline):
    with pytest.raises(NotOffered):
        await offline.submit(FOX.model_copy(update={"model": "offline-speech"}), {})


# ---- jobs ------------------------------------------------------------------------------------------------------------


async def test_clip_is_a_job_with_progress(offline):
    ticket = await offline.submit(CLIP, {})
    assert isinstance(ticket, Ticket)
    first = await offline.poll(ticket)
    assert isinstance(first, Pending)
    assert isinstance(await finished(offline, ticket), Done)


async def test_job_is_taken_over_by_a_process_that_never_saw_it(offline):
    there = await finished(offline, await offline.submit(CLIP, {}))
    written_down = (await offline.submit(CLIP, {})).model_dump_json()
    other = Offline({"OFFLINE": "1"}, Http())
    assert await finished(other, Ticket.model_validate_json(written_down)) == there
    await other.aclose()


async def test_two_equal_requests_both_get_their_clip(offline):
    first, second = await offline.submit(CLIP, {}), await offline.submit(CLIP, {})
    assert await finished(offline, first) == await finished(offline, second)


async def test_cancel_may_be_asked_twice(offline):
    ticket = await offline.submit(CLIP.model_copy(update={"duration_s": 60}), {})
    await offline.cancel(ticket)
    await offline.cancel(ticket)


async def test_closing_stops_a_clip_under_way():
    family = Offline({"OFFLINE": "1"}, Http())
    await family.submit(CLIP.model_copy(update={"duration_s": 60, "width": 1920, "height": 1080}), {})
    async with asyncio.timeout(10):
        await family.aclose()


async def test_length_beyond_the_limits_is_told_in_the_ticket(offline):
    ticket = await offline.submit(CLIP.model_copy(update={"duration_s": 0.1}), {})
    assert "makes 0.5 s" in ticket.warnings[0]


@pytest.mark.parametrize("state", [None, "offline:", "offline:bm9wZQ==", "eu"])
async def test_ticket_of_another_vendor_is_lost(offline, state):
    with pytest.raises(JobLost):
        await offline.poll(Ticket(job_id="x", state=state))


async def test_references_beyond_the_limit_are_refused(offline):
    with pytest.raises(NotOffered, match="at most 3"):
        await offline.submit(
            FOX.model_copy(update={"references": ("a", "b", "c", "d")}), dict.fromkeys("abcd", photo())
        )


async def test_unknown_option_is_refused_and_a_harmless_one_dropped(offline):
    with pytest.raises(NotOffered, match="knows no option"):
        await offline.submit(FOX.model_copy(update={"options": {"style_preset": "anime"}}), {})
    done = await offline.submit(FOX.model_copy(update={"options": {"quality": "high"}}), {})
    assert "quality" in done.warnings[0]


# ---- chat ------------------------------------------------------------------------------------------------------------


async def test_question_about_a_picture_gets_its_shape_and_colours(offline):
    asked = Message(role="user", content="What is this?", media_ids=("asset_1",))
    reply = await offline.complete(ChatRequest("offline-planner", (asked,), media={"asset_1": photo(200, 100, "red")}))
    assert "asset_1 is a landscape picture, mostly in #ff0000" in reply.content
    assert reply.cost_usd == Decimal(0)
