"""The contest: the same work for every contestant, in turns, and what came out of it.

Every round starts each contestant afresh, lets it do all works, and stops it before the next begins; every second
round goes backwards, so that nobody always has the warm or the cold machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rich.markup import escape
from rich.table import Table

from bench.figures import FIGURES, Figure, Summary, Work, percentile, summarise, times_as_good
from bench.rows import make_rows
from sync.errors import LocalFault
from sync.values import Row

ROWS_PER_SET = 1_000
COMMITS_PER_S = 50
REFERENCE = "postgres-tuned"


class Contestant(Protocol):
    """Three tiers (or what stands in for them) that take rows at the city and show them at the nation.

    Every method raises LocalFault when the contestant cannot do the work or did it wrongly: it is then out of the
    contest. `stop` is always called, also after a failed `start`.
    """

    @property
    def name(self) -> str:
        """The name in the table."""
        ...

    @property
    def works(self) -> frozenset[Work]:
        """The works this contestant can do."""
        ...

    def start(self) -> None:
        """Bring up empty tiers, linked."""
        ...

    def throughput(self, rows: Sequence[Row], rows_per_set: int) -> float:
        """Work T: seconds from the first insert until the last row is seen at the nation, after the province."""
        ...

    def latency(self, rows: Sequence[Row], commits_per_s: int) -> list[float]:
        """Work L: for each row, committed alone and on time, seconds from commit returned to seen at the nation."""
        ...

    def catch_up(self, rows: Sequence[Row], rows_per_set: int) -> float:
        """Works C, C1: rows go in while the province is down; seconds from its port open until the nation has all."""
        ...

    def stop(self) -> None:
        """End every process and remove every file."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of what."""

    works: tuple[Work, ...]
    rows: int
    singles: int
    seconds: int
    runs: int


@dataclass(slots=True)
class Result:
    """What one contestant reached; `failed` says why it left the contest."""

    name: str
    values: dict[str, list[float]] = field(default_factory=dict)
    failed: str | None = None

    def summaries(self) -> Iterator[tuple[Figure, Summary]]:
        """The figures measured at least once, in the order of the table."""
        for figure in FIGURES:
            if values := self.values.get(figure.name):
                yield figure, summarise(values)


def hold(contestants: Sequence[Contestant], plan: Plan, tell: Callable[[str], None]) -> list[Result]:
    """Hold the contest; `tell` hears about progress. A contestant that fails leaves, the others go on."""
    results = [Result(each.name) for each in contestants]
    pairs = list(zip(contestants, results, strict=True))
    for round_number in range(plan.runs):
        for contestant, result in pairs if round_number % 2 == 0 else reversed(pairs):
            if result.failed is not None:
                continue
            try:
                for name, value in _take_turn(contestant, plan):
                    result.values.setdefault(name, []).append(value)
                    tell(f"round {round_number + 1}  {contestant.name}  {name}  {value:,.1f}")
            except LocalFault as fault:
                result.failed = str(fault)
                tell(f"round {round_number + 1}  {contestant.name}  left the contest: {fault}")
            finally:
                contestant.stop()
    return results


def _take_turn(contestant: Contestant, plan: Plan) -> Iterator[tuple[str, float]]:
    works = [work for work in plan.works if work in contestant.works]
    if not works:
        return
    contestant.start()
    first = 0
    for work in works:
        rows = make_rows(first, _size(work, plan))
        first += len(rows)
        match work:
            case Work.T:
                yield "T_rows_per_s", len(rows) / contestant.throughput(rows, ROWS_PER_SET)
            case Work.L:
                waits = contestant.latency(rows, COMMITS_PER_S)
                yield "L_p50_ms", percentile(waits, 50) * 1_000
                yield "L_p99_ms", percentile(waits, 99) * 1_000
            case Work.C:
                yield "C_rows_per_s", len(rows) / contestant.catch_up(rows, ROWS_PER_SET)
            case Work.C1:
                yield "C1_rows_per_s", len(rows) / contestant.catch_up(rows, 1)


def _size(work: Work, plan: Plan) -> int:
    return {Work.L: plan.seconds * COMMITS_PER_S, Work.C1: plan.singles}.get(work, plan.rows)


def medians(results: Sequence[Result], name: str) -> dict[str, float]:
    """The medians of that contestant by figure; empty when it did not take part."""
    return {
        figure.name: summary.median for each in results if each.name == name for figure, summary in each.summaries()
    }


def as_json(results: Sequence[Result], plan: Plan, machine: dict[str, object]) -> dict[str, object]:
    """Everything measured, for a machine to read."""
    reference = medians(results, REFERENCE)
    return {
        "machine": machine,
        "plan": {
            "works": [work.value for work in plan.works],
            "rows": plan.rows,
            "rows_per_set": ROWS_PER_SET,
            "singles": plan.singles,
            "seconds": plan.seconds,
            "commits_per_s": COMMITS_PER_S,
            "runs": plan.runs,
        },
        "reference": REFERENCE if reference else None,
        "contestants": {
            result.name: {
                "failed": result.failed,
                "figures": {
                    figure.name: {
                        "median": round(summary.median, 3),
                        "min": round(summary.least, 3),
                        "max": round(summary.most, 3),
                        "runs": [round(value, 3) for value in summary.runs],
                        "times_as_good_as_reference": _ratio(figure, summary, reference),
                    }
                    for figure, summary in result.summaries()
                },
            }
            for result in results
        },
    }


def as_table(results: Sequence[Result]) -> Table:
    """The same for a person: median, [least-most], and in brackets times as good as the reference."""
    reference = medians(results, REFERENCE)
    measured = {figure.name for result in results for figure, _ in result.summaries()}
    figures = [figure for figure in FIGURES if figure.name in measured]
    table = Table(title=f"median [min-max] (times as good as {REFERENCE})")
    table.add_column("contestant")
    for figure in figures:
        table.add_column(figure.title, justify="right")
    for result in results:
        cells = {figure.name: _cell(figure, summary, reference) for figure, summary in result.summaries()}
        name = f"{result.name}\n[red]{escape(result.failed)}[/red]" if result.failed else result.name
        table.add_row(name, *(cells.get(figure.name, "-") for figure in figures))
    return table


def _ratio(figure: Figure, summary: Summary, reference: dict[str, float]) -> float | None:
    if figure.name not in reference:
        return None
    return round(times_as_good(figure, summary.median, reference[figure.name]), 2)


def _cell(figure: Figure, summary: Summary, reference: dict[str, float]) -> str:
    form = ",.0f" if figure.higher_is_better else ",.1f"
    ratio = _ratio(figure, summary, reference)
    spread = f"\\[{summary.least:{form}}-{summary.most:{form}}]"
    return f"{summary.median:{form}}\n{spread}" + (f"\n({ratio:.2f})" if ratio is not None else "")
