"""Tasks that belong together, as they are held here: parts of one task, targets of one piece of work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.bundle import PART_OF, Bundle, bundle_of, part, said_in
from tiers.flows.check import PASSED_OVER
from tiers.flows.passing import TASK
from tiers.flows.steps import fields_of, state_of
from tiers.flows.table import Flow


class Histories(Protocol):
    """The store, or one that reads beside it."""

    def moves(self, task: str) -> list[MoveBody]:
        """Numbered moves of a task, in order of number."""
        ...


class Moves(Histories, Protocol):
    """With what tells which tasks belong together."""

    def openings(self, holding: str) -> list[MoveBody]:
        """First moves of the tasks in whose first move a text stands."""
        ...


def together(moves: Moves, flows: Mapping[str, Flow], issuer: str, field: str, said: str) -> Bundle | None:
    """The tasks of one issuer whose opening moves say the same in a field; None if there is none."""
    first = (one for one in moves.openings(said) if one.issuer == issuer)
    held: list[Sequence[MoveBody]] = [moves.moves(one.task) for one in first if said_in([one], field) == said]
    # What passed over to a successor goes on there, and is no second one.
    held = [history for history in held if state_of(history) != PASSED_OVER]
    parts = [part(flows[history[0].flow], history) for history in held if history[0].flow in flows]
    return bundle_of(parts) if parts else None


def goes_on_as(moves: Histories, task: str) -> str:
    """The id under which a task goes on, where it passed over to a successor; else its own."""
    history = moves.moves(task)
    while history and state_of(history) == PASSED_OVER and (after := fields_of(history[-1]).get(TASK, "")):
        task, history = after, moves.moves(after)
    return task


def went_on_from(moves: Histories, task: str) -> list[str]:
    """The id of a task, and those that it had before it passed over to successors."""
    found = [task]
    while (history := moves.moves(found[-1])) and (before := history[0].retold.task):
        found.append(before)
    return found


def parts_of(moves: Moves, flows: Mapping[str, Flow], here: str, task: str) -> Bundle | None:
    """The tasks that a node handed on as parts of a task, whatever its id was then; None if there is none."""
    named = (together(moves, flows, here, PART_OF, name) for name in went_on_from(moves, task))
    parts = [part for found in named if found is not None for part in found.parts]
    return bundle_of(parts) if parts else None


def parts_open(moves: Moves, flows: Mapping[str, Flow], here: str, task: str) -> int:
    """How many tasks that this node handed on as parts of a task have not ended."""
    found = parts_of(moves, flows, here, task)
    return found.open if found is not None else 0
