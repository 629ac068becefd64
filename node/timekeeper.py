"""The node keeps the time of the tasks it issued: it warns when 80 % of a limit have passed, tells when it is over, and
says it anew when the calendar moves it. Of all its tasks it does what a flow declares as a consequence.

It needs no link: the moves are its own, and the other side hears of them when it can. Nothing is kept of it beside the
moves. After a start every task is looked at once, later only those that moved, and all when the calendar changed. A
move is made only if nothing came in between; what follows from a move has an id that follows from it too: so nothing
is told or started twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from node.app import Node
from node.audit import Event as AuditEvent
from node.background import Background
from node.calendar import DATASET, calendar_of
from node.following_on import following
from node.jobs import MoveWish, automatic
from node.passing_over import Heirs, Passing, PassJob, heirs, passing
from node.store.readers import Reader
from sync.errors import InputFault, LocalFault
from sync.reasons import Reason
from tiers.calendar import WorkCalendar
from tiers.flows.check import PASSED_OVER
from tiers.flows.keeping import Asked, asked

PAUSE_S = 60.0
"""Tasks that moved are looked at so often; a limit that ends before is not waited for any longer."""
MOVES_AT_ONCE = 50
"""Others that ask the store wait for no more than these."""


class _Found(NamedTuple):
    """Of tasks that were looked at: what each asks for (None: nothing), and what follows from their moves, by task."""

    watched: dict[str, Asked | None]
    follows: list[tuple[str, MoveWish]]
    passes: list[Passing]


class Timekeeper(Background):
    """The task that does it. Used in the loop."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node
        self._place = 0
        self._calendar: tuple[int, WorkCalendar] | None = None
        self._watched: dict[str, Asked] = {}
        self._again: set[str] = set()
        self._heirs: Heirs = {}
        self._passes: dict[str, Passing] = {}
        self._told: set[str] = set()
        """Of which it was told that nobody is said to go on with them."""

    def start(self) -> None:
        """Begins after the first pause, so that a start is not slowed down."""
        self.begin(self._run(), "timekeeper")

    async def _run(self) -> None:
        pause_s = PAUSE_S
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self.look()
            except LocalFault as fault:
                self._node.log.warning("timekeeper_failed", detail=str(fault))
                self._node.alarm("timekeeper_failed", detail=str(fault))
            pause_s = self._pause_s()

    def _pause_s(self) -> float:
        now = self._node.clock.now_us()
        next_us = min((one.act.at_us for one in self._watched.values() if one.act.at_us > now), default=None)
        return PAUSE_S if next_us is None else min(PAUSE_S, max(1.0, (next_us - now) / 1_000_000))

    async def look(self) -> list[tuple[str, str]]:
        """Makes what is to be made by now: (task, move) of each. Raises StoreFault."""
        made: list[tuple[str, str]] = []
        while True:
            await self._take_calendar()
            self._take_heirs()
            follows = await self._look_at_moved()
            await self._look_at_due()
            due = [(task, automatic(task, one)) for task, one in self._watched.items() if self._is_due(one)]
            done = [(wish.task, wish.move) for cause, wish in (*follows, *due) if await self._make(cause, wish)]
            done += [(one.task, PASSED_OVER) for one in list(self._passes.values()) if await self._pass_over(one)]
            made += done
            if not done:
                return made

    async def _take_calendar(self) -> None:
        """Reads the calendar again after its table was written; then every task is looked at anew."""
        written = await self._node.writer.ask(lambda _, store: store.written(DATASET))
        if self._calendar is None or self._calendar[0] != written:
            self._calendar = (written, await self._node.read(lambda reader: calendar_of(reader, self._node.config)))
            self._place = 0

    def _take_heirs(self) -> None:
        """When another node was succeeded every task is looked at anew."""
        found = heirs(self._node.core().registry)
        if found != self._heirs:
            self._heirs, self._place = found, 0

    async def _look_at_moved(self) -> list[tuple[str, MoveWish]]:
        """What follows from the tasks that moved since this was last asked, and from those where something failed."""
        again, self._again = self._again, set()
        follows = await self._look_at(again) if again else []
        newest = await self._node.read(Reader.newest_move)
        if self._place > newest:
            # Moves were taken back, as after a return to an older state: places are given again.
            self._place = 0
        while moved := await self._node.read(partial(Reader.moved_after, place=self._place, limit=MOVES_AT_ONCE)):
            follows += await self._look_at(task for _, task in moved)
            self._place = moved[-1][0]
        return follows

    async def _look_at_due(self) -> None:
        """Looks again at the tasks whose time has come: who slept past the end of a limit does not warn of it."""
        due = [task for task, one in self._watched.items() if self._is_due(one)]
        for first in range(0, len(due), MOVES_AT_ONCE):
            await self._look_at(due[first : first + MOVES_AT_ONCE])

    def _is_due(self, watched: Asked) -> bool:
        return watched.act.at_us <= self._node.clock.now_us()

    async def _look_at(self, tasks: Iterable[str]) -> list[tuple[str, MoveWish]]:
        found = await self._node.read(partial(self._find, tasks=tuple(dict.fromkeys(tasks))))
        for task, watched in found.watched.items():
            self._watched.pop(task, None)
            if watched is not None:
                self._watched[task] = watched
            self._passes.pop(task, None)
        self._passes |= {one.task: one for one in found.passes}
        return found.follows

    def _find(self, reader: Reader, tasks: Iterable[str]) -> _Found:
        """In the reader's thread."""
        assert self._calendar is not None
        here, now, flows = self._node.config.node.node_id, self._node.clock.now_us(), self._node.catalogue.flows
        found = _Found({}, [], [])
        for task in tasks:
            history = reader.moves(task)
            flow = flows.get(history[0].flow) if history else None
            found.watched[task] = None
            if flow is None:
                continue
            if (passes := passing(self._heirs, flow, history)) is not None:
                found.passes.append(passes)
                continue
            if history[0].issuer == here:
                found.watched[task] = asked(flow, history, self._calendar[1], now)
            found.follows.extend((task, wish) for wish in following(reader, flows, self._node.standing, history))
        return found

    async def _pass_over(self, wish: Passing) -> bool:
        """Whether a task passed over. Where it is not said to whom, an administrator is told, once."""
        node = self._node
        if not wish.new:
            if wish.task not in self._told:
                self._told.add(wish.task)
                node.alarm("task_without_successor", task=wish.task, node=wish.old)
            return False
        here, flows, now = node.config.node.node_id, node.catalogue.flows, node.clock.now_us()
        try:
            passed: bool = await node.writer.call(lambda ticket: PassJob(ticket, wish, here, flows, now))
        except InputFault as fault:
            node.log.warning("timekeeper_move_refused", task=wish.task, move=PASSED_OVER, detail=str(fault))
            return False
        del self._passes[wish.task]
        if passed:
            node.note(AuditEvent.TASK_PASSED_OVER, task=wish.task, node=wish.new)
        return passed

    async def _make(self, cause: str, wish: MoveWish) -> bool:
        """Whether it was made. If not, its cause is looked at again when it has moved, or the next time."""
        try:
            await self._node.move(wish)
        except InputFault as fault:
            if fault.reason is not Reason.CROSSED:
                about = {"task": wish.task, "move": wish.move, "detail": str(fault)}
                self._node.log.warning("timekeeper_move_refused", **about)
            if fault.reason is Reason.RECOVERING:
                self._again.add(cause)
            return False
        self._watched.pop(wish.task, None)
        return True
