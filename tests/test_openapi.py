"""The OpenAPI document and the server it describes say the same: schemathesis asks, and the document is read."""

from __future__ import annotations

import copy
import io
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any, get_args

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from PIL import Image
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from app.generations.events import EventName
from app.main import create_app
from app.settings import Settings
from tests.server import ROOT, Server

Json = dict[str, Any]

DOCUMENT: Json = create_app(Settings(_env_file=None), {}).openapi()
OPERATIONS = [
    (method, path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
NAMES = [f"{method.upper()} {path}" for method, path, _ in OPERATIONS]
EVERY = pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)


def examples_of(path: str) -> Json:
    """The examples of the body of a POST, by name."""
    body: Json = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    return {name: example["value"] for name, example in body["examples"].items()}


def fields_of(path: str) -> Json:
    """The fields of the body of a POST, each with its schema."""
    body = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    fields: Json = DOCUMENT["components"]["schemas"][body.rsplit("/", 1)[1]]["properties"]
    return fields


EXAMPLES = examples_of("/generate")
PROMPTS = [*(body["prompt"] for body in EXAMPLES.values()), *fields_of("/generate")["prompt"]["examples"]]
TOOLS = [path for _, path, operation in OPERATIONS if operation["tags"] == ["Tools"]]
TOOL_EXAMPLES = [(path, name, body) for path in TOOLS for name, body in examples_of(path).items()]
LEAST = {"size": "64x64", "duration": 0.5, "n": 2}

anything = schemathesis.openapi.from_dict(copy.deepcopy(DOCUMENT))
# Each border of each field is tried above; of what is made for it a sample is enough.
A_SAMPLE = {"operations": [{"include-tag": "Tools", "phases": {"coverage": {"enabled": False}}}]}
valid = schemathesis.openapi.from_dict(copy.deepcopy(DOCUMENT), config=SchemathesisConfig.from_dict(A_SAMPLE))
valid.config.generation.modes = [GenerationMode.POSITIVE]
BOUNDED = settings(
    max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The product without keys, with its offline stand-in."""
    with Server(tmp_path_factory.mktemp("server"), {"OFFLINE": "true"}) as running:
        yield running


# ---- the server does as the document says ----------------------------------------------------------------------------

# Whether something exists, whether a key came with another body before, whether bytes are a picture, which of two days
# comes first, whether a model knows an option or a voice, whether a path or a schema is well formed: no schema can say
# it. Here such requests may be refused, with an answer of the document; below everything named exists.
BEYOND_SCHEMAS = {"/generate", "/files", "/usage", *TOOLS}


def with_little_work(case: Any) -> Any:
    """A case that asks for no more than a small picture or half a second, and for nothing from elsewhere: the
    document's examples are run as they are further down."""
    body = case.body
    if case.path == "/generate" and isinstance(body, dict) and body.get("prompt") in PROMPTS:
        body["prompt"] = "An image of a fox, 256x256"
    if case.path in TOOLS and isinstance(body, dict):
        least = LEAST | ({"prompt": str(body.get("prompt"))[:40]} if case.path == "/videos" else {})
        for name, value in least.items():
            about = fields_of(case.path).get(name)
            if about and not misfits(about, body.get(name, about.get("default"))):
                body[name] = value
        for name, value in body.items():
            body[name] = [at_home(item) for item in value] if isinstance(value, list) else at_home(value)
    return case


def at_home(value: Any) -> Any:
    """An address that leads nowhere, in the place of one that may lead out of the test."""
    return "https://127.0.0.1/" if re.fullmatch("https://[!-~]{3,2000}", str(value)) else value


@anything.parametrize()
@BOUNDED
def test_no_request_breaks_the_contract(case, server):
    unfit = [positive_data_acceptance] if case.path in BEYOND_SCHEMAS else []
    with_little_work(case).call_and_validate(base_url=server.url, excluded_checks=unfit)


MODELS = {
    "/images": "offline-image",
    "/images/edits": "offline-image",
    "/videos": "offline-video",
    "/speech": "offline-speech",
    "/transcriptions": "offline-transcription",
    "/analyses": "offline-planner",
    "/extractions": "offline-planner",
}
PINNED = {"chat": "planner", "vision": "planner"}
INVOICE = b"INVOICE\nInvoice No: A-17\nDate: 2026-11-02\nTotal: 42.50\n"
SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}}}


class Existing:
    """Things a valid request can name; what may be deleted is new for each."""

    def __init__(self, server: Server) -> None:
        self.picture = drawn("teal")
        self._server = server
        self._keys, self._ranges = itertools.count(), itertools.cycle(("bytes=0-9", "bytes=7-", "bytes=-5", "x"))
        self.kept_asset, self.kept_generation = self.asset(), self.generation()
        self.inputs = {
            "image": self.kept_asset,
            "mask": server.upload("mask.png", drawn("black", "white"), "image/png").body["id"],
            "video": self.made("/videos", prompt="waves", size="64x64", duration=0.5),
            "audio": self.made("/speech", text="Good mornings start here."),
            "document": server.upload("a.txt", INVOICE, "text/plain").body["id"],
        }

    def asset(self) -> str:
        """A new upload."""
        return self._server.upload("a.png", self.picture, "image/png").body["id"]

    def generation(self) -> str:
        """A new generation that is over."""
        return self._server.post("/generate", {"prompt": "hello"}).body["id"]

    def made(self, path: str, **body: Any) -> str:
        """A new work."""
        return self._server.post(path, body).body["assets"][0]["id"]

    def name_in(self, case: Any) -> None:
        """Put what exists in the place of what was made up."""
        deleted = case.method == "DELETE"
        if "asset_id" in case.path_parameters:
            case.path_parameters["asset_id"] = self.asset() if deleted else self.kept_asset
        if "generation_id" in case.path_parameters:
            case.path_parameters["generation_id"] = self.generation() if deleted else self.kept_generation
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = f"key {next(self._keys)}"
        if "Range" in case.headers:
            case.headers["Range"] = next(self._ranges)
        if case.path == "/files":
            case.body["file"] = self.picture
        if case.path == "/generate":
            self.name_in_body(case.body)
        if case.path in TOOLS:
            case.body.update(self.known_to_tools(case.path, case.body))
        if {"from", "to"} & case.query.keys():
            case.query.update({"from": "2026-10-01", "to": "2026-11-20"})

    def name_in_body(self, body: Json) -> None:
        """The same, in the body of a generation."""
        if body.get("inputs"):
            body["inputs"] = [self.kept_asset for _ in body["inputs"]]
        if body.get("previous_id"):
            body["previous_id"] = self.kept_generation
        if body.get("models"):
            body["models"] = {kind: f"offline-{PINNED.get(kind, kind)}" for kind in body["models"]}

    def known_to_tools(self, path: str, body: Json) -> Json:
        """What to put in the place of what no schema can say, in the body of a tool: inputs, and what the stand-in's
        models know."""
        known: Json = {
            "model": MODELS[path],
            "options": {},
            "voice": "nova",
            "speakers": False,
            "schema": SCHEMA,
            "rules": [{"total": "total", "sum_of": ["items[].amount"]}],
        }
        if "text" in body:
            known["text"] = f"Hi. {body['text'] or ''}"[:40]
        if body.get("operation") in ("search_replace", "search_recolor"):
            known["operation"] = "edit"
        return self.named_in(body) | {name: value for name, value in known.items() if body.get(name)}

    def named_in(self, body: Json) -> Json:
        """The body of a tool, with inputs that exist."""
        lists = {name: [self.kept_asset] for name in ("images", "reference_images")}
        return body | {name: value for name, value in {**self.inputs, **lists}.items() if body.get(name)}


def drawn(colour: str, middle: str | None = None) -> bytes:
    """A small picture."""
    file, picture = io.BytesIO(), Image.new("RGB", (64, 48), colour)
    picture.paste(middle or colour, (16, 12, 48, 36))
    picture.save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def existing(server: Server) -> Existing:
    return Existing(server)


@valid.parametrize()
@BOUNDED
def test_every_valid_request_about_what_exists_is_served(case, server, existing):
    existing.name_in(case)
    response = with_little_work(case).call_and_validate(base_url=server.url)
    assert response.status_code < 500


# ---- the document is whole -------------------------------------------------------------------------------------------


def within(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every object of the document with the path to it."""
    yield path, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        yield from within(child, f"{path}/{name}")


NO_PROPERTIES = re.compile("/schemas/[A-Za-z]+/(allOf|anyOf|oneOf)/|/examples/")


def contents() -> Iterator[tuple[str, str, Json]]:
    """Every body, asked or answered: of what, its media type, what is said of it."""
    for name, (_, _, operation) in zip(NAMES, OPERATIONS, strict=True):
        bodies = {"body": operation.get("requestBody", {}), **operation["responses"]}
        for place, body in bodies.items():
            yield from ((f"{name} {place}", media_type, about) for media_type, about in body.get("content", {}).items())


def properties(node: Any) -> Iterator[tuple[str, Json]]:
    """Every property of every schema, but for conditions, which are about properties that are there already."""
    for path, found in within(node):
        if path.endswith("/properties") and not NO_PROPERTIES.search(path):
            yield from ((f"{path}/{name}", about) for name, about in found.items())


def misfits(schema: Json, *examples: Any) -> list[str]:
    """What is wrong with examples of a schema of the document."""
    validator = jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})
    return [error.message for example in examples for error in validator.iter_errors(example)]


def test_the_server_serves_this_document(server):
    assert server.get("/openapi.json").body == DOCUMENT


@EVERY
def test_an_operation_says_what_it_is_for(method, path, operation):
    assert operation["summary"]
    assert operation["description"]
    assert operation["operationId"].isidentifier()
    assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}


def test_no_two_operations_share_a_name():
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)


@EVERY
def test_every_parameter_and_every_answer_is_described(method, path, operation):
    parameters = [parameter["name"] for parameter in operation.get("parameters", ()) if not parameter["description"]]
    answers = [status for status, answer in operation["responses"].items() if not answer["description"]]
    assert (parameters, answers) == ([], [])


@EVERY
def test_every_error_is_a_problem_with_an_example(method, path, operation):
    errors = {status: answer for status, answer in operation["responses"].items() if status >= "4"}
    assert {"400", "500"} <= errors.keys()
    assert {tuple(answer["content"]) for answer in errors.values()} == {("application/problem+json",)}
    examples = {status: answer["content"]["application/problem+json"]["example"] for status, answer in errors.items()}
    assert {status: str(example["status"]) for status, example in examples.items()} == {each: each for each in errors}


@EVERY
def test_an_operation_with_an_id_or_a_body_says_how_it_is_refused(method, path, operation):
    asked = bool(operation.get("parameters") or operation.get("requestBody"))
    assert ("422" in operation["responses"]) == asked
    assert ("404" in operation["responses"]) == ("{" in path)
    assert ("413" in operation["responses"]) == ("requestBody" in operation)


@EVERY
def test_an_operation_says_what_it_answers_when_all_is_well(method, path, operation):
    fine = {status: answer for status, answer in operation["responses"].items() if status < "3"}
    assert fine
    assert [status for status, answer in fine.items() if not answer.get("content") and status != "204"] == []


def test_every_property_is_described():
    told = ("description", "examples", "example", "enum", "const", "$ref")
    assert [path for path, about in properties(DOCUMENT) if not any(about.get(name) for name in told)] == []


def test_every_model_is_described():
    models = DOCUMENT["components"]["schemas"]
    assert [name for name, model in models.items() if not model.get("description")] == []


def test_every_reference_leads_somewhere():
    known = {f"#{path}" for path, _ in within(DOCUMENT)}
    asked = {found["$ref"] for _, found in within(DOCUMENT) if isinstance(found, dict) and "$ref" in found}
    assert asked - known == set()


def test_every_model_is_used():
    asked = {found["$ref"] for _, found in within(DOCUMENT) if isinstance(found, dict) and "$ref" in found}
    assert {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]} - asked == set()


def test_every_schema_is_one():
    assert [
        name for name, model in DOCUMENT["components"]["schemas"].items() if not jsonschema_rs.meta.is_valid(model)
    ] == []


def test_the_examples_of_bodies_are_valid():
    wrong = {}
    for place, media_type, about in contents():
        examples = [each["value"] for each in about.get("examples", {}).values()]
        examples += [about["example"]] if "example" in about else []
        wrong[f"{place} {media_type}"] = misfits(about["schema"], *examples)
    assert {place: found for place, found in wrong.items() if found} == {}


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "nothing \0 at all"},
        {"prompt": "x", "metadata": {"n\0": "v"}},
        {"prompt": "x", "metadata": {"n": "v\0"}},
        {"prompt": "x", "models": {"image": "\0"}},
        {"prompt": "x", "models": {"smell": "x"}},
        {"prompt": "x", "max_steps": "3"},
        {"prompt": "x", "max_steps": True},
        {"prompt": "x", "max_cost_usd": "1e3"},
        {"prompt": "x", "max_cost_usd": "10001"},
        {"prompt": "x", "reuse": "yes"},
        {"prompt": "x", "colour": "red"},
    ],
)
def test_the_document_refuses_what_the_server_refuses(server, body):
    assert misfits({"$ref": "#/components/schemas/GenerateBody"}, body) != []
    assert server.post("/generate", body).status == 422


ID = "asset_" + "0" * 26
REFUSED = [
    ("/images", {"prompt": "a \0 cat"}),
    ("/images", {"prompt": "a cat", "n": "3"}),
    ("/images", {"prompt": "a cat", "n": True}),
    ("/images", {"prompt": "a cat", "seed": "7"}),
    ("/images", {"prompt": "a cat", "size": "1024"}),
    ("/images", {"prompt": "a cat", "size": "10x10"}),
    ("/images", {"prompt": "a cat", "size": "0:1"}),
    ("/images", {"prompt": "a cat", "model": ""}),
    ("/images", {"prompt": "a cat", "reference_images": ["asset_1"]}),
    ("/images", {"prompt": "a cat", "inputs": []}),
    ("/images", {"prompt": "a cat", "options": []}),
    ("/images", {"prompt": "a cat", "reuse": 1}),
    ("/images/edits", {"image": "http://example.com/a.png", "instruction": "red"}),
    ("/images/edits", {"image": ID}),
    ("/images/edits", {"image": ID, "instruction": " "}),
    ("/images/edits", {"image": ID, "instruction": "red", "operation": None, "mask": "white"}),
    ("/images/edits", {"image": ID, "instruction": "red", "operation": "inpaint"}),
    ("/images/edits", {"image": ID, "operation": "erase"}),
    ("/images/edits", {"image": ID, "operation": "paint", "instruction": "red"}),
    ("/videos", {"prompt": "waves", "duration": "5"}),
    ("/videos", {"prompt": "waves", "duration": 61}),
    ("/videos", {"prompt": "waves", "video": ID, "image": ID}),
    ("/videos", {"prompt": "waves", "video": ID, "reference_images": [ID]}),
    ("/speech", {"text": "Hi.", "speed": "1"}),
    ("/speech", {"text": "Hi.", "stream": "yes"}),
    ("/speech", {"text": "Hi.", "stream": 1}),
    ("/speech", {"text": "Hi.", "format": "ogg"}),
    ("/transcriptions", {"audio": ID, "speakers": 0}),
    ("/transcriptions", {"audio": ID, "language": "English"}),
    ("/transcriptions", {"audio": ID, "hint": "\0"}),
    ("/analyses", {}),
    ("/analyses", {"question": "What?"}),
    ("/analyses", {"images": []}),
    ("/analyses", {"images": [ID], "video": ID}),
    ("/analyses", {"video": ID, "text": "A post."}),
    ("/analyses", {"audio": ID, "detail": "low"}),
    ("/extractions", {"document": ID, "schema": {"type": "array"}}),
    ("/extractions", {"document": ID, "schema": {"required": "total"}}),
    ("/extractions", {"document": ID, "rules": [{"total": "", "sum_of": ["a"]}]}),
    ("/extractions", {"document": ID, "rules": [{"total": "a", "sum_of": []}]}),
    ("/extractions", {"document": ID, "rules": [{"total": "a", "sum_of": ["b"], "tolerance": "0.1"}]}),
    ("/extractions", {"document": ID, "rules": [{"total": "a", "sum_of": ["b"], "why": "x"}]}),
]


@pytest.mark.parametrize(("path", "body"), REFUSED)
def test_the_document_refuses_what_a_tool_refuses(server, path, body):
    schema = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert misfits(schema, body) != []
    reply = server.post(path, body)
    assert (reply.status, "generation_id" in reply.body) == (422, False)


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/images", {"prompt": "a cat", "n": "3"}, "n"),
        ("/images", {"prompt": "a cat", "reference_images": [ID]}, "reference_images.0"),
        ("/images/edits", {"instruction": "red", "image": ID, "n": 1}, "image"),
        ("/videos", {"prompt": "waves", "duration": True}, "duration"),
        ("/transcriptions", {"translate": "00", "audio": ID}, "audio"),
    ],
)
def test_a_tools_refusal_names_the_field(server, path, body, named):
    assert [error["field"] for error in server.post(path, body).body["errors"]] == [named]


@pytest.mark.parametrize("path", [*TOOLS, "/generate"])
@pytest.mark.parametrize(
    "body", ['{"\\ud800": 1}', '{"prompt": "\\udfff"}', '{"options": {"a": "\\u0000"}}', "[]", "3", "{"]
)
def test_a_body_that_no_database_takes_is_refused(server, path, body):
    assert server.post(path, body.encode(), headers={"content-type": "application/json"}).status == 422


def test_the_examples_of_properties_are_valid():
    wrong = {path: misfits(about, *about.get("examples", ())) for path, about in properties(DOCUMENT)}
    assert {path: found for path, found in wrong.items() if found} == {}


def test_the_examples_of_headers_are_valid():
    headers = DOCUMENT["components"]["headers"]
    wrong = {name: misfits(about["schema"], about["example"]) for name, about in headers.items()}
    assert {name: found for name, found in wrong.items() if found} == {}


def test_the_example_of_a_strange_name_is_what_the_server_answers(server):
    [example] = [about["example"] for place, _, about in contents() if place == "GET /health 400"]
    assert server.get("/health", headers={"host": "elsewhere.example"}).body == example


def test_the_events_of_a_stream_are_as_described(server):
    streams = [about for _, media_type, about in contents() if media_type == "text/event-stream"]
    told = server.events("/generate", method="POST", body={"prompt": "An image of a fox, 256x256"})
    shown = [{"event": event.name, "id": str(event.id), "data": json.dumps(event.data)} for event in told]
    for stream in streams:
        assert misfits(stream["schema"], *shown) == []
        assert stream["example"]["event"] in get_args(EventName)
        assert json.loads(stream["example"]["data"])["generation_id"].startswith("gen_")
    assert len(streams) == 2 + len(TOOLS)


@pytest.mark.parametrize("path", TOOLS)
def test_every_tool_streams_its_events(server, existing, path):
    body = existing.named_in(next(body for body in examples_of(path).values() if not body.get("stream")))
    events = list(server.events(path, method="POST", body=body))
    assert [events[0].name, events[-1].name] == ["generation.created", "generation.completed"]


def test_the_answer_with_sound_is_as_described(server):
    answer = DOCUMENT["paths"]["/speech"]["post"]["responses"]["200"]
    reply = server.post("/speech", {"text": "Hi.", "stream": True, "format": "wav"})
    assert reply.headers["content-type"] in answer["content"]
    assert reply.headers["x-generation-id"].startswith("gen_")
    assert "X-Generation-Id" in answer["headers"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_a_generation_runs_without_keys(server, name):
    reply = server.post("/generate", EXAMPLES[name])
    assert (reply.status, reply.body["status"], reply.body["stop_reason"]) == (200, "completed", "answered")
    assert reply.body["assets"]
    assert [step for step in reply.body["steps"] if step["status"] != "completed"] == []


@pytest.mark.parametrize(
    ("path", "name", "body"), TOOL_EXAMPLES, ids=[f"{path} {name}" for path, name, _ in TOOL_EXAMPLES]
)
def test_an_example_of_a_tool_runs_without_keys(server, existing, path, name, body):
    reply = server.post(path, existing.named_in(body))
    assert reply.status == 200
    if not body.get("stream"):
        assert (reply.body["status"], reply.body["tool"]) == ("completed", reply.body["steps"][0]["name"])
        assert reply.body["assets"] or reply.body["result"]


# ---- the README ------------------------------------------------------------------------------------------------------

CURL = re.compile(r"curl [^\n]*localhost:8000(/\S+)(?:[^\n]|\\\n)*?-d '(\{.*?\})'", re.DOTALL)
SHOWN = [(path, json.loads(body)) for path, body in CURL.findall((ROOT / "README.md").read_text()) if path in TOOLS]


def test_the_readme_shows_every_tool():
    assert {path for path, _ in SHOWN} == set(TOOLS)


@pytest.mark.parametrize(("path", "body"), SHOWN)
def test_a_tool_the_readme_shows_runs_without_keys(server, existing, path, body):
    reply = server.post(path, existing.named_in(body))
    assert reply.status == 200
    assert body.get("stream") or reply.body["assets"] or reply.body["result"]
