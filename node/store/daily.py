"""Reads of what was counted per day, and of what became of the entries of one day (node/store/daybook.py counts)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from node.store.names import Names, entry_id
from node.store.session import Session
from sync.days import day_of_hlc
from sync.reasons import Reason
from sync.values import Fate, FeedName
from sync.wire.v1.entry_pb2 import EntryHeader, Refusal

_OF_DAY = "SELECT day, first, last, entries, rows, at FROM feed_day WHERE chain = ? AND day = ?"
_NEWEST = "SELECT day, first, last, entries, rows, at FROM feed_day WHERE chain = ? ORDER BY at DESC LIMIT 1"
_DOOR = "SELECT dataset, day, taken, unchanged, rejected, at FROM door_day WHERE day = ? ORDER BY dataset"
_DOOR_FIRST = "SELECT min(day) FROM door_day"
_DOOR_NEWEST = "SELECT dataset, max(at) FROM door_day GROUP BY dataset ORDER BY dataset"
_HEADERS = "SELECT header, rows FROM log WHERE id BETWEEN ? AND ?"
_FATES = """SELECT place, fate, header, rows FROM fate JOIN log ON log.id = ((chain << 40) | seq)
    WHERE chain = ? AND seq BETWEEN ? AND ? AND fate <> 1"""
_HEARD = """SELECT body FROM heard
    WHERE by_node = ? AND publication = ? AND addressee = ? AND epoch = ? AND seq BETWEEN ? AND ?"""
_ENTRY = "SELECT header, rows FROM log WHERE id = ?"

_NOT_APPLIED = frozenset({Fate.REFUSED, Fate.PARKED, Fate.SUPERSEDED})
_OF_WHOLE_ENTRIES = frozenset({Reason.UNKNOWN_DATASET, Reason.UNKNOWN_SCHEMA_VERSION, Reason.UNKNOWN_COLUMN})
"""Said without a key: of an entry that could not be read at all."""


class EntriesOfDay(NamedTuple):
    """The entries of one epoch of a feed that belong to a day: seqs of the first and the last, how many, their rows.

    at: time of the newest, microseconds.
    """

    day: int
    first: int
    last: int
    entries: int
    rows: int
    at: int


class AtDoor(NamedTuple):
    """Rows of one dataset that came to this node's door on a day; `at`: when the last did, microseconds."""

    dataset: str
    day: int
    taken: int
    unchanged: int
    rejected: int
    at: int


class Daily:
    """Reads inside one connection. Raises StoreFault."""

    __slots__ = ("_names", "_session")

    def __init__(self, session: Session, names: Names) -> None:
        self._session = session
        self._names = names

    # --- what was counted

    def entries(self, feed: FeedName, epoch: bytes, day: int) -> EntriesOfDay | None:
        """The entries of an epoch of a feed on one day."""
        return self._one(_OF_DAY, feed, epoch, day)

    def newest(self, feed: FeedName, epoch: bytes) -> EntriesOfDay | None:
        """The day of the newest entry of an epoch of a feed, by what the entries say of their time."""
        return self._one(_NEWEST, feed, epoch)

    def door(self, day: int) -> dict[str, AtDoor]:
        """What came to this node's door on a day, per dataset."""
        return {row[0]: AtDoor(*row) for row in self._session.rows(_DOOR, (day,))}

    def first_at_door(self) -> int | None:
        """The first day on which anything came to the door."""
        day: int | None = self._session.first(_DOOR_FIRST)[0]
        return day

    def newest_at_door(self) -> dict[str, int]:
        """When the last rows of each dataset came to the door, microseconds."""
        return dict(self._session.rows(_DOOR_NEWEST))

    # --- parts of a day: what lies in the log, and is not counted

    def rows_up_to(self, feed: FeedName, epoch: bytes, of: EntriesOfDay, seq: int) -> int:
        """Rows of a day's entries up to a seq."""
        if seq >= of.last:
            return of.rows
        chain = self._names.find_chain(feed, epoch)
        if chain is None or seq < of.first:
            return 0
        found = self._session.rows(_HEADERS, (entry_id(chain, of.first), entry_id(chain, seq)))
        return sum(rows for header, rows in found if _is_of(header, of.day))

    def fates(self, feed: FeedName, epoch: bytes, of: EntriesOfDay) -> Counter[Fate]:
        """How many rows of a day's entries were not applied here, by their fate now."""
        chain = self._names.find_chain(feed, epoch)
        counts: Counter[Fate] = Counter()
        if chain is None:
            return counts
        whole = _is_whole(of)
        for place, fate, header, rows in self._session.rows(_FATES, (chain, of.first, of.last)):
            if whole or _is_of(header, of.day):
                counts[Fate(fate)] += rows if place < 0 else 1
        return counts

    def told(self, by: str, feed: FeedName, epoch: bytes, of: EntriesOfDay) -> Counter[Fate]:
        """The same as another node has told it, of an own feed."""
        chain = self._names.find_chain(feed, epoch)
        counts: Counter[Fate] = Counter()
        if chain is None:
            return counts
        whole = _is_whole(of)
        for said in self._told(by, feed, epoch, of):
            if int(said.fate) not in _NOT_APPLIED:
                continue
            unread = not said.key and said.reason in _OF_WHOLE_ENTRIES
            header, rows = (
                self._session.first(_ENTRY, (entry_id(chain, said.seq),)) if unread or not whole else (b"", 1)
            )
            if whole or _is_of(header, of.day):
                counts[Fate(said.fate)] += rows if unread else 1
        return counts

    def _told(self, by: str, feed: FeedName, epoch: bytes, of: EntriesOfDay) -> Iterator[Refusal]:
        place = (by, feed.publication, feed.addressee, epoch, of.first, of.last)
        return (Refusal.FromString(body) for (body,) in self._session.rows(_HEARD, place))

    def _one(self, sql: str, feed: FeedName, epoch: bytes, *more: int) -> EntriesOfDay | None:
        chain = self._names.find_chain(feed, epoch)
        row = None if chain is None else self._session.first(sql, (chain, *more))
        return None if row is None else EntriesOfDay(*row)


def _is_whole(of: EntriesOfDay) -> bool:
    """Whether no entry of another day stands between those of this one. One does where the origin's clock went back."""
    return of.last - of.first + 1 == of.entries


def _is_of(header: bytes, day: int) -> bool:
    return day_of_hlc(EntryHeader.FromString(header).hlc) == day
