"""Row filters of publications: a small declarative grammar. Python decides; SQL is made for previews only.

As TOML or JSON:   {column = "supervised", op = "=", value = true}
                   {column = "closed_at", op = ">=", other = "reported_at"}
                   {and = [...]}   {or = [...]}   {not = {...}}   {column = "closed_at", op = "is_null"}
Operators: = != < <= > >= in is_null.

Every question has one of two answers. An empty cell (null) equals nothing, is smaller or greater than nothing and is in
no list: those are false; it differs from every value: != is true. So `not` is plain negation, and not (a = v) is the
same as a != v. With `other`, two columns of one type are compared: true where either is empty, since what is not known
contradicts nothing. Text orders by code point (as SQLite's BINARY does on UTF-8). Decimals are kept as written, so they
know = != in, compared as written, and no order. Bytes are written as hex.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sync.payload import check_cell
from sync.phrase import Phrase
from sync.schema import CellType, Column, RowSchema
from sync.values import Cell, Row
from tiers.faults import CatalogueFault, Mistake, Table

DEPTH_MAX = 16
PARTS_MAX = 200
VALUES_MAX = 500

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PAIRS: dict[str, Callable[[Any, Any], bool]] = {"=": operator.eq, "!=": operator.ne, **_ORDER}
_UNORDERED = frozenset({CellType.DECIMAL, CellType.BOOLEAN})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Compare:
    """A cell against one value; `op` is = != < <= > or >=."""

    column: str
    op: str
    value: Cell


@dataclass(frozen=True, slots=True)
class ComparePair:
    """A cell against the cell of another column of the same type; true when either is empty."""

    column: str
    op: str
    other: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """A cell is one of the values."""

    column: str
    values: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """A cell is empty."""

    column: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """All parts hold."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Filter


Filter = Compare | ComparePair | OneOf | IsNull | AllOf | AnyOf | Not


def parse_filter(raw: object, schema: RowSchema, path: str = "filter") -> Filter:
    """A filter checked against a schema. Raises CatalogueFault with every mistake found."""
    mistakes: list[Mistake] = []
    parsed = read_filter(raw, schema, path, mistakes)
    if mistakes or parsed is None:
        raise CatalogueFault(mistakes)
    return parsed


def read_filter(raw: object, schema: RowSchema, path: str, mistakes: list[Mistake]) -> Filter | None:
    """As parse_filter, adding to `mistakes`; None if there was one."""
    before = len(mistakes)
    parsed = _Parser(schema, mistakes).read(raw, path, DEPTH_MAX)
    return parsed if len(mistakes) == before else None


class _Parser:
    def __init__(self, schema: RowSchema, mistakes: list[Mistake]) -> None:
        self._columns = {c.name: c for c in schema.columns}
        self._mistakes = mistakes
        self._parts = 0

    def read(self, raw: object, path: str, depth: int) -> Filter | None:
        self._parts += 1
        if depth == 0 or self._parts > PARTS_MAX:
            self._mistakes.append(Mistake(path, Phrase("more than {} levels or {} parts", DEPTH_MAX, PARTS_MAX)))
            return None
        table = Table(raw, path, self._mistakes)
        groups = [name for name in ("and", "or", "not") if isinstance(raw, dict) and name in raw]
        if len(groups) > 1:
            table.wrong("", Phrase("holds more than one of and, or, not"))
            return None
        if groups:
            parsed = self._group(groups[0], table, depth)
        else:
            parsed = self._leaf(table) if isinstance(raw, dict) else None
        table.finish()
        return parsed

    def _group(self, name: str, table: Table, depth: int) -> Filter | None:
        inner = table.raw(name)
        if name == "not":
            part = self.read(inner, table.at("not"), depth - 1)
            return None if part is None else Not(part)
        if not isinstance(inner, list) or not inner:
            table.wrong(name, Phrase("must be an array of filters that is not empty"))
            return None
        read = [self.read(raw, f"{table.at(name)}[{i}]", depth - 1) for i, raw in enumerate(inner)]
        parts = tuple(p for p in read if p is not None)
        if len(parts) != len(read):
            return None
        return AllOf(parts) if name == "and" else AnyOf(parts)

    def _leaf(self, table: Table) -> Filter | None:
        name = table.text("column")
        op = table.choice("op", {o: o for o in ("=", "!=", *_ORDER, "in", "is_null")})
        raw, other = table.raw("value"), table.text("other", "")
        column = self._columns.get(name)
        if column is None:
            if name:
                table.wrong("column", Phrase("'{}' is not a column", name))
            return None
        if op is None:
            return None
        if other:
            return self._pair(table, column, op, other, raw)
        if op == "is_null":
            if raw is not None and not isinstance(raw, bool):
                table.wrong("value", Phrase("of is_null must be true or false, or be left out"))
            return Not(IsNull(name)) if raw is False else IsNull(name)
        if op in _ORDER and column.type in _UNORDERED:
            table.wrong("op", Phrase("{} columns have no order here: use =, != or in", column.type.value))
            return None
        if op == "in":
            return self._one_of(table, column, raw)
        value = read_cell(column, raw, table, "value")
        return None if value is None else Compare(name, op, value)

    def _pair(self, table: Table, column: Column, op: str, name: str, raw: object) -> Filter | None:
        other = self._columns.get(name)
        if raw is not None:
            table.wrong("value", Phrase("goes without other"))
        elif other is None or other.type is not column.type or name == column.name:
            table.wrong("other", Phrase("'{}' is not another {} column", name, column.type.value))
        elif op in ("in", "is_null"):
            table.wrong("op", Phrase("of two columns is one of = != < <= > >="))
        elif op in _ORDER and column.type in _UNORDERED:
            table.wrong("op", Phrase("{} columns have no order here: use = or !=", column.type.value))
        else:
            return ComparePair(column.name, op, name)
        return None

    @staticmethod
    def _one_of(table: Table, column: Column, raw: object) -> Filter | None:
        if not isinstance(raw, list) or not 0 < len(raw) <= VALUES_MAX:
            table.wrong("value", Phrase("of in must be an array of 1 to {} values", VALUES_MAX))
            return None
        read = [read_cell(column, v, table, f"value[{i}]") for i, v in enumerate(raw)]
        values = tuple(v for v in read if v is not None)
        return OneOf(column.name, values) if len(values) == len(read) else None


def read_cell(column: Column, raw: object, table: Table, key: str) -> Cell:
    """The cell value that a declared value stands for; None (and a mistake) if it is none of that column's type."""
    value = raw
    try:
        if column.type is CellType.TIMESTAMP and isinstance(raw, str):
            value = datetime.fromisoformat(raw)
        elif column.type is CellType.BYTES and isinstance(raw, str):
            value = bytes.fromhex(raw)
    except ValueError:
        table.wrong(key, Phrase("'{}' cannot be read as {}", raw, column.type.value))
        return None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            table.wrong(key, Phrase("a time must name its offset, as in 2026-11-22T08:00:00+08:00"))
            return None
        value = (value - _EPOCH) // _MICROSECOND
    elif isinstance(value, date):
        value = value.isoformat()
    elif column.type is CellType.FLOAT and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if value is None:
        table.wrong(key, Phrase("is missing (ask for empty cells with is_null)"))
        return None
    fault = check_cell(column, value)
    if fault is not None:
        table.wrong(key, fault[1])
        return None
    assert isinstance(value, str | int | float | bool | bytes)
    return value


def raw_of(tree: Filter) -> dict[str, Any]:
    """A filter as it could be declared in JSON: parse_filter gives the same filter back."""
    match tree:
        case AllOf(parts):
            return {"and": [raw_of(p) for p in parts]}
        case AnyOf(parts):
            return {"or": [raw_of(p) for p in parts]}
        case Not(part):
            return {"not": raw_of(part)}
        case IsNull(column):
            return {"column": column, "op": "is_null"}
        case ComparePair(column, op, other):
            return {"column": column, "op": op, "other": other}
        case OneOf(column, values):
            return {"column": column, "op": "in", "value": [_declared(v) for v in values]}
        case Compare(column, op, value):
            return {"column": column, "op": op, "value": _declared(value)}


def _declared(value: Cell) -> Cell:
    """Bytes are written as hex."""
    return value.hex() if isinstance(value, bytes) else value


def columns_of(tree: Filter) -> frozenset[str]:
    """Names of all columns that a filter asks about."""
    match tree:
        case AllOf(parts) | AnyOf(parts):
            return frozenset().union(*map(columns_of, parts))
        case Not(part):
            return columns_of(part)
        case ComparePair(column, _, other):
            return frozenset({column, other})
        case _:
            return frozenset({tree.column})


def compile_filter(tree: Filter, columns: Sequence[str]) -> Callable[[Row], bool]:
    """The filter as a function of a row whose cells stand in the order of `columns`. KeyError on an unknown column."""
    return _closure(tree, {name: i for i, name in enumerate(columns)})


def _closure(tree: Filter, at: dict[str, int]) -> Callable[[Row], bool]:
    match tree:
        case Compare(column, op, value):
            return _compare(at[column], op, value)
        case ComparePair(column, op, other):
            return _compare_pair(at[column], op, at[other])
        case OneOf(column, values):
            index, allowed = at[column], frozenset(values)
            return lambda row: row[index] in allowed
        case IsNull(column):
            index = at[column]
            return lambda row: row[index] is None
        case Not(part):
            inner = _closure(part, at)
            return lambda row: not inner(row)
        case AllOf(parts):
            return _chain([_closure(p, at) for p in parts], stop_on=False)
        case AnyOf(parts):
            return _chain([_closure(p, at) for p in parts], stop_on=True)


def _compare(index: int, op: str, value: Cell) -> Callable[[Row], bool]:
    if op == "=":
        return lambda row: row[index] == value
    if op == "!=":
        return lambda row: row[index] != value
    # a row has passed its schema, so cell and value are of one type and order among themselves
    order = _ORDER[op]
    return lambda row: row[index] is not None and order(row[index], value)


def _compare_pair(left: int, op: str, right: int) -> Callable[[Row], bool]:
    order = _PAIRS[op]
    return lambda row: row[left] is None or row[right] is None or order(row[left], row[right])


def _chain(parts: list[Callable[[Row], bool]], stop_on: bool) -> Callable[[Row], bool]:
    """Parts asked in order until one answers `stop_on`."""
    first, *rest = parts
    if not rest:
        return first
    others = _chain(rest, stop_on)
    if stop_on:
        return lambda row: first(row) or others(row)
    return lambda row: first(row) and others(row)


def filter_sql(tree: Filter) -> tuple[str, list[Cell]]:
    """The filter as an SQL expression and its parameters ('?' marks), for previews.

    Never yields NULL, in SQLite and PostgreSQL alike. Identifiers come from a parsed filter, so from the catalogue.
    """
    parameters: list[Cell] = []
    return _sql(tree, parameters), parameters


def _sql(tree: Filter, parameters: list[Cell]) -> str:
    match tree:
        case Compare(column, "!=", value):
            parameters.append(_stored(value))
            return f'("{column}" IS NULL OR "{column}" <> ?)'
        case Compare(column, op, value):
            parameters.append(_stored(value))
            return f'("{column}" IS NOT NULL AND "{column}" {op} ?)'
        case ComparePair(column, op, other):
            sign = "<>" if op == "!=" else op
            return f'("{column}" IS NULL OR "{other}" IS NULL OR "{column}" {sign} "{other}")'
        case OneOf(column, values):
            parameters.extend(map(_stored, values))
            marks = ", ".join("?" for _ in values)
            return f'("{column}" IS NOT NULL AND "{column}" IN ({marks}))'
        case IsNull(column):
            return f'("{column}" IS NULL)'
        case Not(part):
            return f"(NOT {_sql(part, parameters)})"
        case AllOf(parts):
            return "(" + " AND ".join(_sql(p, parameters) for p in parts) + ")"
        case AnyOf(parts):
            return "(" + " OR ".join(_sql(p, parameters) for p in parts) + ")"


def _stored(value: Cell) -> Cell:
    """Booleans are stored as 0 and 1 (sync.rows)."""
    return int(value) if isinstance(value, bool) else value
