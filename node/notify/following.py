"""What waits to be told, and telling it: together, not more often than said, and again until it was taken.

Alarms are told from the moment the node runs; moves from where the last message that was taken ended, which the store
keeps. So a move is told at least once, however long a mail server is away; of alarms the newest are kept meanwhile.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from node.app import Node
from node.commands.work import in_store
from node.notify.notes import Note, message, of_alarm, of_move
from node.notify.quiet import read_quiet, waits
from node.notify.sending import Sender, Unsent, sender_of
from node.settings import Notify
from node.store.readers import Reader
from node.texts import translator
from sync.errors import SyncError

ALARMS_WAITING_MAX: Final = 200
MOVES_AT_ONCE: Final = 200
RETRY_S: Final = 30.0
RETRY_S_MAX: Final = 1_800.0
PAUSE_S: Final = 0.2
"""A node that commits all the time is not asked after each commit."""
ALARM_AFTER: Final = 5
"""Tries that failed in a row."""
LOOKED_EVERY_S: Final = 60.0
"""While something waits for the end of quiet hours."""
_OWN: Final = "notify_failing"


class Notifiers:
    """All targets of a node. Raises as Notifier when made."""

    def __init__(self, node: Node) -> None:
        self._targets = [
            Notifier(node, name, settings, sender_of(node.home, name, settings, node.clock.now_us))
            for name, settings in node.config.notify.items()
        ]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to tell."""
        self._tasks = [asyncio.create_task(one.run(), name=f"notify {one.name}") for one in self._targets]

    async def stop(self) -> None:
        """Ends at once; what was not told of tasks is told after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Notifier:
    """One target."""

    def __init__(self, node: Node, name: str, settings: Notify, sender: Sender) -> None:
        self.name = name
        self._node = node
        self._settings = settings
        self._sender = sender
        self._quiet = [read_quiet(span) for span in settings.quiet]
        self._zone = ZoneInfo(node.config.run.time_zone)
        self._to = translator("zh" if settings.language == "zh" else "en")
        self._alarms_seen = node.alarm_count
        self._alarms: list[Note] = []
        self._moves: list[Note] = []
        self._place = 0
        self._lost = 0
        self._failed = 0
        self._not_before = 0.0

    async def run(self) -> None:
        """Tells until cancelled; a fault of ours ends this target alone, and is told."""
        try:
            await self._begin()
            while True:
                changed = self._node.changed
                await self._gather()
                due = self._due()
                wait: float | None = LOOKED_EVERY_S if self._alarms or self._moves else None
                now = asyncio.get_running_loop().time()
                if due and now >= self._not_before:
                    await self._tell(due)
                    continue
                if due:
                    wait = self._not_before - now
                await _woken(changed, wait, at_once=not due)
        except SyncError as fault:
            self._broken(str(fault))
        except Exception as error:
            self._node.log.error("notify_failed", notify=self.name, exc_info=error)
            self._broken(type(error).__name__)

    @property
    def _cursor(self) -> str:
        return f"notify {self.name}"

    async def _begin(self) -> None:
        """A new target begins with what comes after its first start."""
        kept = await self._node.read(lambda reader: reader.changes.cursor(self._cursor))
        last = await self._node.read(Reader.newest_move)
        self._place = min(int(kept), last) if kept.isdigit() else last
        await self._keep(self._place)

    async def _keep(self, place: int) -> None:
        await in_store(self._node, lambda store: store.changes.set_cursor(self._cursor, str(place)))

    async def _gather(self) -> None:
        node, tell = self._node, self._settings.tell
        fresh = min(node.alarm_count - self._alarms_seen, len(node.alarms))
        self._alarms_seen = node.alarm_count
        if "alarms" in tell and fresh:
            self._alarms += [of_alarm(one) for one in node.alarms[-fresh:] if one["name"] != _OWN]
            beyond = len(self._alarms) - ALARMS_WAITING_MAX
            if beyond > 0:
                self._lost += beyond
                del self._alarms[:beyond]
        if "tasks" not in tell or len(self._moves) >= MOVES_AT_ONCE:
            return
        flows, here = node.catalogue.flows, node.standing.node
        for place, body in await node.read(partial(Reader.moves_since, place=self._place, limit=MOVES_AT_ONCE)):
            self._place = place
            note = of_move(place, body, flows, here, self._to)
            if note is not None:
                self._moves.append(note)

    def _due(self) -> list[Note]:
        now = dt.datetime.fromtimestamp(self._node.clock.now_us() / 1_000_000, self._zone)
        waiting = [*self._alarms, *self._moves]
        return [note for note in waiting if note.urgent or not waits(note.about, self._quiet, now)]

    async def _tell(self, due: list[Note]) -> None:
        title = f"tiersync {self._node.config.node.title or self._node.config.node.node_id}"
        subject, text = message(due, self._lost, title, self._to)
        loop = asyncio.get_running_loop()
        try:
            await asyncio.to_thread(self._sender.send, subject, text)
        except Unsent as fault:
            self._failed += 1
            self._not_before = loop.time() + min(RETRY_S * 2 ** (self._failed - 1), RETRY_S_MAX)
            self._node.log.warning("notify_unsent", notify=self.name, detail=str(fault))
            if self._failed == ALARM_AFTER:
                self._broken(str(fault))
            return
        self._not_before = loop.time() + self._settings.every_s
        self._failed = self._lost = 0
        gone = set(map(id, due))
        self._alarms = [note for note in self._alarms if id(note) not in gone]
        self._moves = [note for note in self._moves if id(note) not in gone]
        await self._keep(min((note.place - 1 for note in self._moves), default=self._place))

    def _broken(self, detail: str) -> None:
        self._node.alarm("notify_failing", notify=self.name, detail=detail)


async def _woken(changed: asyncio.Event, wait_s: float | None, *, at_once: bool) -> None:
    """Until the node changes, or the time is over. Not `at_once`: until the time is over, whatever comes."""
    if not at_once and wait_s is not None:
        await asyncio.sleep(wait_s)
        return
    try:
        await asyncio.wait_for(changed.wait(), wait_s)
    except TimeoutError:
        return
    await asyncio.sleep(PAUSE_S)
