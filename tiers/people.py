"""The people of one node: what each role may do, who stands in for whom, and which moves need a second pair of eyes.

Nothing of this leaves a node but organisation and role, which each move records. While no person is declared, whoever
reaches the control socket does everything (the file's mode is the permission then).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from tiers.flows.table import STAY, Flow, Kind, MoveRule
from tiers.flows.table import Role as Least

PEOPLE_MAX = 1_000
DEPUTIES_MAX = 10_000
NAME_CHARACTERS_MAX = 64
SHOWN_CHARACTERS_MAX = 60
ORG_CHARACTERS_MAX = 100
EVERY_MOVE = "*"


class Role(Enum):
    """What a person is at a node; one may be several."""

    VIEWER = "viewer"
    OFFICER = "officer"
    APPROVER = "approver"
    ADMINISTRATOR = "administrator"


class Act(Enum):
    """What can be done at a node, as far as roles tell it apart."""

    SEE = "see"
    BRING = "bring"
    WORK = "work"
    ASSIGN = "assign"
    APPROVE = "approve"
    OPERATE = "operate"
    ADMINISTER = "administer"


_OFFICER = frozenset({Act.SEE, Act.BRING, Act.WORK, Act.ASSIGN})
MAY: Mapping[Role, frozenset[Act]] = MappingProxyType(
    {
        Role.VIEWER: frozenset({Act.SEE}),
        Role.OFFICER: _OFFICER,
        Role.APPROVER: _OFFICER | {Act.APPROVE},
        # Who runs the node need not speak for its organisation: for moves a person has the role officer beside this.
        Role.ADMINISTRATOR: frozenset({Act.SEE, Act.BRING, Act.ASSIGN, Act.OPERATE, Act.ADMINISTER}),
    }
)
"""What is not here, nobody may. see: every question. bring: rows, loads, sources. work: moves and drafts. assign: who
here handles a task. approve: drafts of others. operate: checks of the whole store. administer: people, tokens, invites,
services, successions."""
BY_DEPUTY = frozenset({Act.SEE, Act.WORK, Act.ASSIGN, Act.APPROVE})
"""What a deputy may in another's right: running the node never passes."""


class Person(NamedTuple):
    """name: the account by which the person comes. shown: how colleagues read it; it stays here, as the name does."""

    name: str
    shown: str
    org: str
    roles: frozenset[Role]
    active: bool = True

    def may(self, act: Act) -> bool:
        """Whether in their own right."""
        return self.active and any(act in MAY[role] for role in self.roles)

    @property
    def speaks_as(self) -> Role:
        """The role that a move records which this person makes."""
        return Role.APPROVER if Role.APPROVER in self.roles else Role.OFFICER


class Deputy(NamedTuple):
    """`deputy` may act for `person` on these days, both included."""

    person: str
    deputy: str
    first: date
    last: date


class Roster(NamedTuple):
    """All people of a node, those who left too, and who stands in for whom."""

    people: Mapping[str, Person] = MappingProxyType({})
    deputies: tuple[Deputy, ...] = ()

    def rights(self, name: str, day: date) -> Iterator[Person]:
        """In whose right a person acts on a day: first their own, then of those whose deputy they are. No deputy has a
        deputy's right."""
        own = self.people.get(name)
        if own is None or not own.active:
            return
        yield own
        for one in self.deputies:
            other = self.people.get(one.person)
            if one.deputy == name and one.first <= day <= one.last and other is not None and other.active:
                yield other

    def right(self, name: str, act: Act, day: date, but: Collection[str] = ()) -> Person | None:
        """In whose right a person may do this; None if they may not. `but`: in whose not."""
        for person in self.rights(name, day):
            passed = person.name == name or act in BY_DEPUTY
            if passed and person.may(act) and person.name not in but:
                return person
        return None

    def approver(self, name: str, author: str, day: date) -> Person | None:
        """In whose right a person may decide on a draft: never its author, nor anyone in the author's right."""
        return None if name == author else self.right(name, Act.APPROVE, day, (author,))

    @property
    def had_approver(self) -> bool:
        """Whether anyone is or was an approver: that the last one left must not open the door."""
        return any(Role.APPROVER in person.roles for person in self.people.values())


class Wanted(Enum):
    """Which moves a node wants approved by a second person, once it has had an approver."""

    BY_FLOW = "by_flow"
    ALL = "all"
    OFF = "off"


class Approval(NamedTuple):
    """What the node's settings say. without: moves that need no second person, as 'FLOW.MOVE' or 'FLOW.*'."""

    wanted: Wanted = Wanted.BY_FLOW
    without: Collection[str] = ()

    def needed(self, roster: Roster, flow: Flow, rule: MoveRule, said: Collection[str], by: Role) -> bool:
        """Whether a move leaves only with a second person's approval. said: the fields that it says; by: the role of
        its author."""
        of_approvers = rule.role is Least.APPROVER
        if of_approvers and by is not Role.APPROVER:
            return bool(roster.people)
        if not roster.had_approver or self._is_free(flow, rule):
            return False
        return of_approvers or (self.wanted is Wanted.ALL and not is_note(flow, rule, said))

    def _is_free(self, flow: Flow, rule: MoveRule) -> bool:
        named = f"{flow.id}.{rule.name}" in self.without or f"{flow.id}.{EVERY_MOVE}" in self.without
        return named or self.wanted is Wanted.OFF


def is_note(flow: Flow, rule: MoveRule, said: Collection[str]) -> bool:
    """Whether a move only says something: it changes no state, and says nothing by which a limit could run."""
    kinds = [field.kind for name in said if (field := flow.field(name)) is not None]
    return rule.quiet and rule.to == STAY and all(kind is Kind.TEXT for kind in kinds)


def roster_of(people: Iterable[Person], deputies: Iterable[Deputy]) -> Roster:
    """A roster of all of them."""
    return Roster(MappingProxyType({person.name: person for person in people}), tuple(deputies))
