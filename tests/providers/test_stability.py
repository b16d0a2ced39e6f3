"""Stability's peculiarities: its forms, part by part; what it makes of sizes and masks; its verdicts, errors and job.

No client of the vendor's own speaks this protocol, so requests are compared with its OpenAPI document of v2beta.
"""

import email
import io
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal

import httpx
import pytest
from PIL import Image
from wire_stability import API, FLAGGED, KEY, WIRE, drawn, picture, problem
from wire_stability_jobs import WIRE as JOB

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
    Unanswered,
    Unauthorized,
    Unavailable,
)
from providers.http import Http
from providers.prices import media_price
from providers.stability import Stability
from providers.types import Done, EditRequest, ImageRequest, Media, Pending, SpeechRequest, Ticket

pytestmark = pytest.mark.anyio

MAKERS = ("stable-image-core", "stable-image-ultra", "sd3.5-large", "sd3.5-large-turbo", "sd3.5-medium")
FREE = {"prompt", "negative_prompt", "seed", "output_format"}
DOCUMENTED = {
    # endpoint: (required parts, optional parts); https://platform.stability.ai/docs/api-reference
    "generate/core": ({"prompt"}, FREE | {"aspect_ratio", "style_preset"}),
    "generate/ultra": ({"prompt"}, FREE | {"aspect_ratio", "style_preset", "image", "strength"}),
    "generate/sd3": (
        {"prompt", "model"},
        FREE | {"aspect_ratio", "style_preset", "image", "strength", "mode", "cfg_scale"},
    ),
    "edit/inpaint": ({"image", "prompt"}, FREE | {"mask", "grow_mask", "style_preset"}),
    "edit/erase": ({"image"}, {"mask", "grow_mask", "seed", "output_format"}),
    "edit/outpaint": (
        {"image"},
        {"left", "right", "up", "down", "creativity", "prompt", "seed", "output_format", "style_preset"},
    ),
    "edit/search-and-replace": ({"image", "prompt", "search_prompt"}, FREE | {"grow_mask", "style_preset"}),
    "edit/search-and-recolor": ({"image", "prompt", "select_prompt"}, FREE | {"grow_mask", "style_preset"}),
    "edit/remove-background": ({"image"}, {"output_format"}),
    "upscale/fast": ({"image"}, {"output_format"}),
    "upscale/conservative": ({"image", "prompt"}, FREE | {"creativity"}),
    "upscale/creative": ({"image", "prompt"}, FREE | {"creativity", "style_preset"}),
}
EVERY_OPTION = {
    "negative_prompt": "rain",
    "style_preset": "anime",
    "cfg_scale": 4.5,
    "strength": 0.3,
    "output_format": "webp",
    "grow_mask": 7,
    "creativity": 0.3,
    "search": "the dog",
    "left": 100,
    "right": 0,
    "up": 20,
    "down": 30.0,
}


def png(width: int, height: int) -> Media:
    return Media("image/png", data=drawn(size=(width, height)))


def mask_of(width: int, height: int) -> Media:
    """White in its left half."""
    file, mask = io.BytesIO(), Image.new("L", (width, height), 0)
    mask.paste(255, (0, 0, width // 2, height))
    mask.save(file, "PNG")
    return Media("image/png", data=file.getvalue())


GIVEN: Mapping[str, Media] = {"i": png(256, 192), "m": mask_of(256, 192), "a": png(256, 192), "b": png(64, 64)}


@pytest.fixture
async def family() -> AsyncIterator[Stability]:
    http = Http()
    yield Stability({"STABILITY_API_KEY": KEY}, http)
    await http.aclose()


@pytest.fixture
def create(vendor):
    return vendor.post(url__startswith=f"{API}/stable-image/").mock(return_value=picture())


def models() -> dict:
    return {model.id: model for model in Stability({}, Http()).models}


def edit(operation: str, **values) -> EditRequest:
    """An edit by the first model that can do it."""
    model = values.pop("model", None) or next(each.id for each in models().values() if operation in each.capabilities)
    return EditRequest(model=model, operation=operation, image="i", **values)


def everything(model) -> ImageRequest | EditRequest:
    """A request that uses all a model knows."""
    options = {name: EVERY_OPTION[name] for name in model.options}
    prompt = "" if model.limits.get("prompt") == "none" else "a cat"
    seed = 7 if model.limits.get("seed") else None
    if "text_to_image" in model.capabilities:
        references = ("a",) if "reference_images" in model.capabilities else ()
        return ImageRequest(model=model.id, prompt=prompt, seed=seed, options=options, references=references)
    operation = next(word for word in model.capabilities if word not in ("mask", "async", "transparent"))
    mask = "m" if "mask" in model.capabilities else None
    return edit(operation, model=model.id, prompt=prompt, seed=seed, options=options, mask=mask)


def parts_of(request: httpx.Request) -> dict[str, tuple[str | None, bytes]]:
    """The parts of a multipart form: name -> filename and content. A text has no filename."""
    head = b"content-type: " + request.headers["content-type"].encode() + b"\r\n\r\n"
    form = email.message_from_bytes(head + request.content)
    assert form.get_content_type() == "multipart/form-data"
    parts = [(dict(part.get_params(header="content-disposition")), part) for part in form.get_payload()]
    return {told["name"]: (told.get("filename"), part.get_payload(decode=True)) for told, part in parts}


def texts_of(request: httpx.Request) -> dict[str, str]:
    """The text parts."""
    return {name: content.decode() for name, (file, content) in parts_of(request).items() if file is None}


async def texts(family, create, request) -> dict[str, str]:
    """What a request says in its text parts."""
    await family.submit(request, GIVEN)
    return texts_of(create.calls.last.request)


async def refused(family, request, match: str, media: Mapping[str, Media] = GIVEN) -> None:
    """The request is refused before anything is sent (an unmocked call would fail another way)."""
    with pytest.raises(NotOffered, match=match) as caught:
        await family.submit(request, media)
    assert caught.value.charged is False


# ---- the request -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [each for each in models().values() if each.status == "live"], ids=lambda m: m.id)
async def test_request_holds_the_documented_parts_and_no_others(family, vendor, model):
    answer = JOB.accepted if "async" in model.capabilities else picture()
    route = vendor.post(f"{API}/stable-image/{model.wire_id}").mock(return_value=answer)
    await family.submit(everything(model), GIVEN)
    required, optional = DOCUMENTED[model.wire_id]
    sent = set(parts_of(route.calls.last.request))
    assert required <= sent <= required | optional
    assert optional - sent <= {"aspect_ratio", "right"}  # a shape that the picture gives, and nothing to add


async def test_core_request_part_by_part(family, create):
    options = {"negative_prompt": "rain", "style_preset": "anime", "output_format": "webp"}
    request = ImageRequest(model="stable-image-core", prompt="a cät", width=1920, height=1080, seed=7, options=options)
    await family.submit(request, {})
    sent = create.calls.last.request
    assert texts_of(sent) == {
        "prompt": "a cät",
        "aspect_ratio": "16:9",
        "seed": "7",
        "negative_prompt": "rain",
        "style_preset": "anime",
        "output_format": "webp",
    }
    assert (sent.headers["authorization"], sent.headers["accept"]) == (f"Bearer {KEY}", "image/*")


async def test_request_without_a_file_is_multipart_all_the_same(family, create):
    await family.submit(WIRE.request, {})
    sent = create.calls.last.request
    assert sent.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert texts_of(sent) == {"prompt": "a cat", "aspect_ratio": "1:1", "output_format": "png"}


@pytest.mark.parametrize("model", ["sd3.5-large", "sd3.5-large-turbo", "sd3.5-medium"])
async def test_models_of_one_endpoint_are_told_apart_by_a_part(family, create, model):
    sent = await texts(family, create, ImageRequest(model=model, prompt="a cat", options={"cfg_scale": 5}))
    assert sent == {
        "prompt": "a cat",
        "model": model,
        "aspect_ratio": "1:1",
        "cfg_scale": "5",
        "output_format": "png",
    }


async def test_picture_to_start_from_goes_with_a_strength(family, create):
    request = ImageRequest(model="stable-image-ultra", prompt="a cat", references=("a",), options={"strength": 0.4})
    await family.submit(request, GIVEN)
    parts = parts_of(create.calls.last.request)
    assert parts["image"] == ("image.png", GIVEN["a"].data)
    assert (parts["strength"], parts["aspect_ratio"]) == ((None, b"0.4"), (None, b"5:4"))


async def test_strength_nobody_named_is_said_because_the_vendor_wants_one(family, create):
    sent = await texts(family, create, ImageRequest(model="sd3.5-large", prompt="a cat", references=("a",)))
    assert (sent["mode"], sent["strength"]) == ("image-to-image", "0.65")


async def test_model_that_keeps_the_shape_of_its_picture_is_told_none(family, create):
    request = ImageRequest(model="sd3.5-large", prompt="a cat", references=("a",), width=1024, height=1024)
    done = await family.submit(request, GIVEN)
    assert "aspect_ratio" not in parts_of(create.calls.last.request)
    assert done.warnings == ("sd3.5-large keeps the shape of the picture it starts from; the size was ignored.",)


@pytest.mark.parametrize("base", ["http://fake.test:9", "http://fake.test:9/v2beta", "http://fake.test:9/v2beta/"])
async def test_base_url_with_or_without_its_version(vendor, base):
    route = vendor.post("http://fake.test:9/v2beta/stable-image/generate/core").mock(return_value=picture())
    http = Http()
    await Stability({"STABILITY_API_KEY": KEY, "STABILITY_BASE_URL": base}, http).submit(WIRE.request, {})
    await http.aclose()
    assert route.called


# ---- sizes and words -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "ratio", "warned"),
    [
        ((1024, 1024), "1:1", False),
        ((1920, 1080), "16:9", False),
        ((1024, 1792), "9:16", True),
        ((1536, 1024), "3:2", False),
        ((1280, 1024), "5:4", False),
        ((2520, 1080), "21:9", False),
        ((1024, 768), "5:4", True),
        ((500, None), "1:1", False),
    ],
)
async def test_aspect_ratio_nearest_to_the_size_asked_for(family, create, asked, ratio, warned):
    request = ImageRequest(model="stable-image-core", prompt="x", width=asked[0], height=asked[1])
    done = await family.submit(request, {})
    assert texts_of(create.calls.last.request)["aspect_ratio"] == ratio
    sentence = f"stable-image-core was asked for {asked[0]}x{asked[1]} and makes {ratio}, the nearest it can."
    assert done.warnings == ((sentence,) if warned else ())


@pytest.mark.parametrize("seed", [0, 4_294_967_295])
async def test_seed_the_vendor_does_not_repeat_is_left_out_and_warned_about(family, create, seed):
    done = await family.submit(ImageRequest(model="sd3.5-medium", prompt="x", seed=seed), {})
    assert "seed" not in parts_of(create.calls.last.request)
    assert "takes a seed of 1 to 4294967294" in done.warnings[0]


async def test_words_and_seed_for_a_model_that_takes_none_are_warned_about(family, create):
    done = await family.submit(edit("remove_background", prompt="cut it out", seed=3), GIVEN)
    assert set(parts_of(create.calls.last.request)) == {"image", "output_format"}
    assert [warning.split(" takes ")[1][:8] for warning in done.warnings] == ["no words", "no seed;"]


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"options": {"steps": 50}}, "knows no option 'steps'; it knows: negative_prompt, output_format, style_preset"),
        ({"options": {"style_preset": "vivid"}}, "does not take this style_preset"),
        ({"options": {"cfg_scale": 5}}, "knows no option 'cfg_scale'"),
        ({"n": 2}, "at most 1 in one call"),
        ({"references": ("a",)}, "at most 0 pictures"),
        ({"prompt": " "}, "needs a prompt"),
        ({"prompt": "a" * 10_001}, "at most 10000 characters"),
    ],
)
async def test_what_core_cannot_do_is_refused_before_the_call(family, values, match):
    await refused(family, ImageRequest(**({"model": "stable-image-core", "prompt": "x"} | values)), match)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"references": ("a", "b")}, "at most 1 pictures"),
        ({"references": ("nowhere",)}, "not attached"),
        ({"options": {"strength": 0.5}}, "no picture was given"),
        ({"references": ("a",), "options": {"strength": 1.5}}, "does not take this strength"),
    ],
)
async def test_pictures_to_start_from_are_checked_before_the_call(family, values, match):
    await refused(family, ImageRequest(model="stable-image-ultra", prompt="x", **values), match)


async def test_speech_and_retired_models_are_not_sent(family):
    await refused(family, SpeechRequest(model="stable-image-core", text="hi"), "no speech")
    with pytest.raises(Unavailable, match=r"use sd3\.5-large"):
        await family.submit(ImageRequest(model="sd3-large", prompt="x"), {})


# ---- edits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "endpoint", "sent"),
    [
        (edit("search_replace", prompt="a cat", options={"search": "dog"}), "edit/search-and-replace", "search_prompt"),
        (edit("search_recolor", prompt="red", options={"search": "dog"}), "edit/search-and-recolor", "select_prompt"),
    ],
)
async def test_what_is_searched_for_goes_where_the_endpoint_wants_it(family, vendor, request_, endpoint, sent):
    route = vendor.post(f"{API}/stable-image/{endpoint}").mock(return_value=picture())
    await family.submit(request_, GIVEN)
    assert texts_of(route.calls.last.request) == {
        "prompt": request_.prompt,
        sent: "dog",
        "output_format": "png",
    }


@pytest.mark.parametrize(("operation", "prompt"), [("inpaint", "a hat"), ("erase", "")])
async def test_mask_is_white_where_the_picture_changes(family, create, operation, prompt):
    await family.submit(edit(operation, prompt=prompt, mask="m"), GIVEN)
    parts = parts_of(create.calls.last.request)
    mask = Image.open(io.BytesIO(parts["mask"][1]))
    assert (mask.format, mask.mode, mask.size) == ("PNG", "L", (256, 192))
    assert (mask.getpixel((0, 0)), mask.getpixel((255, 0))) == (255, 0)
    assert parts["image"] == ("image.png", GIVEN["i"].data)


@pytest.mark.parametrize(
    ("request_", "match"),
    [
        (edit("inpaint", prompt="a hat"), "needs a mask"),
        (edit("inpaint", mask="m"), "needs a prompt"),
        (edit("inpaint", prompt="a hat", mask="b"), "of the image's size"),
        (edit("outpaint", mask="m", options={"left": 9}), "takes no mask"),
        (edit("search_replace", prompt="a cat"), "needs the option search"),
        (edit("erase", mask="m", references=("a",)), "at most 1 pictures"),
        (edit("erase", mask="m", model="stable-image-core"), "cannot do erase"),
        (edit("upscale", n=2), "at most 1 in one call"),
        (edit("outpaint"), "has nothing to add"),
        (edit("outpaint", options={"left": 0}), "has nothing to add"),
        (edit("outpaint", width=256, height=192), "has nothing to add"),
        (edit("outpaint", width=9000, height=192), "at most 2000 pixels to a side"),
        (edit("outpaint", options={"left": 2001}), "does not take this left"),
        (edit("remove_background", options={"output_format": "jpeg"}), "does not take this output_format"),
    ],
)
async def test_edits_that_cannot_be_done_are_refused_before_the_call(family, request_, match):
    await refused(family, request_, match)


@pytest.mark.parametrize(
    ("values", "sent", "warnings"),
    [
        ({"options": {"left": 10, "down": 20.0}}, {"left": 10, "down": 20}, 0),
        ({"width": 512, "height": 192}, {"left": 128, "right": 128}, 0),
        ({"width": 259, "height": 200}, {"left": 1, "right": 2, "up": 4, "down": 4}, 0),
        ({"height": 292}, {"up": 50, "down": 50}, 0),
        ({"width": 192, "height": 192}, {"up": 32, "down": 32}, 1),  # only its shape can be had, by adding
        ({"width": 512, "height": 192, "options": {"up": 5}}, {"up": 5}, 1),
    ],
)
async def test_outpaint_adds_what_is_asked_for(family, create, values, sent, warnings):
    done = await family.submit(edit("outpaint", **values), GIVEN)
    told = texts_of(create.calls.last.request)
    assert {side: int(told[side]) for side in ("left", "right", "up", "down") if side in told} == sent
    assert len(done.warnings) == warnings


async def test_size_an_edit_cannot_choose_is_warned_about(family, create):
    done = await family.submit(edit("erase", mask="m", width=512, height=512), GIVEN)
    assert done.warnings == ("stable-image-erase decides the size itself; the one asked for was ignored.",)


@pytest.mark.parametrize(
    ("model", "size", "match"),
    [
        ("stable-image-upscale-fast", (1600, 32), "at most 1536 pixels a side"),
        ("stable-image-upscale-fast", (1025, 1024), "at most 1048576 pixels in all"),
        ("stable-image-upscale-fast", (31, 64), "at least 32 pixels a side"),
        ("stable-image-upscale-conservative", (256, 64), r"at most 2\.5 times as long as wide; this one has 256x64"),
    ],
)
async def test_picture_the_model_does_not_take_is_refused_before_the_call(family, model, size, match):
    await refused(family, edit("upscale", model=model, prompt="x"), match, {"i": png(*size)})


async def test_files_the_vendor_does_not_take_are_refused_before_the_call(family):
    await refused(family, edit("upscale"), "PNG, JPEG or WebP", {"i": Media("image/gif", data=b"GIF89a")})
    await refused(family, edit("upscale"), "10 MiB", {"i": Media("image/png", data=b"\x89PNG" + bytes(10 * 1024**2))})


# ---- the answer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
async def test_picture_comes_as_it_was_sent_whatever_its_header_calls_it(family, vendor, form):
    # Traps 12 and 16: the bytes are kept as they came, and decide what they are.
    sent = drawn(form, (6, 4))
    vendor.post(WIRE.submit[1]).mock(return_value=picture(data=sent, **{"content-type": "image/png"}))
    done = await family.submit(WIRE.request, {})
    assert done.outputs[0].data == sent
    assert Image.open(io.BytesIO(done.outputs[0].data)).size == (6, 4)


async def test_blurred_picture_is_moderated_and_may_be_billed(family, vendor):
    vendor.post(WIRE.submit[1]).mock(return_value=picture("CONTENT_FILTERED"))
    with pytest.raises(Moderated) as caught:
        await family.submit(WIRE.request, {})
    assert (caught.value.charged, caught.value.cost_usd) == (None, None)


async def test_picture_without_a_verdict_is_given_with_a_warning(family, vendor):
    vendor.post(WIRE.submit[1]).mock(return_value=picture(None))
    done = await family.submit(WIRE.request, {})
    assert done.outputs
    assert "did not say whether" in done.warnings[0]


async def test_end_that_is_no_success_is_a_failure(family, vendor):
    vendor.post(WIRE.submit[1]).mock(return_value=picture("ERROR"))
    with pytest.raises(JobFailed, match="ERROR"):
        await family.submit(WIRE.request, {})


@pytest.mark.parametrize(
    "content", [b"", b'{"image": "iVBORw0KGgo=", "finish_reason": "SUCCESS"}', b"RIFF....WAVEfmt "]
)
async def test_answer_without_a_picture_is_malformed(family, vendor, content):
    vendor.post(WIRE.submit[1]).mock(return_value=picture(data=content))
    with pytest.raises(MalformedAnswer):
        await family.submit(WIRE.request, {})


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (FLAGGED, Moderated, "for its content"),
        (problem(422, "public_figure", "Our system detected the likeness."), Moderated, "public figure"),
        (problem(422, "invalid_language", "English is the only language."), InvalidRequest, "English is the only"),
        (problem(400, "bad_request", "seed: must be", "prompt: is required"), InvalidRequest, "seed: must be; prompt:"),
        (problem(413, "payload_too_large", "body: larger than 10MiB"), InvalidRequest, "10MiB"),
        (problem(403, "permission_denied", "You lack the permissions."), Unauthorized, "key"),
        (httpx.Response(403, text="<html>"), Unauthorized, "key"),
        (problem(401, "unauthorized", f"invalid key {KEY}"), Unauthorized, "key"),
        (problem(402, "payment_required", "You lack sufficient credits."), QuotaExhausted, "credit"),
    ],
)
async def test_refusals_are_told_apart_by_their_names_and_cost_nothing(family, vendor, answer, error, said):
    vendor.post(WIRE.submit[1]).mock(return_value=answer)
    with pytest.raises(error, match=said) as caught:
        await family.submit(WIRE.request, {})
    assert (type(caught.value), caught.value.charged) == (error, False)


async def test_another_vendor_may_be_asked_what_this_one_cannot_read(family, vendor):
    vendor.post(WIRE.submit[1]).mock(return_value=problem(422, "invalid_language"))
    with pytest.raises(InvalidRequest) as caught:
        await family.submit(WIRE.request, {})
    assert caught.value.elsewhere


@pytest.mark.parametrize(("headers", "wait_s"), [({}, 60.0), ({"retry-after": "5"}, 5.0)])
async def test_lock_out_lasts_a_minute_unless_the_vendor_says_otherwise(family, vendor, headers, wait_s):
    vendor.post(WIRE.submit[1]).mock(return_value=problem(429, "rate_limit_exceeded", headers=headers))
    with pytest.raises(RateLimited) as caught:
        await family.submit(WIRE.request, {})
    assert caught.value.retry_after == wait_s


# ---- the job ---------------------------------------------------------------------------------------------------------


async def polled(family, vendor, answer: httpx.Response) -> Done | Pending:
    vendor.get(f"{API}/results/j1").mock(return_value=answer)
    return await family.poll(Ticket(job_id="j1"))


async def test_creative_upscale_is_ordered_as_a_job(family, vendor):
    route = vendor.post(JOB.submit[1]).mock(return_value=JOB.accepted)
    request = edit("upscale", model=JOB.request.model, prompt="a cat", seed=0)
    ticket = await family.submit(request, GIVEN)
    assert ticket.job_id == "j1"
    assert len(ticket.warnings) == 1
    assert route.calls.last.request.headers["accept"] == "application/json"


async def test_job_is_asked_about_with_the_key_that_ordered_it(family, vendor):
    route = vendor.get(f"{API}/results/a%2Fb").mock(return_value=httpx.Response(202, json={"status": "in-progress"}))
    assert await family.poll(Ticket(job_id="a/b")) == Pending()  # as in trap 19: 202 is no end
    sent = route.calls.last.request.headers
    assert (sent["authorization"], sent["accept"]) == (f"Bearer {KEY}", "image/*")


async def test_finished_job_gives_the_picture(family, vendor):
    done = await polled(family, vendor, picture(data=drawn("WEBP", (8, 6))))
    assert Image.open(io.BytesIO(done.outputs[0].data)).size == (8, 6)


@pytest.mark.parametrize(
    ("answer", "error", "cost"),
    [
        (picture("CONTENT_FILTERED"), Moderated, None),
        (FLAGGED, Moderated, Decimal(0)),
        (problem(422, "public_figure"), Moderated, Decimal(0)),
        (problem(400, "bad_request", "image: too dark"), JobFailed, Decimal(0)),
        (problem(422, "unprocessable"), JobFailed, Decimal(0)),
        (picture("ERROR"), JobFailed, None),
        (problem(404, "generation_not_found"), JobLost, None),
    ],
)
async def test_bad_ends_of_a_job(family, vendor, answer, error, cost):
    with pytest.raises(error) as caught:
        await polled(family, vendor, answer)
    assert caught.value.cost_usd == cost


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        (problem(500, "internal_error"), None),
        (problem(403, "permission_denied"), None),
        (problem(429, "rate_limit_exceeded"), 60.0),
        (picture(data=b'{"status": "in-progress"}'), None),
    ],
)
async def test_answer_that_says_nothing_of_the_job_is_no_verdict(family, vendor, answer, wait_s):
    with pytest.raises(Unanswered) as caught:
        await polled(family, vendor, answer)
    assert caught.value.retry_after == wait_s


def test_polls_are_ten_seconds_apart_at_stability_itself_only():
    assert Stability({}, Http()).poll_every_s == 10.0
    assert Stability({"STABILITY_BASE_URL": "http://localhost:9"}, Http()).poll_every_s < 1


# ---- the models ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "needs", "chosen"),
    [
        (None, {"text_to_image"}, "stable-image-core"),
        (None, {"text_to_image", "reference_images"}, "stable-image-ultra"),
        (None, {"inpaint"}, "stable-image-inpaint"),
        (None, {"upscale"}, "stable-image-upscale-fast"),
        ("sd3-large", {"text_to_image"}, "sd3.5-large"),
        ("sd3-large-turbo", {"text_to_image"}, "sd3.5-large-turbo"),
        ("sd3-medium", {"text_to_image", "reference_images"}, "sd3.5-medium"),
    ],
)
def test_model_that_fits_is_chosen_and_retired_ones_have_heirs(wanted, needs, chosen):
    choice = Catalogue(tuple(models().values())).choose("image", wanted, needs=needs)
    assert choice.model.id == chosen
    assert bool(choice.warnings) == (wanted is not None)


def test_pictures_are_made_by_the_makers_alone():
    offered = Catalogue(tuple(models().values())).offered("image", {"text_to_image"})
    assert tuple(model.id for model in offered) == MAKERS


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("stable-image-core", "0.03"),
        ("stable-image-ultra", "0.08"),
        ("sd3.5-large", "0.065"),
        ("sd3.5-large-turbo", "0.04"),
        ("sd3.5-medium", "0.035"),
        ("stable-image-inpaint", "0.05"),
        ("stable-image-erase", "0.05"),
        ("stable-image-outpaint", "0.04"),
        ("stable-image-search-replace", "0.05"),
        ("stable-image-search-recolor", "0.05"),
        ("stable-image-remove-background", "0.05"),
        ("stable-image-upscale-fast", "0.02"),
        ("stable-image-upscale-conservative", "0.40"),
        ("stable-image-upscale-creative", "0.60"),
    ],
)
def test_price_is_the_vendors_credits(model, usd):
    row = models()[model]
    assert media_price(row, everything(row)) == Decimal(usd)
    assert row.when


def test_lane_holds_at_the_vendor_only():
    assert Stability({}, Http()).lanes["image"].per_minute == 120
    assert not Stability({"STABILITY_BASE_URL": "http://localhost:9"}, Http()).lanes
