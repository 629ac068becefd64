"""What becomes of a quality issue (flow W9): a receiver marks a record, its origin answers, the receiver closes.

Each side writes a row of its own, and what both rows say together is where the issue stands. So whatever comes late,
twice or in another order, both ends see the same once they hold both rows; and neither can write for the other. An
answer counts for the round that it names: when the finder reopens an issue, an answer that was on its way is old.

The states are those of the dataset `quality_issue` (reference/domain.md 10 W9: a proposal).
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from sync.errors import InputFault
from sync.phrase import Phrase
from sync.reasons import Reason

NOTIFIED, DISPUTED, CLOSED = "notified", "disputed", "closed"
VERIFYING, CORRECTED, KEPT = "verifying", "corrected", "kept"
WITHOUT_RECORD = frozenset({"missing", "late"})
"""Kinds that may be about a record that is not there."""


class Side(Enum):
    """Who makes a move."""

    FINDER = "finder"
    ORIGIN = "origin"


class Issue(NamedTuple):
    """What the finder's row says."""

    state: str
    round: int


class Answer(NamedTuple):
    """What the origin's row says."""

    answer: str
    round: int


class Move(NamedTuple):
    """One line of the table: who may make it where the issue stands in one of `states`. needs_reason: words are due."""

    name: str
    by: Side
    states: frozenset[str]
    to: str
    needs_reason: bool = False


_OPEN = frozenset({NOTIFIED, DISPUTED})
MOVES = (
    Move("verify", Side.ORIGIN, _OPEN, VERIFYING),
    Move("correct", Side.ORIGIN, _OPEN | {VERIFYING}, CORRECTED),
    Move("keep", Side.ORIGIN, _OPEN | {VERIFYING}, KEPT, needs_reason=True),
    Move("close", Side.FINDER, _OPEN | {VERIFYING, CORRECTED, KEPT}, CLOSED),
    Move("reopen", Side.FINDER, frozenset({CORRECTED, KEPT, CLOSED}), DISPUTED, needs_reason=True),
)


def standing(issue: Issue, answer: Answer | None) -> str:
    """Where an issue stands."""
    if issue.state == CLOSED or answer is None or answer.round != issue.round:
        return issue.state
    return answer.answer


def open_moves(issue: Issue, answer: Answer | None, side: Side) -> tuple[Move, ...]:
    """What a side may do next."""
    state = standing(issue, answer)
    return tuple(move for move in MOVES if move.by is side and state in move.states)


def move_issue(issue: Issue, answer: Answer | None, name: str, reason: str) -> Issue:
    """The finder's row after its move. Raises InputFault."""
    move = _allowed(issue, answer, Side.FINDER, name, reason)
    return Issue(move.to, issue.round + (move.to == DISPUTED))


def move_answer(issue: Issue, answer: Answer | None, name: str, reason: str) -> Answer:
    """The origin's row after its move. Raises InputFault."""
    return Answer(_allowed(issue, answer, Side.ORIGIN, name, reason).to, issue.round)


def _allowed(issue: Issue, answer: Answer | None, side: Side, name: str, reason: str) -> Move:
    allowed = open_moves(issue, answer, side)
    found = next((move for move in allowed if move.name == name), None)
    if found is None:
        known = ", ".join(move.name for move in allowed)
        state = standing(issue, answer)
        raise InputFault(Reason.WRONG_STATE, Phrase("an issue that is '{}' allows here: {}", state, known or "-"))
    if found.needs_reason and not reason:
        raise InputFault(Reason.WRONG_STATE, Phrase("'{}' needs a reason", name))
    return found
