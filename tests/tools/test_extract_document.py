"""extract_document: what kind it is, what it says, and whether that can be relied on."""

import json

import pytest

from app.tools import conforming
from app.tools.base import InvalidArguments, Result, ToolFailed
from app.tools.context import Asked, Question
from app.tools.extract_document import ExtractDocument, unusable, wrapped
from tests.doubles import Recorder

pytestmark = pytest.mark.anyio

MEDIA = {"asset_page": "image image/png", "asset_pdf": "document application/pdf", "asset_text": "document text/plain"}
INVOICE = {"type": "invoice", "language": "en", "confidence": 0.95, "schema_json": None}
SCHEMA = {
    "type": "object",
    "properties": {
        "number": {"type": "string"},
        "items": {"type": "array", "items": {"type": "object", "properties": {"amount": {"type": "number"}}}},
        "total": {"type": "number"},
    },
    "required": ["number", "total"],
}
DATA = {"number": "A-7", "items": [{"amount": 40}, {"amount": 2.5}], "total": 42.5}
SURE = {"number": 0.9, "items[0].amount": 0.9, "items[1].amount": 0.9, "total": 1.0}
READ = {"data": DATA, "confidence": SURE, "missing": []}


async def extracted(*answers: object, **arguments: object) -> tuple[Result, Recorder]:
    """The result of one call, and what was asked for it."""
    context, tool = Recorder(assets=MEDIA, answers=answers), ExtractDocument()
    asked = {"document": "asset_pdf", "schema": SCHEMA, **arguments}
    return await tool.run(tool.parse(json.dumps(asked)), context), context


async def test_document_is_classified_and_read_into_the_callers_schema():
    result, context = await extracted(INVOICE, READ)
    assert (result.details["type"], result.details["data"], result.details["valid"]) == ("invoice", DATA, True)
    assert context.questions[1].answer_schema["properties"]["data"]["required"] == ["number", "total"]
    assert not result.details["needs_review"]


async def test_usual_sums_of_an_invoice_are_checked():
    result, _ = await extracted(INVOICE, {**READ, "data": {**DATA, "total": 50}})
    assert result.details["rules"] == [
        {"rule": "total = items[].amount", "holds": False, "found": "50", "expected": "42.5"}
    ]
    assert result.details["review_reasons"] == ["the rule does not hold: total = items[].amount"]


async def test_callers_rules_replace_the_usual_ones():
    rules = [{"total": "total", "sum_of": ["items[].amount", "shipping"]}]
    result, _ = await extracted(INVOICE, READ, rules=rules)
    assert result.details["rules"] == [{"rule": "total = items[].amount + shipping", "holds": None}]


async def test_invalid_answer_is_asked_for_again_once_with_what_is_wrong():
    result, context = await extracted(INVOICE, {**READ, "data": {"total": "forty"}}, READ)
    assert "total: 'forty' is not of type 'number'" in context.questions[2].text
    assert (len(context.questions), result.details["valid"]) == (3, True)


async def test_second_invalid_answer_is_reported():
    wrong = {**READ, "data": {"number": "A-7"}}
    result, context = await extracted(INVOICE, wrong, wrong)
    assert len(context.questions) == 3
    assert (result.details["valid"], result.details["data"]) == (False, {"number": "A-7"})
    assert "'total' is a required property" in result.details["problems"][0]
    assert result.details["missing"] == ["total"]
    assert result.details["needs_review"]


class Once(Recorder):
    """A context that has no money for a third question."""

    async def ask(self, question: Question) -> Asked:
        if len(self.questions) == 2:
            raise ToolFailed("The cap is reached.")
        return await super().ask(question)


async def test_reading_is_handed_over_when_it_cannot_be_asked_for_again():
    context, tool = Once(assets=MEDIA, answers=(INVOICE, {**READ, "data": {"number": "A-7"}})), ExtractDocument()
    asked = {"document": "asset_pdf", "schema": SCHEMA}
    result = await tool.run(tool.parse(json.dumps(asked)), context)
    assert (result.details["valid"], result.details["data"]) == (False, {"number": "A-7"})


async def test_field_the_model_is_not_sure_of_is_to_be_looked_at():
    result, _ = await extracted(INVOICE, {**READ, "confidence": {**SURE, "number": 0.4}})
    assert result.details["review_reasons"] == ["the model is not sure of: number"]


async def test_field_without_a_confidence_is_to_be_looked_at():
    result, _ = await extracted(INVOICE, {**READ, "confidence": {"number": "high", "total": 7}})
    assert result.details["confidence"] == {}
    assert result.details["needs_review"]


async def test_schema_the_model_proposes_is_used_where_the_caller_has_none():
    proposal = json.dumps({"type": "object", "properties": {"title": {"type": "string"}}})
    kind = {**INVOICE, "type": "letter", "schema_json": proposal}
    result, _ = await extracted(
        kind, {"data": {"title": "Dear"}, "confidence": {"title": 1}, "missing": []}, schema=None
    )
    assert result.details["schema"] == json.loads(proposal)


@pytest.mark.parametrize(
    "proposal",
    ["{not json", '{"type": "array"}', '{"$ref": "https://example.com/x"}', '{"x":' * 900 + "{}" + "}" * 900],
)
async def test_proposal_that_is_no_schema_is_any_object(proposal):
    kind = {**INVOICE, "type": "letter", "schema_json": proposal}
    result, _ = await extracted(kind, {"data": {}, "confidence": {}, "missing": []}, schema=None)
    assert result.details["schema"] == {"type": "object"}


@pytest.mark.parametrize(
    ("document", "needs"),
    [("asset_page", {"vision"}), ("asset_pdf", {"documents"}), ("asset_text", set())],
)
async def test_reader_must_be_able_to_see_what_it_is_given(document, needs):
    _, context = await extracted(INVOICE, READ, document=document)
    assert {question.needs for question in context.questions} == {frozenset(needs)}


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "objekt"}, "not a JSON Schema"),
        ({"type": "array"}, "must be that of an object"),
        ({"$ref": "https://example.com/schema.json"}, "refers to something outside"),
        ({"$ref": "file:///etc/passwd"}, "refers to something outside"),
        ({"type": "object", "description": "x" * 60_000}, "longer than"),
        ({"properties": {"a": {"$ref": "https://x.y/z"}}}, "outside"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "outside"),
        ({"properties": {"a": {"items": {"$ref": "#/properties/b"}}, "b": {}}}, "under $defs"),
        ({"properties": {"a": {"$dynamicRef": "#x"}}}, "outside"),
        ({"properties": {"a": {"pattern": "(?=a)b"}}}, "looks around"),
        ({"patternProperties": {"^(a+)+$": {}}}, "patternProperties"),
        ({"properties": {"a": {"$schema": "http://json-schema.org/draft-07/schema#"}}}, "another $schema"),
    ],
)
def test_schema_that_cannot_be_used_says_why(schema, why):
    assert why in (unusable(schema) or "")
    with pytest.raises(InvalidArguments, match="schema: "):
        ExtractDocument().parse(json.dumps({"document": "asset_pdf", "schema": schema}))


async def test_pattern_that_never_ends_is_soon_checked():
    schema = {"type": "object", "properties": {"total": {"type": "string", "pattern": "^(a+)+$"}}}
    wrong = {"data": {"total": "a" * 60 + "!"}, "confidence": {}, "missing": []}
    result, _ = await extracted(INVOICE, wrong, wrong, schema=schema)
    assert "does not match" in result.details["problems"][0]


async def test_schema_that_fans_out_is_given_up(monkeypatch):
    monkeypatch.setattr(conforming, "MOST_STEPS", 2000)
    fan = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    schema = {"properties": {"total": {"$ref": "#/$defs/d0"}}, "$defs": {**fan, "d40": {"type": "string"}}}
    result, _ = await extracted(INVOICE, READ, READ, schema=schema)
    assert "takes too long" in result.details["problems"][0]


def test_definitions_of_the_schema_can_still_be_referred_to():
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/amount"}},
        "$defs": {"amount": {"type": "number"}},
    }
    whole = wrapped(schema)
    assert whole["$defs"] == {"amount": {"type": "number"}}
    assert whole["properties"]["data"]["properties"]["a"] == {"$ref": "#/$defs/amount"}


async def test_schema_that_refers_to_itself_alone_is_a_problem_of_the_answer():
    schema = {"type": "object", "properties": {"total": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}}
    result, _ = await extracted(INVOICE, READ, READ, schema=schema)
    assert (result.details["valid"], result.details["needs_review"]) == (False, True)
    assert "cannot be checked" in result.details["problems"][0]


async def test_rule_that_cannot_be_applied_to_the_data_is_neither_kept_nor_broken():
    rules = [{"total": "abs(number)", "sum_of": ["no_such_function(total)"]}]
    result, _ = await extracted(INVOICE, READ, rules=rules)
    assert [verdict["holds"] for verdict in result.details["rules"]] == [None]


@pytest.mark.parametrize(
    ("path", "why"), [("to tal!", "not a JMESPath"), ("items[].amount | [@, @][] | [@, @][]", "lists of its own")]
)
def test_rule_that_is_no_path_is_refused(path, why):
    asked = {"document": "asset_pdf", "rules": [{"total": path, "sum_of": ["a"]}]}
    with pytest.raises(InvalidArguments, match=why):
        ExtractDocument().parse(json.dumps(asked))
