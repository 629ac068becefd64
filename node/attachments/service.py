"""The running node's attachments: taken in, counted against the quota, looked up, removed.

All work on the files is done by one thread of its own, in order, so that neither the loop nor the writer waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from node.attachments.door import Examined, examine, need_kind
from node.attachments.files import Files, Held, is_hash
from node.faults import Code, UserFault
from node.settings import AttachmentsSection
from node.texts import N_

T = TypeVar("T")

NEARLY_FULL: Final = 0.9
COMING_KEPT_US: Final = 7 * 86_400_000_000
"""Parts of a file of which nothing came for so long are no longer waited for: they use the quota."""


def not_here(name: str) -> UserFault:
    """An attachment that may be somewhere, and is not here."""
    return UserFault(
        Code.ATTACHMENT_NOT_HAD,
        N_("The attachment '{hash}' is not here."),
        N_("`tiersync attachment fetch` asks the node for it whose row or move names it."),
        hash=name[:100],
    )


class Taken(NamedTuple):
    """What became of a file that was brought. hash: '' in a dry run; new: it was not here before."""

    hash: str
    size: int
    kind: str
    removed: Sequence[str]
    new: bool

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {**self._asdict(), "removed": list(self.removed)}


class Attachments:
    """Used from the loop. check_disk: raises InputFault where the disk has no room; alarm: told (name, fields) of
    what a person should look at."""

    def __init__(
        self, home: Path, settings: AttachmentsSection, check_disk: Callable[[], None], alarm: Callable[..., None]
    ) -> None:
        self.files = Files(home)
        self.settings = settings
        self._check_disk = check_disk
        self.alarm = alarm
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="attachments")
        self._used: int | None = None
        self._told_full = False

    async def start(self, now_us: int) -> None:
        """Before anything is asked. Raises OSError."""
        await self.in_thread(partial(self.files.sweep, now_us - COMING_KEPT_US))

    def close(self) -> None:
        """What was begun is finished."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Work on the files, behind what was asked before."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def take(self, data: bytes, *, dry_run: bool = False) -> Taken:
        """A file becomes an attachment; when this returns it is durable. Raises UserFault ATTACHMENT_REFUSED,
        ATTACHMENTS_FULL; InputFault DISK_FULL; HomeFault."""
        self._check_disk()
        try:
            return await self.in_thread(partial(self._take, data, dry_run))
        finally:
            self._look_at_quota()

    async def find(self, name: str) -> Held | None:
        """An attachment that is here, whole and verified."""
        return await self.in_thread(partial(self.files.find, name)) if is_hash(name) else None

    async def read(self, name: str, offset: int, size: int) -> bytes:
        """A part of one; b'' behind its end. Raises FileNotFoundError."""
        return await self.in_thread(partial(self.files.read, name, offset, size))

    async def begun(self, name: str) -> int:
        """Bytes that are here of one that is coming."""
        return await self.in_thread(partial(self.files.begun, name))

    async def add(self, name: str, offset: int, data: bytes, total: int) -> None:
        """The next part of one that is coming, of `total` bytes: one that does not fit as a whole would use the quota
        for nothing. Raises UserFault ATTACHMENTS_FULL; HomeFault."""
        try:
            await self.in_thread(partial(self._add, name, offset, data, total))
        finally:
            self._look_at_quota()

    async def finish(self, name: str) -> Held | None:
        """All of it has come: the attachment, or None if it is not what it is called; then nothing of it is here. Nor
        where it is of a kind that this node does not take: the other one may take more. Raises UserFault
        ATTACHMENT_REFUSED."""
        return await self.in_thread(partial(self._finish, name))

    async def drop_coming(self, name: str) -> None:
        """Forgets what came of one."""
        await self.in_thread(partial(self._drop, name))

    async def remove(self, name: str) -> bool:
        """Takes one away for good; False if it is not here."""
        removed = await self.in_thread(partial(self._remove, name))
        self._look_at_quota()
        return removed

    async def shown(self) -> dict[str, Any]:
        """For the status."""
        used = await self.in_thread(self.in_use)
        return {"used_bytes": used, "quota_bytes": self.settings.quota_bytes}

    def _look_at_quota(self) -> None:
        """Tells once that there is little room, and anew after there was more."""
        used, quota = self._used or 0, self.settings.quota_bytes
        if used < NEARLY_FULL * quota:
            self._told_full = False
        elif not self._told_full:
            self._told_full = True
            self.alarm("attachments_full", used_bytes=used, quota_bytes=quota)

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _take(self, data: bytes, dry_run: bool) -> Taken:
        found: Examined = examine(data, self.settings.kinds, self.settings.file_bytes_max)
        size = len(found.data)
        if dry_run:
            return Taken("", size, found.kind, found.removed, False)
        held = self.files.find(sha256(found.data).hexdigest())
        if held is None or not held.own:
            self.need_room(size)
        name, new = self.files.keep(found.data)
        self.use(size if new else 0)
        return Taken(name, size, found.kind, found.removed, new)

    def _remove(self, name: str) -> bool:
        freed = self.files.remove(name)
        self.use(-freed)
        return bool(freed)

    def _add(self, name: str, offset: int, data: bytes, total: int) -> None:
        before = self.files.begun(name)
        self.need_room(max(total, offset + len(data)) - before)
        self.files.add(name, offset, data)
        self.use(self.files.begun(name) - before)

    def _finish(self, name: str) -> Held | None:
        coming, held = self.files.begun(name), self.files.find(name)
        if not self.files.finish(name):
            self.use(-coming)
            return None
        if held is not None and not held.own:
            self.use(-held.size)  # the same bytes took its place
        found = self.files.find(name)
        try:
            need_kind(found.kind if found is not None else "", self.settings.kinds)
        except UserFault:
            self._remove(name)
            raise
        return found

    def _drop(self, name: str) -> None:
        self.use(-self.files.begun(name))
        self.files.drop_coming(name)

    def in_use(self) -> int:
        """Bytes of all attachments. Counted once, then kept up."""
        if self._used is None:
            self._used = self.files.used()
        return self._used

    def use(self, size: int) -> None:
        """So many bytes more, or less."""
        if self._used is not None:
            self._used += size

    def need_room(self, size: int) -> None:
        """In the thread. Raises UserFault ATTACHMENTS_FULL where so many bytes more would pass the quota."""
        if self.in_use() + size <= self.settings.quota_bytes:
            return
        raise UserFault(
            Code.ATTACHMENTS_FULL,
            N_("The attachments of this node use {used} of {quota} bytes: there is no room for {size} more."),
            N_("Raise `quota_bytes` in node.toml under [attachments], or remove what is not needed any more."),
            used=self.in_use(),
            quota=self.settings.quota_bytes,
            size=size,
        )
