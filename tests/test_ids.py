"""Ids: prefixed, sortable by birth, and derived ones the same again."""

import datetime as dt
import re

from hypothesis import given
from hypothesis import strategies as st

from app.ids import derived_id, new_id

BORN = dt.datetime(2026, 11, 20, 12, 0, 0, 123_456, tzinfo=dt.UTC)


def test_new_id_is_what_the_routes_accept():
    assert re.fullmatch("gen_[0-9a-z]{26}", new_id("gen"))


def test_new_ids_differ():
    assert len({new_id("gen") for _ in range(1000)}) == 1000


def test_derived_id_is_what_the_routes_accept():
    assert re.fullmatch("asset_[0-9a-z]{26}", derived_id("asset", BORN, "call_1", 0))


def test_derived_id_follows_from_its_parts():
    assert derived_id("asset", BORN, "call_1", 0) == derived_id("asset", BORN, "call_1", 0)
    others = {derived_id("asset", BORN, call, position) for call in ("call_1", "call_2") for position in range(5)}
    assert len(others) == 10


def test_derived_id_sorts_between_new_ids():
    before = new_id("asset")
    assert derived_id("asset", BORN - dt.timedelta(days=365), "x") < before
    assert derived_id("asset", dt.datetime(2100, 1, 1, tzinfo=dt.UTC), "x") > before


moments = st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2900, 1, 1), timezones=st.just(dt.UTC))


@given(moments, moments, st.text(max_size=5))
def test_derived_ids_sort_by_birth(one, other, part):
    apart = abs(one - other) > dt.timedelta(milliseconds=1)
    earlier, later = sorted((one, other))
    if apart:
        assert derived_id("asset", earlier, part) < derived_id("asset", later, part)


@given(moments)
def test_birth_in_another_time_zone_is_the_same_birth(born):
    elsewhere = born.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=30)))
    assert derived_id("asset", born, "x") == derived_id("asset", elsewhere, "x")
