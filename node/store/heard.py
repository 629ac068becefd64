"""What other nodes said of this node's rows, when a row is changed here: what was refused of it counts no more."""

from __future__ import annotations

from collections.abc import Iterable

from node.store.session import Session
from sync.rows import key_text
from sync.values import Key

_ANY = "SELECT 1 FROM heard WHERE open = 1 AND dataset = ? LIMIT 1"
_CLOSE = "UPDATE heard SET open = 0 WHERE open = 1 AND dataset = ? AND key = ?"


class HeardList:
    """Its writes from the door. Raises StoreFault."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def any(self, dataset: str) -> bool:
        """Whether a row of this dataset is refused or parked somewhere still."""
        return self._session.first(_ANY, (dataset,)) is not None

    def close(self, dataset: str, keys: Iterable[Key]) -> None:
        """These rows were changed or voided here: they are judged anew, and what is wrong then is told anew."""
        self._session.run_many(_CLOSE, [(dataset, key_text(key)) for key in keys])
