"""The fakes are faithful: the vendors' own SDKs cannot tell them from the real ones."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import av
import httpx
import httpx2
import openai
import pytest
import replicate
import replicate.exceptions
import respx
import runwayml
from PIL import Image

from tests.fake_vendors import KEYS, FakeVendors

FLUX = "black-forest-labs/flux-1.1-pro"
CLIP = {"model": "gen4.5", "prompt_text": "a cat", "ratio": "1280:720", "duration": 2}
MIB = 1024**2


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeVendors]:
    with FakeVendors(tmp_path_factory.mktemp("fakes")) as running:
        yield running


@pytest.fixture
def fakes(process: FakeVendors, vendor: respx.MockRouter, openai_api: respx.MockRouter) -> FakeVendors:
    """The vendors as new, reachable from both HTTP stacks."""
    vendor.route(host="127.0.0.1").pass_through()
    openai_api.route(host="127.0.0.1").pass_through()
    process.reset()
    process.control(latency={"replicate": 0.0, "runway": 0.0})
    return process


@pytest.fixture
def gpt(fakes: FakeVendors) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=KEYS["OPENAI_API_KEY"], base_url=f"{fakes.url}/openai/v1", max_retries=0) as client:
        yield client


@pytest.fixture
def flux(fakes: FakeVendors) -> replicate.Client:
    return replicate.Client(api_token=KEYS["REPLICATE_API_TOKEN"], base_url=f"{fakes.url}/replicate")


@pytest.fixture
def runway(fakes: FakeVendors) -> Iterator[runwayml.RunwayML]:
    key = KEYS["RUNWAYML_API_SECRET"]
    with runwayml.RunwayML(api_key=key, base_url=f"{fakes.url}/runway", max_retries=0) as client:
        yield client


def tool(name: str, required: list[str], **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


TEXT = {"type": "string", "minLength": 1}
TOOLS = [
    tool("enhance_prompt", ["prompt"], prompt=TEXT),
    tool("generate_image", ["prompt"], prompt=TEXT, provider={"enum": ["dalle3", "flux-1.1-pro"]}, size=TEXT),
    tool("generate_video", ["prompt", "duration"], prompt=TEXT, duration={"type": "integer", "maximum": 10}),
    tool("generate_speech", ["text"], text=TEXT, voice={"enum": ["alloy", "nova"], "default": "nova"}),
]
ASKED = [{"role": "user", "content": "a cat on a wall"}]


def answered(turn: Any) -> list[Any]:
    """The conversation after a turn's calls, with the pictures a harness shows behind the answers."""
    answers = [{"role": "tool", "tool_call_id": call.id, "content": "done"} for call in turn.tool_calls]
    return [*ASKED, turn.model_dump(exclude_none=True), *answers, {"role": "user", "content": "Image 1:"}]


def wait_until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


# ---- openai ----------------------------------------------------------------------------------------------------------


def test_the_planner_calls_everything_in_one_turn_and_then_answers(gpt: openai.OpenAI, fakes: FakeVendors) -> None:
    turn = gpt.chat.completions.create(model="gpt-4o", messages=ASKED, tools=TOOLS).choices[0]
    calls = {call.function.name: json.loads(call.function.arguments) for call in turn.message.tool_calls}
    assert calls == {
        "generate_image": {"prompt": "a cat on a wall", "provider": "flux-1.1-pro"},
        "generate_video": {"prompt": "a cat on a wall", "duration": 5},
        "generate_speech": {"text": "a cat on a wall"},
    }
    last = gpt.chat.completions.create(model="gpt-4o", messages=answered(turn.message), tools=TOOLS)
    assert (turn.finish_reason, last.choices[0].message.content) == ("tool_calls", "Here is your post.")
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens
    assert fakes.ledger()["submits"]["openai.chat"] == 2


def test_a_new_prompt_after_an_answer_is_planned_again(gpt: openai.OpenAI) -> None:
    history = [*ASKED, {"role": "assistant", "content": "Here is your post."}, {"role": "user", "content": "at night"}]
    turn = gpt.chat.completions.create(model="gpt-4o", messages=history, tools=TOOLS).choices[0].message
    assert json.loads(turn.tool_calls[0].function.arguments)["prompt"] == "at night"


def test_a_request_without_tools_is_answered_with_a_better_prompt(gpt: openai.OpenAI, fakes: FakeVendors) -> None:
    fakes.control(chat=[{"content": "for a conversation"}])
    turn = gpt.chat.completions.create(model="gpt-4o-mini", messages=ASKED).choices[0].message
    assert turn.content.startswith("a cat on a wall, ")
    assert turn.tool_calls is None


def test_a_script_is_followed_in_order_where_it_matches(gpt: openai.OpenAI, fakes: FakeVendors) -> None:
    broken = [{"name": "generate_image", "arguments": "{oops"}]
    fakes.control(chat=[{"match": "a dog", "content": "woof"}, {"tool_calls": broken}, {"content": "sorry"}])
    turns = [gpt.chat.completions.create(model="gpt-4o", messages=ASKED, tools=TOOLS) for _ in range(3)]
    messages = [turn.choices[0].message for turn in turns]
    assert messages[0].tool_calls[0].function.arguments == "{oops"
    assert messages[1].content == "sorry"
    assert len(messages[2].tool_calls) == 3


def test_a_scripted_refusal_is_not_counted_as_a_submit(gpt: openai.OpenAI, fakes: FakeVendors) -> None:
    error = {"message": "Quota.", "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}
    fakes.control(chat=[{"status": 429, "body": {"error": error}}])
    with pytest.raises(openai.RateLimitError) as caught:
        gpt.chat.completions.create(model="gpt-4o", messages=ASKED, tools=TOOLS)
    assert (caught.value.code, bool(caught.value.request_id)) == ("insufficient_quota", True)
    assert fakes.ledger()["submits"]["openai.chat"] == 0


def test_a_streamed_turn_adds_up_to_the_same_calls(gpt: openai.OpenAI) -> None:
    options = {"include_usage": True}
    with gpt.chat.completions.stream(model="gpt-4o", messages=ASKED, tools=TOOLS, stream_options=options) as stream:
        whole = stream.get_final_completion()
    names = [call.function.name for call in whole.choices[0].message.tool_calls]
    assert names == ["generate_image", "generate_video", "generate_speech"]
    assert json.loads(whole.choices[0].message.tool_calls[1].function.arguments)["duration"] == 5
    assert whole.usage.total_tokens > 0


def test_a_conversation_with_an_unanswered_call_is_refused(gpt: openai.OpenAI) -> None:
    turn = gpt.chat.completions.create(model="gpt-4o", messages=ASKED, tools=TOOLS).choices[0].message
    short = [each for each in answered(turn) if each.get("tool_call_id") != turn.tool_calls[1].id]
    with pytest.raises(openai.BadRequestError, match=turn.tool_calls[1].id):
        gpt.chat.completions.create(model="gpt-4o", messages=short, tools=TOOLS)


@pytest.mark.parametrize(("model", "extra"), [("gpt-6-luna", {}), ("gpt-6-luna", {"reasoning_effort": "low"})])
def test_a_reasoning_model_takes_tools_only_without_reasoning(gpt: openai.OpenAI, model: str, extra: Any) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        gpt.chat.completions.create(model=model, messages=ASKED, tools=TOOLS, **extra)
    assert caught.value.param == "reasoning_effort"
    gpt.chat.completions.create(model=model, messages=ASKED, tools=TOOLS, reasoning_effort="none")


def test_a_picture_has_the_asked_size_and_its_own_bytes(gpt: openai.OpenAI, fakes: FakeVendors) -> None:
    fakes.control(image_bytes=MIB)
    made = gpt.images.generate(model="gpt-image-2.6-flare", prompt="a cat", size="1536x1024", quality="low", n=2)
    first, second = (base64.b64decode(each.b64_json) for each in made.data)
    with Image.open(io.BytesIO(first)) as picture:
        picture.load()
        assert (picture.format, picture.size, len(first)) == ("PNG", (1536, 1024), MIB)
    assert first != second
    assert made.usage.output_tokens == 2 * 408
    assert made.data[0].url is None


def test_a_picture_is_edited_and_streamed(gpt: openai.OpenAI, fakes: FakeVendors) -> None:
    given = ("cat.png", b"not looked at", "image/png")
    edited = gpt.images.edit(model="gpt-image-2.6-flare", image=[given, given], prompt="a hat")
    stream = gpt.images.generate(model="gpt-image-2.6-flare", prompt="a cat", stream=True, partial_images=1)
    assert [event.type for event in stream] == ["image_generation.partial_image", "image_generation.completed"]
    assert edited.usage.input_tokens_details.image_tokens > 0
    assert fakes.ledger()["submits"]["openai.edits"] == 1


@pytest.mark.parametrize("wrong", [{"response_format": "url"}, {"size": "1000x1000"}, {"quality": "hd"}])
def test_a_picture_with_a_dead_parameter_is_refused(gpt: openai.OpenAI, fakes: FakeVendors, wrong: Any) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        gpt.images.generate(model="gpt-image-2.6-flare", prompt="a cat", **wrong)
    assert caught.value.param == next(iter(wrong))
    assert fakes.ledger()["submits"]["openai.images"] == 0


def test_a_dead_model_does_not_exist(gpt: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        gpt.images.generate(model="dall-e-3", prompt="a cat")
    assert caught.value.code == "model_not_found"
    assert {model.id: model.shutdown_date for model in gpt.models.list()}["gpt-4o"] == "2027-01-14"


@pytest.mark.parametrize("form", ["mp3", "wav", "flac", "opus", "aac"])
def test_speech_is_as_long_as_its_text(gpt: openai.OpenAI, form: Any) -> None:
    said = gpt.audio.speech.create(model="tts-1", voice="nova", input="x" * 60, response_format=form).content
    with av.open(io.BytesIO(said)) as sound:
        seconds = sum(frame.samples / frame.sample_rate for frame in sound.decode(audio=0))
    assert seconds == pytest.approx(4.0, abs=0.2)


def test_a_transcript_has_the_shape_of_its_model(gpt: openai.OpenAI) -> None:
    sound = ("said.wav", b"not listened to", "audio/wav")
    told = gpt.audio.transcriptions.create(model="gpt-transcribe", file=sound)
    long = gpt.audio.transcriptions.create(model="whisper-1", file=sound, response_format="verbose_json")
    assert told.text == long.text == "Hello from the fake vendor."
    assert long.segments[0].end > long.duration


# ---- replicate -------------------------------------------------------------------------------------------------------


def test_a_prediction_of_one_picture_is_a_url(flux: replicate.Client, fakes: FakeVendors) -> None:
    fakes.control(latency={"replicate": 0.1})
    made = flux.predictions.create(version=FLUX, input={"prompt": "a cat", "aspect_ratio": "16:9"})
    assert (made.status, made.output) == ("starting", None)
    made.wait()
    picture = httpx.get(made.output)
    assert (made.status, picture.headers["content-type"]) == ("succeeded", "image/webp")
    assert Image.open(io.BytesIO(picture.content)).size == (1344, 768)
    assert fakes.ledger()["submits"]["replicate"] == 1


def test_a_prediction_of_schnell_is_a_list(flux: replicate.Client) -> None:
    given = {"prompt": "a cat", "output_format": "png", "num_outputs": 2}
    made = flux.models.predictions.create("black-forest-labs/flux-schnell", input=given, wait=False)
    made.reload()
    assert [url.rpartition("/")[2] for url in made.output] == ["out-0.png", "out-1.png"]


def test_a_prediction_of_a_video_model_is_a_clip(flux: replicate.Client) -> None:
    output = flux.run("minimax/video-01", input={"prompt": "a cat"}, use_file_output=False)
    assert httpx.head(output).headers["content-type"] == "video/mp4"


def test_a_blocking_prediction_has_its_output_before_it_has_succeeded(flux: replicate.Client) -> None:
    made = flux.predictions.create(version=FLUX, input={"prompt": "a cat"}, wait=5)
    assert (made.status, made.completed_at) == ("processing", None)
    assert made.output.endswith(".webp")


def test_a_cancelled_prediction_stays_cancelled(flux: replicate.Client, fakes: FakeVendors) -> None:
    fakes.control(latency={"replicate": 60.0})
    made = flux.predictions.create(version=FLUX, input={"prompt": "a cat"})
    made.cancel()
    made.reload()
    assert (made.status, made.output) == ("canceled", None)
    assert fakes.ledger()["cancels"]["replicate"] == 1


def test_predictions_are_listed_newest_first_within_a_window(flux: replicate.Client, fakes: FakeVendors) -> None:
    made = [flux.predictions.create(version=FLUX, input={"prompt": str(n)}) for n in range(103)]
    page = flux.predictions.list()
    assert [each.input["prompt"] for each in page.results] == [str(n) for n in range(102, 2, -1)]
    assert [each.id for each in flux.predictions.list(page.next).results] == [each.id for each in made[2::-1]]
    late = (datetime.fromisoformat(made[-1].created_at) + timedelta(seconds=1)).isoformat()
    window = httpx.get(
        f"{fakes.url}/replicate/v1/predictions",
        params={"created_after": late},
        headers={"authorization": f"Bearer {KEYS['REPLICATE_API_TOKEN']}"},
    )
    assert window.json()["results"] == []


def test_replicate_takes_an_upload(flux: replicate.Client, fakes: FakeVendors) -> None:
    stored = flux.files.create(io.BytesIO(b"a picture"), filename="cat.png")
    assert (stored.size, stored.content_type) == (9, "image/png")
    assert fakes.ledger()["uploads"]["replicate"] == 1


def test_replicate_tells_of_an_upload_what_it_told_at_first(flux: replicate.Client) -> None:
    uploaded = flux.files.create(io.BytesIO(b"a picture"))
    assert flux.files.get(uploaded.id) == uploaded
    assert uploaded.checksums["sha256"] == hashlib.sha256(b"a picture").hexdigest()
    with pytest.raises(replicate.exceptions.ReplicateError):
        flux.files.get("never")


@pytest.mark.parametrize(
    "body",
    [
        {"version": FLUX, "input": {"prompt": "a cat"}, "seed": 1},
        {"version": FLUX, "input": {"prompt": "a cat", "width": 1000}},
        {"version": FLUX, "input": {}},
        {"version": "someone/unknown", "input": {"prompt": "a cat"}},
    ],
)
def test_a_prediction_that_breaks_the_schema_is_refused(fakes: FakeVendors, body: Any) -> None:
    headers = {"authorization": f"Bearer {KEYS['REPLICATE_API_TOKEN']}"}
    answer = httpx.post(f"{fakes.url}/replicate/v1/predictions", json=body, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (422, 422)
    assert fakes.ledger()["submits"]["replicate"] == 0


# ---- runway ----------------------------------------------------------------------------------------------------------


def test_a_task_runs_and_ends_with_a_signed_clip_of_the_asked_length(
    runway: runwayml.RunwayML, fakes: FakeVendors
) -> None:
    fakes.control(latency={"runway": 0.5})
    made = runway.text_to_video.create(**CLIP)
    seen = []
    wait_until(lambda: seen.append(runway.tasks.retrieve(made.id)) or seen[-1].status == "SUCCEEDED")
    assert {"PENDING", "RUNNING", "SUCCEEDED"} == {task.status for task in seen}
    assert all(0 <= task.progress <= 1 for task in seen if task.status == "RUNNING")
    assert (made.estimated_cost.credits, seen[-1].cost.credits) == (24, 24)
    [url] = seen[-1].output
    with av.open(io.BytesIO(httpx.get(url).content)) as clip:
        assert (clip.duration / 1e6, clip.streams.video[0].width) == (2.0, 1280)
    assert httpx.get(url.partition("?")[0]).status_code == 403


def test_a_deleted_task_cannot_be_found(runway: runwayml.RunwayML, fakes: FakeVendors) -> None:
    fakes.control(latency={"runway": 60.0})
    made = runway.text_to_video.create(**CLIP)
    runway.tasks.delete(made.id)
    with pytest.raises(runwayml.NotFoundError, match="Could not find Task"):
        runway.tasks.retrieve(made.id)
    assert fakes.ledger()["cancels"]["runway"] == 1


def test_a_task_fails_as_its_outcome_says(runway: runwayml.RunwayML, fakes: FakeVendors) -> None:
    fields = {"failure": "No.", "failureCode": "SAFETY.INPUT.TEXT"}
    fakes.control(outcomes=[{"path": "/runway", "match": "blood", "fields": fields}])
    fine = runway.text_to_video.create(**CLIP)
    bad = runway.text_to_video.create(**{**CLIP, "prompt_text": "blood"})
    assert runway.tasks.retrieve(fine.id).status == "SUCCEEDED"
    assert runway.tasks.retrieve(bad.id).failure_code == "SAFETY.INPUT.TEXT"


@pytest.mark.parametrize(
    "wrong",
    [
        {"extra_body": {"seconds": 2}},
        {"duration": 11},
        {"ratio": "16:9"},
        {"prompt_text": ""},
        {"model": "gen3a_turbo"},
    ],
)
def test_a_task_with_a_misplaced_field_is_refused(runway: runwayml.RunwayML, fakes: FakeVendors, wrong: Any) -> None:
    with pytest.raises(runwayml.BadRequestError) as caught:
        runway.text_to_video.create(**{**CLIP, **wrong})
    assert caught.value.body["issues"]
    assert fakes.ledger()["submits"]["runway"] == 0


@pytest.mark.parametrize(
    ("image", "accepted"),
    [
        ("data:image/png;base64,AAAA", True),
        ("https://example.com/cat.png", True),
        ([{"uri": "runway://abc", "position": "first"}], True),
        ("http://127.0.0.1/cat.png", False),
        ([{"uri": "runway://abc", "position": "middle"}], False),
    ],
)
def test_an_image_to_film_is_an_https_url_a_data_uri_or_an_upload(
    runway: runwayml.RunwayML, image: Any, accepted: bool
) -> None:
    try:
        made = runway.image_to_video.create(model="gen4_turbo", prompt_image=image, ratio="1280:720")
    except runwayml.BadRequestError:
        made = None
    assert bool(made) is accepted


def test_a_runway_picture_is_a_png(runway: runwayml.RunwayML) -> None:
    made = runway.text_to_image.create(model="gen4_image", prompt_text="a cat", ratio="1920:1080")
    [url] = runway.tasks.retrieve(made.id).output
    assert Image.open(io.BytesIO(httpx.get(url).content)).size == (1920, 1080)
    assert made.estimated_cost.credits == 8


def test_runway_takes_an_upload_that_is_signed_by_its_fields(runway: runwayml.RunwayML, fakes: FakeVendors) -> None:
    assert runway.uploads.create_ephemeral(file=("cat.png", b"a picture")).uri.startswith("runway://")
    assert fakes.ledger()["uploads"]["runway"] == 1
    assert [entry["authorization"] for entry in fakes.ledger()["requests"]] == ["0003", None]


def test_runway_wants_its_version(fakes: FakeVendors) -> None:
    headers = {"authorization": f"Bearer {KEYS['RUNWAYML_API_SECRET']}"}
    assert httpx.post(f"{fakes.url}/runway/v1/text_to_video", json={}, headers=headers).status_code == 400


# ---- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/openai/v1/images/generations", "/replicate/v1/predictions", "/runway/v1/text_to_video"]
)
@pytest.mark.parametrize("key", [None, "another_vendors_key"])
def test_a_request_without_the_vendors_key_is_401(fakes: FakeVendors, path: str, key: str | None) -> None:
    headers = {"x-runway-version": "2024-11-06"} | ({"authorization": f"Bearer {key}"} if key else {})
    assert httpx.post(fakes.url + path, json={}, headers=headers).status_code == 401
    [entry] = fakes.ledger()["requests"]
    assert entry["authorization"] == (key and "_key")


def test_a_rate_limit_is_answered_before_any_work_is_done(gpt: openai.OpenAI, fakes: FakeVendors) -> None:
    body = {"error": {"message": "Slow down.", "type": "requests", "param": None, "code": "rate_limit_exceeded"}}
    limit = {"path": "/images", "status": 429, "headers": {"retry-after-ms": "1"}, "body": body}
    fakes.control(fail=[{**limit, "times": 2}])
    made = gpt.with_options(max_retries=2).images.generate(model="gpt-image-2.6-flare", prompt="a cat")
    assert made.data
    assert [each["status"] for each in fakes.ledger()["requests"]] == [429, 429, 200]
    assert fakes.ledger()["submits"]["openai.images"] == 1


def test_a_rate_limit_of_replicate_and_runway_is_theirs(
    flux: replicate.Client, runway: runwayml.RunwayML, fakes: FakeVendors
) -> None:
    told = {"detail": "Request was throttled. Your rate limit resets in ~30s."}
    fakes.control(fail=[{"path": "/replicate", "status": 429, "body": told}, {"path": "/runway", "status": 429}])
    with pytest.raises(replicate.exceptions.ReplicateError, match="resets in ~30s"):
        flux.predictions.create(version=FLUX, input={"prompt": "a cat"})
    with pytest.raises(runwayml.RateLimitError):
        runway.text_to_video.create(**CLIP)
    assert fakes.ledger()["failures"] == 2


def test_a_dropped_submit_is_accepted_and_a_repeat_is_a_duplicate(gpt: openai.OpenAI, fakes: FakeVendors) -> None:
    fakes.control(fail=[{"path": "/images", "drop": True}])
    asked = {"model": "gpt-image-2.6-flare", "prompt": "a cat"}
    with pytest.raises(openai.APIConnectionError) as caught:
        gpt.images.generate(**asked)
    assert isinstance(caught.value.__cause__, httpx2.RemoteProtocolError)
    assert fakes.ledger()["submits"]["openai.images"] == 1
    gpt.images.generate(**asked)
    [twice] = fakes.ledger()["duplicates"]
    assert (twice["kind"], twice["times"]) == ("openai.images", 2)


def test_a_dropped_prediction_is_found_in_the_list(flux: replicate.Client, fakes: FakeVendors) -> None:
    fakes.control(fail=[{"path": "/predictions", "method": "POST", "drop": True}])
    with pytest.raises(httpx.RemoteProtocolError):
        flux.predictions.create(version=FLUX, input={"prompt": "a cat"})
    [found] = flux.predictions.list().results
    assert found.input == {"prompt": "a cat"}


def test_a_dropped_task_is_counted(runway: runwayml.RunwayML, fakes: FakeVendors) -> None:
    fakes.control(fail=[{"path": "/runway", "drop": True}])
    with pytest.raises(runwayml.APIConnectionError):
        runway.text_to_video.create(**CLIP)
    assert fakes.ledger()["submits"]["runway"] == 1


def test_a_hanging_submit_is_accepted_at_once(gpt: openai.OpenAI, fakes: FakeVendors) -> None:
    fakes.control(fail=[{"path": "/speech", "hang_s": 60}])
    with pytest.raises(openai.APITimeoutError):
        gpt.with_options(timeout=0.2).audio.speech.create(model="tts-1", voice="nova", input="hello")
    assert fakes.ledger()["submits"]["openai.speech"] == 1


def test_a_server_error_may_come_after_the_work(gpt: openai.OpenAI, fakes: FakeVendors) -> None:
    fakes.control(fail=[{"path": "/speech", "skip": 1, "status": 500, "accept": True}])
    gpt.audio.speech.create(model="tts-1", voice="nova", input="hello")
    with pytest.raises(openai.InternalServerError):
        gpt.audio.speech.create(model="tts-1", voice="nova", input="hello")
    assert fakes.ledger()["submits"]["openai.speech"] == 2


def test_a_big_clip_is_streamed_without_being_held(
    runway: runwayml.RunwayML, fakes: FakeVendors, tmp_path: Any
) -> None:
    import psutil

    size, server = 300 * MIB, psutil.Process(fakes.pid)
    fakes.control(video_bytes=size)
    [url] = runway.tasks.retrieve(runway.text_to_video.create(**CLIP).id).output
    httpx.head(url)
    before, peak = server.memory_info().rss, 0
    with httpx.stream("GET", url) as answer, (tmp_path / "big.mp4").open("wb") as file:
        for piece in answer.iter_bytes(MIB):
            file.write(piece)
            peak = max(peak, server.memory_info().rss)
    assert (int(answer.headers["content-length"]), file.name and (tmp_path / "big.mp4").stat().st_size) == (size, size)
    assert peak - before < 50 * MIB
    with av.open(str(tmp_path / "big.mp4")) as clip:
        assert len(list(clip.decode(video=0))) == 48


def test_an_unknown_setting_is_refused(fakes: FakeVendors) -> None:
    with pytest.raises(ValueError, match="unknown keys"):
        fakes.control(latencies={})
    with pytest.raises(ValueError, match="Failure has no"):
        fakes.control(fail=[{"pfad": "/images"}])


def test_the_process_listens_on_loopback_and_stops(tmp_path: Any) -> None:
    with FakeVendors(tmp_path / "another") as another:
        assert another.url.startswith("http://127.0.0.1:")
        assert another.ledger()["requests"] == []
    with pytest.raises(OSError, match="refused"):
        another.ledger()
