"""Who is asking, and what that token is good for. Nothing is allowed that a token does not say."""

from __future__ import annotations

from hmac import compare_digest
from typing import NamedTuple

from starlette.requests import Request

from node.app import Node
from node.audit import Event as AuditEvent
from node.commands.tokens import digest_of, token_id
from node.faults import Code, UserFault
from node.hands import Hand
from node.store.tokens import Token
from node.texts import N_
from tiers.dataset import Dataset

_NOBODY = bytes(32)


class Grant(NamedTuple):
    """A token that was shown and is good."""

    token: Token
    node: Node

    def may(self, role: str, dataset: str = "") -> bool:
        """Whether it is good for this."""
        datasets = self.token.datasets
        return role in self.token.roles and (not dataset or datasets is None or dataset in datasets)

    @property
    def hand(self) -> Hand:
        """Who acts by this token."""
        return Hand(f"token {self.token.id} ({self.token.person})", self.token.person)

    def need(self, role: str, dataset: str = "") -> None:
        """Raises UserFault TOKEN_FORBIDS, and audits it, where it is not good for this."""
        if self.may(role, dataset):
            return
        token = self.token
        self.node.note_sparingly(
            AuditEvent.ACCESS_REFUSED,
            f"{token.id} {role}",
            access=token.id,
            name=token.name,
            role=role,
            dataset=dataset,
        )
        raise UserFault(
            Code.TOKEN_FORBIDS,
            N_("The token '{name}' is not good for this: role '{role}', dataset '{dataset}'."),
            N_("Ask the node's administrator for a token that is: `tiersync token make` says how."),
            name=token.name,
            role=role,
            dataset=dataset or "-",
        )

    def columns(self, dataset: Dataset) -> tuple[str, ...]:
        """The columns of a dataset that this token sees, in schema order."""
        names = dataset.schema.names
        return names if self.token.held_back else tuple(name for name in names if name not in dataset.held_back)


class Access:
    """The tokens of a node, remembered until one is made or revoked. Used in the loop."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._tokens: dict[str, Token] = {}
        self._as_of = -1

    async def grant(self, request: Request) -> Grant:
        """What came with a request. Raises UserFault TOKEN_REFUSED; whether by id, secret or date is not told."""
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            raise self._refused()
        return await self.of_secret(secret.strip(), request.client.host if request.client else "")

    async def of_secret(self, secret: str, peer: str) -> Grant:
        """What a token that was shown is good for. Raises as grant."""
        if not secret:
            raise self._refused()
        await self._learn()
        token = self._tokens.get(token_id(secret))
        # Compared also where there is no such token, so that the time tells nothing.
        same = compare_digest(token.digest if token else _NOBODY, digest_of(secret))
        if token is None or not same:
            raise self._noted("", "unknown", peer)
        state = token.state(self._node.clock.now_us())
        if state != "valid":
            raise self._noted(token.id, state, peer)
        return Grant(token, self._node)

    async def of_id(self, token: str) -> Grant | None:
        """What a token that was shown before is good for now; None if it has ended since."""
        await self._learn()
        found = self._tokens.get(token)
        valid = found is not None and found.state(self._node.clock.now_us()) == "valid"
        return Grant(found, self._node) if found is not None and valid else None

    async def _learn(self) -> None:
        newest = self._node.tokens_changed
        if self._as_of != newest:
            self._tokens = {token.id: token for token in await self._node.read(lambda reader: reader.tokens())}
            self._as_of = newest

    def _noted(self, access: str, why: str, peer: str) -> UserFault:
        self._node.note_sparingly(
            AuditEvent.ACCESS_REFUSED, f"{peer} {access} {why}", access=access, why=why, peer=peer
        )
        return self._refused()

    @staticmethod
    def _refused() -> UserFault:
        return UserFault(
            Code.TOKEN_REFUSED,
            N_("This needs a token, and none that is good came with it."),
            N_("Send `Authorization: Bearer` and the token; `tiersync token list` shows which have expired or ended."),
        )
