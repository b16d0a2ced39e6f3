"""The OpenAPI document and the server it describes say the same: schemathesis asks, and the document is read."""

from __future__ import annotations

import copy
import io
import itertools
import json
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
from tests.server import Server

Json = dict[str, Any]

DOCUMENT: Json = create_app(Settings(_env_file=None), {}).openapi()
OPERATIONS = [
    (method, path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
NAMES = [f"{method.upper()} {path}" for method, path, _ in OPERATIONS]
EVERY = pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
EXAMPLES = DOCUMENT["paths"]["/generate"]["post"]["requestBody"]["content"]["application/json"]["examples"]
PROMPTS = [
    *(example["value"]["prompt"] for example in EXAMPLES.values()),
    *DOCUMENT["components"]["schemas"]["GenerateBody"]["properties"]["prompt"]["examples"],
]

anything = schemathesis.openapi.from_dict(copy.deepcopy(DOCUMENT))
valid = schemathesis.openapi.from_dict(copy.deepcopy(DOCUMENT), config=SchemathesisConfig())
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

# Whether something exists, whether a key came with another body before, whether bytes are a picture, and which of two
# days comes first: no schema can say it. Here such requests may be refused, with an answer of the document; below
# everything named exists.
BEYOND_SCHEMAS = {"/generate", "/files", "/usage"}


def with_little_work(case: Any) -> Any:
    """A case that asks for no more than a picture: the document's examples are run as they are further down."""
    if case.path == "/generate" and isinstance(case.body, dict) and case.body.get("prompt") in PROMPTS:
        case.body["prompt"] = "An image of a fox, 256x256"
    return case


@anything.parametrize()
@BOUNDED
def test_no_request_breaks_the_contract(case, server):
    unfit = [positive_data_acceptance] if case.path in BEYOND_SCHEMAS else []
    with_little_work(case).call_and_validate(base_url=server.url, excluded_checks=unfit)


class Existing:
    """Things a valid request can name; what may be deleted is new for each."""

    def __init__(self, server: Server) -> None:
        file = io.BytesIO()
        Image.new("RGB", (64, 48), "teal").save(file, "PNG")
        self.picture = file.getvalue()
        self._server = server
        self._keys, self._ranges = itertools.count(), itertools.cycle(("bytes=0-9", "bytes=7-", "bytes=-5", "x"))
        self.kept_asset, self.kept_generation = self.asset(), self.generation()

    def asset(self) -> str:
        """A new upload."""
        return self._server.upload("a.png", self.picture, "image/png").body["id"]

    def generation(self) -> str:
        """A new generation that is over."""
        return self._server.post("/generate", {"prompt": "hello"}).body["id"]

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
        if {"from", "to"} & case.query.keys():
            case.query.update({"from": "2026-10-01", "to": "2026-11-20"})

    def name_in_body(self, body: Json) -> None:
        """The same, in the body of a generation."""
        if body.get("inputs"):
            body["inputs"] = [self.kept_asset for _ in body["inputs"]]
        if body.get("previous_id"):
            body["previous_id"] = self.kept_generation
        if body.get("models"):
            body["models"] = {kind: f"offline-{'planner' if kind == 'chat' else kind}" for kind in body["models"]}


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


def contents() -> Iterator[tuple[str, str, Json]]:
    """Every body, asked or answered: of what, its media type, what is said of it."""
    for name, (_, _, operation) in zip(NAMES, OPERATIONS, strict=True):
        bodies = {"body": operation.get("requestBody", {}), **operation["responses"]}
        for place, body in bodies.items():
            yield from ((f"{name} {place}", media_type, about) for media_type, about in body.get("content", {}).items())


def properties(node: Any) -> Iterator[tuple[str, Json]]:
    """Every property of every schema."""
    for path, found in within(node):
        if path.endswith("/properties"):
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
    assert len(streams) == 2


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_a_generation_runs_without_keys(server, name):
    reply = server.post("/generate", EXAMPLES[name]["value"])
    assert (reply.status, reply.body["status"], reply.body["stop_reason"]) == (200, "completed", "answered")
    assert reply.body["assets"]
    assert [step for step in reply.body["steps"] if step["status"] != "completed"] == []
