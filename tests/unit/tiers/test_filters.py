"""Row filters: the grammar, its mistakes, and what each question means."""

from __future__ import annotations

import tomllib

import pytest

from sync.schema import CellType, Column, RowSchema
from sync.values import Cell
from tiers.faults import CatalogueFault
from tiers.filters import DEPTH_MAX, columns_of, compile_filter, filter_sql, parse_filter

SCHEMA = RowSchema("things", 1, tuple(Column(t.value, t) for t in CellType), ("text",))
NAMES = SCHEMA.names


def holds(raw: object, **cells: Cell) -> bool:
    """Whether a row with these cells, all others empty, matches."""
    row = tuple(cells.get(name) for name in NAMES)
    return compile_filter(parse_filter(raw, SCHEMA), NAMES)(row)


def ask(column: str, op: str, value: object = None) -> dict[str, object]:
    return {"column": column, "op": op} | ({} if value is None else {"value": value})


def test_an_empty_cell_equals_nothing_and_differs_from_everything() -> None:
    """Null makes =, order and in false, and != true; not is plain negation."""
    for op in ("=", "<", "<=", ">", ">="):
        assert not holds(ask("integer", op, 1))
        assert holds({"not": ask("integer", op, 1)})
    assert not holds(ask("integer", "in", [0, 1]))
    assert holds(ask("integer", "!=", 1))
    assert holds(ask("integer", "is_null"))
    assert holds(ask("integer", "is_null", True))
    assert not holds(ask("integer", "is_null", False))


def test_each_operator_means_what_it_says() -> None:
    """Comparison on both sides of a value and at it."""
    wanted = {"=": "010", "!=": "101", "<": "100", "<=": "110", ">": "001", ">=": "011"}
    for op, answers in wanted.items():
        assert "".join(str(int(holds(ask("integer", op, 5), integer=i))) for i in (4, 5, 6)) == answers


def test_groups_join_answers() -> None:
    """and, or, not and their nesting."""
    a, b = ask("integer", ">", 1), ask("text", "=", "x")
    for integer in (1, 2):
        for text in ("x", "y"):
            first, second = integer > 1, text == "x"
            assert holds({"and": [a, b]}, integer=integer, text=text) is (first and second)
            assert holds({"or": [a, b]}, integer=integer, text=text) is (first or second)
            assert holds({"not": {"or": [a, {"not": b}]}}, integer=integer, text=text) is not (first or not second)
    assert holds({"and": [a]}, integer=2)


def test_values_are_read_by_the_column_s_type() -> None:
    """Times with an offset become microseconds, hex becomes bytes, whole numbers serve for floats."""
    at_eight = 1_767_225_600_000_000
    assert holds(ask("timestamp", "=", "2026-01-01T08:00:00+08:00"), timestamp=at_eight)
    assert holds(tomllib.loads("f = {column='timestamp', op='=', value=2026-01-01T00:00:00Z}")["f"], timestamp=at_eight)
    assert holds(ask("timestamp", ">", at_eight - 1), timestamp=at_eight)
    assert holds(tomllib.loads("f = {column='date', op='<', value=2026-01-01}")["f"], date="2025-12-31")
    assert holds(ask("bytes", "=", "00ff"), bytes=b"\x00\xff")
    assert holds(ask("float", ">=", 2), float=2.0)
    assert holds(ask("decimal", "!=", "1.50"), decimal="1.5")


WRONG = {
    "no table": (5, "filter"),
    "nothing": ({}, "filter.column"),
    "unknown column": (ask("gone", "=", 1), "filter.column"),
    "unknown operator": (ask("text", "like", "x"), "filter.op"),
    "value of another type": (ask("integer", "=", "1"), "filter.value"),
    "a flag as number": (ask("integer", "=", True), "filter.value"),
    "no value": (ask("integer", "="), "filter.value"),
    "no list for in": (ask("integer", "in", 1), "filter.value"),
    "empty list for in": (ask("integer", "in", []), "filter.value"),
    "one wrong value of in": (ask("integer", "in", [1, "2"]), "filter.value[1]"),
    "a text for is_null": (ask("integer", "is_null", "yes"), "filter.value"),
    "a number for is_null": (ask("integer", "is_null", 0), "filter.value"),
    "a fraction for is_null": (ask("integer", "is_null", 1.0), "filter.value"),
    "order of decimals": (ask("decimal", "<", "1.5"), "filter.op"),
    "order of flags": (ask("boolean", ">", False), "filter.op"),
    "a time without offset": (ask("timestamp", "=", "2026-01-01T08:00:00"), "filter.value"),
    "a time that is none": (ask("timestamp", "=", "noon"), "filter.value"),
    "bytes that are no hex": (ask("bytes", "=", "xyz"), "filter.value"),
    "a date that is none": (ask("date", "=", "2026-13-01"), "filter.value"),
    "an empty group": ({"and": []}, "filter.and"),
    "two groups in one": ({"and": [], "or": []}, "filter"),
    "a stray key": (ask("text", "=", "x") | {"colour": 1}, "filter.colour"),
    "a mistake deep inside": ({"or": [{"not": ask("gone", "=", 1)}]}, "filter.or[0].not.column"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_filter_with_a_mistake_is_told_with_its_place(case: str) -> None:
    """Each mistake of the grammar has a key path."""
    raw, path = WRONG[case]
    with pytest.raises(CatalogueFault) as told:
        parse_filter(raw, SCHEMA)
    assert path in [m.path for m in told.value.mistakes]


def test_depth_and_size_are_bounded() -> None:
    """A filter is small: it is asked of every row."""
    deep: object = ask("text", "=", "x")
    for _ in range(DEPTH_MAX):
        deep = {"not": deep}
    for raw in (deep, {"or": [ask("text", "=", "x")] * 300}):
        with pytest.raises(CatalogueFault):
            parse_filter(raw, SCHEMA)


def test_sql_quotes_identifiers_and_keeps_values_apart() -> None:
    """Values are parameters, never part of the text."""
    raw = {"and": [ask("text", "=", "x'; --"), {"not": ask("boolean", "in", [True])}, ask("date", "is_null")]}
    sql, parameters = filter_sql(parse_filter(raw, SCHEMA))
    flag, date = '(NOT ("boolean" IS NOT NULL AND "boolean" IN (?)))', '("date" IS NULL)'
    assert sql == f'(("text" IS NOT NULL AND "text" = ?) AND {flag} AND {date})'
    assert parameters == ["x'; --", 1]


def test_columns_of_names_every_column_asked_for() -> None:
    """So that a held-back column cannot hide in a group."""
    raw = {"or": [ask("text", "=", "x"), {"not": {"and": [ask("date", "is_null"), ask("integer", "in", [1])]}}]}
    assert columns_of(parse_filter(raw, SCHEMA)) == {"text", "date", "integer"}
