"""The timekeepers of all simulated nodes: they do what node/timekeeper.py does, by the same rules, in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from node.following_on import following
from node.jobs import MoveWish, automatic
from node.sim.country.orders import Order
from node.sim.federation import SECOND, Federation
from node.sim.simnode import SimNode
from node.sim.violation import Violation
from sync.effects import SaveMoves, Write
from sync.errors import InputFault
from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows import keeping
from tiers.flows.clocks import Calendar

PAUSE_S = 60.0
"""As node.timekeeper.PAUSE_S."""


class Keeper:
    """Looks at a task soon after it moved, when something of it is due, and after a start of its issuer's node."""

    def __init__(self, net: Federation, calendar: Calendar, random: Random) -> None:
        self._net, self._calendar, self._random = net, calendar, random
        self._tasks: dict[str, dict[str, None]] = {}
        self._next: dict[tuple[str, str], int] = {}
        self._made = 0

    def moved(self, node: SimNode, written: Sequence[Write]) -> None:
        """What a node committed."""
        for write in written:
            if isinstance(write, SaveMoves):
                self._tasks.setdefault(node.id, {})[write.task] = None
                self._look_at(node, write.task, self._soon())

    def started(self, node: SimNode) -> None:
        """It knows nothing any more of what it waited for."""
        for task in self._tasks.get(node.id, {}):
            self._next.pop((node.id, task), None)
            self._look_at(node, task, self._soon())

    def _soon(self) -> int:
        return self._net.now + int(self._random.uniform(0, PAUSE_S) * SECOND)

    def _look_at(self, node: SimNode, task: str, at: int) -> None:
        """Once, at the earliest time that was wanted."""
        at = max(at, self._net.now)
        known = self._next.get((node.id, task))
        if known is None or at < known:
            self._next[node.id, task] = at
            self._net.agenda.at(at, lambda: self._look(node, task, at))

    def _look(self, node: SimNode, task: str, at: int) -> None:
        if self._next.get((node.id, task)) != at:
            return
        del self._next[node.id, task]
        history = node.store.moves(task) if node.up else []  # the start looks at all
        if not history:
            return
        for wish in following(node.store, node.catalogue.flows, node.standing, history):
            self._order(node, wish)
        if history[0].issuer == node.id:
            self._keep_time(node, task, history)

    def _keep_time(self, node: SimNode, task: str, history: Sequence[MoveBody]) -> None:
        now = node.clock()
        found = keeping.asked(node.catalogue.flows[history[0].flow], history, self._calendar, now)
        if found is None:
            return
        wait = found.act.at_us - now
        if wait <= 0:
            self._order(node, automatic(task, found))
        self._look_at(node, task, self._net.now + (wait if wait > 0 else int(PAUSE_S * SECOND)))

    def _order(self, node: SimNode, wish: MoveWish) -> None:
        self._made += 1
        move_id = wish.move_id or f"auto-{self._made}"
        order = Order(node, wish.task, move_id, node.clock(), self._calendar, lambda _: wish, self._refused)
        self._net.submit(node, order)

    def _refused(self, wish: MoveWish, fault: InputFault) -> None:
        """Only because something came in between: it is looked at again when that was committed."""
        if fault.reason is not Reason.CROSSED:
            raise Violation("automatic_refused", f"{wish.move} of {wish.task}: {fault}")
