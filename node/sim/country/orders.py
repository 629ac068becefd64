"""Moves at simulated nodes by the way that the real node makes them: node/jobs.py, with limits, parts and clocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from node.jobs import MoveWish, bodies_of, other_side
from node.sim.simnode import SimNode
from node.store.store import Store
from sync.errors import InputFault
from sync.events import Event, LocalMove
from tiers.flows.clocks import Calendar


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """One move, chosen inside the transaction by what is held there; None: none. Its own token too.

    refused: called with the move that cannot be made, and why.
    """

    node: SimNode
    task: str
    move_id: str
    at: int
    calendar: Calendar
    choose: Callable[[Store], MoveWish | None]
    refused: Callable[[MoveWish, InputFault], None]

    @property
    def token(self) -> object:
        """As node.engine.Job.token."""
        return self

    def run(self, store: Store) -> Sequence[Event]:
        """As node.engine.Job.run."""
        wish = self.choose(store)
        if wish is None:
            return ()
        flows, here = self.node.catalogue.flows, self.node.standing
        try:
            (body,) = bodies_of(store, [wish], here, flows, [self.move_id], self.at, lambda: self.calendar)
        except InputFault as fault:
            self.refused(wish, fault)
            return ()
        return (LocalMove(self, body, other_side(body, here.node)),)
