"""Tokens of the API: made, listed, revoked. A token is shown once, when it is made.

There is no role for administration: whoever may do that opens the control socket, on this machine. A token of a person
of this node (role task) may do with tasks what that person may, as long as the person is active.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from functools import partial
from hashlib import sha256
from typing import Any, Final

from node.app import Node
from node.audit import Event as AuditEvent
from node.clock import iso
from node.commands.people import unknown
from node.commands.view import Arguments, View, number, text
from node.commands.work import in_store
from node.datasets import dataset_named
from node.faults import Code, UserFault
from node.store.store import Store
from node.store.tokens import Token
from node.texts import N_, Text

READ: Final = "read"
WRITE: Final = "write"
WATCH: Final = "watch"
TASK: Final = "task"
ROLES: Final = (READ, WRITE, WATCH, TASK)
"""read: catalogue, rows, changes, traces. write: rows in, voids. watch: how the node stands, and its loads. task: tasks
and drafts, as the token's person may."""
_OF_NO_DATASET: Final = frozenset({WATCH, TASK})
DAYS_MAX: Final = 1_095
NAME_CHARACTERS_MAX: Final = 60
TOKENS_MAX: Final = 1_000
_MARK: Final = "tst"
_DAY_US: Final = 86_400_000_000


async def make(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """token.make {title, roles, datasets?, all?, held_back?, days?, person?, dry_run?} -> the token, and once its
    `secret`.

    Raises UserFault BAD_ARGUMENT, UNKNOWN_DATASET, PERSON_UNKNOWN.
    """
    now = node.clock.now_us()
    wish = _wished(node, arguments, now)
    secret = f"{_MARK}_{node.randomness.bytes(5).hex()}_{_text(node.randomness.bytes(32))}"
    token = wish._replace(id=token_id(secret), digest=digest_of(secret))
    if arguments.get("dry_run") is True:
        yield shown(wish, now)
        return
    if not await in_store(node, partial(_keep, token)):
        raise _bad(N_("at most {most} tokens are good at one time: revoke one that is not used"), most=TOKENS_MAX)
    node.tokens_changed += 1
    node.note(AuditEvent.ACCESS_GRANTED, **_audited(token), expires=iso(token.expires))
    yield {**shown(token, now), "secret": secret}


def list_tokens(view: View, arguments: Arguments) -> dict[str, Any]:
    """token.list {now} -> {tokens: oldest first}."""
    now = number(arguments, "now")
    return {"tokens": [shown(token, now) for token in view.reader.tokens()]}


async def revoke(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """token.revoke {token} -> the token. Raises UserFault TOKEN_UNKNOWN."""
    which, now = text(arguments, "token"), node.clock.now_us()
    which = token_id(which) or which
    if not await in_store(node, lambda store: store.tokens.revoke(which, now)):
        raise UserFault(
            Code.TOKEN_UNKNOWN,
            N_("There is no token '{token}' here that could be revoked."),
            N_("`tiersync token list` shows the tokens with their ids."),
            token=which,
        )
    node.tokens_changed += 1
    (token,) = [one for one in await node.read(lambda reader: reader.tokens()) if one.id == which]
    node.note(AuditEvent.ACCESS_REVOKED, **_audited(token))
    yield shown(token, now)


def digest_of(secret: str) -> bytes:
    """What is kept of a token. It holds 256 random bits: a slow hash would make nothing safer."""
    return sha256(secret.encode()).digest()


def token_id(secret: str) -> str:
    """The public part of a token, '' if it has not the form of one."""
    mark, _, rest = secret.partition("_")
    found, _, hidden = rest.partition("_")
    return found if mark == _MARK and found and hidden else ""


def shown(token: Token, now: int) -> dict[str, Any]:
    """A token as JSON, without what it is known by."""
    return {
        "token": token.id,
        "name": token.name,
        "roles": sorted(token.roles),
        "datasets": None if token.datasets is None else sorted(token.datasets),
        "held_back": token.held_back,
        "person": token.person,
        "created": iso(token.created),
        "expires": iso(token.expires),
        "revoked": iso(token.revoked) if token.revoked else "",
        "state": token.state(now),
    }


def _keep(token: Token, store: Store) -> bool:
    """Whether there was room."""
    room = sum(one.state(token.created) == "valid" for one in store.tokens.all()) < TOKENS_MAX
    if room:
        store.tokens.add(token)
    return room


def _wished(node: Node, arguments: Arguments, now: int) -> Token:
    name, days = text(arguments, "title"), number(arguments, "days", 365)
    roles, datasets = _names(arguments, "roles"), _names(arguments, "datasets")
    if not 0 < len(name) <= NAME_CHARACTERS_MAX or not name.isprintable():
        raise _bad(N_("a name has 1 to {most} printable characters"), most=NAME_CHARACTERS_MAX)
    if not 1 <= days <= DAYS_MAX:
        raise _bad(N_("a token is good for 1 to {most} days"), most=DAYS_MAX)
    if not roles or not roles <= set(ROLES):
        raise _bad(N_("roles are {known}; at least one is needed"), known=", ".join(ROLES))
    for dataset in sorted(datasets):
        dataset_named(node.catalogue.datasets, dataset)
    everything = arguments.get("all") is True
    person = text(arguments, "person")
    if (TASK in roles) != bool(person):
        raise _bad(N_("the role task needs the person whose token it is, and only that role has one"))
    known = node.people.people.get(person)
    if person and (known is None or not known.active):
        raise unknown(person)
    if everything == bool(datasets) and not roles <= _OF_NO_DATASET:
        raise _bad(N_("name the datasets that it is good for, or say that it is all of them"))
    return Token(
        "",
        name,
        b"",
        frozenset(roles),
        None if everything else frozenset(datasets),
        arguments.get("held_back") is True,
        now,
        now + days * _DAY_US,
        person=person,
    )


def _names(arguments: Arguments, name: str) -> set[str]:
    found = arguments.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise _bad("{name}", name=name)
    return set(found)


def _audited(token: Token) -> dict[str, Any]:
    """What the audit says of a token: its id is no secret, but fields named like one are hidden."""
    datasets = "*" if token.datasets is None else " ".join(sorted(token.datasets))
    roles = " ".join(sorted(token.roles))
    said = {"access": token.id, "name": token.name, "roles": roles, "datasets": datasets, "held_back": token.held_back}
    return {**said, "person": token.person} if token.person else said


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _bad(what: str, **fields: object) -> UserFault:
    return UserFault(
        Code.BAD_ARGUMENT,
        N_("This token cannot be made: {what}."),
        N_("`tiersync token make --help` shows how."),
        what=Text(what, **fields),
    )
