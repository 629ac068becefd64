"""What was answered to writes that came with an Idempotency-Key, so that the same request again changes nothing.

Kept in the transaction that writes the rows: after any crash there are both or neither.
"""

from __future__ import annotations

from typing import NamedTuple

from node.store.session import Session

KEPT_US = 24 * 3_600 * 1_000_000
KEPT_MAX = 10_000
BODY_BYTES_MAX = 16 * 1_024
"""A longer answer is not kept: its rows are put again then, which changes nothing either."""

_GET = "SELECT request, body FROM api_answer WHERE who = ? AND key = ? AND at >= ?"
_KEEP = "INSERT OR REPLACE INTO api_answer (who, key, request, body, at) VALUES (?, ?, ?, ?, ?)"
_TOO_OLD = "DELETE FROM api_answer WHERE at < ?"
_TOO_MANY = "DELETE FROM api_answer WHERE id <= (SELECT max(id) FROM api_answer) - ?"


class Answer(NamedTuple):
    """request: digest of what was asked. body: what was answered; b'' where that was too long to be kept."""

    request: bytes
    body: bytes


class Answers:
    """Reads and writes inside the open transaction. Raises StoreFault."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, who: str, key: str, now: int) -> Answer | None:
        """What this caller was answered under this key, if that is not too long ago."""
        row = self._session.first(_GET, (who, key, now - KEPT_US))
        return None if row is None else Answer(*row)

    def keep(self, who: str, key: str, answer: Answer, now: int) -> None:
        """Keeps an answer, and forgets those that are too old or too many."""
        body = answer.body if len(answer.body) <= BODY_BYTES_MAX else b""
        self._session.run(_KEEP, (who, key, answer.request, body, now))
        self._session.run(_TOO_OLD, (now - KEPT_US,))
        self._session.run(_TOO_MANY, (KEPT_MAX,))
