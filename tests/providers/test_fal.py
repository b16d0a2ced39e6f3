"""fal's peculiarities: bare inputs, the addresses of a request, results that are errors, what was blocked."""

import io
import json
from collections.abc import AsyncIterator
from decimal import Decimal

import fal_client
import httpx
import pytest
from PIL import Image
from wire_fal import API, JOB, KEY, LINKS, STATE, WIRE, queued

from providers.errors import InvalidRequest, JobFailed, JobLost, MalformedAnswer, Moderated, NotOffered, Unanswered
from providers.fal import Fal
from providers.http import Http
from providers.prices import media_cost
from providers.types import Done, EditRequest, ImageRequest, Media, Output, Pending, Ticket, VideoRequest

pytestmark = pytest.mark.anyio

TICKET = Ticket(job_id="r1", state=STATE)
SCHNELL = "fal-ai/flux-1/schnell"
FLUX2 = "fal-ai/flux-2-pro"
RESULT = {"images": [{"url": "https://v3.fal.media/a.png"}, {"url": "https://v3.fal.media/b.png"}]}


def png() -> Media:
    """A small black image."""
    file = io.BytesIO()
    Image.new("1", (4, 4)).save(file, "PNG")
    return Media("image/png", data=file.getvalue())


@pytest.fixture
async def family() -> AsyncIterator[Fal]:
    http = Http()
    yield Fal({"FAL_KEY": KEY}, http)
    await http.aclose()


@pytest.fixture
def create(vendor):
    return vendor.post(url__startswith=API).mock(return_value=WIRE.accepted)


def sent(route) -> dict:
    return json.loads(route.calls.last.request.content)


async def finished(family, vendor, answer: httpx.Response) -> Done | Pending:
    vendor.get(f"{API}{JOB}/status").mock(return_value=queued("COMPLETED", 200))
    vendor.get(API + JOB).mock(return_value=answer)
    return await family.poll(TICKET)


# ---- the request -----------------------------------------------------------------------------------------------------


async def test_drawing_equals_the_official_clients(family, create):
    request = ImageRequest(
        model=SCHNELL, prompt="a cat", n=2, seed=7, width=1024, height=768, options={"num_inference_steps": 8}
    )
    await family.submit(request, {})
    ours = create.calls.last.request
    arguments = {
        "prompt": "a cat",
        "num_images": 2,
        "seed": 7,
        "image_size": {"width": 1024, "height": 768},
        "num_inference_steps": 8,
        "output_format": "png",
    }
    await fal_client.AsyncClient(key=KEY).submit(SCHNELL, arguments)
    theirs = create.calls.last.request
    assert ours is not theirs
    assert (ours.method, ours.url, json.loads(ours.content)) == (theirs.method, theirs.url, json.loads(theirs.content))
    for name in ("authorization", "content-type"):
        assert ours.headers[name] == theirs.headers[name]


async def test_questions_equal_the_official_clients(family, create, vendor):
    status = vendor.get(url__startswith=f"{API}{JOB}/status").mock(return_value=queued("COMPLETED", 200))
    result = vendor.get(API + JOB).mock(return_value=httpx.Response(200, json=RESULT))
    cancel = vendor.put(f"{API}{JOB}/cancel").respond(202, json={"status": "CANCELLATION_REQUESTED"})
    await family.poll(TICKET)
    await family.cancel(TICKET)
    handle = await fal_client.AsyncClient(key=KEY).submit(SCHNELL, {"prompt": "a cat"})
    await handle.get()
    await handle.cancel()
    for route in (status, result, cancel):
        ours, theirs = (call.request for call in route.calls)
        assert (ours.method, ours.url.path) == (theirs.method, theirs.url.path)
        assert ours.headers["authorization"] == theirs.headers["authorization"] == f"Key {KEY}"


async def test_edit_equals_the_official_clients(family, create):
    request = EditRequest(model=FLUX2, prompt="add a hat", image="a", references=("b",))
    await family.submit(request, {"a": png(), "b": png()})
    ours = create.calls.last.request
    arguments = {"prompt": "add a hat", "output_format": "png", "image_urls": [png().data_uri()] * 2}
    await fal_client.AsyncClient(key=KEY).submit(FLUX2, arguments, path="edit")
    theirs = create.calls.last.request
    assert ours is not theirs
    assert (ours.method, ours.url, json.loads(ours.content)) == (theirs.method, theirs.url, json.loads(theirs.content))


@pytest.mark.parametrize(
    ("size", "made", "warned"),
    [((1024, 1024), (1024, 1024), False), ((3840, 2160), (1536, 864), True), ((None, None), "square_hd", False)],
)
async def test_size_is_the_nearest_the_model_makes(family, create, size, made, warned):
    ticket = await family.submit(ImageRequest(model=SCHNELL, prompt="x", width=size[0], height=size[1]), {})
    assert sent(create)["image_size"] == (made if isinstance(made, str) else {"width": made[0], "height": made[1]})
    assert bool(ticket.warnings) == warned


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (ImageRequest(model=SCHNELL, prompt="x", n=5), "at most 4"),
        (ImageRequest(model=FLUX2, prompt="x", references=("a",) * 9), "at most 8"),
        (ImageRequest(model=SCHNELL, prompt="x", options={"loras": []}), "no option 'loras'"),
        (EditRequest(model=SCHNELL, prompt="x", image="a"), "does not edit"),
        (EditRequest(model=FLUX2, prompt="x", image="a", mask="a"), "takes no mask"),
        (VideoRequest(model=SCHNELL, prompt="x"), "pictures only"),
    ],
)
async def test_what_cannot_be_done_is_refused_before_the_call(family, create, request_, why):
    with pytest.raises(NotOffered, match=why):
        await family.submit(request_, {"a": png()})
    assert not create.called


async def test_prompt_that_is_blocked_at_once_is_moderated(family, vendor):
    detail = [{"loc": ["body", "prompt"], "msg": "flagged", "type": "content_policy_violation", "input": "x"}]
    vendor.post(f"{API}/{SCHNELL}").respond(422, json={"detail": detail})
    with pytest.raises(Moderated):
        await family.submit(WIRE.request, {})


async def test_prompt_that_speaks_of_safety_is_not_taken_for_blocked(family, vendor):
    detail = [{"loc": ["body", "seed"], "msg": "wrong", "type": "int_type", "input": "a safety poster"}]
    vendor.post(f"{API}/{SCHNELL}").respond(422, json={"detail": detail})
    with pytest.raises(InvalidRequest):
        await family.submit(WIRE.request, {})


# ---- the addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["https://evil.test", "http://queue.fal.run", "https://queue.fal.run@evil.test", ""])
async def test_address_of_another_origin_is_not_used(family, vendor, origin):
    links = dict.fromkeys(LINKS, origin + "/steal")
    vendor.post(f"{API}/{SCHNELL}").respond(json={"request_id": "r1"} | links)
    assert (await family.submit(WIRE.request, {})).state == STATE  # as fal's own client would build them


async def test_addresses_are_used_as_they_were_given(family, vendor):
    given = {"status_url": f"{API}/workflows/x/requests/r1/status?v=2"}
    vendor.post(f"{API}/{SCHNELL}").respond(json={"request_id": "r1"} | given)
    route = vendor.get(given["status_url"]).mock(return_value=queued("IN_QUEUE", queue_position=3))
    assert await family.poll(await family.submit(WIRE.request, {})) == Pending(waiting=True)
    assert route.called


# ---- the result ------------------------------------------------------------------------------------------------------


async def test_every_file_is_given_and_fetched_without_the_key(family, vendor):
    done = await finished(family, vendor, httpx.Response(200, json=RESULT))
    assert [output.url for output in done.outputs] == ["https://v3.fal.media/a.png", "https://v3.fal.media/b.png"]
    assert family.download_headers(done.outputs[0], done.outputs[0].url) == {}


async def test_picture_that_was_blackened_is_left_out_and_told(family, vendor):
    done = await finished(family, vendor, httpx.Response(200, json=RESULT | {"has_nsfw_concepts": [True, False]}))
    assert done.outputs == (Output(url="https://v3.fal.media/b.png"),)
    assert done.warnings == ("fal blocked 1 of 2 pictures for their content.",)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(200, json=RESULT | {"has_nsfw_concepts": [True, True]}), Moderated),
        (httpx.Response(422, json={"detail": [{"msg": "no", "type": "content_policy_violation"}]}), Moderated),
        (httpx.Response(422, json={"detail": [{"msg": "too long", "type": "string_too_long"}]}), JobFailed),
        (httpx.Response(400, json={"detail": "Bad input"}), JobFailed),
        (httpx.Response(404, json={"detail": "Not found"}), JobLost),
        (httpx.Response(503), Unanswered),
        (httpx.Response(403, json={"detail": "revoked"}), Unanswered),
        (httpx.Response(200, json={"images": []}), MalformedAnswer),
        (httpx.Response(200, text="<html>"), MalformedAnswer),
    ],
)
async def test_completed_does_not_mean_that_it_went_well(family, vendor, answer, error):
    with pytest.raises(error) as caught:
        await finished(family, vendor, answer)
    assert caught.value.permanent == (error is not Unanswered)


async def test_failure_tells_the_reason_without_what_was_sent(family, vendor):
    detail = [{"loc": ["body", "image_urls"], "msg": "Too large", "type": "file_too_large", "input": "data:image/png"}]
    with pytest.raises(JobFailed, match="Too large") as caught:
        await finished(family, vendor, httpx.Response(422, json={"detail": detail}))
    assert "data:" not in str(caught.value)


@pytest.mark.parametrize("body", [{"video": {"url": "https://v3.fal.media/a.mp4"}}, {"image": {"url": "https://x/a"}}])
async def test_other_shapes_of_a_result_are_read(family, vendor, body):
    done = await finished(family, vendor, httpx.Response(200, json=body))
    assert len(done.outputs) == 1


async def test_status_never_seen_is_no_end(family, vendor):
    vendor.get(f"{API}{JOB}/status").mock(return_value=queued("THINKING"))
    assert await family.poll(TICKET) == Pending()


async def test_request_that_is_over_cannot_be_cancelled_and_that_is_no_error(family, vendor):
    vendor.put(f"{API}{JOB}/cancel").respond(400, json={"status": "ALREADY_COMPLETED"})
    await family.cancel(TICKET)


async def test_gateway_gets_the_key_and_the_questions(vendor):
    vendor.post(f"http://gate.test:9/{SCHNELL}").respond(json={"request_id": "r1"})
    route = vendor.get(f"http://gate.test:9{JOB}/status").mock(return_value=queued("IN_PROGRESS"))
    http = Http()
    family = Fal({"FAL_KEY": KEY, "FAL_BASE_URL": "http://gate.test:9/"}, http)
    assert await family.poll(await family.submit(WIRE.request, {})) == Pending()
    await http.aclose()
    assert route.calls.last.request.headers["authorization"] == f"Key {KEY}"


def test_price_is_by_the_megapixel():
    request = ImageRequest(model=SCHNELL, prompt="x", width=1000, height=1000, n=2)
    assert media_cost(Fal({}, Http()).row(SCHNELL), request, None) == Decimal("0.006000")
