"""Tasks that belong together, as they are held here: parts of one task, targets of one piece of work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.bundle import PART_OF, Bundle, bundle_of, part, said_in
from tiers.flows.table import Flow


class Moves(Protocol):
    """The store, or one that reads beside it."""

    def moves(self, task: str) -> list[MoveBody]:
        """Numbered moves of a task, in order of number."""
        ...

    def openings(self, holding: str) -> list[MoveBody]:
        """First moves of the tasks in whose first move a text stands."""
        ...


def together(moves: Moves, flows: Mapping[str, Flow], issuer: str, field: str, said: str) -> Bundle | None:
    """The tasks of one issuer whose opening moves say the same in a field; None if there is none."""
    first = (one for one in moves.openings(said) if one.issuer == issuer)
    held: list[Sequence[MoveBody]] = [moves.moves(one.task) for one in first if said_in([one], field) == said]
    parts = [part(flows[history[0].flow], history) for history in held if history[0].flow in flows]
    return bundle_of(parts) if parts else None


def parts_open(moves: Moves, flows: Mapping[str, Flow], here: str, task: str) -> int:
    """How many tasks that this node handed on as parts of a task have not ended."""
    found = together(moves, flows, here, PART_OF, task)
    return found.open if found is not None else 0
