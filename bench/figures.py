"""The arithmetic: what is measured, medians, spread, and how it compares with the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median

from sync.errors import LocalFault


class Work(Enum):
    """The works of the contest (bench/README.md, "The work")."""

    T = "T"
    L = "L"
    C = "C"
    C1 = "C1"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a work: its name in the JSON, its title in the table, and which way is better."""

    work: Work
    name: str
    title: str
    higher_is_better: bool


FIGURES = (
    Figure(Work.T, "T_rows_per_s", "T rows/s", higher_is_better=True),
    Figure(Work.L, "L_p50_ms", "L p50 ms", higher_is_better=False),
    Figure(Work.L, "L_p99_ms", "L p99 ms", higher_is_better=False),
    Figure(Work.C, "C_rows_per_s", "C rows/s", higher_is_better=True),
    Figure(Work.C1, "C1_rows_per_s", "C1 rows/s", higher_is_better=True),
)


@dataclass(frozen=True, slots=True)
class Mark:
    """What our nodes are to reach: a figure, or its ratio to the reference, against a bound."""

    name: str
    figure: Figure
    is_ratio: bool
    bound: float

    def met(self, value: float) -> bool:
        """A ratio is good from its bound up, a wait up to its bound."""
        return value >= self.bound if self.is_ratio else value <= self.bound


_BY_NAME = {figure.name: figure for figure in FIGURES}
MARKS = (
    Mark("T_ratio", _BY_NAME["T_rows_per_s"], is_ratio=True, bound=1.0),
    Mark("C_ratio", _BY_NAME["C_rows_per_s"], is_ratio=True, bound=1.0),
    Mark("C1_ratio", _BY_NAME["C1_rows_per_s"], is_ratio=True, bound=1.0),
    Mark("L_p50_ms", _BY_NAME["L_p50_ms"], is_ratio=False, bound=10.0),
)


@dataclass(frozen=True, slots=True)
class Summary:
    """A figure over several runs."""

    median: float
    least: float
    most: float
    runs: tuple[float, ...]


def summarise(values: Sequence[float]) -> Summary:
    """Median and spread of the runs; there is at least one."""
    assert values
    return Summary(median(values), min(values), max(values), tuple(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of the values do not exceed (nearest rank). Raises LocalFault if none."""
    if not values:
        raise LocalFault("nothing was measured: no percentile")
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1]


def times_as_good(figure: Figure, value: float, reference: float) -> float:
    """How many times as good as the reference: above 1 is better, whichever way the figure counts."""
    return value / reference if figure.higher_is_better else reference / value
