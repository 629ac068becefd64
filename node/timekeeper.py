"""The node keeps the time of the tasks it issued: it warns when 80 % of a limit have passed, tells when it is over,
says it anew when the calendar moves it, and starts what a flow declares as a consequence.

It needs no link: the moves are its own, and the holder hears of them when it can. Nothing is kept of it beside the
moves. After a start every task is looked at once, later only those that moved, and all when the calendar changed. A
move is made only if nothing came in between; what was started has an id that follows from its cause: so nothing is
told or started twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import NamedTuple

from node.app import Node
from node.calendar import DATASET, calendar_of
from node.jobs import MoveWish
from node.store.readers import Reader
from sync.errors import InputFault, LocalFault
from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.calendar import WorkCalendar
from tiers.flows.check import RESTATED, STATE, TASK
from tiers.flows.standing import Act, TaskStanding, standing
from tiers.flows.steps import fields_of
from tiers.flows.table import Flow, Start

PAUSE_S = 60.0
"""Tasks that moved are looked at so often; a limit that ends before is not waited for any longer."""
MOVES_AT_ONCE = 50
"""Others that ask the store wait for no more than these."""


class _Watched(NamedTuple):
    """What a task asks for next: an automatic move, while `number` is its last one."""

    number: int
    act: Act


class _Found(NamedTuple):
    """Of tasks that were looked at: what each asks for (None: nothing), and what is to be started."""

    watched: dict[str, _Watched | None]
    starts: list[MoveWish]


class Timekeeper:
    """The task that does it. Used in the loop."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._running: asyncio.Task[None] | None = None
        self._place = 0
        self._calendar: tuple[int, WorkCalendar] | None = None
        self._watched: dict[str, _Watched] = {}

    def start(self) -> None:
        """Begins after the first pause, so that a start is not slowed down."""
        self._running = asyncio.create_task(self._run(), name="timekeeper")

    async def stop(self) -> None:
        """Ends it wherever it is: what is left is found again after the next start."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

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
            starts = await self._look_at_moved()
            await self._look_at_due()
            wishes = [*starts, *(_automatic(task, one) for task, one in self._watched.items() if self._is_due(one))]
            done = [(wish.task, wish.move) for wish in wishes if await self._make(wish)]
            made += done
            if not done:
                return made

    async def _take_calendar(self) -> None:
        """Reads the calendar again after its table was written; then every task is looked at anew."""
        written = await self._node.writer.ask(lambda _, store: store.written(DATASET))
        if self._calendar is None or self._calendar[0] != written:
            self._calendar = (written, await self._node.read(lambda reader: calendar_of(reader, self._node.config)))
            self._place = 0

    async def _look_at_moved(self) -> list[MoveWish]:
        """Looks at the tasks that moved since this was last asked; what they start."""
        starts: list[MoveWish] = []
        newest = await self._node.read(Reader.newest_move)
        if self._place > newest:
            # Moves were taken back, as after a return to an older state: places are given again.
            self._place = 0
        while moved := await self._node.read(partial(Reader.moved_after, place=self._place, limit=MOVES_AT_ONCE)):
            starts += await self._look_at(task for _, task in moved)
            self._place = moved[-1][0]
        return starts

    async def _look_at_due(self) -> None:
        """Looks again at the tasks whose time has come: who slept past the end of a limit does not warn of it."""
        due = [task for task, one in self._watched.items() if self._is_due(one)]
        for first in range(0, len(due), MOVES_AT_ONCE):
            await self._look_at(due[first : first + MOVES_AT_ONCE])

    def _is_due(self, watched: _Watched) -> bool:
        return watched.act.at_us <= self._node.clock.now_us()

    async def _look_at(self, tasks: Iterable[str]) -> list[MoveWish]:
        found = await self._node.read(partial(self._find, tasks=tuple(dict.fromkeys(tasks))))
        for task, watched in found.watched.items():
            self._watched.pop(task, None)
            if watched is not None:
                self._watched[task] = watched
        return found.starts

    def _find(self, reader: Reader, tasks: Iterable[str]) -> _Found:
        """In the reader's thread."""
        assert self._calendar is not None
        here, now, flows = self._node.config.node.node_id, self._node.clock.now_us(), self._node.catalogue.flows
        found = _Found({}, [])
        for task in tasks:
            history = reader.moves(task)
            flow = flows.get(history[0].flow) if history and history[0].issuer == here else None
            if flow is None:
                found.watched[task] = None
                continue
            found.watched[task] = _watched(standing(flow, history, self._calendar[1], now), history[-1], now)
            found.starts.extend(wish for wish in _starts(flow, flows, history) if not reader.moves(wish.task))
        return found

    async def _make(self, wish: MoveWish) -> bool:
        """Whether it was made. If not, the task is looked at again when it has moved, or the next time."""
        try:
            await self._node.move(wish)
        except InputFault as fault:
            if fault.reason is not Reason.CROSSED:
                about = {"task": wish.task, "move": wish.move, "detail": str(fault)}
                self._node.log.warning("timekeeper_move_refused", **about)
            return False
        self._watched.pop(wish.task, None)
        return True


def _watched(found: TaskStanding | None, last: MoveBody, now: int) -> _Watched | None:
    """A limit that ends at another time than was said last, as after a change of the calendar, is said anew at once."""
    if found is None or found.due is None:
        return None
    if (last.due_at, last.due_provisional) != found.due:
        return _Watched(last.number, Act(RESTATED, now))
    return _Watched(last.number, found.act) if found.act is not None else None


def _automatic(task: str, watched: _Watched) -> MoveWish:
    return MoveWish("", task, watched.act.move, "", "", "", {}, automatic=True, after=watched.number)


def _starts(flow: Flow, flows: Mapping[str, Flow], history: Sequence[MoveBody]) -> Iterator[MoveWish]:
    """What the moves of a task start, as often as it is asked: the id of the new task is always the same."""
    made = [body.move for body in history if body.accepted]
    for start in flow.starts:
        if made.count(start.on) >= start.after and start.flow in flows:
            yield _started(start, flows[start.flow], history)


def _started(start: Start, flow: Flow, history: Sequence[MoveBody]) -> MoveWish:
    first, last = history[0], history[-1]
    said = {name: text for body in history if body.accepted for name, text in fields_of(body).items() if text}
    known = {TASK: first.task, STATE: last.state, **{f"@{name}": text for name, text in said.items()}}
    fields = {name: known.get(text, "") if text.startswith("@") else text for name, text in start.fields.items()}
    task = started_id(first.issuer, first.task, start)
    return MoveWish(flow.id, task, flow.opening.name, first.holder, "", "", fields, automatic=True, after=0)


def started_id(issuer: str, task: str, start: Start) -> str:
    """The id of the task that a task starts."""
    cause = "\0".join((issuer, task, start.on, str(start.after), start.flow))
    return f"{start.flow.lower()}-{sha256(cause.encode()).hexdigest()[:32]}"
