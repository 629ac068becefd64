"""When figures of a period are due, and when the period is closed: natural days after it, by the declared deadlines."""

from __future__ import annotations

from datetime import timedelta, tzinfo

from tiers.dataset import Dataset
from tiers.periods import Period, midnight_us

TIER_STEP_US = 6 * 3_600_000_000
"""Each tier closes so much later than the one below it, so that what that one closed with is in."""


def due_us(dataset: Dataset, period: Period, zone: tzinfo) -> int:
    """From when on what has not come is late. KeyError where the dataset has no deadline for such periods."""
    return midnight_us(period.until + timedelta(days=dataset.deadlines[period.cadence].due_days), zone)


def cut_off_us(dataset: Dataset, period: Period, zone: tzinfo, height: int = 0) -> int:
    """From when on what comes is a correction, at a node with `height` tiers below it. KeyError as due_us."""
    days = timedelta(days=dataset.deadlines[period.cadence].cut_off_days)
    return midnight_us(period.until + days, zone) + height * TIER_STEP_US
