"""What the simulated platforms do all day: cases come, change, are voided, are supervised; codes and units are kept."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from node.sim.federation import Federation
from node.sim.places import Place, catalogue
from node.sim.releases import NEW_DATASET, NEW_STATE, SECOND, THIRD
from node.sim.simnode import SimNode
from node.sim.work import Move, Put, case_row, code_row, thing_row, unit_row
from sync.values import Key
from tiers.flows.table import Stands

KEYS = 24
"""So many different cases a city has: few, so that they meet again and again."""
CODES = ("0101", "0102", "0103", "0104")
STATES = ("reported", "registered", "dispatched", "handling", "checking", "closed")


class Workload:
    """Makes random local work at random nodes."""

    def __init__(self, net: Federation, random: Random, hostile: Sequence[str] = ()) -> None:
        self._net = net
        self._random = random
        self._hostile = frozenset(hostile)
        self._moves = 0
        self._tasks: list[tuple[str, str, str]] = []
        self._flows: dict[str, str] = {}
        self.done = 0

    def work(self) -> None:
        """One local transaction somewhere."""
        self.done += 1
        if self._net.succeeded and self._random.random() < 0.2:
            self._inherited()
            return
        roll = self._random.random()
        if roll < 0.70:
            self._cases()
        elif roll < 0.80:
            self._units()
        elif roll < 0.86:
            self._codes()
        else:
            self._move()

    def _pick(self, *tiers: str) -> SimNode:
        """One of the nodes that act as these tiers: a district as a city."""
        nodes = [n for n in self._net.nodes.values() if not set(tiers).isdisjoint(n.standing.profile.acts_as)]
        return self._random.choice(nodes)

    def _pick_issuer(self) -> SimNode:
        """One of those above: whoever has nodes below it, a city too."""
        over = {p.parent for p in self._net.tree.places}
        nodes = [n for n in self._net.nodes.values() if n.id in over or "provincial" in n.standing.profile.acts_as]
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
            states = (*STATES, NEW_STATE) if node.release >= SECOND else STATES
            supervised, state = random.random() < 0.4, random.choice(states)
            code = random.choice(CODES) if random.random() < 0.25 else ""
            cells = {"supervised": supervised, "state": state, "code": code}
            rows.append(case_row(number, region, **cells, at=self._net.now, release=node.release))  # type: ignore[arg-type]
        voids: list[Key] = [(f"{node.place.region}-{number:03d}",) for number in numbers[split:]]
        self._net.submit(node, Put(node.id, "case", rows, voids))

    def _inherited(self) -> None:
        """A successor writes and voids what came to it, once it has heard that it may."""
        random = self._random
        able = [(self._net[new], self._net[old].place.region) for old, new in self._net.succeeded.items()]
        able = [(n, r) for n, r in able if (e := n.core.registry.newest(n.id)) is not None and e.signing.covers(r)]
        if not able:
            return
        node, region = random.choice(able)
        numbers = random.sample(range(KEYS), random.randint(1, 6))
        split = random.randint(0, len(numbers))
        rows = [
            case_row(n, region, supervised=random.random() < 0.4, at=self._net.now, release=node.release)
            for n in numbers[:split]
        ]
        voids: list[Key] = [(f"{region}-{number:03d}",) for number in numbers[split:]]
        self._net.submit(node, Put(node.id, "case", rows, voids))

    def _units(self) -> None:
        node, random = self._pick("city", "provincial"), self._random
        name = f"unit {random.randint(0, 99)}"
        if node.release >= SECOND:
            # Longer than the first release allows.
            name = name.ljust(random.choice((10, 190)), "x")
        rows = [unit_row(node.place.region, random.randint(1, 8), name, node.release)]
        self._net.submit(node, Put(node.id, "org_unit", rows))
        if node.release >= THIRD:
            self._added(node)

    def _added(self, node: SimNode) -> None:
        """What the third release brought: a dataset of cities, codes of provinces."""
        number = self._random.randint(1, 8)
        if "city" in node.standing.profile.acts_as:
            self._net.submit(node, Put(node.id, NEW_DATASET, [thing_row(node.place.region, number, node.release)]))
        else:
            row = code_row(str(number), "-", release=node.release, table=f"local:{node.place.region}")
            self._net.submit(node, Put(node.id, "class_code", [row]))

    def _codes(self) -> None:
        node, random = self._net["n"], self._random
        status = "effective" if random.random() < 0.8 else "retired"
        row = code_row(random.choice(CODES), f"code {random.randint(0, 99)}", status, node.release)
        self._net.submit(node, Put(node.id, "class_code", [row]))

    def release_all_codes(self) -> None:
        """The nation puts every code into effect, so that nothing need stay parked."""
        nation = self._net["n"]
        rows = [code_row(code, "released", release=nation.release) for code in CODES]
        self._net.submit(nation, Put(nation.id, "class_code", rows))

    def _move(self) -> None:
        random, self._moves = self._random, self._moves + 1
        if not self._tasks or random.random() < 0.3:
            issuer = self._pick_issuer()
            below = [p for p in self._net.tree.places if self._net.tree.is_below(p.node, issuer.id)]
            if not below:
                return
            holder = random.choice(below)
            task = self._new_task(issuer, holder)
            self._tasks.append(task)
        else:
            task = random.choice(self._tasks)
        name, issuer_name, holder_name = task
        side = self._net[random.choice((issuer_name, issuer_name, holder_name))]
        opening = side if side.label == issuer_name else None
        held = self._net[holder_name].id
        move = Move(
            side.id, name, f"move-{self._moves}", self._net.now, random.choice, held, opening, self._flows[name]
        )
        self._net.submit(side, move)

    def _new_task(self, upper: SimNode, lower: Place) -> tuple[str, str, str]:
        """Every flow in turn, of those that the one may issue to the other; downwards or upwards, as the flow goes."""
        above, below = upper.standing.profile.id, lower.profile
        flows = [f for f in catalogue().flows.values() if (above if f.stands is Stands.ABOVE else below) in f.issuers]
        flow = flows[self._moves % len(flows)]
        name = f"task-{self._moves}"
        self._flows[name] = flow.id
        if flow.stands is Stands.ABOVE:
            return name, upper.label, lower.short
        return name, lower.short, upper.label

    @property
    def tasks(self) -> list[tuple[str, str, str]]:
        """(task, issuer, holder) of every task begun."""
        return list(self._tasks)
