"""GET /usage: what was spent, by day, vendor, model, key and modality."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.http.talk import IMAGE, fields, generated, until
from tests.server import Server

Json = dict[str, Any]
WORDS = ("day", "vendor", "model", "key", "modality")
COUNTS = (
    "calls",
    "open_calls",
    "unknown_calls",
    "unpriced_calls",
    "released_calls",
    "reused_calls",
    "input_tokens",
    "output_tokens",
)


def usage(server: Server, query: str = "") -> Json:
    """What was spent."""
    reply = server.get(f"/usage{'?' if query else ''}{query}")
    assert reply.status == 200, reply
    return reply.body


def today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def days_ago(days: int) -> str:
    return (today() - dt.timedelta(days=days)).isoformat()


@pytest.fixture(scope="module")
def lighthouse(server: Server) -> Json:
    """A generation, so that there is something to add up."""
    return generated(server, IMAGE)


# ---- what is told ----------------------------------------------------------------------------------------------------


def test_the_last_thirty_days_are_told_by_day_vendor_model_and_key(server, lighthouse):
    found = usage(server)
    assert (found["from"], found["to"], found["by"]) == (days_ago(29), days_ago(0), ["day", "vendor", "model", "key"])
    groups = [tuple(row[word] for word in WORDS) for row in found["data"]]
    assert (days_ago(0), "offline", "offline-image", "anonymous", None) in groups
    assert groups == sorted(groups, key=lambda group: group[:4])


def test_a_generations_calls_are_added_to_their_groups(server, lighthouse):
    before = {row["model"]: row for row in usage(server, "by=model")["data"]}
    made = generated(server, IMAGE)
    after = {row["model"]: row for row in usage(server, "by=model")["data"]}
    more = {model: after[model]["calls"] - before[model]["calls"] for model in ("offline-planner", "offline-image")}
    assert more == {"offline-planner": 2, "offline-image": 1}
    written = after["offline-planner"]["output_tokens"] - before["offline-planner"]["output_tokens"]
    assert written == made["usage"]["output_tokens"] > 0


@pytest.mark.parametrize("by", ["vendor", "modality,model", "key,day,vendor", "model,key,vendor,modality,day"])
def test_any_words_in_any_order_add_up_to_the_same_total(server, lighthouse, by):
    found, names = usage(server, f"by={by}"), by.split(",")
    assert found["by"] == names
    assert [word for row in found["data"] for word in WORDS if (row[word] is None) == (word in names)] == []
    groups = [tuple(row[name] for name in names) for row in found["data"]]
    assert groups == sorted(set(groups))
    assert {count: sum(row[count] for row in found["data"]) for count in COUNTS} == {
        count: found["total"][count] for count in COUNTS
    }


def test_without_words_there_is_the_total_only(server, lighthouse):
    found = usage(server, "by=")
    assert (found["by"], found["data"]) == ([], [])
    assert found["total"]["calls"] >= 3


def test_a_word_said_twice_is_said_once(server, lighthouse):
    assert usage(server, "by=day,day")["by"] == ["day"]


def test_what_is_free_costs_nothing_and_that_is_known(server, lighthouse):
    free = next(row for row in usage(server, "by=model")["data"] if row["model"] == "offline-image")
    assert (free["cost_usd"], free["cost_is_complete"], free["unknown_up_to_usd"]) == ("0.000000", True, "0.000000")


def test_a_call_under_way_is_told_as_open(server, clip):
    until(server, clip, "tool.progress")
    assert usage(server)["total"]["open_calls"] >= 1
    assert usage(server)["total"]["cost_is_complete"] is False


def test_a_reused_call_is_counted_as_such(server, lighthouse):
    before = usage(server)["total"]["reused_calls"]
    generated(server, IMAGE, reuse=True)
    assert usage(server)["total"]["reused_calls"] == before + 1


def test_a_deleted_generation_stays_in_the_sums(server, lighthouse):
    made = generated(server, IMAGE)
    before = usage(server, "by=vendor,model")
    assert server.delete(f"/generations/{made['id']}").status == 204
    assert usage(server, "by=vendor,model") == before


# ---- which days ------------------------------------------------------------------------------------------------------


def test_today_is_a_day(server, lighthouse):
    found = usage(server, f"from={days_ago(0)}&to={days_ago(0)}&by=day")
    assert [row["day"] for row in found["data"]] == [days_ago(0)]


def test_days_before_the_first_call_are_empty(server, lighthouse):
    found = usage(server, "from=2024-02-01&to=2024-02-29")
    assert (found["data"], found["total"]["calls"], found["total"]["cost_usd"]) == ([], 0, "0.000000")


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("to=2026-03-01", "2026-01-31", "2026-03-01"),
        (f"from={days_ago(100)}", days_ago(100), days_ago(0)),
        ("from=2023-03-01&to=2024-02-29", "2023-03-01", "2024-02-29"),
        ("to=0001-01-03", "0001-01-01", "0001-01-03"),
        ("from=9999-12-31&to=9999-12-31", "9999-12-31", "9999-12-31"),
    ],
)
def test_days_that_are_not_named_follow_from_those_that_are(server, query, first, last):
    found = usage(server, query)
    assert (found["from"], found["to"]) == (first, last)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-11-02&to=2026-11-01", "query.from"),
        ("from=2999-01-01", "query.from"),
        ("from=2023-02-28&to=2024-02-29", "query.from"),
        ("from=2026-02-30", "query.from"),
        ("from=20261101", "query.from"),
        ("from=0", "query.from"),
        ("from=", "query.from"),
        ("to=2026-11-01T00:00:00", "query.to"),
        ("to=yesterday", "query.to"),
        ("to=2026-11-1", "query.to"),
        ("by=smell", "query.by"),
        ("by=day,", "query.by"),
        ("by=day;vendor", "query.by"),
        ("by=Day", "query.by"),
        ("by=" + ",".join(["modality"] * 20), "query.by"),
    ],
)
def test_a_wrong_question_is_named(server, query, field):
    assert fields(server.get(f"/usage?{query}")) == [field]


def test_every_wrong_thing_is_named_at_once(server):
    assert fields(server.get("/usage?from=x&to=y&by=z")) == ["query.from", "query.to", "query.by"]
