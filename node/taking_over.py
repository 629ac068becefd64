"""A successor's own part: what it writes or voids of what came to it, it also says to have taken over (ADR 0015)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from node.store.rowsql import TAKEN_OVER, key_text
from node.store.store import Store
from sync.judge import LocalRows
from sync.rows import key_getter
from sync.schema import RowSchema
from sync.scope import Scope
from sync.values import Key, Row

ROWS_AT_ONCE = 2_000

Inherited = Mapping[str, Scope]
"""By predecessor: the regions that passed from it to this node."""


class NoAnswer:
    """The token of what follows by itself: its caller is answered by what it follows from."""

    def resolve(self, value: object) -> None:
        """Nobody waits."""


def inherited(store: Store, node: str) -> Inherited:
    """What passed to this node, directly or through others; nearly always nothing."""
    found: dict[str, list[str]] = {}
    for predecessor, pattern in store.inherited(node):
        found.setdefault(predecessor, []).append(pattern)
    return {predecessor: Scope.of(*patterns) for predecessor, patterns in found.items()}


def taken_over(
    store: Store, schema: RowSchema, node: str, region: str, puts: Iterable[Row], voids: Iterable[Key]
) -> list[LocalRows]:
    """What this transaction takes over that was not yet: of rows put, those whose place passed to this node; of keys
    voided that this node does not hold, all. `region`: this node's own.
    """
    if schema.dataset == TAKEN_OVER or not (passed := inherited(store, node)):
        return []
    rows = [*_of_puts(schema, passed, puts), *_of_voids(schema, passed, region, voids)]
    held = store.read_rows(TAKEN_OVER, node, [row[:3] for row in rows])
    fresh = list({row[:3]: row for row in rows if row[:3] not in held}.values())
    return [LocalRows(TAKEN_OVER, fresh[at : at + ROWS_AT_ONCE], (), {}) for at in range(0, len(fresh), ROWS_AT_ONCE)]


def given_back(store: Store, node: str, dataset: str, keys: Sequence[Key], reason: str) -> list[LocalRows]:
    """The end of what was said of these rows: those of the predecessors are shown again."""
    passed = inherited(store, node)
    said = store.read_rows(TAKEN_OVER, node, [(p, dataset, key_text(key)) for p in passed for key in keys])
    return [LocalRows(TAKEN_OVER, (), [(key, reason)], {key: held}) for key, held in said.items()]


def _of_puts(schema: RowSchema, passed: Inherited, puts: Iterable[Row]) -> Iterator[Row]:
    if not schema.region:
        return
    key_of, place = key_getter(schema, schema.names), schema.names.index(schema.region)
    for row in puts:
        division = str(row[place])
        for predecessor, scope in passed.items():
            if scope.covers(division):
                yield predecessor, schema.dataset, key_text(key_of(row)), division


def _of_voids(schema: RowSchema, passed: Inherited, region: str, voids: Iterable[Key]) -> Iterator[Row]:
    for key in voids:
        for predecessor in passed:
            yield predecessor, schema.dataset, key_text(key), region
