"""Moves that persons make: at once, or first as a draft that a second person approves. Both are decided in the writer's
transaction, by the people that the store holds at that moment, so that nothing can come between check and move.

A draft never leaves the node. Approving it makes its moves by the very checks that a move made at once passes; if the
task has gone on so that one of them cannot be made any more, the draft is kept as stale with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

from node.app import Node
from node.clock import iso
from node.engine import Job, Step
from node.faults import Code, UserFault, of_reason
from node.hands import Hand, forbidden
from node.jobs import MoveWish, bodies_of, other_side
from node.store.people import Draft, DraftPart, DraftState
from node.store.store import Store
from node.texts import N_, Text
from node.texts.standing import DRAFT_STATES
from node.writer import Ticket
from sync.effects import Reply
from sync.errors import InputFault
from sync.events import LocalMove
from sync.phrase import Phrase, as_phrase, unpacked
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.clocks import Calendar
from tiers.flows.steps import fields_of
from tiers.flows.table import Flow
from tiers.people import Act, Approval, Role, Roster, Wanted
from tiers.profile import Standing

MOVE_ID_BYTES = 16
MOVES_MAX = 8
DRAFTS_WAITING_MAX = 10_000


class Made(NamedTuple):
    """What became of moves that were handed in: the ids of those made, or the draft that they are now. org, role: as
    the moves record them. decided: the draft that these moves were. deputy_for: the person in whose right somebody else
    made or decided it."""

    task: str
    move_ids: tuple[str, ...]
    org: str
    role: str
    draft: Draft | None = None
    decided: Draft | None = None
    deputy_for: str = ""
    needs_approval: bool = False
    """Of moves that were only tried."""

    @property
    def in_whose_right(self) -> dict[str, str]:
        """For the audit: nothing where it was the person's own."""
        return {"deputy_for": self.deputy_for} if self.deputy_for else {}


class Desk(NamedTuple):
    """What both jobs work by. at: µs, day: the day at this node."""

    standing: Standing
    flows: Mapping[str, Flow]
    approval: Approval
    at: int
    day: date
    calendar: Callable[[], Calendar] | None = None


async def hand_in(
    node: Node, hand: Hand, wishes: Sequence[MoveWish], around: Around | None = None, *, dry_run: bool = False
) -> Any:
    """Moves of one task, and of tasks that are started with them, made together or not at all; or kept as a draft where
    a second person has to approve them. around: makes the job that runs this one out of it; what that job answers is
    returned. dry_run: nothing is made. Raises InputFault, UserFault PERSON_FORBIDS, BAD_ARGUMENT.
    """
    ids = [node.randomness.bytes(MOVE_ID_BYTES).hex() for _ in wishes]

    def job(ticket: Ticket[Made]) -> Job:
        plain = HandIn(ticket, _desk(node), hand, wishes, ids, dry_run=dry_run)
        return plain if around is None else around(plain)

    return await node.writer.call(job)


async def decide(node: Node, hand: Hand, number: int, state: DraftState, reason: str = "") -> Made:
    """An approver approves or refuses a draft, or who answers for it drops it. Raises UserFault DRAFT_UNKNOWN,
    DRAFT_ENDED, DRAFT_STALE, FOUR_EYES, PERSON_FORBIDS, InputFault RECOVERING.
    """
    draft = await node.read(lambda reader: reader.people.draft(number))
    if draft is None:
        raise no_draft(number)
    ids = [node.randomness.bytes(MOVE_ID_BYTES).hex() for _ in wishes_of(draft)]
    job = partial(Decide, hand=hand, number=number, state=state, reason=reason, move_ids=ids)
    made: Made = await node.writer.call(lambda ticket: job(ticket, _desk(node)))
    return made


def wishes_of(draft: Draft) -> list[MoveWish]:
    """The moves that a draft is, as they leave once it is approved."""
    role = Role.APPROVER.value
    return [
        MoveWish(of.flow, of.task, move, of.holder, draft.org, role, fields)
        for of in draft.tasks
        for move, fields in of.moves
    ]


def _desk(node: Node) -> Desk:
    said = node.config.tasks
    approval = Approval(Wanted(said.approval), frozenset(said.without_approval))
    return Desk(node.standing, node.catalogue.flows, approval, node.clock.now_us(), node.today(), node.calendar)


@dataclass(slots=True)
class HandIn:
    """What a person wants to do with one task, and with those that are started with it."""

    token: Ticket[Made]
    desk: Desk
    hand: Hand
    wishes: Sequence[MoveWish]
    move_ids: Sequence[str]
    noted: Callable[[Store, Made], None] | None = None
    """Called with what became of them, in the transaction that it tells of."""
    dry_run: bool = False

    def run(self, store: Store) -> Sequence[Step]:
        """As node.engine.Job.run. Raises InputFault naming what is wrong with a move."""
        roster, wishes, desk, deputy_for = store.people.roster(), list(self.wishes), self.desk, ""
        if roster.people:
            right = roster.right(self.hand.person, Act.WORK, desk.day)
            if right is None:
                return (Reply(self.token, forbidden(self.hand, Act.WORK, roster)),)
            if any(wish.org or wish.role for wish in wishes):
                return (Reply(self.token, _not_free()),)
            wishes = [wish._replace(org=right.org, role=right.speaks_as.value) for wish in wishes]
            deputy_for = right.name if right.name != self.hand.person else ""
        bodies = _bodies(store, desk, wishes, self.move_ids)
        first = wishes[0]
        needs_approval = is_approval_needed(desk, roster, bodies, first.role)
        if self.dry_run:
            return (Reply(self.token, Made(first.task, (), first.org, first.role, needs_approval=needs_approval)),)
        if not needs_approval:
            made = Made(first.task, tuple(self.move_ids), first.org, first.role, deputy_for=deputy_for)
            opened = partial(_opened, bodies, self.hand.person)
            return (*_moves(self.token, made, bodies, desk.standing.node), opened, *self._notes(made))
        if store.people.waiting() >= DRAFTS_WAITING_MAX:
            return (Reply(self.token, _too_many()),)
        draft = Draft(
            0,
            self.hand.person,
            self.hand.person,
            first.org,
            DraftState.WAITING,
            bodies[0].flow,
            first.task,
            first.holder,
            tuple((wish.move, wish.fields) for wish in wishes if wish.task == first.task),
            desk.at,
            parts=_parts(wishes),
        )
        draft = draft._replace(id=store.people.add_draft(draft))
        made = Made(first.task, (), first.org, first.role, draft, deputy_for=deputy_for)
        return (*self._notes(made), Reply(self.token, made))

    def _notes(self, made: Made) -> list[Step]:
        return [] if self.noted is None else [partial(_note, self.noted, made)]


Around = Callable[[HandIn], Job]


@dataclass(slots=True)
class Decide:
    """The end of a draft."""

    token: Ticket[Made]
    desk: Desk
    hand: Hand
    number: int
    state: DraftState
    reason: str
    move_ids: Sequence[str]
    _draft: Draft = field(init=False)
    _deputy_for: str = ""

    def run(self, store: Store) -> Sequence[Step]:
        """As node.engine.Job.run."""
        draft = store.people.draft(self.number)
        if draft is None or draft.state is not DraftState.WAITING:
            return (Reply(self.token, no_draft(self.number) if draft is None else _ended(draft)),)
        self._draft = draft
        fault = self._fault(store.people.roster())
        if fault is not None:
            return (Reply(self.token, fault),)
        if self.state is not DraftState.APPROVED:
            self._end(self.state, self.reason, store)
            return (Reply(self.token, self._made((), "", self.state)),)
        return self._approve(store)

    def _fault(self, roster: Roster) -> UserFault | None:
        """Why this hand may not decide so."""
        name, draft, day = self.hand.person, self._draft, self.desk.day
        if self.state is DraftState.DROPPED:
            own = any(person.name in (draft.author, draft.keeper) for person in roster.rights(name, day))
            return None if own else _not_own(draft)
        right = roster.approver(name, draft.author, day)
        if right is not None:
            self._deputy_for = right.name if right.name != name else ""
            return None
        if roster.right(name, Act.APPROVE, day) is None:
            return forbidden(self.hand, Act.APPROVE, roster)
        return _four_eyes(draft)

    def _approve(self, store: Store) -> Sequence[Step]:
        draft, desk, ids, wishes = self._draft, self.desk, self.move_ids, wishes_of(self._draft)
        try:
            bodies = _bodies(store, desk, wishes, ids)
        except InputFault as fault:
            self._end(DraftState.STALE, as_phrase(fault.detail).packed(), store)
            return (Reply(self.token, _stale(draft, fault)),)
        made = self._made(tuple(ids), wishes[0].role, DraftState.APPROVED)
        # The end of the draft stands behind its moves: where the core refuses them for now, it goes on waiting.
        end = partial(self._end, DraftState.APPROVED, "")
        opened = partial(_opened, bodies, draft.keeper)
        return (*_moves(self.token, made, bodies, desk.standing.node), end, opened)

    def _made(self, move_ids: tuple[str, ...], role: str, state: DraftState) -> Made:
        draft, ended = self._draft, self._as_ended(state)
        return Made(draft.task, move_ids, draft.org, role, decided=ended, deputy_for=self._deputy_for)

    def _end(self, state: DraftState, reason: str, store: Store) -> None:
        store.people.decide(self.number, state, self.hand.person, self.desk.at, reason)

    def _as_ended(self, state: DraftState) -> Draft:
        return self._draft._replace(
            state=state, decided_by=self.hand.person, decided_at=self.desk.at, reason=self.reason
        )


def _bodies(store: Store, desk: Desk, wishes: Sequence[MoveWish], move_ids: Sequence[str]) -> list[MoveBody]:
    """Of one task after the other; those of one stand together."""
    found: list[MoveBody] = []
    for _, group in groupby(zip(wishes, move_ids, strict=True), lambda pair: pair[0].task):
        of_one, ids = zip(*group, strict=True)
        found += bodies_of(store, of_one, desk.standing, desk.flows, ids, desk.at, desk.calendar)
    return found


def _parts(wishes: Sequence[MoveWish]) -> tuple[DraftPart, ...]:
    """What is started beside the first task."""
    groups = [list(group) for _, group in groupby(wishes, lambda wish: wish.task)]
    return tuple(
        DraftPart(group[0].flow, group[0].task, group[0].holder, tuple((wish.move, wish.fields) for wish in group))
        for group in groups[1:]
    )


def _note(noted: Callable[[Store, Made], None], made: Made, store: Store) -> None:
    noted(store, made)


def is_approval_needed(desk: Desk, roster: Roster, bodies: Sequence[MoveBody], role: str) -> bool:
    """Whether one of these moves leaves only with a second person's approval. role: of their author."""
    if not roster.people:
        return False
    for body in bodies:
        flow = desk.flows[body.flow]
        rule = flow.rule(body.move)
        assert rule is not None, "it was made by its rule"
        if desk.approval.needed(roster, flow, rule, fields_of(body), Role(role)):
            return True
    return False


def _moves(token: Ticket[Made], made: Made, bodies: Sequence[MoveBody], here: str) -> list[Step]:
    """The caller is answered by the last of them, or by the first that is refused, with which all of them are."""
    last = len(bodies) - 1
    return [
        LocalMove(_Answer(token, made if place == last else None), body, other_side(body, here))
        for place, body in enumerate(bodies)
    ]


@dataclass(slots=True)
class _Answer:
    token: Ticket[Made]
    made: Made | None

    def resolve(self, value: object) -> None:
        """As a token of sync.events.LocalMove."""
        if isinstance(value, BaseException):
            self.token.resolve(value)
        elif self.made is not None:
            self.token.resolve(self.made)


def _opened(bodies: Sequence[MoveBody], person: str, store: Store) -> None:
    """Who opens a task handles it, until somebody else is said to."""
    first = [body.task for body in bodies if body.number == 1]
    if first and person in store.people.roster().people:
        for task in first:
            if not store.people.assigned_to(task):
                store.people.assign(task, person)


def shown(draft: Draft) -> dict[str, Any]:
    """A draft as JSON. phrase: the reason as node.status.detail_shown tells it, for a reader of another language."""
    reason = unpacked(draft.reason) if draft.state is DraftState.STALE else Phrase(draft.reason)
    return {
        "draft": draft.id,
        "state": draft.state.value,
        "flow": draft.flow,
        "task": draft.task,
        "holder": draft.holder,
        "moves": _moves_shown(draft.moves),
        "parts": [
            {"flow": one.flow, "task": one.task, "holder": one.holder, "moves": _moves_shown(one.moves)}
            for one in draft.parts
        ],
        "author": draft.author,
        "keeper": draft.keeper,
        "org": draft.org,
        "at": iso(draft.at),
        "decided_by": draft.decided_by,
        "decided_at": iso(draft.decided_at) if draft.decided_at else "",
        "reason": str(reason),
        "phrase": list(reason.words),
    }


def _moves_shown(moves: Sequence[tuple[str, Mapping[str, str]]]) -> list[dict[str, Any]]:
    return [{"move": move, "fields": dict(fields)} for move, fields in moves]


# --- what somebody is told ------------------------------------------------------------------------------------------


def _not_free() -> UserFault:
    return UserFault(
        Code.BAD_ARGUMENT,
        N_("Organisation and role of a move come from who makes it, once people are declared at this node."),
        N_("Leave --org and --role out; `tiersync people list` shows what is recorded for you."),
    )


def _too_many() -> UserFault:
    return UserFault(
        Code.WRONG_STATE,
        N_("{most} drafts wait already."),
        N_("Approve, refuse or drop some: `tiersync draft list`."),
        most=DRAFTS_WAITING_MAX,
    )


def no_draft(number: int) -> UserFault:
    """No draft has this number."""
    return UserFault(
        Code.DRAFT_UNKNOWN,
        N_("There is no draft {draft} here."),
        N_("`tiersync draft list` shows those that wait, with --all the others too."),
        draft=number,
    )


def _ended(draft: Draft) -> UserFault:
    return UserFault(
        Code.DRAFT_ENDED,
        N_("Draft {draft} waits no more: it is {state}, by {name}."),
        N_("`tiersync draft show {draft}` tells the rest; what is still to be done is handed in anew."),
        draft=draft.id,
        state=Text(DRAFT_STATES[draft.state.value]),
        name=draft.decided_by,
    )


def _stale(draft: Draft, fault: InputFault) -> UserFault:
    why = of_reason(Code.DRAFT_STALE, fault.reason, fault.detail)
    return UserFault(
        Code.DRAFT_STALE,
        N_("The task has gone on since, and draft {draft} cannot be made any more: {why}"),
        N_("It is kept as stale. `tiersync task show {task}` shows how the task stands; hand in what it needs now."),
        draft=draft.id,
        task=draft.task,
        why=why.message,
    )


def _four_eyes(draft: Draft) -> UserFault:
    return UserFault(
        Code.FOUR_EYES,
        N_("Who wrote draft {draft} does not decide on it, and no deputy does in that person's right."),
        N_("Another approver has to: `tiersync people list` shows who is one, and who stands in for whom."),
        draft=draft.id,
    )


def _not_own(draft: Draft) -> UserFault:
    return UserFault(
        Code.PERSON_FORBIDS,
        N_("Only {name}, who answers for draft {draft}, can drop it."),
        N_("An approver can refuse it: `tiersync draft refuse {draft} --reason …`."),
        draft=draft.id,
        name=draft.keeper,
    )
