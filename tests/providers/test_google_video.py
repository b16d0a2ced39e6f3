"""Google's clips: the interaction that is asked for, its inputs, its ends, and the download of what it made."""

import io
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from google_sdk import assert_equal_requests, sent_by_sdk
from PIL import Image
from wire_google import API, FILE, KEY, WIRE, interaction, problem

from providers.catalogue import Catalogue
from providers.errors import DownloadFailed, JobFailed, Moderated, NotOffered
from providers.google import Google
from providers.http import Http
from providers.prices import media_cost, media_price
from providers.types import Done, Media, Output, Pending, Ticket, VideoRequest

pytestmark = pytest.mark.anyio

MODEL = "gemini-omni-1.1-flash"
TICKET = Ticket(job_id="i1")
CLIP = Media("video/mp4", data=b"a clip")


def png(width: int, height: int) -> Media:
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return Media("image/png", data=file.getvalue())


MEDIA = {"a": png(4, 9), "b": png(9, 4), "v": CLIP, "p": Media("application/pdf", data=b"%PDF-")}


def clip(**fields: Any) -> VideoRequest:
    return VideoRequest(model=MODEL, prompt="it yawns", **fields)


@pytest.fixture
async def family() -> AsyncIterator[Google]:
    http = Http()
    yield Google({"GOOGLE_API_KEY": KEY}, http)
    await http.aclose()


@pytest.fixture
def create(vendor):
    return vendor.post(f"{API}/interactions").mock(return_value=WIRE.accepted)


def sent(route) -> dict:
    return json.loads(route.calls.last.request.content)


async def polled(family, vendor, status: str, *content: dict[str, Any], **fields: Any) -> Done | Pending:
    vendor.get(f"{API}/interactions/i1").mock(return_value=interaction(status, *content, **fields))
    return await family.poll(TICKET)


# ---- the request -----------------------------------------------------------------------------------------------------


def theirs(content: list[dict[str, Any]], made: dict[str, Any], task: str):
    return sent_by_sdk(
        lambda client: client.interactions.create(
            model=MODEL,
            input=content,
            background=True,
            store=True,
            response_format={"type": "video", "delivery": "uri"} | made,
            generation_config={"video_config": {"task": task}},
        ),
        {"id": "i1", "status": "in_progress"},
        store=None,
    )


async def test_clip_from_text_equals_the_official_clients(family, create):
    await family.submit(clip(width=1080, height=1920), {})
    made = {"duration": "5s", "aspect_ratio": "9:16", "resolution": "1080p"}
    assert_equal_requests(
        create.calls.last.request, theirs([{"type": "text", "text": "it yawns"}], made, "text_to_video")
    )


async def test_animation_equals_the_official_clients_and_keeps_the_shape_of_its_picture(family, create):
    await family.submit(clip(image="a"), MEDIA)
    made = {"duration": "5s", "aspect_ratio": "9:16"}
    assert_equal_requests(create.calls.last.request, theirs(inside("a"), made, "image_to_video"))


def inside(*names: str) -> list[dict[str, Any]]:
    """The content of a request with these inputs, and its words."""
    given = [(MEDIA[name].media_type, MEDIA[name].data_uri().partition(",")[2]) for name in names]
    shown = [{"type": kind.partition("/")[0], "data": data, "mime_type": kind} for kind, data in given]
    return [*shown, {"type": "text", "text": "it yawns"}]


async def test_edit_equals_the_official_clients_and_keeps_the_length_and_the_shape_of_its_clip(family, create):
    ticket = await family.submit(clip(video="v", references=("a",), width=1280, height=720), MEDIA)
    assert_equal_requests(create.calls.last.request, theirs(inside("v", "a"), {"resolution": "720p"}, "edit"))
    assert "keeps the length" in ticket.warnings[0]


async def test_clip_that_is_filmed_on_equals_the_official_clients(family, create):
    await family.submit(clip(video="v", options={"task": "extend"}), MEDIA)
    assert_equal_requests(create.calls.last.request, theirs(inside("v"), {"duration": "5s"}, "extend"))


async def test_clip_with_references_equals_the_official_clients(family, create):
    await family.submit(clip(references=("a", "b"), width=1280, height=720), MEDIA)
    made = {"duration": "5s", "aspect_ratio": "16:9", "resolution": "720p"}
    assert_equal_requests(create.calls.last.request, theirs(inside("a", "b"), made, "reference_to_video"))


async def test_first_frame_beside_references_is_told_in_the_prompt(family, create):
    await family.submit(clip(image="a", references=("b",)), MEDIA)
    body = sent(create)
    assert body["generation_config"]["video_config"]["task"] == "reference_to_video"
    said = body["input"][0]["content"][-1]["text"]
    assert said.startswith("[# Sources <FIRST_FRAME>@Image1] [# References <IMAGE_REF_0>@Image2] it yawns")


async def test_poll_and_cancel_equal_the_official_clients(family, vendor):
    get = vendor.get(f"{API}/interactions/i1").mock(return_value=WIRE.jobs.pending)
    cancel = vendor.post(f"{API}/interactions/i1/cancel").mock(return_value=WIRE.jobs.cancelled)
    await family.poll(TICKET)
    await family.cancel(TICKET)
    answer = {"id": "i1", "status": "in_progress"}
    asked = sent_by_sdk(lambda client: client.interactions.get(id="i1"), answer, store=None)
    stopped = sent_by_sdk(lambda client: client.interactions.cancel(id="i1"), answer, store=None)
    assert (get.calls.last.request.method, get.calls.last.request.url.path) == (asked.method, asked.url.path)
    assert (cancel.calls.last.request.method, str(cancel.calls.last.request.url)) == (stopped.method, str(stopped.url))


@pytest.mark.parametrize(
    ("model", "asked", "made"), [(MODEL, 30, 10), (MODEL, 1, 3), ("gemini-omni-1.2-flash", 30, 15)]
)
async def test_duration_is_the_nearest_allowed_and_warned_about(family, create, model, asked, made):
    ticket = await family.submit(VideoRequest(model=model, prompt="x", duration_s=asked), {})
    assert sent(create)["response_format"]["duration"] == f"{made}s"
    assert ticket.warnings == (f"{model} was asked for {asked} s and makes {made} s, the nearest it can.",)


@pytest.mark.parametrize(
    ("size", "shape"),
    [((1280, 720), ("16:9", "720p")), ((3840, 2160), ("16:9", "4k")), ((1000, 1000), ("16:9", "1080p"))],
)
async def test_size_becomes_the_nearest_shape_and_resolution(family, create, size, shape):
    ticket = await family.submit(clip(width=size[0], height=size[1]), {})
    made = sent(create)["response_format"]
    assert (made["aspect_ratio"], made["resolution"]) == shape
    assert bool(ticket.warnings) == (size == (1000, 1000))


async def test_seed_is_ignored_aloud(family, create):
    ticket = await family.submit(clip(seed=7), {})
    assert "seed" not in json.dumps(sent(create))
    assert "takes no seed" in ticket.warnings[0]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (clip(video="v", image="a"), "not both"),
        (clip(references=("a",) * 11), "at most 10 pictures"),
        (clip(image="z"), "z is not attached"),
        (clip(image="v"), "wants a file of the kind image"),
        (clip(video="a"), "wants a file of the kind video"),
        (clip(options={"task": "edit"}), "give it as `video`"),
        (clip(video="v", options={"task": "upscale"}), "does not take this task"),
    ],
)
async def test_what_the_model_cannot_do_is_refused_before_it_is_sent(family, create, request_, said):
    with pytest.raises(NotOffered, match=said):
        await family.submit(request_, MEDIA)
    assert not create.called


# ---- the job ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "pending"),
    [("queued", Pending(waiting=True)), ("in_progress", Pending()), ("reviewing", Pending())],
)
async def test_status_that_is_no_end_is_pending(family, vendor, status, pending):
    assert await polled(family, vendor, status) == pending


@pytest.mark.parametrize("uri", [FILE, "files/f1", f"{FILE}:download?alt=media", f"{FILE}?x=1"])
async def test_finished_clip_is_an_address_that_gives_the_bytes(family, vendor, uri):
    done = await polled(family, vendor, "completed", {"type": "text", "text": "Done."}, {"type": "video", "uri": uri})
    (output,) = done.outputs
    assert output.url.startswith(FILE)
    assert output.url.count("alt=media") == 1
    assert output.authorised


async def test_clip_inside_the_answer_is_taken(family, vendor):
    assert await polled(family, vendor, "completed", {"type": "video", "data": "QUJD"}) == Done((Output(data=b"ABC"),))


async def test_what_was_given_is_not_taken_for_what_was_made(family, vendor):
    given = {"type": "model_output", "content": [{"type": "video", "uri": f"{API}/files/given"}]}
    asked = {"type": "user_input", "content": [{"type": "video", "uri": f"{API}/files/given"}]}
    made = {"type": "model_output", "content": [{"type": "video", "uri": FILE}]}
    done = await polled(family, vendor, "completed", steps=[given, asked, {"type": "thought"}, made])
    assert [output.url for output in done.outputs] == [f"{FILE}?alt=media"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ((), "not allowed where the account is"),
        (({"type": "text", "text": "I cannot show him."},), "I cannot show him"),
    ],
)
async def test_job_done_without_a_clip_was_blocked(family, vendor, content, said):
    """Trap 20, and rule 6: `completed` with zero tokens and no media."""
    with pytest.raises(Moderated, match=said):
        await polled(family, vendor, "completed", *content, usage={"total_output_tokens": 0})


@pytest.mark.parametrize(
    ("status", "fields", "error", "said"),
    [
        ("failed", {"errors": [{"message": "The prompt was blocked by our safety filters."}]}, Moderated, "blocked"),
        ("failed", {"errors": [{"code": "content_policy", "message": "No."}]}, Moderated, "No."),
        ("failed", {"errors": [{"code": "internal", "message": "Broken."}]}, JobFailed, "Broken."),
        ("failed", {"steps": [{"type": "model_output", "error": {"message": "Bust."}}]}, JobFailed, "Bust."),
        ("failed", {}, JobFailed, "no reason"),
        ("cancelled", {}, JobFailed, "cancelled"),
        ("incomplete", {}, JobFailed, "broke the job off"),
        ("budget_exceeded", {}, JobFailed, "budget"),
        ("requires_action", {}, JobFailed, "further step"),
        ("requires_continuation", {}, JobFailed, "further step"),
    ],
)
async def test_bad_ends_are_told_plainly(family, vendor, status, fields, error, said):
    with pytest.raises(error, match=said) as caught:
        await polled(family, vendor, status, **fields)
    assert "content_policy" not in str(caught.value)


async def test_clip_is_billed_by_its_tokens(family, vendor):
    """28,960 tokens of film at 17.50 a million, 20 of prompt at 1.50."""
    tokens = {"total_input_tokens": 20, "total_output_tokens": 28960, "total_thought_tokens": 0}
    done = await polled(family, vendor, "completed", {"type": "video", "uri": FILE}, usage=tokens)
    assert media_cost(family.row(MODEL), clip(), done.usage) == Decimal("0.506830")
    assert media_price(family.row(MODEL), clip()) == Decimal("0.5")


async def test_cost_of_a_model_without_a_price_of_its_own_is_unknown(family, vendor):
    row = family.row("gemini-omni-1.2-flash")
    tokens = {"total_input_tokens": 20, "total_output_tokens": 28960}
    done = await polled(family, vendor, "completed", {"type": "video", "uri": FILE}, model=row.id, usage=tokens)
    assert media_cost(row, clip(), done.usage) is None
    assert media_price(row, clip()) == Decimal("0.5")


def test_polls_are_ten_seconds_apart_at_google_itself_only():
    assert Google({}, Http()).poll_every_s == 10.0
    assert Google({"GOOGLE_BASE_URL": "http://localhost:9"}, Http()).poll_every_s < 1


# ---- the download ----------------------------------------------------------------------------------------------------


async def fetched(family: Google, url: str) -> bytes:
    output = Output(url=url, authorised=True)
    headers = lambda at: family.download_headers(output, at)  # noqa: E731
    pieces = family.http.download(url, vendor_url=family.base_url, headers_for=headers)
    return b"".join([piece async for piece in pieces])


async def test_key_goes_to_google_and_does_not_follow_to_another_host(family, vendor):
    async def resolve(host: str, port: int) -> list[str]:
        return ["8.8.8.8"]

    family.http._downloads._resolve = resolve
    first = vendor.get(f"{FILE}?alt=media").respond(302, headers={"location": "https://storage.test/f1"})
    second = vendor.get(url__regex="https://8.8.8.8/f1").respond(content=b"film")
    assert await fetched(family, f"{FILE}?alt=media") == b"film"
    assert first.calls.last.request.headers["x-goog-api-key"] == KEY
    assert "x-goog-api-key" not in second.calls.last.request.headers


async def test_redirect_without_a_place_is_no_file(family, vendor):
    """Trap 20: a download can answer 302 with a JSON error."""
    vendor.get(f"{FILE}?alt=media").respond(302, json={"error": {"message": "moved"}})
    with pytest.raises(DownloadFailed):
        await fetched(family, f"{FILE}?alt=media")


async def test_gateways_key_stays_at_the_gateway():
    family = Google({"GOOGLE_API_KEY": KEY, "GOOGLE_BASE_URL": "https://gateway.test/google"}, Http())
    assert family.download_headers(Output(url=FILE, authorised=True), FILE) == {}


# ---- the models ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "needs", "chosen"),
    [
        (None, {"text_to_video"}, "gemini-omni-1.2-flash"),
        ("veo-3.1-generate-preview", {"text_to_video"}, "gemini-omni-1.1-flash"),
        ("veo-2.0-generate-001", {"image_to_video"}, "gemini-omni-1.1-flash"),
        ("gemini-omni-flash-preview", {"video_to_video"}, "gemini-omni-1.2-flash"),
    ],
)
def test_retired_models_have_heirs_and_the_user_is_told(wanted, needs, chosen):
    choice = Catalogue(Google({"GOOGLE_API_KEY": KEY}, Http()).models).choose("video", wanted, needs=needs)
    assert choice.model.id == chosen
    assert bool(choice.warnings) == (wanted is not None)


async def test_job_of_another_account_is_no_verdict(family, vendor):
    vendor.get(f"{API}/interactions/i1").mock(return_value=problem(403, "PERMISSION_DENIED"))
    with pytest.raises(Exception, match="refused the key") as caught:
        await family.poll(TICKET)
    assert not caught.value.permanent
