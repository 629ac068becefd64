"""What is owed for a period, whether it has come, and why not: from what the exchange itself shows.

An item is one dataset, period and node that owes it. It has come when its rows are here, at the moment they were first
seen; figures that say "no data" have not. Links, refusals and rows that wait tell why something has not.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from sync.registry import Enrolment, Registry
from tiers.dataset import Dataset
from tiers.parts import DEPTH_MAX, children_of, may_own


class Standing(Enum):
    """Where an item stands."""

    WAITING = "waiting"  # not due yet
    ON_TIME = "on_time"
    LATE = "late"  # came after it was due
    CORRECTION = "correction"  # came after the period was closed
    OVERDUE = "overdue"


class Why(Enum):
    """Why an item has not come, the first of these that holds."""

    NONE = ""
    LINK_DOWN = "link_down"
    HELD_UP = "held_up"  # rows came, and were refused or wait
    SOURCE_SILENT = "source_silent"  # it says itself that its source brought nothing
    NOT_FILLED = "not_filled"


class Evidence(NamedTuple):
    """arrived: when its rows were first seen, None if they are not here. is_linked: None where it is no neighbour."""

    arrived: int | None = None
    is_linked: bool | None = None
    held_up: int = 0
    says_no_data: bool = False


def judge(due: int, cut_off: int, now: int, evidence: Evidence) -> tuple[Standing, Why]:
    """Where an item stands, and why it has not come."""
    arrived = evidence.arrived
    if arrived is not None:
        if arrived < due:
            return Standing.ON_TIME, Why.NONE
        return (Standing.LATE if arrived < cut_off else Standing.CORRECTION), Why.NONE
    return (Standing.OVERDUE if now >= due else Standing.WAITING), _why(evidence)


def _why(evidence: Evidence) -> Why:
    if evidence.is_linked is False:
        return Why.LINK_DOWN
    if evidence.held_up:
        return Why.HELD_UP
    return Why.SOURCE_SILENT if evidence.says_no_data else Why.NOT_FILLED


class Score(NamedTuple):
    """How complete and how timely a node was: of `owed` items `arrived` came, `on_time` of them before they were due.
    What is not due yet counts nowhere."""

    owed: int = 0
    arrived: int = 0
    on_time: int = 0

    @property
    def completeness(self) -> float | None:
        """Share that has come; None where nothing was owed."""
        return self.arrived / self.owed if self.owed else None

    @property
    def timeliness(self) -> float | None:
        """Share that came before it was due; None where nothing was owed."""
        return self.on_time / self.owed if self.owed else None


def score(items: Iterable[Standing]) -> Score:
    """Of many items."""
    counted = [one for one in items if one is not Standing.WAITING]
    return Score(
        len(counted),
        sum(one is not Standing.OVERDUE for one in counted),
        sum(one is Standing.ON_TIME for one in counted),
    )


def debtors(registry: Registry, node: str, day: str, dataset: Dataset, depth: int = DEPTH_MAX) -> list[Enrolment]:
    """Who owes a dataset to a node: below each child the nearest that may own it and was in force on a day."""
    found: list[Enrolment] = []
    for child in children_of(registry, node, day):
        if may_own(dataset, child):
            found.append(child)
        elif depth > 1:
            found += debtors(registry, child.node, day, dataset, depth - 1)
    return found
