"""Rows of this node that are to be read again from the system they came from (protocol 8.2, 8.6): a neighbour brought
them back without the columns that no feed carries, or two lives of this node changed them.

A row leaves the list when it is put or voided again at the door, changed or not. The list has a bound: beyond it a line
without a key stands for the rest of the dataset, until the last row that is listed of it has left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from node.store.session import Session
from sync.effects import DropReread, Reread, SaveReread
from sync.rows import key_text

ROWS_LISTED_MAX = 100_000

_COUNT = "SELECT count(*) FROM reread"
_ANY = "SELECT 1 FROM reread WHERE dataset = ? LIMIT 1"
_LIST = "SELECT dataset, key, why, since FROM reread ORDER BY dataset, key, why LIMIT ?"
_SAVE = "INSERT INTO reread (dataset, key, why, since) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_DROP = "DELETE FROM reread WHERE dataset = ? AND key = ?"
_DROP_REST = """DELETE FROM reread WHERE dataset = ?1 AND key = ''
    AND NOT EXISTS (SELECT 1 FROM reread WHERE dataset = ?1 AND key <> '')"""


class Listed(NamedTuple):
    """A row's key as JSON text, '' for the rest of the dataset; since: microseconds."""

    dataset: str
    key: str
    why: Reread
    since: int


class RereadList:
    """Writes and reads of the list. Raises StoreFault."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def save(self, write: SaveReread) -> None:
        """Lists rows; one that is listed already keeps its time."""
        free = max(0, ROWS_LISTED_MAX - self.count())
        keys = [key_text(key) for key in write.keys]
        shown = keys[:free] if len(keys) <= free else [*keys[:free], ""]
        self._session.run_many(_SAVE, [(write.dataset, key, write.why.value, write.since) for key in shown])

    def drop(self, write: DropReread) -> None:
        """These rows were put or voided again."""
        self._session.run_many(_DROP, [(write.dataset, key_text(key)) for key in write.keys])
        self._session.run(_DROP_REST, (write.dataset,))

    def any(self, dataset: str) -> bool:
        """Whether a row of this dataset is listed."""
        return self._session.first(_ANY, (dataset,)) is not None

    def count(self) -> int:
        """How many lines there are."""
        return int(self._session.first(_COUNT)[0])

    def all(self, limit: int) -> Sequence[Listed]:
        """In order of dataset and key."""
        return [Listed(ds, key, Reread(why), since) for ds, key, why, since in self._session.rows(_LIST, (limit,))]
