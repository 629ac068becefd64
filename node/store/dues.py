"""When data of a period was first seen here, and what was held when a period was closed. Both are kept for three
years.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from node.store.session import Session

KEPT_US = 3 * 366 * 86_400_000_000
_MARK = "INSERT INTO due_mark (dataset, period, node, arrived) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_MARKS = "SELECT node, arrived FROM due_mark WHERE dataset = ? AND period = ?"
_TIDY_MARKS = "DELETE FROM due_mark WHERE dataset = ? AND arrived < ?"
_TIDY_CLOSED = "DELETE FROM cut_off WHERE dataset = ? AND at < ?"
_CLOSE = "INSERT INTO cut_off (dataset, period, at, body, signature) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_CLOSED = "SELECT dataset, period, at, body, signature FROM cut_off WHERE dataset = ? AND period = ?"
_ALL_CLOSED = "SELECT period FROM cut_off WHERE dataset = ?"


class CutOff(NamedTuple):
    """A period that was closed: when, and the signed position (CutOffBody)."""

    dataset: str
    period: str
    at: int
    body: bytes
    signature: bytes


class Dues:
    """Reads, and writes inside the open transaction. Raises StoreFault."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def mark(self, dataset: str, seen: Iterable[tuple[str, str]], at: int) -> None:
        """(node, period) whose data is here now. The first mark of each stays."""
        self._session.run_many(_MARK, [(dataset, period, node, at) for node, period in seen])

    def tidy(self, dataset: str, now: int) -> None:
        """Forgets what is older than is kept."""
        self._session.run(_TIDY_MARKS, (dataset, now - KEPT_US))
        self._session.run(_TIDY_CLOSED, (dataset, now - KEPT_US))

    def marks(self, dataset: str, periods: Iterable[str]) -> dict[tuple[str, str], int]:
        """When data of these periods was first seen, by node and period."""
        return {
            (node, period): arrived
            for period in periods
            for node, arrived in self._session.rows(_MARKS, (dataset, period))
        }

    def close(self, cut: CutOff) -> None:
        """Keeps what was held. The first of a period stays."""
        self._session.run(_CLOSE, cut)

    def closed(self, dataset: str, period: str) -> CutOff | None:
        """The position of a period; None while it was not closed."""
        row = self._session.first(_CLOSED, (dataset, period))
        return None if row is None else CutOff(*row)

    def periods_closed(self, dataset: str) -> set[str]:
        """The periods that were closed."""
        return {period for (period,) in self._session.rows(_ALL_CLOSED, (dataset,))}
