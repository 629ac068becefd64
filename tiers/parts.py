"""Of whom figures are expected: the nodes that the registry had in force at a period's end, and how deep they stand."""

from __future__ import annotations

from sync.registry import Enrolment, Registry
from tiers.dataset import Dataset
from tiers.profile import PROFILES

DEPTH_MAX = 6
"""Node ids have no more labels, so no tree is deeper."""


def may_own(dataset: Dataset, node: Enrolment) -> bool:
    """Whether a node's tier writes rows of a dataset."""
    profile = PROFILES.get(node.profile)
    return profile is not None and not set(dataset.owner).isdisjoint(profile.tiers(node.parent))


def children_of(registry: Registry, node: str, day: str) -> list[Enrolment]:
    """The nodes straight below one that were in force on a day, in order of their ids."""
    found = (registry.in_force(child, day) for child in sorted(registry.children(node)))
    return [child for child in found if child is not None and child.parent == node]


def parts_of(registry: Registry, node: Enrolment, day: str, source: Dataset, depth: int = DEPTH_MAX) -> int:
    """How many parts a node stands for: itself if it may own the source, and all below it."""
    if depth == 0:
        return 0
    below = children_of(registry, node.node, day)
    return may_own(source, node) + sum(parts_of(registry, child, day, source, depth - 1) for child in below)


def height_of(registry: Registry, node: str, day: str, depth: int = DEPTH_MAX) -> int:
    """How many tiers stand below a node."""
    if depth == 0:
        return 0
    heights = [height_of(registry, child.node, day, depth - 1) for child in children_of(registry, node, day)]
    return max(heights, default=-1) + 1
