"""The core's reads (sync.ports.Log) through a read-only connection: to rebuild a replica's state without a writer."""

from __future__ import annotations

from collections.abc import Collection

from node.store.log import Log
from node.store.records import Records
from node.store.rows import Rows
from sync.effects import HeldRow, LogEntry, OutboxItem
from sync.ports import ParkedRef
from sync.values import FeedName, Head, Key
from sync.wire.v1.entry_pb2 import MoveBody


class Reads:
    """Implements sync.ports.Log, and of sync.judge.Known what the store alone can tell. Raises StoreFault."""

    def __init__(self, log: Log, rows: Rows, records: Records) -> None:
        self._log = log
        self._rows = rows
        self._records = records

    def entries(self, feed: FeedName, epoch: bytes, from_seq: int, bytes_max: int, entries_max: int) -> list[LogEntry]:
        return self._log.entries(feed, epoch, from_seq, bytes_max, entries_max)

    def entry(self, feed: FeedName, epoch: bytes, seq: int) -> LogEntry | None:
        return self._log.entry(feed, epoch, seq)

    def headers(self, feed: FeedName, epoch: bytes, from_seq: int, entries_max: int) -> list[LogEntry]:
        return self._log.headers(feed, epoch, from_seq, entries_max)

    def epochs(self, feed: FeedName) -> list[Head]:
        return self._log.epochs(feed)

    def outbox(self, feed: FeedName, bytes_max: int, items_max: int) -> list[OutboxItem]:
        return self._log.outbox(feed, bytes_max, items_max)

    def held(self, dataset: str, origin: str, keys: Collection[Key]) -> dict[Key, HeldRow]:
        return self._rows.held(dataset, origin, keys)

    def parked(self, feed: FeedName | None, limit: int) -> list[ParkedRef]:
        return self._records.parked(feed, limit)

    def parked_after(self, feed: FeedName, epoch: bytes, after: tuple[int, int], limit: int) -> list[ParkedRef]:
        return self._records.parked_after(feed, epoch, after, limit)

    def parked_among(self, feed: FeedName, epoch: bytes, rows: Collection[tuple[str, str]]) -> list[ParkedRef]:
        return self._records.parked_among(feed, epoch, rows)

    def refused(self, feed: FeedName, epoch: bytes, after_seq: int) -> frozenset[tuple[int, int]]:
        return self._records.refused(feed, epoch, after_seq)

    def first_parked(self, feed: FeedName) -> int:
        return self._records.first_parked(feed)

    def codes(self, table: str) -> frozenset[str]:
        """None: nothing is judged through a read-only connection."""
        return frozenset()

    def task(self, task: str) -> list[MoveBody]:
        return self._records.moves(task)

    def pending(self, task: str) -> list[MoveBody]:
        return self._records.pending_moves(task)

    def succeeds(self, node: str, predecessor: str) -> bool:
        """As sync.judge.Known."""
        return any(passed == predecessor for passed, _ in self._records.inherited(node))
