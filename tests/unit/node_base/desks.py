"""A node's desk on paper: jobs of node/desk.py on a store in memory, by which moves that leave are seen at once."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from node.desk import Decide, Desk, HandIn, Made
from node.hands import Hand
from node.jobs import MoveWish
from node.store.people import DraftState
from node.store.store import Store
from sync.effects import Reply, SaveMoves
from sync.errors import InputFault, LocalFault
from sync.events import LocalMove
from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import MoveBody
from tests.unit.tiers.kit import CATALOGUE, CITY, PROVINCE_STANDS
from tiers.people import Approval, Wanted

AT = 1_790_000_000_000_000
INSTANCE = b"i" * 16


class _Ticket:
    """What a job answers."""

    def __init__(self) -> None:
        self.value: Any = None

    def resolve(self, value: Any) -> None:
        assert self.value is None, "answered twice"
        self.value = value


class Outcome(NamedTuple):
    """What a job answered, and which moves left."""

    answer: Made | BaseException
    left: list[MoveBody]


def _said(move: str) -> dict[str, str]:
    rule = CATALOGUE.flows["W2"].rule(move)
    days = ("due", "until")
    return {name: "2026-12-31" if name in days else "说明" for name in (rule.fields if rule else ())}


class PaperDesk:
    """A province that issues to a city. recovering: the core takes no moves for now."""

    def __init__(self, approval: Approval = Approval(Wanted.ALL)) -> None:  # noqa: B008 - a value
        self.store = Store.in_memory([], INSTANCE)
        self.approval = approval
        self.day = date(2026, 10, 1)
        self.recovering = False
        self._serial = 0

    def close(self) -> None:
        self.store.close()

    def change(self, work: Any) -> Any:
        """Something written to the store."""
        self.store.begin()
        done = work(self.store)
        self.store.commit()
        return done

    def hand_in(self, name: str, task: str, *moves: str, owner: bool = False, **fields: str) -> Outcome:
        """Moves of W2 of one task, each with the fields that it must say, and `fields`."""
        wishes = [MoveWish("W2", task, move, CITY, "", "", _said(move) | fields) for move in moves]
        hand, ids = Hand(name, name, owner), [self._id() for _ in moves]
        return self._run(lambda ticket: HandIn(ticket, self._desk(), hand, wishes, ids))

    def decide(self, name: str, number: int, state: DraftState = DraftState.APPROVED, reason: str = "") -> Outcome:
        """The end of a draft."""
        draft = self.store.people.draft(number)
        ids = [self._id() for _ in draft.moves] if draft is not None else []
        hand = Hand(name, name)
        return self._run(lambda ticket: Decide(ticket, self._desk(), hand, number, state, reason, ids))

    def drafts(self, state: str = "waiting") -> list[int]:
        """Numbers of the drafts in a state, the oldest first."""
        return [draft.id for draft in reversed(self.store.people.drafts(1_000, state=state))]

    def _run(self, make: Any) -> Outcome:
        ticket, left = _Ticket(), []
        job = make(ticket)
        self.store.begin()
        try:
            for step in job.run(self.store):
                if isinstance(step, Reply):
                    ticket.resolve(step.value)
                elif isinstance(step, LocalMove) and self.recovering:
                    step.token.resolve(InputFault(Reason.RECOVERING, "not yet level"))
                    break
                elif isinstance(step, LocalMove):
                    self.store.perform(SaveMoves(step.body.task, [step.body]))
                    left.append(step.body)
                    step.token.resolve(step.body.move_id)
                else:
                    step(self.store)
        except LocalFault as fault:
            ticket.resolve(fault)
        self.store.commit()
        assert ticket.value is not None, "nobody was answered"
        return Outcome(ticket.value, left)

    def _desk(self) -> Desk:
        return Desk(PROVINCE_STANDS, CATALOGUE.flows, self.approval, AT, self.day)

    def _id(self) -> str:
        self._serial += 1
        return f"id{self._serial}"
