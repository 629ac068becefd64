"""Filters mean the same in Python and in SQL (design section 4, "Judging is injected")."""

from __future__ import annotations

import sqlite3

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.schema import CellType, Column, RowSchema
from sync.values import Cell
from tiers.filters import compile_filter, filter_sql, parse_filter

TYPES = [*((t.value, t) for t in CellType), *((f"{t.value}_too", t) for t in CellType)]
SCHEMA = RowSchema("things", 1, tuple(Column(name, t) for name, t in TYPES), ("text",))
AFFINITY = {"text": "TEXT", "decimal": "TEXT", "date": "TEXT", "float": "REAL", "bytes": "BLOB"}

TEXTS = st.text(st.sampled_from("aAb0 é中\U0001f600'%"), max_size=3)
NUMBERS = st.one_of(st.integers(-2, 2), st.integers(-(2**63), 2**63 - 1))
CELLS: dict[str, st.SearchStrategy[Cell]] = {
    "text": TEXTS,
    "integer": NUMBERS,
    "decimal": st.sampled_from(["0", "-0.5", "1.5", "1.50", "12345678901234567890"]),
    "float": st.one_of(st.sampled_from([0.0, -0.0, 1.5, -1.5]), st.floats(allow_nan=False, allow_infinity=False)),
    "boolean": st.booleans(),
    "bytes": st.binary(max_size=2),
    "date": st.sampled_from(["2025-12-31", "2026-01-01", "2026-11-22"]),
    "timestamp": st.integers(-2, 2),
}
ORDERED = sorted(set(CELLS) - {"decimal", "boolean"})
ROWS = st.tuples(*(st.none() | CELLS[c.type.value] for c in SCHEMA.columns))


def declared(value: Cell) -> object:
    """A value as a declaration writes it."""
    return value.hex() if isinstance(value, bytes) else value


@st.composite
def leaves(draw: st.DrawFn) -> dict[str, object]:
    op = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "in", "is_null"]))
    column = draw(st.sampled_from(ORDERED if op[0] in "<>" else sorted(CELLS)))
    if op == "is_null":
        return {"column": column, "op": op, "value": draw(st.booleans())}
    if op != "in" and draw(st.booleans()):
        pair = [column, f"{column}_too"]
        return dict(zip(("column", "other"), draw(st.permutations(pair)), strict=True)) | {"op": op}
    if op == "in":
        values = draw(st.lists(CELLS[column], min_size=1, max_size=3))
        return {"column": column, "op": op, "value": [declared(v) for v in values]}
    return {"column": column, "op": op, "value": declared(draw(CELLS[column]))}


TREES = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"and": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"or": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=6,
)


@settings(max_examples=300)
@given(raw=TREES, rows=st.lists(ROWS, min_size=1, max_size=5))
def test_python_and_sqlite_choose_the_same_rows(raw: object, rows: list[tuple[Cell, ...]]) -> None:
    """Any filter over all types, null among them, matches the same rows in both."""
    tree = parse_filter(raw, SCHEMA)
    matches = compile_filter(tree, SCHEMA.names)
    sql, parameters = filter_sql(tree)
    columns = ", ".join(f'"{c.name}" {AFFINITY.get(c.type.value, "INTEGER")}' for c in SCHEMA.columns)
    store = sqlite3.connect(":memory:")
    try:
        store.execute(f"CREATE TABLE things (place INTEGER, {columns})")
        marks = ", ".join("?" for _ in range(len(SCHEMA.names) + 1))
        store.executemany(f"INSERT INTO things VALUES ({marks})", [(i, *row) for i, row in enumerate(rows)])
        chosen = [i for (i,) in store.execute(f"SELECT place FROM things WHERE {sql} ORDER BY place", parameters)]
        answers = [a for (a,) in store.execute(f"SELECT {sql} FROM things", parameters)]
    finally:
        store.close()
    assert chosen == [i for i, row in enumerate(rows) if matches(row)]
    assert set(answers) <= {0, 1}
