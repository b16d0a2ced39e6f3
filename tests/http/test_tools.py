"""The routes to single tools: each a generation of one step, answered as POST /generate answers."""

from __future__ import annotations

import io
import uuid
from typing import Any

import av
import pytest
from PIL import Image

from tests.http.talk import NOTHING, connected, ended, fields, problem
from tests.server import Reply, Server

Json = dict[str, Any]
WORDS = "Good morning. This is a test of the narrator."


def did(server: Server, path: str, **body: Any) -> Json:
    """A generation of one tool that was waited for and came out well."""
    reply = server.post(path, body)
    assert reply.status == 200, reply
    return reply.body


def content(server: Server, asset: Json) -> bytes:
    """An asset's bytes."""
    found: bytes = server.get(asset["url"]).body
    return found


@pytest.fixture(scope="module")
def picture(server: Server) -> Json:
    """A picture made without a planner."""
    return did(server, "/images", prompt="a red lighthouse at dusk", size="256x192", metadata={"post": "42"})


@pytest.fixture(scope="module")
def narration(server: Server) -> Json:
    """A text read aloud without a planner."""
    return did(server, "/speech", text=WORDS, voice="onyx", format="wav")


# ---- making ----------------------------------------------------------------------------------------------------------


def test_picture_is_a_generation_of_one_step_without_a_planner(picture):
    [step], [asset] = picture["steps"], picture["assets"]
    assert (picture["tool"], step["kind"], step["name"]) == ("generate_image", "tool", "generate_image")
    assert (asset["width"], asset["height"], picture["metadata"]) == (256, 192, {"post": "42"})
    assert (picture["usage"]["model_turns"], len(picture["receipts"])) == (0, 1)


def test_variants_are_as_many_pictures(server):
    made = did(server, "/images", prompt="a cat", size="128x128", n=3)
    assert len({asset["sha256"] for asset in made["assets"]}) == 3


def test_edit_is_a_new_picture_made_from_the_old_one(server, picture):
    [old] = picture["assets"]
    [new] = did(server, "/images/edits", image=old["id"], instruction="make it black and white")["assets"]
    assert new["parent_ids"] == [old["id"]]
    colours = Image.open(io.BytesIO(content(server, new))).convert("RGB").resize((8, 8)).get_flattened_data()
    assert all(max(pixel) - min(pixel) < 8 for pixel in colours)


def test_still_is_animated(server, picture):
    [clip] = did(server, "/videos", prompt="slow zoom", image=picture["assets"][0]["id"], duration=1)["assets"]
    assert (clip["type"], clip["parent_ids"]) == ("video", [picture["assets"][0]["id"]])


def test_sound_comes_while_it_is_made_and_is_kept_whole(server):
    reply = server.post("/speech", {"text": WORDS, "stream": True, "format": "mp3"})
    assert (reply.status, reply.headers["content-type"]) == (200, "audio/mpeg")
    kept = ended(server, reply.headers["x-generation-id"])
    assert content(server, kept["assets"][0]) == reply.body
    with av.open(io.BytesIO(reply.body)) as sound:
        assert sound.streams.audio


def test_listener_who_hangs_up_stops_nothing(server):
    with connected(server) as connection:
        body = '{"text": "' + WORDS * 20 + '", "stream": true, "metadata": {"post": "hung up"}}'
        connection.request("POST", "/speech", body, {"content-type": "application/json"})
        generation_id = connection.getresponse().getheader("x-generation-id")
    assert [asset["type"] for asset in ended(server, generation_id)["assets"]] == ["speech"]


# ---- sensing ---------------------------------------------------------------------------------------------------------


def test_look_at_pictures_is_a_typed_result(server, picture):
    seen = did(server, "/analyses", images=[picture["assets"][0]["id"]], question="How large is it?")
    assert {"description", "objects", "scene", "style", "colors", "key_themes"} <= seen["result"].keys()
    assert "256" in seen["response"]


def test_narration_is_written_down_with_subtitles(server, narration):
    heard = did(server, "/transcriptions", audio=narration["assets"][0]["id"])
    assert heard["result"]["text"].lower().startswith("good morning")
    assert heard["result"]["source"]
    assert [asset["media_type"] for asset in heard["assets"]] == ["application/x-subrip", "text/vtt"]
    assert b"-->" in content(server, heard["assets"][1])


def test_text_of_an_invoice_becomes_data(server):
    text = b"INVOICE\nInvoice No: A-17\nDate: 2026-11-02\nTotal: 42.50\n"
    upload = server.upload("invoice.txt", text, "text/plain")
    schema = {"type": "object", "properties": {"invoice_no": {"type": "string"}, "total": {"type": "number"}}}
    read = did(server, "/extractions", document=upload.body["id"], schema=schema)["result"]
    assert (read["type"], read["data"]["total"], read["valid"]) == ("invoice", 42.5, True)


# ---- answers ---------------------------------------------------------------------------------------------------------


def test_client_that_does_not_wait_follows_the_events(server):
    reply = server.post("/images", {"prompt": "a cat", "size": "64x64"}, headers={"prefer": "respond-async"})
    assert (reply.status, reply.headers["preference-applied"]) == (202, "respond-async")
    done = ended(server, reply.body["id"])
    assert (done["status"], len(done["assets"])) == ("completed", 1)


def test_same_key_gives_the_same_generation(server):
    key = {"idempotency-key": uuid.uuid4().hex}
    first, again = (server.post("/images", {"prompt": "a cat", "size": "64x64"}, headers=key) for _ in range(2))
    assert first.body["id"] == again.body["id"]
    assert again.headers["idempotent-replayed"] == "true"


def test_later_request_continues_from_it(server, picture):
    reply = server.post("/generate", {"prompt": "make it darker", "previous_id": picture["id"]})
    [asset] = reply.body["assets"]
    assert asset["parent_ids"] == [picture["assets"][0]["id"]]


# ---- refusals --------------------------------------------------------------------------------------------------------


def refused(server: Server, path: str, **body: Any) -> Reply:
    """An answer that names fields or says why."""
    return server.post(path, body)


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/images", {}, ["prompt"]),
        ("/images", {"prompt": "a cat", "n": 0}, ["n"]),
        ("/images/edits", {"image": NOTHING, "instruction": "red"}, ["image"]),
        ("/videos", {"prompt": "waves", "duration": 0}, ["duration"]),
        ("/speech", {"text": ""}, ["text"]),
        ("/transcriptions", {"audio": NOTHING}, ["audio"]),
        ("/extractions", {"document": NOTHING}, ["document"]),
    ],
)
def test_bad_input_names_its_field(server, path, body, named):
    assert fields(refused(server, path, **body)) == named


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/analyses", {}),
        ("/analyses", {"images": [NOTHING], "video": NOTHING}),
        ("/images", {"prompt": "a cat", "size": "huge"}),
        ("/images", {"prompt": "a cat", "model": "midjourney"}),
        ("/images", {"prompt": "a cat", "options": {"style_preset": "anime"}}),
        ("/speech", {"text": "Hi.", "voice": "nobody"}),
        ("/extractions", {"document": "https://x.y", "schema": {"type": "array"}}),
        ("/images/edits", {"image": "http://127.0.0.1/a.png", "instruction": "red"}),
        ("/images/edits", {"image": "https://127.0.0.1/a.png", "instruction": "red"}),
    ],
)
def test_what_cannot_work_is_the_callers_fault(server, path, body):
    assert problem(refused(server, path, **body)) == (422, "invalid_input")


def test_picture_is_no_sound(server, picture):
    reply = refused(server, "/transcriptions", audio=picture["assets"][0]["id"])
    assert problem(reply) == (422, "invalid_input")
    assert "is of type image" in reply.body["detail"]
