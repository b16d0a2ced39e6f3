"""What is paid for: receipts of real prices, their sums at /usage, and works that are reused instead of bought."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.stage import PROMPT, Json, Stage, call, hang, refuse, step_of, turn, wait_until
from tests.fake_vendors import KEYS

FLUX, CLIP, VOICE = "/replicate/v1/predictions", "/runway/v1/text_to_video", "/openai/v1/audio/speech"
BOUGHT = ("replicate", "runway", "openai.speech")


def fresh() -> str:
    """A prompt nothing was made for yet."""
    return f"{PROMPT} number {uuid4().hex[:8]}"


def receipts_of(generation: Json, modality: str) -> list[Json]:
    """The receipts for one kind of work."""
    return [receipt for receipt in generation["receipts"] if receipt["modality"] == modality]


def amounts(receipts: list[Json]) -> Decimal:
    """What is known of their cost."""
    return sum((Decimal(each["amount_usd"]) for each in receipts if each["amount_usd"] is not None), Decimal(0))


def total(stage: Stage) -> Json:
    """What was spent in all."""
    return stage.server.get("/usage?by=").body["total"]


def more(after: Json, before: Json) -> Json:
    """The counts and sums that have grown, and by how much; a sum that was not known was nothing."""
    names = [name for name in after if name in before and not isinstance(after[name], bool)]
    grown = {name: Decimal(after[name] or 0) - Decimal(before[name] or 0) for name in names}
    return {name: value for name, value in grown.items() if value and not name.endswith("_tokens")}


# ---- receipts --------------------------------------------------------------------------------------------------------


def test_every_paid_call_of_a_post_has_a_receipt(stage: Stage) -> None:
    made = stage.made()
    told = [(each["vendor"], each["model"], each["modality"], each["amount_source"]) for each in made["receipts"]]
    assert (told[0], sorted(told[1:4], key=str), told[4]) == (
        ("openai", "gpt-4o", "chat", "usage"),
        [
            ("openai", "tts-1", "speech", "usage"),
            ("replicate", "flux-1.1-pro", "image", None),
            ("runway", "gen4.5", "video", "vendor"),
        ],
        ("openai", "gpt-4o", "chat", "usage"),
    )
    assert {each["state"] for each in made["receipts"]} == {"settled"}
    assert {each["step_id"] for each in made["receipts"]} == {step["id"] for step in made["steps"]}


def test_the_receipts_add_up_to_the_cost(stage: Stage) -> None:
    made = stage.made()
    [flux] = receipts_of(made, "image")
    assert (flux["amount_usd"], flux["estimate_usd"], made["cost_is_complete"]) == (None, "0.040000", False)
    assert amounts(made["receipts"]) == Decimal(made["cost_usd"]) > Decimal("0.60")


def test_a_receipt_names_the_job_at_its_vendor(stage: Stage) -> None:
    made = stage.made()
    [job], [voice] = receipts_of(made, "video"), receipts_of(made, "speech")
    assert stage.requests(f"/runway/v1/tasks/{job['job_id']}", "GET")
    assert job["created_at"] <= job["submitted_at"] <= job["settled_at"]
    assert (voice["job_id"], voice["submitted_at"]) == (None, None)


def test_the_wording_of_a_prompt_is_paid_by_its_step(stage: Stage) -> None:
    stage.script(turn(call("enhance_prompt", prompt="a cup", modality="image")), {"content": "Done."})
    made = stage.made()
    step = step_of(made, "enhance_prompt")
    [wording] = [each for each in made["receipts"] if each["step_id"] == step["id"]]
    assert (wording["model"], wording["modality"], wording["amount_usd"]) == ("gpt-4o-mini", "chat", step["cost_usd"])


def test_receipts_hold_no_words_addresses_or_keys(stage: Stage) -> None:
    said = {"error": {"message": f"Incorrect API key provided: {KEYS['OPENAI_API_KEY']}.", "code": "invalid_api_key"}}
    stage.fakes.control(fail=[refuse(VOICE, 401, body=said)])
    told = json.dumps(stage.made()["receipts"])
    assert [word for word in ("coffee", stage.fakes.url, "http", *KEYS.values()) if word in told] == []


def test_a_call_in_line_is_waiting_and_costs_nothing_when_it_is_given_up(stage_with: Callable[..., Stage]) -> None:
    stage = stage_with(VENDOR_CONCURRENCY="runway.video=1")
    clip = call("generate_video", prompt="steam over a cup", duration=5)
    stage.fakes.control(latency={"runway": 600.0})
    stage.script(turn(clip, clip))
    generation_id = stage.begin()

    def clips() -> list[tuple[str, bool]]:
        return sorted((each["state"], each["waiting"]) for each in receipts_of(stage.get(generation_id), "video"))

    in_line = [("reserved", True), ("submitted", False)]
    wait_until(lambda: clips() == in_line, "one clip being made, one in line")
    assert (total(stage)["open_calls"], total(stage)["open_up_to_usd"]) == (2, "1.200000")
    stage.cancel(generation_id)
    given_up = next(each for each in receipts_of(stage.get(generation_id), "video") if each["state"] == "released")
    assert (given_up["amount_usd"], given_up["waiting"], given_up["admitted_at"]) == ("0.000000", False, None)
    assert given_up["error"]["code"] == "cancelled"


# ---- sums ------------------------------------------------------------------------------------------------------------


def test_usage_adds_up_a_generations_receipts_by_vendor_and_model(stage_with: Callable[..., Stage]) -> None:
    stage = stage_with()
    made = stage.made()
    found = stage.server.get("/usage?by=vendor,model").body
    told = {
        (row["vendor"], row["model"]): (row["calls"], row["cost_usd"], row["unpriced_calls"]) for row in found["data"]
    }
    chats, voice = (f"{amounts(receipts_of(made, kind)):f}" for kind in ("chat", "speech"))
    assert told == {
        ("openai", "gpt-4o"): (2, chats, 0),
        ("openai", "tts-1"): (1, voice, 0),
        ("replicate", "flux-1.1-pro"): (1, None, 1),
        ("runway", "gen4.5"): (1, "0.600000", 0),
    }
    assert (found["total"]["cost_usd"], found["total"]["cost_is_complete"]) == (made["cost_usd"], False)
    assert found["total"]["unpriced_up_to_usd"] == "0.040000"
    assert found["total"]["input_tokens"] == made["usage"]["input_tokens"]
    stage.server.delete(f"/generations/{made['id']}")
    assert stage.server.get("/usage?by=vendor,model").body == found


def test_a_call_its_vendor_refused_costs_nothing(stage: Stage) -> None:
    before = total(stage)
    stage.fakes.control(fail=[refuse(VOICE, 400, body={"error": {"message": "No.", "code": "invalid_value"}})])
    made = stage.made()
    [voice] = receipts_of(made, "speech")
    assert (voice["state"], voice["amount_usd"], voice["amount_source"]) == ("released", "0.000000", None)
    assert voice["error"]["code"] == "invalid_request"
    assert amounts(made["receipts"]) == Decimal(made["cost_usd"])
    grown = more(total(stage), before)
    assert (grown["released_calls"], grown["calls"], grown["cost_usd"]) == (1, 5, Decimal(made["cost_usd"]))
    assert "unknown_calls" not in grown


def test_a_call_whose_answer_was_lost_is_unknown_with_its_possible_cost(impatient: Stage) -> None:
    before = total(impatient)
    impatient.fakes.control(fail=[hang(CLIP)])
    made = impatient.made()
    [clip] = receipts_of(made, "video")
    assert (clip["state"], clip["amount_usd"], clip["amount_source"]) == ("unknown", None, None)
    assert (clip["estimate_usd"], clip["error"]["code"], clip["settled_at"]) == ("0.600000", "outcome_unknown", None)
    assert made["cost_is_complete"] is False
    assert Decimal(made["cost_usd"]) < Decimal("0.60")
    after = total(impatient)
    grown = more(after, before)
    assert (grown["unknown_calls"], grown["unknown_up_to_usd"]) == (1, Decimal("0.60"))
    assert grown["cost_usd"] == Decimal(made["cost_usd"])
    assert after["cost_is_complete"] is False


def test_a_model_nobody_has_listed_is_asked_and_its_cost_is_not_known(stage: Stage) -> None:
    stage.script({"content": "Nothing to make."})
    before = total(stage)
    made = stage.made(models={"chat": "house-model"})
    assert [body["model"] for body in stage.chats()] == ["house-model"]
    [asked] = made["receipts"]
    assert (asked["state"], asked["amount_usd"], asked["estimate_usd"]) == ("settled", None, None)
    assert (made["cost_usd"], made["cost_is_complete"]) == (None, False)
    after = total(stage)
    assert (after["calls"], after["unpriced_calls"]) == (before["calls"] + 1, before["unpriced_calls"] + 1)
    assert (after["cost_usd"], after["unpriced_up_to_usd"]) == (before["cost_usd"], None)


# ---- reuse -----------------------------------------------------------------------------------------------------------


def shared(stage: Stage, prompt: str, **body: Any) -> tuple[Json, Any]:
    """A generation, and how many works the vendors have been asked for by its end."""
    made = stage.made(prompt, **body)
    return made, stage.submits(*BOUGHT)


def test_identical_calls_are_not_bought_again(stage: Stage) -> None:
    prompt = fresh()
    first, bought = shared(stage, prompt)
    second, still = shared(stage, prompt, reuse=True)
    assert bought == still == [1, 1, 1]
    for made, again in zip(first["assets"], second["assets"], strict=True):
        assert again["id"] != made["id"]
        assert (again["sha256"], again["reused_from"], again["cost_usd"]) == (made["sha256"], made["id"], "0.000000")
        assert stage.content(again) == stage.content(made)
    works = [each for each in second["receipts"] if each["modality"] != "chat"]
    assert {(each["state"], each["amount_usd"], each["amount_source"]) for each in works} == {
        ("settled", "0.000000", "reused")
    }
    assert (second["cost_is_complete"], Decimal(second["cost_usd"])) == (True, amounts(receipts_of(second, "chat")))


def test_without_reuse_the_same_is_bought_again(stage: Stage) -> None:
    prompt = fresh()
    shared(stage, prompt)
    second, bought = shared(stage, prompt)
    assert bought == [2, 2, 2]
    assert {asset["reused_from"] for asset in second["assets"]} == {None}


def test_a_work_that_was_deleted_is_bought_again(stage: Stage) -> None:
    prompt = fresh()
    first, _ = shared(stage, prompt)
    shared(stage, prompt, reuse=True)
    stage.server.delete(f"/assets/{first['assets'][1]['id']}")
    third, bought = shared(stage, prompt, reuse=True)
    assert bought == [1, 2, 1]
    assert [asset["reused_from"] is None for asset in third["assets"]] == [False, True, False]


def test_a_work_whose_bytes_are_gone_is_bought_again(stage: Stage) -> None:
    prompt = fresh()
    first, _ = shared(stage, prompt)
    (stage.server.data_dir / "assets" / "assets" / first["assets"][1]["id"]).unlink()
    second, bought = shared(stage, prompt, reuse=True)
    assert bought == [1, 2, 1]
    assert [asset["reused_from"] is None for asset in second["assets"]] == [False, True, False]
    assert {each["state"] for each in second["receipts"]} == {"settled"}


def test_what_was_made_in_a_deleted_generation_is_bought_again(stage: Stage) -> None:
    prompt = fresh()
    first, _ = shared(stage, prompt)
    stage.server.delete(f"/generations/{first['id']}")
    second, bought = shared(stage, prompt, reuse=True)
    assert (bought, len(second["assets"])) == ([2, 2, 2], 3)


@pytest.mark.parametrize("failure", [{"status": "failed", "error": "CUDA out of memory"}])
def test_a_work_that_failed_is_asked_for_again(stage: Stage, failure: Json) -> None:
    prompt = fresh()
    stage.fakes.control(outcomes=[{"path": FLUX, "fields": failure}])
    shared(stage, prompt)
    second, bought = shared(stage, prompt, reuse=True)
    assert bought == [2, 1, 1]
    assert len(second["assets"]) == 3


def test_a_cap_of_little_is_enough_for_what_is_there(stage: Stage) -> None:
    prompt = fresh()
    shared(stage, prompt)
    second, bought = shared(stage, prompt, reuse=True, max_cost_usd="0.20")
    assert (bought, second["stop_reason"], len(second["assets"])) == ([1, 1, 1], "answered", 3)
