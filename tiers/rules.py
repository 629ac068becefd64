"""The rules that every row of a dataset keeps, wherever it is judged: region, closed lists, codes, numbers.

Rows arrive by the thousand and are nearly always good, so a whole batch is asked first, column by column, with sets;
only if something is wrong is each row asked by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from sync.phrase import Phrase
from sync.reasons import Reason
from sync.schema import CellType
from sync.scope import Scope
from sync.values import Cell, Fate, Key, Row
from tiers.codes import Span, common_days, is_in_force
from tiers.dataset import CodeRef, Dataset, Field
from tiers.numbers import of_field
from tiers.regions import is_division

_DAY_US = 86_400_000_000
_CHINA_US = 8 * 3_600_000_000
"""Business dates are those of the calendar on the wall: the whole country keeps UTC+8."""
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LAST_DAY = date.max.toordinal()
_QUOTED_MAX = 40
_PLACES_MAX = 4_096


class CodesKnown(Protocol):
    """The part of sync.judge.Known that rules ask."""

    def codes(self, table: str) -> frozenset[str]: ...


class CodesDated(CodesKnown, Protocol):
    """What a node's own door asks beside it."""

    def code_days(self, table: str) -> Mapping[str, tuple[Span, ...]]:
        """When the codes of a table are in force that a day bounds; those it leaves out are in force on any day."""
        ...


class Flaw(NamedTuple):
    """What is wrong with a row, or with all rows of an entry. `detail` names column, code or region only."""

    fate: Fate
    reason: Reason
    detail: str


def business_day(cell: Cell) -> str:
    """The ISO date of a business date cell: a date as it is, a timestamp (µs since 1970 UTC) as the day in UTC+8."""
    if isinstance(cell, str):
        return cell
    assert isinstance(cell, int)
    return _written((cell + _CHINA_US) // _DAY_US)


def _written(day: int) -> str:
    """The ISO date of a day counted from 1970; days beyond the calendar's ends count as its ends."""
    return date.fromordinal(min(max(_EPOCH_DAY + day, 1), _LAST_DAY)).isoformat()


def cells_of(positions: Sequence[int]) -> Callable[[Row], tuple[Cell, ...]]:
    """A fast function that takes these cells of a row, always as a tuple."""
    first, last = positions[0], positions[-1]
    picked: Callable[[Row], tuple[Cell, ...]]
    # a slice is one copy of memory: held-back columns declared last make projections four times cheaper
    neighbours = list(positions) == list(range(first, last + 1))
    picked = itemgetter(slice(first, last + 1)) if neighbours else itemgetter(*positions)
    return picked


class _Codes(NamedTuple):
    name: str
    ref: CodeRef
    code: int
    table: int | None


class RowRules:
    """The rules of `dataset` for rows whose cells stand in the order of `columns` (key, region and date among them).

    `new_tables_pass`: whether a code of a table that is not here yet is let through, as at a node's own door, where
    work must go on; elsewhere such a row is parked, so that the order in which feeds arrive decides nothing.
    """

    def __init__(self, dataset: Dataset, columns: Sequence[str], new_tables_pass: bool = False) -> None:
        at = {name: i for i, name in enumerate(columns)}
        fields = {f.column.name: f for f in dataset.fields if f.column.name in at}
        self.key_of = cells_of([at[k] for k in dataset.key])
        self._new_tables_pass = new_tables_pass
        self._scope: Scope | None = None
        self._good_places: set[tuple[Cell, str]] = set()
        self._region = at[dataset.region] if dataset.region else None
        self._date = at[dataset.date] if dataset.date else None
        self._date_is_time = bool(dataset.date) and fields[dataset.date].column.type is CellType.TIMESTAMP
        self._closed = tuple((n, at[n], _allowed(f)) for n, f in fields.items() if f.values)
        self._codes = tuple(
            _Codes(n, f.codes, at[n], at.get(f.codes.column)) for n, f in fields.items() if f.codes is not None
        )
        kept = (of_field(f, at[n]) for n, f in fields.items())
        self._numbers = tuple(numbers for numbers in kept if numbers is not None)

    def all_good(self, rows: Sequence[Row], scope: Scope, known: CodesKnown) -> bool:
        """Whether every row keeps every rule."""
        for _, at, allowed in self._closed:
            if not set(map(itemgetter(at), rows)) <= allowed:
                return False
        return (
            self._places_good(rows, scope)
            and all(numbers.all_good(rows) for numbers in self._numbers)
            and all(self._codes_good(rows, column, known) for column in self._codes)
        )

    def flaw(self, row: Row, scope: Scope, known: CodesKnown, newer: bool = False) -> Flaw | None:
        """The first rule that `row` breaks. Refusals come first: a parked row must be good otherwise.

        `newer`: it is of a later schema, which may have lengthened a closed list or allowed more decimals or
        wider bounds. What only
        this version takes amiss then waits for the newer one.
        """
        waits: Flaw | None = None
        if self._region is not None:
            day = business_day(row[self._date]) if self._date is not None and _is_dated(scope) else ""
            if not self._place_known(row[self._region], day, scope):
                flaw = _place_flaw(row[self._region], day, scope)
                if flaw is not None:
                    return flaw
                self._good_places.add((row[self._region], day))
        for name, at, allowed in self._closed:
            if row[at] not in allowed:
                detail = Phrase("column '{}': '{}'", name, str(row[at])[:_QUOTED_MAX])
                if not newer:
                    return Flaw(Fate.REFUSED, Reason.UNKNOWN_CODE, detail)
                waits = waits or Flaw(Fate.PARKED, Reason.UNKNOWN_SCHEMA_VERSION, detail)
        for numbers in self._numbers:
            said = numbers.flaw(row[numbers.at])
            if said is not None:
                if not newer or numbers.is_of_no_version(row[numbers.at]):
                    return Flaw(Fate.REFUSED, Reason.RULE_BROKEN, said)
                waits = waits or Flaw(Fate.PARKED, Reason.UNKNOWN_SCHEMA_VERSION, said)
        flaws = [f for c in self._codes if (f := self._code_flaw(row, c, known)) is not None]
        refused = next((f for f in flaws if f.fate is Fate.REFUSED), None)
        return refused or waits or next(iter(flaws), None)

    def days_good(self, rows: Sequence[Row], known: CodesDated) -> bool:
        """Whether every code is in force on the day of its row; where a dataset has no date, days are not asked.
        Asked at the door, of rows that are good otherwise.
        """
        if self._date is None:
            return True
        for column in self._codes:
            pairs = set(map(self._table_and_code(column), rows))
            used = common_days(known.code_days(str(table)).get(str(code), ()) for table, code in pairs)
            if used == ("", ""):
                continue
            if used is None or not all(used.holds(day) for day in self._first_and_last_day(rows)):
                return all(self.day_flaw(row, known) is None for row in rows)
        return True

    def day_flaw(self, row: Row, known: CodesDated) -> Phrase | None:
        """The first code of a row that is not in force on its day."""
        if self._date is None:
            return None
        for column in self._codes:
            table, code = self._table_and_code(column)(row)
            spans = known.code_days(str(table)).get(str(code), ())
            day = business_day(row[self._date])
            if not is_in_force(spans, day):
                when = "; ".join(f"{since or '…'} - {until or '…'}" for since, until in spans)
                return Phrase("code '{}' of code table '{}' is in force {}, not on {}", str(code), table, when, day)
        return None

    def _table_and_code(self, column: _Codes) -> Callable[[Row], tuple[Cell, Cell]]:
        table, at = column.table, column.code
        if table is None:
            fixed = column.ref.table
            return lambda row: (fixed, row[at])
        return itemgetter(table, at)

    def _first_and_last_day(self, rows: Sequence[Row]) -> tuple[str, str]:
        assert self._date is not None
        dates: list[Any] = list(map(itemgetter(self._date), rows))
        return business_day(min(dates)), business_day(max(dates))

    def lies_outside(self, row: Row, scope: Scope) -> bool:
        """Whether a row of this region, at its date, may not be written with this signing scope."""
        return not self._places_good((row,), scope)

    def _place_known(self, region: Cell, day: str, scope: Scope) -> bool:
        """Whether a place was found good in this very scope before: rows that come one by one mostly share it."""
        if scope is not self._scope or len(self._good_places) >= _PLACES_MAX:
            self._scope = scope
            self._good_places.clear()
        return (region, day) in self._good_places

    def _places_good(self, rows: Sequence[Row], scope: Scope) -> bool:
        if self._region is None:
            return True
        if self._date is None or not _is_dated(scope):
            regions: set[Cell] = set(map(itemgetter(self._region), rows))
            return all(_place_flaw(region, "", scope) is None for region in regions)
        region_and_date: Callable[[Row], tuple[Any, Any]] = itemgetter(self._region, self._date)
        pairs = map(region_and_date, rows)
        if self._date_is_time:
            days = {(region, (time + _CHINA_US) // _DAY_US) for region, time in pairs}
            return all(_place_flaw(region, _written(day), scope) is None for region, day in days)
        return all(_place_flaw(region, day, scope) is None for region, day in set(pairs))

    def _codes_good(self, rows: Sequence[Row], column: _Codes, known: CodesKnown) -> bool:
        pairs: Iterable[tuple[Cell, Cell]]
        if column.table is None:
            pairs = {(column.ref.table or None, code) for code in set(map(itemgetter(column.code), rows))}
        else:
            pairs = set(map(itemgetter(column.table, column.code), rows))
        return all(self._pair_flaw(table, code, column, known) is None for table, code in pairs)

    def _code_flaw(self, row: Row, column: _Codes, known: CodesKnown) -> Flaw | None:
        table = (column.ref.table or None) if column.table is None else row[column.table]
        return self._pair_flaw(table, row[column.code], column, known)

    def _pair_flaw(self, table: Cell, code: Cell, column: _Codes, known: CodesKnown) -> Flaw | None:
        if code is None:
            return None
        if not isinstance(table, str) or not table:
            detail = Phrase("column '{}' holds a code, and '{}' names no code table", column.name, column.ref.column)
            return Flaw(Fate.REFUSED, Reason.RULE_BROKEN, detail)
        if column.ref.free_prefix and table.startswith(column.ref.free_prefix):
            return None
        if column.ref.reserved and column.ref.is_extension(table, code):
            return None
        codes = known.codes(table)
        if code in codes or (not codes and self._new_tables_pass):
            return None
        if not codes:
            return Flaw(Fate.PARKED, Reason.MISSING_DEPENDENCY, Phrase("code table '{}'", table))
        return Flaw(
            Fate.PARKED, Reason.UNKNOWN_CODE, Phrase("code '{}' of code table '{}'", str(code)[:_QUOTED_MAX], table)
        )


def duplicates(keys: Iterable[Key]) -> frozenset[int]:
    """Places at which a key stands that stood before."""
    seen: set[Key] = set()
    found = set()
    for place, key in enumerate(keys):
        if key in seen:
            found.add(place)
        seen.add(key)
    return frozenset(found)


def _allowed(field: Field) -> frozenset[Cell]:
    values: frozenset[Cell] = frozenset(v.value for v in field.values)
    return values | {None} if field.column.nullable else values


def _is_dated(scope: Scope) -> bool:
    return any(item.since or item.until for item in scope.items)


def _place_flaw(region: Cell, day: str, scope: Scope) -> Flaw | None:
    # the form is checked too: '33x' would pass for a prefix's sake
    if isinstance(region, str) and is_division(region) and scope.covers(region, day):
        return None
    quoted = str(region)[:_QUOTED_MAX]
    said = Phrase("region '{}' on {}", quoted, day) if day else Phrase("region '{}'", quoted)
    return Flaw(Fate.REFUSED, Reason.OUT_OF_SCOPE, said)
