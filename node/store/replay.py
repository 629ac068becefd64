"""What a feed says of its rows, told from its entries alone. Pure; the log is the truth that tables are checked by."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from sync.chain import open_content
from sync.rows import RowBatch, digest_rows, key_getter, row_hash, shift_digest, to_schema_order
from sync.schema import RowSchema
from sync.values import Key, Kind
from sync.wire.v1.entry_pb2 import CheckpointPayload, EntryHeader, EpochStartPayload

SchemaOf = Callable[[str, str], RowSchema | None]
"""(publication, dataset) -> schema, as sync.judge.Judge.schema."""

WHOLE_ENTRY = -1


class Said(NamedTuple):
    """What a feed says of one row: its version, and the number it adds to the feed's digest (sync.rows.row_hash)."""

    version: int
    hash: int


class Replay:
    """The rows of one feed after the entries taken so far. Keeps a number per row, not the row."""

    __slots__ = ("_schema_of", "_start_group", "rows", "unread")

    def __init__(self, schema_of: SchemaOf) -> None:
        self._schema_of = schema_of
        self._start_group = 0
        self.rows: dict[tuple[str, Key], Said] = {}
        self.unread = 0
        """Entries with rows in effect that could not be decoded here: the tables cannot be checked by this replay."""

    def take(self, header: EntryHeader, payload: bytes, without: Collection[int]) -> None:
        """Applies one entry; `without` has the places of rows that are not in effect (WHOLE_ENTRY: none is).

        Raises RemoteFault for a payload that its header does not describe.
        """
        kind = int(header.kind)
        if WHOLE_ENTRY in without or kind not in (Kind.RECORDS, Kind.EPOCH_START, Kind.CHECKPOINT):
            return
        content = open_content(header, payload, self._schema_of)
        if isinstance(content, RowBatch):
            self._take_rows(header, content, without)
        elif isinstance(content, EpochStartPayload):
            self._start_group = header.group
        elif isinstance(content, CheckpointPayload):
            self._end_republication()
        elif content is not None:
            self.unread += 1

    @property
    def digest(self) -> bytes:
        """Digest of the rows (32 bytes)."""
        return shift_digest(digest_rows(()), sum(said.hash for said in self.rows.values()), 0)

    def _take_rows(self, header: EntryHeader, batch: RowBatch, without: Collection[int]) -> None:
        schema = self._schema_of(header.publication, batch.dataset)
        assert schema is not None, "decoded, so known"
        order, key_of = to_schema_order(schema, batch.columns), None
        if batch.puts:
            key_of = key_getter(schema, batch.columns)
        # Places count rows as they stand in the payload, puts first; what did not decode has left its place empty.
        undecoded = {bad.place for bad in batch.bad}
        total = len(batch.puts) + len(batch.ends) + len(batch.bad)
        places = [place for place in range(total) if place not in undecoded]
        for place, put in zip(places, batch.puts, strict=False):
            if place not in without and key_of is not None:
                key = key_of(put)
                cells = put if order is None else order(put)
                self.rows[batch.dataset, key] = Said(header.group, row_hash(header.group, cells))
        for place, end in zip(places[len(batch.puts) :], batch.ends, strict=True):
            if place not in without:
                self.rows.pop((batch.dataset, end.key), None)

    def _end_republication(self) -> None:
        """At the checkpoint of a new epoch, rows that it has not said again go (protocol section 8.5)."""
        if self._start_group:
            self.rows = {row: said for row, said in self.rows.items() if said.version >= self._start_group}
            self._start_group = 0
