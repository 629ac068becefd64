"""Connections between simulated nodes: in order within a direction, late, cut, silent or half open."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from node.sim.simnode import SimNode


class Connection:
    """One TCP connection between a child and its parent. Each end has its own link id."""

    __slots__ = ("_latest", "child", "ids", "parent", "reset", "silent", "under_way")

    def __init__(self, child: SimNode, parent: SimNode, child_link: int, parent_link: int) -> None:
        self.child = child
        self.parent = parent
        self.ids = {id(child): child_link, id(parent): parent_link}
        self._latest = {id(child): 0, id(parent): 0}
        self.silent = False
        """Whatever is sent vanishes, and nobody is told."""
        self.reset = False
        """What was under way is lost."""
        self.under_way = 0

    def other(self, node: SimNode) -> SimNode:
        """The node at the other end."""
        return self.parent if node is self.child else self.child

    def link_of(self, node: SimNode) -> int:
        """The link id at this node's end."""
        return self.ids[id(node)]

    def is_open(self, node: SimNode) -> bool:
        """Whether this node's end is open."""
        return node.links.get(self.link_of(node)) is self

    def arrival(self, to: SimNode, earliest: int) -> int:
        """When something sent now arrives: never before what was sent before it."""
        time = max(earliest, self._latest[id(to)])
        self._latest[id(to)] = time
        return time
