"""What is to become of a picture or a clip: the words that ask for a change, and what the tool for it is told."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..offline_media.text import words_of
from .openings import ASKING
from .works import Known

MOVING = r"an?\s+(?:[\w-]+\s+){0,3}(?:video|clip|film|movie|animation|gif|narration|voice-?over|speech|song)\b"
THIS = r"(?:it|this|that|them|him|her|the|its|his|my|their)\b"
CHANGE = re.compile(
    ASKING + rf"(?:(?:turn|convert|transform)\s+{THIS}(?:\s+\w+){{0,3}}?\s+"
    rf"(?:(?:in)?to\s+(?!{MOVING})|black\b|gr[ae]y\b|upside\b)"
    rf"|(?:remove|erase|delete|cut out|replace|recolou?r|repaint)\s+(?:{THIS}|all\b|everything\b|what\b)"
    r"|change\s+the\s+(?:background|colou?r|sky)\b"
    rf"|(?:add|put|place|draw|write|insert)\s+(?!{MOVING})(?:.+\s)?"
    rf"(?:to|on|onto|in|into|behind|around|under|over)\s+{THIS}"
    r"|add\s+(?:an?\s+)?(?:caption|frame|border|title)\b"
    r"|(?:crop|rotate|mirror|flip|blur|sharpen|upscale|enlarge|outpaint|colou?ri[sz]e|tint|brighten|darken|desaturate|"
    r"invert)\b|(?:extend|expand|widen)\s+(?:it|this|the)\b|give\s+(?:it|him|her|them|the\s+\w+)\s+"
    r"|.*\bthe mask\b)",
    re.IGNORECASE,
)
RETIME = re.compile(
    r"\b(?:slow(?:er)?(?:[- ]motion)?(?: down)?|speed(?:\s\w+)? up|faster|revers\w+|backwards?|first \d+ s\w*)\b",
    re.IGNORECASE,
)
MAKE_IT = re.compile(ASKING + rf"(?:make|play|turn|slow|speed)\s+{THIS}", re.IGNORECASE)
OPERATIONS = (
    (
        "remove_background",
        re.compile(r"\b(?:remove|erase|delete|cut out)\s+(?:the\s+|its\s+)?background", re.IGNORECASE),
    ),
    ("upscale", re.compile(r"\bupscale|\benlarge|\b(?:higher|more|double the) resolution", re.IGNORECASE)),
    ("outpaint", re.compile(r"\boutpaint|\b(?:extend|expand|widen)\b", re.IGNORECASE)),
)
SIDES = {"left": "left", "right": "right", "top": "up", "up": "up", "upwards": "up", "bottom": "down", "down": "down"}
OUTPAINTED = 256


def change_of_a_picture(clause: str, works: Sequence[Known]) -> dict[str, object]:
    """The facts for the tool that edits pictures; a second picture that came along may be the mask."""
    facts: dict[str, object] = {"change": clause, "prompt": clause}
    facts |= next(({"operation": name} for name, pattern in OPERATIONS if pattern.search(clause)), {})
    if facts.get("operation") == "outpaint":
        pixels = re.search(r"\b(\d{2,4})\b", clause)
        sides = [SIDES[word] for word in words_of(clause) if word in SIDES] or ["left", "right"]
        facts["options"] = dict.fromkeys(sides, int(pixels[1]) if pixels else OUTPAINTED)
    given = [work for work in works if work.given and work.kind == "image"]
    if len(given) > 1 and re.search(r"\bmask\w*\b", clause, re.IGNORECASE):
        facts |= {"mask": given[1].id, "operation": "erase" if re.search(r"\berase|\bremove", clause) else "inpaint"}
    return facts
