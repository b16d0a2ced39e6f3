"""Attaching to a prompt, on the studio page: files of every kind, addresses, earlier results."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.server import Server
from tests.web.studio import INVOICE, PDF, PNG, ask, attach, ended, prompt_of, show, wav


def chip(page: Page) -> Locator:
    """What is attached, once it has arrived."""
    return page.locator("#inputs li:not([aria-busy])")


def sent(page: Page) -> dict[str, object]:
    """Send the prompt; the body of the request."""
    with page.expect_request("**/generate") as asked:
        page.get_by_role("button", name="Make it").click()
    return dict(asked.value.post_data_json)


def add_link(page: Page, address: str) -> None:
    """Attach an address with the keyboard."""
    page.get_by_role("button", name="Link").press("Enter")
    page.keyboard.type(address)
    page.keyboard.press("Enter")


def test_an_attached_picture_is_shown_small(page: Page, server: Server) -> None:
    page.goto(server.url)
    attach(page, "dot.png", PNG)
    expect(chip(page).locator("img.preview")).not_to_have_js_property("naturalWidth", 0)
    expect(chip(page)).to_contain_text("1 × 1")  # noqa: RUF001


@pytest.mark.parametrize(
    ("name", "content", "kind", "measure"),
    [
        ("quiet.wav", wav(0.5), "Sound", "0.5 s"),
        ("contract.pdf", PDF, "PDF", f"{len(PDF)} bytes"),
        ("invoice.txt", INVOICE, "Text", f"{len(INVOICE)} bytes"),
    ],
)
def test_an_attached_file_says_what_it_is(
    page: Page, server: Server, name: str, content: bytes, kind: str, measure: str
) -> None:
    page.goto(server.url)
    attach(page, name, content)
    expect(chip(page)).to_contain_text(kind)
    expect(chip(page)).to_contain_text(measure)
    expect(chip(page).get_by_role("link", name=name)).to_be_visible()


def test_an_attached_clip_is_shown_by_its_first_frame(page: Page, server: Server) -> None:
    made = server.post("/videos", {"prompt": "waves", "duration": 2}).body["assets"][0]
    page.goto(server.url)
    attach(page, "waves.mp4", server.get(f"/assets/{made['id']}/content").body)
    expect(chip(page).locator("img.preview")).not_to_have_js_property("naturalWidth", 0)
    expect(chip(page)).to_contain_text("2 s")


def test_an_address_is_sent_as_an_input(page: Page, server: Server) -> None:
    page.goto(server.url)
    add_link(page, "https://pictures.invalid/harbour.png")
    expect(chip(page)).to_contain_text("pictures.invalid/harbour.png")
    expect(page.get_by_role("button", name="Link")).to_be_focused()
    prompt_of(page).fill("A picture like this one")
    assert sent(page)["inputs"] == ["https://pictures.invalid/harbour.png"]


@pytest.mark.parametrize("address", ["http://pictures.invalid/harbour.png", "harbour"])
def test_only_https_addresses_are_taken(page: Page, server: Server, address: str) -> None:
    page.goto(server.url)
    add_link(page, address)
    assert page.locator("#address:invalid").count() == 1
    expect(page.locator("#inputs")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#address")).to_be_hidden()


def test_a_removed_chip_gives_the_focus_to_the_prompt(page: Page, server: Server) -> None:
    page.goto(server.url)
    add_link(page, "https://pictures.invalid/harbour.png")
    page.get_by_role("button", name="Remove pictures.invalid/harbour.png").press("Enter")
    expect(prompt_of(page)).to_be_focused()
    expect(page.locator("#inputs")).to_be_hidden()


def test_answer_that_comes_behind_the_end_does_not_bring_back_the_run(page: Page, server: Server) -> None:
    asked, held = [], []

    def hold(route: Route) -> None:
        asked.append(route)
        if len(asked) == 1:
            route.continue_()  # the page's first look
        else:
            held.append((route, route.fetch().json() | {"status": "running"}))

    page.route(re.compile(r"/generations/gen_\w+$"), hold)
    ask(page, server, "A picture of a lighthouse")
    expect(ended(page)).to_be_visible()
    assert held
    with page.expect_response(held[-1][0].request.url):
        for route, generation in held:
            route.fulfill(json=generation)
    page.get_by_role("group", name="What next with this picture").get_by_role("button", name="Edit").click()
    expect(page.locator("#continuing")).to_contain_text("A picture of a lighthouse")


def test_edit_continues_with_the_picture_attached(page: Page, server: Server) -> None:
    ask(page, server, "A picture of a lighthouse")
    expect(ended(page)).to_be_visible()
    page.get_by_role("group", name="What next with this picture").get_by_role("button", name="Edit").click()
    expect(prompt_of(page)).to_be_focused()
    page.keyboard.type("make it night")
    expect(prompt_of(page)).to_have_value("Edit this picture: make it night")
    expect(page.locator("#continuing")).to_contain_text("A picture of a lighthouse")
    [before] = server.get("/generations?limit=1").body["data"]
    body = sent(page)
    assert body["previous_id"] == before["id"]
    assert body["inputs"] == [before["assets"][0]["id"]]
    expect(page.locator("#continuing")).to_be_hidden()


@pytest.mark.parametrize(
    ("prompt", "offered"),
    [
        ("A picture of a lighthouse", ["Edit", "Animate", "Describe"]),
        ("A narration about the tide", ["Edit", "Transcribe", "Describe"]),
        ("A 2 second clip of waves", ["Edit", "Describe"]),
    ],
)
def test_each_kind_of_result_offers_what_can_be_done_with_it(
    page: Page, server: Server, prompt: str, offered: list[str]
) -> None:
    ask(page, server, prompt)
    expect(ended(page)).to_be_visible()
    expect(page.locator("#assets .next button:visible")).to_have_text(offered)


def test_words_of_the_users_own_are_kept(page: Page, server: Server) -> None:
    ask(page, server, "A picture of a lighthouse")
    expect(ended(page)).to_be_visible()
    prompt_of(page).fill("A clip of it")
    page.get_by_role("button", name="Describe").click()
    expect(prompt_of(page)).to_have_value("A clip of it")
    page.get_by_role("button", name="Animate").click()
    expect(chip(page)).to_have_count(1)


def test_a_continuation_can_be_given_up(page: Page, server: Server) -> None:
    ask(page, server, "A picture of a lighthouse")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Start afresh instead").click()
    expect(prompt_of(page)).to_be_focused()
    page.keyboard.type("A picture of a whale")
    assert sent(page)["previous_id"] is None
    expect(ended(page)).to_be_visible()


def test_what_a_generation_continues_stands_before_it(page: Page, server: Server) -> None:
    first = server.post("/generate", {"prompt": "A picture of a lighthouse"}).body["id"]
    second = server.post("/generate", {"prompt": "Make it darker", "previous_id": first}).body["id"]
    third = server.post("/generate", {"prompt": "A narration about it", "previous_id": second}).body["id"]
    show(page, server, third)
    expect(page.locator("#thread li > a")).to_have_text(["A picture of a lighthouse", "Make it darker"])
    expect(page.locator("#thread li:first-child img")).not_to_have_js_property("naturalWidth", 0)
    page.locator("#thread a", has_text="A picture of a lighthouse").first.click()
    expect(page.locator("#generation-prompt")).to_have_text("A picture of a lighthouse")
    expect(page.locator("#thread")).to_be_hidden()
