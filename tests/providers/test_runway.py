"""Runway's peculiarities: its bodies, ratios and durations, its statuses and failure codes, uploads and quotas."""

import io
import json
from collections.abc import AsyncIterator
from decimal import Decimal

import httpx
import pytest
from PIL import Image
from runwayml import AsyncRunwayML
from wire_runway import API, KEY, WIRE, task

from providers.catalogue import Catalogue
from providers.errors import (
    InvalidRequest,
    JobFailed,
    JobLost,
    MalformedAnswer,
    Moderated,
    NotOffered,
    QuotaExhausted,
    RateLimited,
)
from providers.http import Http
from providers.runway import Runway
from providers.types import (
    Done,
    ImageRequest,
    Media,
    Output,
    Pending,
    SpeechRequest,
    Ticket,
    VideoRequest,
)

pytestmark = pytest.mark.anyio

TICKET = Ticket(job_id="t1")


def png(width: int, height: int) -> Media:
    """A black image of this size."""
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return Media("image/png", data=file.getvalue())


@pytest.fixture
async def family() -> AsyncIterator[Runway]:
    http = Http()
    yield Runway({"RUNWAYML_API_SECRET": KEY}, http)
    await http.aclose()


@pytest.fixture
def create(vendor):
    return vendor.post(url__regex=f"{API}/(text_to_video|image_to_video|video_to_video|text_to_image)").mock(
        return_value=WIRE.accepted
    )


def sent(route) -> dict:
    return json.loads(route.calls.last.request.content)


def unframed(request: httpx.Request) -> bytes:
    """The body of a form without the boundary that it was given by chance."""
    return request.content.replace(request.headers["content-type"].partition("boundary=")[2].encode(), b"")


async def polled(family, vendor, status, **fields) -> Done | Pending:
    vendor.get(f"{API}/tasks/t1").mock(return_value=task(status, **fields))
    return await family.poll(TICKET)


# ---- the request -----------------------------------------------------------------------------------------------------


def assert_equal_requests(ours, theirs) -> None:
    assert ours is not theirs
    assert (ours.method, ours.url) == (theirs.method, theirs.url)
    assert json.loads(ours.content) == json.loads(theirs.content)
    for name in ("authorization", "content-type", "x-runway-version"):
        assert ours.headers[name] == theirs.headers[name]


async def test_animation_equals_the_official_clients(family, create):
    image = png(64, 36)
    request = VideoRequest(model="gen4_turbo", prompt="it yawns", image="a", width=1280, height=720, seed=7)
    await family.submit(request, {"a": image})
    ours = create.calls.last.request
    async with AsyncRunwayML(api_key=KEY, max_retries=0) as client:
        await client.image_to_video.create(
            model="gen4_turbo",
            prompt_image=image.data_uri(),
            prompt_text="it yawns",
            ratio="1280:720",
            duration=5,
            seed=7,
        )
    assert_equal_requests(ours, create.calls.last.request)


async def test_clip_from_text_equals_the_official_clients(family, create):
    await family.submit(VideoRequest(model="gen4.5", prompt="a cat"), {})
    ours = create.calls.last.request
    async with AsyncRunwayML(api_key=KEY, max_retries=0) as client:
        await client.text_to_video.create(model="gen4.5", prompt_text="a cat", ratio="1280:720", duration=5)
    assert_equal_requests(ours, create.calls.last.request)


async def test_image_equals_the_official_clients(family, create):
    image = png(4, 4)
    await family.submit(ImageRequest(model="gen4_image", prompt="a cat", references=("a",)), {"a": image})
    ours = create.calls.last.request
    async with AsyncRunwayML(api_key=KEY, max_retries=0) as client:
        await client.text_to_image.create(
            model="gen4_image",
            prompt_text="a cat",
            ratio="1024:1024",
            reference_images=[{"uri": image.data_uri()}],
        )
    assert_equal_requests(ours, create.calls.last.request)


async def test_poll_and_cancel_equal_the_official_clients(family, vendor):
    get = vendor.get(f"{API}/tasks/t1").mock(return_value=task("PENDING", estimatedCost={"credits": 1}))
    delete = vendor.delete(f"{API}/tasks/t1").respond(204)
    await family.poll(TICKET)
    await family.cancel(TICKET)
    async with AsyncRunwayML(api_key=KEY, max_retries=0) as client:
        await client.tasks.retrieve("t1")
        await client.tasks.delete("t1")
    for route in (get, delete):
        ours, theirs = (call.request for call in route.calls)
        assert (ours.method, ours.url) == (theirs.method, theirs.url)
        assert ours.headers["x-runway-version"] == theirs.headers["x-runway-version"] == "2024-11-06"


@pytest.mark.parametrize("base", ["http://fake.test:9", "http://fake.test:9/v1", "http://fake.test:9/v1/"])
async def test_base_url_with_or_without_v1(vendor, base):
    route = vendor.post("http://fake.test:9/v1/text_to_video").mock(return_value=WIRE.accepted)
    http = Http()
    await Runway({"RUNWAY_API_KEY": KEY, "RUNWAYML_BASE_URL": base}, http).submit(WIRE.request, {})
    await http.aclose()
    assert route.calls.last.request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("model", "asked", "ratio"),
    [
        ("gen4.5", (1280, 720), "1280:720"),
        ("gen4.5", (1024, 1792), "720:1280"),
        ("veo3.1", (1920, 1080), "1920:1080"),
        ("seedance2", (3840, 2160), "3840:2160"),
        ("hailuo3", (1920, 1080), "16:9"),
        ("kling_4", (1000, 1000), "940:940"),
    ],
)
async def test_ratio_nearest_to_the_size_asked_for(family, create, model, asked, ratio):
    await family.submit(VideoRequest(model=model, prompt="x", duration_s=6, width=asked[0], height=asked[1]), {})
    assert sent(create)["ratio"] == ratio


async def test_size_that_is_not_offered_is_warned_about(family, create):
    ticket = await family.submit(VideoRequest(model="gen4.5", prompt="x", width=1920, height=1080), {})
    assert ticket.warnings == ("gen4.5 was asked for 1920x1080 and makes 1280x720, the nearest it can.",)


@pytest.mark.parametrize(
    ("size", "ratio"), [((3000, 4000), "832:1104"), ((500, 500), "960:960"), ((64, 36), "1280:720")]
)
async def test_animation_without_a_size_keeps_the_shape_of_its_image(family, create, size, ratio):
    ticket = await family.submit(VideoRequest(model="gen4.5", prompt="x", image="a"), {"a": png(*size)})
    assert sent(create)["ratio"] == ratio
    assert ticket.warnings == ()


async def test_large_image_does_not_order_a_dearer_resolution(family, create):
    await family.submit(VideoRequest(model="seedance2", prompt="x", image="a"), {"a": png(4000, 2250)})
    assert sent(create)["ratio"] == "1280:720"


async def test_first_frame_is_named_to_models_that_also_take_references(family, create):
    image = png(64, 36)
    await family.submit(VideoRequest(model="wan3", prompt="x", image="a"), {"a": image})
    assert sent(create)["promptImage"] == [{"uri": image.data_uri(), "position": "first"}]
    assert sent(create)["ratio"] == "auto_720p"


@pytest.mark.parametrize(
    ("model", "asked", "made"),
    [("gen4.5", 5.4, 5), ("gen4.5", 60, 10), ("gen4.5", 1, 2), ("veo3.1", 5, 6), ("veo3.1", 30, 8)],
)
async def test_duration_is_the_nearest_allowed_and_warned_about(family, create, model, asked, made):
    ticket = await family.submit(VideoRequest(model=model, prompt="x", duration_s=asked), {})
    assert sent(create)["duration"] == made
    assert ticket.warnings == (f"{model} was asked for {asked:g} s and makes {made} s, the nearest it can.",)


async def test_seed_is_left_out_where_the_model_has_none(family, create):
    ticket = await family.submit(VideoRequest(model="hailuo3", prompt="x", seed=1), {})
    assert "seed" not in sent(create)
    assert ticket.warnings == ("hailuo3 takes no seed; the one given was ignored.",)


async def test_prompt_over_the_limit_is_counted_in_utf16_and_refused_before_the_call(family, create):
    await family.submit(VideoRequest(model="gen4.5", prompt="a" * 1000), {})
    with pytest.raises(NotOffered, match="at most 1000 characters, this one has 1002"):
        await family.submit(VideoRequest(model="gen4.5", prompt="🐈" * 501), {})
    assert create.call_count == 1


@pytest.mark.parametrize(("model", "given"), [("gen4_image", 4), ("gen4_image_turbo", 0)])
async def test_wrong_number_of_references_is_refused_before_the_call(family, create, model, given):
    with pytest.raises(NotOffered, match="reference images"):
        await family.submit(ImageRequest(model=model, prompt="x", references=("a",) * given), {"a": png(4, 4)})
    assert not create.called


async def test_several_images_and_speech_are_not_offered(family, create):
    for request in (ImageRequest(model="gen4_image", prompt="x", n=2), SpeechRequest(model="gen4_image", text="hi")):
        with pytest.raises(NotOffered):
            await family.submit(request, {})
    assert not create.called


async def test_upload_equals_the_official_clients(family, create, vendor):
    place = {"uploadUrl": "https://bucket.test/up", "fields": {"policy": "p"}, "runwayUri": "runway://u"}
    offered = vendor.post(f"{API}/uploads").respond(json=place)
    upload = vendor.post("https://bucket.test/up").respond(204)
    large = Media("image/png", data=b"\0" * 4_000_000)
    await family.submit(VideoRequest(model="gen4_turbo", prompt="x", image="a"), {"a": large})
    async with AsyncRunwayML(api_key=KEY, max_retries=0) as client:
        await client.uploads.create_ephemeral(file=("input.png", large.read(), "image/png"))
    assert_equal_requests(*(call.request for call in offered.calls))
    ours, theirs = (unframed(call.request) for call in upload.calls)
    assert ours == theirs


async def test_large_image_is_uploaded_without_the_key(family, create, vendor):
    place = {"uploadUrl": "https://bucket.test/up", "fields": {"policy": "p"}, "runwayUri": "runway://u"}
    vendor.post(f"{API}/uploads").respond(json=place)
    upload = vendor.post("https://bucket.test/up").respond(204)
    await family.submit(
        VideoRequest(model="gen4_turbo", prompt="x", image="a"), {"a": Media("image/png", data=b"\0" * 4_000_000)}
    )
    assert "authorization" not in upload.calls.last.request.headers
    assert b'name="policy"' in upload.calls.last.request.content
    assert sent(create)["promptImage"] == "runway://u"


async def test_upload_to_an_unsafe_address_is_refused(family, create, vendor):
    place = {"uploadUrl": "http://10.0.0.1/up", "fields": {}, "runwayUri": "runway://u"}
    vendor.post(f"{API}/uploads").respond(json=place)
    with pytest.raises(MalformedAnswer) as caught:
        await family.submit(
            VideoRequest(model="gen4_turbo", prompt="x", image="a"), {"a": Media("image/png", data=b"\0" * 4_000_000)}
        )
    assert (create.called, caught.value.charged) == (False, False)


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "said", "error"),
    [
        (429, "You have exceeded your maximum daily generations.", QuotaExhausted),
        (429, "You have exceeded your quota", QuotaExhausted),
        (429, "Too many requests", RateLimited),
        (400, "You do not have enough credits to run this task.", QuotaExhausted),
        (402, "Payment required", QuotaExhausted),
        (400, "Validation of body failed", InvalidRequest),
    ],
)
async def test_refusals_that_waiting_cures_and_those_it_does_not(family, vendor, status, said, error):
    vendor.post(f"{API}/text_to_video").respond(status, json={"error": said})
    with pytest.raises(error) as caught:
        await family.submit(WIRE.request, {})
    assert caught.value.permanent == (error is not RateLimited)


async def test_complaints_of_a_rejected_body_are_told(family, vendor):
    issues = [{"code": "invalid_enum_value", "path": ["ratio"], "message": "Invalid enum value"}]
    vendor.post(f"{API}/text_to_video").respond(400, json={"error": "Validation of body failed", "issues": issues})
    with pytest.raises(InvalidRequest, match="ratio: Invalid enum value"):
        await family.submit(WIRE.request, {})


# ---- the task --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "fields", "pending"),
    [
        ("PENDING", {}, Pending(waiting=True)),
        ("THROTTLED", {}, Pending(waiting=True)),
        ("RUNNING", {"progress": 0.5}, Pending(progress=0.5)),
        ("RUNNING", {"progress": 1}, Pending(progress=1.0)),
        ("RUNNING", {}, Pending()),
        ("REVIEWING", {}, Pending()),
    ],
)
async def test_status_that_is_no_end_is_pending(family, vendor, status, fields, pending):
    assert await polled(family, vendor, status, **fields) == pending


async def test_finished_task_gives_every_file_and_the_credits_in_dollars(family, vendor):
    done = await polled(family, vendor, "SUCCEEDED", output=["https://cdn/1", "https://cdn/2"], cost={"credits": 62.5})
    assert done == Done(outputs=(Output(url="https://cdn/1"), Output(url="https://cdn/2")), cost_usd=Decimal("0.625"))


@pytest.mark.parametrize("output", [[], None, "https://cdn/1"])
async def test_finished_task_without_files_is_malformed(family, vendor, output):
    with pytest.raises(MalformedAnswer):
        await polled(family, vendor, "SUCCEEDED", output=output)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("SAFETY.INPUT.TEXT", Moderated),
        ("SAFETY.OUTPUT.VIDEO.X1", Moderated),
        ("INPUT_PREPROCESSING.SAFETY.TEXT", Moderated),
        ("INPUT_PREPROCESSING.INTERNAL", JobFailed),
        ("ASSET.INVALID", JobFailed),
        ("INTERNAL.BAD_OUTPUT.CODE01", JobFailed),
        ("NEVER.SEEN", JobFailed),
        (None, JobFailed),
    ],
)
async def test_failure_codes_decide_by_prefix_and_are_not_shown(family, vendor, code, error):
    with pytest.raises(error) as caught:
        await polled(family, vendor, "FAILED", failure=f"It broke. {code}", failureCode=code, cost={"credits": 0})
    assert not code or code not in str(caught.value)
    assert caught.value.cost_usd == 0


async def test_cancelled_task_tells_what_remains_charged(family, vendor):
    with pytest.raises(JobFailed) as caught:
        await polled(family, vendor, "CANCELLED", cost={"credits": 25})
    assert caught.value.cost_usd == Decimal("0.25")


async def test_task_is_lost_after_its_cancellation(family, vendor):
    vendor.delete(f"{API}/tasks/t1").respond(204)
    vendor.get(f"{API}/tasks/t1").respond(404, json={"error": "Could not find Task with id t1"})
    await family.cancel(TICKET)
    with pytest.raises(JobLost):
        await family.poll(TICKET)


def test_polls_are_five_seconds_apart_at_runway_itself_only():
    assert Runway({}, Http()).poll_every_s == 5.0
    assert Runway({"RUNWAYML_BASE_URL": "http://localhost:9"}, Http()).poll_every_s < 1


# ---- the models ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "need", "chosen"),
    [
        (None, "text_to_video", "gen4.5"),
        ("gen3a_turbo", "text_to_video", "gen4.5"),
        ("gen3a_turbo", "image_to_video", "gen4_turbo"),
        ("veo3", "text_to_video", "veo3.1"),
        ("gen4_aleph", "text_to_video", "gen4.5"),
        ("gen4_aleph", "video_to_video", "aleph2"),
        (None, "video_to_video", "aleph2"),
    ],
)
def test_retired_models_have_heirs_that_can_do_what_was_asked(wanted, need, chosen):
    catalogue = Catalogue(Runway({"RUNWAY_API_KEY": KEY}, Http()).models)
    choice = catalogue.choose("video", wanted, needs={need})
    assert choice.model.id == chosen
    assert bool(choice.warnings) == (wanted is not None)


def test_model_that_needs_an_image_is_not_offered_for_text_alone():
    catalogue = Catalogue(Runway({"RUNWAY_API_KEY": KEY}, Http()).models)
    assert [m.id for m in catalogue.offered("image", {"text_to_image"})] == ["gen4_image"]
    assert len(catalogue.offered("image", {"text_to_image", "reference_images"})) == 2
