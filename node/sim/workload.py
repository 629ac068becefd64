"""What the simulated platforms do all day: cases come, change, are voided, are supervised; codes and units are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from node.sim.federation import Federation
from node.sim.places import catalogue
from node.sim.simnode import SimNode
from node.store.store import Store
from sync.errors import InputFault
from sync.events import Event, LocalMove, LocalPut
from sync.judge import LocalRows
from sync.values import Cell, Key, Row
from tiers.flows import FLOWS
from tiers.flows.steps import Author, party_of, propose, shown_state, start
from tiers.flows.table import Party

KEYS = 24
"""So many different cases a city has: few, so that they meet again and again."""
CODES = ("0101", "0102", "0103", "0104")
TABLE = "SIM-2026"
STATES = ("reported", "registered", "dispatched", "handling", "checking", "closed")


@dataclass(frozen=True, slots=True)
class Put:
    """A local transaction that reads, inside it, what the rows were before."""

    token: object
    node: str
    dataset: str
    rows: Sequence[Row]
    voids: Sequence[Key] = ()

    def run(self, store: Store) -> Sequence[Event]:
        """As node.engine.Job.run."""
        schema = catalogue().datasets[self.dataset].schema
        places = [schema.names.index(k) for k in schema.key]
        keys = [tuple(row[p] for p in places) for row in self.rows]
        before = store.read_rows(self.dataset, self.node, [*keys, *self.voids])
        voids = [(key, "") for key in self.voids if key in before]
        if not self.rows and not voids:
            return ()
        return (LocalPut(self.token, LocalRows(self.dataset, self.rows, voids, before)),)


@dataclass(frozen=True, slots=True)
class Move:
    """One move in a task, whatever its state allows this node; nothing if it allows nothing."""

    token: object
    node: str
    task: str
    move_id: str
    at: int
    choose: Callable[[Sequence[str]], str]
    holder: str = ""
    opening: SimNode | None = None

    def run(self, store: Store) -> Sequence[Event]:
        """As node.engine.Job.run."""
        flow = FLOWS["W2"]
        author = Author(self.node)
        fields = dict.fromkeys(("title", "requirement", "due", "result", "reason", "until", "text"), "x")
        history, pending = store.moves(self.task), store.pending_moves(self.task)
        if not history:
            if self.opening is None:
                return ()
            standing = self.opening.standing
            body = start(flow, standing, self.holder, self.task, self.move_id, author, self.at, fields)
            return (LocalMove(self.token, body, body.holder),)
        party = Party.ISSUER if history[0].issuer == self.node else Party.HOLDER
        state = shown_state(flow, history, pending)
        open_moves = [rule.name for rule in flow.open_moves(state, party)]
        if not open_moves:
            return ()
        name = self.choose(open_moves)
        try:
            body = propose(flow, history, pending, name, self.move_id, author, self.at, fields)
        except InputFault:
            return ()
        assert party_of(body) is party
        return (LocalMove(self.token, body, body.holder if party is Party.ISSUER else body.issuer),)


def row_of(dataset: str, **cells: Cell) -> Row:
    """A row in schema order; what is not given is empty."""
    return tuple(cells.get(name) for name in catalogue().datasets[dataset].schema.names)


def case_row(number: int, region: str, *, supervised: bool, state: str = "reported", code: str = "", at: int) -> Row:
    """A case with something in a held-back column, which must never leave its node."""
    return row_of(
        "case",
        case_id=f"{region}-{number:03d}",
        category="event",
        source="inspector",
        division=region,
        state=state,
        reported_at=at,
        supervised=supervised,
        class_scheme=TABLE if code else None,
        class_code=code or None,
        description="stays at home",
    )


def code_row(code: str, name: str, status: str = "effective") -> Row:
    """A code of the simulated code table."""
    return row_of(
        "class_code", table_name=TABLE, code=code, table_version=1, name_zh=name, is_extension=False, status=status
    )


def unit_row(region: str, number: int, name: str) -> Row:
    """An organisation."""
    return row_of("org_unit", uscc=f"{region}{number:012d}", name=name, division=region, role="handling")


class Workload:
    """Makes random local work at random nodes."""

    def __init__(self, net: Federation, random: Random, hostile: Sequence[str] = ()) -> None:
        self._net = net
        self._random = random
        self._hostile = frozenset(hostile)
        self._moves = 0
        self._tasks: list[tuple[str, str, str]] = []
        self.done = 0

    def work(self) -> None:
        """One local transaction somewhere."""
        self.done += 1
        roll = self._random.random()
        if roll < 0.70:
            self._cases()
        elif roll < 0.80:
            self._units()
        elif roll < 0.86:
            self._codes()
        else:
            self._move()

    def _pick(self, *profiles: str) -> SimNode:
        nodes = [n for n in self._net.nodes.values() if n.place.profile in profiles]
        return self._random.choice(nodes)

    def _cases(self) -> None:
        node, random = self._pick("city"), self._random
        numbers = random.sample(range(KEYS), random.randint(1, 6))
        split = random.randint(1, len(numbers)) if random.random() < 0.3 else len(numbers)
        rows = []
        for number in numbers[:split]:
            region = node.place.region
            if node.label in self._hostile and random.random() < 0.3:
                region = "650100"
            supervised, state = random.random() < 0.4, random.choice(STATES)
            code = random.choice(CODES) if random.random() < 0.25 else ""
            row = case_row(number, region, supervised=supervised, state=state, code=code, at=self._net.now)
            rows.append(row)
        voids: list[Key] = [(f"{node.place.region}-{number:03d}",) for number in numbers[split:]]
        self._net.submit(node, Put(self.done, node.id, "case", rows, voids))

    def _units(self) -> None:
        node, random = self._pick("city", "provincial"), self._random
        rows = [unit_row(node.place.region, random.randint(1, 8), f"unit {random.randint(0, 99)}")]
        self._net.submit(node, Put(self.done, node.id, "org_unit", rows))

    def _codes(self) -> None:
        node, random = self._net["n"], self._random
        status = "effective" if random.random() < 0.8 else "retired"
        row = code_row(random.choice(CODES), f"code {random.randint(0, 99)}", status)
        self._net.submit(node, Put(self.done, node.id, "class_code", [row]))

    def release_all_codes(self) -> None:
        """The nation puts every code into effect, so that nothing need stay parked."""
        rows = [code_row(code, "released") for code in CODES]
        self._net.submit(self._net["n"], Put(0, self._net["n"].id, "class_code", rows))

    def _move(self) -> None:
        random, self._moves = self._random, self._moves + 1
        if not self._tasks or random.random() < 0.3:
            issuer = self._pick("national", "provincial")
            below = [p for p in self._net.tree.places if self._net.tree.is_below(p.node, issuer.id)]
            if not below:
                return
            holder = random.choice(below)
            task = (f"task-{self._moves}", issuer.label, holder.short)
            self._tasks.append(task)
        else:
            task = random.choice(self._tasks)
        name, issuer_name, holder_name = task
        side = self._net[random.choice((issuer_name, issuer_name, holder_name))]
        opening = side if side.label == issuer_name else None
        held = self._net[holder_name].id
        move = Move(self.done, side.id, name, f"move-{self._moves}", self._net.now, random.choice, held, opening)
        self._net.submit(side, move)

    @property
    def tasks(self) -> list[tuple[str, str, str]]:
        """(task, issuer, holder) of every task begun."""
        return list(self._tasks)
