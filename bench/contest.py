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

from bench.figures import FIGURES, MARKS, Figure, Mark, Summary, Work, percentile, summarise, times_as_good
from bench.rows import make_rows
from sync.errors import LocalFault
from sync.values import Row

ROWS_PER_SET = 1_000
COMMITS_PER_S = 50
REFERENCE = "postgres-tuned"
OURS = "tiersync"


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
    """What one contestant reached, by figure, one value a round; `failed` says why it left the contest."""

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


def ratios(figure: Figure, result: Result, reference: Result | None) -> Summary | None:
    """How many times as good as the reference, round by round; None without a round that both finished.

    A round's two measurements stand minutes apart on the same machine: what slows it for a while slows both.
    """
    if reference is None:
        return None
    pairs = zip(result.values.get(figure.name, ()), reference.values.get(figure.name, ()), strict=False)
    found = [times_as_good(figure, value, other) for value, other in pairs]
    return summarise(found) if found else None


def _named(results: Sequence[Result], name: str) -> Result | None:
    """The result of that contestant, if it measured anything."""
    return next((each for each in results if each.name == name and each.values), None)


def as_json(results: Sequence[Result], plan: Plan, machine: dict[str, object]) -> dict[str, object]:
    """Everything measured, for a machine to read."""
    reference = _named(results, REFERENCE)
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
        "marks": {mark.name: _mark(mark, _named(results, OURS), reference) for mark in MARKS},
        "contestants": {
            result.name: {
                "failed": result.failed,
                "figures": {
                    figure.name: {
                        **_spread(summary, 3),
                        "times_as_good_as_reference": _spread(ratio, 2) if ratio else None,
                    }
                    for figure, summary in result.summaries()
                    for ratio in [ratios(figure, result, reference)]
                },
            }
            for result in results
        },
    }


def _spread(summary: Summary, places: int) -> dict[str, object]:
    return {
        "median": round(summary.median, places),
        "min": round(summary.least, places),
        "max": round(summary.most, places),
        "runs": [round(value, places) for value in summary.runs],
    }


def _mark(mark: Mark, ours: Result | None, reference: Result | None) -> dict[str, object]:
    """What our nodes reached; null where it was not measured."""
    reached: Summary | None = None
    if ours is not None and (values := ours.values.get(mark.figure.name)):
        reached = ratios(mark.figure, ours, reference) if mark.is_ratio else summarise(values)
    return {
        "at_least" if mark.is_ratio else "at_most": mark.bound,
        "value": round(reached.median, 3) if reached else None,
        "met": mark.met(reached.median) if reached else None,
    }


def as_table(results: Sequence[Result]) -> Table:
    """The same for a person: median and [least-most], then both for how many times as good as the reference."""
    reference = _named(results, REFERENCE)
    measured = {figure.name for result in results for figure, _ in result.summaries()}
    figures = [figure for figure in FIGURES if figure.name in measured]
    table = Table(title=f"median [min-max] (times as good as {REFERENCE}, round by round)")
    table.add_column("contestant")
    for figure in figures:
        table.add_column(figure.title, justify="right")
    for result in results:
        cells = {
            figure.name: _cell(figure, summary, ratios(figure, result, reference))
            for figure, summary in result.summaries()
        }
        name = f"{result.name}\n[red]{escape(result.failed)}[/red]" if result.failed else result.name
        table.add_row(name, *(cells.get(figure.name, "-") for figure in figures))
    return table


def _cell(figure: Figure, summary: Summary, ratio: Summary | None) -> str:
    form = ",.0f" if figure.higher_is_better else ",.1f"
    text = f"{summary.median:{form}}\n\\[{summary.least:{form}}-{summary.most:{form}}]"
    if ratio is not None:
        text += f"\n({ratio.median:.2f} \\[{ratio.least:.2f}-{ratio.most:.2f}])"
    return text
