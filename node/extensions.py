"""Extension codes in the rows that are held: which are in use, and which nobody has registered yet (flow W11).

Such rows are let in and kept like any other. What is not registered counts under no standard class, so it is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from node.store.readers import Reader
from node.store.rowsql import quoted
from sync.values import Cell
from tiers.catalogue import Catalogue
from tiers.codes import EFFECTIVE, RETIRED
from tiers.dataset import CodeRef, Dataset

CODES_MAX = 100_000
"""Different extension codes that are looked at."""


class InUse(NamedTuple):
    """An extension code of one origin in one dataset, and how many rows have it. `counts_under`: (table, code) of the
    standard class; None while it is not registered.
    """

    origin: str
    dataset: str
    table: str
    code: str
    rows: int
    counts_under: tuple[str, str] | None


def extensions_in_use(reader: Reader, catalogue: Catalogue) -> list[InUse]:
    """By origin, dataset, table and code. It reads every row that may have such a code. Raises StoreFault."""
    codes = registered(reader, catalogue)
    found: list[InUse] = []
    for dataset in catalogue.datasets.values():
        for column, ref in _columns(dataset):
            found += _used(reader, dataset, column, ref, codes)
    return sorted(found, key=lambda one: (one.origin, one.dataset, one.table, one.code))


def unregistered(used: list[InUse]) -> dict[str, int]:
    """How many extension codes count under no standard class, and in how many rows."""
    found = [one for one in used if one.counts_under is None]
    return {"codes": len(found), "rows": sum(one.rows for one in found)}


def _columns(dataset: Dataset) -> Iterator[tuple[str, CodeRef]]:
    for field in dataset.fields:
        if field.codes is not None and (field.codes.reserved or field.codes.free_prefix):
            yield field.column.name, field.codes


def _used(
    reader: Reader, dataset: Dataset, column: str, ref: CodeRef, codes: dict[tuple[str, str, str], tuple[str, str]]
) -> Iterator[InUse]:
    condition, parameters = _condition(column, ref)
    names = [ref.column, column] if ref.column else [column]
    for origin, cells, rows in reader.tally(dataset.id, names, condition, parameters, CODES_MAX):
        table, code = (str(cells[0]), str(cells[1])) if ref.column else (ref.table, str(cells[0]))
        if ref.is_extension(table, code):
            under = next((codes[o, table, code] for o in and_above(origin) if (o, table, code) in codes), None)
            yield InUse(origin, dataset.id, table, code, rows, under)


def _condition(column: str, ref: CodeRef) -> tuple[str, list[Cell]]:
    """SQL that holds of each row with an extension code, and of few others."""
    code = quoted(column)
    parts, parameters = [], list[Cell]()
    if ref.free_prefix and ref.column:
        parts.append(f"substr({quoted(ref.column)}, 1, ?) = ?")
        parameters += [len(ref.free_prefix), ref.free_prefix]
    for one in ref.reserved:
        parts.append(f"(length({code}) = ? AND substr({code}, ?) BETWEEN ? AND ?)")
        parameters += [one.free + len(one.first), one.free + 1, one.first, one.last]
    return f"{code} IS NOT NULL AND ({' OR '.join(parts)})", parameters


def registered(reader: Reader, catalogue: Catalogue) -> dict[tuple[str, str, str], tuple[str, str]]:
    """(origin, table, code) of what is registered, and the standard class it counts under."""
    found = {}
    for dataset in catalogue.extensions():
        rule = dataset.code_table
        assert rule is not None
        wanted = ("_origin", rule.table_column, rule.code_column, "mapped_table", "mapped_to")
        for row in reader.query(dataset.id, '"status" IN (?, ?)', (EFFECTIVE, RETIRED), wanted, CODES_MAX):
            origin, table, code, mapped_table, mapped_to = map(str, row)
            found[origin, table, code] = (mapped_table, mapped_to)
    return found


def and_above(origin: str) -> Iterator[str]:
    """A node's id and those above it, which it is made of: a province's extension holds for its cities."""
    while origin:
        yield origin
        origin = origin.partition(".")[2]
