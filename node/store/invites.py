"""Invites as the parent keeps them: the state that certs.enrol decides on, and what was issued for it.

The token is burnt in the transaction that enrols: a job keeps with `prepare` what `burn` will put in its place, and
the core asks for `burn` together with the registry record. If the record is refused, nothing was burnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from certs.enrol import InviteState, Status, read_state, write_state
from node.store.faults import InviteSpent, StoreFault, StoreTrouble
from node.store.session import Session
from sync.effects import BurnInvite
from sync.errors import InputFault

_LIVING = "status IN ('open', 'pending', 'approved')"
_SELECT = "SELECT token_id, state, reply, created FROM invite"
_ADD = "INSERT INTO invite (token_id, node, status, state, burnt, reply, created) VALUES (?, ?, ?, ?, x'', x'', ?)"
_ONE = f"{_SELECT} WHERE token_id = ?"
_ALL = f"{_SELECT} ORDER BY created, rowid"
_CHANGE = f"UPDATE invite SET status = ?, state = ? WHERE token_id = ? AND {_LIVING}"  # noqa: S608 - constants
_PREPARE = f"UPDATE invite SET burnt = ?, reply = ? WHERE token_id = ? AND {_LIVING}"  # noqa: S608 - constants
_CERTIFIED = "UPDATE invite SET reply = ? WHERE token_id = ? AND status = 'used'"
_BURN = f"""UPDATE invite SET status = 'used', state = burnt, burnt = x''
    WHERE token_id = ? AND node = ? AND burnt <> x'' AND {_LIVING}"""  # noqa: S608 - constants


class KeptInvite(NamedTuple):
    """state: as certs.enrol has it; reply: what was issued, once used; created: microseconds since 1970."""

    state: InviteState
    reply: bytes
    created: int


class Invites:
    """Reads and writes inside the open transaction. Raises StoreFault."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, state: InviteState, created: int) -> None:
        """Keeps a new invite."""
        invite = state.invite
        self._session.run(_ADD, (invite.token, invite.node, state.status.value, write_state(state), created))

    def get(self, token_id: str) -> KeptInvite | None:
        """One invite."""
        row = self._session.first(_ONE, (token_id,))
        return None if row is None else _kept(row)

    def all(self) -> list[KeptInvite]:
        """All invites, oldest first."""
        return [_kept(row) for row in self._session.rows(_ALL)]

    def change(self, state: InviteState) -> None:
        """Keeps the next state of an invite that is neither used nor withdrawn; USED comes by `burn` alone.

        Raises InviteSpent.
        """
        assert state.status is not Status.USED
        token = state.invite.token
        if self._session.run(_CHANGE, (state.status.value, write_state(state), token)) != 1:
            raise InviteSpent(f"invite {token} is used, withdrawn or unknown")

    def prepare(self, used: InviteState, reply: bytes) -> None:
        """Keeps what `burn` puts in place in the same transaction: the used state, and what was issued.

        Raises InviteSpent.
        """
        assert used.status is Status.USED
        token = used.invite.token
        if self._session.run(_PREPARE, (write_state(used), reply, token)) != 1:
            raise InviteSpent(f"invite {token} is used, withdrawn or unknown")

    def certified(self, token: str, reply: bytes) -> None:
        """Keeps what was issued for a token that was used already. Raises InviteSpent if it was not."""
        if self._session.run(_CERTIFIED, (reply, token)) != 1:
            raise InviteSpent(f"invite {token} is not used")

    def burn(self, write: BurnInvite) -> None:
        """Marks the token used, once and never again; its secret is gone. Raises InviteSpent."""
        if self._session.run(_BURN, (write.token_id, write.node)) != 1:
            raise InviteSpent(f"invite {write.token_id} is used, withdrawn, unknown or not for {write.node}")


def _kept(row: Sequence[object]) -> KeptInvite:
    token, state, reply, created = row
    assert isinstance(state, bytes)
    assert isinstance(reply, bytes)
    assert isinstance(created, int)
    try:
        return KeptInvite(read_state(state), reply, created)
    except (ValueError, KeyError, TypeError, InputFault):
        # Without the cause: it could quote the state, and a secret stands in it.
        raise StoreFault(StoreTrouble.CORRUPT, f"invite {token} cannot be read") from None
