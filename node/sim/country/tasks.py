"""A task as the simulation follows it, and what its history tells of moves that crossed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from node.sim.simnode import SimNode
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.table import Flow


@dataclass(slots=True)
class Task:
    """A task and its two ends. part_of: the task that it is a part of. planned: issued by a person, and no part."""

    id: str
    flow: str
    issuer: SimNode
    holder: SimNode
    part_of: str = ""
    planned: bool = False
    to_cross: bool = False
    tries: list[tuple[str, str]] = field(default_factory=list)
    """Moves that both sides made at one moment: the issuer's, the holder's."""
    waits: set[str] = field(default_factory=set)
    """The sides at which somebody is about to act."""

    def is_crossed(self, history: Sequence[MoveBody]) -> bool:
        """Whether one of the tries came to what it was meant to be."""
        ours = {move.move_id: move for move in history}
        return any(
            issuer in ours and holder in ours and _knew_not(ours[holder], ours[issuer]) for issuer, holder in self.tries
        )


def _knew_not(holder: MoveBody, issuer: MoveBody) -> bool:
    return holder.base < issuer.number < holder.number


def crossings(flow: Flow, history: Sequence[MoveBody]) -> list[MoveBody]:
    """Moves of the holder that were decided after one of the issuer's people that it did not know."""
    made = [move for move in history if move.by_node == move.issuer and _by_person(flow, move)]
    return [move for move in history if move.verdict and any(_knew_not(move, other) for other in made)]


def _by_person(flow: Flow, move: MoveBody) -> bool:
    rule = flow.rule(move.move)
    return rule is not None and not rule.automatic
