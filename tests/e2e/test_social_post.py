"""The main job: one prompt becomes a picture by Flux, a clip by Runway and a narration."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import av
import pytest
from PIL import Image

from tests.e2e.stage import PROMPT, Json, Stage, answers, call, step_of, turn, types_of
from tests.fake_vendors import FakeVendors
from tests.server import Event, Server

SIDE_BY_SIDE = {"replicate": 0.6, "runway": 0.8, "speech": 0.4}


@pytest.fixture(scope="module")
def post(server: Server, vendors: FakeVendors) -> tuple[Stage, Json, list[Event], Json]:
    """One finished post with its events, and what the vendors saw of it."""
    vendors.reset()
    vendors.control(latency=SIDE_BY_SIDE)
    stage = Stage(server, vendors)
    made = stage.made(metadata={"campaign": "autumn"})
    return stage, made, stage.events(made["id"]), vendors.ledger()


Post = tuple[Stage, Json, list[Event], Json]


def test_a_post_comes_back_complete(post: Post) -> None:
    made = post[1]
    assert (made["status"], made["stop_reason"], made["response"]) == ("completed", "answered", "Here is your post.")
    assert [(asset["type"], asset["provider"], asset["model"]) for asset in made["assets"]] == [
        ("image", "replicate", "flux-1.1-pro"),
        ("video", "runway", "gen4.5"),
        ("speech", "openai", "tts-1"),
    ]
    assert {asset["prompt"] for asset in made["assets"]} == {PROMPT}
    assert (made["warnings"], made["error"], made["metadata"]) == ([], None, {"campaign": "autumn"})


def test_the_picture_can_be_decoded_and_has_the_stated_size(post: Post) -> None:
    stage, made, _, _ = post
    asset = made["assets"][0]
    data = stage.content(asset)
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", (asset["width"], asset["height"]))
    assert (len(data), asset["media_type"]) == (asset["bytes"], "image/png")


def test_the_clip_can_be_decoded_and_is_as_long_as_asked(post: Post) -> None:
    stage, made, _, _ = post
    asset = made["assets"][1]
    with av.open(io.BytesIO(stage.content(asset))) as clip:
        frames = sum(1 for _ in clip.decode(video=0))
        assert (clip.duration / 1e6, frames) == (5.0, 120)
    assert (asset["duration_s"], asset["width"], asset["height"]) == (5.0, 1280, 720)


def test_the_narration_can_be_decoded_and_is_as_long_as_stated(post: Post) -> None:
    stage, made, _, _ = post
    asset = made["assets"][2]
    with av.open(io.BytesIO(stage.content(asset))) as sound:
        seconds = sum(frame.samples / frame.sample_rate for frame in sound.decode(audio=0))
    assert seconds == pytest.approx(asset["duration_s"], abs=0.1)
    assert (asset["voice"], asset["media_type"], asset["thumbnail_url"]) == ("nova", "audio/mpeg", None)


@pytest.mark.parametrize("position", [0, 1])
def test_a_picture_and_a_clip_have_thumbnails(post: Post, position: int) -> None:
    stage, made, _, _ = post
    reply = stage.server.get(made["assets"][position]["thumbnail_url"])
    with Image.open(io.BytesIO(reply.body)) as picture:
        assert (picture.format, max(picture.size)) == ("WEBP", 512)


def test_the_cost_adds_up_and_admits_what_is_not_known(post: Post) -> None:
    made = post[1]
    costs = {step["name"]: step["cost_usd"] for step in made["steps"] if step["kind"] == "tool"}
    known = [Decimal(step["cost_usd"]) for step in made["steps"] if step["cost_usd"] is not None]
    assert Decimal(costs["generate_video"]) == Decimal("0.60")
    assert Decimal(costs["generate_speech"]) == Decimal(len(PROMPT)) * 15 / 1_000_000
    assert costs["generate_image"] is None
    assert (Decimal(made["cost_usd"]), made["cost_is_complete"]) == (sum(known), False)


def test_every_turn_and_tool_call_is_a_step_with_its_asset(post: Post) -> None:
    made = post[1]
    assert [(step["kind"], step["name"], step["status"]) for step in made["steps"]] == [
        ("turn", "gpt-4o", "completed"),
        ("tool", "generate_image", "completed"),
        ("tool", "generate_video", "completed"),
        ("tool", "generate_speech", "completed"),
        ("turn", "gpt-4o", "completed"),
    ]
    assert [step["asset_ids"] for step in made["steps"][1:4]] == [[asset["id"]] for asset in made["assets"]]
    assert step_of(made, "generate_video")["arguments"] == {"prompt": PROMPT, "duration": 5}


def test_the_usage_counts_turns_calls_and_tokens(post: Post) -> None:
    usage = post[1]["usage"]
    assert (usage["model_turns"], usage["tool_calls"]) == (2, 3)
    assert min(usage["input_tokens"], usage["output_tokens"]) > 0


def test_the_three_calls_overlap(post: Post) -> None:
    names = [event.name for event in post[2]]
    assert names.count("tool.started") == names.count("tool.completed") == 3
    assert max(place for place, name in enumerate(names) if name == "tool.started") < names.index("tool.completed")


def test_the_vendors_get_all_three_submits_before_any_work_is_fetched(post: Post) -> None:
    paths = [row["path"] for row in post[3]["requests"]]
    submits = [paths.index(f"/{path}") for path in ("replicate/v1/predictions", "runway/v1/text_to_video")]
    spoken = paths.index("/openai/v1/audio/speech")
    assert max(*submits, spoken) < min(place for place, path in enumerate(paths) if path.startswith("/files/"))


def test_the_model_is_told_ids_and_neither_addresses_nor_bytes(post: Post) -> None:
    stage, made, _, _ = post
    last = [row["body"] for row in post[3]["requests"] if row["path"].endswith("/chat/completions")][-1]
    told = [json.loads(answer)["assets"][0] for answer in answers(last)]
    assert [facts["id"] for facts in told] == [asset["id"] for asset in made["assets"]]
    assert not any(word in json.dumps(last) for word in (stage.fakes.url, "://", "base64", "/files/"))


@pytest.mark.parametrize(
    ("name", "made_by"),
    [("flux", ("replicate", "flux-1.1-pro")), ("dalle3", ("openai", "gpt-image-2.5-sunburst"))],
)
def test_the_old_provider_names_are_understood(stage: Stage, name: str, made_by: tuple[str, str]) -> None:
    stage.script(turn(call("generate_image", prompt="a cup", provider=name)))
    [asset] = stage.made()["assets"]
    assert (asset["provider"], asset["model"]) == made_by


@pytest.mark.parametrize(
    ("modality", "retired", "heir"),
    [
        ("video", "gen3a_turbo", "gen4.5"),
        ("image", "dall-e-3", "gpt-image-2.5-sunburst"),
        ("image", "gpt-image-1", "gpt-image-2.5-sunburst"),
    ],
)
def test_a_pinned_model_that_is_retired_is_replaced_with_a_warning(
    stage: Stage, modality: str, retired: str, heir: str
) -> None:
    made = stage.made(models={modality: retired})
    assert heir in [asset["model"] for asset in made["assets"] if asset["type"] == modality]
    [warning] = made["warnings"]
    assert retired in warning
    assert f"{heir} was used instead" in warning


def test_a_retired_first_choice_of_a_picture_to_animate_goes_to_its_own_heir(stage: Stage) -> None:
    picture = stage.made(models={"image": "flux-schnell"})["assets"][0]
    stage.script(turn(call("generate_video", prompt="it moves", image=picture["id"], provider="gen3a_turbo")))
    made = stage.made()
    assert [asset["model"] for asset in made["assets"]] == ["gen4_turbo"]
    assert "gen4_turbo was used instead" in made["warnings"][0]


def test_a_pin_beats_the_planner(stage: Stage) -> None:
    stage.script(turn(call("generate_image", prompt="a cup", provider="flux")))
    made = stage.made(models={"image": "gpt-image-2.6-flare"})
    assert [asset["model"] for asset in made["assets"]] == ["gpt-image-2.6-flare"]
    assert stage.submits("replicate", "openai.images") == [0, 1]


def test_a_pinned_planner_is_the_one_that_is_asked(stage: Stage) -> None:
    made = stage.made(models={"chat": "gpt-6-luna"})
    assert types_of(made) == ["image", "video", "speech"]
    assert {(body["model"], body["reasoning_effort"]) for body in stage.chats()} == {("gpt-6-luna", "none")}


def test_a_prompt_is_enhanced_by_the_cheaper_model(stage: Stage) -> None:
    stage.script(turn(call("enhance_prompt", prompt="a cup", modality="image")), {"content": "Done."})
    made = stage.made()
    [asked] = [row["body"] for row in stage.requests("/chat/completions") if row["body"]["model"] == "gpt-4o-mini"]
    assert asked["messages"][-1]["content"] == "a cup"
    assert "soft morning light" in json.loads(answers(stage.chats()[-1])[0])["prompt"]
    assert (made["response"], step_of(made, "enhance_prompt")["status"]) == ("Done.", "completed")
