"""What the simulated platforms do all day: cases come, change, are voided, are supervised; codes and units are kept."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from node.sim.federation import Federation
from node.sim.simnode import SimNode
from node.sim.work import Move, Put, case_row, code_row, unit_row
from sync.values import Key

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
        self._net.submit(node, Put(node.id, "case", rows, voids))

    def _units(self) -> None:
        node, random = self._pick("city", "provincial"), self._random
        rows = [unit_row(node.place.region, random.randint(1, 8), f"unit {random.randint(0, 99)}")]
        self._net.submit(node, Put(node.id, "org_unit", rows))

    def _codes(self) -> None:
        node, random = self._net["n"], self._random
        status = "effective" if random.random() < 0.8 else "retired"
        row = code_row(random.choice(CODES), f"code {random.randint(0, 99)}", status)
        self._net.submit(node, Put(node.id, "class_code", [row]))

    def release_all_codes(self) -> None:
        """The nation puts every code into effect, so that nothing need stay parked."""
        rows = [code_row(code, "released") for code in CODES]
        self._net.submit(self._net["n"], Put(self._net["n"].id, "class_code", rows))

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
        move = Move(side.id, name, f"move-{self._moves}", self._net.now, random.choice, held, opening)
        self._net.submit(side, move)

    @property
    def tasks(self) -> list[tuple[str, str, str]]:
        """(task, issuer, holder) of every task begun."""
        return list(self._tasks)
