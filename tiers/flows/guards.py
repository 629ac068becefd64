"""What else must hold for a move: a closed list, each a pure question about the move and about facts that are given.

A fact that is not known where the question is asked hinders nothing there: how far the parts of a task are is known
only to the node that issued them, so its own desk asks, and the arbiter, who holds no part, does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sync.phrase import Phrase
from tiers.flows.table import Guard

OVERRIDE = "override_reason"
"""The field by which a holder goes on though parts of its task are open."""


class Facts(NamedTuple):
    """What is known beside a task's own history; None where it is not.

    parts_open: tasks issued below as parts of this one that have not ended. overdue: whether the limit of the task's
    state had passed at the time that counts for the move.
    """

    parts_open: int | None = None
    overdue: bool | None = None


NO_FACTS = Facts()


def guard_fault(guard: Guard, move: str, fields: Mapping[str, str], facts: Facts) -> Phrase | None:
    """Why a guard does not let a move be made; None if it does."""
    return _GUARDS[guard](move, fields, facts)


def _parts_closed(move: str, fields: Mapping[str, str], facts: Facts) -> Phrase | None:
    if facts.parts_open and not fields.get(OVERRIDE, "").strip():
        return Phrase("{} part(s) of the task are open: '{}' must say '{}'", facts.parts_open, move, OVERRIDE)
    return None


def _in_time(move: str, fields: Mapping[str, str], facts: Facts) -> Phrase | None:
    return Phrase("the time for '{}' has passed", move) if facts.overdue else None


_GUARDS: Mapping[Guard, Callable[[str, Mapping[str, str], Facts], Phrase | None]] = {
    Guard.PARTS_CLOSED: _parts_closed,
    Guard.IN_TIME: _in_time,
}
