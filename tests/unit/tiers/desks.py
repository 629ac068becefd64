"""Two desks that share tasks, an issuer's and a holder's, each with what it keeps, and ordered post between them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping

from sync.errors import InputFault
from sync.judge import MoveJudgement, Signer
from sync.values import Fate
from sync.wire.v1.entry_pb2 import EntryHeader, MoveBody, MoveField
from tests.unit.tiers.kit import (
    CATALOGUE,
    CITY_STANDS,
    DISTRICT_STANDS,
    NATION_STANDS,
    PROVINCE_STANDS,
    KnownFake,
    signer,
)
from tiers.catalogue import Catalogue
from tiers.flows.clocks import Calendar
from tiers.flows.standing import say_due
from tiers.flows.steps import Author, counted_of, fields_of, moves_open, propose, start, state_of
from tiers.flows.table import Flow, Kind, Party, Stands
from tiers.judging import TierJudge
from tiers.profile import Standing

TASK = "task-1"
OTHER_CITY = "c330200.p330000.cn-demo"
STANDS = {s.node: s for s in (NATION_STANDS, PROVINCE_STANDS, CITY_STANDS, DISTRICT_STANDS)}
FLOWS = CATALOGUE.flows
W2 = FLOWS["W2"]
START_US = 1_790_000_000_000_000
"""When the first move is made: 2026-09-21."""


def fields_for(flow: Flow) -> dict[str, str]:
    """Something proper for every field that a move of a flow must say."""
    said = {Kind.DATE: "2026-10-01", Kind.INTEGER: "1", Kind.NODE: OTHER_CITY, Kind.DIVISION: "330200"}
    said |= {Kind.POSITION: "-", Kind.RELEASE: f"{'a' * 64}:7"}
    wanted = {name for rule in flow.moves for name in rule.fields}
    return {
        f.name: f.values[0].value if f.kind is Kind.CHOICE else said.get(f.kind, f"{f.name} of it")
        for f in flow.fields
        if f.name in wanted
    }


ALL_FIELDS = fields_for(W2)


def sides(flow: Flow) -> tuple[Standing, Standing]:
    """An issuer and a holder that may have a task of that flow."""
    pairs = ((PROVINCE_STANDS, CITY_STANDS), (CITY_STANDS, DISTRICT_STANDS), (NATION_STANDS, CITY_STANDS))
    if flow.stands is Stands.BELOW:
        pairs = tuple((lower, upper) for upper, lower in pairs)
    return next(pair for pair in pairs if pair[0].profile.id in flow.issuers)


class Desk:
    """One node as far as moves go: keeps histories as the store does, retries what is parked, posts what it says."""

    def __init__(
        self,
        standing: Standing,
        flow: Flow = W2,
        catalogue: Catalogue = CATALOGUE,
        calendar: Callable[[], Calendar] | None = None,
    ) -> None:
        """calendar: by which it says the ends of limits as the issuer; without one it says none."""
        self.standing = standing
        self.flow = flow
        self.judge = TierJudge(catalogue, calendar)
        self.calendar = calendar
        self.fields = fields_for(flow)
        self.now = START_US
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

    def begin(self, holder: str, fields: Mapping[str, str] | None = None, task: str = TASK) -> MoveBody:
        """Starts a task as its issuer."""
        author, said = Author(self.node, "org", "role"), self.fields if fields is None else fields
        body = start(self.flow, self.standing, holder, task, self._id(), author, self.now, said)
        self._say_due(body, [])
        self._keep([body])
        self.post.append(body)
        return body

    def make(self, move: str, fields: Mapping[str, str] | None = None) -> MoveBody:
        """Makes a move of its own. Raises InputFault."""
        author, said = Author(self.node, "org", "role"), self.fields if fields is None else fields
        body = propose(self.flow, self.history(), self.pending(), move, self._id(), author, self.now, said)
        self._say_due(body, self.history())
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

    def goes_on(self, place: int) -> bool:
        """Makes one of the moves that its screen offers."""
        party = Party.ISSUER if self.history()[0].issuer == self.node else Party.HOLDER
        offered = moves_open(self.flow, self.history(), self.pending(), party)
        return bool(offered) and self.may(offered[place % len(offered)].name)

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
        judgement = self.judge.move(EntryHeader(), body, by, self.known, self.node, self.now)
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

    def _say_due(self, body: MoveBody, history: list[MoveBody]) -> None:
        if body.number and self.calendar is not None:
            say_due(self.flow, history, body, self.calendar())

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


def illegal_effects(desk: Desk, newest: int = START_US) -> list[str]:
    """What of a history the table does not allow where it stands, or counts after `newest`: there must be none."""
    found, state, made = [], "", Counter[str]()
    for place, body in enumerate(desk.history(), start=1):
        rule = desk.flow.rule(body.move)
        if body.accepted:
            made[body.move] += 1
            party = Party.ISSUER if body.by_node == body.issuer else Party.HOLDER
            if rule is None or state not in rule.starts or rule.by not in (party, Party.EITHER):
                found.append(f"{place}: {body.move} in {state} by {body.by_node}")
            elif rule.most and made[body.move] > rule.most:
                found.append(f"{place}: {body.move} for the {made[body.move]}th time")
            elif wrong := [name for name in rule.fields if not _is_said(desk.flow, name, fields_of(body))]:
                found.append(f"{place}: {body.move} without {wrong}")
            else:
                state = rule.after(state)
        if counted_of(body) > newest:
            found.append(f"{place}: {body.move} counts at a time that was not yet")
        if body.state != state or body.number != place:
            found.append(f"{place}: state {body.state}, not {state}")
    return found


def _is_said(flow: Flow, name: str, said: Mapping[str, str]) -> bool:
    """Whether a field says what its kind allows, as far as a look at it tells."""
    rule, text = flow.field(name), said.get(name, "").strip()
    if rule is None or not text:
        return False
    if rule.kind is Kind.CHOICE:
        return text in {one.value for one in rule.values}
    return rule.kind in (Kind.TEXT, Kind.POSITION) or any(digit.isdigit() for digit in text)


def desks(*moves: str) -> tuple[Desk, Desk]:
    """A province and a city with a supervision that went through these moves, all of it settled."""
    return desks_of(W2, *moves)


def desks_of(flow: Flow, *moves: str) -> tuple[Desk, Desk]:
    """The two sides of a task of a flow that went through these moves, all of it settled."""
    upper, lower = sides(flow)
    issuer, holder = Desk(upper, flow), Desk(lower, flow)
    issuer.begin(holder.node)
    settle(issuer, holder)
    for move in moves:
        rule = flow.rule(move)
        assert rule is not None, move
        (holder if rule.by is Party.HOLDER else issuer).make(move)
        settle(issuer, holder)
    settle(issuer, holder)
    return issuer, holder


def forged(desk: Desk, move: str, move_id: str = "") -> MoveBody:
    """A proposal that the holder's own node would not have made."""
    first = desk.history()[0]
    body = MoveBody(flow=desk.flow.id, task=TASK, issuer=first.issuer, holder=first.holder, move=move, at=desk.now)
    body.move_id = move_id or f"forged-{move}"
    body.base, body.by_node = desk.history()[-1].number, desk.node
    body.fields.extend(MoveField(name=n, text=t) for n, t in desk.fields.items())
    desk.pending().append(body)
    return body
