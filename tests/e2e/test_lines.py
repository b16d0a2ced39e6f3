"""Lanes: no more is asked of a vendor at a time than it takes; what waits is told its place, and the order is fair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.e2e.stage import Json, Stage, pictures, receipts_of, refuse, types_of, wait_until
from tests.fake_vendors import FakeVendors
from tests.server import Event, Server

FLUX = "/replicate/v1/predictions"
TWO_AT_A_TIME = {"VENDOR_CONCURRENCY": "replicate.image=2"}


@pytest.fixture(scope="module")
def narrow_server(vendors: FakeVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks Replicate for two pictures at a time."""
    with Server(tmp_path_factory.mktemp("narrow"), {**vendors.environment(), **TWO_AT_A_TIME}) as server:
        yield server


@pytest.fixture
def narrow(narrow_server: Server, fakes: FakeVendors) -> Stage:
    fakes.control(latency={"replicate": 0.4})
    return Stage(narrow_server, fakes)


def wishes(count: int, of: str = "picture") -> list[str]:
    return [f"{of} {number}" for number in range(count)]


def drawn(stage: Stage) -> list[str]:
    """The pictures Replicate was asked for, in order."""
    return [row["body"]["input"]["prompt"] for row in stage.requests(FLUX) if row["body"]]


def places(events: list[Event]) -> dict[str, list[int]]:
    """The places in line each step was told."""
    told: dict[str, list[int]] = defaultdict(list)
    for event in events:
        if event.name == "tool.progress" and "place" in event.data:
            assert event.data["waiting"]
            told[event.data["step_id"]].append(event.data["place"])
    return told


def all_made(stage: Stage, made: Json, count: int) -> bool:
    return types_of(made) == ["image"] * count and stage.submits("replicate") == count


# ---- in line ---------------------------------------------------------------------------------------------------------


def test_no_more_than_the_lane_takes_are_under_way(narrow: Stage) -> None:
    narrow.script(pictures(*wishes(5)))
    assert all_made(narrow, narrow.made(), 5)
    assert narrow.fakes.ledger()["peaks"]["replicate"] == 2


def test_who_waits_is_told_its_place_which_only_shrinks(narrow: Stage) -> None:
    narrow.script(pictures(*wishes(5)))
    told = places(narrow.events(narrow.begin()))
    assert len(told) == 3
    assert all(line == sorted(set(line), reverse=True) for line in told.values())
    assert sorted(line[0] for line in told.values()) == [1, 2, 3]


def test_one_picture_does_not_wait_for_six_of_another_generation(narrow: Stage) -> None:
    narrow.script(pictures(*wishes(6, of="many")))
    many = narrow.begin()
    narrow.until_submitted("replicate", 2)
    narrow.script(pictures("the one"))
    one, six = narrow.made(), narrow.finished(many)
    assert one["completed_at"] < six["completed_at"]
    assert (types_of(one), types_of(six)) == (["image"], ["image"] * 6)
    assert drawn(narrow).index("the one") <= 4


def test_what_waits_when_the_process_dies_is_sent_afterwards_and_once(narrow: Stage) -> None:
    narrow.fakes.control(latency={"replicate": 2.0})
    narrow.script(pictures(*wishes(5)))
    generation_id = narrow.begin()
    narrow.until_submitted("replicate", 2)
    narrow.server.kill()
    narrow.fakes.control(latency={"replicate": 0.2})
    narrow.server.restart()
    assert all_made(narrow, narrow.finished(generation_id), 5)
    assert (sorted(drawn(narrow)), narrow.fakes.ledger()["peaks"]["replicate"]) == (wishes(5), 2)


def test_what_waits_in_a_cancelled_generation_is_never_sent(narrow: Stage) -> None:
    narrow.script(pictures(*wishes(5)))
    generation_id = narrow.begin()
    narrow.until_submitted("replicate", 2)
    narrow.cancel(generation_id)
    narrow.script(pictures("the next"))
    narrow.made()
    receipts = receipts_of(narrow.get(generation_id), "image")
    assert [each["amount_usd"] for each in receipts if each["state"] == "released"] == ["0.000000"] * 3
    assert drawn(narrow) == ["picture 0", "picture 1", "the next"]


# ---- a vendor that asks to wait --------------------------------------------------------------------------------------


def test_a_vendor_that_asks_to_wait_is_left_alone_by_the_others_too(narrow: Stage) -> None:
    narrow.fakes.control(fail=[refuse(FLUX, 429, headers={"retry-after": "2"})])
    narrow.script(pictures(*wishes(4)))
    made = narrow.made()
    first, *others = (row["at"] for row in narrow.requests(FLUX))
    assert all_made(narrow, made, 4)
    assert all(at - first < 0.3 or at - first >= 2 for at in others)
    assert sum(at - first >= 2 for at in others) == 3


def test_a_lane_without_a_limit_is_held_too(stage: Stage) -> None:
    stage.fakes.control(fail=[refuse(FLUX, 429, headers={"retry-after": "2"})])
    stage.script(pictures("first"))
    first = stage.begin()
    wait_until(lambda: any(each["waiting"] for each in receipts_of(stage.get(first), "image")))
    stage.script(pictures("second"))
    assert types_of(stage.made()) == types_of(stage.finished(first)) == ["image"]
    refused_at, *sent_at = (row["at"] for row in stage.requests(FLUX))
    assert [at - refused_at >= 2 for at in sent_at] == [True, True]
