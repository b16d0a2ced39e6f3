"""Black Forest Labs' peculiarities: bodies, regional hosts that get the key, statuses, prices."""

import base64
import io
import json
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from PIL import Image
from wire_bfl import API, KEY, WIRE, task

from providers.bfl import BFL
from providers.catalogue import Catalogue
from providers.errors import InvalidRequest, JobFailed, JobLost, MalformedAnswer, Moderated, NotOffered, RateLimited
from providers.http import Http
from providers.prices import media_price
from providers.types import Done, EditRequest, ImageRequest, Media, Output, Pending, SpeechRequest, Ticket

pytestmark = pytest.mark.anyio

TICKET = Ticket(job_id="t1", state="api.us1.bfl.ai/v1/get_result?id=t1", estimated_cost_usd=Decimal("0.03"))


def png(color: str = "black", size: int = 8) -> Media:
    """A square of this colour."""
    file = io.BytesIO()
    Image.new("RGB", (size, size), color).save(file, "PNG")
    return Media("image/png", data=file.getvalue())


def encoded(media: Media) -> str:
    return base64.b64encode(media.read()).decode()


@pytest.fixture
async def family() -> AsyncIterator[BFL]:
    http = Http()
    yield BFL({"BFL_API_KEY": KEY}, http)
    await http.aclose()


@pytest.fixture
def create(vendor):
    return vendor.post(url__startswith=API).mock(return_value=WIRE.accepted)


def sent(route) -> dict:
    return json.loads(route.calls.last.request.content)


# ---- the request -----------------------------------------------------------------------------------------------------


async def test_drawing_is_sent_in_the_documents_fields(family, create):
    options = {"guidance": 4.5, "steps": 30}
    request = ImageRequest(
        model="bfl-flux-2-flex", prompt="a cat", width=1280, height=720, seed=7, references=("a", "b"), options=options
    )
    await family.submit(request, {"a": png("red"), "b": png("blue")})
    assert str(create.calls.last.request.url) == f"{API}/flux-2-flex"
    assert create.calls.last.request.headers["x-key"] == KEY
    assert sent(create) == {
        "prompt": "a cat",
        "output_format": "png",
        "seed": 7,
        "width": 1280,
        "height": 720,
        "input_image": encoded(png("red")),
        "input_image_2": encoded(png("blue")),
        "guidance": 4.5,
        "steps": 30,
    }


async def test_edit_follows_the_shape_of_its_picture(family, create):
    request = EditRequest(
        model="bfl-flux-kontext-pro", prompt="add a hat", image="a", options={"output_format": "jpeg"}
    )
    await family.submit(request, {"a": png()})
    assert sent(create) == {"prompt": "add a hat", "output_format": "jpeg", "input_image": encoded(png())}


async def test_inpaint_sends_a_black_and_white_mask(family, create):
    request = EditRequest(model="flux-pro-1.0-fill", operation="inpaint", prompt="a hat", image="a", mask="m")
    await family.submit(request, {"a": png(), "m": png("white")})
    mask = Image.open(io.BytesIO(base64.b64decode(sent(create)["mask"])))
    assert (mask.mode, mask.getextrema()) == ("L", (255, 255))
    assert sent(create)["image"] == encoded(png())


async def test_outpaint_names_its_sides_as_the_vendor_does(family, create):
    options = {"up": 100, "left": 0, "down": 20}
    await family.submit(
        EditRequest(model="flux-pro-1.0-expand", operation="outpaint", image="a", options=options), {"a": png()}
    )
    assert sent(create) == {"prompt": "", "output_format": "png", "top": 100, "bottom": 20, "image": encoded(png())}


@pytest.mark.parametrize(
    ("model", "asked", "shape"),
    [
        ("bfl-flux-2-pro", (1920, 1080), {"width": 1920, "height": 1088}),
        ("bfl-flux-2-pro", (4096, 4096), {"width": 2048, "height": 2048}),
        ("flux-pro-1.1", (1920, 1080), {"width": 1440, "height": 800}),
        ("flux-pro-1.1-ultra", (1920, 1080), {"aspect_ratio": "16:9"}),
    ],
)
async def test_size_is_the_nearest_the_model_makes(family, create, model, asked, shape):
    ticket = await family.submit(ImageRequest(model=model, prompt="x", width=asked[0], height=asked[1]), {})
    assert {name: sent(create).get(name) for name in shape} == shape
    assert bool(ticket.warnings) == ("width" in shape)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (ImageRequest(model="bfl-flux-2-pro", prompt="x", n=2), "at most 1"),
        (ImageRequest(model="flux-2-klein-4b", prompt="x", references=("a",) * 5), "at most 4"),
        (ImageRequest(model="bfl-flux-2-pro", prompt="x", options={"steps": 9}), "no option 'steps'"),
        (EditRequest(model="bfl-flux-2-pro", prompt="x", image="a", mask="a"), "takes no mask"),
        (EditRequest(model="bfl-flux-2-pro", operation="outpaint", image="a"), "does not outpaint"),
        (EditRequest(model="flux-pro-1.0-expand", operation="outpaint", image="a"), "at least one of the options"),
        (EditRequest(model="flux-pro-1.0-fill", operation="inpaint", prompt="x", image="a"), "needs a mask"),
        (SpeechRequest(model="bfl-flux-2-pro", text="hi"), "pictures only"),
    ],
)
async def test_what_cannot_be_done_is_refused_before_the_call(family, create, request_, why):
    with pytest.raises(NotOffered, match=why):
        await family.submit(request_, {"a": png()})
    assert not create.called


# ---- where the key goes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "link",
    [
        "https://bfl.ai.evil.test/v1/get_result?id=t1",
        "https://evilbfl.ai/v1/get_result?id=t1",
        "https://api.bfl.ai@evil.test/v1/get_result?id=t1",
        "http://api.us1.bfl.ai/v1/get_result?id=t1",
        "https://api.us1.bfl.ai:8443/v1/get_result?id=t1",
        "",
        None,
    ],
)
async def test_task_is_asked_about_at_the_known_host_when_the_one_named_is_not_the_vendors(family, vendor, link):
    vendor.post(f"{API}/flux-2-pro").respond(json={"id": "t1", "polling_url": link})
    ticket = await family.submit(WIRE.request, {})
    route = vendor.get(f"{API}/get_result?id=t1").mock(return_value=task("Pending"))
    assert await family.poll(ticket) == Pending()
    assert route.call_count == 1


async def test_regional_host_is_asked_with_the_key_and_the_delivery_host_without(family, vendor):
    route = vendor.get("https://api.us1.bfl.ai/v1/get_result?id=t1").mock(return_value=WIRE.jobs.finished)
    done = await family.poll(TICKET)
    assert route.calls.last.request.headers["x-key"] == KEY
    assert done == Done((Output(url="https://delivery-us1.bfl.ai/a.png?sig=x"),), cost_usd=Decimal("0.03"))
    assert family.download_headers(done.outputs[0], done.outputs[0].url) == {}


async def test_gateway_gets_its_key_alone(vendor):
    vendor.post("http://gate.test:9/v1/flux-2-pro").mock(return_value=WIRE.accepted)
    route = vendor.get("http://gate.test:9/v1/get_result?id=t1").mock(return_value=task("Pending"))
    http = Http()
    family = BFL({"BFL_API_KEY": KEY, "BFL_BASE_URL": "http://gate.test:9/v1/"}, http)
    assert await family.poll(await family.submit(WIRE.request, {})) == Pending()
    await http.aclose()
    assert route.called


async def test_region_of_ones_own_may_name_another_host_of_the_vendor(vendor):
    vendor.post("https://api.eu.bfl.ai/v1/flux-2-pro").mock(return_value=WIRE.accepted)
    http = Http()
    ticket = await BFL({"BFL_API_KEY": KEY, "BFL_BASE_URL": "https://api.eu.bfl.ai"}, http).submit(WIRE.request, {})
    await http.aclose()
    assert ticket.state == TICKET.state


# ---- the task --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("Request Moderated", Moderated),
        ("Content Moderated", Moderated),
        ("Error", JobFailed),
        ("Failed", JobFailed),
        ("Task not found", JobLost),
        ("Ready", MalformedAnswer),  # without a file
    ],
)
async def test_task_that_ended_badly(family, vendor, status, error):
    vendor.get("https://api.us1.bfl.ai/v1/get_result?id=t1").mock(return_value=task(status))
    with pytest.raises(error):
        await family.poll(TICKET)


async def test_status_never_seen_is_no_end(family, vendor):
    vendor.get("https://api.us1.bfl.ai/v1/get_result?id=t1").mock(return_value=task("Queued"))
    assert await family.poll(TICKET) == Pending()


async def test_too_many_tasks_and_wrong_fields_are_told_apart(family, vendor):
    route = vendor.post(f"{API}/flux-2-pro").respond(429, json={"detail": "Too many tasks", "retry_after": 3})
    with pytest.raises(RateLimited) as caught:
        await family.submit(WIRE.request, {})
    assert caught.value.retry_after == 3
    route.mock(return_value=WIRE.rejected)
    with pytest.raises(InvalidRequest, match="too small"):
        await family.submit(WIRE.request, {})


# ---- the models ------------------------------------------------------------------------------------------------------


def test_no_more_tasks_than_the_vendor_allows_are_active_at_once():
    assert BFL({}, Http()).lanes["image"].concurrent == 24
    assert BFL({"BFL_BASE_URL": "http://gate.test"}, Http()).lanes == {}


@pytest.mark.parametrize(
    ("request_", "usd"),
    [
        (ImageRequest(model="bfl-flux-2-pro", prompt="x", width=1000, height=2000, references=("a",)), "0.060"),
        (EditRequest(model="flux-pro-1.0-fill", operation="inpaint", prompt="x", image="a", mask="m"), "0.05"),
    ],
)
def test_price_of_a_request(request_, usd):
    assert media_price(BFL({}, Http()).row(request_.model), request_) == Decimal(usd)


def test_names_are_free_where_replicate_has_them():
    from providers.replicate import Replicate

    both = Catalogue((*BFL({"BFL_API_KEY": KEY}, Http()).models, *Replicate({}, Http()).models))
    assert [model.vendor for model in both.named("flux-2-pro")] == ["replicate"]
    assert all(len(both.named(model.id)) == 1 for model in both.models)
