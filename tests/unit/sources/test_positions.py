"""How far a table was read: where the next reading begins, whatever stamps, clocks and broken lines say."""

from __future__ import annotations

import datetime as dt

import pytest

from node.sources.database.position import MARKED, Mark, Position, begun, ended, passed

ZONE = dt.timezone(dt.timedelta(hours=8))
NOW = dt.datetime(2026, 3, 5, 12, tzinfo=ZONE)
NOON = NOW.replace(tzinfo=None)
TODAY = NOON.date()
MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)


def read(before: Mark | None, *marks: Mark | None) -> Position:
    """A reading that saw these watermarks, still under way."""
    position = begun(Position(before), MINUTE, NOW, MARKED)
    for key, mark in enumerate(marks):
        position = passed(position, (mark, key))
    return position


@pytest.mark.parametrize(
    ("high", "overlap", "low"),
    [
        (NOON, 10 * MINUTE, NOON - 10 * MINUTE),
        (NOW, 10 * MINUTE, NOW - 10 * MINUTE),
        (TODAY, 10 * MINUTE, TODAY - DAY),
        (TODAY, 36 * 60 * MINUTE, TODAY - 2 * DAY),
        (TODAY, 0 * DAY, TODAY),
        (1_000, 50, 950),
        (None, 10 * MINUTE, None),
    ],
)
def test_a_reading_begins_by_the_overlap_before_the_newest(
    high: Mark | None, overlap: dt.timedelta | int, low: Mark | None
) -> None:
    """Of dates by whole days: a part of a day before midnight is the day before."""
    assert begun(Position(high), overlap, NOW, MARKED).low == low


@pytest.mark.parametrize(
    ("future", "high"),
    [(NOON + 365 * DAY, NOON), (NOW + 365 * DAY, NOW), (TODAY + 365 * DAY, TODAY), (10**12, 10**12)],
)
def test_a_stamp_of_the_future_hides_nothing(future: Mark, high: Mark) -> None:
    """The source's own clock is where reading goes on; a running number knows no clock."""
    assert ended(read(None, future), ZONE).high == high


def test_reading_goes_on_from_where_it_was_when_rows_were_taken_away() -> None:
    """What is left may be older than what was read before."""
    assert ended(read(NOON, NOON - DAY), ZONE).high == NOON
    assert ended(read(NOON), ZONE).high == NOON


def test_what_became_visible_below_a_place_where_a_reading_broke_off_is_read_again() -> None:
    """Even if that is before what was once complete; the lowest such place counts."""
    broken = begun(read(NOON - DAY, NOON - 50 * MINUTE), MINUTE, NOW, MARKED)
    broken = begun(passed(broken, (NOON - 40 * MINUTE, 7)), MINUTE, NOW, MARKED)
    assert broken.broken == NOON - 50 * MINUTE
    assert ended(passed(broken, (NOON - 30 * MINUTE, 8)), ZONE).high == NOON - 50 * MINUTE
    back = begun(read(NOON, NOON - 50 * MINUTE), MINUTE, NOW, MARKED)
    assert ended(passed(back, (NOON, 8)), ZONE).high == NOON - 50 * MINUTE
