"""Who acts, and whether that is allowed: asked by every command of the control socket and every call of a token.

Over the control socket the account is the caller's own word (node/caller.py): gRPC shows no peer of a Unix socket. Who
can open the socket is the account that runs the node, or root, and could read and write the store without it. So this
keeps honest people apart and their acts accountable; what keeps the others out is the file's mode, and over HTTP the
token.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from node.audit import Event as AuditEvent
from node.caller import account_of
from node.faults import Code, UserFault
from node.texts import N_, Text, listed
from node.texts.standing import ROLES
from tiers.people import MAY, Act, Role, Roster

if TYPE_CHECKING:
    from node.app import Node

_RUNS_ALL = "root"


class Hand(NamedTuple):
    """said: as the audit names it. person: by whose entry it may act. owner: it is the account that runs the node, in
    nobody's name."""

    said: str
    person: str
    owner: bool = False


def hand_of(said: str, own: str) -> Hand:
    """The hand of a caller of the control socket. own: the account that runs the node."""
    account = account_of(said)
    return Hand(said, account, account in (own, _RUNS_ALL))


def allows(roster: Roster, hand: Hand, act: Act, day: date) -> bool:
    """Whether a hand may do this on a day. Before any person is declared, whoever is here may."""
    if not roster.people or roster.right(hand.person, act, day) is not None:
        return True
    # Who runs the node administers it, so that nobody can be locked out; but moves are made by persons.
    return hand.owner and act in MAY[Role.ADMINISTRATOR]


def need(node: Node, hand: Hand, act: Act) -> None:
    """Raises UserFault PERSON_FORBIDS, and audits it, where a hand may not."""
    if not allows(node.people, hand, act, node.today()):
        note_refused(node, hand, act)
        raise forbidden(hand, act, node.people)


def need_either(node: Node, hand: Hand, act: Act, other: Act) -> None:
    """As need, where one of two is enough."""
    need(node, hand, act if allows(node.people, hand, act, node.today()) else other)


def note_refused(node: Node, hand: Hand, act: Act) -> None:
    """Audits that somebody tried what they may not."""
    node.note_sparingly(AuditEvent.ACCESS_REFUSED, f"{hand.said} {act.value}", by=hand.said, act=act.value)


def forbidden(hand: Hand, act: Act, roster: Roster) -> UserFault:
    """What somebody is told who may not."""
    name = hand.person or "-"
    known = roster.people.get(hand.person)
    if known is None or not known.active:
        return UserFault(
            Code.PERSON_FORBIDS,
            N_("'{name}' is not among the people of this node."),
            N_("Ask its administrator to declare you (`tiersync people add`), or call by your own account with sudo."),
            name=name,
        )
    return UserFault(
        Code.PERSON_FORBIDS,
        N_("'{name}' may not do this: it takes one of the roles {roles}."),
        N_("`tiersync people list` shows who may; an administrator changes roles with `tiersync people change`."),
        name=name,
        roles=listed(Text(ROLES[role.value]) for role in Role if act in MAY[role]),
    )
