"""Which day a moment belongs to."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.days import DAY_MAX, date_of, day_begins_us, day_named, day_of_hlc, day_of_us, hlc_us

BEIJING = dt.timezone(dt.timedelta(hours=8))


@given(st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2200, 1, 1)))  # noqa: DTZ001 - the strategy wants them so
def test_a_moment_has_the_date_of_the_wall_clock_in_beijing(local: dt.datetime) -> None:
    """By microseconds and by an entry's time alike."""
    moment = local.replace(tzinfo=BEIJING)
    us = int(moment.timestamp() * 1_000_000)
    assert date_of(day_of_us(us)) == local.date().isoformat()
    assert day_of_hlc(us // 1000 << 16 | 7) == day_of_us(us)
    assert day_begins_us(day_of_us(us)) <= us < day_begins_us(day_of_us(us) + 1)
    assert day_named(date_of(day_of_us(us))) == day_of_us(us)


def test_a_city_clock_that_runs_ten_minutes_fast_moves_its_own_entries_alone() -> None:
    """The day is that of the signed time: everybody counts the entry under it, and nobody's own clock decides."""
    five_to_midnight = int(dt.datetime(2026, 11, 22, 23, 55, tzinfo=BEIJING).timestamp() * 1000)
    right, fast = five_to_midnight << 16, five_to_midnight + 600_000 << 16
    assert (date_of(day_of_hlc(right)), date_of(day_of_hlc(fast))) == ("2026-11-22", "2026-11-23")


@given(st.integers(0, 2**64 - 1))
def test_whatever_an_origin_says_is_some_day(hlc: int) -> None:
    """A time that no calendar has counts as the last day; it fits the store."""
    assert 0 <= day_of_hlc(hlc) <= DAY_MAX
    assert date_of(day_of_hlc(hlc))
    assert hlc_us(hlc) < 2**63


@pytest.mark.parametrize("text", ["1969-12-31", "yesterday", "2026-02-30", ""])
def test_what_is_no_day_is_refused(text: str) -> None:
    """Also a day before the first."""
    with pytest.raises(ValueError, match=r".*"):
        day_named(text)
