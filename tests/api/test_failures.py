"""What a generation without a result answers with."""

from typing import Any

import pytest

from app.api.answers import failure
from app.generations.service import Generation

TOOL = {"tool": {"name": "generate_image", "arguments": {}}}


def failed(status: str, code: str | None, request: dict[str, Any]) -> Generation:
    """A generation that has nothing to show."""
    error = {"code": code, "message": "It did not work."} if code else None
    return Generation({"id": "gen_1", "status": status, "error": error, "request": request}, [], [], [])


@pytest.mark.parametrize(
    ("status", "code", "request_", "answer"),
    [
        ("failed", "outcome_unknown", TOOL, 502),
        ("failed", "not_offered", TOOL, 422),
        ("failed", "not_offered", {}, 502),
        ("failed", "budget_exceeded", TOOL, 422),
        ("cancelled", None, TOOL, 409),
        ("running", None, TOOL, 503),
    ],
)
def test_answer_tells_whose_fault_it_is_and_whether_it_is_over(status, code, request_, answer):
    error = failure(failed(status, code, request_))
    assert (error.status, error.extra["generation_id"]) == (answer, "gen_1")
