"""This node's own certificate, renewed at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from node.app import Node
from node.certifying import NoCertificate
from node.clock import iso
from node.commands.view import Arguments
from node.faults import Code, UserFault
from node.renewing import is_due, renew
from node.texts import N_, Text, reasons


async def renew_now(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """certificate.renew {dry_run?} -> {node, before, until, due, certificate, dry_run}. `due`: whether it was time."""
    own, dry_run = node.identity.own, bool(arguments.get("dry_run", False))
    due = is_due(own, node.clock.now_us())
    try:
        found = own if dry_run else await renew(node)
    except NoCertificate as none:
        said = reasons.words(int(none.reason))
        raise UserFault(
            Code.NOT_RENEWED,
            N_("The certificate was not renewed. {by}: {title} ({detail})"),
            N_("Here: {todo} It holds until {until}, and the node tries again by itself in its last third."),
            by=none.by,
            title=Text(said.title),
            detail=none.detail or "-",
            todo=Text(said.next_step),
            until=iso(own.not_after),
        ) from none
    yield {
        "node": node.identity.node,
        "before": iso(own.not_after),
        "until": iso(found.not_after),
        "due": due,
        "certificate": found.fingerprint.hex(),
        "dry_run": dry_run,
    }
