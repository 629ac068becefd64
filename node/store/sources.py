"""Sources: systems of this platform that are read again and again. How far each was read, when it was heard last, what
came of it day by day, and which rows are its own.

A row belongs to every source that has brought it, so that it goes only when none of them holds it any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from node.store.session import Session
from sync.values import Key

DATABASE = "database"
FOLDER = "folder"

_COLUMNS = "id, name, dataset, kind, shape, position, contact, news, fault, fault_at"
_ALL = f"SELECT {_COLUMNS} FROM source ORDER BY name"  # noqa: S608 - constants
_ONE = f"SELECT {_COLUMNS} FROM source WHERE name = ?"  # noqa: S608 - constants
_ADD = """INSERT INTO source (name, dataset, kind, shape, position, contact, news, fault, fault_at)
    VALUES (?, ?, ?, ?, '', 0, 0, '', 0)"""
_RESHAPE = "UPDATE source SET dataset = ?, kind = ?, shape = ?, position = '' WHERE id = ?"
_POSITION = "UPDATE source SET position = ? WHERE id = ?"
_CONTACT = "UPDATE source SET contact = ?, fault = '', fault_at = 0 WHERE id = ?"
_NEWS = "UPDATE source SET news = ? WHERE id = ?"
_FAULT = "UPDATE source SET fault = ?, fault_at = ? WHERE id = ?"
_LOAD = """SELECT load.id FROM source_load JOIN load ON load.id = source_load.load
    WHERE source_load.source = ? AND load.digest = ? AND (load.ended OR ?) ORDER BY load.id DESC LIMIT 1"""
_ADD_LOAD = "INSERT INTO source_load (load, source) VALUES (?, ?)"
_OF_LOAD = """SELECT source.id FROM source_load JOIN source ON source.id = source_load.source
    WHERE source_load.load = ? AND source.kind = ?"""
_OPEN_DAY = "INSERT INTO source_day (source, day) VALUES (?, ?) ON CONFLICT DO NOTHING"
_ADD_TO_DAY = """UPDATE source_day SET read = read + ?, taken = taken + ?, unchanged = unchanged + ?,
    rejected = rejected + ?, not_ours = not_ours + ?, voided = voided + ? WHERE source = ? AND day = ?"""
_HELD = "UPDATE source_day SET held = ? WHERE source = ? AND day = ?"
_DAYS = """SELECT source.name, source.dataset, day, read, taken, unchanged, rejected, not_ours, voided, held
    FROM source_day JOIN source ON source.id = source_day.source
    WHERE day BETWEEN ? AND ? ORDER BY day, source.name"""
_CLAIM = "INSERT INTO source_key (source, key) VALUES (?, ?) ON CONFLICT DO NOTHING"
_UNCLAIM = "DELETE FROM source_key WHERE source = ? AND key = ?"
_UNCLAIM_ALL = "DELETE FROM source_key WHERE source = ?"
_CLAIMED = """SELECT own.key, EXISTS (
        SELECT 1 FROM source_key AS other JOIN source ON source.id = other.source
        WHERE other.key = own.key AND other.source <> own.source AND source.dataset = ?3
            AND source.name IN (SELECT value FROM json_each(?5)))
    FROM source_key AS own WHERE own.source = ?1 AND own.key > ?2 ORDER BY own.key LIMIT ?4"""
_COUNT_REJECTS = (
    "SELECT count(*) FROM load_reject JOIN load USING (digest) WHERE load.id = ?1 AND load_reject.load = ?1"
)
_TOTAL = "UPDATE load SET lines = lines + ?, written = written + ?, unchanged = unchanged + ?, ended = ? WHERE id = ?"
_REJECTED = "UPDATE load SET rejected = ? WHERE id = ?"

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(tuple[Any, ...]).decode


class SourceState(NamedTuple):
    """One source, as the node knows it. Times in microseconds, 0 for never.

    shape: a digest of the declaration, so that one that was changed is read from its beginning; position: how far it
    was read, in the words of who reads it; contact: when it last answered; news: when it last changed a row here;
    fault: why it was not read since, '' when it was.
    """

    id: int
    name: str
    dataset: str
    kind: str
    shape: str
    position: str
    contact: int
    news: int
    fault: str
    fault_at: int


class SourceCounts(NamedTuple):
    """Rows by what became of them: read = taken + unchanged + rejected + not_ours. voided: gone from the source."""

    read: int = 0
    taken: int = 0
    unchanged: int = 0
    rejected: int = 0
    not_ours: int = 0
    voided: int = 0


class SourceDay(NamedTuple):
    """What came of one source on one day (ISO date; days are those of sync/days.py).

    Rows that are read again count again as unchanged; a row rejected again and again counts once a day.
    held: how many rows the source held when its keys were last compared that day; None if they were not.
    """

    source: str
    dataset: str
    day: str
    counts: SourceCounts
    held: int | None


class Claimed(NamedTuple):
    """A row that a source has brought. shared: another source of the same dataset brought it too."""

    packed: bytes
    shared: bool

    @property
    def key(self) -> Key:
        """The dataset's key."""
        return tuple(_unpack(self.packed))


def pack_key(key: Key) -> bytes:
    """A key as the table keeps it."""
    return _pack(key)


class Sources:
    """Reads, and writes inside the open transaction. Raises StoreFault."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def begin(self, name: str, dataset: str, kind: str, shape: str) -> SourceState:
        """The source as it is known; made, or set back to its beginning, where its declaration is another one."""
        known = self.get(name)
        if known is None:
            self._session.run(_ADD, (name, dataset, kind, shape))
        elif known.shape != shape:
            self._session.run(_RESHAPE, (dataset, kind, shape, known.id))
            if known.dataset != dataset:
                self._session.run(_UNCLAIM_ALL, (known.id,))
        return self._must(name)

    def get(self, name: str) -> SourceState | None:
        """One source; None if it was never read."""
        row = self._session.first(_ONE, (name,))
        return None if row is None else SourceState(*row)

    def all(self) -> list[SourceState]:
        """Every source that was ever read, in order of name."""
        return [SourceState(*row) for row in self._session.rows(_ALL)]

    def load_of(self, source: SourceState, digest: bytes, *, ended: bool) -> int | None:
        """The newest load of this content from this source; ended: only one that came to its end."""
        row = self._session.first(_LOAD, (source.id, digest, not ended))
        return None if row is None else int(row[0])

    def add_load(self, source: SourceState, load: int) -> None:
        """A load belongs to this source."""
        self._session.run(_ADD_LOAD, (load, source.id))

    def of_load(self, load: int) -> int | None:
        """The source whose rows a load claims: that of a load from a database, else None."""
        row = self._session.first(_OF_LOAD, (load, DATABASE))
        return None if row is None else int(row[0])

    def took(self, source: SourceState, load: int, day: str, counts: SourceCounts, position: str, at: int) -> None:
        """Rows that are in: counted, and the position behind them kept. load: 0 when there is none.

        What was rejected of the load is counted as its books have it, so that a row read again is one.
        """
        self._session.run(_OPEN_DAY, (source.id, day))
        rejected = counts.rejected
        if load:
            before = self._session.first("SELECT rejected FROM load WHERE id = ?", (load,))[0]
            kept = self._session.first(_COUNT_REJECTS, (load,))[0] if rejected else before
            rejected = kept - before
            self._session.run(_REJECTED, (kept, load))
            self._session.run(_TOTAL, (counts.read - counts.not_ours, counts.taken, counts.unchanged, at, load))
        self._session.run(_ADD_TO_DAY, (*counts._replace(rejected=rejected), source.id, day))
        self._session.run(_POSITION, (position, source.id))
        self.heard(source, at)
        if counts.taken or counts.voided:
            self._session.run(_NEWS, (at, source.id))

    def heard(self, source: SourceState, at: int) -> None:
        """It answered."""
        self._session.run(_CONTACT, (at, source.id))

    def failed(self, source: SourceState, fault: str, at: int) -> None:
        """It could not be read."""
        self._session.run(_FAULT, (fault, at, source.id))

    def reset(self, source: SourceState) -> None:
        """It is read from its beginning next time."""
        self._session.run(_POSITION, ("", source.id))

    def counted(self, source: SourceState, day: str, held: int) -> None:
        """How many rows the source holds."""
        self._session.run(_OPEN_DAY, (source.id, day))
        self._session.run(_HELD, (held, source.id, day))

    def claim(self, source: int, keys: Iterable[Key]) -> None:
        """The source brought these rows."""
        self._session.run_many(_CLAIM, [(source, _pack(key)) for key in keys])

    def unclaim(self, source: int, packed: Iterable[bytes]) -> None:
        """The source has these rows no more."""
        self._session.run_many(_UNCLAIM, [(source, key) for key in packed])

    def claimed(self, source: SourceState, after: bytes, limit: int, others: Sequence[str]) -> list[Claimed]:
        """Rows that the source brought, in order of their packed keys, from behind `after` on.

        others: the sources that there are besides: one that was given up keeps no row here.
        """
        found = self._session.rows(_CLAIMED, (source.id, after, source.dataset, limit, json.dumps(list(others))))
        return [Claimed(key, bool(shared)) for key, shared in found]

    def days(self, first: str, last: str) -> Sequence[SourceDay]:
        """What came of the sources from one day to another (ISO dates, both included), in order of day and name."""
        return [
            SourceDay(name, dataset, day, SourceCounts(*counts), held)
            for name, dataset, day, *counts, held in self._session.rows(_DAYS, (first, last))
        ]

    def _must(self, name: str) -> SourceState:
        found = self.get(name)
        assert found is not None
        return found
