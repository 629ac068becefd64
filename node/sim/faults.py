"""What goes wrong, when: a plan drawn from the seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from random import Random

from node.sim.federation import SECOND, Asked, Federation
from node.sim.forger import Forger
from node.sim.places import ALL_CASES
from node.sim.releases import FIRST, NEWEST
from node.sim.simnode import SimNode, WatchedStore
from node.sim.violation import Violation
from node.sim.work import Put, code_row
from node.store.restored import clear_clone
from node.succession import SucceedJob

FAULTS_PER_SECOND = 0.35
SKEW_MAX_US = 86_400 * SECOND


@dataclass(frozen=True, slots=True)
class Faults:
    """Which kinds of fault may happen."""

    resets: bool = False
    partitions: bool = False
    half_open: bool = False
    crashes: bool = False
    skew: bool = False
    slow: bool = False
    hostile: bool = False
    forging: bool = False
    late: bool = False
    reenrol: bool = False
    settings: bool = False
    restore: bool = False
    rollback_leaf: bool = False
    rollback_relay: bool = False
    clone: bool = False
    fork: bool = False
    succession: bool = False
    """A city merges into another of its province."""
    swallowing: bool = False
    """After everything is level: a relay keeps a city's work back."""
    releases: bool = False
    """Nodes begin with one release of the catalogue and are upgraded to others, each at a time of its own."""

    def names(self) -> tuple[str, ...]:
        """The kinds that are on."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name))

    @classmethod
    def drawn(cls, random: Random) -> Faults:
        """A mixture: links and crashes nearly always, one kind of storage trouble at most."""
        storage = random.choice(
            ("", "", "restore", "restore", "rollback_leaf", "rollback_leaf", "rollback_relay", "clone", "fork")
        )
        return cls(
            resets=random.random() < 0.8,
            partitions=random.random() < 0.5,
            half_open=random.random() < 0.4,
            crashes=random.random() < 0.7,
            skew=random.random() < 0.3,
            slow=random.random() < 0.2,
            hostile=random.random() < 0.2,
            forging=random.random() < 0.2,
            late=random.random() < 0.5,
            reenrol=random.random() < 0.3,
            settings=random.random() < 0.3,
            swallowing=random.random() < 0.1,
            releases=random.random() < 0.25,
            succession=random.random() < 0.2,
            **({storage: True} if storage else {}),
        )


ALL = Faults(**{f.name: True for f in fields(Faults)})


class Plan:
    """Arranges faults in a federation's agenda and undoes them at the end."""

    def __init__(self, net: Federation, random: Random, faults: Faults, seconds: float) -> None:
        self.net = net
        self.random = random
        self.faults = faults
        self.seconds = seconds
        self.done: list[str] = []
        self.over = False
        cities = [n.label for n in net.nodes.values() if n.place.profile == "city"]
        self.late = [random.choice(cities)] if faults.late and len(cities) > 2 else []
        ordinary = [c for c in cities if c not in self.late]
        self.hostile = [random.choice(ordinary)] if faults.hostile else []
        self._copies: list[tuple[str, WatchedStore]] = []
        self._touched: set[str] = set()
        self._wide: set[str] = set()
        """Cities that publish all of their cases to the nation."""
        self._storage_faults = 0
        self._must_show = False
        self._forger: Forger | None = None
        net.on_crash = self._crashed
        if faults.forging:
            self._forger = net.liar = Forger(
                self._one_of("provincial"),
                Random(f"forger/{net.seed}"),  # noqa: S311 - must repeat
            )
            net.watch.forging = True
        if faults.slow:
            net.delay_us = (20_000, 400_000)
        if faults.skew:
            for node in net.nodes.values():
                node.skew = random.randint(-SKEW_MAX_US, SKEW_MAX_US)
        if faults.releases:
            for node in net.nodes.values():
                self._install(node, random.choice((FIRST, FIRST, FIRST + 1, NEWEST)))

    # --- arranging ----------------------------------------------------------------------------------------------------

    def arrange(self) -> None:
        """Draws the times and kinds of all faults."""
        kinds = self._kinds()
        for place in self.late:
            self.net.later(self.random.uniform(5, self.seconds * 0.8), lambda place=place: self._enrol(place))  # type: ignore[misc]
        if self.faults.reenrol:
            self.net.later(self.random.uniform(5, self.seconds * 0.9), self._reenrol)
        if self.faults.succession:
            self.net.later(self.random.uniform(5, self.seconds * 0.8), self._guarded(self._succession))
        time = 0.0
        while kinds and (time := time + self.random.expovariate(FAULTS_PER_SECOND)) < self.seconds:
            self.net.later(time, self._guarded(self.random.choice(kinds)))
        if self.faults.releases:
            self._arrange_releases()
        self._arrange_storage()

    def _arrange_releases(self) -> None:
        """Most nodes are upgraded while work goes on, some more than once, some not at all."""
        for node in self.net.nodes.values():
            for _ in range(self.random.choice((0, 1, 1, 2))):
                at = self.random.uniform(2, self.seconds)
                self.net.later(at, self._guarded(lambda node=node: self._upgrade(node, node.release + 1)))  # type: ignore[misc]

    def _kinds(self) -> list[Callable[[], None]]:
        faults, kinds = self.faults, list[Callable[[], None]]()
        if faults.resets:
            kinds += [self._reset, self._reset]
        if faults.partitions:
            kinds.append(self._partition)
        if faults.half_open:
            kinds.append(self._half_open)
        if faults.crashes:
            kinds += [self._fuse, self._fuse, self._fuse, self._power_cut]
        if faults.settings:
            kinds.append(self._settings)
        return kinds

    def _guarded(self, kind: Callable[[], None]) -> Callable[[], None]:
        return lambda: None if self.over else kind()

    def _arrange_storage(self) -> None:
        faults = self.faults
        wanted: list[tuple[str, bool]] = []
        if faults.restore:
            wanted += [(self.random.choice(list(self.net.nodes)), True)]
        if faults.rollback_leaf:
            wanted += [(self._one_of("city"), False)]
        if faults.rollback_relay:
            wanted += [(self._one_of("provincial", "national"), False)]
        if faults.clone:
            city, at = self._one_of("city"), self.random.uniform(0.15, 0.4) * self.seconds
            self.net.later(at, lambda: self._clone(city))
        if faults.fork:
            self.net.later(self.random.uniform(0.1, 0.5) * self.seconds, self._fork)
        for short, declared in wanted:
            taken = self.random.uniform(2, self.seconds * 0.6)
            back = taken + self.random.uniform(3, self.seconds * 0.35)
            self.net.later(taken, lambda short=short: self._copy(short))  # type: ignore[misc]
            self.net.later(back, lambda short=short, declared=declared: self._roll_back(short, declared))  # type: ignore[misc]

    def _one_of(self, *profiles: str) -> str:
        return self.random.choice([n.label for n in self.net.nodes.values() if n.place.profile in profiles])

    # --- single faults ------------------------------------------------------------------------------------------------

    def _note(self, what: str) -> None:
        self.done.append(what)

    def _enrol(self, short: str) -> None:
        self._note(f"enrol {short}")
        self.net.enrol(short)

    def _reenrol(self) -> None:
        node = self.net[self._one_of("city", "provincial")]
        merged = (*self.net.succeeded, *self.net.succeeded.values())
        if node.enrolled and node.label not in self.late and node.label not in merged:
            self._note(f"reenrol {node.label}")
            self.net.enrol(node.label, version=2)

    def _succession(self) -> None:
        """A city merges into another; where their province cannot say it now, later."""
        net = self.net
        cities = [n for n in net.nodes.values() if n.place.profile == "city" and self._is_ordinary(n)]
        pairs = [(a, b) for a in cities for b in cities if a is not b and a.place.parent == b.place.parent]
        pairs = [(a, b) for a, b in pairs if a.place.parent != net["n"].id]
        if not pairs:
            return
        old, new = self.random.choice(pairs)
        province = net.node_of(old.place.parent)
        net.submit(province, SucceedJob(Asked(), lambda: province.core, old.id, new.id, (), "2026-11-22"))  # type: ignore[arg-type]
        net.later(0.2, self._guarded(lambda: self._see_succession(old, new, province)))

    def _is_ordinary(self, node: SimNode) -> bool:
        """Whether nothing else befalls it that this would have to be told apart from."""
        return node.enrolled and node.label not in (*self.late, *self._touched, *self.net.succeeded)

    def _see_succession(self, old: SimNode, new: SimNode, province: SimNode) -> None:
        found = province.core.registry.newest(old.id)
        if found is None or not found.successions:
            self.net.later(self.random.uniform(1, 5), self._guarded(self._succession))
            return
        self._note(f"{old.label} merges into {new.label}")
        self.net.succeeded[old.label] = new.label
        self.net.watch.passes(old.id, new.id)

    def _reset(self) -> None:
        node = self.random.choice(list(self.net.nodes.values()))
        self._note(f"reset {node.label}")
        self.net.reset(node)

    def _partition(self, silent: bool = False) -> None:
        short = self._one_of("city", "provincial")
        self._note(f"{'silence' if silent else 'cut'} {short}")
        self.net.cut(short, silent)
        self.net.later(self.random.uniform(0.5, 25), lambda: self.net.heal(short))

    def _half_open(self) -> None:
        self._partition(silent=True)

    def _fuse(self) -> None:
        node = self.random.choice(list(self.net.nodes.values()))
        if node.up and not node.fuse:
            self._note(f"fuse {node.label}")
            node.fuse = self.random.randint(1, 40)

    def _power_cut(self) -> None:
        node = self.random.choice(list(self.net.nodes.values()))
        if node.up:
            self._note(f"power {node.label}")
            self.net.crash(node, lost=True, told=self.random.random() < 0.4)
            self._crashed(node)

    def _settings(self) -> None:
        """An administrator publishes more, or less, than before, and starts the node again."""
        node = self.net[self._one_of("city")]
        if node.up and not self.net.copies:
            wide = node.label not in self._wide
            self._wide ^= {node.label}
            self._note(f"{node.label} publishes {'all' if wide else 'supervised'} cases")
            node.publish(ALL_CASES if wide else "")
            self.net.crash(node, lost=False)
            self._crashed(node)

    def _install(self, node: SimNode, release: int) -> None:
        """A node that has not begun yet is of this release."""
        node.upgrade(release)
        node.use(node.store)
        node.note_settings()
        node.follow()

    def _upgrade(self, node: SimNode, release: int) -> None:
        """The node is stopped, gets the program of another release, and starts again."""
        if release > NEWEST or any(copy.id == node.id for copy in self.net.copies):
            return
        self._note(f"{node.label} gets release {release}")
        node.upgrade(release)
        if node.up:
            self.net.crash(node, lost=False)
            self._crashed(node)

    def upgrade_all(self) -> None:
        """Whoever is behind is upgraded at last."""
        for node in self.net.nodes.values():
            if node.release < NEWEST:
                self._upgrade(node, NEWEST)
                self.net.restart(node)

    def _crashed(self, node: SimNode) -> None:
        """Starts again some time later; now and then it dies once more on the way up."""
        self.net.later(self.random.uniform(0.05, 8), lambda: self._start(node))

    def _start(self, node: SimNode) -> None:
        if node.up or node.label in self._gone:
            return
        self.net.restart(node)
        if not self.over and self.random.random() < 0.25:
            node.fuse = self.random.randint(1, 30)

    _gone: frozenset[str] = frozenset()

    # --- storage ------------------------------------------------------------------------------------------------------

    def _copy(self, short: str) -> None:
        self._note(f"copy {short}")
        self._copies.append((short, self.net[short].copy_store()))

    def _roll_back(self, short: str, declared: bool) -> None:
        for index, (name, store) in enumerate(self._copies):
            if name == short:
                del self._copies[index]
                self._note(f"{'restore' if declared else 'roll back'} {short}")
                self._touched.add(short)
                self._storage_faults += 1
                if declared:
                    # An older life that came back now would rightly be refused for ever, as a clone.
                    self._copies = [(label, copy) for label, copy in self._copies if label != short]
                if not declared and self.net[short].place.profile != "city":
                    self.net.watch.may_fork.add(self.net[short].id)
                if self._storage_faults > 1:
                    # Who held the proof may have lost it too (protocol section 8.4).
                    self.net.watch.may_fork.update(self.net[label].id for label in self._touched)
                for child in self.net.tree.children(self.net[short].id):
                    clear_clone(store, child.node)  # the operator, who knows that the copy is stopped, says so again
                self.net.roll_back(short, store, declared)
                return

    def _fork(self) -> None:
        """The nation is rolled back unnoticed while the children that hold its newest entries are away, and goes on
        with the one that lacks them: two truths at one seq, which must come to light when the others return."""
        net = self.net
        children = [p.short for p in net.tree.children(net.tree.nation.node) if net[p.short].enrolled]
        behind = self.random.choice(children)
        others = [c for c in children if c != behind]
        self._note(f"fork n, {behind} behind")
        self._touched.update(("n", *others))
        net.watch.may_fork.add(net["n"].id)
        net.cut(behind)
        net.later(1, lambda: self._copy("n"))
        net.later(1.5, lambda: self._say("one life"))
        net.later(4.5, lambda: self._roll_back("n", declared=False))
        net.later(4.6, lambda: net.heal(behind))
        net.later(8, lambda: self._say("the other"))
        for other in others:
            net.later(4, lambda other=other: net.cut(other))  # type: ignore[misc]
            net.later(11, lambda other=other: net.heal(other))  # type: ignore[misc]

    def _say(self, name: str) -> None:
        net = self.net
        net.submit(net["n"], Put(net["n"].id, "class_code", [code_row("0199", name, release=net["n"].release)]))

    def _clone(self, short: str) -> None:
        """A copy runs beside the original for a while, or in turns with it; then an operator ends it."""
        node = self.net[short]
        if not node.enrolled or not node.up:
            return
        self._touched.add(short)
        beside = self.random.random() < 0.7
        self._note(f"clone {short} {'beside' if beside else 'in turns'}")
        copy = self.net.clone(short)
        if not beside:
            self.net.crash(node)
            self.net.later(self.random.uniform(0.1, 0.25) * self.seconds, lambda: self._swap(copy, node))
        calm = not (self.faults.resets or self.faults.partitions or self.faults.half_open or self.faults.crashes)
        self._must_show = beside and calm
        self.net.later(self.random.uniform(0.3, 0.5) * self.seconds, lambda: self._end_clone(copy, node))

    def _swap(self, first: SimNode, then: SimNode) -> None:
        self.net.crash(first)
        self.net.restart(then)

    def _end_clone(self, copy: SimNode, node: SimNode) -> None:
        """The operator stops the copy, declares the original restored, and clears the alarm at the parent."""
        if copy not in self.net.copies:
            return
        self._note(f"clear {node.label}")
        if self._must_show and not self.net.node_of(node.place.parent).alarms["clone"]:
            raise Violation("clone_unnoticed", f"two lives of {node.label} side by side, and its parent says nothing")
        if copy.up:
            self.net.crash(copy)
        self.net.copies.remove(copy)
        store = node.copy_store() if not node.store.in_transaction else None
        if node.up:
            self.net.crash(node)
        if store is None:
            node.engine.rebuild()
            store = node.copy_store()
        parent = self.net.node_of(node.place.parent)
        self._copies = [(label, copy) for label, copy in self._copies if label != node.label]
        if parent.up:
            self.net.crash(parent)
        parent.engine.rebuild()
        clear_clone(parent.store, node.id)
        self.net.restart(parent)
        self.net.roll_back(node.label, store, declared=True)

    # --- the end ------------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """No more faults; every way is open, everybody runs and is enrolled."""
        self.over = True
        net = self.net
        if self._forger is not None:
            self._forger.stopped = True
            # It believes to have sent what it cut off: an honest relay in its place begins with a new session.
            net.reset(net[self._forger.label])
        for copy in list(net.copies):
            self._end_clone(copy, net.node_of(copy.id))
        net.blocked.clear()
        net.delay_us = (1_000, 20_000)
        for node in net.nodes.values():
            node.fuse = 0
            if not node.up:
                net.restart(node)
            if not node.enrolled or (node.place.parent and self._forgotten(node)):
                self._enrol(node.label)

    def _forgotten(self, node: SimNode) -> bool:
        """Whether parent and grandparent were both put back to before they knew this node: a person enrols it again."""
        return self.net.node_of(node.place.parent).core.registry.newest(node.id) is None
