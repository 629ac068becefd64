"""Two desks that share tasks, an issuer's and a holder's, each with what it keeps, and ordered post between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from sync.errors import InputFault
from sync.judge import MoveJudgement, Signer
from sync.values import Fate
from sync.wire.v1.entry_pb2 import EntryHeader, MoveBody, MoveField
from tests.unit.tiers.kit import (
    CATALOGUE,
    CITY,
    CITY_STANDS,
    DISTRICT_STANDS,
    NATION_STANDS,
    PROVINCE_STANDS,
    KnownFake,
    signer,
)
from tiers.flows import FLOWS
from tiers.flows.steps import Author, propose, start, state_of
from tiers.flows.supervision import W2
from tiers.flows.table import Party
from tiers.judging import TierJudge
from tiers.profile import Standing

JUDGE = TierJudge(CATALOGUE)
TASK = "task-1"
STANDS = {s.node: s for s in (NATION_STANDS, PROVINCE_STANDS, CITY_STANDS, DISTRICT_STANDS)}
ALL_FIELDS = {name: "2026-12-31" if name in W2.dates else f"{name} of it" for rule in W2.moves for name in rule.fields}


class Desk:
    """One node as far as moves go: keeps histories as the store does, retries what is parked, posts what it says."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self.node = standing.node
        self.known = KnownFake()
        self.post: deque[MoveBody] = deque()
        self.parked: list[tuple[Signer, MoveBody]] = []
        self.judged: list[MoveJudgement] = []
        self._made = 0

    def history(self, task: str = TASK) -> list[MoveBody]:
        return self.known.tasks.setdefault(task, [])

    def pending(self, task: str = TASK) -> list[MoveBody]:
        return self.known.waiting.setdefault(task, [])

    def state(self) -> str:
        return state_of(self.history())

    def begin(self, holder: str, fields: Mapping[str, str] = ALL_FIELDS, task: str = TASK) -> MoveBody:
        """Starts a task as its issuer."""
        body = start(W2, self.standing, holder, task, self._id(), Author(self.node, "org", "role"), 1, fields)
        self._keep([body])
        self.post.append(body)
        return body

    def make(self, move: str, fields: Mapping[str, str] = ALL_FIELDS) -> MoveBody:
        """Makes a move of its own. Raises InputFault."""
        author = Author(self.node, "org", "role")
        body = propose(W2, self.history(), self.pending(), move, self._id(), author, 1, fields)
        self._keep([body])
        self.post.append(body)
        return body

    def may(self, move: str) -> bool:
        """Makes the move if it may."""
        try:
            self.make(move)
        except InputFault:
            return False
        return True

    def hear(self, body: MoveBody, sealed_by: Standing) -> MoveJudgement:
        """Judges what arrived as if from the wire, then looks at what was parked again until nothing changes."""
        said = MoveBody.FromString(body.SerializeToString())
        judgement = self._judge(said, signer(sealed_by))
        if judgement.fate is Fate.PARKED:
            self.parked.append((signer(sealed_by), said))
        again = True
        while again:
            waiting, self.parked = self.parked, []
            again = False
            for by, move in waiting:
                if self._judge(move, by).fate is Fate.PARKED:
                    self.parked.append((by, move))
                else:
                    again = True
        return judgement

    def _judge(self, body: MoveBody, by: Signer) -> MoveJudgement:
        judgement = JUDGE.move(EntryHeader(), body, by, self.known, self.node)
        self._keep(judgement.record)
        self.post.extend(judgement.answers)
        self.judged.append(judgement)
        return judgement

    def _keep(self, moves: tuple[MoveBody, ...] | list[MoveBody]) -> None:
        for body in moves:
            waiting = self.pending(body.task)
            if body.number:
                history = self.history(body.task)
                assert body.number == len(history) + 1
                history.append(body)
                waiting[:] = [m for m in waiting if m.move_id != body.move_id]
            else:
                waiting.append(body)

    def _id(self) -> str:
        self._made += 1
        return f"{self.node[:7]}-{self._made}"


def deliver(sender: Desk, receiver: Desk, count: int = 1_000_000) -> None:
    """Hands over the next moves posted, in order."""
    while sender.post and count:
        receiver.hear(sender.post.popleft(), sender.standing)
        count -= 1


def settle(issuer: Desk, holder: Desk) -> None:
    """Delivers everything both ways until nothing is on its way."""
    while issuer.post or holder.post:
        deliver(issuer, holder)
        deliver(holder, issuer)


def facts(desk: Desk) -> list[bytes]:
    """A task's numbered history as bytes, to be compared."""
    return [m.SerializeToString(deterministic=True) for m in desk.history()]


def illegal_effects(desk: Desk) -> list[str]:
    """Accepted moves of a history that the table does not allow where they stand: there must be none."""
    flow = FLOWS["W2"]
    found, state = [], ""
    for place, body in enumerate(desk.history(), start=1):
        rule = flow.rule(body.move)
        if body.accepted:
            by = body.issuer if rule and rule.by.value == "issuer" else body.holder
            if rule is None or state not in rule.starts or body.by_node != by:
                found.append(f"{place}: {body.move} in {state} by {body.by_node}")
            else:
                state = rule.after(state)
        if body.state != state or body.number != place:
            found.append(f"{place}: state {body.state}, not {state}")
    return found


def desks(*moves: str) -> tuple[Desk, Desk]:
    """A province and a city with a task that went through these moves, all of it settled."""
    issuer, holder = Desk(PROVINCE_STANDS), Desk(CITY_STANDS)
    issuer.begin(CITY)
    for move in moves:
        rule = W2.rule(move)
        assert rule is not None
        (issuer if rule.by is Party.ISSUER else holder).make(move)
        settle(issuer, holder)
    settle(issuer, holder)
    return issuer, holder


def forged(desk: Desk, move: str, move_id: str = "") -> MoveBody:
    """A proposal that the holder's own node would not have made."""
    first = desk.history()[0]
    body = MoveBody(flow="W2", task=TASK, issuer=first.issuer, holder=first.holder, move=move)
    body.move_id = move_id or f"forged-{move}"
    body.base, body.by_node = desk.history()[-1].number, desk.node
    body.fields.extend(MoveField(name=n, text=t) for n, t in ALL_FIELDS.items())
    desk.pending().append(body)
    return body
