"""After how long silence is told."""

from __future__ import annotations

import pytest

from tiers.dataset import Cadence
from tiers.silence import allowed_us

HOUR = 3_600_000_000
CASES = [
    ((Cadence.DAILY,), 2, 48 * HOUR),
    ((Cadence.REAL_TIME, Cadence.DAILY), 2, 12 * HOUR),
    ((Cadence.EVENT, Cadence.MONTHLY), 1, 31 * 24 * HOUR),
    ((Cadence.EVENT,), 2, None),
    ((Cadence.ON_CHANGE,), 2, None),
    ((Cadence.DAILY,), 0, None),
]


@pytest.mark.parametrize(("cadences", "factor", "expected"), CASES)
def test_the_shortest_cadence_counts_and_what_is_never_expected_is_never_late(
    cadences: tuple[Cadence, ...], factor: int, expected: int | None
) -> None:
    """A factor of 0 turns it off."""
    assert allowed_us(cadences, factor) == expected
