"""Reads documents that have their text in them (PDF with a text layer, plain text): what kind, and which fields.

There is no recognition of letters here: of a picture of a page nothing can be read, unless it was drawn here.
"""

from __future__ import annotations

import json
import re
import threading
from typing import Any

from ..errors import InvalidRequest
from ..offline_media.languages import guessed_language
from ..offline_media.records import record_of_picture
from ..types import ChatRequest, Media
from .fields import Document
from .filling import Filling, proposed_schema
from .question import parts_of

MOST_PAGES = 60
MOST_CHARS = 300_000
KINDS: dict[str, str] = {
    "invoice": r"\binvoice\b|\brechnung\b|\bbill to\b|\bamount due\b|\bdue date\b|\bpayment terms\b",
    "receipt": r"\breceipt\b|\bcash\b|\bchange\b|\bthank you for (?:your|shopping)\b|\bcashier\b|\bcard ending\b",
    "contract": r"\bagreement\b|\bcontract\b|\bparties\b|\bhereby\b|\bhereinafter\b|\bterminat\w+\b|\bsignature\b",
    "letter": r"^dear\b|\bsincerely\b|\bkind regards\b|\byours (?:faithfully|truly)\b|\bbest regards\b",
    "statement": r"\bstatement\b|\bopening balance\b|\bclosing balance\b|\baccount number\b|\btransactions?\b",
    "report": r"\breport\b|\bsummary\b|\bfindings\b|\bconclusions?\b|\bfigure \d|\btable \d",
    "identity": r"\bpassport\b|\bnationality\b|\bdate of birth\b|\bidentity card\b|\bdriving licen[cs]e\b|\bborn in\b",
    "form": r"\bform\b|_{4,}|\bplease (?:fill|complete)\b|\bapplicant\b|\bcheck one\b|\[ ?\]|☐",
}
"""Kinds of documents -> words that speak for one."""
_one_at_a_time = threading.Lock()


def document_type(request: ChatRequest) -> dict[str, Any]:
    """A "DocumentType" of the document of a request. Blocking."""
    document = Document(text_of(request))
    found = {kind: len(set(map(str.lower, _found(pattern, document.text)))) for kind, pattern in KINDS.items()}
    best = max(found, key=lambda kind: found[kind])
    share = found[best] / max(sum(found.values()), 1)
    titled = re.search(KINDS[best], document.lines[0], re.IGNORECASE) if document.lines else None
    confidence = min(0.95, 0.35 + 0.12 * found[best] + 0.25 * share + (0.15 if titled else 0.0))
    schema = proposed_schema(document)
    wanted = "`schema_json` is null" not in " ".join(one.content for one in request.messages if one.role == "system")
    return {
        "type": best if found[best] else "other",
        "language": guessed_language(document.text),
        "confidence": round(confidence, 2) if found[best] else 0.1,
        "schema_json": json.dumps(schema) if wanted and schema else None,
    }


def extraction(request: ChatRequest) -> dict[str, Any]:
    """An "Extraction" from the document of a request. Blocking."""
    whole = request.answer_schema or {}
    schema = whole.get("properties", {}).get("data", {})
    done = Filling(Document(text_of(request)), schema if isinstance(schema, dict) else {}, whole)
    return {"data": done.data, "confidence": done.confidence, "missing": done.missing}


def text_of(request: ChatRequest) -> str:
    """All the text there is in what was given: files first, then what stands in the question. Blocking.

    Raises InvalidRequest for a PDF that cannot be opened.
    """
    texts = [_text_in(media) for media in request.media.values()]
    parts = parts_of(request)
    texts += [parts[name] for name in ("document", "text") if name in parts]
    return "\n".join(filter(None, texts))[:MOST_CHARS]


def _text_in(media: Media) -> str:
    if media.media_type == "application/pdf":
        return _text_of_pdf(media.read())
    if media.media_type.startswith("text/"):
        return media.read().decode("utf-8", "replace")
    if media.media_type.startswith("image/"):
        return record_of_picture(media) or ""
    return ""


def _text_of_pdf(data: bytes) -> str:
    """The text layer of a PDF; empty where it has none, as a scan."""
    import pypdfium2

    with _one_at_a_time:  # PDFium is not thread-safe
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            raise InvalidRequest("The PDF cannot be opened; it may be damaged or locked with a password.") from error
        try:
            pages = [document[n] for n in range(min(len(document), MOST_PAGES))]
            return "\n".join(page.get_textpage().get_text_range() for page in pages)
        finally:
            document.close()


def _found(pattern: str, text: str) -> list[str]:
    return [match[0] for match in re.finditer(pattern, text, re.IGNORECASE | re.MULTILINE)]
