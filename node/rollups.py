"""The node works its statistics out by itself, now and then, where something changed that they are made of; then it
looks at deadlines, at what arrived that it should mark, and at what it should supervise.

Periods that are still open are worked out when rows came or a link changed, and once an hour; closed ones once a day,
and when one closes. Nothing is kept of it beside the rows: after a start all is looked at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from node import dues
from node.app import Node
from node.background import Background
from node.calendar import DATASET as CALENDAR
from node.marking import Marking
from node.quality import ISSUES
from node.rolling import Outcome, closes_us, linked_now, periods_of, roll_up, rollups_of
from node.store.readers import Reader
from node.supervising import Supervising
from sync.errors import LocalFault
from tiers.periods import day_of
from tiers.rollup import RollUp

HOUR_US = 3_600_000_000


class RollUps(Background):
    """The task that does it. Used in the loop."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node
        self._seen: dict[str, Any] = {}
        self._looked: dict[str, Any] = {}
        self._marking = Marking(node)
        self._supervising = Supervising(node)

    def start(self) -> None:
        """Begins after the first pause, so that a start is not slowed down; not at all where it is switched off."""
        if self._node.config.rollup.every_s:
            self.begin(self._run(), "rollups")

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._node.config.rollup.every_s)
            for rollup in rollups_of(self._node):
                with self.alarm("rollup_failed", dataset=rollup.dataset.id):
                    await self.look(rollup)
            owed = dues.Owed([], [])
            with self.alarm("deadlines_failed"):
                owed = await dues.look_at_all(self._node)
            with self.alarm("marking_failed"):
                await self._marking.look(owed.newest)
            with self.alarm("supervising_failed"):
                await self._supervising.look([*owed.older, *owed.newest])

    @contextmanager
    def alarm(self, name: str, **about: str) -> Iterator[None]:
        """What goes wrong inside is an alarm, and the rest goes on."""
        try:
            yield
        except LocalFault as fault:
            self._node.log.warning(name, **about, detail=str(fault))
            self._node.alarm(name, **about, detail=str(fault))

    async def look(self, rollup: RollUp) -> list[Outcome]:
        """One roll-up, as far as there is a reason to. Raises InputFault, StoreFault."""
        node, name = self._node, rollup.dataset.id
        now = node.clock.now_us()
        periods = periods_of(node, rollup, now)
        still_open = [p for p in periods if now < closes_us(node, rollup.dataset, p)]
        turn = (day_of(now, ZoneInfo(node.config.run.time_zone)), tuple(still_open))
        if self._looked.get(name) != turn:
            wanted = periods
        elif self._seen.get(name) != await self._reasons(rollup, now):
            wanted = still_open
        else:
            wanted = []
        found = await roll_up(node, rollup, wanted) if wanted else []
        self._looked[name] = turn
        self._seen[name] = await self._reasons(rollup, now)
        rejected = sum(outcome.rejected for outcome in found)
        if rejected:
            node.alarm("rollup_failed", dataset=name, detail=f"{rejected} rows were not let in at the node's own door")
        return found

    async def _reasons(self, rollup: RollUp, now: int) -> Any:
        """What it is made of, as a value that differs when that does."""
        source, target = CALENDAR if rollup.of_tasks else rollup.source.id, rollup.dataset.id
        told = await self._node.writer.ask(
            lambda replica, store: (*map(store.written, (source, target, ISSUES)), linked_now(replica))
        )
        newest = Reader.newest_move if rollup.of_tasks else partial(Reader.brought_at, dataset=source)
        return told, await self._node.read(newest), now // HOUR_US
