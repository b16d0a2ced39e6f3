"""The studio page at `/`, in a real browser in front of a real server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.fake_vendors import FakeVendors
from tests.server import Server
from tests.web.conftest import OFFLINE
from tests.web.studio import PNG, ask, ended

POST = "A post about a harbour: an image, a 2 second clip and a narration"
Scheme = Literal["light", "dark"]


def clip(page: Page) -> Locator:
    """The row of the tool that films."""
    return page.locator("#steps li[data-name=generate_video]")


def duration(page: Page, kind: str) -> float:
    """How long a player's work is, once the player knows."""
    expect(page.locator(kind)).not_to_have_js_property("readyState", 0)
    return float(page.locator(kind).evaluate("player => player.duration"))


def test_a_prompt_ends_with_a_picture_and_two_players(page: Page, server: Server) -> None:
    ask(page, server, POST)
    expect(ended(page)).to_have_text("Cost: $0.00")
    expect(page.locator("#status")).to_contain_text("Finished after")
    expect(page.locator("#steps li[data-status=completed]")).to_have_count(3)
    expect(page.locator("#assets img")).not_to_have_js_property("naturalWidth", 0)
    assert duration(page, "video") > 1
    assert duration(page, "audio") > 1
    expect(page.locator("#response")).to_contain_text("offline stand-in")


def test_a_running_tool_shows_how_far_it_is(page: Page, hired: Server, fakes: FakeVendors) -> None:
    fakes.control(latency={"runway": 5.0})
    ask(page, hired, POST)
    expect(clip(page).locator(".note")).to_have_text(re.compile(r"[1-9]\d?%"))
    assert float(clip(page).get_by_role("progressbar").evaluate("bar => bar.value")) > 0
    expect(page.get_by_role("status")).to_contain_text("still at work: clip")
    expect(ended(page)).to_be_visible()


def test_an_asset_is_shown_while_the_rest_is_still_being_made(page: Page, hired: Server, fakes: FakeVendors) -> None:
    fakes.control(latency={"runway": 5.0})
    ask(page, hired, POST)
    assert duration(page, "audio") > 0
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()


def test_cancel_ends_a_running_generation(page: Page, hired: Server, fakes: FakeVendors) -> None:
    fakes.control(latency={"runway": 60.0})
    ask(page, hired, POST)
    expect(clip(page)).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_contain_text("Cancelled")
    expect(clip(page)).to_contain_text("cancelled")


def test_a_reload_keeps_the_result(page: Page, server: Server) -> None:
    ask(page, server, "A picture of a harbour")
    expect(ended(page)).to_be_visible()
    page.reload()
    expect(page.locator("#generation-prompt")).to_have_text("A picture of a harbour")
    expect(page.locator("#assets img")).to_be_visible()
    expect(page.locator("#steps li")).to_have_attribute("data-status", "completed")


def test_a_reload_in_the_middle_follows_on(page: Page, hired: Server, fakes: FakeVendors) -> None:
    fakes.control(latency={"runway": 3.0})
    ask(page, hired, POST)
    expect(clip(page)).to_be_visible()
    page.reload()
    expect(ended(page)).to_be_visible()
    assert duration(page, "video") > 1


def test_a_lost_stream_is_taken_up_again(page: Page, tmp_path: Path, fakes: FakeVendors) -> None:
    fakes.control(latency={"runway": 5.0})
    with Server(tmp_path, fakes.environment()) as server:
        ask(page, server, POST)
        expect(clip(page)).to_be_visible()
        page.evaluate("window.sameDocument = true")
        server.kill()
        expect(page.get_by_role("status")).to_contain_text("connection is lost")
        server.restart()
        expect(ended(page)).to_be_visible()
        assert page.evaluate("window.sameDocument")


def test_an_example_can_be_tried_with_two_clicks(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="red fox").click()
    expect(page.get_by_label("What shall we make?")).to_have_value("An image of a red fox in the snow at dawn")
    page.get_by_role("button", name="Make it").click()
    expect(ended(page)).to_be_visible()


def test_the_keyboard_alone_is_enough(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.keyboard.type("A narration about the tide")
    page.keyboard.press("Tab")
    expect(page.locator("#files")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Link")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(ended(page)).to_be_visible()


def test_an_attached_file_is_sent_as_an_input(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.locator("#files").set_input_files({"name": "dot.png", "mimeType": "image/png", "buffer": PNG})
    expect(page.get_by_role("button", name="Remove dot.png")).to_be_visible()
    page.get_by_label("What shall we make?").fill("A picture like this one")
    with page.expect_request("**/generate") as sent:
        page.get_by_role("button", name="Make it").click()
    [asset_id] = sent.value.post_data_json["inputs"]
    assert server.get(f"/assets/{asset_id}").body["filename"] == "dot.png"
    assert sent.value.headers["prefer"] == "respond-async"
    expect(ended(page)).to_be_visible()


def test_a_removed_file_is_not_sent(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.locator("#files").set_input_files({"name": "dot.png", "mimeType": "image/png", "buffer": PNG})
    page.get_by_role("button", name="Remove dot.png").click()
    page.get_by_label("What shall we make?").fill("A picture of a dot")
    with page.expect_request("**/generate") as sent:
        page.keyboard.press("Control+Enter")
    assert sent.value.post_data_json["inputs"] == []
    expect(ended(page)).to_be_visible()


def test_a_file_of_no_known_kind_is_refused_in_words(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.locator("#files").set_input_files({"name": "a.bin", "mimeType": "image/png", "buffer": b"\x00\x01\x02\xff"})
    expect(page.get_by_role("alert")).to_contain_text("a.bin: The file is not an image")
    expect(page.locator("#inputs")).to_be_hidden()


def test_a_refused_request_shows_the_servers_sentence(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.locator("#files").set_input_files({"name": "dot.png", "mimeType": "image/png", "buffer": PNG})
    expect(page.locator("#inputs li:not([aria-busy])")).to_be_visible()
    server.delete(f"/assets/{server.get('/assets').body['data'][0]['id']}")
    page.get_by_label("What shall we make?").fill("A picture like this one")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("There is no asset")
    expect(page.get_by_label("What shall we make?")).to_have_value("A picture like this one")


def test_a_failed_generation_says_why(page: Page, hired: Server, fakes: FakeVendors) -> None:
    fakes.control(fail=[{"path": "/chat/completions", "status": 401, "times": None}])
    ask(page, hired, POST)
    expect(page.get_by_role("alert")).to_contain_text("openai")
    expect(page.get_by_role("status")).to_contain_text("Failed after")


def test_an_unknown_cost_is_not_shown_as_zero(page: Page, hired: Server, fakes: FakeVendors) -> None:
    ask(page, hired, POST)
    expect(ended(page)).to_contain_text("and a part that is not known")
    expect(page.locator("#assets li[data-type=image]")).to_contain_text("cost not known")


def test_an_unknown_generation_in_the_address_says_so(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/#gen_{'0' * 26}")
    expect(page.get_by_role("alert")).to_contain_text("There is no generation")


def test_markup_in_a_prompt_stays_text(page: Page, server: Server) -> None:
    prompt = "<img src=x onerror=\"document.title='owned'\"> <b>harbour</b> picture"
    ask(page, server, prompt)
    expect(ended(page)).to_be_visible()
    expect(page.locator("#generation-prompt")).to_have_text(prompt)
    expect(page.locator("#history a").first).to_contain_text(prompt)
    expect(
        page.locator("#generation-prompt *, #history .title *, #response :is(img, b), #steps .what b b")
    ).to_have_count(0)
    expect(page).to_have_title("Impresario")


def test_an_earlier_generation_opens_again(page: Page, server: Server) -> None:
    first = server.post("/generate", {"prompt": "A picture of the first snow"}).body["id"]
    ask(page, server, "A picture of the last snow")
    expect(ended(page)).to_be_visible()
    page.locator(f"#history a[href='#{first}']").click()
    expect(page.locator("#generation-prompt")).to_have_text("A picture of the first snow")
    expect(page.locator("#history [aria-current]")).to_contain_text("first snow")


def test_a_lost_request_is_sent_again_under_its_key(page: Page, server: Server) -> None:
    keys: list[str] = []
    page.on(
        "request", lambda asked: keys.append(asked.headers["idempotency-key"]) if "/generate" in asked.url else None
    )
    page.route("**/generate", lambda route: route.abort(), times=1)
    ask(page, server, "A picture of a bridge")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    page.get_by_role("button", name="Make it").click()
    expect(ended(page)).to_be_visible()
    assert len(keys) == 2
    assert keys[0] == keys[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(page: Page, server: Server, scheme: Scheme) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme=scheme)
    ask(page, server, "A picture of a " + "very" * 60 + " long word")
    expect(ended(page)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_page_is_bound_to_its_own_server(server: Server) -> None:
    policy = server.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    script = server.get("/static/web/js/submit.js").headers
    assert script["x-content-type-options"] == "nosniff"
    assert script["cache-control"] == "no-cache"


def test_a_page_under_another_name_shows_its_own_assets(page: Page, tmp_path: Path) -> None:
    with Server(tmp_path, {**OFFLINE, "PUBLIC_URL": "https://studio.example/media"}) as server:
        ask(page, server, "A picture of a harbour")
        expect(ended(page)).to_be_visible()
        expect(page.locator("#assets img")).not_to_have_js_property("naturalWidth", 0)


def test_the_keyboard_keeps_its_place_among_the_earlier_ones(page: Page, server: Server) -> None:
    generation = server.post("/generate", {"prompt": "A picture of a quiet pier"}).body["id"]
    page.goto(server.url)
    link = page.locator(f"#history a[href='#{generation}']")
    link.focus()
    with page.expect_response("**/generations?limit=20"):
        page.keyboard.press("Enter")
    expect(ended(page)).to_be_visible()
    expect(link).to_be_focused()
