"""What the tests of the studio page do again and again."""

from __future__ import annotations

import io
import wave

from playwright.sync_api import Locator, Page, expect

from tests.server import Server

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c636060600000000400"
    "01f61738550000000049454e44ae426082"
)
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF"
INVOICE = b"""Harbour Supplies Ltd
INVOICE
Invoice No: HS-2041
Date: 03/04/2026
Due date: 2026-05-03
Bill to: Sea Cafe

Espresso beans 1kg     4    18.50    74.00
Oat milk 1l           12     2.10    25.20

Subtotal 99.20
VAT 20% 19.84
Total 120.00 EUR
"""
"""Its total is not the sum of its parts, and the day of its date may be the month."""

expect.set_options(timeout=60_000)


def wav(seconds: float = 0.5) -> bytes:
    """Silence."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(2 * int(8000 * seconds)))
    return buffer.getvalue()


def prompt_of(page: Page) -> Locator:
    """Where one says what to make."""
    return page.get_by_label("What shall we make?")


def ask(page: Page, server: Server, prompt: str) -> None:
    """Open the page and send a prompt."""
    page.goto(server.url)
    prompt_of(page).fill(prompt)
    page.keyboard.press("Control+Enter")


def ended(page: Page) -> Locator:
    """The line with the cost, which stands there once a generation has ended."""
    return page.locator("#cost")


def show(page: Page, server: Server, generation_id: str) -> None:
    """Open the page at a generation that has ended."""
    page.goto(f"{server.url}/#{generation_id}")
    expect(ended(page)).to_be_visible()


def attach(page: Page, name: str, content: bytes, media_type: str = "application/octet-stream") -> None:
    """Choose a file."""
    page.locator("#files").set_input_files({"name": name, "mimeType": media_type, "buffer": content})
