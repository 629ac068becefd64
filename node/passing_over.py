"""Open tasks of a node that was succeeded pass over to its successor: each node tells it the tasks that it shared with
the old one, once, under ids that follow from the old tasks (tiers/flows/passing.py, docs/adr/0027-passing.md).

All of one task is one transaction. Nothing is kept of it beside the moves, so it goes on after a crash where it stood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from node.engine import Step
from node.store.store import Store
from node.writer import Ticket
from sync.effects import Reply, SaveMoves
from sync.events import LocalMove
from sync.registry import Enrolment, Registry
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.passing import asked_again, passed_over, retold
from tiers.flows.steps import is_being_retold, opening_fault, state_of
from tiers.flows.table import Flow
from tiers.profile import profile_of

Heirs = Mapping[str, str]
"""By node that was succeeded: who goes on with its tasks; '' where a person has to say it."""


class Passing(NamedTuple):
    """A task that passes from `old` to `new`."""

    task: str
    old: str
    new: str


def heirs(registry: Registry) -> dict[str, str]:
    """Of every node that was succeeded, as far as is known here."""
    return {one.node: _heir(registry, one) for one in registry.nodes() if one.successions}


def _heir(registry: Registry, old: Enrolment) -> str:
    """The one living node that all of its regions passed to; '' where they were divided."""
    if len(old.successions) != 1:
        return ""
    said = old.successions[0]
    versions = (registry.enrolment(old.node, number) for number in range(old.version, 0, -1))
    last = next((one.signing for one in versions if one is not None and one.signing.items), old.signing)
    if not {item.region for item in last.items} <= set(said.regions):
        return ""
    new = registry.newest(said.node)
    if new is None:
        return ""
    return _heir(registry, new) if new.successions else (new.node if new.enrolled else "")


def living_heirs(registry: Registry, old: str) -> list[str]:
    """Every living node that something of `old` passed to, directly or through others."""
    found = [node for node in registry.heirs() if any(one.node == old for one in registry.inherited(node))]
    return [node for node in found if (one := registry.newest(node)) is not None and one.is_living]


def passing(heirs: Heirs, flow: Flow, history: Sequence[MoveBody]) -> Passing | None:
    """Which of its sides an open task must leave, and for whom; None if it goes on where it is."""
    first = history[0]
    if flow.has_ended(state_of(history)):
        return None
    old = next((node for node in (first.issuer, first.holder) if node in heirs), "")
    return Passing(first.task, old, heirs[old]) if old else None


@dataclass(slots=True)
class PassJob:
    """Passes one task over. Answers whether it did: not again, and not for a node that is neither side."""

    token: Ticket[bool]
    wish: Passing
    here: str
    flows: Mapping[str, Flow]
    at: int

    def run(self, store: Store) -> Sequence[Step]:
        """As node.engine.Job.run."""
        wish, history = self.wish, store.moves(self.wish.task)
        flow = self.flows.get(history[0].flow) if history else None
        if flow is None or flow.has_ended(state_of(history)) or is_being_retold(history):
            return (Reply(self.token, False),)
        sides = (history[0].issuer, history[0].holder)
        if wish.old not in sides or self.here not in sides:
            return (Reply(self.token, False),)
        told = retold(history, wish.old, wish.new, self.at)
        goes_on = flow.passes and self.here != wish.old and _may_go_on(flow, told[0])
        if self.here == wish.old:
            # What it held is ended by whoever issued it; of what it issued nobody else will tell it.
            goes_on_as = told[0].task if flow.passes and _may_go_on(flow, told[0]) else ""
            if self.here == history[0].holder:
                return (Reply(self.token, False),)
            return (_kept(passed_over(history, self.here, wish.new, goes_on_as, self.at)), Reply(self.token, True))
        end = passed_over(history, self.here, wish.new, told[0].task if goes_on else "", self.at)
        steps: list[Step] = []
        if goes_on and not store.moves(told[0].task):
            again = asked_again(store.pending_moves(wish.task), wish.old, wish.new)
            steps += [LocalMove(_Refused(self.token), body, wish.new) for body in (*told, *again)]
            steps.append(_handed(wish.task, told[0].task))
        if self.here == history[0].issuer:
            steps.append(LocalMove(_Refused(self.token), end, wish.old))
        else:
            steps.append(_kept(end, [_unanswered(body) for body in store.pending_moves(wish.task)]))
        return (*steps, Reply(self.token, True))


def _may_go_on(flow: Flow, opening: MoveBody) -> bool:
    """Whether the successor may be the side of such a task that its predecessor was."""
    profile = profile_of(opening.issuer)
    sides = (opening.issuer, opening.holder)
    return (
        profile is not None
        and sides[0] != sides[1]
        and opening_fault(flow, opening.issuer, profile, opening.holder, opening.task) is None
    )


def _kept(end: MoveBody, more: Sequence[MoveBody] = ()) -> Callable[[Store], None]:
    """The end of a task whose issuer can say nothing any more is kept here, and told to nobody."""

    def keep(store: Store) -> None:
        store.perform(SaveMoves(end.task, [end, *more]))

    return keep


def _unanswered(body: MoveBody) -> MoveBody:
    """A proposal that nobody will answer under its old task: it was made again, or ended with it."""
    kept = MoveBody()
    kept.CopyFrom(body)
    kept.verdict, kept.state = True, ""
    return kept


def _handed(old: str, new: str) -> Callable[[Store], None]:
    """Who handled the old task handles the one that goes on."""

    def hand(store: Store) -> None:
        person = store.people.assigned_to(old)
        if person:
            store.people.assign(new, person)

    return hand


@dataclass(slots=True)
class _Refused:
    """The token of one of several moves: only where the core refuses it, its job is answered by it."""

    ticket: Ticket[bool]

    def resolve(self, value: object) -> None:
        """As a token of sync.events.LocalMove."""
        if isinstance(value, BaseException):
            self.ticket.resolve(value)
