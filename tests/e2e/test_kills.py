"""Servers are killed at random moments while generations keep coming: nothing is lost, nothing is bought twice.

On SQLite the one server is started again each time; on Postgres one of two is killed. `make kills` does the same 200
times (docs/kills.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.crashes import DATABASES
from tests.e2e.kills import RECORD, Aftermath, storm
from tests.fake_vendors import FakeVendors

KILLS = 5
LIVES_S = (0.2, 1.5)
SERVERS = {"sqlite": (), "postgres": ("postgres_server", "s3")}


@pytest.fixture(scope="module", params=DATABASES)
def aftermath(
    vendors: FakeVendors, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Aftermath]:
    """What is left after some kills on one database."""
    servers: list[Any] = [request.getfixturevalue(name) for name in SERVERS[request.param]]
    with storm(request.param, tmp_path_factory.mktemp(request.param), vendors, *servers) as raging:
        yield raging.rage(KILLS, LIVES_S)


def test_every_generation_ends_with_an_answer(aftermath: Aftermath) -> None:
    assert (aftermath.errors, aftermath.unfinished()) == ([], [])
    assert aftermath.kills == KILLS


def test_the_kills_hit_generations_under_way(aftermath: Aftermath) -> None:
    assert len(aftermath.fates) >= KILLS
    assert aftermath.taken_up > 0


def test_no_work_is_bought_twice(aftermath: Aftermath) -> None:
    assert aftermath.sent_twice() == []


def test_only_turns_that_were_lost_are_taken_again(aftermath: Aftermath) -> None:
    assert aftermath.turns_too_many() == []


def test_what_a_vendor_took_on_is_there_or_shown_as_unknown(aftermath: Aftermath) -> None:
    assert aftermath.lost() == []


def test_no_job_is_given_up_at_a_vendor_that_can_be_asked(aftermath: Aftermath) -> None:
    assert aftermath.given_up_though_listed() == []


def test_no_receipt_is_left_open(aftermath: Aftermath) -> None:
    assert aftermath.open_receipts == []


def test_every_step_has_the_bytes_its_vendor_made_for_it(aftermath: Aftermath) -> None:
    assert (aftermath.misplaced(), aftermath.not_asked_for()) == ([], [])


def test_clients_are_told_everything_once_and_in_order(aftermath: Aftermath) -> None:
    assert aftermath.torn() == []


def test_a_key_leads_to_one_generation_whenever_it_is_sent(aftermath: Aftermath) -> None:
    assert aftermath.strayed() == []
    assert aftermath.kept == len(aftermath.fates)


def test_the_record_is_of_two_hundred_kills_without_a_loss() -> None:
    text = RECORD.read_text()
    assert re.findall(r"^(\d+) kills", text, re.MULTILINE) == ["200"] * len(DATABASES)
    rows = [line.split("|")[-3:-1] for line in text.splitlines() if re.match(r"\| [a-z]", line)]
    assert rows
    assert {cell.strip() for row in rows for cell in row} == {"0"}
