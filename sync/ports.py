"""What the core may read while it decides: the node's own log and rows, in the writer's thread, as of all writes
performed so far. Like a storage interface of a consensus library: the answers are a function of earlier effects.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sync.effects import FeedState, HeldRow, LogEntry, OutboxItem
from sync.reasons import Reason
from sync.values import FeedName, Head, Key


class ParkedRef(NamedTuple):
    """A row that waits; place -1 is a whole entry."""

    feed: FeedName
    epoch: bytes
    seq: int
    place: int
    dataset: str
    key: str
    reason: Reason


class Log(Protocol):
    """Reads of the store; implemented by node/store."""

    def entries(
        self, feed: FeedName, epoch: bytes, from_seq: int, bytes_max: int, entries_max: int
    ) -> Sequence[LogEntry]:
        """Entries from from_seq on that end at a sealed one: as many as fit a run, but at least up to the first seal.

        Size counts header, payload and seal; plain bytes and rows are bounded as in any run. Empty if there is none.
        """
        ...

    def entry(self, feed: FeedName, epoch: bytes, seq: int) -> LogEntry | None:
        """One entry."""
        ...

    def headers(self, feed: FeedName, epoch: bytes, from_seq: int, entries_max: int) -> Sequence[LogEntry]:
        """Entries without payload from from_seq up to the first sealed one (evidence of a fork)."""
        ...

    def epochs(self, feed: FeedName) -> Sequence[Head]:
        """All epochs held of a feed, oldest first, each with its last head."""
        ...

    def outbox(self, feed: FeedName, bytes_max: int, items_max: int) -> Sequence[OutboxItem]:
        """The oldest items that wait, at least one if there is any."""
        ...

    def held(self, dataset: str, origin: str, keys: Collection[Key]) -> Mapping[Key, HeldRow]:
        """The rows held of these keys; a key without a row is left out."""
        ...

    def parked(self, feed: FeedName | None, limit: int) -> Sequence[ParkedRef]:
        """Parked rows in order of feed, seq, place; of one feed or of all. What a person is shown."""
        ...

    def parked_after(self, feed: FeedName, epoch: bytes, after: tuple[int, int], limit: int) -> Sequence[ParkedRef]:
        """Parked rows of an epoch in order of seq and place, behind the place `after`: (seq, place)."""
        ...

    def parked_among(self, feed: FeedName, epoch: bytes, rows: Collection[tuple[str, str]]) -> Sequence[ParkedRef]:
        """Parked rows of an epoch that are among these: (dataset, key text)."""
        ...

    def refused(self, feed: FeedName, epoch: bytes, after_seq: int) -> frozenset[tuple[int, int]]:
        """(seq, place) of the refused rows of a feed in entries after `after_seq`; place -1 is a whole entry."""
        ...

    def first_parked(self, feed: FeedName) -> int:
        """Smallest seq with a parked row, 0 if none."""
        ...


@dataclass(slots=True)
class Rebuilt:
    """All that a replica starts from."""

    instance: bytes
    group: int = 0
    outbox_id: int = 0
    counter: int = 0
    feeds: list[FeedState] = field(default_factory=list)
    outbox_feeds: dict[FeedName, int] = field(default_factory=dict)
    """Number of items waiting, per feed."""
    anchor: bytes = b""
    seen: list[tuple[str, bytes, bytes, int]] = field(default_factory=list)
    """(node, instance, boot, order), oldest first."""
    statements: list[tuple[str, str, str, bytes, bytes, bytes]] = field(default_factory=list)
    """(sort, by, about, body, signature, detail)."""
    evidence: list[tuple[FeedName, bytes]] = field(default_factory=list)
    restored: bool = False
    """A declared restore whose neighbours have not all been compared."""
    compared: frozenset[str] = frozenset()
    """Neighbours compared since the declared restore."""
    republish: bool = False
    """A recovery was under way: own feeds must still be compared with the rows."""
    recovering: Mapping[tuple[str, str], Mapping[str, int]] = field(default_factory=dict)
    """Own feeds (publication, addressee) of which neighbours hold more: who, and up to which seq."""
    suspended_clone: frozenset[str] = frozenset()
    """Nodes that showed a clone and were not cleared by an operator."""
