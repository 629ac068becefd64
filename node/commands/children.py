"""What a parent does with nodes that it enrolled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from node.app import Node
from node.audit import Event as AuditEvent
from node.clock import iso
from node.commands.view import Arguments, text
from node.faults import Code, UserFault
from node.succession import Said, SucceedJob
from node.texts import N_
from sync.scope import is_pattern


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
