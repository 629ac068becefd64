"""What judges ask of this node's own store: codes in force, and the moves of tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from node.store.store import Store
from sync.values import Row
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.catalogue import Catalogue
from tiers.codes import Span, spans_of
from tiers.dataset import CodeTable, Dataset
from tiers.filters import compile_filter


class StoreKnown:
    """Implements sync.judge.Known in the writer's thread. Codes are kept until a row of a code table is written."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store = store
        self._tables = [d for d in catalogue.code_tables() if d.code_table is not None]
        self._codes: dict[str, frozenset[str]] = {}
        self._days: dict[str, Mapping[str, tuple[Span, ...]]] = {}
        self._as_of = -1

    def codes(self, table: str) -> frozenset[str]:
        """Codes that a record may carry; from every origin that may publish them."""
        self._look()
        return self._codes.get(table, frozenset())

    def code_days(self, table: str) -> Mapping[str, tuple[Span, ...]]:
        """As tiers.rules.CodesDated."""
        self._look()
        return self._days.get(table, {})

    def _look(self) -> None:
        """Reads the code tables again if a row of one was written."""
        written = sum(self._store.written(dataset.id) for dataset in self._tables)
        if written != self._as_of:
            self._read()
            self._as_of = written

    def task(self, task: str) -> Sequence[MoveBody]:
        return self._store.moves(task)

    def pending(self, task: str) -> Sequence[MoveBody]:
        return self._store.pending_moves(task)

    def succeeds(self, node: str, predecessor: str) -> bool:
        return any(passed == predecessor for passed, _ in self._store.inherited(node))

    def _read(self) -> None:
        codes: dict[str, set[str]] = {}
        days: dict[str, Mapping[str, tuple[Span, ...]]] = {}
        for dataset in self._tables:
            assert dataset.code_table is not None
            found = _codes_of(dataset, dataset.code_table, [row for _, _, row in self._store.scan(dataset.id, None)])
            for table, coded in found.items():
                codes.setdefault(table, set()).update(code for code, _ in coded)
                if dataset.code_table.life is not None:
                    days[table] = spans_of(dataset.code_table.life, dataset.schema, coded)
        self._codes = {table: frozenset(found) for table, found in codes.items()}
        self._days = days


def _codes_of(dataset: Dataset, rule: CodeTable, rows: Sequence[Row]) -> dict[str, list[tuple[str, Row]]]:
    """(code, row) of the rows that were put in force, by table."""
    names = dataset.schema.names
    table, code = names.index(rule.table_column), names.index(rule.code_column)
    counts = compile_filter(rule.in_force, names) if rule.in_force is not None else None
    found: dict[str, list[tuple[str, Row]]] = {}
    for row in rows:
        if counts is None or counts(row):
            found.setdefault(str(row[table]), []).append((str(row[code]), row))
    return found
