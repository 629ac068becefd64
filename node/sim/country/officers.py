"""The people of a simulated country: they issue tasks, wait, do what is usual or not, and cross each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from random import Random

from node.jobs import MoveWish
from node.sim.country.orders import Order
from node.sim.country.tasks import Task
from node.sim.country.words import fields_of
from node.sim.federation import Federation
from node.sim.simnode import SimNode
from node.sim.violation import Violation
from node.store.store import Store
from sync.effects import SaveMoves, Write
from sync.errors import InputFault
from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.bundle import PART_OF
from tiers.flows.check import COMMENT, PARENT
from tiers.flows.clocks import Calendar
from tiers.flows.guards import OVERRIDE
from tiers.flows.steps import moves_open, shown_state
from tiers.flows.table import Flow, Guard, Kind, MoveRule, Party, Stands

HOUR_S = 3_600.0
PATIENCE_S = 8 * HOUR_S
"""Until somebody acts, on average."""
USUAL_SHARE = 0.8
"""Of what is done by those whose turn it is."""
BETWEEN_SHARE = 0.2
"""How often somebody does something though it is not their turn."""
CROSSING_SHARE = 0.15
"""Of all planned tasks: both sides act at one moment, again until it was a crossing."""
TRIES_MAX = 5
OVERRIDE_SHARE = 0.3
LOWER_TIERS = ("city", "city", "provincial")
"""Of the lower end of a task: there are far more cities than provinces, yet a province alone has tasks to hand on."""
SPLIT = "split"
SPLIT_SHARE = 0.5
PARTS_MAX = 4
_HINDRANCES = (Reason.WRONG_STATE,)
"""Why a move that a person sees as open may be hindered: parts are open, or its time is over."""


class Officers:
    """All of them."""

    def __init__(self, net: Federation, calendar: Calendar, random: Random) -> None:
        self._net, self._calendar, self._random = net, calendar, random
        self.tasks: dict[str, Task] = {}
        self.hindered = 0
        """Moves that a person wanted and the own node did not take."""
        self.over = False
        self._orders = 0
        self._split: set[str] = set()

    # --- issuing ------------------------------------------------------------------------------------------------------

    def issue_all(self, count: int, seconds: float) -> None:
        """So many tasks at random times, every flow as often as any other."""
        flows = [flow for _, flow in sorted(self._net["n"].catalogue.flows.items())]
        crossing = set(self._random.sample(range(count), round(count * CROSSING_SHARE)))
        for number in range(count):
            flow = flows[number % len(flows)]
            task = Task(f"t-{number}", flow.id, *self._ends(flow), planned=True, to_cross=number in crossing)
            self._later(self._random.uniform(0, seconds), partial(self._issue, task, {}))

    def _ends(self, flow: Flow) -> tuple[SimNode, SimNode]:
        """Issuer and holder, one tier apart or two."""
        pairs: list[tuple[SimNode, SimNode]] = []
        nodes = list(self._net.nodes.values())
        while not pairs:
            tier = self._random.choice(LOWER_TIERS)
            lower = self._random.choice([node for node in nodes if node.place.profile == tier])
            uppers = [upper for upper in nodes if self._net.tree.is_below(lower.id, upper.id)]
            pairs = [(upper, lower) if flow.stands is Stands.ABOVE else (lower, upper) for upper in uppers]
            pairs = [pair for pair in pairs if pair[0].place.profile in flow.issuers]
        return self._random.choice(pairs)

    def _issue(self, task: Task, said: Mapping[str, str]) -> None:
        """Again after an hour, if the node was down."""
        if task.issuer.store.moves(task.id):
            return
        flow = task.issuer.catalogue.flows[task.flow]
        fields = {**self._fields(task.issuer, flow, flow.opening), **said}
        wish = MoveWish(flow.id, task.id, flow.opening.name, task.holder.id, "", "", fields, after=0)
        self.tasks[task.id] = task
        self._order(task.issuer, task.id, lambda _: wish)
        self._later(HOUR_S, partial(self._issue, task, said))

    def _hand_on(self, node: SimNode, split: MoveBody) -> None:
        """The parts of a task, to some of those straight below."""
        below = self._net.tree.children(node.id)
        for place in self._random.sample(below, min(len(below), self._random.randint(1, PARTS_MAX))):
            name = f"{split.task}-{place.short}"
            task = Task(name, split.flow, node, self._net.node_of(place.node), part_of=split.task)
            self._later(self._random.uniform(0, HOUR_S), partial(self._issue, task, {PART_OF: split.task}))

    # --- acting -------------------------------------------------------------------------------------------------------

    def moved(self, node: SimNode, written: Sequence[Write]) -> None:
        """What a node committed: its side of these tasks looks at them in a while."""
        for write in written:
            if isinstance(write, SaveMoves):
                for move in write.moves:
                    self._seen(node, move)
                self._consider(node, self.tasks[write.task])

    def _seen(self, node: SimNode, move: MoveBody) -> None:
        if move.task not in self.tasks:
            ends = (self._net.node_of(move.issuer), self._net.node_of(move.holder))
            self.tasks[move.task] = Task(move.task, move.flow, *ends)
        if move.move == SPLIT and move.by_node == node.id and move.move_id not in self._split:
            self._split.add(move.move_id)
            self._hand_on(node, move)

    def _consider(self, node: SimNode, task: Task) -> None:
        if node.label not in task.waits:
            task.waits.add(node.label)
            self._later(self._random.expovariate(1 / PATIENCE_S), partial(self._act, node, task))

    def _act(self, node: SimNode, task: Task) -> None:
        """Whose turn it is acts, and looks again whether it helped; somebody else now and then."""
        task.waits.discard(node.label)
        party = Party.ISSUER if node is task.issuer else Party.HOLDER
        history = node.store.moves(task.id)
        if not history:
            return
        flow = node.catalogue.flows[task.flow]
        its_turn = flow.state(shown_state(flow, history, node.store.pending_moves(task.id))).owner is party
        if its_turn:
            self._consider(node, task)
        if not its_turn and self._random.random() > BETWEEN_SHARE:
            return
        mine = self._order(node, task.id, partial(self._choose, node, party, task.id))
        if self._is_to_cross(task, history):
            other, against = (task.holder, Party.HOLDER) if party is Party.ISSUER else (task.issuer, Party.ISSUER)
            theirs = self._order(other, task.id, partial(self._choose, other, against, task.id, against=True))
            task.tries.append((mine, theirs) if party is Party.ISSUER else (theirs, mine))

    def _is_to_cross(self, task: Task, history: Sequence[MoveBody]) -> bool:
        can = len(task.tries) < TRIES_MAX and task.issuer.up and task.holder.up
        return task.to_cross and can and not task.is_crossed(history)

    def _choose(self, node: SimNode, party: Party, task: str, store: Store, against: bool = False) -> MoveWish | None:
        """What somebody does by what the node holds. against: something that may cross what the other side does."""
        history, pending = store.moves(task), store.pending_moves(task)
        if not history:
            return None
        flow = node.catalogue.flows[history[0].flow]
        state = flow.state(shown_state(flow, history, pending))
        others = self._others(node, history[0])
        able = list(self._able(node, flow, party, history, pending, others))
        split = [rule for rule in able if rule.name == SPLIT]
        if split and self._random.random() < SPLIT_SHARE:
            able = split
        if against:
            able = [rule for rule in able if rule.name != COMMENT]
            able = [rule for rule in able if not rule.quiet] or able
        usual = [rule for rule in able if rule.name == state.next]
        if state.owner is party and usual and not against and self._random.random() < USUAL_SHARE:
            able = usual
        if not able:
            return None
        rule = self._random.choice(able)
        return MoveWish(flow.id, task, rule.name, "", "", "", self._fields(node, flow, rule, others))

    def _others(self, node: SimNode, task: MoveBody) -> list[str]:
        """Those straight below who are no side of a task: to whom something of it can be given."""
        below = self._net.tree.children(node.id)
        return [place.node for place in below if place.node not in (task.issuer, task.holder)]

    def _able(
        self,
        node: SimNode,
        flow: Flow,
        party: Party,
        history: Sequence[MoveBody],
        pending: Sequence[MoveBody],
        others: Sequence[str],
    ) -> Iterator[MoveRule]:
        """What is open and can be meant: handing on and directing need somebody below, bringing up somebody above."""
        sides, above = (history[0].issuer, history[0].holder), node.standing.parent
        has_split = any(move.move == SPLIT for move in (*history, *pending))
        to_above = {start.on for start in flow.starts if start.to == PARENT}
        to_node = {field.name for field in flow.fields if field.kind is Kind.NODE}
        for rule in moves_open(flow, history, pending, party):
            gives = rule.name == SPLIT or to_node.intersection(rule.fields)
            if (gives and not others) or (rule.name == SPLIT and has_split):
                continue
            if rule.name not in to_above or (above and above not in sides):
                yield rule

    def _fields(self, node: SimNode, flow: Flow, rule: MoveRule, others: Sequence[str] = ()) -> dict[str, str]:
        said = fields_of(flow, rule, self._random, node.clock(), self._calendar, others)
        if Guard.PARTS_CLOSED in rule.guards and self._random.random() < OVERRIDE_SHARE:
            said[OVERRIDE] = "as agreed"
        return said

    def _order(self, node: SimNode, task: str, choose: Callable[[Store], MoveWish | None]) -> str:
        """The id that the move will have."""
        self._orders += 1
        move_id = f"move-{self._orders}"
        order = Order(node, task, move_id, node.clock(), self._calendar, choose, self._hindered)
        self._net.submit(node, order)
        return move_id

    def _hindered(self, wish: MoveWish, fault: InputFault) -> None:
        if fault.reason not in _HINDRANCES:
            raise Violation("move_refused", f"{wish.move} of {wish.task}: {fault}")
        self.hindered += 1

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        self._net.later(seconds, lambda: None if self.over else what())
