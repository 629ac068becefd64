"""Transition tables of flows: what states there are, who may make which move from where, and what it must say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sync.reasons import Reason

BEFORE = ""
"""The state of a task that does not exist yet."""

STAY = "="
"""As `to` of a rule: the move leaves the state as it is."""


class Party(Enum):
    """The two sides of a task."""

    ISSUER = "issuer"
    HOLDER = "holder"


@dataclass(frozen=True, slots=True)
class State:
    """A state, as stored and as people read it.

    final: no move leads out. draft: the holder has nothing to do with the task yet. refusal: the reason with which
    moves made in ignorance of this state are refused.
    """

    name: str
    title_zh: str
    title_en: str
    final: bool = False
    draft: bool = False
    refusal: Reason = Reason.CROSSED


@dataclass(frozen=True, slots=True)
class MoveRule:
    """One kind of move. `fields` must be there and not be empty.

    quiet: it takes nothing away from a move that the other side made without having seen it (a note, a longer limit);
    any other move crosses such a one.
    """

    name: str
    title_zh: str
    title_en: str
    by: Party
    starts: tuple[str, ...]
    to: str
    fields: tuple[str, ...] = ()
    quiet: bool = False

    def after(self, state: str) -> str:
        """The state that this move leads to from `state`."""
        return state if self.to == STAY else self.to


@dataclass(frozen=True, slots=True)
class Flow:
    """A transition table. `above`: whether the issuer must stand above the holder in the tree.

    dates: the fields that say a day, in every move that has them.
    """

    id: str
    title_zh: str
    title_en: str
    states: tuple[State, ...]
    moves: tuple[MoveRule, ...]
    above: bool = True
    dates: tuple[str, ...] = ()

    def state(self, name: str) -> State:
        """The state of that name; KeyError if there is none."""
        for state in self.states:
            if state.name == name:
                return state
        raise KeyError(name)

    def refusal(self, state: str) -> Reason:
        """The reason with which a move is refused that was made before its author knew of `state`."""
        return next((s.refusal for s in self.states if s.name == state), Reason.CROSSED)

    def rule(self, move: str) -> MoveRule | None:
        """The rule of a move; None if this version does not know it."""
        return next((rule for rule in self.moves if rule.name == move), None)

    def open_moves(self, state: str, party: Party) -> tuple[MoveRule, ...]:
        """What a party may do in a state: what its screen offers."""
        return tuple(rule for rule in self.moves if rule.by is party and state in rule.starts)


def check_flow(flow: Flow) -> list[str]:
    """What is wrong with a table: names, unreachable states, dead ends, exits from the end. Empty if nothing."""
    names = [s.name for s in flow.states]
    faults = [f"state '{n}' stands twice" for n in sorted({n for n in names if names.count(n) > 1})]
    moves = [m.name for m in flow.moves]
    faults += [f"move '{n}' stands twice" for n in sorted({n for n in moves if moves.count(n) > 1})]
    known = {*names, BEFORE}
    for rule in flow.moves:
        unknown = {*rule.starts, rule.after(BEFORE)} - known
        faults += [f"move '{rule.name}' names no state: '{name}'" for name in sorted(unknown)]
        if BEFORE in rule.starts and (rule.by is not Party.ISSUER or len(rule.starts) > 1 or rule.to == STAY):
            faults.append(f"move '{rule.name}' opens a task: it is the issuer's, and opens only")
    steps = {(start, rule.after(start)) for rule in flow.moves for start in rule.starts}
    reached = _closure({BEFORE}, steps)
    ends = {s.name for s in flow.states if s.final}
    ending = _closure(ends, {(b, a) for a, b in steps})
    for state in flow.states:
        if state.name not in reached:
            faults.append(f"state '{state.name}' cannot be reached")
        if state.final and any(start == state.name for start, _ in steps):
            faults.append(f"state '{state.name}' is final, and a move leads out")
        if state.name not in ending:
            faults.append(f"state '{state.name}' is a dead end: no final state can be reached from it")
    return faults


def _closure(start: set[str], steps: set[tuple[str, str]]) -> set[str]:
    reached = set(start)
    while True:
        more = {b for a, b in steps if a in reached} - reached
        if not more:
            return reached
        reached |= more
