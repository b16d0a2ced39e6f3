"""Answers to paid requests that never arrive: the job is found again where its vendor lists its jobs, and else it is
told of as unknown; either way nothing is sent twice.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import parse_qs

import pytest
from PIL import Image

from tests.e2e.stage import (
    Json,
    Stage,
    answers,
    call,
    hang,
    pictures,
    receipts_of,
    refuse,
    step_of,
    steps_of,
    turn,
    types_of,
    wait_until,
)
from tests.fake_vendors import KEYS, FakeVendors
from tests.server import Server

FLUX, CLIP = "/replicate/v1/predictions", "/runway/v1/text_to_video"
FILM = turn(call("generate_video", prompt="steam over a cup", duration=5))
WAYS = {
    "no-answer": {"hang_s": 300.0},
    "dropped": {"drop": True},
    "error-after-acceptance": {"status": 500, "accept": True},
}
however_lost = pytest.mark.parametrize("lost", WAYS.values(), ids=WAYS.keys())


def lose(path: str, **way: object) -> Json:
    """The vendor accepts one request there, and its answer is lost."""
    return {"path": path, "method": "POST", **way}


def all_different(*generations: Json) -> int:
    """How many works there are; fails when two of them are the same, or of the same job."""
    contents = [asset["sha256"] for made in generations for asset in made["assets"]]
    jobs = {receipt["job_id"] for made in generations for receipt in receipts_of(made, "image")}
    assert len(contents) == len(set(contents)) == len(jobs)
    return len(jobs)


# ---- while the process lives -----------------------------------------------------------------------------------------


@however_lost
def test_a_job_is_found_in_its_vendors_list(impatient: Stage, lost: Json) -> None:
    impatient.fakes.control(fail=[lose(FLUX, **lost)], latency={"replicate": 0.2})
    impatient.script(pictures("a cup"))
    made = impatient.made()
    [receipt] = receipts_of(made, "image")
    assert (types_of(made), len(impatient.requests(FLUX)), impatient.submits("replicate")) == (["image"], 1, 1)
    assert (receipt["state"], made["warnings"]) == ("settled", [])
    assert impatient.requests(f"{FLUX}/{receipt['job_id']}", "GET")


def test_the_list_is_asked_for_from_before_the_request_left(impatient: Stage) -> None:
    impatient.fakes.control(fail=[hang(FLUX)])
    impatient.script(pictures("a cup"))
    impatient.made()
    [sent], [listed, *_] = impatient.requests(FLUX), impatient.requests(FLUX, "GET")
    [since] = parse_qs(listed["query"])["created_after"]
    assert datetime.fromisoformat(since) + timedelta(minutes=1) <= datetime.fromtimestamp(sent["at"]).astimezone()


@however_lost
def test_a_job_of_a_vendor_without_a_list_is_unknown_and_told_of(impatient: Stage, lost: Json) -> None:
    impatient.fakes.control(fail=[lose(CLIP, **lost)])
    impatient.script(FILM)
    made = impatient.made()
    [receipt] = receipts_of(made, "video")
    assert (types_of(made), len(impatient.requests(CLIP)), impatient.submits("runway")) == ([], 1, 1)
    assert (receipt["state"], receipt["amount_usd"], receipt["estimate_usd"]) == ("unknown", None, "0.600000")
    assert '"outcome_unknown"' in answers(impatient.chats()[-1])[0]
    assert (step_of(made, "generate_video")["cost_usd"], made["cost_is_complete"]) == (None, False)


def test_a_request_that_the_list_does_not_show_costs_nothing_and_is_not_sent_again(stage: Stage) -> None:
    stage.fakes.control(fail=[refuse(FLUX, 500)])
    stage.script(pictures("a cup"))
    made = stage.made()
    [receipt] = receipts_of(made, "image")
    assert (len(stage.requests(FLUX)), stage.submits("replicate")) == (1, 0)
    assert (receipt["state"], receipt["amount_usd"]) == ("released", "0.000000")
    assert "list shows that it was not" in step_of(made, "generate_image")["error"]


def test_a_list_that_cannot_be_asked_leaves_it_unknown(stage: Stage) -> None:
    stage.fakes.control(fail=[lose(FLUX, drop=True), refuse(FLUX, 404, method="GET")])
    stage.script(pictures("a cup"))
    made = stage.made()
    assert (len(stage.requests(FLUX)), receipts_of(made, "image")[0]["state"]) == (1, "unknown")


def test_equal_requests_keep_their_jobs_apart_when_one_of_them_lost_its_answer(stage: Stage) -> None:
    late = {"path": FLUX, "method": "POST", "hang_s": 1.0, "times": 2}
    stage.fakes.control(fail=[lose(FLUX, drop=True, skip=2), late])
    stage.script(pictures("a cup", "a cup", "a cup"))
    assert all_different(stage.made()) == stage.submits("replicate") == 3


# ---- when the process dies -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mortal_server(vendors: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that is killed again and again."""
    with Server(tmp_path_factory.mktemp("mortal"), vendors.environment()) as server:
        yield server


@pytest.fixture
def mortal(mortal_server: Server, fakes: FakeVendors) -> Stage:
    return Stage(mortal_server, fakes)


def die(stage: Stage) -> None:
    """A power cut, and the start after it."""
    stage.server.kill()
    stage.server.restart()


def test_a_request_put_off_over_a_crash_and_lost_in_the_next_is_sent_once(
    mortal: Stage,
) -> None:
    mortal.fakes.control(fail=[refuse(FLUX, 429, headers={"retry-after": "4"}), hang(FLUX)])
    mortal.script(pictures("a cup"))
    generation_id = mortal.begin()
    wait_until(lambda: [each["waiting"] for each in receipts_of(mortal.get(generation_id), "image")] == [True])
    die(mortal)
    mortal.until_submitted("replicate")
    die(mortal)
    made = mortal.finished(generation_id)
    refused_at, sent_at = (row["at"] for row in mortal.requests(FLUX))
    assert (types_of(made), mortal.submits("replicate"), sent_at - refused_at >= 4) == (["image"], 1, True)


def test_a_request_the_vendor_never_got_is_sent_after_a_crash(mortal: Stage) -> None:
    mortal.fakes.control(fail=[hang(FLUX, status=500)])
    mortal.script(pictures("a cup"))
    generation_id = mortal.begin()
    wait_until(lambda: mortal.requests(FLUX))
    die(mortal)
    assert types_of(mortal.finished(generation_id)) == ["image"]
    assert (len(mortal.requests(FLUX)), mortal.submits("replicate")) == (2, 1)


def test_equal_requests_lost_in_a_crash_each_get_their_own_job(mortal: Stage) -> None:
    mortal.fakes.control(fail=[hang(FLUX, times=5)])
    mortal.script(pictures(*["a cup"] * 3), pictures(*["a cup"] * 2))
    generations = [mortal.begin(), mortal.begin()]
    mortal.until_submitted("replicate", 5)
    die(mortal)
    made = [mortal.finished(generation_id) for generation_id in generations]
    steps = [step for each in made for step in steps_of(each, "generate_image")]
    assert [len(step["asset_ids"]) for step in steps] == [1] * 5
    assert all_different(*made) == len(mortal.requests(FLUX)) == mortal.submits("replicate") == 5


def noise(side: int) -> bytes:
    """A picture like no other."""
    file = io.BytesIO()
    Image.effect_noise((side, side), 90).save(file, "PNG")
    return file.getvalue()


def told_by_replicate(stage: Stage, path: str) -> Json:
    """What the vendor answers to a question of ours."""
    key = KEYS["REPLICATE_API_TOKEN"]
    asked = urllib.request.Request(f"{stage.fakes.url}/replicate/v1/{path}", headers={"authorization": f"Bearer {key}"})
    with urllib.request.urlopen(asked) as answer:
        found: Json = json.load(answer)
    return found


def first_frame_of(stage: Stage, job_id: str) -> str:
    """The digest of the picture a job started from."""
    link = told_by_replicate(stage, f"predictions/{job_id}")["input"]["image"]
    if link.startswith("data:"):
        return hashlib.sha256(base64.b64decode(link.partition(",")[2])).hexdigest()
    digest: str = told_by_replicate(stage, f"files/{link.rpartition('/')[2]}")["checksums"]["sha256"]
    return digest


@pytest.mark.parametrize("side", [64, 700], ids=["sent-along", "uploaded"])
def test_equal_words_about_different_pictures_each_get_the_clip_of_their_own(mortal: Stage, side: int) -> None:
    photos = [mortal.server.upload(f"{number}.png", noise(side), "image/png").body for number in range(3)]
    clips = (call("generate_video", prompt="it moves", provider="seedance-1-pro", image=each["id"]) for each in photos)
    mortal.fakes.control(fail=[hang(FLUX, times=3)])
    mortal.script(turn(*clips))
    generation_id = mortal.begin(inputs=[each["id"] for each in photos])
    mortal.until_submitted("replicate", 3)
    die(mortal)
    made = mortal.finished(generation_id)
    frames = {receipt["step_id"]: first_frame_of(mortal, receipt["job_id"]) for receipt in receipts_of(made, "video")}
    wanted = {step["id"]: step["arguments"]["image"] for step in steps_of(made, "generate_video")}
    assert frames == {step: each["sha256"] for step, of in wanted.items() for each in photos if each["id"] == of}
    assert (types_of(made), mortal.submits("replicate")) == (["video"] * 3, 3)
