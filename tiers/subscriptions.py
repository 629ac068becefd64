"""What becomes of a subscription (flow W8): one node asks for rows of another, who looks after the catalogue checks the
application, the owner decides, and the end of it stops the flow.

Each side writes a row of its own in the dataset `subscription`, and what the rows say together is where the
subscription stands. So whatever comes late, twice or in another order, all ends see the same once they hold all rows;
and nobody can write for another. What flows is decided by the owner's row alone (tiers/grants.py), and only the owner's
node writes it: when the applicant takes its own word back, the owner's row follows.

The states are those of the dataset (reference/domain.md 10 W8: a proposal).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import Enum
from typing import NamedTuple

from sync.errors import InputFault
from sync.phrase import Phrase
from sync.reasons import Reason

SUBSCRIPTION = "subscription"
"""The dataset of these rows."""
APPLIED, CHECKED, GRANTED, IN_USE = "applied", "checked", "granted", "in_use"
REFUSED, EXPIRED, WITHDRAWN, ENDED = "refused", "expired", "withdrawn", "ended"
DISPUTED, UPHELD, OVERRULED = "disputed", "upheld", "overruled"
OVER = frozenset({REFUSED, EXPIRED, WITHDRAWN, ENDED, UPHELD})
CHECK_DAYS, ANSWER_DAYS, PUBLISH_DAYS, RULE_DAYS = 2, 5, 10, 10
"""Working days (reference/domain.md 10 W8: proposals): to check; to answer; where the data must first be published; to
rule on a dispute."""


class Side(Enum):
    """In which part a row is written."""

    APPLICANT = "applicant"
    CHECKER = "checker"
    OWNER = "owner"
    ARBITER = "arbiter"


class Said(NamedTuple):
    """The states that the rows of a subscription say; '' where a side has not written yet.

    Where the owner looks after the catalogue itself, its own row says also that it has checked.
    """

    applicant: str
    checker: str = ""
    owner: str = ""
    arbiter: str = ""


class Move(NamedTuple):
    """One line of the table: who may make it where the subscription stands in one of `states`. needs_reason: words are
    due."""

    name: str
    by: Side
    states: frozenset[str]
    to: str
    needs_reason: bool = False


MOVES = (
    Move("check", Side.CHECKER, frozenset({APPLIED}), CHECKED),
    Move("refuse", Side.CHECKER, frozenset({APPLIED}), REFUSED, needs_reason=True),
    Move("approve", Side.OWNER, frozenset({CHECKED, OVERRULED}), GRANTED),
    Move("refuse", Side.OWNER, frozenset({CHECKED}), REFUSED, needs_reason=True),
    Move("withdraw", Side.APPLICANT, frozenset({APPLIED, CHECKED, GRANTED, DISPUTED, OVERRULED}), WITHDRAWN),
    Move("withdraw", Side.APPLICANT, frozenset({IN_USE}), ENDED),
    Move("withdraw", Side.OWNER, frozenset({GRANTED, IN_USE}), WITHDRAWN, needs_reason=True),
    Move("dispute", Side.APPLICANT, frozenset({REFUSED}), DISPUTED, needs_reason=True),
    Move("uphold", Side.ARBITER, frozenset({DISPUTED}), UPHELD, needs_reason=True),
    Move("overrule", Side.ARBITER, frozenset({DISPUTED}), OVERRULED, needs_reason=True),
)


def standing(said: Said) -> str:
    """Where a subscription stands. What the owner has ended stays ended, whatever else was on its way; but a refusal
    that is disputed stands as the arbiter says, until the owner grants after all."""
    if said.applicant == DISPUTED and (said.owner or said.checker) == REFUSED:
        return said.arbiter or DISPUTED
    if said.owner in OVER:
        return said.owner
    if said.applicant in OVER:
        return said.applicant
    return said.owner or said.checker or said.applicant


class Owed(NamedTuple):
    """Whose word is waited for, and how many working days it has."""

    side: Side
    days: int


def owed(said: Said, answer_days: int = ANSWER_DAYS) -> Owed | None:
    """Whose word a subscription waits for; None where it waits for nobody's. answer_days: as who checked says."""
    waits = {
        APPLIED: Owed(Side.CHECKER, CHECK_DAYS),
        CHECKED: Owed(Side.OWNER, answer_days),
        DISPUTED: Owed(Side.ARBITER, RULE_DAYS),
        OVERRULED: Owed(Side.OWNER, answer_days),
    }
    return waits.get(standing(said))


def open_moves(said: Said, sides: Collection[Side]) -> tuple[Move, ...]:
    """What a node that stands on these sides may do next."""
    state = standing(said)
    return tuple(move for move in MOVES if move.by in sides and state in move.states)


def choose(said: Said, sides: Collection[Side], name: str, reason: str) -> Move:
    """The move of this name that a node on these sides may make. Raises InputFault."""
    allowed = open_moves(said, sides)
    found = next((move for move in allowed if move.name == name), None)
    if found is None:
        known = ", ".join(dict.fromkeys(move.name for move in allowed))
        state = standing(said)
        raise InputFault(Reason.WRONG_STATE, Phrase("a subscription that is '{}' allows here: {}", state, known or "-"))
    if found.needs_reason and not reason:
        raise InputFault(Reason.WRONG_STATE, Phrase("'{}' needs a reason", name))
    return found


def due(said: Said, first: str, last: str, today: str) -> str:
    """What the owner's row has to say next by itself, as days pass (ISO dates) and the applicant takes its word back;
    '' for nothing."""
    if said.owner not in (GRANTED, IN_USE):
        return ""
    if said.applicant in OVER:
        return said.applicant
    if today > last:
        return EXPIRED
    return IN_USE if said.owner == GRANTED and today >= first else ""


def checker_of(applicant: str, provider: str, parent_of: Callable[[str], str]) -> str:
    """Who checks an application (a proposal): the nearest node above both, or the provider itself where one of the two
    stands above the other."""
    above = _up(provider, parent_of)
    common = next((node for node in _up(applicant, parent_of) if node in above), "")
    return provider if common in ("", applicant, provider) else common


def arbiter_of(said: Said, applicant: str, provider: str, checker: str, parent_of: Callable[[str], str]) -> str:
    """Who rules on a refusal (a proposal): the node that checked, if it stands above both and the owner refused; else
    the next above it that is no side. '' where nobody stands above them."""
    parties = {applicant, provider} | ({checker} if said.owner != REFUSED else set())
    return next((node for node in _up(checker, parent_of) if node not in parties), "")


def _up(node: str, parent_of: Callable[[str], str]) -> list[str]:
    chain = [node]
    while (parent := parent_of(chain[-1])) and parent not in chain:
        chain.append(parent)
    return chain
