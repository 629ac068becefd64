"""Transition tables of flows: what states there are, who must act in each and until when, who may make which move from
where, and what it must say. How a table is declared is shown by tiers/flows/declared/*.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from sync.reasons import Reason
from tiers.flows.clocks import Limit

BEFORE = ""
"""The state of a task that does not exist yet."""

STAY = "="
"""As `to` of a rule: the move leaves the state as it is."""


class Party(Enum):
    """The two sides of a task; as `by` of a rule also either of them."""

    ISSUER = "issuer"
    HOLDER = "holder"
    EITHER = "either"


class Stands(Enum):
    """Where the issuer of a task stands in the tree, seen from its holder."""

    ABOVE = "above"
    BELOW = "below"
    EITHER = "either"


class Role(Enum):
    """The least role of the person on whose word a move leaves the node."""

    OFFICER = "officer"
    APPROVER = "approver"


@dataclass(frozen=True, slots=True)
class StateLimit:
    """Until when the owner of a state must act.

    day: the day that the issuer last said in this field, if it did. Else `of` by the value that the issuer last said
    in the field `by`; else `otherwise`. check_flow sees to it that one of them always holds.
    """

    day: str = ""
    by: str = ""
    of: Mapping[str, Limit] = field(default_factory=lambda: MappingProxyType({}))
    otherwise: Limit | None = None


class Kind(Enum):
    """What a field of a move may say."""

    TEXT = "text"
    DATE = "date"
    INTEGER = "integer"
    CHOICE = "choice"
    FILES = "files"
    NODE = "node"
    DIVISION = "division"
    POSITION = "position"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a field of kind choice."""

    value: str
    title_zh: str
    title_en: str


@dataclass(frozen=True, slots=True)
class FieldRule:
    """A field, in every move that says it. values: of a choice. least, most: of an integer.

    within_days: a date lies at the most so many days after the move that says it; 0: no bound. masked: numbers of
    persons in it are masked before the move is made (tiers/personal.py).
    """

    name: str
    title_zh: str
    title_en: str
    kind: Kind = Kind.TEXT
    values: tuple[Choice, ...] = ()
    least: int = 0
    most: int = 0
    within_days: int = 0
    masked: bool = False


class Guard(Enum):
    """What else must hold for a move: the closed list (tiers/flows/guards.py says when each does)."""

    PARTS_CLOSED = "parts_closed"
    IN_TIME = "in_time"
    PAST_LIMIT = "past_limit"


@dataclass(frozen=True, slots=True)
class State:
    """A state, as stored and as people read it.

    final: no move leads out. draft: the holder has nothing to do with the task yet. refusal: the reason with which
    moves made in ignorance of this state are refused. owner: who must act, `next` with which move as a rule, and until
    when; none of the three in a final state.

    stage: the limit counts from when the task came into this stage, a name that states may share; '' for the state
    itself. suspends: the clock of the stage stands still in this state; its own limit runs, for its owner.

    phase: of the flow's phases, the one that tasks in this state are in; '' for none.
    """

    name: str
    title_zh: str
    title_en: str
    owner: Party | None = None
    limit: StateLimit | None = None
    next: str = ""
    final: bool = False
    draft: bool = False
    stage: str = ""
    suspends: bool = False
    refusal: Reason = Reason.CROSSED
    phase: str = ""


@dataclass(frozen=True, slots=True)
class MoveRule:
    """One kind of move. `fields` must be there and not be empty.

    quiet: it takes nothing away from a move that the other side made without having seen it (a note, a longer limit);
    any other move of the issuer crosses such a one. stands: never crossed; it counts wherever the table allows it.
    most: how often it may be made in one task; 0: as often as the states allow. automatic: made by the issuer's node
    itself, by no person. returns: it sends back what the other side handed in, to be done or handed in again; that is
    what statistics count as a return.
    """

    name: str
    title_zh: str
    title_en: str
    by: Party
    starts: tuple[str, ...]
    to: str
    fields: tuple[str, ...] = ()
    quiet: bool = False
    stands: bool = False
    most: int = 0
    guards: tuple[Guard, ...] = ()
    role: Role = Role.OFFICER
    automatic: bool = False
    returns: bool = False

    def after(self, state: str) -> str:
        """The state that this move leads to from `state`."""
        return state if self.to == STAY else self.to

    def is_of(self, party: Party) -> bool:
        """Whether that side may make it."""
        return self.by in (party, Party.EITHER)


@dataclass(frozen=True, slots=True)
class Start:
    """A consequence: when `on` was made, the node of `by` starts a task of another flow.

    to: with whom: the same holder where it is empty; else '@' and a field of the move that names a node, or '@parent',
    who stands above this node; then each such move starts one. after: only from the so many-th on (overdue: the limit
    has passed so many times over). fields: what its opening move says: a text, or '@' and the name of a field of this
    task; '@task' and '@state' are its id and state.
    """

    on: str
    flow: str
    fields: Mapping[str, str]
    after: int = 1
    by: Party = Party.ISSUER
    to: str = ""


@dataclass(frozen=True, slots=True)
class Mirror:
    """What the holder's node tells by itself, with `move`, when one of the moves `on` was made in a part of the task
    that it handed on (a task of flow `of`).

    fields: a text, or '@' and the name of a field of the part; '@holder' is whom the part is laid on, '@state' and
    '@state_title' the state that the move led to.
    """

    of: str
    on: tuple[str, ...]
    move: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Flow:
    """A transition table. issuers: profiles of the tiers that may issue it. stands: where the issuer is. phases: in
    which several tasks of one bundle go through it together, in order. passes: a task goes on with the successor of
    one of its nodes; else it ends with that node."""

    id: str
    title_zh: str
    title_en: str
    states: tuple[State, ...]
    moves: tuple[MoveRule, ...]
    issuers: frozenset[str] = frozenset()
    stands: Stands = Stands.ABOVE
    fields: tuple[FieldRule, ...] = ()
    starts: tuple[Start, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    definition: str = ""
    definition_zh: str = ""
    is_proposal: bool = True
    phases: tuple[Choice, ...] = ()
    passes: bool = True

    def state(self, name: str) -> State:
        """The state of that name; KeyError if there is none."""
        for state in self.states:
            if state.name == name:
                return state
        raise KeyError(name)

    def has_ended(self, state: str) -> bool:
        """Whether a task in that state is over; False for a state of a newer version."""
        return any(s.final for s in self.states if s.name == state)

    def refusal(self, state: str) -> Reason:
        """The reason with which a move is refused that was made before its author knew of `state`."""
        return next((s.refusal for s in self.states if s.name == state), Reason.CROSSED)

    def rule(self, move: str) -> MoveRule | None:
        """The rule of a move; None if this version does not know it."""
        return next((rule for rule in self.moves if rule.name == move), None)

    def field(self, name: str) -> FieldRule | None:
        """The rule of a field; None if any text will do."""
        return next((rule for rule in self.fields if rule.name == name), None)

    @property
    def opening(self) -> MoveRule:
        """The one move that makes a task."""
        return next(rule for rule in self.moves if BEFORE in rule.starts)

    def open_moves(self, state: str, party: Party) -> tuple[MoveRule, ...]:
        """What a party may do in a state: what its screen offers."""
        return tuple(rule for rule in self.moves if rule.is_of(party) and state in rule.starts)
