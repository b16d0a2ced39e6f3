"""Every tool through the agent, with the stand-in alone: what it makes of plain requests about what is there."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from tests.http.talk import generated
from tests.server import Server

Json = dict[str, Any]
SPOKEN = "Good morning. The lighthouse opens at nine."


@pytest.fixture(scope="module")
def picture(server: Server) -> Json:
    """A picture made by the agent, to be gone on from."""
    return generated(server, "An image of a red lighthouse, 256x192")


@pytest.fixture(scope="module")
def narration(server: Server) -> Json:
    """A narration made by the agent."""
    return generated(server, f'Read this aloud: "{SPOKEN}"')


def step(generation: Json, tool: str) -> Json:
    """The one step of that tool."""
    [found] = [step for step in generation["steps"] if step["name"] == tool]
    assert found["status"] == "completed", found
    return found


def upload(server: Server, name: str, content: bytes, media_type: str) -> str:
    """The id of an upload."""
    return server.upload(name, content, media_type).body["id"]


def test_earlier_picture_is_made_darker(server, picture):
    made = generated(server, "make it darker", previous_id=picture["id"])
    [old], [new] = picture["assets"], made["assets"]
    assert (step(made, "edit_image")["asset_ids"], new["parent_ids"]) == ([new["id"]], [old["id"]])
    before, after = (
        Image.open(io.BytesIO(server.get(asset["url"]).body)).convert("L").resize((1, 1)).getpixel((0, 0))
        for asset in (old, new)
    )
    assert after < before


def test_earlier_picture_is_animated(server, picture):
    made = generated(server, "now animate it for 1 second", previous_id=picture["id"])
    assert step(made, "generate_video")["arguments"]["image"] == picture["assets"][0]["id"]
    assert made["assets"][0]["type"] == "video"


def test_earlier_narration_is_read_again_in_another_voice(server, narration):
    made = generated(server, "now read it in a sad voice", previous_id=narration["id"])
    arguments = step(made, "generate_speech")["arguments"]
    assert (arguments["text"], "sad" in arguments["instructions"]) == (SPOKEN, True)


def test_upload_is_looked_at(server):
    file = io.BytesIO()
    Image.new("RGB", (320, 200), "blue").save(file, "PNG")
    picture = upload(server, "blue.png", file.getvalue(), "image/png")
    made = generated(server, "What is in this picture?", inputs=[picture])
    found = step(made, "analyze_image")["result"]
    assert any("blue" in colour for colour in found["colors"])
    assert "320" in found["description"]


def test_clip_is_watched(server):
    clip = generated(server, "A 2 second clip of waves, 160x120")
    made = generated(server, "What happens in this video?", previous_id=clip["id"])
    assert step(made, "analyze_video")["result"]["moments"]


def test_narration_is_listened_to(server, narration):
    made = generated(server, "How does the voice in this recording sound?", inputs=[narration["assets"][0]["id"]])
    assert step(made, "analyze_audio")["result"]["tone"]


def test_narration_is_written_down_and_says_how(server, narration):
    made = generated(server, "Transcribe this", inputs=[narration["assets"][0]["id"]])
    found = step(made, "transcribe_audio")["result"]
    assert (found["text"], "record" in found["source"]) == (SPOKEN, True)
    assert {asset["media_type"] for asset in made["assets"]} == {"application/x-subrip", "text/vtt"}


def test_invoice_is_read(server):
    text = b"INVOICE\nInvoice No: A-17\nDate: 2026-11-02\nTotal: 42.50 EUR\n"
    made = generated(server, "Extract the data from this invoice", inputs=[upload(server, "a.txt", text, "text/plain")])
    found = step(made, "extract_document")["result"]
    assert (found["type"], found["valid"]) == ("invoice", True)
    assert 42.5 in found["data"].values()


def test_character_is_kept_from_picture_to_picture(server, picture):
    made = generated(server, "An image of the same lighthouse at night, 256x192", previous_id=picture["id"])
    assert made["assets"][0]["parent_ids"] == [picture["assets"][0]["id"]]


def test_variants_are_several_pictures(server):
    made = generated(server, "Three variants of an image of a fox, 128x128")
    assert len({asset["sha256"] for asset in made["assets"]}) == 3
