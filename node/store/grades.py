"""Which grades this node told of the nodes right below it, and when. Kept for three years."""

from __future__ import annotations

from node.store.dues import KEPT_US
from node.store.session import Session
from tiers.damping import Episode
from tiers.grades import Grade

_COLUMNS = "node, grade, since, until, escalated, evidence"
_NEWEST = f"SELECT {_COLUMNS} FROM child_grade WHERE until = 0 OR until > ? ORDER BY since, id"  # noqa: S608 - our own
_END = "UPDATE child_grade SET until = ? WHERE node = ? AND until = 0"
_ADD = "INSERT INTO child_grade (node, grade, since, until, escalated, evidence) VALUES (?, ?, ?, 0, 0, ?)"
_ESCALATE = "UPDATE child_grade SET escalated = 1 WHERE node = ? AND until = 0"
_TIDY = "DELETE FROM child_grade WHERE until > 0 AND until < ?"


class Grades:
    """Reads, and writes inside the open transaction. Raises StoreFault."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def since(self, at: int) -> list[Episode]:
        """What is told now, and what was told until after a moment; the oldest first."""
        return [
            Episode(node, Grade(grade), since, until, bool(escalated), evidence)
            for node, grade, since, until, escalated, evidence in self._session.rows(_NEWEST, (at,))
        ]

    def tell(self, node: str, grade: Grade, at: int, evidence: str) -> None:
        """Another grade is told of a node from now on."""
        self._session.run(_END, (at, node))
        self._session.run(_ADD, (node, grade.value, at, evidence))
        self._session.run(_TIDY, (at - KEPT_US,))

    def escalate(self, node: str) -> None:
        """What is told of a node now was told again, more loudly."""
        self._session.run(_ESCALATE, (node,))
