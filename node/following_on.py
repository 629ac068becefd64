"""What is to be done by itself for the moves of one task, as held here: tasks that it starts, and what is told of a
part to the task that it is part of (tiers/flows/consequences.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from node.jobs import MoveWish, first_of
from node.parts import goes_on_as
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.bundle import PART_OF, said_in
from tiers.flows.consequences import echoes
from tiers.flows.keeping import started
from tiers.flows.steps import state_of
from tiers.flows.table import Flow
from tiers.profile import Standing


class Held(Protocol):
    """The store, or one that reads beside it."""

    def moves(self, task: str) -> list[MoveBody]:
        """Numbered moves of a task, in order of number."""
        ...

    def pending_moves(self, task: str, *, refused: bool = False) -> list[MoveBody]:
        """Those that wait for an answer, or got none that counts."""
        ...


def following(
    reader: Held, flows: Mapping[str, Flow], standing: Standing, history: Sequence[MoveBody]
) -> Iterator[MoveWish]:
    """What this node has not done yet of what the moves of a task ask of it."""
    flow, here = flows[history[0].flow], standing.node
    if here not in (history[0].issuer, history[0].holder):
        return
    begun = started(flow, flows, history, here, standing.parent)
    yield from (first_of(one) for one in begun if not reader.moves(one.task))
    if history[0].issuer == here and (whole := said_in(history, PART_OF)):
        yield from _told(reader, flows, here, history, whole)


def _told(
    reader: Held, flows: Mapping[str, Flow], here: str, part: Sequence[MoveBody], whole: str
) -> Iterator[MoveWish]:
    whole = goes_on_as(reader, whole)
    history = reader.moves(whole)
    flow = flows.get(history[0].flow) if history and history[0].holder == here else None
    if flow is None or flow.has_ended(state_of(history)):
        return
    known = [*history, *reader.pending_moves(whole), *reader.pending_moves(whole, refused=True)]
    for echo in echoes(flow, flows[part[0].flow], part, known):
        yield MoveWish("", whole, echo.move, "", "", "", echo.fields, automatic=True, move_id=echo.move_id)
