"""What the local callers of one node were told is done, and must therefore find there after any crash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from node.sim.country.orders import Order
from node.sim.work import Move, Put
from node.store.store import Store
from sync.effects import DeleteRows, Write
from sync.values import Key


class Ledger:
    """Of each row the newest transaction that was answered, and all moves that were. A node that is put back to an
    older store begins a new one."""

    def __init__(self) -> None:
        self._puts: dict[str, dict[Key, int]] = {}
        self._voids: dict[str, dict[Key, int]] = {}
        self._moves: dict[str, str] = {}

    def answered(self, what: object, value: object) -> None:
        """A caller hears that its transaction is done: a put of its group, a move of its id."""
        if isinstance(what, Put):
            assert isinstance(value, int)
            puts, voids = self._puts.setdefault(what.dataset, {}), self._voids.setdefault(what.dataset, {})
            for key in what.keys:
                puts[key] = value
                voids.pop(key, None)
            for key in what.voids:
                voids[key] = value
                puts.pop(key, None)
        elif isinstance(what, Move | Order):
            self._moves[what.move_id] = what.task

    def committed(self, node: str, written: Sequence[Write]) -> None:
        """Own rows that were taken out since, by whomever, need not be there."""
        for write in written:
            if isinstance(write, DeleteRows) and write.origin == node:
                for key in write.keys:
                    self._puts.get(write.dataset, {}).pop(key, None)

    def missing(self, node: str, store: Store) -> Iterator[str]:
        """What the store lacks, in words."""
        for dataset, puts in self._puts.items():
            held = store.read_rows(dataset, node, puts.keys())
            for key, group in puts.items():
                if key not in held or held[key][0] < group:
                    yield f"{dataset} {key} of transaction {group}"
        for dataset, voids in self._voids.items():
            held = store.read_rows(dataset, node, voids.keys())
            for key, (version, _) in held.items():
                if version <= voids[key]:
                    yield f"the void of {dataset} {key} in transaction {voids[key]}"
        for move_id, task in self._moves.items():
            known = (*store.moves(task), *store.pending_moves(task), *store.pending_moves(task, refused=True))
            if all(move.move_id != move_id for move in known):
                yield f"{move_id} of {task}"
