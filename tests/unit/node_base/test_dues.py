"""What of a node's own books tells why data has not come, and which periods a month has."""

from __future__ import annotations

import pytest

from node.dues import _period_of, periods_in
from tests.unit.tiers.kit import CATALOGUE


@pytest.mark.parametrize(
    ("key", "at", "period"),
    [
        ('["330100", "2026-03-02", "gas_supply"]', 1, "2026-03-02"),
        ('["330100"]', 1, ""),
        ("", 1, ""),
        ('["330100", "2026-0…0123456789abcdef', 1, ""),
        ("7", 1, ""),
    ],
)
def test_the_period_of_a_row_that_was_refused(key: str, at: int, period: str) -> None:
    """From the key as people are told it; an entry that was refused whole has none, nor has a key that was cut."""
    assert _period_of(key, at) == period


def test_a_month_has_the_periods_that_end_in_it() -> None:
    """Its days and itself, oldest first of each cadence; nothing that is no month has any."""
    found = [str(period) for period in periods_in(CATALOGUE.datasets["case_stat"], "2026-02")]
    assert len(found) == 28 + 1
    assert sorted(found) == sorted([*(f"2026-02-{day:02}" for day in range(1, 29)), "2026-02"])
    for text in ("2026", "2026-02-01", "2026-2", "x"):
        with pytest.raises(ValueError):
            periods_in(CATALOGUE.datasets["case_stat"], text)
