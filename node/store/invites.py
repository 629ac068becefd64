"""Invites: one-time words by which a new node joins. The token is burnt in the transaction that enrols."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from node.store.faults import InviteSpent
from node.store.session import Session
from sync.effects import BurnInvite

_ADD = """INSERT INTO invite (token_id, node, secret, expires, status, submission, created)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
_ONE = "SELECT token_id, node, secret, expires, status, submission, created FROM invite WHERE token_id = ?"
_ALL = "SELECT token_id, node, secret, expires, status, submission, created FROM invite ORDER BY created, token_id"
_MOVE = "UPDATE invite SET status = ? WHERE token_id = ? AND status IN ('open', 'pending')"
_SUBMIT = "UPDATE invite SET status = 'pending', submission = ? WHERE token_id = ? AND status IN ('open', 'pending')"
_BURN = "UPDATE invite SET status = 'used' WHERE token_id = ? AND node = ? AND status IN ('open', 'pending')"


class InviteStatus(Enum):
    """open: sent out; pending: a submission waits for approval; used, withdrawn: over."""

    OPEN = "open"
    PENDING = "pending"
    USED = "used"
    WITHDRAWN = "withdrawn"


class Invite(NamedTuple):
    """secret: what proves it (never shown again); submission: what the node sent; times in microseconds."""

    token_id: str
    node: str
    secret: bytes
    expires: int
    status: InviteStatus
    submission: bytes
    created: int


class Invites:
    """Reads and writes inside the open transaction. Raises StoreFault."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, invite: Invite) -> None:
        """Keeps a new invite."""
        self._session.run(_ADD, invite._replace(status=invite.status.value))  # type: ignore[arg-type] # stored as text

    def get(self, token_id: str) -> Invite | None:
        """One invite."""
        return _invite(self._session.first(_ONE, (token_id,)))

    def all(self) -> list[Invite]:
        """All invites, oldest first."""
        return [invite for row in self._session.rows(_ALL) if (invite := _invite(row)) is not None]

    def submit(self, token_id: str, submission: bytes) -> None:
        """Keeps what the invited node sent; it waits for approval. Raises InviteSpent."""
        if self._session.run(_SUBMIT, (submission, token_id)) != 1:
            raise InviteSpent(f"invite {token_id} is used, withdrawn or unknown")

    def withdraw(self, token_id: str) -> None:
        """Ends an invite. Raises InviteSpent if it is over already."""
        if self._session.run(_MOVE, (InviteStatus.WITHDRAWN.value, token_id)) != 1:
            raise InviteSpent(f"invite {token_id} is used, withdrawn or unknown")

    def burn(self, write: BurnInvite) -> None:
        """Marks the token used, once and never again. Raises InviteSpent; expiry is for the caller to judge."""
        if self._session.run(_BURN, (write.token_id, write.node)) != 1:
            raise InviteSpent(f"invite {write.token_id} is used, withdrawn, unknown or not for {write.node}")


def _invite(row: tuple[object, ...] | None) -> Invite | None:
    if row is None:
        return None
    made = Invite._make(row)
    return made._replace(status=InviteStatus(made.status))
