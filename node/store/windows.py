"""When announcements of maintenance were first here, as they are: what was told too late counts nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from node.store.session import Session

_SEE = "INSERT INTO window_seen (announcer, node, starts, ends, seen) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_FORGET = "DELETE FROM window_seen WHERE announcer = ? AND node = ? AND starts = ? AND ends = ?"
_SEEN = "SELECT announcer, node, starts, ends, seen FROM window_seen"


class Announced(NamedTuple):
    """What was announced by whom of which node, in µs."""

    announcer: str
    node: str
    starts: int
    ends: int


class WindowsSeen:
    """Reads, and writes inside the open transaction. Raises StoreFault."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> Mapping[Announced, int]:
        """When each was first seen."""
        return {Announced(*which): seen for *which, seen in self._session.rows(_SEEN)}

    def see(self, which: Iterable[Announced], at: int) -> None:
        """They are here now. The first time of each stays."""
        self._session.run_many(_SEE, [(*one, at) for one in which])

    def forget(self, which: Iterable[Announced]) -> None:
        """They are here no more: announced again, they are new."""
        self._session.run_many(_FORGET, which)
