"""Which rows changed, in order of commit: what the platform's own systems follow. Off unless switched on.

A record is one write: a dataset, an origin, and the keys it touched, put or taken out. What a reader is told of a key
is the row as it is then: so a record stays small, and nobody is told a state that is over. Records are numbered without
a gap by the one writer inside its transactions, so a number that was seen is a place to go on from: nothing committed
later comes before it. A journal that was switched off, even for a moment, begins a new life, and places of the old one
are none any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from node.store.session import Session
from sync.values import Key

LIFE_BYTES = 8
PRUNED_EVERY = 1_000
"""Records from one look for old ones to the next."""

_ADD = "INSERT INTO change (at, dataset, origin, keys) VALUES (?, ?, ?, ?) RETURNING id"
_FROM = "SELECT id, at, dataset, origin, keys FROM change WHERE id >= ? ORDER BY id LIMIT ?"
_FIRST = "SELECT min(id) FROM change"
_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'change'"
_AT = "SELECT at FROM change WHERE id = ?"
_PRUNE = "DELETE FROM change WHERE id <= (SELECT max(id) FROM change WHERE at < ?)"
_CLEAR = "DELETE FROM change"
_GET_LIFE = "SELECT value FROM meta WHERE name = 'changes_life'"
_SET_LIFE = "INSERT OR REPLACE INTO meta (name, value) VALUES ('changes_life', ?)"
_END_LIFE = "DELETE FROM meta WHERE name = 'changes_life'"
_GET_CURSOR = "SELECT cursor FROM webhook WHERE name = ?"
_SET_CURSOR = "INSERT OR REPLACE INTO webhook (name, cursor) VALUES (?, ?)"

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[tuple[Any, ...]]).decode


class Record(NamedTuple):
    """One write. origin: the node's number in the store."""

    id: int
    at: int
    dataset: str
    origin: int
    keys: list[Key]


class Span(NamedTuple):
    """What the journal holds: records from `first` up to, not including, `end`. life: b'' while it is off."""

    life: bytes
    first: int
    end: int


class Changes:
    """Writes inside the open transaction, and reads. Raises StoreFault."""

    __slots__ = ("_keep_us", "_now", "_session")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._now: Callable[[], int] = int
        self._keep_us = 0

    def switch(self, keep_us: int, life: bytes, now: Callable[[], int]) -> bool:
        """On, with records kept so long, or off with 0. `life` begins a new one where it was off. Whether it is on."""
        self._now, self._keep_us = now, keep_us
        if not keep_us:
            if self.life():
                for statement in (_CLEAR, _END_LIFE):
                    self._session.run(statement)
            return False
        if not self.life():
            self._session.run(_SET_LIFE, (life,))
        self.prune()
        return True

    def life(self) -> bytes:
        """Which life of the journal this is; b'' while it is off."""
        found = self._session.first(_GET_LIFE)
        return b"" if found is None else bytes(found[0])

    def touched(self, dataset: str, origin: int, keys: Sequence[Key]) -> None:
        """Notes rows that were written or taken out."""
        number = int(self._session.rows(_ADD, (self._now(), dataset, origin, _pack(keys)))[0][0])
        if number % PRUNED_EVERY == 0:
            self.prune()

    def prune(self) -> None:
        """Forgets records that are too old, from the first on: what is left has no gap."""
        self._session.run(_PRUNE, (self._now() - self._keep_us,))

    def span(self) -> Span:
        """What is held now."""
        last = self._session.first(_LAST)
        end = 1 + (int(last[0]) if last is not None else 0)
        first = self._session.first(_FIRST)[0]
        return Span(self.life(), end if first is None else int(first), end)

    def at(self, number: int) -> int | None:
        """When a record was made; None if it is not held."""
        found = self._session.first(_AT, (number,))
        return None if found is None else int(found[0])

    def records(self, first: int, limit: int) -> list[Record]:
        """Records from a number on."""
        found = self._session.rows(_FROM, (first, limit))
        return [Record(id_, at, dataset, origin, _unpack(keys)) for id_, at, dataset, origin, keys in found]

    def cursor(self, webhook: str) -> str:
        """How far a webhook is; '' if it has not begun."""
        found = self._session.first(_GET_CURSOR, (webhook,))
        return "" if found is None else str(found[0])

    def set_cursor(self, webhook: str, cursor: str) -> None:
        """Notes how far a webhook is."""
        self._session.run(_SET_CURSOR, (webhook, cursor))
