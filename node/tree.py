"""The order in which a tree of nodes is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def in_order(members: Iterable[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    """(depth, member) of a status's tree, each node right above what stands below it."""
    known = {member["node"]: member for member in members}
    below: dict[str, list[Mapping[str, Any]]] = {}
    for member in known.values():
        below.setdefault(member["parent"] if member["parent"] in known else "", []).append(member)
    found: list[tuple[int, Mapping[str, Any]]] = []

    def walk(parent: str, depth: int) -> None:
        for member in sorted(below.get(parent, []), key=lambda m: str(m["region"])):
            found.append((depth, member))
            walk(member["node"], depth + 1)

    walk("", 0)
    return found
