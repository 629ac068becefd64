"""What a node supervises by itself (W2): data of a node below that is overdue by whole cycles, and cases of it whose
limit has passed twice over (reference/domain.md 10: a proposal).

One supervision about one node's dataset at a time: a node that is away for a month is not supervised anew with each
day that it does not bring. The id of a task follows from what it is about, so none is started twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from fractions import Fraction
from typing import NamedTuple

from tiers.dataset import Dataset
from tiers.deadlines import due_us
from tiers.flows.clocks import Calendar, Clock, ClockFault, due, limit_of
from tiers.flows.ids import derived_id
from tiers.periods import Period, day_of, parse_period, period_of

HOUR_US = 3_600_000_000
PATIENCE_US = HOUR_US
"""For so long this node must have seen that something is missing: after a start, what came meanwhile comes first."""


class Supervised(NamedTuple):
    """A supervision that this node began of a dataset. ended_us: when it was over; 0 while it is open."""

    dataset: str
    period: str
    node: str
    ended_us: int = 0


def overdue_by(dataset: Dataset, cycles: int, now: int, zone: tzinfo) -> list[Period]:
    """Of each cadence the newest period that is overdue by so many cycles: what is owed for that many periods after it
    was due by now as well."""
    found = []
    for cadence in dataset.deadlines:
        period = later = period_of(cadence, day_of(now, zone))
        for _ in range(cycles):
            period = period.before()
        while due_us(dataset, later, zone) > now:
            period, later = period.before(), later.before()
        found.append(period)
    return found


def is_wanted(dataset: str, period: str, node: str, due_at: int, before: Iterable[Supervised]) -> bool:
    """Whether a supervision begins, given those begun before: none about the same is open, and after the last one the
    whole time has passed anew."""
    cadence = parse_period(period).cadence
    same = (
        one
        for one in before
        if (one.dataset, one.node) == (dataset, node) and parse_period(one.period).cadence is cadence
    )
    return all(one.ended_us and one.ended_us < due_at and one.period != period for one in same)


class Patience:
    """Since when things are seen to be missing. Kept in memory alone: a start begins anew."""

    def __init__(self) -> None:
        self._since: dict[object, int] = {}

    def lasting(self, missing: Iterable[object], now: int) -> set[object]:
        """Of what is missing now, what has been so long enough. What is missing no more is forgotten."""
        self._since = {one: self._since.get(one, now) for one in missing}
        return {one for one, since in self._since.items() if now - since >= PATIENCE_US}


def twice_over(cells: Mapping[str, object], calendar: Calendar) -> int | None:
    """When the limit of a case has passed once more after its deadline; None where that cannot be told.

    On the clock of its limit; where the case does not say it, as long again as it took from dispatch to the deadline.
    """
    deadline, begun = cells.get("deadline"), cells.get("dispatched_at") or cells.get("reported_at")
    amount, unit = cells.get("limit_value"), cells.get("limit_unit")
    if not isinstance(deadline, int):
        return None
    if isinstance(amount, int) and isinstance(unit, str):
        try:
            return due(deadline, limit_of(Fraction(amount), Clock(unit)), calendar).at_us
        except (ClockFault, ValueError, OverflowError):
            return None
    return 2 * deadline - begun if isinstance(begun, int) and begun < deadline else None


def data_task(issuer: str, dataset: str, period: str, node: str) -> str:
    """The id of the supervision of what a node owes for a period."""
    return derived_id("w2d", issuer, dataset, period, node)


def case_task(issuer: str, origin: str, case: str, deadline: int) -> str:
    """The id of the supervision of a case; with another deadline it is another."""
    return derived_id("w2c", issuer, origin, case, str(deadline))
