"""Periods as people write them."""

from __future__ import annotations

from datetime import UTC, date
from zoneinfo import ZoneInfo

import pytest

from tiers.dataset import Cadence
from tiers.periods import ended_periods, parse_period, period_of


@pytest.mark.parametrize(
    ("text", "cadence", "first", "last"),
    [
        ("2026", Cadence.YEARLY, date(2026, 1, 1), date(2026, 12, 31)),
        ("2026Q4", Cadence.QUARTERLY, date(2026, 10, 1), date(2026, 12, 31)),
        ("2024-02", Cadence.MONTHLY, date(2024, 2, 1), date(2024, 2, 29)),
        ("2026-W01", Cadence.WEEKLY, date(2025, 12, 29), date(2026, 1, 4)),
        ("2026-03-02", Cadence.DAILY, date(2026, 3, 2), date(2026, 3, 2)),
    ],
)
def test_a_period_is_written_in_one_way(text: str, cadence: Cadence, first: date, last: date) -> None:
    period = parse_period(text)
    assert (period.cadence, period.first, period.last, str(period)) == (cadence, first, last, text)


@pytest.mark.parametrize(
    "text", ["", "26", "2026-13", "2026-00", "2026-02-30", "2026Q5", "2026-W54", "2026-3-2", "0000", "9999-12-31 "]
)
def test_what_is_no_period_is_not_read(text: str) -> None:
    with pytest.raises(ValueError):
        parse_period(text)


def test_a_day_begins_at_midnight_of_the_region() -> None:
    """16:00 UTC is the next day in China: cases of that evening count there."""
    start, end = parse_period("2026-03-02").span_us(ZoneInfo("Asia/Shanghai"))
    assert parse_period("2026-03-02").span_us(UTC)[0] - start == 8 * 3_600_000_000
    assert end - start == 24 * 3_600_000_000
    assert [str(p) for p in ended_periods(Cadence.DAILY, end, ZoneInfo("Asia/Shanghai"), 2)] == [
        "2026-03-01",
        "2026-03-02",
    ]
    assert str(ended_periods(Cadence.DAILY, end - 1, ZoneInfo("Asia/Shanghai"), 1)[0]) == "2026-03-01"


def test_the_calendar_has_ends() -> None:
    """A date of year 9999 is somebody's "never": it has no next month."""
    with pytest.raises(OverflowError):
        period_of(Cadence.MONTHLY, date(9999, 12, 31))
    with pytest.raises(ValueError):
        parse_period("9999-12")
