"""Bookkeeping of loads: what came from which file, what was let in, what was rejected at the door and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from node.store.session import Session
from sync.reasons import Reason
from sync.values import Key

_START = """INSERT INTO load (dataset, file_name, digest, lines, written, unchanged, rejected, started, ended)
    VALUES (?, ?, ?, 0, 0, 0, 0, ?, 0) RETURNING id"""
_FINISH = "UPDATE load SET lines = ?, written = ?, unchanged = ?, rejected = ?, ended = ? WHERE id = ?"
_ONE = """SELECT id, dataset, file_name, digest, lines, written, unchanged, rejected, started, ended
    FROM load WHERE id = ?"""
LOAD_MAX = (1 << 63) - 1
_NEWEST = """SELECT id, dataset, file_name, digest, lines, written, unchanged, rejected, started, ended
    FROM load WHERE id < ? ORDER BY id DESC LIMIT ?"""
_LAST_ENDED = "SELECT max(ended) FROM load WHERE dataset = ?"
_BATCH = "INSERT OR REPLACE INTO load_batch (load, change_group, keys) VALUES (?, ?, ?)"
_BATCHES = "SELECT change_group, keys FROM load_batch WHERE load = ? ORDER BY change_group"
_OF_GROUP = "SELECT load FROM load_batch WHERE change_group = ? LIMIT 1"
# The same line of the same file again is the same reject: it moves to the newest load, and none is doubled.
_REJECT = """INSERT OR REPLACE INTO load_reject (digest, line, load, reason, detail, raw, key, source)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
# '' is a line whose key, or whose number in its source, nobody could tell: not the row that has none.
_REJECTS_OF = """SELECT load, line, reason, load_reject.detail, raw, key, source
    FROM load_reject JOIN load ON load.id = load
    WHERE dataset = ?1 AND (key <> '' AND key = ?2 OR source <> '' AND source = ?3)
    ORDER BY load DESC, line LIMIT ?4"""
_REJECTS = "SELECT line, reason, detail, raw, key, source FROM load_reject WHERE load = ? ORDER BY line LIMIT ?"


class LoadCounts(NamedTuple):
    """lines read = rows written + rows unchanged + lines rejected."""

    lines: int
    written: int
    unchanged: int
    rejected: int


class Load(NamedTuple):
    """One file taken in; digest: SHA-256 of the file; times in microseconds, ended 0 while it runs or if it broke."""

    id: int
    dataset: str
    file_name: str
    digest: bytes
    counts: LoadCounts
    started: int
    ended: int


class Reject(NamedTuple):
    """One line that was not let in; `raw` is the line as text, for correction.

    key: its row's as JSON text; source: its number in the system it comes from; '' where the line does not tell.
    """

    line: int
    reason: Reason
    detail: str
    raw: str
    key: str = ""
    source: str = ""


class Written(NamedTuple):
    """Keys that one transaction of a load wrote: of rows that were not there before, and of rows that were."""

    created: list[Key]
    changed: list[Key]


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]).decode


def pack_written(written: Written) -> bytes:
    """As `Loads.batch` keeps it."""
    return _pack(written)


def unpack_written(stored: bytes) -> Written:
    """The inverse of pack_written."""
    return Written(*_unpack(stored))


class Loads:
    """Reads and writes inside the open transaction. Raises StoreFault."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def start(self, dataset: str, file_name: str, digest: bytes, at: int) -> int:
        """Opens a load; its id."""
        return int(self._session.rows(_START, (dataset, file_name, digest, at))[0][0])

    def batch(self, load: int, group: int, keys: bytes) -> None:
        """Notes which keys (`pack_written`) one transaction of the load wrote, under which group."""
        self._session.run(_BATCH, (load, group, keys))

    def reject(self, load: int, digest: bytes, rejects: Iterable[Reject]) -> None:
        """Keeps lines that were not let in."""
        rows = [(digest, r.line, load, r.reason.value, r.detail, r.raw, r.key, r.source) for r in rejects]
        self._session.run_many(_REJECT, rows)

    def finish(self, load: int, counts: LoadCounts, at: int) -> None:
        """Closes a load with its counts."""
        self._session.run(_FINISH, (*counts, at, load))

    def get(self, load: int) -> Load | None:
        """One load."""
        row = self._session.first(_ONE, (load,))
        return None if row is None else load_of(row)

    def newest(self, limit: int, before: int = LOAD_MAX) -> list[Load]:
        """The newest loads before one, newest first."""
        return [load_of(row) for row in self._session.rows(_NEWEST, (before, limit))]

    def last_ended(self, dataset: str) -> int:
        """When the newest load of a dataset came to its end; 0 if none has."""
        return int(self._session.first(_LAST_ENDED, (dataset,))[0] or 0)

    def batches(self, load: int) -> list[tuple[int, bytes]]:
        """(group, packed keys) of each transaction of a load."""
        return [(group, keys) for group, keys in self._session.rows(_BATCHES, (load,))]

    def of_group(self, group: int) -> int | None:
        """The load whose transaction had this group; None if it was no load's."""
        row = self._session.first(_OF_GROUP, (group,))
        return None if row is None else int(row[0])

    def rejects(self, load: int, limit: int) -> list[Reject]:
        """Lines not let in, in order of line."""
        found = self._session.rows(_REJECTS, (load, limit))
        return [Reject(line, Reason(reason), *rest) for line, reason, *rest in found]

    def rejects_of(self, dataset: str, key: str, source: str, limit: int) -> list[tuple[int, Reject]]:
        """(load, line not let in) of a row, by its key or its number in its source; the newest load first."""
        found = self._session.rows(_REJECTS_OF, (dataset, key, source, limit))
        return [(load, Reject(line, Reason(reason), *rest)) for load, line, reason, *rest in found]


def load_of(row: tuple[object, ...]) -> Load:
    """A row of the table `load` as a value."""
    id_, dataset, file_name, digest, lines, written, unchanged, rejected, started, ended = row
    counts = LoadCounts(lines, written, unchanged, rejected)  # type: ignore[arg-type] # typed by the STRICT table
    return Load(id_, dataset, file_name, digest, counts, started, ended)  # type: ignore[arg-type] # as above
