"""When announcements of maintenance were first here, as they are, and when they were over before their end: what is
told afterwards changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from node.store.session import Session

_SEE = "INSERT INTO window_seen (announcer, node, starts, ends, seen) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_END = "UPDATE window_seen SET over = ? WHERE announcer = ? AND node = ? AND starts = ? AND ends = ?"
_FORGET = "DELETE FROM window_seen WHERE announcer = ? AND node = ? AND starts = ? AND ends = ?"
_SEEN = "SELECT announcer, node, starts, ends, seen, over FROM window_seen"


class Announced(NamedTuple):
    """What was announced by whom of which node, in µs."""

    announcer: str
    node: str
    starts: int
    ends: int


class Seen(NamedTuple):
    """When an announcement was first here, and when it was over before its end, else 0."""

    at: int
    over: int = 0


class WindowsSeen:
    """Reads, and writes inside the open transaction. Raises StoreFault."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> Mapping[Announced, Seen]:
        """All that are remembered."""
        return {Announced(*which): Seen(at, over) for *which, at, over in self._session.rows(_SEEN)}

    def see(self, which: Iterable[Announced], at: int) -> None:
        """They are here now. The first time of each stays."""
        self._session.run_many(_SEE, [(*one, at) for one in which])

    def end(self, over: Mapping[Announced, int]) -> None:
        """They were over before their end."""
        self._session.run_many(_END, [(at, *one) for one, at in over.items()])

    def forget(self, which: Iterable[Announced]) -> None:
        """They are here no more: announced again, they are new."""
        self._session.run_many(_FORGET, which)
