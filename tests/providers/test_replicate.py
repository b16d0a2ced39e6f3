"""Replicate's peculiarities: the shapes its outputs come in, its statuses, its inputs, and where its key may go."""

import base64
import datetime as dt
import email
import hashlib
import io
import json
from collections.abc import AsyncIterator
from decimal import Decimal

import httpx
import pytest
import replicate
from wire_replicate import API, KEY, listed, prediction

from providers.catalogue import Catalogue
from providers.errors import InvalidRequest, JobFailed, JobLost, MalformedAnswer, Moderated, NotOffered, Unanswered
from providers.http import Http
from providers.prices import media_cost, media_price
from providers.replicate import Replicate
from providers.types import Done, ImageRequest, Media, Output, Pending, SpeechRequest, Ticket, VideoRequest

pytestmark = pytest.mark.anyio

TICKET = Ticket(job_id="p1")
PNG = Media("image/png", data=b"\x89PNG")
DELIVERED = "https://replicate.delivery/x/1.png"


@pytest.fixture
async def family() -> AsyncIterator[Replicate]:
    http = Http()
    yield Replicate({"REPLICATE_API_TOKEN": KEY}, http)
    await http.aclose()


@pytest.fixture
def create(vendor):
    return vendor.post(f"{API}/predictions").mock(return_value=prediction("starting"))


def sent(route) -> dict:
    return json.loads(route.calls.last.request.content)


def file_in(request: httpx.Request) -> tuple[str, str, bytes]:
    """Part, name and bytes of the file in a form."""
    head = b"content-type: " + request.headers["content-type"].encode() + b"\r\n\r\n"
    parts = email.message_from_bytes(head + request.read()).get_payload()
    (part,) = (part for part in parts if part.get_filename())
    return part.get_param("name", header="content-disposition"), part.get_filename(), part.get_payload(decode=True)


async def polled(family, vendor, **fields) -> Done | Pending:
    status = fields.pop("status", "succeeded")
    vendor.get(f"{API}/predictions/p1").mock(return_value=prediction(status, **fields))
    return await family.poll(TICKET)


# ---- the request -----------------------------------------------------------------------------------------------------


async def test_request_equals_the_official_clients(family, create):
    request = ImageRequest(model="flux-1.1-pro", prompt="a cat", width=1024, height=768, seed=7)
    await family.submit(request, {})
    ours = create.calls.last.request
    inputs = {
        "prompt": "a cat",
        "aspect_ratio": "custom",
        "width": 1024,
        "height": 768,
        "seed": 7,
        "output_format": "png",
    }
    client = replicate.Client(api_token=KEY)
    await client.predictions.async_create(version="black-forest-labs/flux-1.1-pro", input=inputs)
    theirs = create.calls.last.request
    assert ours is not theirs
    assert (ours.method, ours.url) == (theirs.method, theirs.url)
    assert json.loads(ours.content) == json.loads(theirs.content)
    for name in ("authorization", "content-type"):
        assert ours.headers[name] == theirs.headers[name]


async def test_clip_equals_the_official_clients(family, create):
    request = VideoRequest(model="seedance-1-pro", prompt="x", image="a", width=1920, height=1080, seed=3)
    await family.submit(request, {"a": PNG})
    ours = create.calls.last.request
    inputs = {"prompt": "x", "image": PNG.data_uri(), "duration": 5, "resolution": "1080p", "seed": 3}
    await replicate.Client(api_token=KEY).predictions.async_create(version="bytedance/seedance-1-pro", input=inputs)
    theirs = create.calls.last.request
    assert ours is not theirs
    assert (ours.url, json.loads(ours.content)) == (theirs.url, json.loads(theirs.content))


async def test_questions_equal_the_official_clients(family, vendor):
    get = vendor.get(f"{API}/predictions/p1").mock(return_value=prediction("processing"))
    cancel = vendor.post(f"{API}/predictions/p1/cancel").mock(return_value=prediction("canceled"))
    listing = vendor.get(f"{API}/predictions").mock(return_value=listed())
    await family.poll(TICKET)
    await family.cancel(TICKET)
    await family.find(ImageRequest(model="flux-1.1-pro", prompt="x"), dt.datetime.now(dt.UTC))
    client = replicate.Client(api_token=KEY)
    await client.predictions.async_get("p1")
    await client.predictions.async_cancel("p1")
    await client.predictions.async_list()
    for route in (get, cancel, listing):
        ours, theirs = (call.request for call in route.calls)
        assert (ours.method, ours.url.path, ours.content) == (theirs.method, theirs.url.path, theirs.content)
        assert ours.headers["authorization"] == theirs.headers["authorization"]


async def test_upload_equals_the_official_clients(family, create, vendor):
    stored = {"id": "f", "name": "input.png", "content_type": "image/png", "size": 300_000, "etag": "e"}
    stored |= {"checksums": {}, "metadata": {}, "created_at": "2026-11-20T12:00:00Z", "urls": {"get": f"{API}/files/f"}}
    uploads = vendor.post(f"{API}/files").respond(201, json=stored)
    large = Media("image/png", data=b"\0" * 300_000)
    await family.submit(ImageRequest(model="flux-kontext-pro", prompt="x", references=("a",)), {"a": large})
    file = io.BytesIO(large.read())
    file.name = "input.png"
    await replicate.Client(api_token=KEY).files.async_create(file)
    ours, theirs = (call.request for call in uploads.calls)
    assert (ours.method, ours.url, ours.headers["authorization"]) == (
        theirs.method,
        theirs.url,
        theirs.headers["authorization"],
    )
    assert file_in(ours) == file_in(theirs) == ("content", "input.png", large.read())


async def test_submit_does_not_wait_for_the_work(family, create):
    await family.submit(ImageRequest(model="flux-1.1-pro", prompt="a cat"), {})
    assert "prefer" not in create.calls.last.request.headers


async def test_server_that_knows_only_the_older_address_is_asked_there(family, vendor):
    newer = vendor.post(f"{API}/predictions").respond(404, json={"detail": "Not found"})
    older = vendor.post(f"{API}/models/black-forest-labs/flux-schnell/predictions")
    older.mock(return_value=prediction("starting"))
    ticket = await family.submit(ImageRequest(model="flux-schnell", prompt="a cat"), {})
    assert ticket.job_id == "p1"
    assert (newer.call_count, older.call_count) == (1, 1)
    assert sent(older) == {"input": {"prompt": "a cat", "output_format": "png"}}


async def test_rejected_input_is_not_sent_again_elsewhere(family, vendor):
    route = vendor.post(url__startswith=API).respond(422, json={"title": "Invalid", "detail": "- seed: wrong"})
    with pytest.raises(InvalidRequest, match="seed: wrong"):
        await family.submit(ImageRequest(model="flux-schnell", prompt="a cat"), {})
    assert route.call_count == 1


async def test_configured_base_url_is_used(vendor):
    route = vendor.post("http://fake.test:9/v1/predictions").mock(return_value=prediction("starting"))
    http = Http()
    family = Replicate({"REPLICATE_API_TOKEN": KEY, "REPLICATE_BASE_URL": "http://fake.test:9/v1/"}, http)
    ticket = await family.submit(ImageRequest(model="flux-dev", prompt="a cat"), {})
    await http.aclose()
    assert route.called
    assert ticket == Ticket(job_id="p1")  # the addresses in the answer are at another host, so they are not kept


@pytest.mark.parametrize(
    ("model", "asked", "sent_size"),
    [
        ("flux-1.1-pro", (1024, 1024), (1024, 1024)),
        ("flux-1.1-pro", (1792, 1024), (1440, 832)),
        ("flux-1.1-pro", (1000, 700), (992, 704)),
        ("flux-2-pro", (1792, 1024), (1792, 1024)),
        ("flux-2-max", (64, 64), (256, 256)),
    ],
)
async def test_exact_sizes_are_multiples_of_32_within_bounds(family, create, model, asked, sent_size):
    ticket = await family.submit(ImageRequest(model=model, prompt="x", width=asked[0], height=asked[1]), {})
    inputs = sent(create)["input"]
    assert inputs["aspect_ratio"] == "custom"
    assert (inputs["width"], inputs["height"]) == sent_size
    assert bool(ticket.warnings) == (asked != sent_size)


@pytest.mark.parametrize(
    ("asked", "ratio", "warned"),
    [((1920, 1080), "16:9", False), ((1024, 1536), "2:3", False), ((900, 500), "16:9", True)],
)
async def test_models_without_exact_sizes_get_the_nearest_ratio(family, create, asked, ratio, warned):
    ticket = await family.submit(ImageRequest(model="flux-schnell", prompt="x", width=asked[0], height=asked[1]), {})
    assert sent(create)["input"] == {"prompt": "x", "aspect_ratio": ratio, "output_format": "png"}
    assert bool(ticket.warnings) == warned


async def test_several_images_in_one_call_where_the_model_makes_several(family, create):
    await family.submit(ImageRequest(model="flux-schnell", prompt="x", n=4), {})
    assert sent(create)["input"]["num_outputs"] == 4


@pytest.mark.parametrize(("model", "limit", "n"), [("flux-1.1-pro", 1, 2), ("flux-schnell", 4, 5)])
async def test_more_images_than_one_call_makes_are_refused_before_it(family, create, model, limit, n):
    with pytest.raises(NotOffered, match=f"at most {limit} in one call"):
        await family.submit(ImageRequest(model=model, prompt="x", n=n), {})
    assert not create.called


async def test_one_reference_is_a_string_and_several_are_a_list(family, create):
    await family.submit(ImageRequest(model="flux-kontext-pro", prompt="x", references=("a",)), {"a": PNG})
    uri = PNG.data_uri()
    assert sent(create)["input"]["input_image"] == uri
    await family.submit(ImageRequest(model="flux-2-pro", prompt="x", references=("a", "a")), {"a": PNG})
    assert sent(create)["input"]["input_images"] == [uri, uri]


async def test_edit_without_a_size_keeps_the_shape_of_its_image(family, create):
    await family.submit(ImageRequest(model="flux-2-pro", prompt="x", references=("a",)), {"a": PNG})
    assert sent(create)["input"]["aspect_ratio"] == "match_input_image"


@pytest.mark.parametrize(("model", "given"), [("flux-kontext-pro", 2), ("flux-1.1-pro", 1)])
async def test_too_many_references_are_refused_before_the_call(family, create, model, given):
    request = ImageRequest(model=model, prompt="x", references=("a",) * given)
    with pytest.raises(NotOffered, match="input images"):
        await family.submit(request, {"a": PNG})
    assert not create.called


async def test_large_input_is_uploaded_and_its_address_sent(family, create, vendor):
    uploads = vendor.post(f"{API}/files").respond(201, json={"id": "f", "urls": {"get": f"{API}/files/f"}})
    large = Media("image/png", data=b"\0" * 300_000)
    await family.submit(ImageRequest(model="flux-kontext-pro", prompt="x", references=("a",)), {"a": large})
    assert b'name="content"; filename="input.png"' in uploads.calls.last.request.content
    assert sent(create)["input"]["input_image"] == f"{API}/files/f"


async def test_clip_is_ordered_with_whole_seconds_ratio_and_resolution(family, create):
    request = VideoRequest(model="seedance-1-pro", prompt="x", duration_s=6.4, width=1080, height=1920, seed=3)
    ticket = await family.submit(request, {})
    assert sent(create) == {
        "version": "bytedance/seedance-1-pro",
        "input": {"prompt": "x", "duration": 6, "aspect_ratio": "9:16", "resolution": "1080p", "seed": 3},
    }
    assert ticket.warnings == ("seedance-1-pro was asked for 6.4 s and makes 6 s, the nearest it can.",)


async def test_clip_from_a_first_frame_takes_its_shape(family, create):
    await family.submit(VideoRequest(model="seedance-1-pro", prompt="x", image="a", width=640, height=640), {"a": PNG})
    inputs = sent(create)["input"]
    assert inputs["image"] == PNG.data_uri()
    assert "aspect_ratio" not in inputs


async def test_speech_is_not_offered(family):
    with pytest.raises(NotOffered):
        await family.submit(SpeechRequest(model="flux-1.1-pro", text="hi"), {})


# ---- the models ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, "flux", "black-forest-labs/flux-1.1-pro", "replicate/flux-1.1-pro"])
async def test_flux_is_the_default_of_the_vendor(family, name):
    assert Catalogue(family.models).choose("image", name).model.id == "flux-1.1-pro"


async def test_another_vendors_price_reserves_but_does_not_bill(family):
    request, row = ImageRequest(model="flux-1.1-pro", prompt="x"), family.row("flux-1.1-pro")
    assert (media_price(row, request), media_cost(row, request, None)) == (Decimal("0.04"), None)


# ---- the output (trap 17) --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "urls"),
    [
        (DELIVERED, [DELIVERED]),
        ([DELIVERED, DELIVERED], [DELIVERED, DELIVERED]),
        ([[DELIVERED], [DELIVERED]], [DELIVERED, DELIVERED]),
        ([{"file": DELIVERED}], [DELIVERED]),
        ([{"image": DELIVERED}], [DELIVERED]),
        ([{"image": DELIVERED, "caption": "https://not.a/file"}], [DELIVERED]),
        ({"zip": "https://replicate.delivery/x.zip", "video": DELIVERED}, [DELIVERED]),
        ({"result": DELIVERED}, [DELIVERED]),
    ],
)
async def test_output_of_any_shape_becomes_files(family, vendor, output, urls):
    done = await polled(family, vendor, output=output)
    assert done == Done(outputs=tuple(Output(url=url, authorised=True) for url in urls))


async def test_data_uri_is_decoded(family, vendor):
    encoded = base64.b64encode(b"\x89PNG").decode()
    done = await polled(family, vendor, output=[f"data:image/png;base64,{encoded}", "data:text/plain,a%20b"])
    assert done == Done(outputs=(Output(data=b"\x89PNG"), Output(data=b"a b")))


@pytest.mark.parametrize("output", ["a poem about cats", None, [], {}, ["data:image/png;base64,???"]])
async def test_output_without_a_readable_file_is_malformed(family, vendor, output):
    with pytest.raises(MalformedAnswer):
        await polled(family, vendor, output=output)


async def test_succeeded_with_an_empty_error_is_a_success(family, vendor):
    assert isinstance(await polled(family, vendor, output=DELIVERED, error=""), Done)


async def test_complete_output_of_a_running_prediction_is_not_yet_final(family, vendor):
    pending = await polled(family, vendor, status="processing", output=["data:image/png;base64,AA=="])
    assert pending == Pending()


async def test_deleted_output_is_lost(family, vendor):
    with pytest.raises(JobLost, match="one hour"):
        await polled(family, vendor, output=None, data_removed=True)


# ---- the status ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "waiting"), [("starting", True), ("processing", False), ("queued-anew", False)])
async def test_status_that_is_no_end_is_pending(family, vendor, status, waiting):
    assert await polled(family, vendor, status=status) == Pending(waiting=waiting)


@pytest.mark.parametrize(("status", "cost"), [("canceled", None), ("aborted", Decimal(0))])
async def test_stopped_prediction_failed(family, vendor, status, cost):
    with pytest.raises(JobFailed) as caught:
        await polled(family, vendor, status=status)
    assert caught.value.cost_usd == cost


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("NSFW content detected. Try running it again, or try a different prompt.", Moderated),
        ("The input or output was flagged as sensitive. Please try again with different inputs. (E005)", Moderated),
        ("Request Moderated", Moderated),
        ("Prediction interrupted; please retry (code: PA)", JobFailed),
        ("", JobFailed),
        (None, JobFailed),
    ],
)
async def test_failed_prediction_is_told_apart_by_its_sentence(family, vendor, said, error):
    with pytest.raises(error):
        await polled(family, vendor, status="failed", error=said)


# ---- lost answers ----------------------------------------------------------------------------------------------------


CAT = ImageRequest(model="flux-1.1-pro", prompt="a cat", width=1024, height=768, seed=7)
CAT_INPUT = {
    "prompt": "a cat",
    "aspect_ratio": "custom",
    "width": 1024,
    "height": 768,
    "output_format": "png",
    "seed": 7,
}
NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def record(job_id: str = "p1", created_at: str = "2026-11-20T12:00:01.123Z", **fields: object) -> httpx.Response:
    return prediction("processing", **({"id": job_id, "created_at": created_at, "input": CAT_INPUT} | fields))


@pytest.fixture
def listing(vendor):
    return vendor.get(url__startswith=f"{API}/predictions")


async def found(family, listing, *pages: httpx.Response, request=CAT, **media: Media) -> list[str] | None:
    listing.side_effect = pages
    tickets = await family.find(request, NOON, media)
    return None if tickets is None else [ticket.job_id for ticket in tickets]


async def test_list_is_asked_for_from_a_minute_earlier(family, listing):
    await found(family, listing, listed())
    asked = listing.calls.last.request
    assert dict(asked.url.params) == {"created_after": "2026-11-20T11:59:00.000Z"}
    assert asked.headers["authorization"] == f"Bearer {KEY}"


async def test_equal_jobs_are_found_oldest_first_over_all_pages(family, listing):
    further = f"{API}/predictions?cursor=cD0y"
    first, second = listed(record("p4"), record("p3"), further=further), listed(record("p2"), record("p1"))
    assert await found(family, listing, first, second) == ["p1", "p2", "p3", "p4"]
    assert str(listing.calls.last.request.url) == further


async def test_found_job_has_the_warnings_of_its_submit(family, create, listing):
    request = CAT.model_copy(update={"width": 1792})
    submitted = await family.submit(request, {})
    listing.side_effect = [listed(record(input=sent(create)["input"]))]
    assert (await family.find(request, NOON)) == [submitted]


async def test_predictions_older_than_the_submit_are_not_read(family, listing):
    page = listed(record("p2"), record("p1", "2026-11-20T11:58:59Z"), further=f"{API}/predictions?cursor=cD0y")
    assert await found(family, listing, page) == ["p2"]
    assert listing.call_count == 1


@pytest.mark.parametrize(
    "other",
    [
        {"input": CAT_INPUT | {"prompt": "a dog"}},
        {"input": CAT_INPUT | {"seed": 8}},
        {"input": CAT_INPUT | {"safety_tolerance": 6}},
        {"input": {"prompt": "a cat"}},
        {"input": ["a cat"]},
        {"model": "black-forest-labs/flux-dev"},
        {"model": "black-forest-labs/flux-dev", "input": {}, "data_removed": True},
    ],
)
async def test_other_peoples_predictions_are_not_ours(family, listing, other):
    assert await found(family, listing, listed(record(**other), record("p1"))) == ["p1"]


@pytest.mark.parametrize("blank", [{"input": {}, "data_removed": True}, {"input": None}, {"data_removed": True}])
async def test_prediction_whose_input_is_deleted_leaves_it_open(family, listing, blank):
    assert await found(family, listing, listed(record(**blank))) is None


async def test_model_run_by_its_hash_is_known_by_its_version(family, listing):
    row = family.row("flux-1.1-pro")
    family.models = (row.model_copy(update={"api_id": f"someone/something:{'f' * 64}"}),)
    ours = record("p1", model="someone/something", version="f" * 64)
    assert await found(family, listing, listed(record("p2", model="someone/something"), ours)) == ["p1"]


# The same words are often said about several pictures at once: a job must not be taken for another's.
OTHER = Media("image/png", data=b"another")
EDIT = ImageRequest(model="flux-2-pro", prompt="x", references=("a", "b"))
UPLOAD = f"{API}/files/f"


def edited(*links: object) -> httpx.Response:
    """The list of one prediction that works from these images."""
    inputs = {"prompt": "x", "aspect_ratio": "match_input_image", "output_format": "png", "input_images": list(links)}
    return listed(record(model="black-forest-labs/flux-2-pro", input=inputs))


@pytest.mark.parametrize(
    ("links", "ids"),
    [
        ((PNG.data_uri(), OTHER.data_uri()), ["p1"]),
        ((OTHER.data_uri(), PNG.data_uri()), []),
        ((PNG.data_uri(), PNG.data_uri()), []),
        ((PNG.data_uri(),), []),
        ((), []),
        ((PNG.data_uri(), "https://elsewhere.test/files/f"), None),
        ((PNG.data_uri(), f"{API}/elsewhere/f"), None),
        ((PNG.data_uri(), 7), None),
        ((OTHER.data_uri(), "https://elsewhere.test/files/f"), []),
    ],
)
async def test_job_is_one_that_works_from_the_same_images(family, listing, links, ids):
    assert await found(family, listing, edited(*links), request=EDIT, a=PNG, b=OTHER) == ids


@pytest.mark.parametrize(
    ("answer", "ids"),
    [
        (httpx.Response(200, json={"checksums": {"sha256": hashlib.sha256(b"another").hexdigest()}}), ["p1"]),
        (httpx.Response(200, json={"checksums": {"sha256": hashlib.sha256(b"a third").hexdigest()}}), []),
        (httpx.Response(200, json={"checksums": {"md5": "x"}}), None),
        (httpx.Response(200, json={}), None),
        (httpx.Response(404), None),
    ],
)
async def test_uploaded_image_is_known_by_its_digest(family, listing, vendor, answer, ids):
    vendor.get(UPLOAD).mock(return_value=answer)
    assert await found(family, listing, edited(PNG.data_uri(), UPLOAD), request=EDIT, a=PNG, b=OTHER) == ids


async def test_without_the_images_it_stays_open_which_job_it_is(family, listing):
    assert await found(family, listing, edited(PNG.data_uri(), OTHER.data_uri()), request=EDIT, a=PNG) is None
    assert not listing.called


async def test_upload_that_cannot_be_asked_about_does_not_say_that_there_is_none(family, listing, vendor):
    vendor.get(UPLOAD).respond(500)
    with pytest.raises(Unanswered):
        await found(family, listing, edited(PNG.data_uri(), UPLOAD), request=EDIT, a=PNG, b=OTHER)


async def test_clip_from_a_first_frame_is_found(family, create, listing):
    request = VideoRequest(model="seedance-1-pro", prompt="x", duration_s=6.4, image="a")
    ticket = await family.submit(request, {"a": PNG})
    listing.side_effect = [listed(record(model="bytedance/seedance-1-pro", input=sent(create)["input"]))]
    assert await family.find(request, NOON, {"a": PNG}) == [ticket]


@pytest.mark.parametrize("further", ["https://elsewhere.test/v1/predictions?cursor=x", "//elsewhere.test", 7])
async def test_list_that_goes_on_elsewhere_is_not_followed_and_says_nothing(family, listing, vendor, further):
    elsewhere = vendor.route(host="elsewhere.test")
    with pytest.raises(MalformedAnswer):
        await found(family, listing, listed(further=further))
    assert not elsewhere.called


async def test_list_without_an_end_is_given_up(family, listing):
    listing.mock(return_value=listed(record(), further=f"{API}/predictions?cursor=x"))
    with pytest.raises(MalformedAnswer, match="too long"):
        await family.find(CAT, NOON)


async def test_server_without_a_list_cannot_be_asked(family, listing):
    assert await found(family, listing, httpx.Response(404, json={"detail": "Not found"})) is None


# ---- lanes -----------------------------------------------------------------------------------------------------------


async def test_documented_limit_holds_for_image_and_video_together(family):
    assert sum(lane.per_minute for lane in family.lanes.values()) == 600
    assert set(family.lanes) == {"image", "video"}


async def test_another_server_has_limits_of_its_own():
    http = Http()
    elsewhere = Replicate({"REPLICATE_API_TOKEN": KEY, "REPLICATE_BASE_URL": "http://fake.test:9/v1"}, http)
    await http.aclose()
    assert not elsewhere.lanes
    assert elsewhere.surely_listed_s < Replicate.list_lag_s


async def test_the_vendors_own_list_gets_its_time(family):
    assert family.surely_listed_s == Replicate.list_lag_s


# ---- the key ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("https://replicate.delivery/a", True),
        ("https://pbxt.replicate.delivery/a", True),
        ("https://api.replicate.com/v1/files/f", True),
        ("https://api.replicate.com:443/v1/files/f", True),
        ("https://replicate.delivery:8443/a", False),
        ("http://replicate.delivery/a", False),
        ("https://api.replicate.com:8443/a", False),
        ("https://notreplicate.delivery/a", False),
        ("https://replicate.delivery.evil.test/a", False),
        ("https://replicate.delivery@evil.test/a", False),
        ("https://storage.googleapis.com/a", False),
    ],
)
def test_addresses_of_outputs_that_get_the_key(url, given):
    family = Replicate({"REPLICATE_API_TOKEN": KEY}, Http())
    assert bool(family.download_headers(Output(url=url), url)) == given


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("http://fake.test:9/out.png", True),
        ("http://fake.test:10/out.png", False),
        ("https://fake.test/out.png", False),
        ("https://replicate.delivery/a", False),
    ],
)
def test_gateways_key_is_for_the_gateway_alone(url, given):
    family = Replicate({"REPLICATE_API_TOKEN": KEY, "REPLICATE_BASE_URL": "http://fake.test:9/v1"}, Http())
    assert bool(family.download_headers(Output(url=url), url)) == given


async def test_accepted_answer_without_an_id_is_malformed(family, vendor):
    vendor.post(f"{API}/predictions").respond(201, json={"status": "starting"})
    with pytest.raises(MalformedAnswer):
        await family.submit(ImageRequest(model="flux-1.1-pro", prompt="x"), {})


async def test_upload_without_an_address_bought_nothing(family, create, vendor):
    vendor.post(f"{API}/files").mock(return_value=httpx.Response(201, json={"id": "f"}))
    large = Media("image/png", data=b"\0" * 300_000)
    with pytest.raises(MalformedAnswer) as caught:
        await family.submit(ImageRequest(model="flux-kontext-pro", prompt="x", references=("a",)), {"a": large})
    assert (create.called, caught.value.charged) == (False, False)
