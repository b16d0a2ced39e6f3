"""Vendors and models that misbehave: nothing is bought twice, the model is told, and the user gets what there is."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import pytest
from PIL import Image

from tests.e2e.stage import (
    PROMPT,
    Json,
    Stage,
    answers,
    call,
    hang,
    refuse,
    step_of,
    steps_of,
    turn,
    types_of,
    wait_until,
)


class Paid(NamedTuple):
    """One kind of paid request: where it goes, how the vendor counts it, which tool it serves, what must be pinned."""

    path: str
    kind: str
    tool: str
    models: Json = {}


FLUX = Paid("/replicate/v1/predictions", "replicate", "generate_image")
CLIP = Paid("/runway/v1/text_to_video", "runway", "generate_video")
DRAWING = Paid("/openai/v1/images/generations", "openai.images", "generate_image", {"image": "gpt-image-2.6-flare"})
VOICE = Paid("/openai/v1/audio/speech", "openai.speech", "generate_speech")
ALL = ["image", "video", "speech"]
SCRIPTED = {"prompt": "a cup", "provider": "flux"}


def told_codes(stage: Stage) -> list[str | None]:
    """The code of each answer the model had in its last turn; None for one that went well."""
    return [json.loads(answer).get("code") for answer in answers(stage.chats()[-1])]


# ---- not accepted yet: tried again -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paid", "status"),
    [
        pytest.param(FLUX, 429, id="replicate"),
        pytest.param(CLIP, 429, id="runway"),
        pytest.param(DRAWING, 503, id="openai-image"),
        pytest.param(VOICE, 503, id="openai-speech"),
    ],
)
def test_a_request_put_off_is_made_again_and_accepted_once(stage: Stage, paid: Paid, status: int) -> None:
    stage.fakes.control(fail=[refuse(paid.path, status, headers={"retry-after": "1"})])
    made = stage.made(models=paid.models)
    assert types_of(made) == ALL
    assert (len(stage.requests(paid.path)), stage.submits(paid.kind)) == (2, 1)


@pytest.mark.parametrize("status", [429, 503])
def test_a_model_turn_put_off_is_taken_again(stage: Stage, status: int) -> None:
    stage.fakes.control(fail=[refuse("/chat/completions", status, headers={"retry-after": "1"})])
    made = stage.made()
    assert types_of(made) == ALL
    assert (len(stage.requests("/chat/completions")), stage.submits("openai.chat")) == (3, 2)


def test_no_credit_is_not_waited_for(stage: Stage) -> None:
    error = {"message": "You exceeded your quota.", "type": "insufficient_quota", "code": "insufficient_quota"}
    stage.fakes.control(fail=[refuse(VOICE.path, 429, body={"error": error})])
    made = stage.made()
    assert len(stage.requests(VOICE.path)) == 1
    assert told_codes(stage) == [None, None, "quota_exhausted"]
    assert types_of(made) == ["image", "video"]


# ---- perhaps accepted: never again -----------------------------------------------------------------------------------


@pytest.mark.parametrize("paid", [(CLIP, VOICE), (DRAWING,)], ids=["two-at-once", "openai-image"])
def test_a_paid_request_without_an_answer_is_not_repeated_and_the_model_is_told(
    impatient: Stage, paid: tuple[Paid, ...]
) -> None:
    impatient.fakes.control(fail=[hang(each.path) for each in paid])
    made = impatient.made(models=paid[0].models)
    assert [(len(impatient.requests(each.path)), impatient.submits(each.kind)) for each in paid] == [
        (1, 1) for _ in paid
    ]
    assert all("not known" in step_of(made, each.tool)["error"] for each in paid)
    assert told_codes(impatient).count("outcome_unknown") == len(paid)
    assert (len(made["assets"]), made["stop_reason"], made["cost_is_complete"]) == (3 - len(paid), "answered", False)


@pytest.mark.parametrize("paid", [CLIP, DRAWING, VOICE], ids=lambda paid: paid.kind)
def test_a_paid_request_whose_connection_broke_is_not_repeated(stage: Stage, paid: Paid) -> None:
    stage.fakes.control(fail=[{"path": paid.path, "drop": True}])
    made = stage.made(models=paid.models)
    assert (len(stage.requests(paid.path)), stage.submits(paid.kind)) == (1, 1)
    assert "not known" in step_of(made, paid.tool)["error"]
    assert (len(made["assets"]), step_of(made, paid.tool)["cost_usd"]) == (2, None)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_on_a_picture_is_not_repeated(stage: Stage, status: int) -> None:
    stage.fakes.control(fail=[refuse(DRAWING.path, status, times=None)])
    made = stage.made(models=DRAWING.models)
    assert (len(stage.requests(DRAWING.path)), types_of(made)) == (1, ["video", "speech"])
    assert (step_of(made, DRAWING.tool)["status"], made["stop_reason"]) == ("failed", "answered")


# ---- refused, blocked, failed ----------------------------------------------------------------------------------------


BLOCKED = [
    pytest.param(
        {"fail": [refuse(DRAWING.path, 400, body={"error": {"message": "Blocked.", "code": "moderation_blocked"}})]},
        DRAWING,
        id="openai",
    ),
    pytest.param(
        {"outcomes": [{"path": FLUX.path, "fields": {"status": "failed", "error": "NSFW content detected"}}]},
        FLUX,
        id="replicate",
    ),
    pytest.param(
        {"outcomes": [{"path": CLIP.path, "fields": {"failure": "No.", "failureCode": "SAFETY.INPUT.TEXT"}}]},
        CLIP,
        id="runway",
    ),
]


@pytest.mark.parametrize(("vendors_do", "paid"), BLOCKED)
def test_blocked_content_has_a_code_of_its_own_and_is_not_tried_again(
    stage: Stage, vendors_do: Json, paid: Paid
) -> None:
    stage.fakes.control(**vendors_do)
    made = stage.made(models=paid.models)
    assert told_codes(stage).count("moderated") == 1
    assert (len(stage.requests(paid.path)), len(made["assets"])) == (1, 2)
    assert "blocked" in step_of(made, paid.tool)["error"]
    assert "SAFETY" not in json.dumps(made)


@pytest.mark.parametrize(
    ("paid", "fields"),
    [
        (FLUX, {"status": "failed", "error": "CUDA out of memory"}),
        (FLUX, {"status": "aborted", "error": None}),
        (CLIP, {"failure": "Bad output.", "failureCode": "INTERNAL.BAD_OUTPUT.CODE01"}),
    ],
)
def test_a_job_that_fails_at_its_vendor_is_told_to_the_model(stage: Stage, paid: Paid, fields: Json) -> None:
    stage.fakes.control(outcomes=[{"path": paid.path, "fields": fields}])
    made = stage.made()
    assert told_codes(stage).count("job_failed") == 1
    assert (step_of(made, paid.tool)["status"], len(made["assets"]), made["status"]) == ("failed", 2, "completed")
    assert "INTERNAL" not in json.dumps(made)


def test_a_failed_tool_leaves_the_model_free_to_choose_another_way(stage: Stage) -> None:
    stage.fakes.control(outcomes=[{"path": FLUX.path, "fields": {"status": "failed", "error": "CUDA out of memory"}}])
    other = call("generate_image", prompt="a cup", provider="gpt-image-2.6-flare")
    stage.script(turn(call("generate_image", **SCRIPTED)), turn(other), {"content": "The second way worked."})
    made = stage.made()
    assert [step["status"] for step in steps_of(made, "generate_image")] == ["failed", "completed"]
    assert (types_of(made), made["response"]) == (["image"], "The second way worked.")


# ---- calls that cannot be made ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        pytest.param(call("generate_image", '{"prompt": "a cup"'), "not valid JSON", id="malformed"),
        pytest.param(call("generate_image", '{"prompt": "a"}{"prompt": "b"}'), "more than one", id="two-objects"),
        pytest.param(call("generate_image", '["a cup"]'), "one JSON object", id="no-object"),
        pytest.param(call("generate_image", prompt="a cup", style="oil"), "style", id="unknown-argument"),
        pytest.param(call("generate_image", size="square"), "prompt", id="missing-argument"),
        pytest.param(call("generate_image", prompt="a cup", size="big"), "size 'big'", id="impossible-size"),
        pytest.param(call("generate_image", prompt="a cup", provider="midjourney"), "midjourney", id="unknown-model"),
        pytest.param(call("generate_video", prompt="x", image="asset_none"), "asset_none", id="unknown-asset"),
        pytest.param(call("paint", prompt="a cup"), "generate_image", id="unknown-tool"),
    ],
)
def test_a_call_that_cannot_be_made_is_mended_by_the_next_turn(stage: Stage, wrong: Json, hint: str) -> None:
    stage.script(turn(wrong), turn(call("generate_image", **SCRIPTED)), {"content": "Mended."})
    made = stage.made()
    assert hint in json.loads(answers(stage.chats()[1])[0])["error"]
    assert (made["steps"][1]["status"], types_of(made), made["response"]) == ("failed", ["image"], "Mended.")


def test_calls_of_one_turn_are_each_answered_whatever_became_of_them(stage: Stage) -> None:
    calls = [call("paint", prompt="a cup"), call("generate_image", **SCRIPTED), call("generate_image", "{oops")]
    stage.script(turn(*calls), {"content": "One of three."})
    made = stage.made()
    assert told_codes(stage) == ["invalid_arguments", None, "invalid_arguments"]
    assert [step["status"] for step in made["steps"]] == ["completed", "failed", "completed", "failed", "completed"]


# ---- the model itself fails ------------------------------------------------------------------------------------------


def test_a_failed_model_turn_with_nothing_made_is_a_bad_gateway(stage: Stage) -> None:
    stage.script({"status": 500})
    reply = stage.generate()
    assert (reply.status, reply.headers["content-type"]) == (502, "application/problem+json")
    failed = stage.get(reply.body["generation_id"])
    assert (failed["status"], failed["stop_reason"], failed["error"]["message"]) == (
        "failed",
        "error",
        reply.body["detail"],
    )


def test_a_dropped_model_turn_with_nothing_made_is_a_bad_gateway(stage: Stage) -> None:
    stage.fakes.control(fail=[{"path": "/chat/completions", "drop": True}])
    reply = stage.generate()
    assert (reply.status, len(stage.requests("/chat/completions"))) == (502, 1)


def test_a_model_turn_that_times_out_with_nothing_made_is_a_gateway_timeout(impatient: Stage) -> None:
    impatient.fakes.control(fail=[hang("/chat/completions")])
    reply = impatient.generate()
    assert (reply.status, len(impatient.requests("/chat/completions"))) == (504, 1)
    assert impatient.get(reply.body["generation_id"])["status"] == "failed"


def test_a_failure_after_something_was_made_hands_it_over(stage: Stage) -> None:
    stage.script(turn(call("generate_image", **SCRIPTED)), {"status": 500})
    made = stage.made()
    assert (made["status"], made["stop_reason"], types_of(made)) == ("completed", "error", ["image"])
    assert made["assets"][0]["id"] in made["response"]
    assert (made["error"]["code"], made["steps"][-1]["status"]) == ("outcome_unknown", "failed")


def test_a_wrong_key_is_said_to_be_wrong_without_showing_it(stage_with: Callable[..., Stage]) -> None:
    stage = stage_with(OPENAI_API_KEY="nk-someone-elses-key")
    reply = stage.generate()
    assert reply.status == 502
    assert "refused the key" in reply.body["detail"]
    assert "nk-someone" not in json.dumps(reply.body) + stage.server.log()


# ---- ways to stop ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "reason", "words"),
    [
        ({"refusal": "I cannot help with that."}, "refused", "I cannot help with that. The model refused"),
        ({"content": "", "finish_reason": "content_filter"}, "refused", "its vendor blocked the answer"),
        ({"content": ""}, "empty", "The model answered with nothing"),
        ({"content": "Here is the", "finish_reason": "length"}, "cut_off", "Here is the The model's answer was cut"),
    ],
)
def test_an_end_without_an_answer_has_its_reason_and_says_what_to_do(
    stage: Stage, reply: Json, reason: str, words: str
) -> None:
    stage.script(reply)
    made = stage.made()
    assert (made["status"], made["stop_reason"]) == ("completed", reason)
    assert words in made["response"]
    assert "Nothing was made." in made["response"]


def test_a_cut_off_answer_names_what_was_made(stage: Stage) -> None:
    stage.script(turn(call("generate_image", **SCRIPTED)), {"content": "Here is", "finish_reason": "length"})
    made = stage.made()
    assert made["stop_reason"] == "cut_off"
    assert made["assets"][0]["id"] in made["response"]


def test_a_model_that_wants_tools_on_its_last_turn_is_stopped(stage: Stage) -> None:
    wish = turn(call("generate_image", **SCRIPTED))
    stage.script(wish, wish)
    made = stage.made(max_steps=2)
    assert (made["stop_reason"], types_of(made), stage.submits("replicate")) == ("max_steps", ["image"], 1)
    assert "max_steps" in made["response"]


def test_the_model_is_told_on_its_last_turn_that_it_must_answer(stage: Stage) -> None:
    made = stage.made(max_steps=2)
    last = stage.chats()[-1]
    assert (made["stop_reason"], last["tool_choice"]) == ("answered", "none")
    assert "last turn" in last["messages"][-1]["content"]


# ---- budgets ---------------------------------------------------------------------------------------------------------


def test_a_call_that_would_pass_the_cap_is_not_made_and_the_model_is_told(stage: Stage) -> None:
    made = stage.made(max_cost_usd="0.30")
    assert stage.submits("runway", "replicate", "openai.speech") == [0, 1, 1]
    assert told_codes(stage) == [None, "budget_exceeded", None]
    assert "cap" in step_of(made, "generate_video")["error"]
    assert made["stop_reason"] == "answered"


def test_calls_side_by_side_cannot_pass_the_cap_together(stage: Stage) -> None:
    clip = call("generate_video", prompt="steam over a cup", duration=5)
    stage.script(turn(clip, clip, clip), {"content": "Two clips."})
    made = stage.made(max_cost_usd="1.30")
    assert (stage.submits("runway"), sorted(map(str, told_codes(stage)))) == (2, ["None", "None", "budget_exceeded"])
    assert Decimal(made["cost_usd"]) <= Decimal("1.30")


def test_a_run_that_cannot_pay_its_next_turn_ends_with_what_it_has(stage: Stage) -> None:
    stage.script(turn(call("generate_speech", text="Good mornings start here.")))
    made = stage.made(max_cost_usd="0.04")
    assert (made["status"], made["stop_reason"], types_of(made)) == ("completed", "budget", ["speech"])
    assert "max_cost_usd" in made["response"]
    assert stage.submits("openai.chat") == 1


def test_a_cap_of_nothing_buys_nothing(stage: Stage) -> None:
    made = stage.made(max_cost_usd="0")
    assert (made["stop_reason"], made["cost_usd"], made["cost_is_complete"]) == ("budget", "0.000000", True)
    assert stage.fakes.ledger()["requests"] == []


def test_the_servers_own_cap_holds_where_a_request_names_none(stage_with: Callable[..., Stage]) -> None:
    stage = stage_with(MAX_COST_USD="0.30")
    stage.made()
    assert stage.submits("runway") == 0


# ---- what is there ---------------------------------------------------------------------------------------------------


def test_a_tool_without_a_key_is_not_shown_to_the_model(stage_with: Callable[..., Stage]) -> None:
    stage = stage_with(RUNWAYML_API_SECRET="", REPLICATE_API_TOKEN="")
    stage.made()
    tools = {tool["function"]["name"]: tool["function"]["parameters"] for tool in stage.chats()[0]["tools"]}
    assert {"generate_image", "generate_speech"} <= set(tools)
    assert not {"generate_video", "analyze_video"} & set(tools)
    providers = tools["generate_image"]["properties"]["provider"]["enum"]
    assert providers
    assert all(name.startswith("gpt-image") for name in providers)


def test_a_gateway_that_streams_is_understood(stage_with: Callable[..., Stage]) -> None:
    stage = stage_with(OPENAI_STREAM="true")
    made = stage.made()
    assert all(body["stream"] for body in stage.chats())
    assert (types_of(made), made["response"]) == (ALL, "Here is your post.")
    assert made["usage"]["output_tokens"] > 0


def test_an_address_that_has_expired_is_asked_for_again(stage: Stage) -> None:
    stage.fakes.control(fail=[refuse("/files/runway/", 403, method="GET")])
    made = stage.made()
    first, second = (row["query"] for row in stage.requests("/files/runway/", "GET"))
    assert (types_of(made), stage.submits("runway")) == (ALL, 1)
    assert first != second


def test_a_finished_work_whose_host_is_down_for_a_while_is_not_given_up(stage: Stage) -> None:
    lost_polls = refuse("/runway/v1/tasks/", 500, method="GET", skip=1, times=2)
    stage.fakes.control(fail=[refuse("/files/", 503, method="GET", times=4), lost_polls])
    made = stage.made()
    assert (types_of(made), stage.submits("replicate", "runway")) == (ALL, [1, 1])


def test_a_poll_without_an_answer_is_no_verdict(stage: Stage) -> None:
    stage.fakes.control(fail=[refuse("/v1/", 500, method="GET", times=6)])
    made = stage.made()
    assert (types_of(made), stage.submits("replicate", "runway")) == (ALL, [1, 1])


def test_a_job_past_its_deadline_is_left_to_itself_with_its_possible_cost(impatient: Stage) -> None:
    impatient.fakes.control(latency={"runway": 600.0})
    made = impatient.made()
    assert (told_codes(impatient), types_of(made)) == ([None, "deadline", None], ["image", "speech"])
    assert (impatient.submits("runway"), made["cost_is_complete"]) == (1, False)


# ---- what a run starts from ------------------------------------------------------------------------------------------


def test_a_continued_run_knows_what_was_said_and_made_before(stage: Stage) -> None:
    first = stage.made("A poster of a red fox")
    second = stage.made("Now at night", previous_id=first["id"])
    said = stage.chats()[-1]["messages"]
    assert [message["role"] for message in said[:4]] == ["system", "user", "assistant", "user"]
    assert (said[1]["content"], said[3]["content"]) == ("A poster of a red fox", "Now at night")
    assert all(text in said[2]["content"] for text in (first["response"], *(a["id"] for a in first["assets"])))
    assert second["previous_id"] == first["id"]


def test_an_uploaded_picture_is_seen_by_the_model(stage: Stage) -> None:
    asset = uploaded(stage)
    stage.script({"content": "A red square."})
    stage.made("What is this?", inputs=[asset["id"]])
    words, picture = stage.chats()[0]["messages"][-1]["content"]
    assert asset["id"] in words["text"]
    assert picture["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_an_uploaded_picture_becomes_the_first_frame_of_a_clip(stage: Stage) -> None:
    asset = uploaded(stage)
    stage.script(turn(call("generate_video", prompt="it turns", image=asset["id"])))
    made = stage.made("Bring it to life", inputs=[asset["id"]])
    [sent] = stage.requests("/runway/v1/image_to_video")
    assert sent["body"]["promptImage"].startswith("data:image/png;base64,")
    assert made["assets"][0]["parent_ids"] == [asset["id"]]


def uploaded(stage: Stage) -> Json:
    """A small picture, uploaded."""
    file = io.BytesIO()
    Image.new("RGB", (320, 180), "red").save(file, "png")
    reply = stage.server.upload("square.png", file.getvalue(), "image/png")
    assert reply.status == 201, reply
    return reply.body


def test_a_continued_run_can_animate_what_the_first_one_made(stage: Stage) -> None:
    stage.script(turn(call("generate_image", **SCRIPTED)), {"content": "Drawn."})
    first = stage.made(PROMPT)
    picture = first["assets"][0]["id"]
    stage.script(turn(call("generate_video", prompt="it moves", image=picture)))
    second = stage.made("Bring it to life", previous_id=first["id"])
    assert (types_of(second), second["assets"][0]["parent_ids"]) == (["video"], [picture])


def test_calls_beyond_the_limit_of_a_turn_are_answered_and_not_made(stage: Stage) -> None:
    stage.script(turn(*(call("generate_speech", text=f"number {each}") for each in range(20))))
    made = stage.made()
    assert (len(made["assets"]), stage.submits("openai.speech")) == (16, 16)
    assert sum("too_many_calls" in answer for answer in answers(stage.chats()[-1])) == 4


def test_a_store_that_refuses_for_a_while_loses_no_job(stage: Stage) -> None:
    stage.script(turn(call("generate_image", prompt="a cup", provider="flux-1.1-pro")))
    assets = stage.server.data_dir / "assets"
    hidden = assets.rename(assets.with_name("away"))
    assets.write_text("a file where the folder should be")
    stage.fakes.control(latency={"replicate": 0.3})
    generation_id = stage.begin()
    wait_until(lambda: stage.fakes.ledger()["downloads"] >= 1, "the first try to keep it")
    assets.unlink()
    hidden.rename(assets)
    assert types_of(stage.finished(generation_id)) == ["image"]
