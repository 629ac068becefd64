"""What a parent does with nodes that it enrolled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from node.app import Node
from node.audit import Event as AuditEvent
from node.clock import iso
from node.commands.view import Arguments, text
from node.faults import Code, UserFault
from node.hands import Hand
from node.succession import Said, SucceedJob
from node.suspension import SuspendJob
from node.texts import N_
from sync.scope import is_pattern

REASON_LETTERS_MAX = 500


async def suspend(node: Node, hand: Hand, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """child.suspend {node, reason, dry_run?} -> {node, enrolled, dry_run}."""
    yield await _suspended(node, hand, arguments, ends=False)


async def resume(node: Node, hand: Hand, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """child.resume {node, reason, dry_run?} -> {node, enrolled, dry_run}."""
    yield await _suspended(node, hand, arguments, ends=True)


async def _suspended(node: Node, hand: Hand, arguments: Arguments, ends: bool) -> Mapping[str, Any]:
    which, reason = text(arguments, "node"), text(arguments, "reason").strip()
    dry_run = bool(arguments.get("dry_run", False))
    if not 0 < len(reason) <= REASON_LETTERS_MAX:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("The reason is missing, or longer than {most} letters."),
            N_("Say it with --reason: it stands in the audit of this node, and goes nowhere else."),
            most=REASON_LETTERS_MAX,
        )
    day = iso(node.clock.now_us())[:10]
    await node.writer.call(lambda t: SuspendJob(t, node.core, which, ends, day, dry_run))
    if not dry_run:
        event = AuditEvent.CHILD_RESUMED if ends else AuditEvent.CHILD_SUSPENDED
        node.note(event, node=which, reason=reason, by=hand.said)
    return {"node": which, "enrolled": ends, "dry_run": dry_run}


async def succeed(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """child.succeed {old, new, regions?, dry_run?} -> {old, new, regions, closings}."""
    old, new = text(arguments, "old"), text(arguments, "new")
    regions = tuple(dict.fromkeys(r.strip() for r in text(arguments, "regions").split(",") if r.strip()))
    for region in regions:
        if not is_pattern(region):
            raise UserFault(
                Code.BAD_ARGUMENT,
                N_("'{value}' is neither a division code nor a prefix such as 3711*."),
                N_("Separate several by commas: --regions 340181,340124."),
                value=region,
            )
    dry_run = bool(arguments.get("dry_run", False))
    day = iso(node.clock.now_us())[:10]
    said: Said = await node.writer.call(lambda t: SucceedJob(t, node.core, old, new, regions, day, dry_run))
    if not dry_run:
        node.note(AuditEvent.CHILD_SUCCEEDED, node=old, by=new, regions=",".join(said.regions))
    yield {
        "old": said.old,
        "new": said.new,
        "regions": list(said.regions),
        "closings": [{"feed": str(feed), "seq": seq} for feed, seq in said.closings],
        "dry_run": dry_run,
    }
