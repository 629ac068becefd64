"""Questions about code tables: what is in force, and which extension codes rows have."""

from __future__ import annotations

from collections import Counter
from typing import Any

from node.commands.view import Arguments, View, text
from node.extensions import InUse, extensions_in_use, unregistered
from tiers.dataset import Dataset

CODES_MAX = 100_000


def list_codes(view: View, arguments: Arguments) -> dict[str, Any]:
    """codes.list {table?} -> {tables} with how many codes of each status, or with a table {codes}."""
    wanted = text(arguments, "table")
    found = [code for dataset in _tables(view) for code in _codes(view, dataset, table=wanted)]
    if wanted:
        return {"table": wanted, "codes": found}
    counted: dict[tuple[str, str], Counter[str]] = {}
    for code in found:
        counted.setdefault((code["table"], code["dataset"]), Counter())[code["status"]] += 1
    tables = [{"table": table, "dataset": dataset, **by} for (table, dataset), by in sorted(counted.items())]
    return {"tables": tables}


def show_code(view: View, arguments: Arguments) -> dict[str, Any]:
    """codes.show {table, code} -> {codes, in_use}: every version and registration of a code, and who uses it as an
    extension."""
    table, code = text(arguments, "table"), text(arguments, "code")
    codes = [one for dataset in _tables(view) for one in _codes(view, dataset, table=table, code=code)]
    used = extensions_in_use(view.reader, view.catalogue)
    shown = [_shown(one) for one in used if (one.table, one.code) == (table, code)]
    return {"table": table, "code": code, "codes": codes, "in_use": shown}


def list_extensions(view: View, arguments: Arguments) -> dict[str, Any]:
    """codes.extensions {} -> {in_use, unregistered}: extension codes that rows have, and the rows that count under no
    standard class yet."""
    used = extensions_in_use(view.reader, view.catalogue)
    return {"in_use": [_shown(one) for one in used], "unregistered": unregistered(used)}


def _shown(one: InUse) -> dict[str, Any]:
    under = None if one.counts_under is None else dict(zip(("table", "code"), one.counts_under, strict=True))
    return {**one._asdict(), "counts_under": under}


def _tables(view: View) -> list[Dataset]:
    return [*view.catalogue.code_tables(), *view.catalogue.extensions()]


def _codes(view: View, dataset: Dataset, table: str, code: str = "") -> list[dict[str, Any]]:
    """Codes of a table ('' = all tables), each with its whole row."""
    rule = dataset.code_table
    assert rule is not None
    wanted = [(name, said) for name, said in ((rule.table_column, table), (rule.code_column, code)) if said]
    condition = " AND ".join(f'"{name}" = ?' for name, _ in wanted)
    names = ("_origin", *dataset.schema.names)
    rows = view.reader.query(dataset.id, condition, [said for _, said in wanted], names, CODES_MAX)
    status = rule.life.status if rule.life is not None else ""
    found = []
    for row in rows:
        cells = dict(zip(names, row, strict=True))
        found.append(
            {
                "table": cells[rule.table_column],
                "code": cells[rule.code_column],
                "dataset": dataset.id,
                "origin": cells.pop("_origin"),
                "status": cells.get(status) or "",
                "row": cells,
            }
        )
    return found
