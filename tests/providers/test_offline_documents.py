"""Documents with text in them are read by their labels; what is not there is missing, never made up."""

import io
import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from providers.errors import InvalidRequest
from providers.offline_media.picture import draw_picture
from providers.offline_senses.documents import document_type, extraction
from providers.offline_senses.fields import Document, date_in, number_in
from providers.types import ChatRequest, Media, Message

INVOICE = """ACME Coffee Ltd
12 Bean Street, Bristol    billing@acme.example
INVOICE
Invoice No: INV-2041    Date: 2026-03-14
Due date: 14 April 2026
Bill to: Maria Lopez
Description Qty Unit price Amount
Espresso beans 1 kg 3 12.50 37.50
Filter papers 10 1.20 12.00
Subtotal 49.50
VAT (20%) 9.90
Total EUR 59.40
Thank you!"""
TEXT = {"type": "string"}
NUMBER = {"type": "number"}


def pdf(text: str) -> Media:
    """A PDF of one page whose text is in it."""
    lines = [line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for line in text.split("\n")]
    drawn = "BT /F1 11 Tf 40 800 Td 14 TL " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"xref\n0 6\n0000000000 65535 f \n{table}trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF"
    return Media("application/pdf", out + end.encode())


def asking(schema: dict, text: str = "Document:", instructions: str = "", **media: Media) -> ChatRequest:
    messages = (Message(role="system", content=instructions), Message(role="user", content=text))
    return ChatRequest("offline-planner", messages, media=media, answer_schema=schema)


def kind_of(text: str) -> dict:
    return document_type(asking({"title": "DocumentType"}, f"Document:\n\n{text}"))


def read(properties: dict, text: str = INVOICE, required: tuple[str, ...] = (), **media: Media) -> dict:
    data = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    schema = {"title": "Extraction", "type": "object", "properties": {"data": data}}
    found = extraction(asking(schema, f"Document:\n\n{text}" if text else "Document:", **media))
    jsonschema.validate(found["data"], data | {"required": []})
    return found


# ---- kinds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (INVOICE, "invoice"),
        ("CORNER SHOP\nReceipt\nMilk 1.20\nTotal 1.20\nCash 2.00\nChange 0.80\nThank you for shopping", "receipt"),
        ("This Agreement is made between the parties. Either may terminate the contract.", "contract"),
        ("Dear Ana,\nthank you for the flowers.\nKind regards\nJo", "letter"),
        ("Account statement\nAccount number: 12\nOpening balance 5.00\nTransactions", "statement"),
        ("Passport\nNationality: British\nDate of birth: 1 May 1990", "identity"),
        ("Application form\nPlease fill in\nName: ____", "form"),
        ("lorem ipsum", "other"),
    ],
)
def test_kind_is_told_by_its_words(text, kind):
    found = kind_of(text)
    assert found["type"] == kind
    assert 0 <= found["confidence"] <= 1


def test_schema_is_proposed_from_the_fields_and_can_be_filled():
    proposed = json.loads(kind_of(INVOICE)["schema_json"])
    assert proposed["properties"]["invoice_number"] == TEXT
    assert proposed["properties"]["total"] == NUMBER
    found = read(proposed["properties"])
    assert found["missing"] == []
    assert found["data"]["items"][1] == {
        "description": "Filter papers",
        "quantity": 10,
        "unit_price": 1.2,
        "amount": 12,
    }
    assert min(found["confidence"].values()) >= 0.9


def test_no_schema_is_proposed_where_the_caller_has_one_or_nothing_is_there():
    given_one = asking({"title": "DocumentType"}, f"Document:\n\n{INVOICE}", "`schema_json` is null: it is known.")
    assert document_type(given_one)["schema_json"] is None
    assert kind_of("lorem ipsum")["schema_json"] is None


def test_language_is_told():
    assert kind_of("Die Rechnung ist für das Haus und den Garten")["language"] == "de"


# ---- fields ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "schema", "value", "least"),
    [
        ("invoice_number", TEXT, "INV-2041", 1.0),
        ("invoiceNumber", TEXT, "INV-2041", 1.0),
        ("total", NUMBER, 59.4, 1.0),
        ("total_amount", NUMBER, 59.4, 0.9),
        ("due_date", {"type": "string", "format": "date"}, "2026-04-14", 1.0),
        ("tax", NUMBER, 9.9, 1.0),
        ("currency", TEXT, "EUR", 0.8),
        ("contact_email", TEXT, "billing@acme.example", 0.8),
        ("ref", TEXT | {"title": "Invoice number"}, "INV-2041", 0.6),
        ("vendor_name", TEXT, "ACME Coffee Ltd", 0.3),
    ],
)
def test_field_is_found_by_its_label_and_is_as_sure_as_that(name, schema, value, least):
    found = read({name: schema})
    assert found["data"] == {name: value}
    assert found["confidence"][name] >= least
    assert found["missing"] == []


def test_fuzzy_label_is_less_sure_than_an_exact_one():
    found = read({"subtotal": NUMBER, "due": {"type": "string", "format": "date"}})
    assert found["confidence"]["due"] < found["confidence"]["subtotal"] == 1.0


def test_what_is_not_there_is_missing_and_null_where_it_may_be():
    found = read({"iban": {"type": ["string", "null"]}, "fax": TEXT})
    assert found["data"] == {"iban": None}
    assert found["missing"] == ["iban", "fax"]
    assert found["confidence"] == {"iban": 0.0, "fax": 0.0}


def test_nested_fields_and_lists_are_filled():
    item = {"type": "object", "properties": {"name": TEXT, "qty": {"type": "integer"}, "total": NUMBER}}
    found = read(
        {"customer": {"type": "object", "properties": {"name": TEXT}}, "lines": {"type": "array", "items": item}}
    )
    assert found["data"]["customer"] == {"name": "Maria Lopez"}
    assert found["data"]["lines"][0] == {"name": "Espresso beans 1 kg", "qty": 3, "total": 37.5}
    assert found["confidence"]["lines[0].qty"] == 0.9


def test_references_and_choices_in_a_schema_are_followed():
    data = {"properties": {"total": {"$ref": "#/$defs/Money"}, "pay": {"enum": ["cash", "card"]}}, "type": "object"}
    schema = {
        "title": "Extraction",
        "properties": {"data": data},
        "$defs": {"Money": {"anyOf": [NUMBER, {"type": "null"}]}},
    }
    found = extraction(asking(schema, "Document:\nTotal: 12.00\nPay: by Card"))
    assert found["data"] == {"total": 12.0, "pay": "card"}


def test_schema_that_names_nothing_gets_every_field():
    schema = {"title": "Extraction", "properties": {"data": {"type": "object"}}}
    found = extraction(asking(schema, "Document:\nName: Ana\nAge: 30"))
    assert found["data"] == {"name": "Ana", "age": "30"}


DAY = {"type": "string", "format": "date"}
OWN_DATE = "ACME\nINVOICE\nInvoice No: 7\nDate: 2026-05-03\nTotal due: 12.00"


@pytest.mark.parametrize("schema", [DAY, TEXT])
@pytest.mark.parametrize(
    "terms", ["", "\nPayment terms: 30 days", "\nDue date: ____\n2026-05-03", "\nDue date:\nThanks"]
)
def test_date_of_an_invoice_is_not_the_day_it_is_due(schema, terms):
    found = read({"invoice_date": schema, "due_date": schema, "date": schema}, OWN_DATE + terms)
    assert found["data"] == {"invoice_date": "2026-05-03", "date": "2026-05-03"}
    assert found["missing"] == ["due_date"]
    assert found["confidence"]["due_date"] == 0.0
    assert found["confidence"]["invoice_date"] >= 0.9


@pytest.mark.parametrize(
    "text",
    [
        "INVOICE\nDate: 2026-05-03\nDue date: 2026-06-02",
        "INVOICE\nDue date: 2026-06-02\nDate: 2026-05-03",
        "INVOICE\nInvoice date: 2026-05-03 Due date: 2026-06-02",
        "INVOICE\nDate: 2026-05-03  Payment due: 2 June 2026",
        "INVOICE\nDate of issue: 2026-05-03\nDue: 2026-06-02",
        "INVOICE\nDate: 2026-05-03\nPayable by 2 June 2026, without deduction.",
        "INVOICE\nDate:\nDue date:\n2026-05-03\n2026-06-02",
    ],
)
def test_both_dates_of_an_invoice_are_told_apart(text):
    found = read({"invoice_date": DAY, "due_date": DAY}, text)
    assert found["data"] == {"invoice_date": "2026-05-03", "due_date": "2026-06-02"}
    assert min(found["confidence"].values()) >= 0.8


def test_one_date_below_two_labels_is_not_known_to_be_the_day_it_is_due():
    found = read({"date": DAY, "due_date": DAY}, "INVOICE\nDate:\nDue date:\n2026-05-03\nTotal: 3.00")
    assert found["missing"] == ["due_date"]
    assert found["confidence"]["date"] == 0.6


def test_day_a_bill_is_due_is_not_its_own_date():
    found = read({"date": DAY, "due_date": DAY}, "Bill\nDue date: 2026-06-02\nTotal: 3.00")
    assert found["data"] == {"due_date": "2026-06-02"}
    assert found["missing"] == ["date"]


def test_amount_that_is_due_is_still_the_total():
    assert read({"amount_due": NUMBER}, "Total due: 12.00\nDate: 2026-05-03")["data"] == {"amount_due": 12.0}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,234.56", 1234.56),
        ("1.234,56 EUR", 1234.56),
        ("$42", 42.0),
        ("-7,5", -7.5),
        ("1,000", 1000.0),
        ("0.125", 0.125),
        ("1'000.00", 1000.0),
        ("none", None),
    ],
)
def test_number_is_read_whichever_way_it_is_written(text, number):
    assert number_in(text) == number


@pytest.mark.parametrize(
    ("text", "date", "sure"),
    [
        ("2026-03-14", "2026-03-14", 1.0),
        ("14.03.2026", "2026-03-14", 1.0),
        ("March 14, 2026", "2026-03-14", 1.0),
        ("14th Mar 2026", "2026-03-14", 1.0),
        ("03/14/2026", "2026-03-14", 1.0),
        ("03/04/2026", "2026-04-03", 0.6),
    ],
)
def test_date_is_read_and_doubted_where_it_may_be_two(text, date, sure):
    assert date_in(text) == (date, sure)


@pytest.mark.parametrize("text", ["31.02.2026", "soon", "99/99/9999"])
def test_what_is_no_date_is_none(text):
    assert date_in(text) is None


@given(st.text(max_size=400))
@settings(max_examples=80, deadline=None)
def test_any_text_can_be_read(text):
    assert isinstance(Document(text).fields, list)
    read({"total": NUMBER, "date": TEXT}, text)


# ---- files -----------------------------------------------------------------------------------------------------------


def test_pdf_with_text_is_read():
    found = read({"invoice_number": TEXT, "total": NUMBER}, "", a=pdf(INVOICE))
    assert found["data"] == {"invoice_number": "INV-2041", "total": 59.4}


def test_plain_text_file_is_read():
    assert read({"total": NUMBER}, "", a=Media("text/plain", b"Total: 42.00"))["data"] == {"total": 42.0}


def test_picture_of_a_document_is_not_read_and_that_is_said():
    out = io.BytesIO()
    Image.new("RGB", (60, 80), "white").save(out, "PNG")
    found = read({"total": NUMBER}, "", a=Media("image/png", out.getvalue()))
    assert found["data"] == {}
    assert found["missing"][0] == "total"
    assert "does not recognise letters" in found["missing"][-1]


def test_own_drawing_is_read_by_its_record():
    drawn = Media("image/png", draw_picture("Total: 12.50", (64, 64), 0))
    assert read({"total": NUMBER}, "", a=drawn)["data"] == {"total": 12.5}


def test_broken_pdf_is_refused():
    with pytest.raises(InvalidRequest, match="cannot be opened"):
        read({"total": NUMBER}, "", a=Media("application/pdf", b"%PDF-1.4 broken"))
