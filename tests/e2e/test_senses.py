"""The tools that edit, look, listen, write down and read, through an agent and alone, with the vendors' fakes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
from PIL import Image

from tests.e2e.stage import Json, Stage, call, turn, wait_until
from tests.fake_vendors import FakeVendors
from tests.fake_vendors.openai_heard import SPOKEN
from tests.server import Server

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"


@pytest.fixture(scope="module")
def sensing_server(vendors: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that knows every vendor there is a fake of."""
    settings = vendors.environment("google", "stability", "elevenlabs")
    with Server(tmp_path_factory.mktemp("sensing"), settings) as running:
        yield running


@pytest.fixture
def senses(sensing_server: Server, fakes: FakeVendors) -> Stage:
    """That server and the vendors as new."""
    return Stage(sensing_server, fakes)


def alone(stage: Stage, path: str, **body: object) -> Json:
    """A generation of one tool that was waited for and came out well."""
    reply = stage.server.post(path, body)
    assert reply.status == 200, reply
    return reply.body


def uploaded(stage: Stage, name: str, content: bytes, media_type: str) -> str:
    """The id of an upload."""
    reply = stage.server.upload(name, content, media_type)
    assert reply.status == 201, reply
    return reply.body["id"]


def painted(colour: str, size: tuple[int, int] = (1024, 1024)) -> bytes:
    """A picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def by_agent(stage: Stage, tool: str, **arguments: object) -> Json:
    """A generation whose planner calls one tool, and what was told of it."""
    stage.script(turn(call(tool, **arguments)), {"content": "Done."})
    made = stage.made("Please.")
    assert (made["stop_reason"], made["steps"][1]["name"], made["steps"][1]["error"]) == ("answered", tool, None)
    return made


# ---- editing ---------------------------------------------------------------------------------------------------------


def test_agent_edits_an_upload_with_a_mask(senses):
    picture = uploaded(senses, "cat.png", painted("white"), "image/png")
    mask = uploaded(senses, "mask.png", painted("white"), "image/png")
    made = by_agent(senses, "edit_image", image=picture, mask=mask, instruction="a hat")
    [asset] = made["assets"]
    assert (asset["parent_ids"], asset["model"]) == ([picture, mask], "gpt-image-2.6-flare")
    assert senses.submits("openai.edits") == 1


def test_earlier_result_is_edited_by_continuing(senses):
    first = alone(senses, "/images", prompt="a red fox", model="flux-schnell")
    old = first["assets"][0]["id"]
    senses.script(turn(call("edit_image", image=old, instruction="darker")), {"content": "Done."})
    made = senses.made("make it darker", previous_id=first["id"])
    assert made["assets"][0]["parent_ids"] == [old]
    assert f"{old}: image" in json.dumps(senses.fakes.ledger()["requests"])


@pytest.mark.parametrize(
    ("operation", "more"),
    [("outpaint", {"options": {"left": 64}}), ("remove_background", {}), ("upscale", {})],
)
def test_operation_goes_to_the_vendor_that_can(senses, operation, more):
    picture = uploaded(senses, "cat.png", painted("white"), "image/png")
    made = alone(senses, "/images/edits", image=picture, operation=operation, **more)
    assert made["assets"][0]["provider"] == "stability"


def test_variants_of_a_model_that_makes_one_are_as_many_calls(senses):
    made = alone(senses, "/images", prompt="a red fox", model="flux-schnell", n=3)
    assert len(made["assets"]) == 3
    assert len({asset["sha256"] for asset in made["assets"]}) == 3


def test_part_of_the_variants_is_given_with_a_warning(senses):
    refusal = {"path": "/replicate/v1/", "method": "POST", "status": 422, "body": {"detail": "no"}, "times": 1}
    senses.fakes.control(fail=[refusal])
    made = alone(senses, "/images", prompt="a red fox", model="flux-1.1-pro", n=2)
    assert len(made["assets"]) == 1
    assert "1 of 2 calls failed" in made["warnings"][0]


def test_option_a_model_does_not_know_is_told_with_those_it_knows(senses):
    reply = senses.server.post("/images", {"prompt": "a fox", "model": "flux-1.1-pro", "options": {"style": "x"}})
    assert reply.status == 422
    assert "knows no option 'style'; it knows: " in reply.body["detail"]
    assert senses.submits("replicate") == 0


# ---- looking and listening -------------------------------------------------------------------------------------------


def test_agent_looks_at_several_pictures_in_one_question(senses):
    ids = [uploaded(senses, f"{colour}.png", painted(colour), "image/png") for colour in ("red", "blue")]
    made = by_agent(senses, "analyze_image", images=ids, question="Which is red?")
    found = made["steps"][1]["result"]
    assert found["objects"] == ["picture 1", "picture 2"]
    assert (found["answer"], found["image_tokens"]) == ("The answer to: Which is red?", 2 * 765)


def test_clip_is_watched_by_the_vendor_that_can(senses):
    clip = alone(senses, "/videos", prompt="waves", model="gen4.5", duration=5)["assets"][0]["id"]
    made = by_agent(senses, "analyze_video", video=clip, question="Is it calm?")
    assert made["steps"][1]["result"]["model"].startswith("google/")


def test_recording_is_listened_to(senses):
    speech = alone(senses, "/speech", text="How are you?", format="wav")["assets"][0]["id"]
    made = by_agent(senses, "analyze_audio", audio=speech)
    assert made["steps"][1]["result"]["tone"]


# ---- writing down and reading ----------------------------------------------------------------------------------------


def test_agent_has_a_recording_written_down_with_subtitles(senses):
    speech = alone(senses, "/speech", text="Hello.", format="wav")["assets"][0]["id"]
    made = by_agent(senses, "transcribe_audio", audio=speech)
    assert made["steps"][1]["result"]["text"] == SPOKEN
    assert [asset["filename"] for asset in made["assets"]] == ["transcript.srt", "transcript.vtt"]
    assert made["assets"][0]["parent_ids"] == [speech]


def test_speakers_are_told_apart_by_a_model_that_can(senses):
    speech = alone(senses, "/speech", text="Hello.", format="wav")["assets"][0]["id"]
    heard = alone(senses, "/transcriptions", audio=speech, speakers=True)
    assert {segment["speaker"] for segment in heard["result"]["segments"]}


def test_transcript_is_translated_by_the_chat_model(senses):
    speech = alone(senses, "/speech", text="Hello.", format="wav")["assets"][0]["id"]
    senses.fakes.control(chat=[{"tools": False, "content": "Hallo vom falschen Anbieter."}])
    heard = alone(senses, "/transcriptions", audio=speech, translate="German")
    assert heard["response"] == "Hallo vom falschen Anbieter."
    assert [receipt["modality"] for receipt in heard["receipts"]] == ["transcription", "chat"]


def test_agent_reads_an_invoice_by_the_callers_schema(senses):
    document = uploaded(senses, "invoice.pdf", PDF, "application/pdf")
    schema = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
    made = by_agent(senses, "extract_document", document=document, schema=schema)
    found = made["steps"][1]["result"]
    assert (found["type"], found["valid"], list(found["data"])) == ("invoice", True, ["total"])


def test_schema_that_is_proposed_is_followed(senses):
    document = uploaded(senses, "invoice.pdf", PDF, "application/pdf")
    found = alone(senses, "/extractions", document=document)["result"]
    assert set(found["data"]) == {"title", "total"} == set(found["schema"]["properties"])


# ---- sound while it is made ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["tts-1", "eleven_flash_v2_5"])
def test_sound_is_heard_while_it_is_made_and_paid_once(senses, model):
    reply = senses.server.post("/speech", {"text": "Good morning. " * 20, "model": model, "stream": True})
    made = senses.finished(reply.headers["x-generation-id"])
    [asset] = made["assets"]
    assert (reply.status, senses.server.get(asset["url"]).body) == (200, reply.body)
    assert senses.submits("openai.speech") + senses.submits("elevenlabs.speech") == 1


# ---- crashes ---------------------------------------------------------------------------------------------------------


def test_job_of_a_single_tool_is_taken_up_after_a_kill_and_bought_once(stage_with, fakes):
    fakes.control(latency={"replicate": 3.0})
    stage = stage_with()
    reply = stage.server.post(
        "/images", {"prompt": "a fox", "model": "flux-1.1-pro"}, headers={"prefer": "respond-async"}
    )
    stage.until_submitted("replicate")
    stage.server.kill()
    stage.server.restart()
    made = stage.finished(reply.body["id"])
    assert (made["status"], len(made["assets"]), stage.submits("replicate")) == ("completed", 1, 1)


def test_transcript_that_was_had_before_a_kill_is_not_bought_again(stage_with, fakes):
    stage = stage_with()
    speech = alone(stage, "/speech", text="Hello.", format="wav")["assets"][0]["id"]
    fakes.control(chat=[{"tools": False, "content": "Hallo.", "delay_s": 3.0}])
    body = {"audio": speech, "translate": "German"}
    reply = stage.server.post("/transcriptions", body, headers={"prefer": "respond-async"})
    wait_until(lambda: stage.submits("openai.chat"), "the translation")
    stage.server.kill()
    stage.server.restart()
    made = stage.finished(reply.body["id"])
    assert (made["status"], stage.submits("openai.transcriptions")) == ("completed", 1)
