"""Attachments that come by themselves: a publication may say up to which size (`push_attachments_up_to`).

It is the receiver that fetches them, as it fetches any other: then a cut link, a start or a full disk at either end
loses nothing, because what is missing is looked for in the rows and nowhere else. A row that comes is looked at once.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from node.app import Node
from node.attachments.referring import named_since
from node.attachments.travel import NotHad
from node.background import Background
from node.faults import Code, UserFault
from node.store.readers import Reader
from node.store.store import Store
from sync.errors import LocalFault
from sync.reasons import Reason
from sync.replica import Replica
from tiers.dataset import Dataset, Publication

LOOKED_EVERY_S: Final = 2.0
"""At most so often, and only when something was committed."""
AT_ONCE: Final = 2
"""Half of what a node fetches at a time: the rest is for people who wait."""
WAITING_MAX: Final = 10_000
PATIENCE_US: Final = 30_000_000
"""Without a part for so long the next one has its turn: a node that is off-line must not hold up the others."""
AGAIN_FIRST_US: Final = 60_000_000
AGAIN_MAX_US: Final = 3_600_000_000


class _Feed(NamedTuple):
    """Rows of an origin that come by a publication that pushes. seq: of the head."""

    origin: str
    publication: str
    seq: int
    linked: bool


@dataclass(slots=True)
class _Wish:
    """A file to fetch: of whom, up to which size, and when to try."""

    origin: str
    most: int
    at: int = 0
    pause: int = AGAIN_FIRST_US


class Pushed(Background):
    """The task that fetches them. Used in the loop."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node
        self._pushing = {one.id: one for one in node.catalogue.publications.values() if one.push_attachments_up_to > 0}
        self._looked: dict[tuple[str, str], tuple[int, int]] = {}
        """(seq of the head, version of the newest row) up to which a feed was looked at, by (origin, publication)."""
        self.waiting: dict[str, _Wish] = {}
        node.push_waiting = self.waiting

    def start(self) -> None:
        """Only where a publication pushes."""
        if self._pushing:
            self.begin(self._run(), "pushed attachments")

    async def _run(self) -> None:
        while True:
            changed = self._node.changed
            try:
                await self.look()
            except LocalFault as fault:
                self._node.log.warning("attachments_not_looked_for", detail=str(fault))
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), AGAIN_FIRST_US / 1e6)
            await asyncio.sleep(LOOKED_EVERY_S)

    async def look(self) -> None:
        """What rows name that have come since, and what was not to be had before and may be now."""
        feeds = await self._node.writer.ask(self._feeds)
        for feed in feeds:
            await self._note(feed)
        linked = {feed.origin for feed in feeds if feed.linked}
        now = self._node.clock.monotonic_us()
        due = [name for name, wish in self.waiting.items() if wish.at <= now and wish.origin in linked]
        for start in range(0, len(due), AT_ONCE):
            await asyncio.gather(*(self._fetch(name) for name in due[start : start + AT_ONCE]))

    def _feeds(self, replica: Replica, _: Store) -> list[_Feed]:
        core = replica.core
        linked = {link.peer for link in core.links.values() if link.working}
        return [
            _Feed(name.origin, name.publication, state.head.seq, core.next_hop(name.origin) in linked)
            for name, state in core.feeds.items()
            if name.publication in self._pushing and name.origin != core.me.node and core.applies(name, state.route)
        ]

    async def _note(self, feed: _Feed) -> None:
        key = (feed.origin, feed.publication)
        seq, version = self._looked.get(key, (0, 0))
        if seq == feed.seq or len(self.waiting) >= WAITING_MAX:
            return
        publication: Publication = self._pushing[feed.publication]
        dataset: Dataset = self._node.catalogue.datasets[publication.dataset]

        def asked(reader: Reader) -> tuple[list[str], int]:
            return named_since(reader, dataset, publication.columns, feed.origin, version)

        names, newest = await self._node.read(asked)
        for name in names:
            if await self._node.attachments.find(name) is None:
                self.waiting.setdefault(name, _Wish(feed.origin, publication.push_attachments_up_to))
        self._looked[key] = (feed.seq, newest)

    async def _fetch(self, name: str) -> None:
        wish = self.waiting[name]
        try:
            await self._node.travel.fetch(name, wish.most, PATIENCE_US)
        except NotHad as fault:
            if fault.reason is Reason.LIMIT_EXCEEDED:
                del self.waiting[name]  # on demand, then
                return
        except (UserFault, LocalFault) as fault:
            self._node.log.info("attachment_not_pushed", hash=name, detail=str(fault))
            if isinstance(fault, UserFault) and fault.code is Code.ATTACHMENT_REFUSED:
                del self.waiting[name]  # what it is will not change
                return
        else:
            del self.waiting[name]
            return
        wish.at = self._node.clock.monotonic_us() + wish.pause
        wish.pause = min(2 * wish.pause, AGAIN_MAX_US)
