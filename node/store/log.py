"""The log: entries of all feeds, and the outbox of what is not sealed yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from node.store.daybook import Daybook
from node.store.faults import StoreFault, StoreTrouble
from node.store.names import Names, entry_id, seq_of
from node.store.schema import PAYLOAD_INLINE_BYTES, SEQ_MAX
from node.store.session import Session
from sync import limits
from sync.effects import Append, ClearOutbox, LogEntry, OutboxItem, Queue, Unqueue
from sync.values import FeedName, Head, Kind, Lane, Route

_ADD_PAYLOAD = "INSERT INTO payload (digest, bytes) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING"
_ADD_ENTRY = """INSERT INTO log (id, header_hash, payload_digest, seal, header, payload, plain_size, rows)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_ENTRIES = """SELECT id, header, header_hash,
    coalesce(payload, (SELECT bytes FROM payload WHERE payload.digest = log.payload_digest)), payload_digest, seal,
    plain_size, rows
    FROM log WHERE id BETWEEN ? AND ? ORDER BY id"""
_STORED = """SELECT id, header, header_hash,
    coalesce(payload, (SELECT bytes FROM payload WHERE payload.digest = log.payload_digest), X''), payload_digest, seal,
    plain_size, rows
    FROM log WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"""
_HEADERS = """SELECT id, header, header_hash, X'', payload_digest, seal, plain_size, rows
    FROM log WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"""
_CHAINS = "SELECT id, epoch FROM chain WHERE feed = ? ORDER BY id"
_HEAD = "SELECT id, header_hash FROM log WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1"

_QUEUE = """INSERT INTO outbox
    (feed, id, route, lane, kind, codec, payload, plain_size, rows, schema_version, change_group)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_OUTBOX = """SELECT id, route, lane, kind, codec, payload, plain_size, rows, schema_version, change_group
    FROM outbox WHERE feed = ? ORDER BY id LIMIT ?"""
_UNQUEUE = "DELETE FROM outbox WHERE feed = ? AND id <= ?"
_CLEAR = "DELETE FROM outbox WHERE kind = ?"
_OUTBOX_COUNTS = "SELECT feed, count(*) FROM outbox GROUP BY feed"


class Log:
    """Writes and reads of entries and outbox. Raises StoreFault."""

    __slots__ = ("_daybook", "_names", "_session")

    def __init__(self, session: Session, names: Names, daybook: Daybook) -> None:
        self._session = session
        self._names = names
        self._daybook = daybook

    def append(self, write: Append) -> None:
        """Adds entries; their seqs must go on where the chain ends (a feed has no gaps)."""
        chain = self._names.chain(write.feed, write.epoch)
        last = self._names.last_seq(chain)
        rows: list[tuple[Any, ...]] = []
        payloads: list[tuple[bytes, bytes]] = []
        for seq, header, header_hash, payload, digest, seal, plain, changes in write.entries:
            last += 1
            if seq != last:
                raise StoreFault(StoreTrouble.REFUSED, f"entry {seq} of {write.feed} where {last} was due")
            inline: bytes | None = payload
            if len(payload) >= PAYLOAD_INLINE_BYTES:
                payloads.append((digest, payload))
                inline = None
            rows.append((entry_id(chain, seq), header_hash, digest, seal, header, inline, plain, changes))
        if payloads:
            self._session.run_many(_ADD_PAYLOAD, payloads)
        self._session.run_many(_ADD_ENTRY, rows)
        self._daybook.entries(chain, last - len(rows) + 1, [row[-1] for row in rows], write.times)
        self._names.set_last_seq(chain, last)

    def entries(self, feed: FeedName, epoch: bytes, from_seq: int, bytes_max: int, entries_max: int) -> list[LogEntry]:
        """As sync.ports.Log.entries: what fits a run and ends at a seal, at least up to the first seal."""
        chain = self._names.find_chain(feed, epoch)
        if chain is None:
            return []
        taken: list[LogEntry] = []
        size = plain = rows = sealed = 0
        with self._session.stepping(_ENTRIES, _span(chain, from_seq)) as found:
            for entry in _log_entries(found):
                size += len(entry.header) + len(entry.payload) + len(entry.seal)
                plain += entry.plain_size
                rows += entry.rows
                if sealed and (
                    size > bytes_max
                    or len(taken) >= entries_max
                    or plain > limits.RUN_PLAIN_BYTES_MAX
                    or rows > limits.RUN_ROWS_MAX
                ):
                    break
                taken.append(entry)
                if entry.seal:
                    sealed = len(taken)
        del taken[sealed:]
        return taken

    def entry(self, feed: FeedName, epoch: bytes, seq: int) -> LogEntry | None:
        """One entry, or None."""
        chain = self._names.find_chain(feed, epoch)
        if chain is None or not 0 < seq <= SEQ_MAX:
            return None
        number = entry_id(chain, seq)
        return next(_log_entries(self._session.rows(_ENTRIES, (number, number))), None)

    def headers(self, feed: FeedName, epoch: bytes, from_seq: int, entries_max: int) -> list[LogEntry]:
        """Entries without payload up to and with the first sealed one, at most entries_max."""
        chain = self._names.find_chain(feed, epoch)
        taken: list[LogEntry] = []
        if chain is None:
            return taken
        with self._session.stepping(_HEADERS, (*_span(chain, from_seq), entries_max)) as found:
            for entry in _log_entries(found):
                taken.append(entry)
                if entry.seal:
                    break
        return taken

    def stored(self, feed: FeedName, epoch: bytes, from_seq: int, entries_max: int) -> list[LogEntry]:
        """Entries from from_seq on as they are held; a payload that is no longer held is empty."""
        chain = self._names.find_chain(feed, epoch)
        if chain is None:
            return []
        return list(_log_entries(self._session.rows(_STORED, (*_span(chain, from_seq), entries_max))))

    def epochs(self, feed: FeedName) -> list[Head]:
        """Heads of all epochs of which entries are held, oldest first."""
        number = self._names.find_feed(feed)
        heads: list[Head] = []
        if number is None:
            return heads
        for chain, epoch in self._session.rows(_CHAINS, (number,)):
            head = self._session.first(_HEAD, _span(chain, 1))
            if head is not None:
                heads.append(Head(epoch, seq_of(head[0]), head[1]))
        return heads

    def queue(self, write: Queue) -> None:
        """Adds an item to the outbox."""
        item = write.item
        self._session.run(
            _QUEUE,
            (
                self._names.feed(item.feed),
                item.id,
                item.route.value,
                item.lane.value,
                item.kind.value,
                item.codec,
                item.payload,
                item.plain_size,
                item.rows,
                item.schema_version,
                item.group,
            ),
        )

    def unqueue(self, write: Unqueue) -> None:
        """Takes sealed items out of the outbox."""
        self._session.run(_UNQUEUE, (self._names.feed(write.feed), write.up_to_id))

    def clear_outbox(self, _: ClearOutbox) -> None:
        """Takes all record changes out of the outbox; moves, refusals and the like stay."""
        self._session.run(_CLEAR, (Kind.RECORDS.value,))

    def outbox(self, feed: FeedName, bytes_max: int, items_max: int) -> list[OutboxItem]:
        """The oldest items of a feed that fit, at least one if there is any."""
        number = self._names.find_feed(feed)
        taken: list[OutboxItem] = []
        if number is None:
            return taken
        size = 0
        with self._session.stepping(_OUTBOX, (number, items_max)) as found:
            for id_, route, lane, kind, codec, payload, plain, rows, version, group in found:
                size += len(payload)
                if taken and size > bytes_max:
                    break
                item = OutboxItem(
                    id_, feed, Route(route), Lane(lane), Kind(kind), codec, payload, plain, rows, version, group
                )
                taken.append(item)
        return taken

    def outbox_counts(self) -> dict[FeedName, int]:
        """Number of items waiting, per feed that has any."""
        return {self._names.feed_name(feed): count for feed, count in self._session.rows(_OUTBOX_COUNTS)}


def _span(chain: int, from_seq: int) -> tuple[int, int]:
    return entry_id(chain, min(max(from_seq, 1), SEQ_MAX)), entry_id(chain, SEQ_MAX)


def _log_entries(found: Iterator[Any] | Sequence[Any]) -> Iterator[LogEntry]:
    for number, *rest in found:
        yield LogEntry(seq_of(number), *rest)
