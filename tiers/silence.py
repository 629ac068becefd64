"""How long nothing of a dataset may come before somebody should ask: its cadence, times a factor.

The cadences of the catalogue are proposals, and so are these spans. What happens now and then (an event, a change) is
never expected at any time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from tiers.dataset import Cadence

_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
SPANS_US: Final[Mapping[Cadence, int]] = {
    Cadence.REAL_TIME: 6 * _HOUR_US,
    Cadence.DAILY: _DAY_US,
    Cadence.WEEKLY: 7 * _DAY_US,
    Cadence.MONTHLY: 31 * _DAY_US,
    Cadence.QUARTERLY: 92 * _DAY_US,
    Cadence.YEARLY: 366 * _DAY_US,
}
"""A night without a case is no fault, so that real time is not minutes."""


def allowed_us(cadences: Collection[Cadence], factor: int) -> int | None:
    """The span after which silence is told, by the shortest cadence; None: never."""
    spans = [SPANS_US[cadence] for cadence in cadences if cadence in SPANS_US]
    return factor * min(spans) if spans and factor else None
