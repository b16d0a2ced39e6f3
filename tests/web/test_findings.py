"""What tools found out, on the studio page: transcripts, looks, fields of documents, and the files they wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.server import Server
from tests.web.studio import INVOICE, ask, ended, prompt_of, show

TEXT = "Good mornings start here. The sea is calm today. Come in and take a seat."


@pytest.fixture(scope="module")
def narration(server: Server) -> dict[str, Any]:
    """A narration of three sentences."""
    return dict(server.post("/speech", {"text": TEXT}).body["assets"][0])


@pytest.fixture(scope="module")
def transcribed(server: Server, narration: dict[str, Any]) -> dict[str, Any]:
    """Its transcript."""
    return dict(server.post("/transcriptions", {"audio": narration["id"]}).body)


@pytest.fixture(scope="module")
def extracted(server: Server) -> dict[str, Any]:
    """An invoice that does not add up, read."""
    document = server.upload("invoice.txt", INVOICE, "text/plain").body["id"]
    return dict(server.post("/extractions", {"document": document}).body)


def player(page: Page) -> Locator:
    """The recording that was listened to."""
    return page.locator("#findings audio")


def test_a_time_in_a_transcript_plays_from_there(page: Page, server: Server, transcribed: dict[str, Any]) -> None:
    show(page, server, transcribed["id"])
    expect(page.locator(".transcript li")).to_have_count(3)
    expect(player(page)).not_to_have_js_property("readyState", 0)
    page.locator(".transcript li", has_text="The sea is calm").get_by_role("button").click()
    expect(page.locator(".transcript [aria-current]")).to_contain_text("The sea is calm")
    assert player(page).evaluate("player => player.currentTime") > 1


def test_a_player_has_the_subtitles_as_its_track(page: Page, server: Server, transcribed: dict[str, Any]) -> None:
    show(page, server, transcribed["id"])
    expect(page.locator("#findings track")).to_have_js_property("readyState", 2)
    told = player(page).evaluate("player => [...player.textTracks[0].cues].map((cue) => cue.text)")
    assert " ".join(told) == TEXT
    expect(page.locator("#findings track")).to_have_attribute("srclang", "en")


def test_a_recording_that_has_a_player_gets_no_second_one(page: Page, server: Server) -> None:
    ask(page, server, f'A narration saying "{TEXT}", and then transcribe it')
    expect(ended(page)).to_be_visible()
    expect(page.locator("#findings .transcript li")).to_have_count(3)
    expect(page.locator("audio")).to_have_count(1)
    expect(page.locator("#assets audio track")).to_have_js_property("readyState", 2)


def test_subtitles_can_be_saved(page: Page, server: Server, transcribed: dict[str, Any]) -> None:
    show(page, server, transcribed["id"])
    expect(page.locator("#files-made .kind")).to_have_text(["SRT", "VTT"])
    with page.expect_download() as saved:
        page.get_by_role("link", name="transcript.srt").click()
    assert saved.value.path().read_text().startswith("1\n00:00:00")


def test_a_translation_stands_below_its_transcript(page: Page, server: Server, narration: dict[str, Any]) -> None:
    made = server.post("/transcriptions", {"audio": narration["id"], "translate": "German"}).body
    show(page, server, made["id"])
    expect(page.get_by_role("heading", name="In German")).to_be_visible()
    expect(page.locator("#findings track")).to_have_count(2)
    expect(page.locator("#findings track").last).to_have_attribute("label", "German")


def test_the_button_asks_for_a_transcript(page: Page, server: Server) -> None:
    ask(page, server, f'A narration saying "{TEXT}"')
    page.get_by_role("button", name="Transcribe").click()
    expect(prompt_of(page)).to_have_value("Transcribe this recording.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#findings [data-id] h3, #findings h3").first).to_have_text("Transcript")
    expect(page.locator("#steps")).to_contain_text("Transcript")
    expect(ended(page)).to_be_visible()


def test_a_look_is_shown_as_a_description_with_facts(page: Page, server: Server) -> None:
    picture = server.post("/images", {"prompt": "a red fox in the snow"}).body["assets"][0]["id"]
    looked = server.post("/analyses", {"images": [picture], "question": "Which colours?"}).body
    show(page, server, looked["id"])
    expect(page.locator("#findings .answer")).to_have_text(looked["result"]["answer"])
    expect(page.locator("#findings .prose").nth(1)).to_have_text(looked["result"]["description"])
    expect(page.locator("#findings dt", has_text="Colours")).to_be_visible()
    expect(page.locator("#findings .about img")).not_to_have_js_property("naturalWidth", 0)


def test_a_moment_of_a_clip_can_be_gone_to(page: Page, server: Server) -> None:
    clip = server.post("/videos", {"prompt": "waves", "duration": 2}).body["assets"][0]["id"]
    watched = server.post("/analyses", {"video": clip}).body
    show(page, server, watched["id"])
    video = page.locator("#findings video")
    expect(video).not_to_have_js_property("readyState", 0)
    page.locator("#findings .time").last.click()
    assert video.evaluate("player => player.currentTime") > 1


def test_the_fields_of_a_document_say_how_sure_they_are(page: Page, server: Server, extracted: dict[str, Any]) -> None:
    show(page, server, extracted["id"])
    number = page.get_by_role("row", name="Invoice number")
    expect(number).to_contain_text("HS-2041")
    expect(number).to_contain_text("100%")
    expect(page.get_by_role("row", name="Due date")).not_to_contain_text("look at it")
    expect(page.locator("tr[data-doubt]")).to_contain_text("look at it")
    expect(page.get_by_role("region", name="Items").get_by_role("row")).to_have_count(3)
    expect(page.get_by_role("link", name="invoice.txt")).to_be_visible()


def test_a_document_to_be_reviewed_says_why(page: Page, server: Server, extracted: dict[str, Any]) -> None:
    show(page, server, extracted["id"])
    assert extracted["result"]["needs_review"]
    expect(page.locator(".verdict")).to_contain_text("A person should look at this")
    expect(page.locator(".verdict li")).to_have_text(extracted["result"]["review_reasons"])
    expect(page.get_by_role("list", name="Sums")).to_contain_text("does not hold: 120")


def test_a_result_can_be_copied_as_json(page: Page, server: Server, extracted: dict[str, Any]) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    show(page, server, extracted["id"])
    page.get_by_role("button", name="Copy as JSON").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == extracted["result"]


def test_without_a_clipboard_the_json_is_marked(page: Page, server: Server, extracted: dict[str, Any]) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    show(page, server, extracted["id"])
    page.get_by_role("button", name="Copy as JSON").click()
    assert json.loads(page.evaluate("getSelection().toString()")) == extracted["result"]


def test_a_long_transcript_is_cut_until_all_is_wanted(page: Page, server: Server) -> None:
    text = " ".join(f"This is sentence number {number}." for number in range(20))
    spoken = server.post("/speech", {"text": text}).body["assets"][0]["id"]
    show(page, server, server.post("/transcriptions", {"audio": spoken}).body["id"])
    expect(page.locator(".transcript li:visible")).to_have_count(12)
    page.get_by_role("button", name="Show all 20 lines").press("Enter")
    expect(page.locator(".transcript li:visible")).to_have_count(20)
    expect(page.get_by_role("button", name="Show less")).to_have_attribute("aria-expanded", "true")


def test_markup_in_a_finding_stays_text(page: Page, server: Server) -> None:
    text = INVOICE.replace(b"Sea Cafe", b"<img src=x onerror=alert(1)>")
    document = server.upload("<b>invoice</b>.txt", text, "text/plain").body["id"]
    show(page, server, server.post("/extractions", {"document": document}).body["id"])
    expect(page.get_by_role("row", name="Bill to")).to_contain_text("<img src=x")
    expect(page.locator("#findings :is(td, th, .name) :is(img, b)")).to_have_count(0)


def test_a_deleted_recording_leaves_its_transcript(page: Page, server: Server) -> None:
    spoken = server.post("/speech", {"text": TEXT}).body["assets"][0]["id"]
    made = server.post("/transcriptions", {"audio": spoken}).body["id"]
    server.delete(f"/assets/{spoken}")
    show(page, server, made)
    expect(page.locator(".transcript li")).to_have_count(3)
    expect(page.locator("audio")).to_have_count(0)


def test_variants_are_numbered(page: Page, server: Server) -> None:
    made = server.post("/images", {"prompt": "a lighthouse", "n": 3}).body
    show(page, server, made["id"])
    for place in (1, 2, 3):
        expect(page.locator("#assets .facts").nth(place - 1)).to_contain_text(f"{place} of 3")


def test_findings_fit_a_phone(
    page: Page, server: Server, extracted: dict[str, Any], transcribed: dict[str, Any]
) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    for generation in (extracted, transcribed):
        show(page, server, generation["id"])
        expect(page.locator("#findings .json")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 360
