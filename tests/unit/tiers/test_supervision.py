"""When the limit of a case has passed twice over."""

from __future__ import annotations

import pytest

from tests.unit.tiers.test_clocks import calendar, us
from tiers.supervision import twice_over


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        ({"limit_value": 2, "limit_unit": "urgent_hour"}, "2026-09-30 19:30"),
        # over 国庆 the next working day is the eighth of October
        ({"limit_value": 1, "limit_unit": "work_day"}, "2026-10-08 18:00"),
        ({"dispatched_at": us("2026-09-30 13:30")}, "2026-09-30 21:30"),
        ({"reported_at": us("2026-09-30 16:30")}, "2026-09-30 18:30"),
        ({"limit_value": 0, "limit_unit": "work_day"}, None),
        ({"limit_value": 1, "limit_unit": "fortnight"}, None),
        ({"dispatched_at": us("2026-09-30 17:31")}, None),
        ({}, None),
        ({"deadline": None, "limit_value": 1, "limit_unit": "day"}, None),
    ],
)
def test_the_limit_passes_once_more_on_its_own_clock(cells: dict[str, object], wanted: str | None) -> None:
    found = twice_over({"deadline": us("2026-09-30 17:30"), **cells}, calendar())
    assert found == (us(wanted) if wanted else None)
