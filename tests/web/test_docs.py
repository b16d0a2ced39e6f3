"""The API page at `/docs`, and the document behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from playwright.sync_api import Page, expect

from app.generations.events import EventName
from app.main import create_app
from app.settings import Settings
from tests.server import Server

Json = dict[str, Any]
DOCUMENT = create_app(Settings(_env_file=None), {}).openapi()
EXAMPLES = DOCUMENT["paths"]["/generate"]["post"]["requestBody"]["content"]["application/json"]["examples"]


def operations() -> Iterator[tuple[str, Json]]:
    """Every operation, by its method and path."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def fields(schema: Any, path: str) -> Iterator[tuple[str, Json]]:
    """Every field of a schema and of those within it."""
    if isinstance(schema, dict):
        for name, field in schema.get("properties", {}).items():
            yield f"{path}.{name}", field
            yield from fields(field, f"{path}.{name}")


def test_the_api_page_shows_every_tag_and_operation_without_the_internet(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/docs")
    for tag in DOCUMENT["tags"]:
        expect(page.locator(f"#operations-tag-{tag['name']}")).to_contain_text(tag["description"])
    expect(page.locator(".opblock")).to_have_count(len(list(operations())))
    expect(page.locator(".errors-wrapper")).to_have_count(0)
    expect(page.get_by_role("heading", name="Impresario API")).to_be_visible()
    expect(page).to_have_title("Impresario API")


def test_every_operation_opens(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/docs")
    expect(page.locator(".opblock")).to_have_count(len(list(operations())))
    for operation in page.locator(".opblock").all():
        control = operation.locator(".opblock-summary-control")
        control.click()
        expect(operation.locator(".responses-inner")).to_be_visible()
        control.click()  # a page with all of them open is slow
    expect(page.locator(".errors-wrapper")).to_have_count(0)


def test_try_it_out_runs_generate(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/docs")
    operation = page.locator("#operations-Generations-generate")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table")
    expect(answer.locator("tbody .response-col_status")).to_contain_text("200", timeout=60_000)
    expect(answer.locator("tbody .response-col_description")).to_contain_text('"completed"')


def test_an_uploads_file_is_chosen_with_a_file_chooser(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/docs")
    operation = page.locator("#operations-Assets-upload_file")
    operation.locator(".opblock-summary-control").click()
    text = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"Good mornings start here."}
    operation.locator("input[type=file]").set_input_files(text)
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table tbody .response-col_status")).to_contain_text("201", timeout=60_000)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_offline(server: Server, name: str) -> None:
    status, _, generation = server.post("/generate", EXAMPLES[name]["value"])
    assert (status, generation["status"]) == (200, "completed")
    assert generation["assets"]


@pytest.mark.parametrize(("name", "operation"), list(operations()))
def test_an_operation_is_described(name: str, operation: Json) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert operation["operationId"].replace("_", "").isalpha()
    for parameter in operation.get("parameters", []):
        assert parameter["description"], parameter["name"]
        assert "anyOf" not in parameter["schema"]
    for answer in operation["responses"].values():
        assert answer["description"] not in ("", "Successful Response", "Done.")


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, operation in operations()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("model", DOCUMENT["components"]["schemas"])
def test_every_field_is_described(model: str) -> None:
    found = list(fields(DOCUMENT["components"]["schemas"][model], model))
    assert [path for path, field in found if not field.get("description")] == []
    assert found


def test_every_error_is_a_problem_with_an_example() -> None:
    for name, operation in operations():
        for status, answer in operation["responses"].items():
            if status >= "400":
                content = answer["content"]["application/problem+json"]
                assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, name
                assert content["example"]["status"] == int(status), name


def test_every_event_is_documented() -> None:
    description = DOCUMENT["paths"]["/generations/{generation_id}/events"]["get"]["description"]
    assert [name for name in get_args(EventName) if f"`{name}`" not in description] == []
