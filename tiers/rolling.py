"""Roll-ups worked out: rows counted, parts added up, small cells held back, periods closed. All of it pure.

A part is a node that may own the dataset which is counted. Of each part and period one of four things is known, and
they stay four at every tier, for they are counted, not folded into one number:

    counted    it handed up its figures, zeros among them
    no data    it handed up that its own source brought nothing: it cannot say whether there was anything
    pending    nothing has come of it yet, and its link works
    down       nothing has come of it, and there is no link

Tallies of parts are added with `merge`: the order and the grouping of parts change nothing, so a province's tally
handed up as rows and added by the nation is the tally of all its cities.
"""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import tzinfo
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, NamedTuple

from sync.errors import InputFault
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.schema import CellType
from sync.values import Cell, Row
from tiers.filters import compile_filter
from tiers.periods import Period
from tiers.rollup import (
    ALL,
    COMPLETE,
    CORRECTIONS,
    COUNTED,
    DOWN,
    EMPTY,
    FINAL,
    LEFT_OUT,
    NO_DATA,
    PARTIAL,
    PARTS,
    PENDING,
    WITHHELD,
    Fold,
    Group,
    Measure,
    Ratio,
    RollUp,
)

CELLS_MAX = 5_000
"""Cells of one period; all of them are one transaction."""
_EXACT = Context(prec=120)
"""More digits than sums of decimal columns can have, so that their order does not matter."""
Number = int | Decimal
Numbers = tuple[Number | None, ...]
Place = tuple[str, ...]
"""The dimensions of a cell."""


class Parts(NamedTuple):
    """How many parts there are of each state."""

    counted: int = 0
    no_data: int = 0
    pending: int = 0
    down: int = 0

    @property
    def all(self) -> int:
        """How many there are."""
        return sum(self)


class Figures(NamedTuple):
    """One cell: its measures, None where nobody counted, and how many parts hold theirs back."""

    values: Numbers
    withheld: int = 0


class Tally(NamedTuple):
    """What is known of a period. partial: measures that some counted part left empty. left_out: records that are not
    in the figures, because a receiver marked them and leaves them out meanwhile (flow W9)."""

    parts: Parts
    cells: Mapping[Place, Figures]
    partial: frozenset[str] = frozenset()
    left_out: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every part is counted in, with every measure."""
        return self.parts.counted == self.parts.all and not self.partial


NOTHING = Tally(Parts(), {})


# --- counting rows ----------------------------------------------------------------------------------------------------


class Counter:
    """Counts rows of the source by period and cell. `columns`: what each row that is added must hold, in that order."""

    def __init__(self, rollup: RollUp, periods: Sequence[Period], zone: tzinfo) -> None:
        """`periods`: of one cadence, one after the other without a gap."""
        self._rollup = rollup
        self._periods = periods
        self.columns = self.asked(rollup)
        at = {name: i for i, name in enumerate(self.columns)}
        spans = [period.span_us(zone) for period in periods]
        days = [p.first.isoformat() for p in periods]
        dated = sorted({m.date for m in rollup.measures} - {""})
        self._named = {str(period): i for i, period in enumerate(periods)}
        self._bounds: dict[str, list[Any]] = {
            name: [*days, periods[-1].until.isoformat()]
            if rollup.source.schema.column(name).type is CellType.DATE
            else [*(first for first, _ in spans), spans[-1][1]]
            for name in dated
            if name != rollup.source.period
        }
        self._dates = [(at[name], name) for name in dated]
        self._places = [_place_of(rollup, group, at) for group in rollup.groups]
        self._measures = [(m.date, _amount(m, at, self.columns)) for m in rollup.measures]
        self._zeros = tuple(_zero(rollup, m) for m in rollup.measures)
        self._total = tuple(zero if m.in_total else None for m, zero in zip(rollup.measures, self._zeros, strict=True))
        self._adds = _adders(rollup)
        self._cells: list[dict[Place, list[Number | None]]] = [{} for _ in periods]

    @staticmethod
    def asked(rollup: RollUp) -> tuple[str, ...]:
        """The columns of the source that are counted by, in order of its schema."""
        asked = {column for m in rollup.measures for column in m.columns} | ({rollup.date} - {""})
        asked |= {source for group in rollup.groups for _, source in group.columns}
        return tuple(name for name in rollup.source.schema.names if name in asked)

    def add(self, rows: Iterable[Row]) -> int:
        """Counts rows in; of how many there was something to count. Raises InputFault LIMIT_EXCEEDED for more cells
        than a period may have."""
        counted = 0
        for row in rows:
            hit = {name: self._index(name, row[i]) for i, name in self._dates}
            amounts: dict[int, list[tuple[int, Number]]] = {}
            for i, (date, amount) in enumerate(self._measures):
                index = hit[date] if date else len(self._periods) - 1
                if index is not None and (much := amount(row)) is not None:
                    amounts.setdefault(index, []).append((i, much))
            counted += bool(amounts)
            for index, found in amounts.items():
                for place in (self._rollup.total, *(place(row) for place in self._places)):
                    self._add(index, place, found)
        return counted

    def cells(self, period: Period) -> dict[Place, Figures]:
        """What was counted in a period, the total always among it."""
        found = self._cells[self._periods.index(period)]
        counted = {place: Figures(tuple(values)) for place, values in found.items()}
        return {self._rollup.total: Figures(self._total), **counted}

    def _index(self, name: str, cell: Cell) -> int | None:
        if cell is None:
            return None
        bounds = self._bounds.get(name)
        if bounds is None:
            return self._named.get(str(cell))
        index = bisect_right(bounds, cell) - 1
        return index if 0 <= index < len(self._periods) else None

    def _add(self, index: int, place: Place, found: Sequence[tuple[int, Number]]) -> None:
        cells = self._cells[index]
        values = cells.get(place)
        if values is None:
            if len(cells) >= CELLS_MAX:
                raise InputFault(
                    Reason.LIMIT_EXCEEDED,
                    Phrase("more than {} cells of '{}' in one period", CELLS_MAX, self._rollup.dataset.id),
                )
            values = cells[place] = list(self._total if place == self._rollup.total else self._zeros)
        for i, much in found:
            if place != self._rollup.total or self._rollup.measures[i].in_total:
                values[i] = self._adds[i](values[i], much)


def _place_of(rollup: RollUp, group: Group, at: Mapping[str, int]) -> Callable[[Row], Place]:
    by_column = dict(group.columns)
    places = [at[by_column[name]] if name in by_column else -1 for name in rollup.dimensions]

    def place(row: Row) -> Place:
        return tuple(ALL if i < 0 else _named(row[i]) for i in places)

    return place


def _named(cell: Cell) -> str:
    return EMPTY if cell is None or cell == "" else str(cell)


def _zero(rollup: RollUp, measure: Measure) -> Number | None:
    """What a measure is where nothing was counted: nothing is the greatest of no rows."""
    if measure.fold is not Fold.SUM:
        return None
    return Decimal(0) if rollup.dataset.schema.column(measure.to).type is CellType.DECIMAL else 0


def _amount(measure: Measure, at: Mapping[str, int], columns: Sequence[str]) -> Callable[[Row], Number | None]:
    """How much a row adds, or has; None for nothing."""
    holds = compile_filter(measure.where, columns) if measure.where is not None else lambda _: True
    if measure.since:
        since, until, unit = at[measure.since], at[measure.until], measure.unit_us

        def elapsed(row: Row) -> int | None:
            began: Any = row[since]
            ended: Any = row[until]
            if began is None or ended is None or not holds(row):
                return None
            return max(0, ended - began) // unit or None

        return elapsed
    if measure.of:
        of, is_sum = at[measure.of], measure.fold is Fold.SUM

        def cell(row: Row) -> Number | None:
            found = row[of]
            if found is None or not holds(row):
                return None
            much = Decimal(found) if isinstance(found, str) else int(found)
            return None if is_sum and not much else much

        return cell
    return lambda row: int(holds(row)) or None


def _adders(rollup: RollUp) -> list[Callable[[Number | None, Number | None], Number | None]]:
    """How two figures of each measure become one; None is nobody's."""
    folds: dict[Fold, Callable[[Number, Number], Number]] = {Fold.SUM: _sum, Fold.MOST: max, Fold.LEAST: min}

    def add(fold: Callable[[Number, Number], Number]) -> Callable[[Number | None, Number | None], Number | None]:
        return lambda a, b: b if a is None else a if b is None else fold(a, b)

    return [add(folds[measure.fold]) for measure in rollup.measures]


# --- parts ------------------------------------------------------------------------------------------------------------


def own_part(rollup: RollUp, cells: Mapping[Place, Figures], has_data: bool) -> Tally:
    """The node's own rows, small cells held back; or that its source brought nothing."""
    if not has_data:
        return Tally(Parts(no_data=1), {})
    return Tally(Parts(counted=1), hold_back(rollup, cells))


def missing_part(parts: int, is_down: bool) -> Tally:
    """A child of which nothing has come, with all the parts below it."""
    return Tally(Parts(down=parts) if is_down else Parts(pending=parts), {})


def handed_up(rollup: RollUp, rows: Iterable[Mapping[str, Cell]]) -> Tally | None:
    """What a child's rows of its own place and one period say; None if its total is not among them.

    Figures that did not come from a roll-up (typed in, or of another system) are those of one part.
    """
    by_place = {tuple(str(row[name]) for name in rollup.dimensions): row for row in rows}
    total = by_place.get(rollup.total)
    if total is None:
        return None
    if total[PARTS] is None:
        parts = Parts(counted=1)
    else:
        parts = Parts(*(_whole(total[name]) for name in (COUNTED, NO_DATA, PENDING, DOWN)))
    left_out = _whole(total[LEFT_OUT])
    if not parts.counted:
        return Tally(parts, {}, left_out=left_out)
    names = [m.to for m in rollup.measures if m.in_total and m.fold is Fold.SUM]
    said = str(total[PARTIAL] or "")
    partial = frozenset(filter(None, said.split(","))) | {name for name in names if total[name] is None}
    return Tally(parts, {place: _figures(rollup, row) for place, row in by_place.items()}, partial, left_out)


def _figures(rollup: RollUp, row: Mapping[str, Cell]) -> Figures:
    values = tuple(_number(row[m.to]) for m in rollup.measures)
    return Figures(values, _whole(row[WITHHELD]))


def _number(cell: Cell) -> Number | None:
    if cell is None:
        return None
    return Decimal(cell) if isinstance(cell, str) else int(cell)


def _whole(cell: Cell) -> int:
    return cell if isinstance(cell, int) else 0


def merge(rollup: RollUp, tallies: Iterable[Tally]) -> Tally:
    """All parts together. NOTHING is the tally of no part."""
    adds = _adders(rollup)
    parts = Parts()
    cells: dict[Place, Figures] = {}
    partial: frozenset[str] = frozenset()
    left_out = 0
    for tally in tallies:
        parts = Parts(*(a + b for a, b in zip(parts, tally.parts, strict=True)))
        partial |= tally.partial
        left_out += tally.left_out
        for place, figures in tally.cells.items():
            held = cells.get(place)
            cells[place] = figures if held is None else _added(adds, held, figures)
    return Tally(parts, cells, partial, left_out)


def without(rollup: RollUp, tally: Tally, marked: Mapping[Place, Figures], records: int) -> Tally:
    """A part less some records that it has counted; `marked`: the cells of those records alone.

    They are counted by the same measures as the part counted them, so what is left is as if they had not been there.
    Where small cells are held back, those of the marked records are too: whoever holds both figures could subtract
    them. A class from which few were left out then stays as it was, and the total alone is less. What becomes small by
    it is held back. A measure whose greatest is gone is partial: no other part can say it for this one.
    """
    if not tally.parts.counted or not records:
        return tally
    takes = [_taker(rollup, measure) for measure in rollup.measures]
    cells = dict(tally.cells)
    gone: set[str] = set()
    for place, less in hold_back(rollup, marked).items():
        held = cells.get(place)
        if held is not None:
            values = tuple(take(x, y) for take, x, y in zip(takes, held.values, less.values, strict=True))
            cells[place] = held._replace(values=values)
            told = zip(rollup.measures, held.values, values, strict=True)
            gone |= {measure.to for measure, before, after in told if before is not None and after is None}
    left_out = tally.left_out + records
    return Tally(tally.parts, hold_back(rollup, cells), tally.partial | gone, left_out)


def _taker(rollup: RollUp, measure: Measure) -> Callable[[Number | None, Number | None], Number | None]:
    """How a figure is had without some of its rows. A part that had not counted a record yet cannot be less than
    nothing; and if the greatest is gone, nobody here knows the next."""
    field = next(field for field in rollup.dataset.fields if field.column.name == measure.to)
    low = field.minimum if measure.of else 0
    fold = {Fold.MOST: operator.ge, Fold.LEAST: operator.le}.get(measure.fold)

    def take(value: Number | None, much: Number | None) -> Number | None:
        if value is None or much is None:
            return value
        if fold is not None:
            return None if fold(much, value) else value
        left = value - much if isinstance(value, int) and isinstance(much, int) else _EXACT.subtract(value, much)
        return max(left, low) if isinstance(low, int | Decimal) else left

    return take


def _added(adds: Sequence[Callable[[Number | None, Number | None], Number | None]], a: Figures, b: Figures) -> Figures:
    values = tuple(add(x, y) for add, x, y in zip(adds, a.values, b.values, strict=True))
    return Figures(values, a.withheld + b.withheld)


def _sum(a: Number, b: Number) -> Number:
    return a + b if isinstance(a, int) and isinstance(b, int) else _EXACT.add(Decimal(a), Decimal(b))


# --- small cells ------------------------------------------------------------------------------------------------------


def hold_back(rollup: RollUp, cells: Mapping[Place, Figures]) -> Mapping[Place, Figures]:
    """The cells without the measures of small ones, and of as many others as are needed to hide those.

    The cells of a group add up to the total, which stays: so beside one small cell the next smallest is held back too,
    until the sum of those held back leaves more than one answer open. Where a group has too few cells for that, its
    cells follow from the total all the same.
    """
    small = rollup.small_cells
    if small is None:
        return cells
    counts = [i for i, measure in enumerate(rollup.measures) if measure.counts_rows]
    hidden: set[Place] = set()
    for group in rollup.groups:
        named = {name for name, _ in group.columns}
        of_group = [place for place in cells if _is_in(rollup, place, named)]
        hidden |= _to_hide([(_rows_behind(cells[place], counts), place) for place in of_group], small.below)
    empty: Numbers = (None,) * len(rollup.measures)
    return {
        place: Figures(empty, figures.withheld + 1) if place in hidden else figures for place, figures in cells.items()
    }


def _rows_behind(figures: Figures, counts: Sequence[int]) -> int:
    """How many rows stand behind a cell, as far as its figures tell."""
    return max(int(figures.values[i] or 0) for i in counts)


def _is_in(rollup: RollUp, place: Place, named: set[str]) -> bool:
    return {name for name, cell in zip(rollup.dimensions, place, strict=True) if cell != ALL} == named


def _to_hide(counts: Sequence[tuple[int, Place]], below: int) -> set[Place]:
    """Cells by their counts. One in which nothing was counted may hold other measures; it hides nothing."""
    rising = sorted(pair for pair in counts if pair[0] > 0)
    hidden = [pair for pair in rising if pair[0] < below]
    others = rising[len(hidden) :]
    while hidden and others and not _is_hidden(hidden, below):
        hidden.append(others.pop(0))
    return {place for _, place in hidden}


def _is_hidden(hidden: Sequence[tuple[int, Place]], below: int) -> bool:
    """Each of them is known to be 1 at least: a sum as small as their number would tell them all. A lone one is its own
    sum, below the limit."""
    together = sum(count for count, _ in hidden)
    return together > len(hidden) and together >= below


# --- rows -------------------------------------------------------------------------------------------------------------


def rows_of(
    rollup: RollUp, tally: Tally, region: str, period: Period, before: Mapping[Place, Mapping[str, Cell]], closing: bool
) -> list[dict[str, Cell]] | None:
    """The rows that the statistics of a period should have now; None where somebody else brought them.

    before: the rows that are there. closing: whether the period's cut-off is over. What is final stays so: from then on
    a row changes only as a correction, which is counted, and no row goes.
    """
    total = before.get(rollup.total)
    if total is not None and total[CORRECTIONS] is None:
        return None
    was_final = total is not None and bool(total[FINAL])
    empty = Figures((None,) * len(rollup.measures))
    cells = {rollup.total: empty, **tally.cells}
    if was_final:
        gone = Figures(tuple(_zero(rollup, m) for m in rollup.measures)) if tally.parts.counted else empty
        cells = {**dict.fromkeys(before, gone), **cells}
    fixed: dict[str, Cell] = {rollup.dataset.region: region, rollup.dataset.period: str(period)}
    rows = []
    for place, figures in cells.items():
        key: dict[str, Cell] = {**fixed, **dict(zip(rollup.dimensions, place, strict=True))}
        row = {**dict.fromkeys(rollup.dataset.schema.names), **key, **_said(rollup, tally, place, figures)}
        rows.append(_settled(row, before.get(place), was_final, closing))
    return rows


def _said(rollup: RollUp, tally: Tally, place: Place, figures: Figures) -> dict[str, Cell]:
    values = {m.to: value for m, value in zip(rollup.measures, figures.values, strict=True)}
    said: dict[str, Cell] = {name: _written(value) for name, value in values.items()}
    said |= ratios_of(rollup, values)
    said[COMPLETE], said[WITHHELD] = tally.is_complete, figures.withheld
    if place == rollup.total:
        parts = tally.parts
        said |= {PARTS: parts.all, **dict(zip((COUNTED, NO_DATA, PENDING, DOWN), parts, strict=True))}
        said[PARTIAL] = ",".join(sorted(tally.partial)) or None
        said[LEFT_OUT] = tally.left_out
    return said


def _written(value: Number | None) -> Cell:
    return format(value, "f") if isinstance(value, Decimal) else value


def ratios_of(rollup: RollUp, values: Mapping[str, Number | None]) -> dict[str, Cell]:
    """What is worked out of measures that add up: of one cell, or of sums over several."""
    return {ratio.to: _worked_out(ratio, values) for ratio in rollup.ratios}


def _worked_out(ratio: Ratio, values: Mapping[str, Number | None]) -> Cell:
    over, under = values[ratio.over], values[ratio.under]
    if over is None or not under:
        return None
    exact = _EXACT.divide(Decimal(over), _EXACT.multiply(Decimal(under), ratio.scale))
    return format(exact.quantize(Decimal(1).scaleb(-ratio.decimals), ROUND_HALF_EVEN, _EXACT), "f")


_UNSETTLED = (FINAL, CORRECTIONS, PENDING, DOWN)
"""What may differ without the figures being others: of a final period, links that come and go are no correction."""


def _settled(
    row: dict[str, Cell], before: Mapping[str, Cell] | None, was_final: bool, closing: bool
) -> dict[str, Cell]:
    if not was_final:
        return {**row, FINAL: closing, CORRECTIONS: 0}
    if before is None:
        return {**row, FINAL: True, CORRECTIONS: 1}
    if all(row[name] == before[name] for name in row if name not in _UNSETTLED):
        return dict(before)
    return {**row, FINAL: True, CORRECTIONS: _whole(before[CORRECTIONS]) + 1}
