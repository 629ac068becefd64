"""Attachments between nodes: fetched from the node whose row names them, given to who may have them.

What is asked when, of whom, and in which pieces is decided in sync/attachments.py. Here bytes go to the disk and come
from it, a fetched file is compared with its hash before anybody sees it, and rows are asked who may have one.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from node.attachments.files import Held
from node.attachments.referring import Reference
from node.attachments.service import not_here
from node.audit import Event as AuditEvent
from node.faults import Code, UserFault
from node.texts import N_, Text, reasons
from sync import limits
from sync.effects import Fetched, KeepAttachment, ReadAttachment
from sync.errors import LocalFault
from sync.events import AttachmentRead, FetchAttachment, StopFetching
from sync.reasons import Reason

if TYPE_CHECKING:
    from node.app import Node
    from node.store.readers import Reader
    from node.writer import Ticket

SHARED_FOR_US: Final = 60_000_000
"""How long an answer to who may have a file is remembered: it reads rows, and a file is asked for in many parts."""
SHARED_KEPT_MAX: Final = 1_024


class NotHad(UserFault):
    """An attachment could not be had from the node whose row names it, for this reason."""

    def __init__(self, name: str, origin: str, end: Fetched) -> None:
        super().__init__(
            Code.ATTACHMENT_NOT_HAD,
            N_("The attachment '{hash}' could not be had from {origin}: {why} ({reason}, said by {by})"),
            "{next}",
            hash=name,
            origin=origin,
            why=reasons.text(int(end.reason)),
            reason=end.reason.name,
            by=end.by or "-",
            next=Text(reasons.words(int(end.reason)).next_step),
        )
        self.reason = end.reason


class Progress(NamedTuple):
    """How far a file has come. total: -1 while it is not known."""

    received: int
    total: int


class Travel:
    """Used from the loop."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._fetching: dict[str, asyncio.Task[Held]] = {}
        self._bounds: dict[str, int] = {}
        self._room = asyncio.Semaphore(limits.ATTACHMENTS_AT_ONCE)
        self._writes: dict[str, list[asyncio.Task[None]]] = {}
        self._answers: set[asyncio.Task[None]] = set()
        self._shared: dict[tuple[str, str], tuple[bool, int]] = {}

    async def stop(self) -> None:
        """Ends what is under way; what came of files stays, to go on from there."""
        tasks = [*self._fetching.values(), *self._answers, *(task for tasks in self._writes.values() for task in tasks)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- fetching -----------------------------------------------------------------------------------------------------

    async def fetch(self, name: str, most: int = 0, patience: int = limits.ATTACHMENT_PATIENCE_US) -> Held:
        """The attachment, fetched if it is not here; most: of so many bytes at the most (0: as the settings say).

        Goes on, also when nobody waits any more, until it is here or cannot be had. Raises UserFault
        ATTACHMENT_NOT_HAD, ATTACHMENT_REFUSED, ATTACHMENTS_FULL; InputFault; HomeFault.
        """
        held = await self._node.attachments.find(name)
        if held is not None:
            return held
        allowed = self._node.config.attachments.file_bytes_max
        bound = min(most, allowed) or allowed
        task = self._fetching.get(name)
        if task is not None and self._bounds[name] < bound:
            # It is fetched as far as a smaller one would be; if it is not, it is asked for again.
            await asyncio.wait([task])
            return await self.fetch(name, most, patience)
        if task is None:
            task = asyncio.create_task(self._fetch(name, bound, patience), name=f"fetch {name[:8]}")
            self._fetching[name], self._bounds[name] = task, bound
            task.add_done_callback(partial(self._fetched, name))
        return await asyncio.shield(task)

    async def progress(self, name: str) -> Progress | None:
        """How far it has come; None if it is not asked for at this moment."""
        digest = bytes.fromhex(name)
        found = await self._node.writer.ask(
            lambda replica, _: next(
                (
                    Progress(one.received, one.total)
                    for one in replica.core.attachments.fetches.values()
                    if one.hash == digest
                ),
                None,
            )
        )
        return found

    def _fetched(self, name: str, task: asyncio.Task[Held]) -> None:
        del self._fetching[name], self._bounds[name]
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not complain where nobody waits

    async def _fetch(self, name: str, bound: int, patience: int) -> Held:
        node = self._node
        references = await node.read(lambda reader: self._references(reader, name))
        origins = list(dict.fromkeys(one.origin for one in references if one.origin != node.config.node.node_id))
        refused = not_here(name)
        async with self._room:
            for origin in origins:
                end = await self._from(origin, name, bound, patience)
                if isinstance(end, Held):
                    node.note(AuditEvent.ATTACHMENT_FETCHED, hash=name, size=end.size, origin=origin)
                    return end
                refused = NotHad(name, origin, end)
        raise refused

    async def _from(self, origin: str, name: str, most: int, patience: int) -> Held | Fetched:
        """All of it from one node, verified; or why not."""
        node = self._node
        begun = await node.attachments.begun(name)

        def asked(ticket: Ticket[Fetched]) -> FetchAttachment:
            return FetchAttachment(ticket, origin, bytes.fromhex(name), begun, most, patience)

        try:
            end: Fetched = await node.writer.call(asked)
            for write in self._writes.pop(name, []):
                await write
        except asyncio.CancelledError:
            self._writes.pop(name, None)
            node.writer.submit(StopFetching(origin, bytes.fromhex(name), Reason.NONE))
            raise
        if end.reason is Reason.MALFORMED:
            await node.attachments.drop_coming(name)
        if end.reason is not Reason.NONE:
            return end
        held = await node.attachments.finish(name)
        if held is None:
            node.alarm("attachment_wrong", hash=name, origin=origin, peer=node.core().next_hop(origin))
            return Fetched(Reason.BAD_PAYLOAD_DIGEST, origin, end.total)
        return held

    def keep(self, act: KeepAttachment) -> None:
        """The next part has come."""
        name = act.hash.hex()
        if name in self._fetching:
            self._writes.setdefault(name, []).append(asyncio.create_task(self._keep(name, act)))

    async def _keep(self, name: str, act: KeepAttachment) -> None:
        try:
            await self._node.attachments.add(name, act.offset, act.data, act.total)
        except (UserFault, LocalFault):
            self._node.writer.submit(StopFetching(act.origin, act.hash, Reason.DISK_FULL))
            raise

    def _references(self, reader: Reader, name: str) -> list[Reference]:
        found: list[Reference] = []
        for referrer in self._node.referrers:
            found += referrer.references(reader, name)
        return found

    # --- giving -------------------------------------------------------------------------------------------------------

    def answer(self, act: ReadAttachment) -> None:
        """A node asks for a part of a file of this one. How many at a time is bounded by the core."""
        task = asyncio.create_task(self._answered(act))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answered(self, act: ReadAttachment) -> None:
        try:
            await self._answer(act)
        except (LocalFault, OSError) as error:
            # Who asked asks again; by then it may have been removed, or the disk be well.
            self._node.log.warning("attachment_not_read", detail=str(error))

    async def _answer(self, act: ReadAttachment) -> None:
        reason, data, total = Reason.ATTACHMENT_NOT_SHARED, b"", 0
        name = act.hash.hex()
        held = await self._node.attachments.find(name)
        # One that is fetched is another's to give. Who may not have one is told the same as if it were not here.
        if held is not None and held.own and await self._is_shared(name, act.asker):
            if act.offset == 0:
                self._node.note_sparingly(
                    AuditEvent.ATTACHMENT_GIVEN, f"{act.asker} {name}", hash=name, size=held.size, asker=act.asker
                )
            reason, total = Reason.NONE, held.size
            data = await self._node.attachments.read(name, act.offset, limits.ATTACHMENT_CHUNK_BYTES)
        self._node.writer.submit(AttachmentRead(act.asker, act.hash, act.offset, data, total, reason))

    def forget(self) -> None:
        """Who may have what is asked of the rows again."""
        self._shared.clear()

    async def _is_shared(self, name: str, asker: str) -> bool:
        now = self._node.clock.monotonic_us()
        known, until = self._shared.get((name, asker), (False, 0))
        if now < until:
            return known

        def asked(reader: Reader) -> bool:
            return any(referrer.is_shared(reader, name, asker) for referrer in self._node.referrers)

        shared = await self._node.read(asked)
        if len(self._shared) >= SHARED_KEPT_MAX:
            self.forget()
        self._shared[name, asker] = (shared, now + SHARED_FOR_US)
        return shared
