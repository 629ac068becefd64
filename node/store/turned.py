"""Rows that were not let in at the door and came by no load: the newest of them, so that who looks for one finds why.

Lines of loads are kept with their load (node/store/loads.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from node.store.session import Session
from sync.phrase import Phrase, unpacked
from sync.reasons import Reason

KEPT_MAX = 10_000
OF_ONE_TRANSACTION = 100
"""Of a transaction with more, the first; all are counted in the day's books."""
TIDIED_EVERY = 500

_ADD = "INSERT INTO door_reject (at, dataset, key, source, reason, detail) VALUES (?, ?, ?, ?, ?, ?)"
_LAST = "SELECT max(id) FROM door_reject"
_TIDY = "DELETE FROM door_reject WHERE id <= ?"
_OF = """SELECT at, key, source, reason, detail FROM door_reject
    WHERE dataset = ?1 AND ((key = ?2 AND key <> '') OR (source = ?3 AND source <> '')) ORDER BY id DESC LIMIT ?4"""


class TurnedAway(NamedTuple):
    """One row. key: as JSON text; source: its number in the system it comes from; '' where the row does not tell."""

    at: int
    key: str
    source: str
    reason: Reason
    detail: Phrase


class Turned:
    """Reads, and writes inside the open transaction. Raises StoreFault."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def note(self, dataset: str, rows: Iterable[TurnedAway]) -> None:
        """Keeps rows, and forgets what is too old."""
        self._session.run_many(
            _ADD, [(r.at, dataset, r.key, r.source, r.reason.value, r.detail.packed()) for r in rows]
        )
        last = self._session.first(_LAST)[0] or 0
        if last > KEPT_MAX and last % TIDIED_EVERY < OF_ONE_TRANSACTION:
            self._session.run(_TIDY, (last - KEPT_MAX,))

    def of(self, dataset: str, key: str, source: str, limit: int) -> list[TurnedAway]:
        """Of one row, by its key or its number in its source; the newest first."""
        return [
            TurnedAway(at, named, number, Reason(reason), unpacked(detail))
            for at, named, number, reason, detail in self._session.rows(_OF, (dataset, key, source, limit))
        ]
