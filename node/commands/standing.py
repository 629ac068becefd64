"""Where this node stands, for whoever must decide by it outside: the loader asks which regions are its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from node.app import Node
from node.commands.view import Arguments


async def standing(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """standing {} -> {node, profile, region, parent, nation, scope}."""
    here = node.standing
    yield {
        "node": here.node,
        "profile": here.profile.id,
        "region": here.region,
        "parent": here.parent,
        "nation": here.nation,
        "scope": [
            {"region": item.region, "leaving_out": list(item.leaving_out), "since": item.since, "until": item.until}
            for item in here.scope.items
        ],
    }
