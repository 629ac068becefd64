"""Announcements of maintenance are read again whenever one comes or goes, and it is noted when each was first here:
what was told too late counts nothing (tiers/maintenance.py). Alarms that waited for the end of a window are told then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from node.announced import DATASET, News, bounds_of, news, said_by, that_counts
from node.app import Node
from node.background import Background
from node.jobs import StoreJob
from node.store.store import Store
from node.store.windows import Announced, Seen
from sync.errors import LocalFault
from sync.link import Phase
from sync.replica import Replica

PAUSE_S: Final = 1.0
"""A node that commits all the time is not asked after each commit."""


class Windows(Background):
    """The task that does it. Used in the loop."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node

    async def start(self) -> None:
        """Knows at once what was announced before. Raises StoreFault."""
        await look(self._node)
        self.begin(self._run(), "maintenance")

    async def _run(self) -> None:
        while True:
            changed = self._node.changed
            try:
                await look(self._node)
            except LocalFault as fault:
                self._node.log.warning("maintenance_not_looked_at", detail=str(fault))
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), self._next_s())
            await asyncio.sleep(PAUSE_S)

    def _next_s(self) -> float | None:
        """Until the next window ends; None: there is none."""
        now = self._node.clock.now_us()
        ends = [one.ends for one in self._node.excused.maintenance.windows if one.ends > now]
        return (min(ends) - now) / 1_000_000 if ends else None


async def look(node: Node) -> None:
    """Takes in what was announced, and raises what waited for the end of a window. Raises StoreFault."""
    excused = node.excused
    async with excused.looking:
        written = await node.writer.ask(lambda _, store: store.written(DATASET))
        if written != excused.as_of:
            await _read(node, node.clock.now_us())
            excused.as_of = written
        registry = node.core().registry
        parents = {which.node: registry.parent(which.node) for which in excused.seen}
        if excused.based_on != (based_on := (written, parents, bounds_of(node.config))):
            excused.maintenance = that_counts(excused.said, excused.seen, registry.parent, node.config)
            excused.based_on = based_on
        for about, alarm in excused.over():
            if await node.writer.ask(partial(_lasts, name=alarm.name, about=about)):
                node.alarm(alarm.name, **alarm.fields)


async def _read(node: Node, now: int) -> None:
    said = await node.read(lambda reader: said_by(reader, now))
    seen: Mapping[Announced, Seen] = await node.read(lambda reader: reader.windows.all())
    found = news(said, seen, now)
    if any(found):
        note = partial(_note, found=found, at=now)
        seen = await node.writer.call(lambda ticket: StoreJob(ticket, note))
    node.excused.said, node.excused.seen = [one for one in said if one.which in seen], seen


def _note(store: Store, found: News, at: int) -> Mapping[Announced, Seen]:
    store.windows.see(found.fresh, at)
    store.windows.end(found.over)
    store.windows.forget(found.gone)
    return store.windows.all()


def _lasts(replica: Replica, _: Store, name: str, about: str) -> bool:
    """Whether what an alarm tells of is so still. In the writer's thread."""
    if name == "link_closed":
        return not any(link.peer == about and link.phase is Phase.EXCHANGE for link in replica.core.links.values())
    return (name, about) in replica.core.alarmed
