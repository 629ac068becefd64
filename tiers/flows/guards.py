"""What else must hold for a move: a closed list, each a pure question about the move and what is known of its task.

What is not known where the question is asked hinders nothing there: how far the parts of a task are is known only to
the node that issued them, so its own desk asks, and the arbiter, who holds no part, does not. Whether the limit had
passed both sides know alike, from the end that the issuer said, and whoever reads the history later.
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

    parts_open: tasks issued below as parts of this one that have not ended.
    """

    parts_open: int | None = None


NO_FACTS = Facts()


class Wish(NamedTuple):
    """A move that is to be made. is_late: the limit of the task's state, as its issuer said it, had passed by then.
    is_early: it had not. Neither where no limit was said."""

    move: str
    fields: Mapping[str, str]
    is_late: bool
    is_early: bool = False


def guard_fault(guard: Guard, wish: Wish, facts: Facts) -> Phrase | None:
    """Why a guard does not let a move be made; None if it does."""
    return _GUARDS[guard](wish, facts)


def _parts_closed(wish: Wish, facts: Facts) -> Phrase | None:
    if facts.parts_open and not wish.fields.get(OVERRIDE, "").strip():
        return Phrase("{} part(s) of the task are open: '{}' must say '{}'", facts.parts_open, wish.move, OVERRIDE)
    return None


def _in_time(wish: Wish, facts: Facts) -> Phrase | None:
    return Phrase("the time for '{}' has passed", wish.move) if wish.is_late else None


def _past_limit(wish: Wish, facts: Facts) -> Phrase | None:
    return Phrase("'{}' comes after the time of the other side", wish.move) if wish.is_early else None


_GUARDS: Mapping[Guard, Callable[[Wish, Facts], Phrase | None]] = {
    Guard.PARTS_CLOSED: _parts_closed,
    Guard.IN_TIME: _in_time,
    Guard.PAST_LIMIT: _past_limit,
}
