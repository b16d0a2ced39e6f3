"""The receipts of a generation, and `reuse`, which buys nothing twice."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.http.talk import IMAGE, MONEY, TIME, ended, events, fields, generated, members, until
from tests.server import Server

Json = dict[str, Any]


def fresh(words: str = "An image of a lighthouse, 256x256") -> str:
    """A prompt nothing was made for yet."""
    return f'{words}, with the words "{uuid4().hex[:8]}"'


@pytest.fixture(scope="module")
def lighthouse(server: Server) -> Json:
    return generated(server, IMAGE)


# ---- receipts --------------------------------------------------------------------------------------------------------


def test_every_turn_and_every_work_has_a_receipt(lighthouse):
    receipts = lighthouse["receipts"]
    assert [(each["vendor"], each["model"], each["modality"], each["state"]) for each in receipts] == [
        ("offline", "offline-planner", "chat", "settled"),
        ("offline", "offline-image", "image", "settled"),
        ("offline", "offline-planner", "chat", "settled"),
    ]
    assert [each["step_id"] for each in receipts] == [step["id"] for step in lighthouse["steps"]]


def test_receipts_are_sorted_by_time_and_have_ids_of_their_own(lighthouse):
    receipts = lighthouse["receipts"]
    assert [each["created_at"] for each in receipts] == sorted(each["created_at"] for each in receipts)
    assert len({each["id"] for each in receipts}) == len(receipts)


def test_a_receipt_tells_all_it_knows(lighthouse):
    turn = lighthouse["receipts"][0]
    assert turn == {
        "id": turn["id"],
        "step_id": lighthouse["steps"][0]["id"],
        "vendor": "offline",
        "model": "offline-planner",
        "modality": "chat",
        "state": "settled",
        "waiting": False,
        "estimate_usd": "0.000000",
        "amount_usd": "0.000000",
        "amount_source": "usage",
        "job_id": None,
        "request_digest": turn["request_digest"],
        "usage": {**turn["usage"], "cached_input_tokens": None, "image_input_tokens": None},
        "error": None,
        "created_at": turn["created_at"],
        "admitted_at": turn["created_at"],
        "submitted_at": None,
        "settled_at": turn["settled_at"],
    }
    assert len(turn["request_digest"]) == 64
    assert min(turn["usage"]["input_tokens"], turn["usage"]["output_tokens"]) > 0
    assert turn["created_at"] < turn["settled_at"]


def test_money_and_times_of_a_generation_look_alike_everywhere(lighthouse):
    assert [at for at in members(lighthouse, "_at") if at and not TIME.fullmatch(at)] == []
    assert [usd for usd in members(lighthouse, "_usd") if usd and not MONEY.fullmatch(usd)] == []


def test_a_receipt_holds_no_words_of_the_request(server):
    made = generated(server, fresh())
    [asset] = made["assets"]
    words = {word for word in asset["prompt"].split() if len(word) > 3}
    assert words
    assert [word for word in words if word in str(made["receipts"])] == []


def test_the_list_and_the_last_event_show_the_receipts(server, lighthouse):
    made = generated(server, IMAGE)
    assert server.get("/generations?limit=1").body["data"][0]["receipts"] == made["receipts"]
    assert events(server, made["id"])[-1].data["receipts"] == made["receipts"]


def test_a_job_under_way_is_submitted_and_its_amount_not_known(server, clip):
    until(server, clip, "tool.progress")
    job = server.get(f"/generations/{clip}").body["receipts"][-1]
    assert (job["modality"], job["state"], job["waiting"], job["amount_usd"]) == ("video", "submitted", False, None)
    assert job["job_id"]
    assert job["created_at"] <= job["admitted_at"] <= job["submitted_at"]
    assert job["settled_at"] is None


def test_a_cancelled_job_says_so(server, clip):
    until(server, clip, "tool.progress")
    job = server.post(f"/generations/{clip}/cancel").body["receipts"][-1]
    assert (job["state"], job["error"]["code"], job["amount_usd"]) == ("settled", "cancelled", "0.000000")


# ---- reuse -----------------------------------------------------------------------------------------------------------


def test_without_being_asked_nothing_is_reused(server):
    prompt = fresh()
    first, second = (generated(server, prompt)["assets"][0] for _ in range(2))
    assert (first["reused_from"], second["reused_from"]) == (None, None)
    assert first["sha256"] == second["sha256"]


def test_an_identical_call_is_answered_from_what_was_made_before(server):
    prompt = fresh()
    first, second = generated(server, prompt), generated(server, prompt, reuse=True)
    [made], [again] = first["assets"], second["assets"]
    own = {"id", "url", "thumbnail_url", "generation_id", "created_at", "reused_from", "cost_usd"}
    assert {name for name in made if made[name] != again[name]} == own - {"cost_usd"}
    assert (again["reused_from"], again["cost_usd"], again["generation_id"]) == (made["id"], "0.000000", second["id"])
    receipts = [each for each in second["receipts"] if each["modality"] == "image"]
    assert [(each["state"], each["amount_usd"], each["amount_source"]) for each in receipts] == [
        ("settled", "0.000000", "reused")
    ]
    assert receipts[0]["request_digest"] == first["receipts"][1]["request_digest"]
    assert (receipts[0]["job_id"], receipts[0]["waiting"]) == (None, False)
    assert second["warnings"] == [
        "offline-image was not asked again: the same request was answered from what it made before."
    ]


def test_a_reused_work_lives_by_itself(server):
    prompt = fresh()
    first, second = generated(server, prompt), generated(server, prompt, reuse=True)
    [again] = second["assets"]
    bytes_before = server.get(again["url"]).body
    server.delete(f"/generations/{first['id']}")
    assert server.get(again["url"]).body == bytes_before
    assert server.get(again["thumbnail_url"]).status == 200


@pytest.mark.parametrize("gone", ["assets", "generations"])
def test_what_was_deleted_is_not_reused(server, gone):
    prompt = fresh()
    first = generated(server, prompt)
    one = first["id"] if gone == "generations" else first["assets"][0]["id"]
    server.delete(f"/{gone}/{one}")
    assert generated(server, prompt, reuse=True)["assets"][0]["reused_from"] is None


def test_another_request_is_made_anew(server):
    generated(server, fresh())
    assert generated(server, fresh(), reuse=True)["assets"][0]["reused_from"] is None


def test_a_work_that_was_reused_is_reused_from_its_origin(server):
    prompt = fresh()
    first = generated(server, prompt)
    reused = [generated(server, prompt, reuse=True)["assets"][0]["reused_from"] for _ in range(2)]
    assert reused == [first["assets"][0]["id"]] * 2


def test_the_same_key_with_and_without_reuse_are_two_requests(server):
    headers = {"idempotency-key": uuid4().hex}
    first = server.post("/generate", {"prompt": "hello"}, headers=headers)
    second = server.post("/generate", {"prompt": "hello", "reuse": True}, headers=headers)
    assert (first.status, second.status, second.body["code"]) == (200, 422, "idempotency_mismatch")
    ended(server, first.body["id"])


@pytest.mark.parametrize("value", ["true", 1, None, [], "yes"])
def test_reuse_is_true_or_false(server, value):
    assert fields(server.post("/generate", {"prompt": "hello", "reuse": value})) == ["reuse"]
