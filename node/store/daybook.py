"""Counts per day: what came to this node's door, and which entries of each feed belong to which day (sync/days.py).

Kept in memory during a transaction and written with it, one line for each dataset or feed and day: what a statement
says is never counted again from the rows. The counts of entries follow from the log alone, and fsck compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.store.session import Session
from sync.days import day_of_hlc, day_of_us, hlc_us

_COUNT_ENTRIES = """INSERT INTO feed_day (chain, day, first, last, entries, rows, at) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (chain, day) DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last),
    entries = entries + excluded.entries, rows = rows + excluded.rows, at = max(at, excluded.at)"""
_COUNT_DOOR = """INSERT INTO door_day (dataset, day, taken, unchanged, rejected, at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (dataset, day) DO UPDATE SET taken = taken + excluded.taken, unchanged = unchanged + excluded.unchanged,
    rejected = rejected + excluded.rejected, at = max(at, excluded.at)"""


@dataclass(slots=True)
class _Entries:
    first: int
    last: int
    entries: int = 0
    rows: int = 0
    at: int = 0


@dataclass(slots=True)
class _Door:
    taken: int = 0
    unchanged: int = 0
    rejected: int = 0
    at: int = 0


class Daybook:
    """Counts of the open transaction. Raises StoreFault. What was counted is read with node/store/daily.py."""

    __slots__ = ("_door", "_entries", "_session")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._entries: dict[tuple[int, int], _Entries] = {}
        self._door: dict[tuple[str, int], _Door] = {}

    def entries(self, chain: int, first: int, rows: Sequence[int], times: Sequence[int]) -> None:
        """Entries that follow each other, from seq `first` on: the rows of each, and the time its header says."""
        if not times:
            return
        last = day_of_hlc(max(times))
        if day_of_hlc(min(times)) == last:
            self._add(chain, last, first, len(times), sum(rows), max(times))
            return
        for seq, (count, time) in enumerate(zip(rows, times, strict=True), start=first):
            self._add(chain, day_of_hlc(time), seq, 1, count, time)

    def _add(self, chain: int, day: int, first: int, entries: int, rows: int, time: int) -> None:
        last = first + entries - 1
        found = self._entries.setdefault((chain, day), _Entries(first, last))
        found.last = last
        found.entries += entries
        found.rows += rows
        found.at = max(found.at, hlc_us(time))

    def door(self, dataset: str, at: int, *, taken: int = 0, unchanged: int = 0, rejected: int = 0) -> None:
        """Rows that came to the door of this node at a moment (microseconds)."""
        found = self._door.setdefault((dataset, day_of_us(at)), _Door())
        found.taken += taken
        found.unchanged += unchanged
        found.rejected += rejected
        found.at = max(found.at, at)

    def flush(self) -> None:
        """Writes what the open transaction has counted."""
        if self._entries:
            counted = ((*place, e.first, e.last, e.entries, e.rows, e.at) for place, e in self._entries.items())
            self._session.run_many(_COUNT_ENTRIES, counted)
            self._entries.clear()
        if self._door:
            came = ((*place, d.taken, d.unchanged, d.rejected, d.at) for place, d in self._door.items())
            self._session.run_many(_COUNT_DOOR, came)
            self._door.clear()

    def forget(self) -> None:
        """The transaction was dropped."""
        self._entries.clear()
        self._door.clear()
