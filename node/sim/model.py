"""What each origin ever committed, and what a node that holds it up to a given entry must therefore have as rows.

Told from the entries' bytes alone, by code of its own: the model against which replicas are compared at every commit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from node.sim.places import newest_catalogue
from sync.chain import open_content
from sync.effects import LogEntry
from sync.rows import DIGEST_MODULUS, RowBatch, key_getter, row_hash, to_schema_order
from sync.values import Key, Kind
from sync.wire.v1.entry_pb2 import EntryHeader

Row = tuple[str, Key]


class Told(NamedTuple):
    """One entry: its place, and the digest and number of the feed's rows after it."""

    seq: int
    prev: bytes
    digest: int
    rows: int
    puts: tuple[tuple[Row, int], ...]
    ends: tuple[Row, ...]


@dataclass(slots=True)
class FeedModel:
    """All entries that the origin committed in one epoch of one feed; a tree if it forked."""

    told: dict[bytes, Told] = field(default_factory=dict)
    elsewhere: dict[int, dict[bytes, set[int]]] = field(default_factory=dict)
    """By seq: entries that other nodes than the origin hold now, and who. More than one is a fork."""
    _tip: bytes = b""
    _live: dict[Row, int] = field(default_factory=dict)

    def add(self, entry: LogEntry) -> None:
        """Takes an entry that its origin committed."""
        header = EntryHeader.FromString(entry.header)
        before = self.told.get(header.prev)
        if header.prev != self._tip:
            self._live = self._rows_at(header.prev)
        puts, ends = _content(header, entry.payload)
        digest, rows = (before.digest, before.rows) if before else (0, 0)
        for row, number in puts:
            digest -= self._live.get(row, 0)
            rows += row not in self._live
            self._live[row] = number
            digest += number
        for row in ends:
            if row in self._live:
                digest -= self._live.pop(row)
                rows -= 1
        self._tip = entry.header_hash
        told = Told(entry.seq, header.prev, digest % DIGEST_MODULUS, rows, puts, ends)
        self.told[entry.header_hash] = told

    def _rows_at(self, head: bytes) -> dict[Row, int]:
        path: list[Told] = []
        while head in self.told:
            path.append(self.told[head])
            head = self.told[head].prev
        live: dict[Row, int] = {}
        for told in reversed(path):
            live.update(told.puts)
            for row in told.ends:
                live.pop(row, None)
        return live


def _content(header: EntryHeader, payload: bytes) -> tuple[tuple[tuple[Row, int], ...], tuple[Row, ...]]:
    if int(header.kind) != Kind.RECORDS:
        return (), ()
    batch = open_content(header, payload, newest_catalogue().schema)
    if not isinstance(batch, RowBatch):
        return (), ()
    schema = newest_catalogue().schema("", batch.dataset)
    assert schema is not None
    key_of, order = key_getter(schema, batch.columns), to_schema_order(schema, batch.columns)
    puts = []
    for put in batch.puts:
        key = key_of(put)
        puts.append(((batch.dataset, key), row_hash(header.group, put if order is None else order(put))))
    return tuple(puts), tuple((batch.dataset, end.key) for end in batch.ends)
