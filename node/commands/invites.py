"""Invites and enrolments: the operator's side of `node.enrol.invites`, as commands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from typing import Any

from certs.invite import Approval
from node.app import Node
from node.clock import iso
from node.commands.view import Arguments, number, text
from node.enrol.invites import Invitations, InviteView, Made, advertised
from node.enrol.lists import Wish, scope_from_text
from node.faults import Code, UserFault
from node.texts import N_

APPROVALS: Mapping[str, Approval | None] = {
    "": None,
    "automatic": Approval.AUTOMATIC,
    "person": Approval.PERSON,
    "by_hand": Approval.PERSON,
}
"""How approval may be written: as in node.toml or as in an invite; '' = as node.toml says."""


async def make(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """invite.make {profile, region, title, signing?, carrying?, approval?, days?, again?, dry_run?} -> {invite}."""
    approval = text(arguments, "approval")
    if approval not in APPROVALS:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{value}' is no way to approve; there are: {known}."),
            N_("Leave it out, and the invite is approved as node.toml says."),
            value=approval,
            known=", ".join(a for a in APPROVALS if a),
        )
    wish = Wish(
        region=text(arguments, "region"),
        profile=text(arguments, "profile"),
        title=text(arguments, "title"),
        signing=scope_from_text(text(arguments, "signing")),
        carrying=scope_from_text(text(arguments, "carrying")),
        approval=APPROVALS[approval],
        days=number(arguments, "days", 7),
    )
    yield _made(await _invitations(node).make(wish, *_manner(arguments)))


async def make_many(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """invite.make_many {file, text, again?, dry_run?} -> {invites}: all of the list or none."""
    made = await _invitations(node).make_many(text(arguments, "file"), text(arguments, "text"), *_manner(arguments))
    yield {"invites": [_made(one) for one in made]}


async def list_invites(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """invite.list {status?} -> {invites}, oldest first, without their secrets."""
    status = text(arguments, "status")
    yield {"invites": [_shown(view) for view in await _invitations(node).all() if status in ("", view.status)]}


async def withdraw(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """invite.withdraw {which} -> the invite. `which`: token or node id."""
    yield _shown(await _invitations(node).withdraw(text(arguments, "which")))


async def approve(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """invite.approve {which, fingerprint} -> the invite."""
    yield _shown(await _invitations(node).approve(text(arguments, "which"), text(arguments, "fingerprint")))


def _invitations(node: Node) -> Invitations:
    address = advertised(node.config, "enrolment")
    return Invitations(node.writer, node.core, node.identity, node.config, address, node.randomness, node.audit)


def _manner(arguments: Arguments) -> tuple[bool, bool]:
    """(again, dry_run)"""
    return bool(arguments.get("again", False)), bool(arguments.get("dry_run", False))


def _made(made: Made) -> dict[str, Any]:
    """`invite` is the line, `file` the same for a carrier medium: secrets, shown once. Of a dry run there are none."""
    secrets = {"invite": made.line, "file": made.file, "token": made.token} if made.token else {}
    return {**secrets, "node": made.node, "title": made.title, "expires": iso(made.expires)}


def _shown(view: InviteView) -> dict[str, Any]:
    times = {
        name: iso(getattr(view, name)) if getattr(view, name) else "" for name in ("expires", "changed", "created")
    }
    return {**asdict(view), **times}
