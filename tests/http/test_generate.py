"""POST /generate: the ways it answers, repeating it safely, and what it refuses."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.http.talk import (
    CLIENT,
    IMAGE,
    MAX_BODY_BYTES,
    MONEY,
    NOBODY,
    NOTHING,
    TIME,
    WORDS,
    arrived,
    begun,
    connected,
    ended,
    fields,
    generated,
    long_clip,
    members,
    piecewise,
    problem,
)
from tests.server import Event, Reply, Server, parse_events

JSON = {"content-type": "application/json"}


def ask(server: Server, prompt: str = WORDS, headers: dict[str, str] | None = None, **body: Any) -> Reply:
    """`POST /generate`."""
    return server.post("/generate", {"prompt": prompt, **body}, headers=headers)


@pytest.fixture(scope="module")
def lighthouse(server: Server) -> dict[str, Any]:
    """A generation that made one picture, with words of the client's own."""
    return generated(server, IMAGE, metadata={"post": "42", "größe": "groß"})


@pytest.fixture(scope="module")
def streamed(server: Server) -> list[Event]:
    """The events a client sees that asks for a stream."""
    return list(server.events("/generate", method="POST", body={"prompt": IMAGE}))


def key() -> dict[str, str]:
    """An idempotency key nobody used."""
    return {"idempotency-key": uuid.uuid4().hex}


# ---- waiting ---------------------------------------------------------------------------------------------------------


def test_a_client_that_waits_gets_the_answer_and_the_assets(lighthouse):
    [asset] = lighthouse["assets"]
    assert (lighthouse["status"], lighthouse["stop_reason"]) == ("completed", "answered")
    assert lighthouse["response"]
    assert (asset["type"], asset["media_type"], asset["width"], asset["height"]) == ("image", "image/png", 256, 256)


def test_an_asset_of_the_answer_can_be_fetched_at_its_address(server, lighthouse):
    [asset] = lighthouse["assets"]
    content = server.get(asset["url"])
    assert (content.status, len(content.body)) == (200, asset["bytes"])
    assert content.body.startswith(b"\x89PNG")


def test_the_steps_tell_what_was_asked_of_which_tool(lighthouse):
    steps = lighthouse["steps"]
    assert [(step["kind"], step["status"]) for step in steps] == [
        ("turn", "completed"),
        ("tool", "completed"),
        ("turn", "completed"),
    ]
    assert (steps[1]["name"], steps[1]["arguments"]["size"]) == ("generate_image", "256x256")
    assert steps[1]["asset_ids"] == [asset["id"] for asset in lighthouse["assets"]]


def test_the_clients_own_words_come_back(server, lighthouse):
    assert lighthouse["metadata"] == {"post": "42", "größe": "groß"}
    assert server.get(f"/generations/{lighthouse['id']}").body["metadata"] == lighthouse["metadata"]


def test_money_is_a_decimal_string(lighthouse):
    amounts = members(lighthouse, "cost_usd")
    assert len(amounts) == 1 + len(lighthouse["assets"]) + len(lighthouse["steps"])
    assert [amount for amount in amounts if not (isinstance(amount, str) and MONEY.fullmatch(amount))] == []


def test_times_are_utc(lighthouse):
    times = members({**lighthouse, "receipts": []}, "_at")
    assert len(times) == 3 + len(lighthouse["assets"]) + 2 * len(lighthouse["steps"])
    assert [time for time in times if not TIME.fullmatch(time)] == []


def test_ids_are_prefixed(lighthouse):
    ids = [lighthouse["id"], lighthouse["assets"][0]["id"], lighthouse["steps"][0]["id"]]
    assert [each.split("_")[0] for each in ids] == ["gen", "asset", "step"]


def test_the_addresses_of_assets_begin_as_the_client_came(server):
    reply = server.post("/generate", {"prompt": IMAGE}, headers={"host": f"localhost:{server.port}"})
    [asset] = reply.body["assets"]
    assert asset["url"] == f"http://localhost:{server.port}/assets/{asset['id']}/content"


# ---- Prefer ----------------------------------------------------------------------------------------------------------


def test_a_client_in_a_hurry_is_told_where_to_look(server):
    reply = ask(server, headers={"prefer": "respond-async"})
    assert (reply.status, reply.headers["preference-applied"]) == (202, "respond-async")
    assert reply.headers["location"] == f"/generations/{reply.body['id']}"
    assert ended(server, reply.headers["location"].split("/")[-1])["status"] == "completed"


@pytest.mark.parametrize("prefer", ["wait=0", "wait=1", "respond-async, wait=1"])
def test_a_client_with_some_patience_is_told_where_to_look_when_it_ran_out(server, prefer):
    reply = ask(server, long_clip("640x360"), headers={"prefer": prefer})
    server.post(f"/generations/{reply.body['id']}/cancel")
    assert (reply.status, reply.body["status"] in ("queued", "running")) == (202, True)
    assert reply.headers["preference-applied"] == prefer.split(", ")[-1]
    assert reply.headers["location"] == f"/generations/{reply.body['id']}"


def test_a_client_with_patience_enough_gets_the_generation(server):
    reply = ask(server, headers={"prefer": "wait=30"})
    assert (reply.status, reply.body["status"], reply.headers["preference-applied"]) == (200, "completed", "wait=30")
    assert "location" not in reply.headers


@pytest.mark.parametrize("prefer", ["", "return=minimal", "wait=soon"])
def test_a_preference_that_is_not_known_is_not_applied(server, prefer):
    reply = ask(server, headers={"prefer": prefer})
    assert (reply.status, "preference-applied" in reply.headers) == (200, False)


# ---- the stream ------------------------------------------------------------------------------------------------------


def test_a_stream_tells_everything_that_happens(streamed):
    assert [event.name for event in streamed] == [
        "generation.created",
        "turn.completed",
        "tool.started",
        "asset.created",
        "tool.completed",
        "turn.completed",
        "generation.completed",
    ]


def test_the_ids_of_a_stream_only_grow(streamed):
    ids = [event.id for event in streamed]
    assert ids == sorted(set(ids))


def test_a_stream_ends_with_the_whole_generation(server, streamed):
    generation = streamed[-1].data
    assert generation == server.get(f"/generations/{generation['id']}").body
    assert (generation["status"], len(generation["assets"])) == ("completed", 1)


def test_every_event_before_the_last_names_its_generation_and_its_time(streamed):
    generation_id = streamed[-1].data["id"]
    assert {event.data["generation_id"] for event in streamed[:-1]} == {generation_id}
    assert all(TIME.fullmatch(event.data["created_at"]) for event in streamed[:-1])


def test_a_stream_is_an_event_stream_that_nobody_keeps(server):
    with connected(server) as connection:
        connection.request("POST", "/generate", json.dumps({"prompt": WORDS}), {**JSON, "accept": "text/event-stream"})
        answer = connection.getresponse()
        assert answer.headers.get_content_type() == "text/event-stream"
        assert answer.headers["cache-control"] == "no-store"


def test_a_request_that_is_wrong_gets_a_problem_also_when_a_stream_was_asked_for(server):
    assert fields(ask(server, "", headers={"accept": "text/event-stream"})) == ["prompt"]


# ---- hanging up ------------------------------------------------------------------------------------------------------


def test_a_watcher_that_hangs_up_stops_nothing(server):
    with connected(server) as connection:
        connection.request("POST", "/generate", json.dumps({"prompt": IMAGE}), {**JSON, "accept": "text/event-stream"})
        first = next(parse_events(iter(connection.getresponse().readline, b"")))
    generation = ended(server, first.data["generation_id"])
    assert (generation["status"], len(generation["assets"])) == ("completed", 1)


def test_a_client_that_waits_and_hangs_up_stops_nothing(server):
    prompt = f"A 5 second clip of house {uuid.uuid4().hex}, 320x180"
    with connected(server) as connection:
        connection.request("POST", "/generate", json.dumps({"prompt": prompt}), JSON)
        generation_id = arrived(server, prompt)
    generation = ended(server, generation_id)
    assert (generation["status"], len(generation["assets"])) == ("completed", 1)


# ---- Idempotency-Key -------------------------------------------------------------------------------------------------


def test_a_request_sent_twice_runs_once(server):
    headers = key()
    first, second = ask(server, headers=headers), ask(server, headers=headers)
    assert (first.status, second.status, second.body) == (200, 200, first.body)
    assert (first.headers.get("idempotent-replayed"), second.headers["idempotent-replayed"]) == (None, "true")


def test_a_request_sent_ten_times_at_once_runs_once(server):
    headers = key()
    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda _: ask(server, IMAGE, headers=headers), range(10)))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body["id"] for reply in replies}) == 1
    assert sum("idempotent-replayed" not in reply.headers for reply in replies) == 1


def test_a_request_sent_again_may_ask_for_another_kind_of_answer(server):
    headers = key()
    first = ask(server, headers=headers).body
    again = list(server.events("/generate", method="POST", body={"prompt": WORDS}, headers=headers))
    assert again[-1].data == first


def test_a_body_that_differs_only_in_what_it_leaves_out_is_the_same(server):
    headers = key()
    assert ask(server, headers=headers).body == ask(server, headers=headers, max_steps=10, inputs=[]).body


def test_a_key_that_comes_with_another_body_is_refused(server):
    headers = key()
    ask(server, headers=headers)
    assert problem(ask(server, "another prompt", headers=headers)) == (422, "idempotency_mismatch")


def test_two_keys_are_two_generations(server):
    assert ask(server, headers=key()).body["id"] != ask(server, headers=key()).body["id"]


@pytest.mark.parametrize("value", ["", "k" * 256])
def test_a_key_of_no_length_or_too_long_is_refused(server, value):
    assert fields(ask(server, headers={"idempotency-key": value})) == ["header.idempotency-key"]


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 32_001}, "prompt"),
        ({"prompt": "half a \ud83d pair"}, "prompt"),
        ({"prompt": "nothing \0 at all"}, "prompt"),
        ({"prompt": "x", "size": "256x256"}, "size"),
        ({"prompt": "x", "max_steps": 0}, "max_steps"),
        ({"prompt": "x", "max_steps": 51}, "max_steps"),
        ({"prompt": "x", "max_steps": 1.5}, "max_steps"),
        ({"prompt": "x", "max_steps": "x"}, "max_steps"),
        ({"prompt": "x", "max_steps": "3"}, "max_steps"),
        ({"prompt": "x", "max_steps": True}, "max_steps"),
        ({"prompt": "x", "max_steps": None}, "max_steps"),
        ({"prompt": "x", "inputs": NOTHING}, "inputs"),
        ({"prompt": "x", "inputs": [NOTHING] * 21}, "inputs"),
        ({"prompt": "x", "inputs": ["../etc/passwd"]}, "inputs.0"),
        ({"prompt": "x", "inputs": [NOTHING]}, "inputs.0"),
        ({"prompt": "x", "previous_id": "yesterday"}, "previous_id"),
        ({"prompt": "x", "previous_id": NOBODY}, "previous_id"),
        ({"prompt": "x", "models": ["offline-image"]}, "models"),
        ({"prompt": "x", "models": {"image": "no-such-model"}}, "models.image"),
        ({"prompt": "x", "models": {"video": "offline-image"}}, "models.video"),
        ({"prompt": "x", "models": {"image": "flux-1.1-pro"}}, "models.image"),
        ({"prompt": "x", "models": {"smell": "offline-image"}}, "models.smell"),
        ({"prompt": "x", "models": {"chat": "no-such-model"}}, "models.chat"),
        ({"prompt": "x", "models": {"chat": "offline-image"}}, "models.chat"),
        ({"prompt": "x", "models": {"chat": "gpt-4o"}}, "models.chat"),
        ({"prompt": "x", "max_cost_usd": -1}, "max_cost_usd"),
        ({"prompt": "x", "max_cost_usd": "a lot"}, "max_cost_usd"),
        ({"prompt": "x", "max_cost_usd": "NaN"}, "max_cost_usd"),
        ({"prompt": "x", "max_cost_usd": True}, "max_cost_usd"),
        ({"prompt": "x", "max_cost_usd": "1e3"}, "max_cost_usd"),
        ({"prompt": "x", "max_cost_usd": ""}, "max_cost_usd"),
        ({"prompt": "x", "max_cost_usd": 10_001}, "max_cost_usd"),
        ({"prompt": "x", "metadata": {"n": 1}}, "metadata.n"),
        ({"prompt": "x", "metadata": {"n": "v" * 513}}, "metadata.n"),
        ({"prompt": "x", "metadata": {"n\0": "v"}}, "metadata.n\0"),
        ({"prompt": "x", "metadata": {"k" * 65: "v"}}, "metadata." + "k" * 65),
        ({"prompt": "x", "metadata": {str(n): "v" for n in range(17)}}, "metadata"),
        ([], "body"),
        ("a prompt", "body"),
    ],
)
def test_the_field_that_is_wrong_is_named(server, body, field):
    assert fields(server.post("/generate", body)) == [field]


def test_every_field_that_is_wrong_is_named(server):
    reply = ask(server, "", max_steps=0, models={"smell": "x"}, colour="red")
    assert fields(reply) == ["prompt", "max_steps", "models.smell", "colour"]


def test_what_is_refused_leaves_nothing_behind(server):
    before = server.get("/generations?limit=1").body["data"]
    ask(server, max_steps=0)
    ask(server, inputs=[NOTHING])
    assert server.get("/generations?limit=1").body["data"] == before


@pytest.mark.parametrize("content", [b"", b"{not json", b"\xff\xfe", b"null"])
def test_a_body_that_is_no_object_is_refused_as_a_whole(server, content):
    assert fields(server.post("/generate", content, headers=JSON)) == ["body"]


@pytest.mark.parametrize(
    "content", [b'{"prompt": "a \xff"}', b"[" * 100_000, b'{"prompt": "x", "max_steps": ' + b"9" * 5000 + b"}"]
)
def test_a_body_no_parser_takes_is_a_problem(server, content):
    status, _ = problem(server.post("/generate", content, headers=JSON))
    assert status in (400, 422)


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "nonsense"]
)
def test_a_body_that_is_not_called_json_is_told_to_be(server, content_type):
    reply = server.post("/generate", b'{"prompt": "hello"}', headers={"content-type": content_type})
    assert fields(reply) == ["body"]
    assert "application/json" in reply.body["errors"][0]["detail"]


def test_the_longest_prompt_is_taken(server):
    prompt = "hello " * 5_333 + "yo"
    assert generated(server, prompt)["prompt"] == prompt


@pytest.mark.parametrize("prompt", ["猫の絵, 256x256", 'a 🦊\r\n\tand \u202ea <b>bold</b> "fox" \' -- {x}, 256x256'])
def test_a_prompt_comes_back_word_for_word(server, prompt):
    assert generated(server, prompt)["prompt"] == prompt


# ---- too much --------------------------------------------------------------------------------------------------------


def body_of(size: int) -> bytes:
    """A valid body of exactly so many bytes."""
    return json.dumps({"prompt": WORDS, "metadata": {"n": "v" * 500}}).encode().ljust(size)


def test_a_body_of_the_largest_size_is_taken(narrow):
    assert narrow.post("/generate", body_of(MAX_BODY_BYTES), headers=JSON).status == 200


def test_a_body_that_says_it_is_too_large_is_refused(narrow):
    assert problem(narrow.post("/generate", body_of(MAX_BODY_BYTES + 1), headers=JSON)) == (413, "too_large")


def test_a_body_that_turns_out_too_large_is_refused(narrow):
    status, body = piecewise(narrow, "/generate", [body_of(MAX_BODY_BYTES), b" "], "application/json")
    assert (status, json.loads(body)["code"]) == (413, "too_large")


def test_a_body_far_too_large_is_refused_while_it_is_still_sent(narrow):
    assert problem(narrow.post("/generate", b" " * 5_000_000, headers=JSON)) == (413, "too_large")


def test_a_web_client_elsewhere_can_read_that_a_body_is_too_large(narrow):
    reply = narrow.post("/generate", body_of(MAX_BODY_BYTES + 1), headers={**JSON, "origin": CLIENT})
    assert (problem(reply), reply.headers["access-control-allow-origin"]) == ((413, "too_large"), CLIENT)


# ---- going on --------------------------------------------------------------------------------------------------------


def test_a_generation_can_be_continued_in_few_words(server, lighthouse):
    darker = generated(server, "make it darker", previous_id=lighthouse["id"])
    assert darker["previous_id"] == lighthouse["id"]
    [asset] = darker["assets"]
    assert (asset["type"], asset["width"], asset["parent_ids"]) == ("image", 256, [lighthouse["assets"][0]["id"]])
    assert "dark" in asset["prompt"]


def test_a_continued_generation_can_be_continued(server, lighthouse):
    darker = generated(server, "make it darker", previous_id=lighthouse["id"])
    larger = generated(server, "make it larger", previous_id=darker["id"])
    assert larger["assets"][0]["parent_ids"] == [darker["assets"][0]["id"]]


def test_a_generation_that_still_runs_cannot_be_continued(server, clip):
    assert problem(ask(server, "make it darker", previous_id=clip)) == (409, "conflict")


def test_a_cancelled_generation_can_be_continued(server):
    first = begun(server, long_clip())
    server.post(f"/generations/{first}/cancel")
    assert ask(server, "hello again", previous_id=first).status == 200


def test_an_upload_can_be_worked_with(server):
    given = server.get(generated(server, IMAGE)["assets"][0]["url"]).body
    upload = server.upload("mine.png", given, "image/png").body
    reply = ask(server, "Make a picture like this one, 256x256", inputs=[upload["id"]])
    assert (reply.status, reply.body["status"]) == (200, "completed")


@pytest.mark.parametrize("models", [{"image": "offline-image"}, {"image": "offline/offline-image"}])
def test_a_model_can_be_insisted_on(server, models):
    [asset] = generated(server, IMAGE, models=models)["assets"]
    assert (asset["provider"], asset["model"]) == ("offline", "offline-image")


@pytest.mark.parametrize("steps", [1, 1.0])
def test_a_run_of_one_step_only_answers(server, steps):
    one = generated(server, IMAGE, max_steps=steps)
    assert (one["usage"]["model_turns"], one["assets"]) == (1, [])
    assert one["response"]


@pytest.mark.parametrize("cap", ["0.50", "10000", 0.5, 0, 1, 3489.8585917194155, 1e-30])
def test_a_cap_is_taken_as_a_number_or_a_string(server, cap):
    assert generated(server, max_cost_usd=cap)["status"] == "completed"
