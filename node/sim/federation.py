"""The federation in one process: nodes, network and clock, and the small vocabulary in which scenarios are written.

net = Federation(seed=7, shape=(1, 1, 2))
net.enrol_all(); net.run(3)
net.put("c1", "case", cases); net.cut("c1"); net.run(20); net.heal("c1"); net.settle()
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from random import Random

from node.sim.agenda import Agenda
from node.sim.forger import Liar
from node.sim.keys import SimKey, make_suites
from node.sim.network import Connection
from node.sim.places import Place, make_tree
from node.sim.simnode import SimNode, WatchedStore
from node.sim.violation import Crash, Violation
from node.sim.watch import Watch
from node.sim.words import anchor_for, record_for
from node.store.restored import declare_restored
from node.taking_over import NoAnswer
from sync.effects import Act, Alarm, CloseLink, Reply, Send, Write
from sync.errors import InputFault
from sync.events import AnchorKnown, LinkClosed, LinkOpened, RegistryChange
from sync.reasons import Reason
from tiers.flows.clocks import Calendar

START_US = 1_767_225_600_000_000  # 2026-01-01
SECOND = 1_000_000
STEP_US = 200
DIAL_FIRST_US = 50_000
DIAL_MAX_US = 8 * SECOND
DIAL_FAILS_US = 300_000
IDLE_STEPS_MAX = 200
TRANSPORT_KEY = bytes(32)


class Asked(NoAnswer):
    """The token of what an administrator asks for and may be refused."""


class Federation:
    """All nodes of one simulated federation. Everything that is random comes from the seed."""

    def __init__(
        self,
        seed: int,
        shape: tuple[int, int, int] = (1, 3, 9),
        start_us: int = START_US,
        calendar: Calendar | None = None,
    ) -> None:
        """calendar: of every node, for the ends of limits that it says; without one it says none."""
        self.seed = seed
        self._calendar = calendar
        self.random = Random(seed)  # noqa: S311 - a simulation must repeat
        self.tree = make_tree(shape)
        self.agenda = Agenda(start_us)
        self.watch = Watch(self.tree)
        self.suite, self.suites = make_suites()
        self.trace = sha256(str((seed, shape)).encode())
        self.steps = self.frames = 0
        self.delay_us = (1_000, 20_000)
        self.dial_max_us = DIAL_MAX_US
        self.blocked: set[tuple[str, str]] = set()
        """Pairs (child, parent) between which nothing passes and no dial succeeds."""
        self.liar: Liar | None = None
        self._next_link = 0
        self.nodes: dict[str, SimNode] = {}
        self.copies: list[SimNode] = []
        self.succeeded: dict[str, str] = {}
        """Cities that were merged into others: old by new, as the simulator calls them."""
        self.on_crash: Callable[[SimNode], None] = lambda node: self.later(1.0, lambda: self.restart(node))
        self.on_commit: Callable[[SimNode, Sequence[Write]], None] = lambda _, __: None
        self.on_start: Callable[[SimNode], None] = lambda _: None
        for place in self.tree.places:
            self.nodes[place.short] = self._make(place)
        self._by_id = {node.id: node for node in self.nodes.values()}
        anchor = anchor_for(self.tree.nation, self.nodes["n"].key.public_key, TRANSPORT_KEY)
        for node in self.nodes.values():
            self.submit(node, AnchorKnown(anchor))

    def _make(self, place: Place) -> SimNode:
        key = SimKey(f"{self.seed}/{place.node}".encode(), self.suite)
        own = Random(f"{self.seed}/{place.node}")  # noqa: S311 - as above
        node = SimNode(place, self.tree, key, self.suites, own, self._committed, calendar=self._calendar)
        node.act = lambda act: self._act(node, act)
        node.clock = lambda: self.now + node.skew
        node.start_new()
        return node

    def _committed(self, node: SimNode, written: Sequence[Write]) -> None:
        self.watch.committed(node, written)
        self.on_commit(node, written)

    def node_of(self, node: str) -> SimNode:
        """The node of that id (the original, where there are copies)."""
        return self._by_id[node]

    # --- time ---------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """Virtual microseconds since 1970."""
        return self.agenda.now

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Arranges something."""
        self.agenda.at(self.now + int(seconds * SECOND), what)

    def run(self, seconds: float) -> None:
        """Lets virtual time pass."""
        end = self.now + int(seconds * SECOND)
        while (time := self.agenda.next_time()) is not None and time <= end:
            self.agenda.pop()()
        self.agenda.now = end

    # --- steps of nodes -----------------------------------------------------------------------------------------------

    def submit(self, node: SimNode, *items: object) -> None:
        """Puts local events or jobs into a node's inbox."""
        if node.up:
            node.inbox.extend(items)  # type: ignore[arg-type]
            self._wake(node, self.now + STEP_US)

    def _wake(self, node: SimNode, at: int) -> None:
        at = max(at, self.now)
        if node.step_at is None or at < node.step_at:
            node.step_at = at
            self.agenda.at(at, lambda: self._step(node, at))

    def _step(self, node: SimNode, at: int) -> None:
        if node.step_at != at or not node.up:
            return
        node.step_at = None
        self.steps += 1
        self._check_idle(node)
        try:
            node.step(self.now)
        except Crash:
            self.crash(node, lost=self.random.random() < 0.5)
            self.on_crash(node)
            return
        except Violation:
            raise
        except Exception as error:
            raise Violation("exception", f"{node.label}: {type(error).__name__}: {error}") from error
        if node.busy:
            self._wake(node, self.now + STEP_US)
        if node.engine.wake_at is not None:
            self._wake(node, max(self.now + STEP_US, node.engine.wake_at - node.skew))

    def _check_idle(self, node: SimNode) -> None:
        """A node that wakes itself again and again with nothing to do would burn a processor."""
        second = self.now // SECOND
        if node.inbox or node.idle_steps[0] != second:
            node.idle_steps = (second, 0)
        node.idle_steps = (second, node.idle_steps[1] + 1)
        if node.idle_steps[1] > IDLE_STEPS_MAX:
            raise Violation("busy_for_nothing", f"{node.label}: {IDLE_STEPS_MAX} steps in a second with nothing to do")

    def _act(self, node: SimNode, act: Act) -> None:
        match act:
            case Send():
                self._send(node, act)
            case Alarm():
                node.alarms[act.name] += 1
                if act.name in ("rows_diverge", "rows_diverge_there"):
                    raise Violation("rows_diverge", f"{node.label}: {dict(act.fields)}")
            case CloseLink():
                wire = node.links.get(act.link)
                if wire is not None:
                    self._close(node, wire)
            case Reply():
                early = isinstance(act.value, InputFault) and (
                    act.value.reason is Reason.RECOVERING or node.core.succeeded_by or isinstance(act.token, Asked)
                )
                if not isinstance(act.value, BaseException):
                    self.watch.answered(node, act.token, act.value)
                elif not early:
                    raise Violation("local_refused", f"{node.label}: {act.value}")
            case _:
                pass

    # --- the network --------------------------------------------------------------------------------------------------

    def _delay(self) -> int:
        return self.random.randint(*self.delay_us)

    def _send(self, node: SimNode, act: Send) -> None:
        wire = node.links.get(act.link)
        self.watch.sent(node, act.frame, wire.other(node).id if wire is not None else "")
        self.frames += 1
        self.trace.update(f"{self.now} {node.label} {act.link}".encode() + act.frame)
        if wire is None:
            return
        if self.liar is None:
            self._carry(node, wire, act.frame)
            return
        for way, data in self.liar.pass_on(node, wire, act.frame):
            self._carry(node, way, data)

    def _carry(self, node: SimNode, wire: Connection, data: bytes) -> None:
        if not wire.silent:
            to = wire.other(node)
            at = wire.arrival(to, self.now + self._delay())
            self.agenda.at(at, lambda: self._arrive(wire, to, data))

    def _arrive(self, wire: Connection, to: SimNode, data: bytes) -> None:
        if wire.reset or wire.silent or not to.up or not wire.is_open(to):
            return
        if not to.receive(wire.link_of(to), data):
            to.dial_wait = 0
        self._wake(to, self.now + self.random.randint(0, 2_000))

    def dial(self, child: SimNode) -> None:
        """The child tries to connect; on failure it tries again with a back-off."""
        child.dial_at = None
        if not child.up or child.links_up or not child.place.parent or not child.enrolled:
            return
        parent = self._by_id[child.place.parent]
        if not parent.up or (child.id, parent.id) in self.blocked:
            self._redial(child, DIAL_FAILS_US)
            return
        wire = Connection(child, parent, self._next_link + 1, self._next_link + 2)
        self._next_link += 2
        for node, peer, dialled in ((child, parent, True), (parent, child, False)):
            link = wire.link_of(node)
            node.links[link] = wire
            self.submit(node, LinkOpened(link, peer.id, dialled, b"" if dialled else TRANSPORT_KEY))

    def _redial(self, child: SimNode, least_us: int = 0) -> None:
        child.dial_wait = min(self.dial_max_us, max(DIAL_FIRST_US, child.dial_wait * 2))
        at = self.now + least_us + int(child.dial_wait * self.random.uniform(0.5, 1.0))
        if child.dial_at is None or at < child.dial_at:
            child.dial_at = at
            self.agenda.at(at, lambda: self.dial(child) if child.dial_at == at else None)

    def _close(self, node: SimNode, wire: Connection) -> None:
        """This end closes; the other hears of it after what was sent before."""
        self._end(node, wire)
        other = wire.other(node)
        if not wire.silent:
            at = wire.arrival(other, self.now + self._delay())
            self.agenda.at(at, lambda: self._closed(other, wire))

    def _closed(self, node: SimNode, wire: Connection) -> None:
        if node.up and wire.is_open(node):
            self.submit(node, LinkClosed(wire.link_of(node)))
            self._end(node, wire)

    def _end(self, node: SimNode, wire: Connection) -> None:
        node.links.pop(wire.link_of(node), None)
        if node is wire.child and node.up:
            self._redial(node)

    def _wires(self, node: SimNode) -> list[Connection]:
        return list(node.links.values())

    # --- vocabulary ---------------------------------------------------------------------------------------------------

    def __getitem__(self, short: str) -> SimNode:
        return self.nodes[short]

    def enrol(self, short: str, version: int = 1) -> None:
        """The parent records this node in its registry, once it is enrolled itself; then the node dials."""
        node = self.nodes[short]
        if not node.place.parent:
            node.enrolled = True
            return
        parent = self._by_id[node.place.parent]
        if not parent.up or parent.core.registry.newest(parent.id) is None:
            self.later(0.5, lambda: self.enrol(short, version))
            return
        node.enrolled = True
        record = record_for(node.place, node.key.public_key, TRANSPORT_KEY, version)
        self.submit(parent, RegistryChange(0, [record]))
        self._redial(node)

    def enrol_all(self, besides: Sequence[str] = ()) -> None:
        """Everybody is enrolled, from the top down."""
        for short in self.nodes:
            if short not in besides:
                self.enrol(short)

    def reset(self, node: SimNode) -> None:
        """Breaks every connection of a node: both ends are told, what is under way is lost."""
        for wire in self._wires(node):
            self.break_wire(wire)

    def break_wire(self, wire: Connection) -> None:
        """Breaks one connection."""
        wire.reset = True
        for end in (wire.child, wire.parent):
            self.agenda.at(self.now + self._delay(), lambda end=end: self._closed(end, wire))  # type: ignore[misc]

    def cut(self, short: str, silent: bool = False) -> None:
        """Nothing passes between a child and its parent until it is healed. silent: neither end is told."""
        child = self.nodes[short]
        self.blocked.add((child.id, child.place.parent))
        for wire in self._wires(child):
            if wire.child is child:
                if silent:
                    wire.silent = True
                else:
                    self.break_wire(wire)

    def heal(self, short: str) -> None:
        """The way is open again; a silent connection stays dead until its ends notice."""
        child = self.nodes[short]
        self.blocked.discard((child.id, child.place.parent))

    def crash(self, node: SimNode, lost: bool = True, told: bool = True) -> None:
        """The process dies. lost: what it sent last is lost with it; told: its peers see the connections break."""
        node.up = False
        node.fuse = 0
        node.store.rollback()
        node.inbox = []
        node.step_at = None
        self.trace.update(f"{self.now} crash {node.label}".encode())
        for wire in self._wires(node):
            del node.links[wire.link_of(node)]
            other = wire.other(node)
            wire.reset = wire.reset or lost
            if not told:
                wire.silent = True
            elif not wire.silent:
                at = wire.arrival(other, self.now + self._delay())
                self.agenda.at(at, lambda other=other, wire=wire: self._closed(other, wire))  # type: ignore[misc]

    def restart(self, node: SimNode) -> None:
        """The process starts again from what is committed."""
        if node.up:
            return
        self.watch.restarted(node)
        node.restart()
        self._wake(node, self.now + STEP_US)
        self._redial(node)
        self.on_start(node)

    def roll_back(self, short: str, store: WatchedStore, declared: bool) -> None:
        """The node runs on an older copy of its store. declared: as a restore is to do, with a new instance."""
        node = self.nodes[short]
        if node.up:
            self.crash(node)
        if declared:
            declare_restored(store, node.random.randbytes(16))
        node.up = True
        node.use(store)
        self.watch.reopened(node)
        node.follow()
        self._wake(node, self.now + STEP_US)
        self._redial(node)
        self.trace.update(f"{self.now} rolled back {short}".encode())

    def clone(self, short: str, store: WatchedStore | None = None) -> SimNode:
        """A byte copy of a node starts elsewhere and dials the same parent."""
        original = self.nodes[short]
        own = Random(f"{self.seed}/{original.id}/{len(self.copies)}")  # noqa: S311 - as above
        copy = SimNode(original.place, self.tree, original.key, self.suites, own, self._committed, copy="'")
        copy.act = lambda act: self._act(copy, act)
        copy.clock = original.clock
        copy.upgrade(original.release)
        copy.publisher = original.own_publisher()
        copy.use(store or original.copy_store())
        copy.enrolled = True
        copy.skew = original.skew
        self.copies.append(copy)
        self.watch.may_fork.add(original.id)
        self.watch.reopened(copy)
        self._wake(copy, self.now + STEP_US)
        self._redial(copy)
        return copy
