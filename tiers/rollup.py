"""What a roll-up is: how the rows of one dataset become the statistics of another, tier by tier. Read from TOML.

    [rollup.case_stat]
    source = "case"                    whose rows are counted; parts below hand up rows of case_stat itself
    date = "reported_at"               when a row counts, unless a measure says its own; without any: what there is now
    groups = [{ name = "source", columns = { dim_source = "source" } }]
    small_cells = { below = 3 }
    measures = [
      { to = "reported" },                                                   rows
      { to = "closed", where = { column = "state", op = "=", value = "closed" } },
      { to = "reworked", sum = "rework_count" },
      { to = "minutes", elapsed = ["dispatched_at", "handled_at"], unit = "minute" },
      { to = "hours", ratio = ["minutes", "timed"], scale = 60 },            minutes / timed / 60, worked out anew
      { to = "longest", most = "days", total = false },                      the greatest cell; `least` the smallest
    ]

A `date` that is the source's period column: a row counts in the period that it names. With `own_place = true` a row is
a figure of a whole place: of its own rows a node counts those of its own region, and adds none of the nodes below it,
whose figures are in its own.

`source = "task"` counts tasks instead of rows of a dataset: TASKS in tiers/flows/counting.py, made of their moves.

The region column of the statistics takes the node's own region, its period column the period. Each group makes cells of
its own; in the columns of the other groups stands ALL, and the cell of ALL in every column is
the total. Counts and sums of parts add up. A ratio is never added: it is worked out at each tier from the sums that it
is made of, which is why both must be columns too. The greatest of parts is the greatest of all. With `total = false` a
measure stands in the cells of groups alone: litres and kilometres have no sum. Medians and percentiles do not add up
either and cannot be declared: who needs them declares counts by class of value ("within 4 h", "within 24 h"), which do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sync.phrase import Phrase
from sync.schema import CellType
from tiers.dataset import Dataset
from tiers.faults import Table
from tiers.filters import Filter, columns_of, read_filter
from tiers.flows.counting import TASKS
from tiers.periods import CALENDAR

ALL = "*"
"""In a dimension's column: all values together."""
EMPTY = "-"
"""In a dimension's column: rows whose cell is empty."""

COMPLETE, FINAL, CORRECTIONS = "complete", "final", "corrections"
PARTS, COUNTED, NO_DATA, PENDING, DOWN = "parts", "parts_counted", "parts_no_data", "parts_pending", "parts_down"
PARTIAL, WITHHELD = "partial", "withheld_parts"
LEFT_OUT = "left_out"
MARKS: Mapping[str, CellType] = {
    COMPLETE: CellType.BOOLEAN,
    FINAL: CellType.BOOLEAN,
    CORRECTIONS: CellType.INTEGER,
    PARTS: CellType.INTEGER,
    COUNTED: CellType.INTEGER,
    NO_DATA: CellType.INTEGER,
    PENDING: CellType.INTEGER,
    DOWN: CellType.INTEGER,
    PARTIAL: CellType.TEXT,
    WITHHELD: CellType.INTEGER,
    LEFT_OUT: CellType.INTEGER,
}
"""Columns that every rolled-up dataset has, by these names."""
UNITS_US = {"second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000}
MEASURES_MAX = 64
GROUPS_MAX = 8
_DATED = (CellType.DATE, CellType.TIMESTAMP)
_SUMMED = (CellType.INTEGER, CellType.DECIMAL)


class Fold(Enum):
    """How a measure of several rows or parts is made of theirs."""

    SUM = "sum"
    MOST = "most"
    LEAST = "least"


@dataclass(frozen=True, slots=True)
class Measure:
    """A column that can be had from those of parts. Rows that match `where` count, in the period in which their `date`
    lies ('' = always): each as one, with its cell of `of`, or with the whole units of time from `since` to `until`.
    in_total: whether the cell of all together has it too."""

    to: str
    date: str = ""
    where: Filter | None = None
    of: str = ""
    since: str = ""
    until: str = ""
    unit_us: int = 1
    fold: Fold = Fold.SUM
    in_total: bool = True

    @property
    def counts_rows(self) -> bool:
        """Whether it says how many rows there are."""
        return not self.of and not self.since

    @property
    def columns(self) -> frozenset[str]:
        """Columns of the source that it asks for."""
        asked = columns_of(self.where) if self.where is not None else frozenset[str]()
        return asked | ({self.date, self.of, self.since, self.until} - {""})


@dataclass(frozen=True, slots=True)
class Ratio:
    """A column that is worked out at each tier: over / under / scale; empty where `under` is 0 or either is empty."""

    to: str
    over: str
    under: str
    scale: int
    decimals: int


@dataclass(frozen=True, slots=True)
class Group:
    """Cells by the values of some columns: (column of the statistics, column of the source), in order of the key."""

    name: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SmallCells:
    """A cell of a group in which something was counted, and no count of rows reaches `below`, is held back."""

    below: int


@dataclass(frozen=True, slots=True)
class RollUp:
    """dimensions: the key columns of `dataset` but for region and period, in order of the key."""

    dataset: Dataset
    source: Dataset
    dimensions: tuple[str, ...]
    groups: tuple[Group, ...]
    measures: tuple[Measure, ...]
    ratios: tuple[Ratio, ...]
    small_cells: SmallCells | None
    date: str
    own_place: bool = False

    @property
    def by_period(self) -> bool:
        """Whether a row counts in the period that it names itself."""
        return bool(self.date) and self.date == self.source.period

    @property
    def of_tasks(self) -> bool:
        """Whether tasks are counted, and no rows that the store holds."""
        return self.source is TASKS

    @property
    def is_stock(self) -> bool:
        """Whether some measure counts what there is now: then periods that are long over cannot be counted again."""
        return any(not measure.date for measure in self.measures)

    @property
    def total(self) -> tuple[str, ...]:
        """The dimensions of the cell that stands for all."""
        return (ALL,) * len(self.dimensions)


def read_rollup(name: str, table: Table, datasets: Mapping[str, Dataset]) -> RollUp | None:
    """The roll-up declared by `table`; None when it has mistakes (noted in the table's list)."""
    before = len(table.mistakes)
    dataset, source_id = datasets.get(name), table.text("source")
    source = TASKS if source_id == TASKS.id else datasets.get(source_id)
    date, own_place = table.text("date", ""), table.flag("own_place", False)
    if dataset is None:
        table.wrong("", Phrase("'{}' is not a dataset (or has mistakes)", name))
    if source is None:
        table.wrong("source", Phrase("'{}' is not a dataset (or has mistakes)", source_id))
    if dataset is None or source is None:
        return None
    reading = _Reading(table, dataset, source, date)
    reading.check_target()
    dimensions = tuple(k for k in dataset.key if k not in (dataset.region, dataset.period))
    groups = reading.groups(dimensions)
    measures, ratios = reading.measures()
    small = reading.small_cells(measures, groups)
    if own_place and not source.region:
        table.wrong("own_place", Phrase("{} has no region column", source.id))
    table.finish()
    if len(table.mistakes) > before:
        return None
    return RollUp(dataset, source, dimensions, groups, measures, ratios, small, date, own_place)


class _Reading:
    def __init__(self, table: Table, dataset: Dataset, source: Dataset, date: str) -> None:
        self.table = table
        self.dataset = dataset
        self.source = source
        self.date = date
        self.source_types = {f.column.name: f.column.type for f in source.fields}
        self.target_types = {f.column.name: f.column.type for f in dataset.fields}
        if date:
            self._date_column(table, date)

    def check_target(self) -> None:
        """The dataset must be able to say all that a roll-up says."""
        dataset, table = self.dataset, self.table
        if dataset.region not in dataset.key or not dataset.period or dataset.region == dataset.period:
            table.wrong("", Phrase("{} needs a region and a period in its key", dataset.id))
        for name, kind in MARKS.items():
            if self.target_types.get(name) is not kind:
                table.wrong("", Phrase("{} needs a column '{}' of type {}", dataset.id, name, kind.value))
        for name in dataset.key:
            if self.target_types[name] is not CellType.TEXT:
                table.wrong("", Phrase("key column '{}' of {} must be text", name, dataset.id))
        must = {*dataset.key, COMPLETE, FINAL}
        for column in dataset.schema.columns:
            if not column.nullable and column.name not in must:
                table.wrong(
                    "", Phrase("'{}' of {} must be nullable: what was not counted is empty", column.name, dataset.id)
                )
        kinds = [cadence for cadence in dataset.cadence if cadence in CALENDAR]
        if not kinds:
            table.wrong("", Phrase("{} has no cadence with periods", dataset.id))
        for cadence in kinds:
            if cadence not in dataset.deadlines:
                table.wrong("", Phrase("{} needs a deadline for its cadence {}", dataset.id, cadence.value))

    def groups(self, dimensions: tuple[str, ...]) -> tuple[Group, ...]:
        """The declared groups; together they name every dimension."""
        declared = self.table.tables("groups")
        if len(declared) > GROUPS_MAX:
            self.table.wrong("groups", Phrase("are more than {}", GROUPS_MAX))
        groups = tuple(self._group(one, dimensions) for one in declared)
        named = {to for group in groups for to, _ in group.columns}
        for name in dimensions:
            if name not in named:
                self.table.wrong("groups", Phrase("no group fills the key column '{}'", name))
        if len({group.name for group in groups}) != len(groups):
            self.table.wrong("groups", Phrase("a name stands twice"))
        return groups

    def _group(self, table: Table, dimensions: tuple[str, ...]) -> Group:
        name, raw = table.text("name"), table.raw("columns")
        table.finish()
        if not isinstance(raw, dict) or not raw:
            table.wrong("columns", Phrase("must be a table: key column = column of the source"))
            return Group(name, ())
        for to, column in raw.items():
            if to not in dimensions:
                table.wrong(
                    "columns", Phrase("'{}' is no key column of {} beside region and period", to, self.dataset.id)
                )
            self._source_column(table, "columns", column, (CellType.TEXT,))
        return Group(name, tuple((to, str(raw[to])) for to in dimensions if to in raw))

    def measures(self) -> tuple[tuple[Measure, ...], tuple[Ratio, ...]]:
        """Those that add up, and those that are worked out of them."""
        declared = self.table.tables("measures")
        if not 0 < len(declared) <= MEASURES_MAX:
            self.table.wrong("measures", Phrase("must be 1 to {}", MEASURES_MAX))
        measures: list[Measure] = []
        ratios: list[Ratio] = []
        for one in declared[:MEASURES_MAX]:
            ratio = one.raw("ratio")
            if ratio is None:
                measures.append(self._measure(one))
            else:
                ratios.append(self._ratio(one, ratio))
        names = [m.to for m in measures] + [r.to for r in ratios]
        if len(set(names)) != len(names):
            self.table.wrong("measures", Phrase("a column stands twice"))
        for made in ratios:
            for part in (made.over, made.under):
                if part not in {m.to for m in measures}:
                    self.table.wrong(
                        "measures", Phrase("'{}' is made of '{}', which is no measure that adds up", made.to, part)
                    )
        return tuple(measures), tuple(ratios)

    def _measure(self, table: Table) -> Measure:
        to, date = table.text("to"), table.text("date", self.date)
        folds = [(fold, of) for fold in Fold if (of := table.text(fold.value, ""))]
        fold, added = folds[0] if folds else (Fold.SUM, "")
        if len(folds) > 1:
            table.wrong("", Phrase("takes one of sum, most and least"))
        elapsed, in_total = table.texts("elapsed", ()), table.flag("total", True)
        unit = table.choice("unit", UNITS_US, UNITS_US["minute"] if elapsed else 1)
        condition = table.raw("where")
        kind = CellType.INTEGER
        if date:
            self._date_column(table, date)
        if added:
            self._source_column(table, fold.value, added, _SUMMED)
            kind = self.source_types.get(added, kind)
        if elapsed and (added or len(elapsed) != 2):
            table.wrong("elapsed", Phrase("names two columns, and goes without sum, most and least"))
        for name in elapsed:
            self._source_column(table, "elapsed", name, (CellType.TIMESTAMP,))
        where = None
        if condition is not None:
            where = read_filter(condition, self.source.schema, table.at("where"), table.mistakes)
            for name in sorted(columns_of(where) & self.source.held_back) if where is not None else ():
                table.wrong("where", Phrase("'{}' is held back", name))
        self._target_column(table, to, kind)
        table.finish()
        since, until = elapsed if len(elapsed) == 2 else ("", "")
        return Measure(to, date, where, added, since, until, unit or 1, fold, in_total)

    def _ratio(self, table: Table, raw: object) -> Ratio:
        to, scale = table.text("to"), table.whole("scale", 1, 1_000_000_000, 1)
        decimals = table.whole("decimals", 0, 9, 2)
        self._target_column(table, to, CellType.DECIMAL)
        table.finish()
        parts: list[Any] = raw if isinstance(raw, list) else []
        if len(parts) != 2 or not all(isinstance(part, str) for part in parts):
            table.wrong("ratio", Phrase("names two measures: [over, under]"))
            return Ratio(to, "", "", scale, decimals)
        return Ratio(to, parts[0], parts[1], scale, decimals)

    def small_cells(self, measures: tuple[Measure, ...], groups: tuple[Group, ...]) -> SmallCells | None:
        """What is held back. Cells of two groups that share a column would give each other away."""
        raw = self.table.raw("small_cells")
        if raw is None:
            return None
        inner = Table(raw, self.table.at("small_cells"), self.table.mistakes)
        small = SmallCells(inner.whole("below", 2, 1_000))
        inner.finish()
        if not any(measure.counts_rows for measure in measures):
            inner.wrong("", Phrase("no measure counts rows: nothing says how many stand behind a cell"))
        named = [to for group in groups for to, _ in group.columns]
        if len(set(named)) != len(named):
            inner.wrong("", Phrase("two groups share a column: what one holds back, the other would tell"))
        return small

    def _date_column(self, table: Table, name: str) -> None:
        if name != self.source.period:
            self._source_column(table, "date", name, _DATED)

    def _source_column(self, table: Table, key: str, name: object, kinds: tuple[CellType, ...]) -> None:
        if not isinstance(name, str) or name not in self.source_types:
            table.wrong(key, Phrase("'{}' is not a column of {}", name, self.source.id))
        elif self.source_types[name] not in kinds:
            table.wrong(key, Phrase("'{}' must be {}", name, " or ".join(k.value for k in kinds)))
        elif name in self.source.held_back:
            table.wrong(key, Phrase("'{}' is held back", name))

    def _target_column(self, table: Table, name: str, kind: CellType) -> None:
        if name in self.dataset.key or name in MARKS or name in self.dataset.held_back:
            table.wrong("to", Phrase("'{}' is no column for a measure", name))
        elif name and self.target_types.get(name) is not kind:
            table.wrong("to", Phrase("{} has no column '{}' of type {}", self.dataset.id, name, kind.value))
