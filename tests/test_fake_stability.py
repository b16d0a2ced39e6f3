"""The fake Stability answers the family as the vendor's documents say that it would."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import respx
from PIL import Image

from providers.errors import InvalidRequest, JobLost, ModelGone, Moderated, Unauthorized
from providers.http import Http
from providers.stability import Stability
from providers.types import Done, EditRequest, ImageRequest, Media, Pending, Ticket
from tests.fake_vendors import FakeVendors

pytestmark = pytest.mark.anyio

CREATIVE = "stable-image-upscale-creative"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeVendors]:
    with FakeVendors(tmp_path_factory.mktemp("fakes")) as running:
        yield running


@pytest.fixture
def fakes(process: FakeVendors, vendor: respx.MockRouter) -> FakeVendors:
    vendor.route(host="127.0.0.1").pass_through()
    process.reset()
    return process


@pytest.fixture
async def family(fakes: FakeVendors) -> AsyncIterator[Stability]:
    http = Http()
    yield Stability(fakes.environment("stability"), http)
    await http.aclose()


def grey(width: int, height: int, shade: int = 128) -> Media:
    file = io.BytesIO()
    Image.new("L", (width, height), shade).save(file, "PNG")
    return Media("image/png", data=file.getvalue())


MEDIA = {"i": grey(256, 192), "m": grey(256, 192, 255)}


def opened(done: Done | Ticket | Pending) -> Image.Image:
    """The one picture of a finished work."""
    assert isinstance(done, Done)
    assert len(done.outputs) == 1
    return Image.open(io.BytesIO(done.outputs[0].data or b""))


def edit(operation: str, model: str, **values: object) -> EditRequest:
    return EditRequest.model_validate({"operation": operation, "model": model, "image": "i", **values})


@pytest.mark.parametrize(
    ("model", "form", "size"),
    [
        ("stable-image-core", "PNG", (1664, 960)),
        ("stable-image-ultra", "WEBP", (1344, 768)),
        ("sd3.5-medium", "JPEG", (1344, 768)),
    ],
)
async def test_pictures_are_made_in_the_shape_and_format_asked_for(family, fakes, model, form, size):
    options = {"output_format": form.lower()}
    made = opened(
        await family.submit(ImageRequest(model=model, prompt="a cat", width=1920, height=1080, options=options), {})
    )
    assert (made.format, made.size) == (form, size)
    work = fakes.ledger()["works"][0]
    assert (work["kind"], work["words"]) == ("stability", "a cat")


@pytest.mark.parametrize(
    ("request_", "size"),
    [
        (edit("inpaint", "stable-image-inpaint", prompt="a hat", mask="m"), (2368, 1792)),
        (edit("erase", "stable-image-erase", mask="m"), (2368, 1792)),
        (edit("outpaint", "stable-image-outpaint", width=512, height=192), (512, 192)),
        (edit("search_replace", "stable-image-search-replace", prompt="x", options={"search": "y"}), (2368, 1792)),
        (edit("search_recolor", "stable-image-search-recolor", prompt="x", options={"search": "y"}), (256, 192)),
        (edit("remove_background", "stable-image-remove-background"), (256, 192)),
        (edit("upscale", "stable-image-upscale-fast"), (1024, 768)),
        (edit("upscale", "stable-image-upscale-conservative", prompt="a cat"), (2368, 1792)),
    ],
)
async def test_every_edit_is_accepted_as_it_is_sent(family, request_, size):
    assert opened(await family.submit(request_, MEDIA)).size == size


@pytest.mark.parametrize("model", ["stable-image-ultra", "sd3.5-large-turbo"])
async def test_picture_to_start_from_is_accepted_as_it_is_sent(family, model):
    assert opened(await family.submit(ImageRequest(model=model, prompt="a cat", references=("i",)), MEDIA)).size


async def test_creative_upscale_is_a_job(family, fakes):
    ticket = await family.submit(edit("upscale", CREATIVE, prompt="a cat"), MEDIA)
    assert isinstance(ticket, Ticket)
    assert await family.poll(ticket) == Pending()
    assert min(opened(await family.poll(ticket)).size) > 2000
    assert fakes.ledger()["submits"]["stability"] == 1
    assert [entry["status"] for entry in fakes.ledger()["requests"]] == [200, 202, 200]


async def test_job_of_another_key_is_not_found(family, fakes):
    ticket = await family.submit(edit("upscale", CREATIVE, prompt="a cat"), MEDIA)
    other = Stability({**fakes.environment("stability"), "STABILITY_API_KEY": "sk-another"}, family.http)
    with pytest.raises(JobLost):
        await other.poll(ticket)


async def test_same_form_twice_is_a_duplicate(family, fakes):
    for _ in range(2):
        await family.submit(ImageRequest(model="stable-image-core", prompt="a cat"), {})
    assert [row["times"] for row in fakes.ledger()["duplicates"]] == [2]


async def test_blocked_picture_comes_blurred_with_a_verdict(family, fakes):
    fakes.control(outcomes=[{"path": "generate/core", "fields": {"finish_reason": "CONTENT_FILTERED"}}])
    with pytest.raises(Moderated):
        await family.submit(ImageRequest(model="stable-image-core", prompt="a cat"), {})


async def test_request_without_a_key_of_stability_is_refused(fakes):
    http = Http()
    family = Stability({**fakes.environment("stability"), "STABILITY_API_KEY": "r8_other"}, http)
    with pytest.raises(Unauthorized):
        await family.submit(ImageRequest(model="stable-image-core", prompt="a cat"), {})
    await http.aclose()


async def test_form_that_is_not_multipart_or_not_in_order_is_refused(family, fakes):
    url = f"{fakes.url}/stability/v2beta/stable-image/generate/core"
    headers = {"authorization": "Bearer sk-1"}
    for content in (
        {"data": {"prompt": "a cat"}},
        {"files": {"seed": (None, "1")}},
        {"files": {"prompt": (None, "a cat"), "steps": (None, "9")}},
        {"files": {"prompt": (None, "a cat"), "aspect_ratio": (None, "4:3")}},
    ):
        with pytest.raises(InvalidRequest):
            await family.http.send("Stability", "POST", url, headers=headers, **content)
    with pytest.raises(ModelGone):
        await family.http.send("Stability", "POST", f"{url}2", headers=headers, paid=True)


async def test_picture_is_given_in_json_to_who_asks_for_that(fakes):
    url = f"{fakes.url}/stability/v2beta/stable-image/generate/core"
    headers = {"authorization": "Bearer sk-1", "accept": "application/json"}
    async with httpx.AsyncClient() as client:
        answer = await client.post(url, headers=headers, files={"prompt": (None, "a cat"), "seed": (None, "7")})
    assert (answer.json()["finish_reason"], answer.json()["seed"]) == ("SUCCESS", 7)
    assert "finish-reason" not in answer.headers
