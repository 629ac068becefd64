"""What judges ask of this node's own store: codes in force, and the moves of tasks."""

from __future__ import annotations

from collections.abc import Sequence

from node.store.store import Store
from sync.values import Row
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.catalogue import Catalogue
from tiers.dataset import Dataset
from tiers.filters import compile_filter


class StoreKnown:
    """Implements sync.judge.Known in the writer's thread. Codes are kept until a row of a code table is written."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store = store
        self._tables = [d for d in catalogue.code_tables() if d.code_table is not None]
        self._codes: dict[str, frozenset[str]] = {}
        self._as_of = -1

    def codes(self, table: str) -> frozenset[str]:
        """Codes that a record may carry; from every origin that may publish them."""
        written = sum(self._store.written(dataset.id) for dataset in self._tables)
        if written != self._as_of:
            self._codes = self._read()
            self._as_of = written
        return self._codes.get(table, frozenset())

    def task(self, task: str) -> Sequence[MoveBody]:
        return self._store.moves(task)

    def pending(self, task: str) -> Sequence[MoveBody]:
        return self._store.pending_moves(task)

    def _read(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for dataset in self._tables:
            for table, code in _codes_of(dataset, [row for _, _, row in self._store.scan(dataset.id, None)]):
                found.setdefault(table, set()).add(code)
        return {table: frozenset(codes) for table, codes in found.items()}


def _codes_of(dataset: Dataset, rows: Sequence[Row]) -> list[tuple[str, str]]:
    """(table, code) of the rows that are in force."""
    rule = dataset.code_table
    assert rule is not None
    names = dataset.schema.names
    table, code = names.index(rule.table_column), names.index(rule.code_column)
    counts = compile_filter(rule.in_force, names) if rule.in_force is not None else None
    return [(str(row[table]), str(row[code])) for row in rows if counts is None or counts(row)]
