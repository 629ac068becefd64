"""Tokens of the API: which of the platform's own systems may do what. Of a token itself only its digest is kept."""

from __future__ import annotations

import json
from typing import NamedTuple

from node.store.session import Session

_ADD = """INSERT INTO api_token (id, name, digest, roles, datasets, held_back, created, expires, revoked, person)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?)"""
_ALL = """SELECT id, name, digest, roles, datasets, held_back, created, expires, revoked, person
    FROM api_token ORDER BY created, id"""
_REVOKE = "UPDATE api_token SET revoked = ? WHERE id = ? AND revoked = 0"
_REVOKE_OF = "UPDATE api_token SET revoked = ? WHERE person = ? AND revoked = 0"


class Token(NamedTuple):
    """digest: SHA-256 of the whole token. datasets: None = all. held_back: whether columns that never leave the node
    are shown. Times in microseconds; revoked 0 = not. person: whose token it is, '' = a system's.
    """

    id: str
    name: str
    digest: bytes
    roles: frozenset[str]
    datasets: frozenset[str] | None
    held_back: bool
    created: int
    expires: int
    revoked: int = 0
    person: str = ""

    def state(self, now: int) -> str:
        """valid, expired or revoked."""
        if self.revoked:
            return "revoked"
        return "valid" if now < self.expires else "expired"


class Tokens:
    """Reads and writes inside the open transaction. Raises StoreFault."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, token: Token) -> None:
        """Keeps a new one."""
        datasets = "" if token.datasets is None else json.dumps(sorted(token.datasets))
        roles = json.dumps(sorted(token.roles))
        row = (token.id, token.name, token.digest, roles, datasets, token.held_back, token.created, token.expires)
        self._session.run(_ADD, (*row, token.person))

    def all(self) -> list[Token]:
        """All that were ever made, oldest first."""
        return [
            Token(
                id_,
                name,
                digest,
                frozenset(json.loads(roles)),
                frozenset(json.loads(datasets)) if datasets else None,
                bool(held_back),
                *rest,
            )
            for id_, name, digest, roles, datasets, held_back, *rest in self._session.rows(_ALL)
        ]

    def revoke(self, token: str, at: int) -> bool:
        """Whether there was one to revoke."""
        return self._session.run(_REVOKE, (at, token)) > 0

    def revoke_of(self, person: str, at: int) -> int:
        """Revokes all tokens of a person; how many."""
        return self._session.run(_REVOKE_OF, (at, person))
